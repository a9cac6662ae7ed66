/* chain: which of a file's certificates are leaves, what they say, and who certifies them.
 *
 * Tells facts and refuses nothing: see verdict.h. */
#ifndef CERTS_CHAIN_H
#define CERTS_CHAIN_H

#include "../base/buf.h"
#include "../base/sha256.h"
#include "../base/span.h"
#include "pkey.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CHAIN_MAX_COUNT = 8,
	CHAIN_MAX_BYTES = 262144, /* of its DER; also of its names */
	CHAIN_LABEL_BYTES = 128,
};

/* A leaf certificate with the issuers that were found beside it. */
struct chain {
	uint8_t id[SHA256_BYTES];   /* SHA-256 of the leaf's DER */
	uint8_t spki[SHA256_BYTES]; /* SHA-256 of the leaf's SubjectPublicKeyInfo */
	struct buf der;             /* leaf first, each next one certifies the one before: see mbed_chain_next */
	size_t cert_count;
	struct buf names; /* SAN dNSNames, lower case, valid ones only: u8 length + bytes, …; "*." is kept */
	size_t name_count;
	int64_t not_before_unix_s, not_after_unix_s;
	enum pkey_type key_type;
	unsigned key_bits;
	bool has_server_auth;       /* EKU absent, or holds serverAuth (RFC 5280 4.2.1.12) */
	bool has_digital_signature; /* key usage absent, or allows signatures, as ECDHE needs (RFC 8446 4.4.2.2) */
	bool has_unknown_critical;  /* an extension that its readers must know, and do not (RFC 5280 4.2) */
	bool has_must_staple;       /* RFC 7633 */
	bool is_self_signed;
	bool is_ca;
	char issuer[CHAIN_LABEL_BYTES]; /* for people */
	char label[CHAIN_LABEL_BYTES];  /* for people: the first name, or else the subject */
};

void chain_deinit(struct chain *c);

/* chain_next_name: the first of names, taken off rest. 0, ERR_NOENT at the end, ERR_PARSE. */
int chain_next_name(struct span *rest, struct span *out);

/* The certificates of one file, in its order. Zeroed to begin with. */
struct chain_certs {
	struct chain_cert *first, *last;
};

void chain_certs_deinit(struct chain_certs *all);

/* chain_certs_add: one DER certificate. Returns 0 or the library's code (see mbed.h). */
int chain_certs_add(struct chain_certs *all, struct span der);

/* chain_collect: the leaves: certificates that certify no other one of the file. A CA certificate without names is
 * one only when it comes first; answers to ACME challenges (RFC 8737 3) never are.
 * An issuer is told by name and key identifier; its signature is not looked at: that is the clients' affair.
 * *out     an array of *out_count, to be freed by the caller, element by element too, in any case
 * returns  0 or ERR_NOMEM        source  RFC 5280 4.2.1.6, 6.1; RFC 9525 6.3; RFC 8446 4.4.2 */
int chain_collect(const struct chain_certs *all, struct chain **out, size_t *out_count);

#endif

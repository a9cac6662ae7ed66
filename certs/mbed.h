/* mbed: the seam to the TLS library: start-up, random numbers, error texts, keys and chains ready for a handshake.
 *
 * Everything that a move from mbedTLS 3.6 to 4 would touch stands here, in pem.c, selfca.c and worker/tls.c. */
#ifndef CERTS_MBED_H
#define CERTS_MBED_H

#include "../base/sha256.h"
#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct mbed_pair; /* a parsed chain and its key */
struct mbedtls_x509_crt;
struct mbedtls_pk_context;

/* mbed_start: PSA with its accelerator, random source (getrandom). After fork, the first time before the sandbox, which
 * forbids the files that are looked for then; once more after mbed_stop, which takes all keys with it. */
int mbed_start(struct err *err);
void mbed_stop(void);

/* mbed_accelerator: what computes curves, hashes and ciphers in the library's place: "openssl", "none". */
const char *mbed_accelerator(void);

/* mbed_message_max_bytes: the longest handshake message that the library can send. */
size_t mbed_message_max_bytes(void);

/* mbed_random: the signature of mbedTLS's f_rng; ctx unused. */
int mbed_random(void *ctx, unsigned char *out, size_t len);

/* mbed_err: err with the library's text for its code rc (negative). Returns ERR_NOMEM or ERR_TLS. */
int mbed_err(struct err *err, int rc, const char *what);

/* mbed_is_nomem: does the library's code rc say that memory ran out? */
bool mbed_is_nomem(int rc);

/* What the library does not tell about a certificate by itself. */
struct mbed_extras {
	bool has_must_staple;      /* RFC 7633 */
	bool is_acme_challenge;    /* RFC 8737 3: answers a challenge, is nobody's certificate */
	bool has_unknown_critical; /* another extension that whoever does not know it must refuse (RFC 5280 4.2) */
};

/* mbed_parse_cert: one DER certificate, copied, onto the end of chain; an unknown critical extension is told, not
 * refused: we show certificates, we do not judge them. extras may be NULL. Returns 0 or the library's code. */
int mbed_parse_cert(struct mbedtls_x509_crt *chain, struct span der, struct mbed_extras *extras);

/* mbed_key_digest: SHA-256 of the key's public half as DER SubjectPublicKeyInfo. Returns 0 or the library's code. */
int mbed_key_digest(const struct mbedtls_pk_context *key, uint8_t out[SHA256_BYTES]);

/* A chain in bytes: u32 length (host order) + DER, for each certificate, leaf first.
 * mbed_chain_next takes the first off rest: 0, ERR_NOENT when rest is empty, ERR_PARSE. */
int mbed_chain_add(struct buf *chain, struct span der);
int mbed_chain_next(struct span *rest, struct span *out_der);

/* mbed_pair_new: parses chain_der and key_der for a handshake. The spans are not kept.
 * ERR_PARSE when they do not parse; ERR_CONFLICT when the key is not the leaf's (checked by public key). */
int mbed_pair_new(struct mbed_pair **out, struct span chain_der, struct span key_der, struct err *err);
void mbed_pair_free(struct mbed_pair *p); /* accepts NULL; the last owner's call wipes the key */

/* mbed_pair_share: one owner more; each calls mbed_pair_free. Returns p. Not for several threads. */
struct mbed_pair *mbed_pair_share(struct mbed_pair *p);

/* mbed_pair_is_chain: is chain_der, byte for byte, the chain that p was made of? */
bool mbed_pair_is_chain(const struct mbed_pair *p, struct span chain_der);

struct mbedtls_x509_crt *mbed_pair_chain(struct mbed_pair *p);
struct mbedtls_pk_context *mbed_pair_key(struct mbed_pair *p);

#endif

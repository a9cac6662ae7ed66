/* pkey: kinds of keys, and private keys out of bytes. */
#ifndef CERTS_PKEY_H
#define CERTS_PKEY_H

#include "../base/buf.h"
#include "../base/sha256.h"
#include "../base/span.h"

#include <stdint.h>

struct mbedtls_pk_context;

enum pkey_type { PKEY_NONE, PKEY_RSA, PKEY_P256, PKEY_P384, PKEY_P521, PKEY_OTHER };

const char *pkey_type_name(enum pkey_type t); /* "RSA", "P-256", … */

/* pkey_type_of: of a key, public or private, that the TLS library has parsed. */
enum pkey_type pkey_type_of(const struct mbedtls_pk_context *key);

/* A private key. */
struct pkey {
	uint8_t spki[SHA256_BYTES]; /* SHA-256 of the public half's SubjectPublicKeyInfo */
	struct buf der;             /* as the TLS library writes it: the same key has the same bytes */
	enum pkey_type type;
	unsigned bits;
};

/* pkey_parse: a private key without password in DER, PKCS #1, SEC 1 or PKCS #8.
 * A key that does not fit the public half stored with it is refused: nobody may pass off a key as another's. That
 * costs one multiplication on the curve, 0.3 ms with P-256: most of the time that an import takes.
 * returns  0, with out to be given to pkey_deinit, or the library's code (see mbed.h) */
int pkey_parse(struct span der, struct pkey *out);

/* pkey_deinit: wipes and frees; accepts a zeroed one. */
void pkey_deinit(struct pkey *k);

#endif

/* accelerator: the costly operations of a handshake over OpenSSL's libcrypto and, for X25519, libsodium, behind
 * mbedTLS's own interfaces: P-256 as a PSA driver; X25519, RSA signatures and AEADs in place of functions of its PSA
 * layer (linked with --wrap); the block functions of SHA-2. No arithmetic of our own.
 *
 * For one thread, as mbedTLS is built here. Whatever fails, for want of memory included, is an ordinary PSA error;
 * libcrypto's error queue is left empty. Numbers that are secret are wiped. */
#ifndef ACCELERATOR_H
#define ACCELERATOR_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <psa/crypto.h>
#include <stdbool.h>
#include <stdint.h>

/* What libcrypto looks up by name or computes once: made by psa_crypto_init, so that a sandboxed process looks for
 * nothing later. */
struct accelerator {
	EC_GROUP *p256;
	EC_KEY *p256_key; /* carries the key of one operation */
	BN_CTX *numbers;
	EVP_MD *sha256, *sha384, *sha512;
	EVP_CIPHER_CTX *aes128_gcm, *aes256_gcm, *chacha20_poly1305; /* they take turns with all keys */
};

/* accelerator: all of it is there, or nothing is and every operation fails. */
extern struct accelerator accelerator;

/* accelerator_failed: empties libcrypto's error queue; PSA_ERROR_INSUFFICIENT_MEMORY if that is what it tells of, else
 * otherwise. */
psa_status_t accelerator_failed(psa_status_t otherwise);

/* accelerator_start_aead, accelerator_stop_aead: the contexts of the ciphers. */
bool accelerator_start_aead(struct accelerator *a);
void accelerator_stop_aead(struct accelerator *a);

/* accelerator_forget_rsa: the key that rsa.c remembers. */
void accelerator_forget_rsa(void);

#endif

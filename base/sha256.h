/* sha256: the digest that names bodies, keys and ids. A door to the TLS library's implementation, on the ground
 * floor because config/ (bodies, ids) and certs/ (keys, pairs) both need it and do not know each other. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "span.h"

#include <stdint.h>

enum { SHA256_BYTES = 32 };

/* sha256_of: cannot fail: the library's only errors are about hardware that we do not have. */
void sha256_of(struct span bytes, uint8_t out[SHA256_BYTES]);

/* sha256_hex: lower-case hex with a NUL behind. */
void sha256_hex(const uint8_t digest[SHA256_BYTES], char out[2 * SHA256_BYTES + 1]);

#endif

#include "sha256.h"

#include <assert.h>
#include <mbedtls/sha256.h>

void sha256_of(struct span bytes, uint8_t out[SHA256_BYTES])
{
	int rc = mbedtls_sha256((const unsigned char *)bytes.p, bytes.len, out, 0);
	assert(rc == 0);
}

void sha256_hex(const uint8_t digest[SHA256_BYTES], char out[2 * SHA256_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * SHA256_BYTES] = '\0';
}

/* The block functions of SHA-256 and SHA-512 with the processor's instructions. mbedTLS keeps the contexts, so that
 * copying one stays copying a struct; states and words are in the machine's order on both sides. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof((mbedtls_sha256_context *)0)->state == sizeof((SHA256_CTX *)0)->h, "SHA-256 state");
_Static_assert(sizeof((mbedtls_sha512_context *)0)->state == sizeof((SHA512_CTX *)0)->h, "SHA-512 state");

int mbedtls_internal_sha256_process(mbedtls_sha256_context *ctx, const unsigned char data[64])
{
	SHA256_CTX c; /* of which a transformation touches no more than h */
	memcpy(c.h, ctx->state, sizeof c.h);
	SHA256_Transform(&c, data);
	memcpy(ctx->state, c.h, sizeof c.h);
	OPENSSL_cleanse(c.h, sizeof c.h);
	return 0;
}

int mbedtls_internal_sha512_process(mbedtls_sha512_context *ctx, const unsigned char data[128])
{
	SHA512_CTX c;
	memcpy(c.h, ctx->state, sizeof c.h);
	SHA512_Transform(&c, data);
	memcpy(ctx->state, c.h, sizeof c.h);
	OPENSSL_cleanse(c.h, sizeof c.h);
	return 0;
}

/* RSA signatures in place of mbedTLS's function, PKCS #1 v1.5 and PSS over the hashes of TLS; all else goes on to it.
 * Blinding and the check of each result are libcrypto's. */
#include "accelerator.h"

#include <openssl/crypto.h>
#include <openssl/rsa.h>

typedef psa_status_t sign_fn(const psa_key_attributes_t *attributes, const uint8_t *key_buffer, size_t key_buffer_size,
			     psa_algorithm_t alg, const uint8_t *hash, size_t hash_length, uint8_t *signature,
			     size_t signature_size, size_t *signature_length);

sign_fn __real_mbedtls_psa_rsa_sign_hash, __wrap_mbedtls_psa_rsa_sign_hash;

/* The key of the last signature. What a key needs before its first, blinding above all, costs half as much as a
 * signature, and with few tenants the next connection comes for the same one. */
static struct {
	RSA *key;
	uint8_t *der;
	size_t len;
} last;

void accelerator_forget_rsa(void)
{
	RSA_free(last.key);
	OPENSSL_clear_free(last.der, last.len);
	last.key = NULL;
	last.der = NULL;
	last.len = 0;
}

static RSA *key_of(const uint8_t *der, size_t len)
{
	if (last.key && last.len == len && CRYPTO_memcmp(last.der, der, len) == 0)
		return last.key;
	accelerator_forget_rsa();
	const uint8_t *p = der;
	last.key = d2i_RSAPrivateKey(NULL, &p, (long)len);
	last.der = OPENSSL_memdup(der, len);
	last.len = last.der ? len : 0;
	if (!last.key || !last.der || p != der + len)
		accelerator_forget_rsa();
	return last.key;
}

static const EVP_MD *md_of(psa_algorithm_t alg)
{
	switch (PSA_ALG_SIGN_GET_HASH(alg)) {
	case PSA_ALG_SHA_256: return accelerator.sha256;
	case PSA_ALG_SHA_384: return accelerator.sha384;
	case PSA_ALG_SHA_512: return accelerator.sha512;
	default: return NULL;
	}
}

static bool sign_v15(RSA *key, const EVP_MD *md, const uint8_t *hash, uint8_t *out)
{
	unsigned len = 0;
	return RSA_sign(EVP_MD_get_type(md), hash, (unsigned)EVP_MD_get_size(md), out, &len, key) == 1 &&
	       len == (unsigned)RSA_size(key);
}

/* RFC 8446 4.2.3: the salt is as long as the hash */
static bool sign_pss(RSA *key, const EVP_MD *md, const uint8_t *hash, uint8_t *out)
{
	int len = RSA_size(key);
	uint8_t *encoded = OPENSSL_malloc((size_t)len);
	bool is_done = encoded &&
		       RSA_padding_add_PKCS1_PSS_mgf1(key, encoded, hash, md, md, RSA_PSS_SALTLEN_DIGEST) == 1 &&
		       RSA_private_encrypt(len, encoded, out, key, RSA_NO_PADDING) == len;
	OPENSSL_free(encoded);
	return is_done;
}

psa_status_t __wrap_mbedtls_psa_rsa_sign_hash(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
					      size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *hash,
					      size_t hash_length, uint8_t *signature, size_t signature_size,
					      size_t *signature_length)
{
	const EVP_MD *md = md_of(alg);
	bool is_pss = PSA_ALG_IS_RSA_PSS(alg);
	if (!md || hash_length != (size_t)EVP_MD_get_size(md) || !(is_pss || PSA_ALG_IS_RSA_PKCS1V15_SIGN(alg)))
		return __real_mbedtls_psa_rsa_sign_hash(attributes, key_buffer, key_buffer_size, alg, hash, hash_length,
							signature, signature_size, signature_length);
	RSA *key = key_of(key_buffer, key_buffer_size);
	if (!key)
		return accelerator_failed(PSA_ERROR_INVALID_ARGUMENT);
	if (signature_size < (size_t)RSA_size(key))
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!(is_pss ? sign_pss : sign_v15)(key, md, hash, signature)) {
		accelerator_forget_rsa();
		return accelerator_failed(PSA_ERROR_GENERIC_ERROR);
	}
	*signature_length = (size_t)RSA_size(key);
	return PSA_SUCCESS;
}

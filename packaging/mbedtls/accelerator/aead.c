/* AES-GCM and ChaCha20-Poly1305 over libcrypto in place of mbedTLS's functions, with the nonces and tags of TLS; all
 * else goes on to them. mbedTLS makes a context for each record, and multiplies for GCM block by block. */
#include "accelerator.h"

#include <limits.h>
#include <openssl/crypto.h>

enum { NONCE_BYTES = 12, TAG_BYTES = 16, KEY_MAX_BYTES = 32 };

typedef psa_status_t crypt_fn(const psa_key_attributes_t *attributes, const uint8_t *key_buffer, size_t key_buffer_size,
			      psa_algorithm_t alg, const uint8_t *nonce, size_t nonce_length,
			      const uint8_t *additional_data, size_t additional_data_length, const uint8_t *input,
			      size_t input_length, uint8_t *output, size_t output_size, size_t *output_length);

crypt_fn __real_mbedtls_psa_aead_encrypt, __wrap_mbedtls_psa_aead_encrypt;
crypt_fn __real_mbedtls_psa_aead_decrypt, __wrap_mbedtls_psa_aead_decrypt;
psa_status_t __real_psa_destroy_key(psa_key_id_t key);
psa_status_t __wrap_psa_destroy_key(psa_key_id_t key);

/* The context that still has a key: that of the last record. The others have none. */
static EVP_CIPHER_CTX *keyed;

static EVP_CIPHER_CTX *new_context(const char *name)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (!cipher || !c || EVP_CipherInit_ex2(c, cipher, NULL, NULL, 1, NULL) != 1) {
		EVP_CIPHER_CTX_free(c);
		c = NULL;
	}
	EVP_CIPHER_free(cipher); /* the context has its own hold of it */
	return c;
}

bool accelerator_start_aead(struct accelerator *a)
{
	a->aes128_gcm = new_context("AES-128-GCM");
	a->aes256_gcm = new_context("AES-256-GCM");
	a->chacha20_poly1305 = new_context("ChaCha20-Poly1305");
	return a->aes128_gcm && a->aes256_gcm && a->chacha20_poly1305;
}

void accelerator_stop_aead(struct accelerator *a)
{
	keyed = NULL;
	EVP_CIPHER_CTX_free(a->aes128_gcm);
	EVP_CIPHER_CTX_free(a->aes256_gcm);
	EVP_CIPHER_CTX_free(a->chacha20_poly1305);
}

/* context_of: NULL: none of ours. */
static EVP_CIPHER_CTX *context_of(psa_key_type_t type, size_t key_bytes, psa_algorithm_t alg, size_t nonce_bytes)
{
	const struct accelerator *a = &accelerator;
	if (nonce_bytes != NONCE_BYTES)
		return NULL;
	if (alg == PSA_ALG_CHACHA20_POLY1305 && type == PSA_KEY_TYPE_CHACHA20 && key_bytes == 32)
		return a->chacha20_poly1305;
	if (alg != PSA_ALG_GCM || type != PSA_KEY_TYPE_AES)
		return NULL;
	return key_bytes == 16 ? a->aes128_gcm : key_bytes == 32 ? a->aes256_gcm : NULL;
}

/* forget: a key of zeros takes the place of the one that keyed has; a byte that it encrypts, the place of what is left
 * of the last record's key stream. */
static void forget(void)
{
	static const uint8_t zeros[KEY_MAX_BYTES];
	uint8_t nobodys[TAG_BYTES];
	int n;
	if (keyed &&
	    (EVP_CipherInit_ex2(keyed, NULL, zeros, zeros, 1, NULL) != 1 ||
	     EVP_CipherUpdate(keyed, nobodys, &n, zeros, 1) != 1 || EVP_CipherFinal_ex(keyed, nobodys, &n) != 1))
		(void)accelerator_failed(PSA_SUCCESS);
	keyed = NULL;
}

static bool begin(EVP_CIPHER_CTX *c, bool is_encrypt, const uint8_t *key, const uint8_t *nonce,
		  const uint8_t *additional_data, size_t len)
{
	int n;
	if (keyed != c)
		forget();
	keyed = c;
	return EVP_CipherInit_ex2(c, NULL, key, nonce, is_encrypt, NULL) == 1 &&
	       (len == 0 || EVP_CipherUpdate(c, NULL, &n, additional_data, (int)len) == 1);
}

/* go_through: input and output may be the same. */
static bool go_through(EVP_CIPHER_CTX *c, const uint8_t *input, size_t len, uint8_t *output)
{
	int n;
	return len == 0 || (EVP_CipherUpdate(c, output, &n, input, (int)len) == 1 && n == (int)len);
}

/* end: false: also where the tag is wrong. */
static bool end(EVP_CIPHER_CTX *c)
{
	uint8_t none[TAG_BYTES];
	int n;
	return EVP_CipherFinal_ex(c, none, &n) == 1;
}

psa_status_t __wrap_mbedtls_psa_aead_encrypt(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
					     size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *nonce,
					     size_t nonce_length, const uint8_t *additional_data,
					     size_t additional_data_length, const uint8_t *input, size_t input_length,
					     uint8_t *output, size_t output_size, size_t *output_length)
{
	EVP_CIPHER_CTX *c = context_of(psa_get_key_type(attributes), key_buffer_size, alg, nonce_length);
	if (!c || additional_data_length > INT_MAX || input_length > INT_MAX)
		return __real_mbedtls_psa_aead_encrypt(attributes, key_buffer, key_buffer_size, alg, nonce,
						       nonce_length, additional_data, additional_data_length, input,
						       input_length, output, output_size, output_length);
	if (output_size < input_length || output_size - input_length < TAG_BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!begin(c, true, key_buffer, nonce, additional_data, additional_data_length) ||
	    !go_through(c, input, input_length, output) || !end(c) ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, output + input_length) != 1)
		return accelerator_failed(PSA_ERROR_GENERIC_ERROR);
	*output_length = input_length + TAG_BYTES;
	return PSA_SUCCESS;
}

psa_status_t __wrap_mbedtls_psa_aead_decrypt(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
					     size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *nonce,
					     size_t nonce_length, const uint8_t *additional_data,
					     size_t additional_data_length, const uint8_t *input, size_t input_length,
					     uint8_t *output, size_t output_size, size_t *output_length)
{
	EVP_CIPHER_CTX *c = context_of(psa_get_key_type(attributes), key_buffer_size, alg, nonce_length);
	if (!c || additional_data_length > INT_MAX || input_length > INT_MAX)
		return __real_mbedtls_psa_aead_decrypt(attributes, key_buffer, key_buffer_size, alg, nonce,
						       nonce_length, additional_data, additional_data_length, input,
						       input_length, output, output_size, output_length);
	if (input_length < TAG_BYTES)
		return PSA_ERROR_INVALID_ARGUMENT;
	size_t len = input_length - TAG_BYTES;
	if (output_size < len)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	/* the tag is only read */
	if (!begin(c, false, key_buffer, nonce, additional_data, additional_data_length) ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, (void *)(uintptr_t)(input + len)) != 1 ||
	    !go_through(c, input, len, output) || !end(c)) {
		OPENSSL_cleanse(output, len); /* of what is not authentic nobody shall see anything */
		return accelerator_failed(PSA_ERROR_INVALID_SIGNATURE);
	}
	*output_length = len;
	return PSA_SUCCESS;
}

/* A key that goes leaves nothing behind. */
psa_status_t __wrap_psa_destroy_key(psa_key_id_t key)
{
	forget();
	return __real_psa_destroy_key(key);
}

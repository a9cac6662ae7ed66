/* X25519 in place of mbedTLS's two functions; what is not that curve goes on to them. */
#include "accelerator.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <string.h>

enum { BITS = 255, BYTES = 32 };

typedef psa_status_t public_key_fn(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
				   size_t key_buffer_size, uint8_t *data, size_t data_size, size_t *data_length);
typedef psa_status_t agreement_fn(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
				  size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *peer_key,
				  size_t peer_key_length, uint8_t *shared_secret, size_t shared_secret_size,
				  size_t *shared_secret_length);

public_key_fn __real_mbedtls_psa_ecp_export_public_key, __wrap_mbedtls_psa_ecp_export_public_key;
agreement_fn __real_mbedtls_psa_key_agreement_ecdh, __wrap_mbedtls_psa_key_agreement_ecdh;

static bool is_ours(const psa_key_attributes_t *attributes, size_t key_bytes)
{
	return psa_get_key_type(attributes) == PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY) &&
	       psa_get_key_bits(attributes) == BITS && key_bytes == BYTES;
}

static const uint8_t base[BYTES] = {9}; /* RFC 7748 4.1 */

/* private_new: libcrypto would compute the public half, which costs as much as all the rest and goes into no secret, so
 * it gets the base point in its place. */
static EVP_PKEY *private_new(const uint8_t private[BYTES])
{
	uint8_t bytes[BYTES], stand_in[BYTES];
	memcpy(bytes, private, BYTES);
	memcpy(stand_in, base, BYTES);
	OSSL_PARAM halves[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, bytes, BYTES),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, stand_in, BYTES),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;
	bool is_done = EVP_PKEY_fromdata(accelerator.x25519_import, &key, EVP_PKEY_KEYPAIR, halves) == 1;
	OPENSSL_cleanse(bytes, sizeof bytes);
	return is_done ? key : NULL;
}

/* multiply: X25519(private, peer) of RFC 7748 5; fails where that is zero (6.1). */
static bool multiply(const uint8_t private[BYTES], const uint8_t peer[BYTES], uint8_t out[BYTES])
{
	size_t len = BYTES;
	EVP_PKEY *point = accelerator.x25519_point;
	EVP_PKEY *key = point ? private_new(private) : NULL;
	EVP_PKEY_CTX *c = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool is_done = c && EVP_PKEY_set1_encoded_public_key(point, peer, BYTES) == 1 && EVP_PKEY_derive_init(c) == 1 &&
		       EVP_PKEY_derive_set_peer_ex(c, point, 0) == 1 && EVP_PKEY_derive(c, out, &len) == 1 &&
		       len == BYTES;
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(key);
	return is_done;
}

psa_status_t __wrap_mbedtls_psa_ecp_export_public_key(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
						      size_t key_buffer_size, uint8_t *data, size_t data_size,
						      size_t *data_length)
{
	if (!is_ours(attributes, key_buffer_size))
		return __real_mbedtls_psa_ecp_export_public_key(attributes, key_buffer, key_buffer_size, data,
								data_size, data_length);
	if (data_size < BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!multiply(key_buffer, base, data))
		return accelerator_failed(PSA_ERROR_GENERIC_ERROR);
	*data_length = BYTES;
	return PSA_SUCCESS;
}

psa_status_t __wrap_mbedtls_psa_key_agreement_ecdh(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
						   size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *peer_key,
						   size_t peer_key_length, uint8_t *shared_secret,
						   size_t shared_secret_size, size_t *shared_secret_length)
{
	if (!is_ours(attributes, key_buffer_size) || !PSA_ALG_IS_ECDH(alg))
		return __real_mbedtls_psa_key_agreement_ecdh(attributes, key_buffer, key_buffer_size, alg, peer_key,
							     peer_key_length, shared_secret, shared_secret_size,
							     shared_secret_length);
	if (peer_key_length != BYTES)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (shared_secret_size < BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!multiply(key_buffer, peer_key, shared_secret)) {
		OPENSSL_cleanse(shared_secret, shared_secret_size);
		return accelerator_failed(PSA_ERROR_INVALID_ARGUMENT);
	}
	*shared_secret_length = BYTES;
	return PSA_SUCCESS;
}

/* X25519 over libsodium, in place of mbedTLS's two functions; what is not that curve goes on to them. libcrypto's own
 * needs 57 us for the two, with its key objects.
 *
 * Nobody calls sodium_init: it opens random sources that are not needed here and makes the library fit for threads that
 * we have not, but where the processor has AVX it also prefers, as of 1.0.18, code with which a public key costs 28 us
 * instead of 12, and a secret no less than the 30 of the portable one. Both are constant in time. Whether they work is
 * tried by start.c before anything depends on it. */
#include "accelerator.h"

#include <sodium.h>
#include <string.h>

enum { BITS = 255, BYTES = crypto_scalarmult_curve25519_BYTES };

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

psa_status_t __wrap_mbedtls_psa_ecp_export_public_key(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
						      size_t key_buffer_size, uint8_t *data, size_t data_size,
						      size_t *data_length)
{
	if (!is_ours(attributes, key_buffer_size))
		return __real_mbedtls_psa_ecp_export_public_key(attributes, key_buffer, key_buffer_size, data,
								data_size, data_length);
	if (data_size < BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (crypto_scalarmult_curve25519_base(data, key_buffer) != 0)
		return PSA_ERROR_GENERIC_ERROR;
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
	/* RFC 7748 6.1: it refuses a secret of zeros only */
	if (crypto_scalarmult_curve25519(shared_secret, key_buffer, peer_key) != 0) {
		sodium_memzero(shared_secret, shared_secret_size);
		return PSA_ERROR_INVALID_ARGUMENT;
	}
	*shared_secret_length = BYTES;
	return PSA_SUCCESS;
}

/* P-256 behind the entry points of a PSA driver. mbedTLS asks here first and does by itself what this calls
 * PSA_ERROR_NOT_SUPPORTED. A private key is 32 bytes, a public one 65, beginning with 4 (SEC 1 2.3.3); a signature is
 * r and s, 32 bytes each. */
#include "accelerator.h"

#include "3rdparty/p256-m/p256-m_driver_entrypoints.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <string.h>

enum { BITS = 256, PRIVATE_BYTES = 32, PUBLIC_BYTES = 65, SECRET_BYTES = 32, SIGNATURE_BYTES = 64 };

#define PAIR PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1)
#define PUBLIC PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1)

/* --- numbers and points --- */

/* private_new: NULL unless from 1 to the group's order less 1, or out of memory. */
static BIGNUM *private_new(const uint8_t bytes[PRIVATE_BYTES])
{
	BIGNUM *d = BN_bin2bn(bytes, PRIVATE_BYTES, NULL);
	if (!d)
		return NULL;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	if (!BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(accelerator.p256)) < 0)
		return d;
	BN_clear_free(d);
	return NULL;
}

/* public_new: NULL unless a point of the curve, or out of memory. */
static EC_POINT *public_new(const uint8_t *bytes, size_t len)
{
	const struct accelerator *a = &accelerator;
	EC_POINT *q = len == PUBLIC_BYTES && bytes[0] == POINT_CONVERSION_UNCOMPRESSED ? EC_POINT_new(a->p256) : NULL;
	if (q && EC_POINT_oct2point(a->p256, q, bytes, len, a->numbers) == 1)
		return q;
	EC_POINT_free(q);
	return NULL;
}

/* multiply: out = d q, or d times the base point where q is NULL. */
static bool multiply(const uint8_t d_bytes[PRIVATE_BYTES], const EC_POINT *q, uint8_t out[PUBLIC_BYTES])
{
	const struct accelerator *a = &accelerator;
	BIGNUM *d = private_new(d_bytes);
	EC_POINT *product = EC_POINT_new(a->p256);
	bool is_done = d && product && EC_POINT_mul(a->p256, product, q ? NULL : d, q, q ? d : NULL, a->numbers) == 1 &&
		       EC_POINT_point2oct(a->p256, product, POINT_CONVERSION_UNCOMPRESSED, out, PUBLIC_BYTES,
					  a->numbers) == PUBLIC_BYTES;
	EC_POINT_clear_free(product);
	BN_clear_free(d);
	return is_done;
}

/* --- keys --- */

static bool is_private(const uint8_t *bytes)
{
	BIGNUM *d = private_new(bytes);
	bool is_one = d;
	BN_clear_free(d);
	return is_one;
}

static bool is_public(const uint8_t *bytes, size_t len)
{
	EC_POINT *q = public_new(bytes, len);
	bool is_one = q;
	EC_POINT_free(q);
	return is_one;
}

psa_status_t p256_transparent_import_key(const psa_key_attributes_t *attributes, const uint8_t *data,
					 size_t data_length, uint8_t *key_buffer, size_t key_buffer_size,
					 size_t *key_buffer_length, size_t *bits)
{
	psa_key_type_t type = psa_get_key_type(attributes);
	if ((*bits && *bits != BITS) || (type != PAIR && type != PUBLIC))
		return PSA_ERROR_NOT_SUPPORTED;
	/* without a size told, another length is another curve of the family */
	if (data_length != (size_t)(type == PAIR ? PRIVATE_BYTES : PUBLIC_BYTES))
		return *bits ? PSA_ERROR_INVALID_ARGUMENT : PSA_ERROR_NOT_SUPPORTED;
	if (type == PAIR ? !is_private(data) : !is_public(data, data_length))
		return accelerator_failed(PSA_ERROR_INVALID_ARGUMENT);
	if (key_buffer_size < data_length)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	memcpy(key_buffer, data, data_length);
	*key_buffer_length = data_length;
	*bits = BITS;
	return PSA_SUCCESS;
}

psa_status_t p256_transparent_export_public_key(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
						size_t key_buffer_size, uint8_t *data, size_t data_size,
						size_t *data_length)
{
	if (psa_get_key_bits(attributes) != BITS || psa_get_key_type(attributes) != PAIR)
		return PSA_ERROR_NOT_SUPPORTED;
	if (key_buffer_size != PRIVATE_BYTES)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (data_size < PUBLIC_BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!multiply(key_buffer, NULL, data))
		return accelerator_failed(PSA_ERROR_INVALID_ARGUMENT);
	*data_length = PUBLIC_BYTES;
	return PSA_SUCCESS;
}

psa_status_t p256_transparent_generate_key(const psa_key_attributes_t *attributes, uint8_t *key_buffer,
					   size_t key_buffer_size, size_t *key_buffer_length)
{
	(void)attributes;
	if (key_buffer_size != PRIVATE_BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	BIGNUM *d = BN_new();
	bool is_done = d;
	do /* zero is no key, and will not be seen */
		is_done = is_done && BN_priv_rand_range(d, EC_GROUP_get0_order(accelerator.p256)) == 1;
	while (is_done && BN_is_zero(d));
	is_done = is_done && BN_bn2binpad(d, key_buffer, PRIVATE_BYTES) == PRIVATE_BYTES;
	BN_clear_free(d);
	if (!is_done)
		return accelerator_failed(PSA_ERROR_INSUFFICIENT_ENTROPY);
	*key_buffer_length = PRIVATE_BYTES;
	return PSA_SUCCESS;
}

/* --- agreement --- */

psa_status_t p256_transparent_key_agreement(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
					    size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *peer_key,
					    size_t peer_key_length, uint8_t *shared_secret, size_t shared_secret_size,
					    size_t *shared_secret_length)
{
	(void)attributes;
	(void)alg;
	if (key_buffer_size != PRIVATE_BYTES)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (shared_secret_size < SECRET_BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	uint8_t point[PUBLIC_BYTES];
	EC_POINT *peer = public_new(peer_key, peer_key_length);
	bool is_done = peer && multiply(key_buffer, peer, point);
	EC_POINT_free(peer);
	if (is_done)
		memcpy(shared_secret, point + 1, SECRET_BYTES); /* x: RFC 8446 7.4.2 */
	OPENSSL_cleanse(point, sizeof point);
	if (!is_done)
		return accelerator_failed(PSA_ERROR_INVALID_ARGUMENT);
	*shared_secret_length = SECRET_BYTES;
	return PSA_SUCCESS;
}

/* --- signatures --- */

static bool put_signature(const ECDSA_SIG *s, uint8_t out[SIGNATURE_BYTES])
{
	return BN_bn2binpad(ECDSA_SIG_get0_r(s), out, SIGNATURE_BYTES / 2) == SIGNATURE_BYTES / 2 &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(s), out + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2) == SIGNATURE_BYTES / 2;
}

psa_status_t p256_transparent_sign_hash(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
					size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *hash,
					size_t hash_length, uint8_t *signature, size_t signature_size,
					size_t *signature_length)
{
	(void)attributes;
	(void)alg;
	if (key_buffer_size != PRIVATE_BYTES || hash_length > PSA_HASH_MAX_SIZE)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (signature_size < SIGNATURE_BYTES)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	BIGNUM *d = private_new(key_buffer);
	ECDSA_SIG *s = NULL;
	if (d && EC_KEY_set_private_key(accelerator.p256_key, d) == 1)
		s = ECDSA_do_sign(hash, (int)hash_length, accelerator.p256_key);
	(void)EC_KEY_set_private_key(accelerator.p256_key, NULL); /* wiped and gone; "failed", it says */
	BN_clear_free(d);
	bool is_done = s && put_signature(s, signature);
	ECDSA_SIG_free(s);
	if (!is_done)
		return accelerator_failed(PSA_ERROR_GENERIC_ERROR);
	*signature_length = SIGNATURE_BYTES;
	return PSA_SUCCESS;
}

static ECDSA_SIG *signature_new(const uint8_t bytes[SIGNATURE_BYTES])
{
	BIGNUM *r = BN_bin2bn(bytes, SIGNATURE_BYTES / 2, NULL);
	BIGNUM *s = BN_bin2bn(bytes + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2, NULL);
	ECDSA_SIG *signature = ECDSA_SIG_new();
	if (r && s && signature && ECDSA_SIG_set0(signature, r, s) == 1)
		return signature;
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(signature);
	return NULL;
}

static psa_status_t verify(const EC_POINT *q, const uint8_t *hash, size_t hash_length, const ECDSA_SIG *s)
{
	if (EC_KEY_set_public_key(accelerator.p256_key, q) != 1)
		return accelerator_failed(PSA_ERROR_GENERIC_ERROR);
	int answer = ECDSA_do_verify(hash, (int)hash_length, s, accelerator.p256_key);
	/* -1 for numbers out of range, too */
	return answer == 1 ? PSA_SUCCESS : accelerator_failed(PSA_ERROR_INVALID_SIGNATURE);
}

psa_status_t p256_transparent_verify_hash(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
					  size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *hash,
					  size_t hash_length, const uint8_t *signature, size_t signature_length)
{
	(void)alg;
	if (signature_length != SIGNATURE_BYTES)
		return PSA_ERROR_INVALID_SIGNATURE;
	if (hash_length > PSA_HASH_MAX_SIZE)
		return PSA_ERROR_INVALID_ARGUMENT;
	uint8_t public[PUBLIC_BYTES];
	if (psa_get_key_type(attributes) == PAIR) {
		size_t len;
		psa_status_t rc = p256_transparent_export_public_key(attributes, key_buffer, key_buffer_size, public,
								     sizeof public, &len);
		if (rc)
			return rc;
		key_buffer = public;
		key_buffer_size = len;
	}
	EC_POINT *q = public_new(key_buffer, key_buffer_size);
	ECDSA_SIG *s = signature_new(signature);
	psa_status_t rc = q && s ? verify(q, hash, hash_length, s) : accelerator_failed(PSA_ERROR_INVALID_ARGUMENT);
	ECDSA_SIG_free(s);
	EC_POINT_free(q);
	return rc;
}

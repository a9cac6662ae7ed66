#include "accelerator.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

psa_status_t __real_psa_crypto_init(void);
psa_status_t __wrap_psa_crypto_init(void);
void __real_mbedtls_psa_crypto_free(void);
void __wrap_mbedtls_psa_crypto_free(void);

struct accelerator accelerator;

psa_status_t accelerator_failed(psa_status_t otherwise)
{
	unsigned long code = ERR_peek_error();
	ERR_clear_error();
	return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? PSA_ERROR_INSUFFICIENT_MEMORY : otherwise;
}

static void stop(void)
{
	struct accelerator *a = &accelerator;
	accelerator_forget_rsa();
	EC_KEY_free(a->p256_key);
	EC_GROUP_free(a->p256);
	BN_CTX_free(a->numbers);
	EVP_MD_free(a->sha256);
	EVP_MD_free(a->sha384);
	EVP_MD_free(a->sha512);
	accelerator_stop_aead(a);
	*a = (struct accelerator){0};
}

static bool start_p256(struct accelerator *a)
{
	a->p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	a->p256_key = EC_KEY_new();
	a->numbers = BN_CTX_new();
	return a->p256 && a->p256_key && a->numbers && EC_KEY_set_group(a->p256_key, a->p256) == 1;
}

static bool start_hashes(struct accelerator *a)
{
	a->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	a->sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
	a->sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
	return a->sha256 && a->sha384 && a->sha512;
}

/* --- does it work? It also makes libcrypto seed its random numbers and load what it loads late --- */

struct trial {
	psa_key_type_t type;
	size_t bits;
	psa_algorithm_t alg;
};

static psa_status_t make_key(const struct trial *t, psa_key_id_t *out)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_set_key_type(&attributes, t->type);
	psa_set_key_bits(&attributes, t->bits);
	psa_set_key_algorithm(&attributes, t->alg);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_VERIFY_HASH |
						     PSA_KEY_USAGE_DERIVE | PSA_KEY_USAGE_ENCRYPT |
						     PSA_KEY_USAGE_DECRYPT);
	return psa_generate_key(&attributes, out);
}

static psa_status_t agree(psa_key_id_t ours, psa_key_id_t theirs, uint8_t secret[32])
{
	uint8_t public[PSA_EXPORT_PUBLIC_KEY_MAX_SIZE];
	size_t len;
	psa_status_t rc = psa_export_public_key(theirs, public, sizeof public, &len);
	return rc ? rc : psa_raw_key_agreement(PSA_ALG_ECDH, ours, public, len, secret, 32, &len);
}

/* try_agreement: two keys come to the same secret from either side. */
static psa_status_t try_agreement(const struct trial *t)
{
	psa_key_id_t a = 0, b = 0;
	uint8_t of_a[32] = {0}, of_b[32] = {1};
	psa_status_t rc = make_key(t, &a);
	if (rc == PSA_SUCCESS)
		rc = make_key(t, &b);
	if (rc == PSA_SUCCESS)
		rc = agree(a, b, of_a);
	if (rc == PSA_SUCCESS)
		rc = agree(b, a, of_b);
	if (rc == PSA_SUCCESS && memcmp(of_a, of_b, sizeof of_a) != 0)
		rc = PSA_ERROR_CORRUPTION_DETECTED;
	OPENSSL_cleanse(of_a, sizeof of_a);
	OPENSSL_cleanse(of_b, sizeof of_b);
	(void)psa_destroy_key(a);
	(void)psa_destroy_key(b);
	return rc;
}

/* try_signature: what was signed verifies. */
static psa_status_t try_signature(const struct trial *t)
{
	psa_key_id_t key = 0;
	uint8_t hash[32] = "not a hash of anything", signature[PSA_SIGNATURE_MAX_SIZE];
	size_t len;
	psa_status_t rc = make_key(t, &key);
	if (rc == PSA_SUCCESS)
		rc = psa_sign_hash(key, t->alg, hash, sizeof hash, signature, sizeof signature, &len);
	if (rc == PSA_SUCCESS)
		rc = psa_verify_hash(key, t->alg, hash, sizeof hash, signature, len);
	(void)psa_destroy_key(key);
	return rc;
}

enum { PLAIN_BYTES = 4, SEALED_BYTES = PLAIN_BYTES + 16 };

static const uint8_t nonce[12];

static psa_status_t seal(psa_key_id_t key, psa_algorithm_t alg, const uint8_t plain[PLAIN_BYTES],
			 uint8_t sealed[SEALED_BYTES])
{
	size_t len;
	return psa_aead_encrypt(key, alg, nonce, sizeof nonce, NULL, 0, plain, PLAIN_BYTES, sealed, SEALED_BYTES, &len);
}

static psa_status_t unseal(psa_key_id_t key, psa_algorithm_t alg, const uint8_t sealed[SEALED_BYTES],
			   uint8_t opened[PLAIN_BYTES])
{
	size_t len;
	return psa_aead_decrypt(key, alg, nonce, sizeof nonce, NULL, 0, sealed, SEALED_BYTES, opened, PLAIN_BYTES,
				&len);
}

/* unseal_spoilt: a record of which one bit is another must be refused. */
static psa_status_t unseal_spoilt(psa_key_id_t key, psa_algorithm_t alg, uint8_t sealed[SEALED_BYTES])
{
	uint8_t opened[PLAIN_BYTES];
	sealed[0] ^= 1;
	psa_status_t rc = unseal(key, alg, sealed, opened);
	if (rc == PSA_ERROR_INVALID_SIGNATURE)
		return PSA_SUCCESS;
	return rc ? rc : PSA_ERROR_CORRUPTION_DETECTED;
}

/* try_record: what was encrypted can be read, and nothing else. */
static psa_status_t try_record(const struct trial *t)
{
	psa_key_id_t key = 0;
	uint8_t plain[PLAIN_BYTES] = "abc", sealed[SEALED_BYTES], opened[PLAIN_BYTES] = {0};
	psa_status_t rc = make_key(t, &key);
	if (rc == PSA_SUCCESS)
		rc = seal(key, t->alg, plain, sealed);
	if (rc == PSA_SUCCESS)
		rc = unseal(key, t->alg, sealed, opened);
	if (rc == PSA_SUCCESS && memcmp(plain, opened, sizeof plain) != 0)
		rc = PSA_ERROR_CORRUPTION_DETECTED;
	if (rc == PSA_SUCCESS)
		rc = unseal_spoilt(key, t->alg, sealed);
	(void)psa_destroy_key(key);
	return rc;
}

static psa_status_t try_records(void)
{
	static const struct trial ciphers[] = {
		{PSA_KEY_TYPE_AES, 128, PSA_ALG_GCM},
		{PSA_KEY_TYPE_AES, 256, PSA_ALG_GCM},
		{PSA_KEY_TYPE_CHACHA20, 256, PSA_ALG_CHACHA20_POLY1305},
	};
	psa_status_t rc = PSA_SUCCESS;
	for (size_t i = 0; rc == PSA_SUCCESS && i < sizeof ciphers / sizeof *ciphers; i++)
		rc = try_record(&ciphers[i]);
	return rc;
}

static psa_status_t try_all(void)
{
	static const struct trial x25519 = {PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY), 255, PSA_ALG_ECDH};
	static const struct trial p256 = {PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), 256, PSA_ALG_ECDH};
	static const struct trial ecdsa = {PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), 256,
					   PSA_ALG_ECDSA(PSA_ALG_SHA_256)};
	psa_status_t rc = try_agreement(&x25519);
	if (rc == PSA_SUCCESS)
		rc = try_agreement(&p256);
	if (rc == PSA_SUCCESS)
		rc = try_signature(&ecdsa);
	return rc ? rc : try_records();
}

static psa_status_t start(void)
{
	/* No openssl.cnf: it names engines and modules, which are files and somebody else's code. Nothing at exit:
	 * a process that ends in a hurry shall not stumble there. */
	const uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;
	struct accelerator *a = &accelerator;
	if (OPENSSL_init_crypto(options, NULL) == 1 && start_p256(a) && start_hashes(a) && accelerator_start_aead(a))
		return try_all();
	return accelerator_failed(PSA_ERROR_GENERIC_ERROR);
}

/* --- in place of mbedTLS's --- */

psa_status_t __wrap_psa_crypto_init(void)
{
	psa_status_t rc = __real_psa_crypto_init();
	if (rc || accelerator.p256)
		return rc;
	rc = start();
	if (rc)
		__wrap_mbedtls_psa_crypto_free();
	return rc;
}

void __wrap_mbedtls_psa_crypto_free(void)
{
	stop();
	__real_mbedtls_psa_crypto_free();
}

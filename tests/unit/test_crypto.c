/* What mbedTLS computes, with an accelerator or without: known answers, and what must be refused. */
#include "../../base/err.h"
#include "../../certs/mbed.h"
#include "fixture.h"

#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { BYTES_MAX = 256 };

struct bytes {
	uint8_t p[BYTES_MAX];
	size_t len;
};

static struct bytes unhex(const char *text)
{
	struct bytes b = {.len = strlen(text) / 2};
	assert_true(b.len <= BYTES_MAX);
	for (size_t i = 0; i < b.len; i++) {
		unsigned value;
		assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
		b.p[i] = (uint8_t)value;
	}
	return b;
}

static int start(void **state)
{
	(void)state;
	return mbed_start(NULL);
}

static int stop(void **state)
{
	(void)state;
	mbed_stop();
	return 0;
}

#define X25519_PAIR PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY)
#define P_PAIR PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1)
#define P_PUBLIC PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1)

static psa_status_t import(psa_key_type_t type, size_t bits, psa_algorithm_t alg, const struct bytes *key,
			   psa_key_id_t *out)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	psa_set_key_type(&a, type);
	psa_set_key_bits(&a, bits);
	psa_set_key_algorithm(&a, alg);
	psa_set_key_usage_flags(&a, PSA_KEY_USAGE_DERIVE | PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_VERIFY_HASH);
	return psa_import_key(&a, key->p, key->len, out);
}

/* --- key agreement --- */

static const struct {
	int line;
	bool is_x25519;
	const char *private, *public, *peer, *secret; /* secret NULL: refused */
} agreements[] = {
	/* RFC 7748 6.1, from either side */
	{__LINE__, true, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	 "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	 "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	 "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
	{__LINE__, true, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	 "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	 "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	 "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
	/* RFC 7748 5.2: the second has the highest bit set, which counts for nothing */
	{__LINE__, true, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", NULL,
	 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{__LINE__, true, "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", NULL,
	 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	 "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	/* RFC 7748 6.1, RFC 8446 7.4.2: the secret would be zero: points of order 2, 1 and 8; too short */
	{__LINE__, true, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", NULL,
	 "0000000000000000000000000000000000000000000000000000000000000000", NULL},
	{__LINE__, true, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", NULL,
	 "0100000000000000000000000000000000000000000000000000000000000000", NULL},
	{__LINE__, true, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", NULL,
	 "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", NULL},
	{__LINE__, true, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", NULL,
	 "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b", NULL},
	/* NIST CAVS ECC CDH, P-256, COUNT = 0 */
	{__LINE__, false, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
	 "04ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230"
	 "28af61281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141",
	 "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
	 "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
	 "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b"},
	/* not on the curve; infinity; compressed; hybrid; too short */
	{__LINE__, false, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534", NULL,
	 "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
	 "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ad",
	 NULL},
	{__LINE__, false, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534", NULL, "00", NULL},
	{__LINE__, false, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534", NULL,
	 "06700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
	 "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
	 NULL},
	{__LINE__, false, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534", NULL,
	 "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287", NULL},
};

static void check_agreement(size_t i)
{
	const bool is_x25519 = agreements[i].is_x25519;
	struct bytes private = unhex(agreements[i].private), peer = unhex(agreements[i].peer);
	struct bytes public = {.len = 0}, secret = {.len = 0};
	psa_key_id_t key = 0;
	assert_int_equal(import(is_x25519 ? X25519_PAIR : P_PAIR, is_x25519 ? 255 : 256, PSA_ALG_ECDH, &private, &key),
			 0);
	assert_int_equal(psa_export_public_key(key, public.p, sizeof public.p, &public.len), 0);
	psa_status_t rc = psa_raw_key_agreement(PSA_ALG_ECDH, key, peer.p, peer.len, secret.p, sizeof secret.p,
						&secret.len);
	if (agreements[i].public) {
		struct bytes want = unhex(agreements[i].public);
		assert_int_equal(public.len, want.len);
		assert_memory_equal(public.p, want.p, want.len);
	}
	if ((rc == 0) != (agreements[i].secret != NULL))
		fail_msg("line %d: %d", agreements[i].line, (int)rc);
	if (rc == 0) {
		struct bytes want = unhex(agreements[i].secret);
		assert_int_equal(secret.len, want.len);
		assert_memory_equal(secret.p, want.p, want.len);
	}
	assert_int_equal(psa_destroy_key(key), 0);
}

static void test_crypto_key_agreement(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(agreements); i++)
		check_agreement(i);
}

/* --- P-256 keys and signatures --- */

#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

static void test_crypto_p256_keys_out_of_range_are_refused(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *key;
		bool is_taken;
	} rows[] = {
		{__LINE__, "0000000000000000000000000000000000000000000000000000000000000000", false},
		{__LINE__, "0000000000000000000000000000000000000000000000000000000000000001", true},
		{__LINE__, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", true},
		{__LINE__, ORDER, false},
		{__LINE__, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false},
		{__LINE__, "01", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes key = unhex(rows[i].key);
		psa_key_id_t id = 0;
		psa_status_t rc = import(P_PAIR, 256, PSA_ALG_ECDH, &key, &id);
		if ((rc == 0) != rows[i].is_taken)
			fail_msg("line %d: %d", rows[i].line, (int)rc);
		assert_int_equal(psa_destroy_key(id), 0);
	}
}

/* RFC 6979 A.2.5: the key, and SHA-256 of "sample" signed with it. */
#define KEY_X "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define KEY_Y "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define KEY_D "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define SAMPLE "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf"
#define SIG_R "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
#define SIG_S "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"

static const struct {
	int line;
	const char *hash, *signature;
	bool is_valid;
} verifications[] = {
	{__LINE__, SAMPLE, SIG_R SIG_S, true},
	{__LINE__, SAMPLE, SIG_S SIG_R, false},
	{__LINE__, SAMPLE, SIG_R ORDER, false},
	{__LINE__, SAMPLE, "0000000000000000000000000000000000000000000000000000000000000000" SIG_S, false},
	{__LINE__, SAMPLE, SIG_R "0000000000000000000000000000000000000000000000000000000000000000", false},
	{__LINE__, SAMPLE, SIG_R, false},
	{__LINE__, "bf2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf", SIG_R SIG_S, false},
};

static psa_status_t verify(psa_key_type_t type, const char *key_hex, const struct bytes *hash,
			   const struct bytes *signature)
{
	const psa_algorithm_t alg = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
	struct bytes key = unhex(key_hex);
	psa_key_id_t id = 0;
	assert_int_equal(import(type, 256, alg, &key, &id), 0);
	psa_status_t rc = psa_verify_hash(id, alg, hash->p, hash->len, signature->p, signature->len);
	assert_int_equal(psa_destroy_key(id), 0);
	return rc;
}

static void test_crypto_p256_verifies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(verifications); i++) {
		struct bytes hash = unhex(verifications[i].hash), signature = unhex(verifications[i].signature);
		psa_status_t by_public = verify(P_PUBLIC, "04" KEY_X KEY_Y, &hash, &signature);
		psa_status_t by_pair = verify(P_PAIR, KEY_D, &hash, &signature);
		if ((by_public == 0) != verifications[i].is_valid || (by_pair == 0) != verifications[i].is_valid)
			fail_msg("line %d: %d, %d", verifications[i].line, (int)by_public, (int)by_pair);
	}
}

static void test_crypto_p256_signs(void **state)
{
	(void)state;
	const psa_algorithm_t alg = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
	struct bytes key = unhex(KEY_D), hash = unhex(SAMPLE), first, second;
	psa_key_id_t id;
	assert_int_equal(import(P_PAIR, 256, alg, &key, &id), 0);
	assert_int_equal(psa_sign_hash(id, alg, hash.p, hash.len, first.p, sizeof first.p, &first.len), 0);
	assert_int_equal(psa_sign_hash(id, alg, hash.p, hash.len, second.p, sizeof second.p, &second.len), 0);
	assert_int_equal(first.len, 64);
	assert_memory_not_equal(first.p, second.p, 64); /* a nonce of its own */
	assert_int_equal(verify(P_PUBLIC, "04" KEY_X KEY_Y, &hash, &first), 0);
	assert_int_equal(verify(P_PUBLIC, "04" KEY_X KEY_Y, &hash, &second), 0);
	assert_int_equal(psa_destroy_key(id), 0);
}

/* --- RSA: what was signed by way of the library's keys verifies by its own arithmetic --- */

static void parse_rsa(mbedtls_pk_context *key)
{
	struct buf pem = fixture("rsa2048.key");
	mbedtls_pk_init(key);
	/* the library wants the NUL counted */
	assert_int_equal(buf_add(&pem, "", 1), 0);
	assert_int_equal(mbedtls_pk_parse_key(key, (const unsigned char *)pem.p, pem.len, NULL, 0, mbed_random, NULL),
			 0);
	buf_deinit(&pem);
}

static void test_crypto_rsa_signs(void **state)
{
	(void)state;
	static const mbedtls_pk_type_t types[] = {MBEDTLS_PK_RSA, MBEDTLS_PK_RSASSA_PSS};
	static const mbedtls_md_type_t hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512};
	mbedtls_pk_context key;
	parse_rsa(&key);
	for (size_t i = 0; i < 2 * COUNT(types) * COUNT(hashes); i++) {
		mbedtls_pk_type_t type = types[i % 2];
		mbedtls_md_type_t md = hashes[i / 2 % 3];
		uint8_t hash[64] = {(uint8_t)i}, signature[256];
		size_t len, hash_len = 32 + 16 * (i / 2 % 3);
		mbedtls_pk_rsassa_pss_options pss = {md, (int)hash_len};
		const void *options = type == MBEDTLS_PK_RSASSA_PSS ? &pss : NULL;
		assert_int_equal(mbedtls_pk_sign_ext(type, &key, md, hash, hash_len, signature, sizeof signature, &len,
						     mbed_random, NULL),
				 0);
		assert_int_equal(len, 256);
		assert_int_equal(mbedtls_pk_verify_ext(type, options, &key, md, hash, hash_len, signature, len), 0);
		signature[100] ^= 1;
		assert_int_not_equal(mbedtls_pk_verify_ext(type, options, &key, md, hash, hash_len, signature, len), 0);
	}
	mbedtls_pk_free(&key);
}

/* --- SHA-2 --- */

static const struct {
	int line;
	psa_algorithm_t alg;
	size_t count; /* of "a" */
	const char *digest;
} digests[] = {
	/* FIPS 180-4's examples: a million times "a" */
	{__LINE__, PSA_ALG_SHA_256, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	{__LINE__, PSA_ALG_SHA_384, 1000000,
	 "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
	 "07b8b3dc38ecc4ebae97ddd87f3d8985"},
	{__LINE__, PSA_ALG_SHA_512, 1000000,
	 "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
	 "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"},
	{__LINE__, PSA_ALG_SHA_256, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
};

/* In pieces of growing length, so that blocks begin everywhere; half-way a copy goes on, too. */
static void test_crypto_sha2(void **state)
{
	(void)state;
	static const uint8_t letters[1000] = {[0 ... 999] = 'a'};
	for (size_t i = 0; i < COUNT(digests); i++) {
		psa_hash_operation_t h = PSA_HASH_OPERATION_INIT, copy = PSA_HASH_OPERATION_INIT;
		struct bytes want = unhex(digests[i].digest), got;
		size_t left = digests[i].count, piece = 1;
		assert_int_equal(psa_hash_setup(&h, digests[i].alg), 0);
		for (; left > digests[i].count / 2; left -= piece, piece = piece % 900 + 1)
			assert_int_equal(psa_hash_update(&h, letters, piece), 0);
		assert_int_equal(psa_hash_clone(&h, &copy), 0);
		for (size_t n; left; left -= n) {
			n = left < sizeof letters ? left : sizeof letters;
			assert_int_equal(psa_hash_update(&h, letters, n), 0);
			assert_int_equal(psa_hash_update(&copy, letters, n), 0);
		}
		assert_int_equal(psa_hash_finish(&h, got.p, sizeof got.p, &got.len), 0);
		assert_memory_equal(got.p, want.p, want.len);
		assert_int_equal(psa_hash_finish(&copy, got.p, sizeof got.p, &got.len), 0);
		assert_memory_equal(got.p, want.p, want.len);
	}
}

/* --- records --- */

#define GCM_PLAIN \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_DATA "feedfacedeadbeeffeedfacedeadbeefabaddad2"

static const struct {
	int line;
	psa_key_type_t type;
	psa_algorithm_t alg;
	const char *key, *nonce, *data, *plain, *sealed; /* the tag last */
} records[] = {
	/* McGrew and Viega, The Galois/Counter Mode of Operation, test cases 1, 4, 5 (another length of nonce), 16 */
	{__LINE__, PSA_KEY_TYPE_AES, PSA_ALG_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
	 "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{__LINE__, PSA_KEY_TYPE_AES, PSA_ALG_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	 GCM_DATA, GCM_PLAIN,
	 "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aa"
	 "c97"
	 "3d58e0915bc94fbc3221a5db94fae95ae7121a47"},
	{__LINE__, PSA_KEY_TYPE_AES, PSA_ALG_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbad", GCM_DATA,
	 GCM_PLAIN,
	 "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e1ebac0"
	 "f07"
	 "c23f45983612d2e79e3b0785561be14aaca2fccb"},
	{__LINE__, PSA_KEY_TYPE_AES, PSA_ALG_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", GCM_DATA, GCM_PLAIN,
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7"
	 "a0a"
	 "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
	/* RFC 8439 2.8.2 */
	{__LINE__, PSA_KEY_TYPE_CHACHA20, PSA_ALG_CHACHA20_POLY1305,
	 "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
	 "50515253c0c1c2c3c4c5c6c7",
	 "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f6"
	 "666"
	 "657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652"
	 "069"
	 "742e",
	 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060"
	 "b29"
	 "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec"
	 "64b"
	 "61161ae10b594f09e26a7e902ecbd0600691"},
};

static psa_key_id_t record_key(size_t i)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	struct bytes key = unhex(records[i].key);
	psa_key_id_t id;
	psa_set_key_type(&a, records[i].type);
	psa_set_key_algorithm(&a, records[i].alg);
	psa_set_key_usage_flags(&a, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT);
	assert_int_equal(psa_import_key(&a, key.p, key.len, &id), PSA_SUCCESS);
	return id;
}

static void check_encrypt(size_t i, psa_key_id_t key)
{
	struct bytes nonce = unhex(records[i].nonce), data = unhex(records[i].data), sealed = unhex(records[i].sealed);
	struct bytes b = unhex(records[i].plain); /* in place, as TLS does it */
	size_t len = b.len;
	psa_status_t rc = psa_aead_encrypt(key, records[i].alg, nonce.p, nonce.len, data.p, data.len, b.p, len, b.p,
					   sealed.len, &b.len);
	if (rc || b.len != sealed.len || memcmp(b.p, sealed.p, b.len) != 0)
		fail_msg("line %d: %d, or other bytes", records[i].line, (int)rc);
	rc = psa_aead_encrypt(key, records[i].alg, nonce.p, nonce.len, data.p, data.len, b.p, len, b.p, sealed.len - 1,
			      &b.len);
	if (rc != PSA_ERROR_BUFFER_TOO_SMALL)
		fail_msg("line %d: %d where there is no room for the tag", records[i].line, (int)rc);
}

/* decrypt: what records[i] has, in place, with one bit of the data or of what was encrypted turned; -1: none. */
static psa_status_t decrypt(size_t i, psa_key_id_t key, int data_bit, int bit, struct bytes *b)
{
	struct bytes nonce = unhex(records[i].nonce), data = unhex(records[i].data);
	*b = unhex(records[i].sealed);
	if (data_bit >= 0)
		data.p[data_bit / 8] ^= (uint8_t)(1 << data_bit % 8);
	if (bit >= 0)
		b->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	return psa_aead_decrypt(key, records[i].alg, nonce.p, nonce.len, data.p, data.len, b->p, b->len, b->p, b->len,
				&b->len);
}

static void check_decrypt(size_t i, psa_key_id_t key)
{
	struct bytes plain = unhex(records[i].plain), b;
	psa_status_t rc = decrypt(i, key, -1, -1, &b);
	if (rc || b.len != plain.len || memcmp(b.p, plain.p, b.len) != 0)
		fail_msg("line %d: %d, or other bytes", records[i].line, (int)rc);
	for (int bit = 0; bit < (int)strlen(records[i].sealed) * 4; bit++) {
		rc = decrypt(i, key, -1, bit, &b);
		if (rc != PSA_ERROR_INVALID_SIGNATURE || (plain.len && memcmp(b.p, plain.p, plain.len / 2) == 0))
			fail_msg("line %d: %d with bit %d turned, or it can be read", records[i].line, (int)rc, bit);
	}
	for (int bit = 0; bit < (int)strlen(records[i].data) * 4; bit++)
		assert_int_equal(decrypt(i, key, bit, -1, &b), PSA_ERROR_INVALID_SIGNATURE);
	rc = psa_aead_decrypt(key, records[i].alg, b.p, 12, NULL, 0, b.p, 15, b.p, sizeof b.p, &b.len);
	if (rc == PSA_SUCCESS)
		fail_msg("line %d: less than a tag is taken", records[i].line);
}

static void test_crypto_records(void **state)
{
	(void)state;
	psa_key_id_t keys[COUNT(records)];
	for (size_t i = 0; i < COUNT(records); i++)
		keys[i] = record_key(i);
	for (size_t i = 0; i < COUNT(records); i++) {
		check_encrypt(i, keys[i]);
		check_decrypt(i, keys[i]);
	}
	for (size_t i = 0; i < COUNT(records); i++) { /* a key that goes takes none of the others with it */
		check_encrypt(i, keys[i]);
		if (i)
			assert_int_equal(psa_destroy_key(keys[i]), PSA_SUCCESS);
		check_encrypt(0, keys[0]);
	}
	assert_int_equal(psa_destroy_key(keys[0]), PSA_SUCCESS);
}

/* --- what is left of a key --- */

enum { MASK = 0x5a, PART_BYTES = 16 };

/* heap: its bounds; false: there is none, as with the sanitizers' allocator. */
static bool heap(const uint8_t **out_begin, const uint8_t **out_end)
{
	char line[256];
	bool is_there = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (!is_there && fgets(line, sizeof line, maps))
		is_there = strstr(line, "[heap]") &&
			   sscanf(line, "%p-%p", (void **)(uintptr_t)out_begin, (void **)(uintptr_t)out_end) == 2;
	(void)fclose(maps);
	return is_there;
}

/* count_in_heap: how often these bytes, masked so that the search does not find itself, are there. */
static size_t count_in_heap(const uint8_t masked[PART_BYTES])
{
	const uint8_t *p, *end;
	size_t count = 0;
	if (!heap(&p, &end))
		return 0;
	for (; p + PART_BYTES <= end; p++) {
		size_t same = 0;
		while (same < PART_BYTES && p[same] == (masked[same] ^ MASK))
			same++;
		count += same == PART_BYTES;
	}
	return count;
}

static const struct {
	psa_key_type_t type;
	size_t key_bytes;
	psa_algorithm_t alg;
} ciphers[] = {
	{PSA_KEY_TYPE_AES, 16, PSA_ALG_GCM},
	{PSA_KEY_TYPE_AES, 32, PSA_ALG_GCM},
	{PSA_KEY_TYPE_CHACHA20, 32, PSA_ALG_CHACHA20_POLY1305},
};

struct traces {
	psa_key_id_t id;
	uint8_t key[PART_BYTES], stream[PART_BYTES]; /* masked; their first bytes */
};

/* use_key: one record with a new key, of which only the library has a copy afterwards. */
static struct traces use_key(size_t i)
{
	struct traces t;
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	uint8_t key[32], nonce[12] = {7}, record[PART_BYTES + 16];
	size_t len;
	assert_int_equal(psa_generate_random(key, sizeof key), PSA_SUCCESS);
	for (size_t n = 0; n < PART_BYTES; n++)
		t.key[n] = key[n] ^ MASK;
	memset(record, 'a', PART_BYTES);
	psa_set_key_type(&a, ciphers[i].type);
	psa_set_key_algorithm(&a, ciphers[i].alg);
	psa_set_key_usage_flags(&a, PSA_KEY_USAGE_ENCRYPT);
	assert_int_equal(psa_import_key(&a, key, ciphers[i].key_bytes, &t.id), PSA_SUCCESS);
	assert_int_equal(psa_aead_encrypt(t.id, ciphers[i].alg, nonce, sizeof nonce, NULL, 0, record, PART_BYTES,
					  record, sizeof record, &len),
			 PSA_SUCCESS);
	for (size_t n = 0; n < PART_BYTES; n++)
		t.stream[n] = record[n] ^ 'a' ^ MASK;
	return t;
}

static void test_crypto_keys_that_go_leave_nothing(void **state)
{
	(void)state;
	const uint8_t *begin, *end;
	if (!heap(&begin, &end))
		skip();
	for (size_t order = 0; order < COUNT(ciphers); order++) {
		struct traces t[COUNT(ciphers)];
		for (size_t n = 0; n < COUNT(ciphers); n++)
			t[n] = use_key((order + n) % COUNT(ciphers));
		for (size_t n = 0; n < COUNT(ciphers); n++)
			assert_true(count_in_heap(t[n].key) > 0);
		for (size_t n = 0; n < COUNT(ciphers); n++)
			assert_int_equal(psa_destroy_key(t[n].id), PSA_SUCCESS);
		for (size_t n = 0; n < COUNT(ciphers); n++)
			assert_int_equal(count_in_heap(t[n].key) + count_in_heap(t[n].stream), 0);
	}
}

static void test_crypto_starts_again(void **state)
{
	mbed_stop();
	assert_int_equal(mbed_start(NULL), 0);
	assert_int_equal(mbed_start(NULL), 0);
	test_crypto_p256_signs(state);
	test_crypto_records(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crypto_key_agreement),
		cmocka_unit_test(test_crypto_p256_keys_out_of_range_are_refused),
		cmocka_unit_test(test_crypto_p256_verifies),
		cmocka_unit_test(test_crypto_p256_signs),
		cmocka_unit_test(test_crypto_rsa_signs),
		cmocka_unit_test(test_crypto_sha2),
		cmocka_unit_test(test_crypto_records),
		cmocka_unit_test(test_crypto_keys_that_go_leave_nothing),
		cmocka_unit_test(test_crypto_starts_again),
	};
	return cmocka_run_group_tests_name("crypto", tests, start, stop);
}

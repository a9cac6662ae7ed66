#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pem.h"
#include "../../certs/pkey.h"
#include "fixture.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/asn1.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

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

static struct pem_file parse(const char *fixtures)
{
	struct buf b = fixture(fixtures);
	struct pem_file f;
	assert_int_equal(pem_parse(buf_span(&b), &f, NULL), 0);
	buf_deinit(&b);
	return f;
}

static size_t count_certs(struct mbed_pair *pair)
{
	size_t n = 0;
	for (const mbedtls_x509_crt *c = mbed_pair_chain(pair); c; c = c->next)
		n++;
	return n;
}

static void test_mbed_pair_is_ready_for_a_handshake(void **state)
{
	(void)state;
	static const char *const good[] = {
		"leaf.pem int1.pem int2.pem leaf.key",
		"rsa2048.pem int1.pem int2.pem rsa2048_pkcs1.key",
		"p384.pem int1.pem int2.pem p384.key",
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		struct pem_file f = parse(good[i]);
		struct mbed_pair *pair;
		struct err err;
		assert_int_equal(mbed_pair_new(&pair, buf_span(&f.chains[0].der), buf_span(&f.keys[0].der), &err), 0);
		assert_int_equal(count_certs(pair), 3);
		assert_true(mbedtls_pk_can_do(mbed_pair_key(pair),
					      f.keys[0].type == PKEY_RSA ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECDSA));
		mbed_pair_free(pair);
		pem_deinit(&f);
	}
}

static void test_mbed_pair_of_strangers_is_refused(void **state)
{
	(void)state;
	struct pem_file f = parse("leaf.pem p384.key");
	struct mbed_pair *pair;
	struct err err;
	assert_int_equal(mbed_pair_new(&pair, buf_span(&f.chains[0].der), buf_span(&f.keys[0].der), &err),
			 ERR_CONFLICT);
	assert_null(pair);
	assert_string_equal(err.text, "the private key is not the certificate's");
	pem_deinit(&f);
}

static void test_mbed_pair_out_of_damaged_bytes_is_refused(void **state)
{
	(void)state;
	struct pem_file f = parse("leaf.pem int1.pem leaf.key");
	struct span chain = buf_span(&f.chains[0].der), key = buf_span(&f.keys[0].der);
	struct mbed_pair *pair;
	/* a whole leaf is a chain too */
	uint32_t leaf_len;
	memcpy(&leaf_len, chain.p, sizeof leaf_len);
	for (size_t len = 0; len < chain.len; len += 3) {
		struct span cut = {guard_copy(chain.p, len), len};
		assert_int_equal(mbed_pair_new(&pair, cut, key, NULL),
				 len == sizeof leaf_len + leaf_len ? 0 : ERR_PARSE);
		mbed_pair_free(pair);
		guard_free_all();
	}
	for (size_t len = 0; len < key.len; len++) {
		struct span cut = {guard_copy(key.p, len), len};
		assert_int_equal(mbed_pair_new(&pair, chain, cut, NULL), ERR_PARSE);
		guard_free_all();
	}
	pem_deinit(&f);
}

static void test_mbed_chain_gives_back_what_was_added(void **state)
{
	(void)state;
	struct buf b;
	struct span rest, der;
	buf_init(&b, 100);
	assert_int_equal(mbed_chain_add(&b, SPAN_LIT("one")), 0);
	assert_int_equal(mbed_chain_add(&b, SPAN_LIT("three")), 0);
	rest = buf_span(&b);
	assert_int_equal(mbed_chain_next(&rest, &der), 0);
	assert_true(span_is(der, SPAN_LIT("one")));
	assert_int_equal(mbed_chain_next(&rest, &der), 0);
	assert_true(span_is(der, SPAN_LIT("three")));
	assert_int_equal(mbed_chain_next(&rest, &der), ERR_NOENT);
	rest = (struct span){b.p, b.len - 1};
	assert_int_equal(mbed_chain_next(&rest, &der), 0);
	assert_int_equal(mbed_chain_next(&rest, &der), ERR_PARSE);
	size_t was = b.len;
	char big[90] = "";
	assert_int_equal(mbed_chain_add(&b, (struct span){big, sizeof big}), ERR_RANGE);
	assert_int_equal(b.len, was);
	buf_deinit(&b);
}

static void test_mbed_error_texts(void **state)
{
	(void)state;
	struct err err;
	assert_int_equal(mbed_err(&err, MBEDTLS_ERR_X509_INVALID_DATE + MBEDTLS_ERR_ASN1_OUT_OF_DATA, "certificate"),
			 ERR_TLS);
	assert_string_equal(err.text,
			    "certificate: X509 - The date tag or value is invalid : ASN1 - Out of data when parsing an "
			    "ASN1 data structure");
	assert_int_equal(mbed_err(&err, MBEDTLS_ERR_X509_ALLOC_FAILED, "certificate"), ERR_NOMEM);
	assert_int_equal(mbed_err(&err, MBEDTLS_ERR_X509_INVALID_DATE + MBEDTLS_ERR_ASN1_ALLOC_FAILED, "certificate"),
			 ERR_NOMEM);
}

static void test_mbed_random_is_not_the_same_twice(void **state)
{
	(void)state;
	unsigned char a[600] = {0}, b[600] = {0}; /* more than one system call gives in one piece when interrupted */
	assert_int_equal(mbed_random(NULL, a, sizeof a), 0);
	assert_int_equal(mbed_random(NULL, b, sizeof b), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(mbed_random(NULL, a, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mbed_pair_is_ready_for_a_handshake),
		cmocka_unit_test(test_mbed_pair_of_strangers_is_refused),
		cmocka_unit_test(test_mbed_pair_out_of_damaged_bytes_is_refused),
		cmocka_unit_test(test_mbed_chain_gives_back_what_was_added),
		cmocka_unit_test(test_mbed_error_texts),
		cmocka_unit_test(test_mbed_random_is_not_the_same_twice),
	};
	return cmocka_run_group_tests_name("mbed", tests, start, stop);
}

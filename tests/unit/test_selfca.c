#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pem.h"
#include "../../certs/pkey.h"
#include "../../certs/selfca.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct selfca *ca;

static int start(void **state)
{
	(void)state;
	return mbed_start(NULL) || selfca_new(&ca, FIXTURE_NOW_UNIX_S, NULL);
}

static int stop(void **state)
{
	(void)state;
	selfca_free(ca);
	mbed_stop();
	return 0;
}

static struct buf issue(const struct span *names, size_t count)
{
	struct buf b;
	struct err err;
	buf_init(&b, 1 << 20);
	assert_int_equal(selfca_issue(ca, names, count, FIXTURE_NOW_UNIX_S, &b, &err), 0);
	return b;
}

static void test_selfca_issues_what_pem_parse_reads(void **state)
{
	(void)state;
	const struct span names[] = {SPAN_LIT("mta-sts.example.com"), SPAN_LIT("*.example.net")};
	struct buf b = issue(names, COUNT(names));
	struct pem_file f;
	assert_int_equal(pem_parse(buf_span(&b), &f, NULL), 0);
	assert_int_equal(f.chain_count, 1);
	assert_int_equal(f.key_count, 1);
	const struct chain *c = &f.chains[0];
	assert_memory_equal(c->spki, f.keys[0].spki, SHA256_BYTES);
	assert_int_equal(c->cert_count, 2);
	assert_int_equal(c->key_type, PKEY_P256);
	assert_int_equal(c->not_before_unix_s, FIXTURE_NOW_UNIX_S - 86400);
	assert_int_equal(c->not_after_unix_s, FIXTURE_NOW_UNIX_S + 90 * 86400);
	assert_true(span_is(buf_span(&c->names), SPAN_LIT("\x13mta-sts.example.com\x0d*.example.net")));
	assert_string_equal(c->issuer, "CN=mta-sts-server dev CA");
	assert_true(c->has_server_auth && c->has_digital_signature && !c->is_self_signed && !c->is_ca);
	pem_deinit(&f);
	buf_deinit(&b);
}

static void test_selfca_leaf_verifies_under_the_ca(void **state)
{
	(void)state;
	const struct span name = SPAN_LIT("mta-sts.example.com");
	struct buf leaf = issue(&name, 1), pem;
	mbedtls_x509_crt chain, roots;
	uint32_t flags = 0;
	buf_init(&pem, 1 << 16);
	mbedtls_x509_crt_init(&chain);
	mbedtls_x509_crt_init(&roots);
	assert_int_equal(selfca_pem(ca, &pem, NULL), 0);
	assert_int_equal(mbedtls_x509_crt_parse(&chain, (const unsigned char *)buf_text(&leaf), leaf.len + 1), 0);
	assert_int_equal(mbedtls_x509_crt_parse(&roots, (const unsigned char *)buf_text(&pem), pem.len + 1), 0);
	(void)mbedtls_x509_crt_verify(&chain, &roots, NULL, "mta-sts.example.com", &flags, NULL, NULL);
	/* this machine's date is not the test's */
	assert_int_equal(flags & ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE), 0);

	/* RFC 5280 4.1.2.2: positive, 16 random bytes */
	assert_int_equal(chain.version, 3);
	assert_int_equal(chain.serial.len, 16);
	assert_in_range(chain.serial.p[0], 0x40, 0x7f);
	assert_int_equal(chain.subject_key_id.len, 20);
	assert_memory_equal(chain.authority_key_id.keyIdentifier.p, roots.subject_key_id.p, 20);
	mbedtls_x509_crt_free(&chain);
	mbedtls_x509_crt_free(&roots);
	buf_deinit(&leaf);
	buf_deinit(&pem);
}

static void test_selfca_hundred_long_names(void **state)
{
	(void)state;
	static char text[SELFCA_NAMES_MAX][254];
	struct span names[SELFCA_NAMES_MAX];
	for (size_t i = 0; i < SELFCA_NAMES_MAX; i++) {
		(void)snprintf(text[i], sizeof text[i], "%02zu%061d.%063d.%063d.%061d", i, 0, 0, 0, 0);
		text[i][252] = 'x'; /* not all digits */
		names[i] = (struct span){text[i], 253};
		assert_int_equal(strlen(text[i]), 251 + 2);
	}
	struct buf b = issue(names, SELFCA_NAMES_MAX);
	struct pem_file f;
	assert_int_equal(pem_parse(buf_span(&b), &f, NULL), 0);
	assert_int_equal(f.chains[0].name_count, SELFCA_NAMES_MAX);
	pem_deinit(&f);
	buf_deinit(&b);
}

static void test_selfca_number_of_names_is_checked(void **state)
{
	(void)state;
	struct span names[SELFCA_NAMES_MAX + 1] = {0};
	struct buf b;
	struct err err;
	buf_init(&b, 1 << 20);
	assert_int_equal(selfca_issue(ca, names, 0, FIXTURE_NOW_UNIX_S, &b, &err), ERR_RANGE);
	assert_int_equal(selfca_issue(ca, names, COUNT(names), FIXTURE_NOW_UNIX_S, &b, &err), ERR_RANGE);
	assert_int_equal(b.len, 0);
	buf_deinit(&b);
}

static void test_selfca_failure_leaves_the_buffer_alone(void **state)
{
	(void)state;
	const struct span name = SPAN_LIT("mta-sts.example.com");
	struct buf b;
	struct err err;
	buf_init(&b, 1000); /* room for one certificate of the two */
	(void)buf_add_text(&b, "kept");
	assert_int_equal(selfca_issue(ca, &name, 1, FIXTURE_NOW_UNIX_S, &b, &err), ERR_NOMEM);
	assert_int_equal(b.len, 4);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selfca_issues_what_pem_parse_reads),
		cmocka_unit_test(test_selfca_leaf_verifies_under_the_ca),
		cmocka_unit_test(test_selfca_hundred_long_names),
		cmocka_unit_test(test_selfca_number_of_names_is_checked),
		cmocka_unit_test(test_selfca_failure_leaves_the_buffer_alone),
	};
	return cmocka_run_group_tests_name("selfca", tests, start, stop);
}

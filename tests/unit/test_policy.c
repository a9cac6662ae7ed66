#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/sha256.h"
#include "../../config/policy.h"
#include "guard.h"
#include "unit.h"

/* The golden vectors: byte for byte, and their digests. */
static void test_policy_golden_bodies(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *name;
		enum policy_mode mode;
		uint32_t max_age_s;
		struct span mx[3];
		size_t mx_count;
		const char *body, *sha256;
	} cases[] = {
		{__LINE__,
		 "G1, A-P1",
		 POLICY_ENFORCE,
		 604800,
		 {LIT("mail.example.com")},
		 1,
		 "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n",
		 "a5963b31a082635c6ec668171482b14f4bc317a11092eb1731afa8063f468676"},
		{__LINE__,
		 "G2, A-P3",
		 POLICY_TESTING,
		 86400,
		 {LIT("mx1.example.net"), LIT("mx2.example.net"), LIT("*.mail.example.org")},
		 3,
		 "version: STSv1\r\nmode: testing\r\nmx: mx1.example.net\r\nmx: mx2.example.net\r\nmx: "
		 "*.mail.example.org\r\n"
		 "max_age: 86400\r\n",
		 "9482daa9e57180607648d3ecde9f6bb47a4fdb171c6961bd189c55fc60467fb2"},
		{__LINE__,
		 "G3, A-P4",
		 POLICY_NONE,
		 86400,
		 {LIT("mail.example.com")},
		 1,
		 "version: STSv1\r\nmode: none\r\nmx: mail.example.com\r\nmax_age: 86400\r\n",
		 "5c495af9617cb6097fed30da65b84d3c1187619be31d84f3b968adb46647fbe2"},
		{__LINE__,
		 "G4, A-P14",
		 POLICY_ENFORCE,
		 2592000,
		 {LIT("mx.xn--bcher-kva.example")},
		 1,
		 "version: STSv1\r\nmode: enforce\r\nmx: mx.xn--bcher-kva.example\r\nmax_age: 2592000\r\n",
		 "5237c2f8973bebfc711fbaa053b2fc4469ae0444753d256e4521ec2b5ce37461"},
		{__LINE__,
		 "G5, A-P6",
		 POLICY_ENFORCE,
		 31557600,
		 {LIT("mail.example.com")},
		 1,
		 "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 31557600\r\n",
		 "de8bf9065ad43a692e20ffe05b0667eae8d1f3941a7f8f9da5822eeb95b68133"},
	};
	static const size_t lengths[] = {70, 113, 66, 79, 72};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy p = {cases[i].mode, cases[i].max_age_s, cases[i].mx, cases[i].mx_count};
		uint8_t digest[SHA256_BYTES];
		char hex[2 * SHA256_BYTES + 1];
		struct buf b;
		buf_init(&b, 1000);
		assert_int_equal(policy_render(&p, &b), 0);
		sha256_of(buf_span(&b), digest);
		sha256_hex(digest, hex);
		if (!span_is(buf_span(&b), span_of(cases[i].body)) || b.len != lengths[i] ||
		    strcmp(hex, cases[i].sha256) != 0)
			fail_msg("line %d, %s: %s", cases[i].line, cases[i].name, buf_text(&b));
		buf_deinit(&b);
	}
}

static void test_policy_too_large_for_its_buffer_is_an_error(void **state)
{
	(void)state;
	const struct span mx[] = {LIT("mail.example.com")};
	struct policy p = {POLICY_ENFORCE, 604800, mx, 1};
	for (size_t max = 0; max < 70; max++) {
		struct buf b;
		buf_init(&b, max);
		assert_int_equal(policy_render(&p, &b), ERR_RANGE);
		buf_deinit(&b);
	}
}

static void test_policy_modes_are_exact_words(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		int mode; /* -1: none */
	} cases[] = {
		{__LINE__, LIT("none"), POLICY_NONE},
		{__LINE__, LIT("testing"), POLICY_TESTING},
		{__LINE__, LIT("enforce"), POLICY_ENFORCE},
		{__LINE__, LIT("Enforce"), -1},
		{__LINE__, LIT("ENFORCE"), -1},
		{__LINE__, LIT("enforced"), -1},
		{__LINE__, LIT("enforc"), -1},
		{__LINE__, LIT("enforce "), -1},
		{__LINE__, LIT(""), -1},
		{__LINE__, LIT("none\0"), -1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum policy_mode mode;
		struct span text = {guard_copy(cases[i].text.p, cases[i].text.len), cases[i].text.len};
		int rc = policy_parse_mode(text, &mode);
		if (rc != (cases[i].mode < 0 ? ERR_PARSE : 0) || (rc == 0 && mode != (enum policy_mode)cases[i].mode))
			fail_msg("line %d", cases[i].line);
		if (rc == 0)
			assert_true(span_is(text, span_of(policy_mode_name(mode))));
	}
	guard_free_all();
}

static void test_policy_mx_come_back_out_of_a_body(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span body;
		const char *mx[4];
	} cases[] = {
		{__LINE__,
		 LIT("version: STSv1\r\nmode: enforce\r\nmx: a.example\r\nmx: *.b.example\r\nmax_age: 1\r\n"),
		 {"a.example", "*.b.example"}},
		{__LINE__, LIT("version: STSv1\r\nmode: none\r\nmax_age: 1\r\n"), {NULL}},
		{__LINE__, LIT(""), {NULL}},
		{__LINE__, LIT("mx: a"), {"a"}},
		{__LINE__, LIT("mx: a\r"), {"a"}},
		{__LINE__, LIT("mx: "), {NULL}},
		{__LINE__, LIT("mx"), {NULL}},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span body = {guard_copy(cases[i].body.p, cases[i].body.len), cases[i].body.len}, mx;
		size_t pos = 0, n = 0;
		while (policy_next_mx(body, &pos, &mx) == 0) {
			if (!cases[i].mx[n] || !span_is(mx, span_of(cases[i].mx[n])))
				fail_msg("line %d: mx %zu is %.*s", cases[i].line, n, SPAN_ARG(mx));
			n++;
		}
		if (cases[i].mx[n])
			fail_msg("line %d: %zu mx", cases[i].line, n);
	}
	guard_free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy_golden_bodies),
		cmocka_unit_test(test_policy_too_large_for_its_buffer_is_an_error),
		cmocka_unit_test(test_policy_modes_are_exact_words),
		cmocka_unit_test(test_policy_mx_come_back_out_of_a_body),
	};
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}

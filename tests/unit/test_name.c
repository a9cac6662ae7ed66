#include "../../base/err.h"
#include "../../base/name.h"
#include "guard.h"
#include "unit.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define N253 L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"

static struct span guarded(struct span s)
{
	return (struct span){guard_copy(s.p, s.len), s.len};
}

static void test_name_is_brought_into_one_form(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *in, *out;
		bool was_changed;
	} cases[] = {
		{__LINE__, "example.com", "example.com", false},
		{__LINE__, "Example.COM.", "example.com", true},          /* A-P20 */
		{__LINE__, "example.com.", "example.com", true},          /* A-P11 */
		{__LINE__, "MAIL.Example.COM", "mail.example.com", true}, /* A-P12 */
		{__LINE__, "localhost", "localhost", false},
		{__LINE__, "1.2.3.example", "1.2.3.example", false},
		{__LINE__, "123.4a", "123.4a", false},
		{__LINE__, "a-b--c.example", "a-b--c.example", false},
		{__LINE__, "xn--bcher-kva.example", "xn--bcher-kva.example", false}, /* A-P14 */
		{__LINE__, "XN--BCHER-KVA.example", "xn--bcher-kva.example", true},
		{__LINE__, "bücher.example", "xn--bcher-kva.example", false}, /* A-P13 */
		{__LINE__, "BÜCHER.example", "xn--bcher-kva.example", false},
		{__LINE__, "bücher.example.", "xn--bcher-kva.example", true},
		{__LINE__, "faß.example", "xn--fa-hia.example", false}, /* IDNA2008: not "fass" */
		{__LINE__, "例え。テスト", "xn--r8jz45g.xn--zckzah", false},
		{__LINE__, L63 ".example", L63 ".example", false},
		{__LINE__, N253, N253, false},
		{__LINE__, N253 ".", N253, true},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct name n, again;
		struct err err = {0};
		if (name_parse(guarded(span_of(cases[i].in)), &n, &err) != 0)
			fail_msg("line %d: %s", cases[i].line, err.text);
		if (strcmp(n.text, cases[i].out) != 0 || n.len != strlen(cases[i].out) ||
		    n.was_changed != cases[i].was_changed)
			fail_msg("line %d: %s %d", cases[i].line, n.text, n.was_changed);
		if (name_parse(name_span(&n), &again, NULL) != 0 || strcmp(again.text, n.text) != 0 ||
		    again.was_changed)
			fail_msg("line %d: %s is not stable", cases[i].line, n.text);
	}
	guard_free_all();
}

static void test_name_what_is_none_is_refused_with_its_reason(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
		int code;
		const char *says;
	} cases[] = {
		{__LINE__, LIT(""), ERR_PARSE, "no host name"},
		{__LINE__, LIT("."), ERR_PARSE, "no host name"},
		{__LINE__, LIT(".."), ERR_RANGE, "empty label"},
		{__LINE__, LIT(".example.com"), ERR_RANGE, "empty label"}, /* A-P15 */
		{__LINE__, LIT("a..example"), ERR_RANGE, "empty label"},   /* A-P16 */
		{__LINE__, LIT("a.example.."), ERR_RANGE, "empty label"},
		{__LINE__, LIT("-a.example"), ERR_PARSE, "hyphen"},
		{__LINE__, LIT("a-.example"), ERR_PARSE, "hyphen"},
		{__LINE__, LIT("a.-"), ERR_PARSE, "hyphen"},
		{__LINE__, LIT("mail_1.example.com"), ERR_PARSE, "underscore"},
		{__LINE__, LIT("10 mail.example.com"), ERR_PARSE, "blank"},
		{__LINE__, LIT("a.example, b.example"), ERR_PARSE, "blank"},
		{__LINE__, LIT("a.example,b.example"), ERR_PARSE, "\",\""},
		{__LINE__, LIT("mail.example.com:25"), ERR_PARSE, "\":\""},
		{__LINE__, LIT("https://mail.example.com"), ERR_PARSE, "\":\""},
		{__LINE__, LIT("[192.0.2.1]"), ERR_PARSE, "\"[\""},
		{__LINE__, LIT("192.0.2.1"), ERR_PARSE, "IP address"},
		{__LINE__, LIT("a.123"), ERR_PARSE, "ends in a number"},
		{__LINE__, LIT("１９２.0.2.1"), ERR_PARSE, "IP address"}, /* full-width digits */
		{__LINE__, LIT("*.example.com"), ERR_PARSE, "\"*\""},
		{__LINE__, LIT("a.example\r\nmode: none"), ERR_PARSE, "control character"},
		{__LINE__, LIT("a\0.example"), ERR_PARSE, "control character"},
		{__LINE__, LIT("a\x7F.example"), ERR_PARSE, "control character"},
		{__LINE__, LIT("a\xC2\xA0.example"), ERR_PARSE, ""}, /* no-break space */
		{__LINE__, LIT("a\xC2\x85.example"), ERR_PARSE, ""}, /* NEL */
		{__LINE__, LIT("\xFF.example"), ERR_PARSE, "A-label"},
		{__LINE__, LIT("b\xC3"), ERR_PARSE, "A-label"},
		{__LINE__, LIT(L63 "x.example"), ERR_RANGE, "label of 64 bytes"},
		{__LINE__, LIT(N253 "x"), ERR_RANGE, "254 bytes"},
		{__LINE__, LIT("ü" L63 ".example"), ERR_RANGE, "A-label"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct name n;
		struct err err = {0};
		int rc = name_parse(guarded(cases[i].in), &n, &err);
		if (rc != cases[i].code || err.code != rc || !strstr(err.text, cases[i].says))
			fail_msg("line %d: %d %s", cases[i].line, rc, err.text);
	}
	guard_free_all();
}

static void test_name_reason_is_not_cut_off_by_a_long_name(void **state)
{
	(void)state;
	static const struct {
		int line;
		char c;
		size_t len;
		const char *says;
	} cases[] = {
		{__LINE__, 'a', 2000, "2000 bytes"},
		{__LINE__, ' ', 2000, "blank"},
		{__LINE__, '\x01', 2000, "control character"},
		{__LINE__, '_', 63, "underscore"},
		{__LINE__, '"', 63, "holds"},
		{__LINE__, '.', 253, "empty label"},
		{__LINE__, '-', 253, "label of 253 bytes"},
		{__LINE__, '\xC3', 1000, "A-label"},
		{__LINE__, '\xC3', 2000, "2000 bytes"},
		{__LINE__, '\0', 2000, "control character"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char in[2000];
		struct name n;
		struct err err = {0};
		memset(in, cases[i].c, sizeof in);
		if (name_parse(guarded((struct span){in, cases[i].len}), &n, &err) == 0 ||
		    !strstr(err.text, cases[i].says))
			fail_msg("line %d: %s", cases[i].line, err.text);
	}
	guard_free_all();
}

static void test_name_mx_wildcard_is_one_whole_left_most_label(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
		const char *out; /* NULL: refused */
	} cases[] = {
		{__LINE__, LIT("mail.example.com"), "mail.example.com"},
		{__LINE__, LIT("*.example.com"), "*.example.com"},
		{__LINE__, LIT("*.Example.COM."), "*.example.com"},
		{__LINE__, LIT("*.bücher.example"), "*.xn--bcher-kva.example"},
		{__LINE__, LIT("*.com"), "*.com"},
		/* A-P15 */
		{__LINE__, LIT("*"), NULL},
		{__LINE__, LIT("*."), NULL},
		{__LINE__, LIT(".example.com"), NULL},
		{__LINE__, LIT("mx*.example.com"), NULL},
		{__LINE__, LIT("a.*.example.com"), NULL},
		{__LINE__, LIT("**.example.com"), NULL},
		{__LINE__, LIT("*example.com"), NULL},
		{__LINE__, LIT("*.*.example.com"), NULL},
		{__LINE__, LIT("*..example.com"), NULL},
		{__LINE__, LIT("＊.example.com"), NULL}, /* full-width asterisk */
		/* A-P16 */
		{__LINE__, LIT("10 mail.example.com"), NULL},
		{__LINE__, LIT("a.example, b.example"), NULL},
		{__LINE__, LIT("mail.example.com:25"), NULL},
		{__LINE__, LIT("[192.0.2.1]"), NULL},
		{__LINE__, LIT("192.0.2.1"), NULL},
		{__LINE__, LIT("*.192.0.2.1"), NULL},
		{__LINE__, LIT("https://mail.example.com"), NULL},
		{__LINE__, LIT("mail_1.example.com"), NULL},
		{__LINE__, LIT("-a.example"), NULL},
		{__LINE__, LIT("a-.example"), NULL},
		{__LINE__, LIT("a..example"), NULL},
		{__LINE__, LIT(""), NULL},
		{__LINE__, LIT("*.a\0b"), NULL},
		{__LINE__, LIT("*." N253), NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct name n, again;
		struct err err = {0};
		int rc = name_parse_mx(guarded(cases[i].in), &n, &err);
		if ((rc == 0) != (cases[i].out != NULL) || (rc == 0 && strcmp(n.text, cases[i].out) != 0))
			fail_msg("line %d: %d %s", cases[i].line, rc, rc ? err.text : n.text);
		if (rc && err.text[0] == '\0')
			fail_msg("line %d: no reason", cases[i].line);
		if (rc == 0 && (name_parse_mx(name_span(&n), &again, NULL) != 0 || strcmp(again.text, n.text) != 0))
			fail_msg("line %d: %s is not stable", cases[i].line, n.text);
	}
	guard_free_all();
}

static void test_name_pattern_matches_exactly_one_label(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *pattern, *host;
		bool matches;
	} cases[] = {
		{__LINE__, "mail.example.com", "mail.example.com", true},
		{__LINE__, "mail.example.com", "mail2.example.com", false},
		{__LINE__, "*.example.com", "mail.example.com", true},
		{__LINE__, "*.example.com", "example.com", false}, /* C21 */
		{__LINE__, "*.example.com", "a.b.example.com", false},
		{__LINE__, "*.example.com", "mail.example.net", false},
		{__LINE__, "*.example.com", "xexample.com", false},
		{__LINE__, "*.example.com", ".example.com", false},
		{__LINE__, "*.example.com", "", false},
		{__LINE__, "*.com", "com", false},
		{__LINE__, "*.com", "example.com", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		if (name_matches_mx(guarded(span_of(cases[i].pattern)), guarded(span_of(cases[i].host))) !=
		    cases[i].matches)
			fail_msg("line %d: %s %s", cases[i].line, cases[i].pattern, cases[i].host);
	guard_free_all();
}

static void test_name_parent_and_labels(void **state)
{
	(void)state;
	static const struct {
		const char *name, *parent;
		size_t labels;
	} cases[] = {
		{"", "", 0},
		{"com", "", 1},
		{"example.com", "com", 2},
		{"a.b.example.com", "b.example.com", 4},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span name = guarded(span_of(cases[i].name));
		assert_int_equal(name_label_count(name), cases[i].labels);
		assert_true(span_is(name_parent(name), span_of(cases[i].parent)));
	}
	guard_free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_is_brought_into_one_form),
		cmocka_unit_test(test_name_what_is_none_is_refused_with_its_reason),
		cmocka_unit_test(test_name_reason_is_not_cut_off_by_a_long_name),
		cmocka_unit_test(test_name_mx_wildcard_is_one_whole_left_most_label),
		cmocka_unit_test(test_name_pattern_matches_exactly_one_label),
		cmocka_unit_test(test_name_parent_and_labels),
	};
	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}

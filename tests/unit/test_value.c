#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/name.h"
#include "../../config/keys.h"
#include "../../config/setting.h"
#include "../../config/settings_table.h"
#include "../../config/spec.h"
#include "../../config/value.h"
#include "guard.h"
#include "unit.h"

static struct span guarded(struct span s)
{
	return (struct span){guard_copy(s.p, s.len), s.len};
}

/* Is the outcome the one that the row wants? A refusal has a code and a sentence. */
static void expect(int line, int rc, const char *code, const char *hint, const struct value_error *e)
{
	if ((rc != 0) != (code != NULL))
		fail_msg("line %d: %d %s", line, rc, rc ? e->text : "");
	if (code && (strcmp(e->code, code) != 0 || e->text[0] == '\0'))
		fail_msg("line %d: %s %s", line, e->code, e->text);
	if (code && hint && (!e->hint || !strstr(e->hint, hint)))
		fail_msg("line %d: hint %s", line, e->hint ? e->hint : "none");
}

static void test_value_number_is_canonical_decimal(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		int rc;
		uint32_t n;
	} cases[] = {
		{__LINE__, LIT("0"), 0, 0},
		{__LINE__, LIT("7"), 0, 7},
		{__LINE__, LIT("4294967295"), 0, UINT32_MAX},
		{__LINE__, LIT("4294967296"), ERR_RANGE, 0},
		{__LINE__, LIT("42949672960"), ERR_RANGE, 0},
		{__LINE__, LIT("18446744073709551616"), ERR_RANGE, 0}, /* 2^64 */
		{__LINE__, LIT("99999999999999999999999999999999999999999"), ERR_RANGE, 0},
		{__LINE__, LIT(""), ERR_PARSE, 0},
		{__LINE__, LIT("00"), ERR_PARSE, 0},
		{__LINE__, LIT("01"), ERR_PARSE, 0},
		{__LINE__, LIT("1 "), ERR_PARSE, 0},
		{__LINE__, LIT("-1"), ERR_PARSE, 0},
		{__LINE__, LIT("+1"), ERR_PARSE, 0},
		{__LINE__, LIT("1\0"), ERR_PARSE, 0},
		{__LINE__, LIT("１"), ERR_PARSE, 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t n = 0;
		int rc = value_parse_number(guarded(cases[i].text), 0, UINT32_MAX, &n);
		if (rc != cases[i].rc || n != cases[i].n)
			fail_msg("line %d: %d %u", cases[i].line, rc, n);
	}
	uint32_t n;
	assert_int_equal(value_parse_number(SPAN_LIT("4"), 5, 6, &n), ERR_RANGE);
	assert_int_equal(value_parse_number(SPAN_LIT("5"), 5, 6, &n), 0);
	assert_int_equal(value_parse_number(SPAN_LIT("6"), 5, 6, &n), 0);
	assert_int_equal(value_parse_number(SPAN_LIT("7"), 5, 6, &n), ERR_RANGE);
	guard_free_all();
}

static void test_value_mode_says_what_was_perhaps_meant(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *code, *hint;
	} cases[] = {
		{__LINE__, LIT("enforce"), NULL, NULL},
		{__LINE__, LIT("testing"), NULL, NULL},
		{__LINE__, LIT("none"), NULL, NULL},
		/* A-P5 */
		{__LINE__, LIT("Enforce"), "E01", "`enforce`"},
		{__LINE__, LIT("ENFORCE"), "E01", "`enforce`"},
		{__LINE__, LIT("enforced"), "E01", "`enforce`"},
		{__LINE__, LIT("report"), "E01", "`testing`"},
		{__LINE__, LIT("Test"), "E01", "`testing`"},
		{__LINE__, LIT("OFF"), "E01", "`none`"},
		{__LINE__, LIT(""), "E01", "`none`, `testing` or `enforce`"},
		{__LINE__, LIT("x"), "E01", "`none`, `testing` or `enforce`"},
		{__LINE__, LIT("enforce\r\nmx: evil.example"), "E06", NULL},
		{__LINE__, LIT("none\0"), "E06", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		uint32_t mode;
		int rc = value_parse_mode(guarded(cases[i].text), &mode, &e);
		expect(cases[i].line, rc, cases[i].code, cases[i].hint, &e);
	}
	guard_free_all();
}

static void test_value_max_age_is_a_plain_number_of_seconds(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *code;
		uint32_t s;
	} cases[] = {
		{__LINE__, LIT("0"), NULL, 0},
		{__LINE__, LIT("604800"), NULL, 604800},
		{__LINE__, LIT("31557600"), NULL, 31557600}, /* A-P6 */
		/* A-P7 */
		{__LINE__, LIT("31557601"), "E02", 0},
		{__LINE__, LIT("9999999999"), "E02", 0},
		{__LINE__, LIT("99999999999999999999"), "E02", 0},
		{__LINE__, LIT("4295572096"), "E02", 0},           /* 2^32 + 604800: no wrap-around */
		{__LINE__, LIT("18446744073710156416"), "E02", 0}, /* 2^64 + 604800 */
		/* A-P9 */
		{__LINE__, LIT("-1"), "E02", 0},
		{__LINE__, LIT("+604800"), "E02", 0},
		{__LINE__, LIT("604800s"), "E02", 0},
		{__LINE__, LIT("1e6"), "E02", 0},
		{__LINE__, LIT("0x93A80"), "E02", 0},
		{__LINE__, LIT("604_800"), "E02", 0},
		{__LINE__, LIT("7:00:00"), "E02", 0},
		{__LINE__, LIT("604800.0"), "E02", 0},
		{__LINE__, LIT(""), "E02", 0},
		{__LINE__, LIT(" "), "E02", 0},
		{__LINE__, LIT("0604800"), "E02", 0},
		{__LINE__, LIT("604800\n"), "E06", 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		uint32_t s = 0;
		int rc = value_parse_max_age(guarded(cases[i].text), &s, &e);
		expect(cases[i].line, rc, cases[i].code, NULL, &e);
		if (rc == 0)
			assert_int_equal(s, cases[i].s);
	}
	guard_free_all();
}

static void test_value_mx_refused_with_code_and_advice(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *code, *hint;
	} cases[] = {
		/* A-P15 */
		{__LINE__, LIT("*"), "E04", "whole left-most label"},
		{__LINE__, LIT("*."), "E04", NULL},
		{__LINE__, LIT(".example.com"), "E05", NULL},
		{__LINE__, LIT("mx*.example.com"), "E04", "whole left-most label"},
		{__LINE__, LIT("a.*.example.com"), "E04", "whole left-most label"},
		{__LINE__, LIT("**.example.com"), "E04", "whole left-most label"},
		{__LINE__, LIT("*example.com"), "E04", "whole left-most label"},
		/* A-P16 */
		{__LINE__, LIT("10 mail.example.com"), "E04", "without a priority"},
		{__LINE__, LIT("a.example, b.example"), "E04", "one host per item"},
		{__LINE__, LIT("mail.example.com:25"), "E04", "without a port"},
		{__LINE__, LIT("[192.0.2.1]"), "E04", "host's name"},
		{__LINE__, LIT("192.0.2.1"), "E04", "host's name"},
		{__LINE__, LIT("https://mail.example.com"), "E04", "bare host name"},
		{__LINE__, LIT("mail_1.example.com"), "E04", NULL},
		{__LINE__, LIT("-a.example"), "E04", NULL},
		{__LINE__, LIT("a-.example"), "E04", NULL},
		{__LINE__, LIT("a..example"), "E05", NULL},
		{__LINE__, LIT("empty label"), "E04", NULL},
		{__LINE__, LIT(""), "E04", NULL},
		{__LINE__, LIT("."), "E04", NULL},
		{__LINE__, LIT("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl.example"), "E05",
		 NULL},
		/* A-C2 */
		{__LINE__, LIT("a.example\r\nmode: none"), "E06", NULL},
		{__LINE__, LIT("a.example\nmode: none"), "E06", NULL},
		{__LINE__, LIT("a\0.example"), "E06", NULL},
		{__LINE__, LIT("a.example\x7F"), "E06", NULL},
	};
	struct buf packed;
	buf_init(&packed, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		enum value_note note;
		int rc = value_add_mx(guarded(cases[i].text), &packed, &note, &e);
		expect(cases[i].line, rc, cases[i].code, cases[i].hint, &e);
		assert_int_equal(packed.len, 0);
	}
	buf_deinit(&packed);
	guard_free_all();
}

static void test_value_mx_list_keeps_order_and_drops_doubles(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *text;
		enum value_note note;
		size_t count;
	} cases[] = {
		{__LINE__, "mx2.example.com", VALUE_FINE, 1},
		{__LINE__, "mx1.example.com", VALUE_FINE, 2},
		{__LINE__, "MX2.example.com", VALUE_DUPLICATE, 2}, /* A-P19 */
		{__LINE__, "mx1.example.com.", VALUE_DUPLICATE, 2},
		{__LINE__, "*.Example.com", VALUE_NORMALISED, 3},     /* A-P12 */
		{__LINE__, "mail.example.net.", VALUE_NORMALISED, 4}, /* A-P11 */
		{__LINE__, "mx.bücher.example", VALUE_FINE, 5},       /* A-P13 */
		{__LINE__, "mx.xn--bcher-kva.example", VALUE_DUPLICATE, 5},
		{__LINE__, "localhost", VALUE_SINGLE_LABEL, 6},
	};
	static const char *const packed_mx[] = {"mx2.example.com",  "mx1.example.com",          "*.example.com",
						"mail.example.net", "mx.xn--bcher-kva.example", "localhost"};
	struct buf packed;
	buf_init(&packed, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		enum value_note note;
		if (value_add_mx(guarded(span_of(cases[i].text)), &packed, &note, &e) != 0 || note != cases[i].note ||
		    pack_count(buf_span(&packed)) != cases[i].count)
			fail_msg("line %d: note %d, %zu items, %s", cases[i].line, note, pack_count(buf_span(&packed)),
				 e.text);
	}
	struct span rest = buf_span(&packed), item;
	for (size_t i = 0; pack_next(&rest, &item); i++)
		assert_true(span_is(item, span_of(packed_mx[i])));
	buf_deinit(&packed);
	guard_free_all();
}

static void test_value_mx_beyond_the_ceiling_is_noted_and_left_out(void **state)
{
	(void)state;
	struct buf packed;
	struct value_error e;
	enum value_note note;
	buf_init(&packed, 20);
	assert_int_equal(value_add_mx(SPAN_LIT("a.example"), &packed, &note, &e), 0);
	assert_int_equal(value_add_mx(SPAN_LIT("b.example"), &packed, &note, &e), 0);
	assert_int_equal(note, VALUE_FINE);
	assert_int_equal(value_add_mx(SPAN_LIT("c.example"), &packed, &note, &e), 0);
	assert_int_equal(note, VALUE_TOO_MANY);
	assert_int_equal(packed.len, 20);
	assert_int_equal(packed.failed, 0);
	buf_deinit(&packed);
}

static void test_value_id_is_1_to_32_letters_or_digits(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *code;
	} cases[] = {
		{__LINE__, LIT("1"), NULL},
		{__LINE__, LIT("20260205120000"), NULL},
		{__LINE__, LIT("abcdefghijklmnopqrstuvwxyzABCDEF"), NULL}, /* A-T4 */
		{__LINE__, LIT("GHIJKLMNOPQRSTUVWXYZ0123456789zZ"), NULL},
		/* A-T3 */
		{__LINE__, LIT("2026-02-05"), "E09"},
		{__LINE__, LIT("a_b"), "E09"},
		{__LINE__, LIT(""), "E09"},
		{__LINE__, LIT("abcdefghijklmnopqrstuvwxyzABCDEFG"), "E09"},
		{__LINE__, LIT("é"), "E09"},
		{__LINE__, LIT("a b"), "E09"},
		{__LINE__, LIT("a+b"), "E09"},
		{__LINE__, LIT("a;b"), "E09"},
		{__LINE__, LIT("a.b"), "E09"},
		{__LINE__, LIT("a@b"), "E09"},
		{__LINE__, LIT("a[b"), "E09"},
		{__LINE__, LIT("a`b"), "E09"},
		{__LINE__, LIT("a{b"), "E09"},
		{__LINE__, LIT("a/b"), "E09"},
		{__LINE__, LIT("a:b"), "E09"},
		{__LINE__, LIT("1\n"), "E06"},
		{__LINE__, LIT("1\0"), "E06"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		int rc = value_check_id(guarded(cases[i].text), &e);
		expect(cases[i].line, rc, cases[i].code, NULL, &e);
	}
	guard_free_all();
}

static void test_value_rua_becomes_one_record_value(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *uris[4];
		const char *value;
	} cases[] = {
		/* A-R1 */
		{__LINE__, {"mailto:tls@example.com"}, "v=TLSRPTv1; rua=mailto:tls@example.com"},
		/* A-R2 */
		{__LINE__,
		 {"mailto:a@x.example", "https://r.example/v1"},
		 "v=TLSRPTv1; rua=mailto:a@x.example,https://r.example/v1"},
		/* A-R4 */
		{__LINE__, {"https://r.example/a,b;c!d"}, "v=TLSRPTv1; rua=https://r.example/a%2Cb%3Bc%21d"},
		{__LINE__,
		 {"mailto:a!b@x.example?subject=x,y;z"},
		 "v=TLSRPTv1; rua=mailto:a%21b@x.example?subject=x%2Cy%3Bz"},
		{__LINE__, {"https://r.example"}, "v=TLSRPTv1; rua=https://r.example"},
		{__LINE__, {"https://r.example:8443/x?y=z#f"}, "v=TLSRPTv1; rua=https://r.example:8443/x?y=z#f"},
		{__LINE__, {"https://R.Example/%41"}, "v=TLSRPTv1; rua=https://R.Example/%41"},
		{__LINE__, {"mailto:x@y.example?subject=a@b"}, "v=TLSRPTv1; rua=mailto:x@y.example?subject=a@b"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf value;
		struct value_error e = {{0}, {0}, NULL};
		buf_init(&value, 1000);
		for (size_t u = 0; cases[i].uris[u]; u++)
			if (value_add_rua(guarded(span_of(cases[i].uris[u])), &value, &e) != 0)
				fail_msg("line %d: %s", cases[i].line, e.text);
		if (strcmp(buf_text(&value), cases[i].value) != 0)
			fail_msg("line %d: %s", cases[i].line, buf_text(&value));
		buf_deinit(&value);
	}
	guard_free_all();
}

static void test_value_rua_that_no_sender_can_use_is_refused(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *code;
	} cases[] = {
		/* A-R3 */
		{__LINE__, LIT("tls@example.com"), "E10"},
		{__LINE__, LIT("http://r.example"), "E10"},
		{__LINE__, LIT("ftp://x"), "E10"},
		{__LINE__, LIT("mailto:"), "E10"},
		{__LINE__, LIT("https://"), "E10"},
		{__LINE__, LIT(""), "E10"},
		{__LINE__, LIT("mailto"), "E10"},
		{__LINE__, LIT("mailto:@example.com"), "E10"},
		{__LINE__, LIT("mailto:a@"), "E10"},
		{__LINE__, LIT("mailto:a@b_c.example"), "E10"},
		{__LINE__, LIT("mailto:a b@example.com"), "E10"},
		{__LINE__, LIT("mailto:\"a\"@example.com"), "E10"},
		{__LINE__, LIT("mailto:ä@example.com"), "E10"},
		{__LINE__, LIT("mailto:a%zz@example.com"), "E10"},
		{__LINE__, LIT("mailto:a@example.com?x=%4"), "E10"},
		{__LINE__, LIT("mailto:?subject=a@b.example"), "E10"}, /* the mailbox stands before the query */
		{__LINE__, LIT("mailto:a?subject=a@b.example"), "E10"},
		{__LINE__, LIT("https:///path"), "E10"},
		{__LINE__, LIT("https://a b.example"), "E10"},
		{__LINE__, LIT("https://u@r.example"), "E10"},
		{__LINE__, LIT("https://r.example:x/"), "E10"},
		{__LINE__, LIT("https://r.example\\x"), "E10"},
		{__LINE__, LIT("https://bücher.example/"), "E10"},
		{__LINE__, LIT("mailto:a@b.example\r\nx"), "E06"},
		{__LINE__, LIT("mailto:a@b.example\0"), "E06"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf value;
		struct value_error e = {{0}, {0}, NULL};
		buf_init(&value, 1000);
		int rc = value_add_rua(guarded(cases[i].text), &value, &e);
		expect(cases[i].line, rc, cases[i].code, NULL, &e);
		assert_int_equal(value.len, 0);
		buf_deinit(&value);
	}
	struct buf small;
	struct value_error e = {{0}, {0}, NULL};
	buf_init(&small, 60);
	assert_int_equal(value_add_rua(SPAN_LIT("mailto:a@b.example"), &small, &e), 0);
	assert_int_not_equal(value_add_rua(SPAN_LIT("mailto:somebody.else@b.example"), &small, &e), 0);
	assert_string_equal(e.code, "E10");
	buf_deinit(&small);
	guard_free_all();
}

#define L50 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"

static void test_value_domain_is_a_mail_domain(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *code, *out_or_hint;
	} cases[] = {
		{__LINE__, LIT("example.com"), NULL, "example.com"},
		{__LINE__, LIT("Example.COM."), NULL, "example.com"},          /* A-P20 */
		{__LINE__, LIT("mail.example.com"), NULL, "mail.example.com"}, /* A-P18 */
		{__LINE__, LIT("bücher.example"), NULL, "xn--bcher-kva.example"},
		{__LINE__, LIT("mta-sts"), "E07", NULL},
		{__LINE__, LIT("mta-sts.example.com"), "E07", "without `mta-sts.`"}, /* A-C6 */
		{__LINE__, LIT("MTA-STS.example.com"), "E07", "without `mta-sts.`"},
		{__LINE__, LIT("_mta-sts.example.com"), "E07", "mail domain itself"},
		{__LINE__, LIT("_smtp._tls.example.com"), "E07", "mail domain itself"},
		{__LINE__, LIT("*.example.com"), "E07", "never inherits"},
		{__LINE__, LIT("example"), "E07", NULL},
		{__LINE__, LIT("192.0.2.1"), "E07", NULL},
		{__LINE__, LIT("a@example.com"), "E07", NULL},
		{__LINE__, LIT("a..example"), "E07", NULL},
		{__LINE__, LIT(""), "E07", NULL},
		{__LINE__, LIT("a\0.example"), "E06", NULL},
		{__LINE__, LIT("a.example\n"), "E06", NULL},
		/* 242 bytes leave room for "_smtp._tls." */
		{__LINE__, LIT(L50 "." L50 "." L50 "." L50 ".abcdefghijklmnopqrstuvwxyzabcdefghijkl"), NULL,
		 L50 "." L50 "." L50 "." L50 ".abcdefghijklmnopqrstuvwxyzabcdefghijkl"},
		{__LINE__, LIT(L50 "." L50 "." L50 "." L50 ".abcdefghijklmnopqrstuvwxyzabcdefghijklm"), "E07", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		struct name n;
		int rc = value_parse_domain(guarded(cases[i].text), &n, &e);
		expect(cases[i].line, rc, cases[i].code, cases[i].code ? cases[i].out_or_hint : NULL, &e);
		if (rc == 0)
			assert_string_equal(n.text, cases[i].out_or_hint);
	}
	guard_free_all();
}

static void test_value_server_keys_take_what_their_type_allows(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *path;
		struct span text;
		const char *code;
	} cases[] = {
		{__LINE__, "listen", LIT("127.0.0.1:0"), NULL},
		{__LINE__, "listen", LIT("127.0.0.1"), "E17"},
		{__LINE__, "metrics", LIT("[::1]:9106"), NULL},
		{__LINE__, "metrics", LIT("9106"), "E17"},
		{__LINE__, "state_dir", LIT("/srv/x"), NULL},
		{__LINE__, "state_dir", LIT(""), "E17"},
		{__LINE__, "state_dir", LIT("a\0b"), "E06"},
		{__LINE__, "workers", LIT("0"), NULL},
		{__LINE__, "workers", LIT("256"), NULL},
		{__LINE__, "workers", LIT("257"), "E17"},
		{__LINE__, "workers", LIT("two"), "E17"},
		{__LINE__, "user", LIT("mta-sts"), NULL},
		{__LINE__, "user", LIT("mta sts"), "E17"},
		{__LINE__, "user", LIT(""), "E17"},
		{__LINE__, "certs.paths", LIT("certs"), NULL},
		{__LINE__, "dns.ttl", LIT("1"), NULL},
		{__LINE__, "dns.ttl", LIT("2147483647"), NULL},
		{__LINE__, "dns.ttl", LIT("0"), "E17"},
		{__LINE__, "dns.ttl", LIT("2147483648"), "E17"},
		{__LINE__, "dns.id", LIT("serial"), NULL},
		{__LINE__, "dns.id", LIT("Serial"), "E17"},
		{__LINE__, "dns.tls_rpt", LIT("mailto:a@b.example"), NULL},
		{__LINE__, "dns.tls_rpt", LIT("a@b.example"), "E10"},
		{__LINE__, "dns.host", LIT("Policy.Example."), NULL},
		{__LINE__, "dns.host", LIT("192.0.2.1"), "E17"},
		{__LINE__, "dns.delegate", LIT("Sts.Example."), NULL},
		{__LINE__, "dns.delegate", LIT("sts example"), "E17"},
		{__LINE__, "dns.delegate", LIT("_sts.example"), "E17"},
		{__LINE__, "dns.addresses", LIT("192.0.2.1"), NULL},
		{__LINE__, "dns.addresses", LIT("2001:DB8::1"), NULL},
		{__LINE__, "dns.addresses", LIT("192.0.2.1:443"), "E17"},
		{__LINE__, "user", LIT("a\nb"), "E06"},
	};
	struct settings s;
	assert_int_equal(settings_init(&s), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e = {{0}, {0}, NULL};
		const struct key *k = keys_find(span_of(cases[i].path), KEY_SERVER);
		assert_non_null(k);
		int rc = setting_set(&s, k, guarded(cases[i].text), "/etc/x", &e);
		expect(cases[i].line, rc, cases[i].code, NULL, &e);
	}
	assert_string_equal(s.state_dir, "/srv/x");
	assert_string_equal(s.cert_paths.items[0], "/etc/x/certs");
	assert_string_equal(s.dns_host, "policy.example");
	assert_int_equal(s.dns_id, ID_SERIAL);
	assert_int_equal(s.dns_ttl_s, 2147483647);
	assert_string_equal(s.dns_addresses.items[1], "2001:db8::1");
	assert_int_equal(s.listen.count, 3); /* behind the defaults: lists are appended to … */
	setting_clear_list(&s, keys_find(SPAN_LIT("listen"), KEY_SERVER));
	assert_int_equal(s.listen.count, 0); /* … once they were cleared */
	setting_clear_list(&s, keys_find(SPAN_LIT("dns.tls_rpt"), KEY_SERVER));
	assert_null(s.dns_tls_rpt);
	settings_deinit(&s);
	guard_free_all();
}

static void test_value_every_refusal_is_a_whole_sentence(void **state)
{
	(void)state;
	char text[3000];
	struct value_error e;
	uint32_t n;
	struct name name;
	memset(text, '"', sizeof text);
	struct span s = {text, sizeof text};
	assert_int_not_equal(value_parse_mode(s, &n, &e), 0);
	assert_non_null(strstr(e.text, "is no mode"));
	assert_int_not_equal(value_parse_max_age(s, &n, &e), 0);
	assert_non_null(strstr(e.text, "no plain number"));
	assert_int_not_equal(value_check_id(s, &e), 0);
	assert_non_null(strstr(e.text, "is no id"));
	assert_int_not_equal(value_parse_domain(s, &name, &e), 0);
	assert_non_null(strstr(e.text, "3000 bytes"));
	memset(text, '\n', sizeof text);
	assert_int_not_equal(value_check_id(s, &e), 0);
	assert_non_null(strstr(e.text, "id holds a control character"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_number_is_canonical_decimal),
		cmocka_unit_test(test_value_mode_says_what_was_perhaps_meant),
		cmocka_unit_test(test_value_max_age_is_a_plain_number_of_seconds),
		cmocka_unit_test(test_value_mx_refused_with_code_and_advice),
		cmocka_unit_test(test_value_mx_list_keeps_order_and_drops_doubles),
		cmocka_unit_test(test_value_mx_beyond_the_ceiling_is_noted_and_left_out),
		cmocka_unit_test(test_value_id_is_1_to_32_letters_or_digits),
		cmocka_unit_test(test_value_rua_becomes_one_record_value),
		cmocka_unit_test(test_value_rua_that_no_sender_can_use_is_refused),
		cmocka_unit_test(test_value_domain_is_a_mail_domain),
		cmocka_unit_test(test_value_server_keys_take_what_their_type_allows),
		cmocka_unit_test(test_value_every_refusal_is_a_whole_sentence),
	};
	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}

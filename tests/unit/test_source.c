#include "../../base/err.h"
#include "../../config/settings_table.h"
#include "../../config/source.h"
#include "guard.h"
#include "unit.h"

static struct source read_text(const char *text, bool is_main)
{
	struct source s;
	size_t len = strlen(text);
	assert_int_equal(source_init(&s, "/etc/x/main.yaml", is_main), 0);
	assert_int_equal(source_parse(&s, (struct span){guard_copy(text, len), len}), 0);
	guard_free_all();
	return s;
}

static struct spec spec_of(const struct spec_list *l, const char *name)
{
	struct spec_entry e;
	struct spec spec;
	if (!spec_list_find(l, span_of(name), &e) || e.is_refused || spec_decode(e.stored, &spec) != 0)
		fail_msg("%s is not there", name);
	return spec;
}

static void test_source_every_key_becomes_a_value(void **state)
{
	(void)state;
	struct source s = read_text(
		"listen: [\"127.0.0.1:8443\", \"[::1]:8443\"]\nstate_dir: state\nworkers: 3\nuser: nobody\n"
		"metrics: \"127.0.0.1:9106\"\ncerts: {paths: [/a, b]}\n"
		"dns: {ttl: 77, id: serial, tls_rpt: [\"mailto:a@b.example\"], host: P.example}\n"
		"defaults: {policy: p, mode: testing, max_age: 1, mx: d.example, ttl: 2, tls_rpt: "
		"\"mailto:d@b.example\"}\n"
		"policies:\n  p: {mode: enforce, max_age: 3, mx: [p.example], id: pid, ttl: 4, tls_rpt: "
		"\"https://p.example\"}\n"
		"domains:\n  a.example: {policy: p, mode: none, max_age: 5, mx: [a.example, \"*.b.example\"], id: aid, "
		"ttl: 6,\n"
		"    tls_rpt: [\"mailto:a@b.example\", \"https://r.example\"], cert: certs/a}\n"
		"  b.example: p\n  c.example:\n  d.example: {cert: /srv/d}\n"
		"include: [d/*.yaml, /abs.yaml]\n",
		true);
	if (s.problems.count)
		fail_msg("%s", s.problems.items[0].text);
	assert_false(s.is_broken || s.has_gaps || s.has_settings_errors || s.has_refused_defaults ||
		     s.has_include_errors);
	assert_true(s.has_last_line_end);
	assert_int_equal(s.settings.listen.count, 2); /* written: the default ones are gone */
	assert_string_equal(s.settings.state_dir, "/etc/x/state");
	assert_int_equal(s.settings.workers, 3);
	assert_string_equal(s.settings.user, "nobody");
	assert_string_equal(s.settings.metrics, "127.0.0.1:9106");
	assert_string_equal(s.settings.cert_paths.items[0], "/a");
	assert_string_equal(s.settings.cert_paths.items[1], "/etc/x/b");
	assert_int_equal(s.settings.dns_ttl_s, 77);
	assert_int_equal(s.settings.dns_id, ID_SERIAL);
	assert_string_equal(s.settings.dns_tls_rpt, "v=TLSRPTv1; rua=mailto:a@b.example");
	assert_string_equal(s.settings.dns_host, "p.example");
	assert_int_equal(s.include_count, 2);
	assert_string_equal(s.includes[0].pattern, "d/*.yaml");
	assert_int_equal(s.includes[1].line, 17);
	assert_int_equal(s.includes[1].column, 21);
	struct spec defaults, p = spec_of(&s.policies, "p"), a = spec_of(&s.domains, "a.example");
	assert_int_equal(spec_decode(buf_span(&s.defaults), &defaults), 0);
	assert_int_equal(defaults.max_age_s, 1);
	assert_true(span_is(defaults.policy, SPAN_LIT("p")));
	assert_int_equal(p.mode, POLICY_ENFORCE);
	assert_true(span_is(p.id, SPAN_LIT("pid")));
	assert_int_equal(p.line, 10);
	assert_int_equal(p.column, 3);
	assert_int_equal(a.mode, POLICY_NONE);
	assert_int_equal(a.ttl_s, 6);
	assert_true(span_is(a.mx, (struct span)LIT("\x09"
						   "a.example"
						   "\x0B"
						   "*.b.example")));
	assert_true(span_is(a.tls_rpt, SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example,https://r.example")));
	assert_true(span_is(a.cert, SPAN_LIT("/etc/x/certs/a")));
	assert_true(span_is(spec_of(&s.domains, "b.example").policy, SPAN_LIT("p")));
	assert_int_equal(spec_of(&s.domains, "c.example").set, 0);
	assert_true(span_is(spec_of(&s.domains, "d.example").cert, SPAN_LIT("/srv/d")));
	assert_int_equal(s.domains.count, 4);
	source_deinit(&s);
	source_deinit(&s);
}

static void test_source_refused_entry_is_still_there(void **state)
{
	(void)state;
	struct source s = read_text(
		"domains:\n  a.example: {mode: x}\n  b.example: {mode: none}\npolicies: {p: {mode: y}}\n", true);
	struct spec_entry e;
	assert_true(spec_list_find(&s.domains, SPAN_LIT("a.example"), &e));
	assert_true(e.is_refused);
	assert_int_equal(e.line, 2);
	assert_true(spec_list_find(&s.domains, SPAN_LIT("b.example"), &e));
	assert_false(e.is_refused);
	assert_true(spec_list_find(&s.policies, SPAN_LIT("p"), &e));
	assert_true(e.is_refused);
	assert_false(s.is_broken || s.has_gaps || s.has_settings_errors);
	assert_int_equal(s.problems.error_count, 2);
	assert_string_equal(s.problems.items[0].domain, "a.example");
	assert_null(s.problems.items[1].domain);
	source_deinit(&s);
}

/* Read for its settings alone a file has the same ones, is broken or has mistakes among them the same. */
static void expect_same_settings(int line, const char *text, const struct source *whole)
{
	struct source s;
	struct buf a, b;
	buf_init(&a, 1 << 16);
	buf_init(&b, 1 << 16);
	assert_int_equal(source_init(&s, "/etc/x/main.yaml", whole->is_main), 0);
	s.is_for_settings = true;
	assert_int_equal(source_parse(&s, span_of(text)), 0);
	if (s.is_broken != whole->is_broken || (!s.is_broken && s.has_settings_errors != whole->has_settings_errors))
		fail_msg("line %d: broken %d, errors %d", line, s.is_broken, s.has_settings_errors);
	assert_int_equal(settings_encode(&s.settings, &a), 0);
	assert_int_equal(settings_encode(&whole->settings, &b), 0);
	assert_true(span_is(buf_span(&a), buf_span(&b)));
	assert_int_equal(s.domains.count + s.policies.count, 0);
	source_deinit(&s);
	buf_deinit(&a);
	buf_deinit(&b);
}

enum { BROKEN = 1, GAPS = 2, SETTINGS = 4, DEFAULTS = 8, INCLUDES = 16, FINE = 0 };

static void test_source_a_mistake_spoils_what_it_concerns_and_no_more(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *text;
		unsigned main_flags;     /* as main file */
		unsigned included_flags; /* as included file */
	} cases[] = {
		{__LINE__, "domains: {}\n", FINE, FINE},
		{__LINE__, "{}\n", FINE, FINE},
		{__LINE__, "", BROKEN, BROKEN},
		{__LINE__, "domains: {\n", BROKEN, BROKEN},
		{__LINE__, "text\n", BROKEN, BROKEN},
		{__LINE__, "domains:\n", BROKEN, BROKEN},
		{__LINE__, "domains: x\n", BROKEN, BROKEN},
		{__LINE__, "policies: []\n", BROKEN, BROKEN},
		{__LINE__, "domains: {}\ndomains: {}\n", BROKEN, BROKEN},
		{__LINE__, "domains: {}\n---\n{}\n", BROKEN, BROKEN},
		{__LINE__, "defaults:\n", BROKEN, GAPS},
		{__LINE__, "include: ~\n", BROKEN, GAPS},
		{__LINE__, "domains: {a.example: {mode: x}}\n", FINE, FINE},
		{__LINE__, "domains: {a.example: &x {}}\n", GAPS | INCLUDES, GAPS},
		{__LINE__, "domains: {a.example: &x {}}\ninclude: [x]\n", GAPS, GAPS},
		{__LINE__, "domains: {a_b.example: {}}\n", GAPS | INCLUDES, GAPS},
		{__LINE__, "policies: {'': {}}\n", GAPS | INCLUDES, GAPS},
		{__LINE__, "policies: {p: !x {}}\n", GAPS | INCLUDES, GAPS},
		{__LINE__, "domain: {}\n", GAPS | SETTINGS | INCLUDES, GAPS},
		{__LINE__, "domains: &x {}\n", GAPS | SETTINGS | INCLUDES, GAPS},
		{__LINE__, "workers: x\n", SETTINGS, GAPS},
		{__LINE__, "workers: 1\nworkers: 1\n", SETTINGS, GAPS},
		{__LINE__, "workers: &x 1\n", GAPS | SETTINGS | INCLUDES, GAPS},
		{__LINE__, "dns: {tll: 1}\n", SETTINGS, GAPS},
		{__LINE__, "dns: x\n", SETTINGS, GAPS},
		{__LINE__, "dns:\n", FINE, GAPS},
		{__LINE__, "dns: {host: a.example, addresses: [192.0.2.1]}\n", SETTINGS, GAPS},
		{__LINE__, "defaults: {mode: x}\n", DEFAULTS, GAPS},
		{__LINE__, "defaults: {}\n", FINE, GAPS},
		{__LINE__, "include: ['']\n", INCLUDES, GAPS},
		{__LINE__, "include: {a: b}\n", INCLUDES, GAPS},
		{__LINE__, "include: [x, &a y]\n", INCLUDES, GAPS},
		{__LINE__, "include: [\"a\\nb\"]\n", INCLUDES, GAPS},
		{__LINE__, "include: []\n", FINE, GAPS},
		{__LINE__, "domains: {a.example: p, A.example: p}\n", FINE, FINE},
		{__LINE__, "workers: 2\ndomains: {a: {b: {}}, c: [d, {}]}\nuser: x\ndns: {ttl: 5}\n", GAPS | INCLUDES,
		 GAPS},
		{__LINE__, "workers: 2\npolicies: {p: {mode: 1}}\ndomains: {b.example: *x}\nworkers: 3\n",
		 GAPS | SETTINGS | INCLUDES, GAPS},
		{__LINE__, "policies: {p: {mode: 1}}\ndomains: {[]: x}\nworkers: 3\n", GAPS | INCLUDES, GAPS},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int is_main = 0; is_main < 2; is_main++) {
			struct source s = read_text(cases[i].text, is_main);
			unsigned flags = (s.is_broken ? BROKEN : 0u) | (s.has_gaps ? GAPS : 0u) |
					 (is_main && s.has_settings_errors ? SETTINGS : 0u) |
					 (s.has_refused_defaults ? DEFAULTS : 0u) |
					 (is_main && s.has_include_errors ? INCLUDES : 0u);
			unsigned wanted = is_main ? cases[i].main_flags : cases[i].included_flags;
			if (flags & BROKEN && wanted & BROKEN)
				flags = wanted; /* the rest means nothing then */
			if (flags != wanted)
				fail_msg("line %d, %s: %u", cases[i].line, is_main ? "main" : "included", flags);
			expect_same_settings(cases[i].line, cases[i].text, &s);
			source_deinit(&s);
		}
	}
}

static void test_source_says_where_and_what_to_do(void **state)
{
	(void)state;
	static const struct {
		int line;
		bool is_main;
		const char *text, *code, *says, *hint;
		uint32_t at_line, at_column;
	} cases[] = {
		{__LINE__, false, "listen: x\n", "E11", "belongs into the main file", "only `policies` and `domains`",
		 1, 1},
		{__LINE__, false, "dns: {}\n", "E11", "belongs into the main file", NULL, 1, 1},
		{__LINE__, false, "domins: {}\n", "E11", "unknown key", "`domains`", 1, 1},
		{__LINE__, false, "lisen: {}\n", "E11", "unknown key", NULL, 1, 1},
		{__LINE__, true, "polices: {}\n", "E11", "unknown key", "`policies`", 1, 1},
		{__LINE__, true, "dsn: {}\n", "E11", "unknown key", "`dns`", 1, 1},
		{__LINE__, true, "domains:\n  a.example:\n    mode: none\n    mode: none\n", "E12", "first on line 3",
		 NULL, 4, 5},
		{__LINE__, true, "domains:\n  a.example:\n  A.example:\n", "E07", "first on line 2",
		 "the first one counts", 3, 3},
		{__LINE__, true, "domains: []\n", "E16", "mapping", "`{}`", 1, 10},
		{__LINE__, true, "domains:\n  a.example: [x]\n", "E16", "mapping", "mode: testing", 2, 14},
		{__LINE__, true, "policies: {p: x}\n", "E16", "mapping", NULL, 1, 15},
		{__LINE__, true, "workers:\n", "E17", "workers is empty", NULL, 1, 9},
		{__LINE__, true, "domains:\n  a.example: {policy: ''}\n", "E17", "no name of a policy", NULL, 2, 23},
		{__LINE__, true, "domains:\n  a.example: ''\n", "E17", "no name of a policy", NULL, 2, 14},
		{__LINE__, true, "domains:\n  a.example: {cert: ''}\n", "E17", "no path", NULL, 2, 21},
		{__LINE__, true, "domains:\n  a.example: {ttl: 0}\n", "E17", "from 1 to 2147483647", NULL, 2, 20},
		{__LINE__, true, "domains:\n  a.example: {mode: {}}\n", "E01", "single value", NULL, 2, 21},
		{__LINE__, true, "domains:\n  a.example: {tls_rpt: []}\n", "E10", "empty", NULL, 2, 15},
		{__LINE__, true, "include: ['']\n", "E17", "is no path", NULL, 1, 11},
		{__LINE__, true, "\"dns\\0\": {}\n", "E11", "dns\\x00", NULL, 1, 1},
		{__LINE__, true, "dns: {\"ttl\\0\": 1}\n", "E11", "ttl\\x00", NULL, 1, 7},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct source s = read_text(cases[i].text, cases[i].is_main);
		const struct problem *p = s.problems.items;
		if (s.problems.count != 1 || strcmp(p->code, cases[i].code) != 0 || !strstr(p->text, cases[i].says) ||
		    p->line != cases[i].at_line || p->column != cases[i].at_column ||
		    strcmp(p->file, "/etc/x/main.yaml") != 0)
			fail_msg("line %d: %zu problems, %u:%u %s %s", cases[i].line, s.problems.count, p ? p->line : 0,
				 p ? p->column : 0, p ? p->code : "", p ? p->text : "");
		if (cases[i].hint && (!p->hint || !strstr(p->hint, cases[i].hint)))
			fail_msg("line %d: hint %s", cases[i].line, p->hint ? p->hint : "none");
		source_deinit(&s);
	}
}

static void test_source_flood_of_mx_is_one_problem(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 22);
	(void)buf_add_text(&text, "domains:\n  a.example:\n    mode: none\n    max_age: 1\n    mx:\n");
	for (int i = 0; i < 100000; i++)
		(void)buf_printf(&text, "    - mx%d.example.com\n", i);
	struct source s = read_text(buf_text(&text), true);
	assert_int_equal(s.problems.count, 1);
	assert_string_equal(s.problems.items[0].code, "E08");
	source_deinit(&s);
	buf_deinit(&text);
}

static void test_source_that_could_not_be_read_is_broken(void **state)
{
	(void)state;
	struct source s;
	assert_int_equal(source_init(&s, "f", false), 0);
	source_fail(&s, "no such file", "write one");
	assert_true(s.is_broken && s.is_unread);
	assert_int_equal(s.problems.count, 1);
	assert_string_equal(s.problems.items[0].code, "E18");
	assert_int_equal(s.problems.items[0].line, 0);
	source_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source_every_key_becomes_a_value),
		cmocka_unit_test(test_source_refused_entry_is_still_there),
		cmocka_unit_test(test_source_a_mistake_spoils_what_it_concerns_and_no_more),
		cmocka_unit_test(test_source_says_where_and_what_to_do),
		cmocka_unit_test(test_source_flood_of_mx_is_one_problem),
		cmocka_unit_test(test_source_that_could_not_be_read_is_broken),
	};
	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}

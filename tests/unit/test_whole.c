#include "site.h"

static struct site s;
static struct load load;
static struct whole whole;
static struct outcome v;
static struct problem_list problems;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	site_make_folder(&s, "d");
	load = (struct load){0};
	whole = (struct whole){0};
	problems = (struct problem_list){0};
	outcome_init(&v);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	whole_deinit(&whole);
	load_deinit(&load);
	outcome_deinit(&v);
	problem_list_deinit(&problems);
	site_close(&s);
	return 0;
}

static void look(struct db_txn *history)
{
	whole_deinit(&whole);
	load_deinit(&load);
	problem_list_deinit(&problems);
	int rc = load_run(&load, s.main_path, NULL, NULL, NULL, NULL);
	assert_true(rc == 0 || rc == ERR_NOENT);
	assert_int_equal(whole_init(&whole, &load, history, s.now_unix_s, &problems), 0);
}

/* The body of a domain; NULL: it is not good. */
static const char *body_of(const char *domain)
{
	size_t at;
	if (!whole_find(&whole, span_of(domain), &at))
		fail_msg("%s is not there", domain);
	assert_true(span_is(whole_domain(&whole, at), span_of(domain)));
	assert_int_equal(whole_outcome(&whole, at, &v, &problems), 0);
	static char body[4096];
	assert_true(v.body.len < sizeof body);
	(void)snprintf(body, sizeof body, "%.*s", SPAN_ARG(v.body));
	return v.is_good ? body : NULL;
}

#define BODY(mode, mx, max_age) "version: STSv1\r\nmode: " mode "\r\nmx: " mx "\r\nmax_age: " max_age "\r\n"

#define PROTON_MX "mail.protonmail.ch\r\nmx: mailsec.protonmail.ch"

/* A-P2: what site_check_body demands of it holds as well. */
static void test_whole_golden_bodies_from_yaml(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *yaml, *sha256;
	} cases[] = {
		/* G1, A-P1 */
		{__LINE__, "example.com: {mode: enforce, max_age: 604800, mx: [mail.example.com]}",
		 "a5963b31a082635c6ec668171482b14f4bc317a11092eb1731afa8063f468676"},
		/* G2, A-P3 */
		{__LINE__,
		 "example.com: {mode: testing, max_age: 86400, mx: [mx1.example.net, mx2.example.net, "
		 "\"*.mail.example.org\"]}",
		 "9482daa9e57180607648d3ecde9f6bb47a4fdb171c6961bd189c55fc60467fb2"},
		/* G3, A-P4 */
		{__LINE__, "example.com: {mode: none, max_age: 86400, mx: mail.example.com}",
		 "5c495af9617cb6097fed30da65b84d3c1187619be31d84f3b968adb46647fbe2"},
		/* G4, A-P13, A-P14 */
		{__LINE__, "example.com: {mode: enforce, max_age: 2592000, mx: [mx.bücher.example]}",
		 "5237c2f8973bebfc711fbaa053b2fc4469ae0444753d256e4521ec2b5ce37461"},
		{__LINE__, "example.com: {mode: enforce, max_age: 2592000, mx: [mx.xn--bcher-kva.example]}",
		 "5237c2f8973bebfc711fbaa053b2fc4469ae0444753d256e4521ec2b5ce37461"},
		/* G5, A-P6 */
		{__LINE__, "example.com: {mode: enforce, max_age: 31557600, mx: [mail.example.com]}",
		 "de8bf9065ad43a692e20ffe05b0667eae8d1f3941a7f8f9da5822eeb95b68133"},
		/* A-P11, A-P12, A-P19, A-P20: written otherwise, it is still G1 */
		{__LINE__, "Example.COM.: {mode: enforce, max_age: 604800, mx: [MAIL.Example.COM., mail.example.com]}",
		 "a5963b31a082635c6ec668171482b14f4bc317a11092eb1731afa8063f468676"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512], hex[2 * SHA256_BYTES + 1];
		(void)snprintf(text, sizeof text, "domains: {%s}\n", cases[i].yaml);
		site_write(&s, SITE_MAIN, text);
		look(NULL);
		assert_non_null(body_of("example.com"));
		site_check_body(v.body);
		sha256_hex(v.digest, hex);
		if (strcmp(hex, cases[i].sha256) != 0)
			fail_msg("line %d: %.*s", cases[i].line, SPAN_ARG(v.body));
	}
}

static void test_whole_values_come_from_the_nearest_level(void **state)
{
	(void)state;
	size_t at;
	site_write(
		&s, SITE_MAIN,
		"defaults: {mode: testing, max_age: 86400, ttl: 5}\n"
		"policies: {p: {mode: enforce, mx: [p.example]}}\n"
		"domains:\n  a.example: p\n  b.example: {policy: p, mode: none}\n  c.example: {mx: c.example, ttl: 6}\n"
		"include: [d/*.yaml]\n");
	site_write(&s, "d/d.yaml",
		   "domains:\n  d.example: q\npolicies: {q: {max_age: 7, mx: q.example, tls_rpt: "
		   "\"mailto:a@b.example\"}}\n");
	look(NULL);
	assert_int_equal(whole.domain_count, 4);
	assert_int_equal(whole.policy_count, 2);
	assert_string_equal(body_of("a.example"), BODY("enforce", "p.example", "86400"));
	assert_int_equal(v.ttl_s, 5);
	assert_string_equal(body_of("b.example"), BODY("none", "p.example", "86400"));
	assert_string_equal(body_of("c.example"), BODY("testing", "c.example", "86400"));
	assert_int_equal(v.ttl_s, 6);
	assert_int_equal(v.tls_rpt.len, 0);
	assert_string_equal(body_of("d.example"), BODY("testing", "q.example", "7"));
	assert_true(span_is(v.tls_rpt, SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example")));
	assert_false(whole_find(&whole, SPAN_LIT("e.example"), &at));
}

static void test_whole_name_in_two_files_is_the_first_ones(void **state)
{
	(void)state;
	site_write(&s, SITE_MAIN,
		   "domains: {a.example: {mode: none, max_age: 1, mx: main.example}}\ninclude: [d/*.yaml]\n");
	site_write(&s, "d/1.yaml",
		   "domains:\n  a.example: {mode: none, max_age: 1, mx: one.example}\npolicies:\n  p: {mode: none}\n");
	site_write(&s, "d/2.yaml",
		   "domains:\n  a.example: {mode: none, max_age: 1, mx: two.example}\npolicies:\n  p: {mode: none}\n");
	look(NULL);
	assert_int_equal(problems.error_count, 3);
	for (size_t i = 0; i < problems.count; i++) {
		bool is_domain = strcmp(problems.items[i].code, "E07") == 0;
		assert_true(is_domain || strcmp(problems.items[i].code, "E12") == 0);
		assert_non_null(strstr(problems.items[i].text, is_domain ? SITE_MAIN : "d/1.yaml"));
		assert_int_equal(problems.items[i].line, is_domain ? 2 : 4);
	}
	assert_string_equal(body_of("a.example"), BODY("none", "main.example", "1"));
}

/* From one file to nine, one of them broken, one without domains; every name in some of them. */
static void test_whole_joins_any_number_of_files_in_the_order_of_names(void **state)
{
	(void)state;
	enum { NAMES = 200, FILES = 9, BROKEN = 4, EMPTY = 6 };
	site_write(&s, SITE_MAIN, "include: [d/*.yaml]\n");
	for (unsigned files = 1; files <= FILES; files++) {
		char path[32], name[32], wanted[32];
		struct buf text;
		buf_init(&text, 1 << 16);
		for (unsigned i = 0; i < NAMES; i++)
			if (files != EMPTY + 1 && i * 7919 % 5 <= i * files % 7)
				(void)buf_printf(&text,
						 "%s  n%03u.example: {mode: none, max_age: 1, mx: f%u.example}\n",
						 text.len ? "" : "domains:\n", i, files - 1);
		(void)buf_add_text(&text, files == BROKEN + 1 ? "a: [\n" : text.len ? "" : "domains: {}\n");
		(void)snprintf(path, sizeof path, "d/%u.yaml", files - 1);
		site_write(&s, path, buf_text(&text));
		buf_deinit(&text);
		look(NULL);
		size_t at = 0;
		for (unsigned i = 0; i < NAMES; i++) {
			unsigned first = 0;
			while (first < files &&
			       (first == BROKEN || first == EMPTY || i * 7919 % 5 > i * (first + 1) % 7))
				first++;
			if (first == files)
				continue;
			(void)snprintf(name, sizeof name, "n%03u.example", i);
			(void)snprintf(wanted, sizeof wanted, "mx: f%u.example", first);
			assert_true(at < whole.domain_count && span_is(whole_domain(&whole, at++), span_of(name)));
			assert_non_null(strstr(body_of(name), wanted));
		}
		assert_int_equal(at, whole.domain_count);
	}
}

static void test_whole_refused_entries_and_policies_give_no_body(void **state)
{
	(void)state;
	site_write(&s, SITE_MAIN,
		   "policies: {p: {mode: x}}\ndomains:\n  a.example: {mode: y}\n  b.example: p\n  c.example: nowhere\n"
		   "  d.example: {mode: none, max_age: 1}\n");
	look(NULL);
	assert_null(body_of("a.example"));
	assert_null(body_of("b.example"));
	assert_int_equal(problems.error_count, 0); /* said by the source */
	assert_null(body_of("c.example"));
	assert_string_equal(problems.items[0].code, "E19");
	assert_non_null(body_of("d.example"));
}

static void test_whole_presets_give_their_mx_and_give_way_to_the_yaml(void **state)
{
	(void)state;
	site_write(&s, SITE_MAIN,
		   "defaults: {mode: testing, max_age: 86400}\n"
		   "policies:\n  google-workspace: {mode: none, mx: m.example}\n  fastmail: {mode: x}\n"
		   "domains:\n  a.example: proton\n  b.example: google-workspace\n  c.example: fastmail\n"
		   "  d.example: {policy: proton, mode: enforce, max_age: 604800}\n"
		   "  e.example: {policy: proton, mx: own.example}\n  f.example: protn\n");
	look(NULL);
	assert_string_equal(body_of("a.example"), BODY("testing", PROTON_MX, "86400"));
	assert_string_equal(body_of("b.example"), BODY("none", "m.example", "86400"));
	assert_null(body_of("c.example")); /* refused is not the same as not there */
	assert_string_equal(body_of("d.example"), BODY("enforce", PROTON_MX, "604800"));
	assert_string_equal(body_of("e.example"), BODY("testing", "own.example", "86400"));
	assert_int_equal(problems.error_count, 0);
	assert_null(body_of("f.example"));
	const struct problem *p = site_find_problem(&problems, "E19");
	assert_non_null(strstr(p->hint, "proton"));
	site_write(&s, SITE_MAIN,
		   "policies: {proton: {mode: enforce, max_age: 604800}}\ndomains: {a.example: proton}\n");
	look(NULL);
	assert_string_equal(body_of("a.example"), BODY("enforce", PROTON_MX, "604800"));
	site_write(&s, SITE_MAIN, "domains: {a.example: proton}\n"); /* it has no mode of its own */
	look(NULL);
	assert_null(body_of("a.example"));
	assert_non_null(site_find_problem(&problems, "E01"));
}

static void test_whole_broken_files_are_left_out(void **state)
{
	(void)state;
	look(NULL); /* no main file at all */
	assert_int_equal(whole.domain_count, 0);
	site_write(&s, SITE_MAIN, "domains: {a.example: {mode: none, max_age: 1}}\ninclude: [d/*.yaml]\n");
	site_write(&s, "d/1.yaml", "domains:\n  b.example: {mode: none, max_age: 1}\n  c.example: [\n");
	look(NULL);
	assert_int_equal(whole.domain_count, 1);
	site_write(&s, SITE_MAIN, "defaults: {mode: x}\ndomains: {a.example: {mode: none, max_age: 1}}\n");
	look(NULL);
	assert_null(body_of("a.example")); /* what its defaults are is not known */
}

static void test_whole_is_compared_with_what_is_served(void **state)
{
	(void)state;
	site_apply_main(&s, "domains: {a.example: {mode: enforce, max_age: 604800, mx: one.example, id: x}}\n");
	site_write(&s, SITE_MAIN,
		   "domains: {a.example: {mode: enforce, max_age: 604800, mx: two.example, id: x},\n"
		   " b.example: {mode: none, max_age: 1}}\n");
	struct db_txn *txn = site_begin(&s);
	look(txn);
	assert_null(body_of("a.example"));
	assert_non_null(site_find_problem(&problems, "E14"));
	assert_non_null(body_of("b.example"));
	db_end(txn);
	look(NULL); /* without a store there is nothing to say about the past */
	assert_non_null(body_of("a.example"));
	assert_null(site_find_problem(&problems, "E14"));
}

static void add_problems_of(const struct whole *w, size_t i, struct problem_list *out)
{
	struct outcome own;
	outcome_init(&own);
	assert_int_equal(whole_outcome(w, i, &own, out), 0);
	outcome_deinit(&own);
}

/* Whatever is said when each domain is looked at for itself is said when all are, and nothing else. */
static void test_whole_advice_about_a_policy_is_given_once_and_none_is_lost(void **state)
{
	(void)state;
	static const char policies[] =
		"policies:\n"
		"  short: {mode: enforce, max_age: 60, mx: [a.example, \"*.example\", b.example]}\n"
		"  none: {mode: none, max_age: 0}\n"
		"  long: {mode: testing, max_age: 31557600, mx: [\"*.google.com\", \"*.com\"], ttl: 90000}\n"
		"  part: {mx: [\"*.co.uk\", x.co.uk]}\n"
		"  bad: {mode: enforce, max_age: 604800}\n"
		"  proton: {mode: enforce, max_age: 60}\n";
	static const char domains[] =
		"domains:\n"
		"  a.example: short\n  b.example: short\n  c.example: {policy: short, mode: testing}\n"
		"  d.example: short\n  e.example: {policy: short, mx: [\"*.org\"]}\n  f.example: none\n"
		"  g.example: none\n  h.example: {policy: none, max_age: 31557600}\n  i.example: long\n"
		"  j.example: {policy: long, tls_rpt: \"mailto:a@b.example\"}\n  k.example: long\n"
		"  l.example: part\n  m.example: part\n  n.example: {policy: part, mode: none}\n  o.example: bad\n"
		"  p.example: bad\n  q.example: proton\n  r.example: proton\n  s.example: fastmail\n"
		"  t.example: fastmail\n  u.example:\n  v.example: {ttl: 100000}\n  w.example: {policy: bad, mx: "
		"w.example}\n"
		"  x.example: bad\n  y.example: {policy: short, id: 1}\n";
	static const char *const heads[] = {"",
					    "dns: {tls_rpt: [\"mailto:a@b.example\"]}\n",
					    "defaults: {mode: enforce, max_age: 61}\n",
					    "defaults: {policy: short, ttl: 100000}\n",
					    "defaults: {mode: testing, max_age: 9, mx: \"*.net\"}\n",
					    "dns: {delegate: provider.example}\n"};
	for (size_t h = 0; h < COUNT(heads); h++) {
		struct problem_list each = {0};
		char text[4096];
		(void)snprintf(text, sizeof text, "%s%s%s", heads[h], policies, domains);
		site_write(&s, SITE_MAIN, text);
		look(NULL);
		for (size_t i = 0; i < whole.domain_count; i++) {
			struct whole alone;
			assert_int_equal(whole_init(&alone, &load, NULL, s.now_unix_s, &each), 0);
			add_problems_of(&alone, i, &each);
			whole_deinit(&alone);
		}
		for (size_t i = whole.domain_count; i > 0; i--)
			add_problems_of(&whole, i - 1, &problems);
		assert_true(problems.count < each.count); /* not once for each domain … */
		problem_sort(&problems);
		problem_sort(&each);
		assert_int_equal(problems.count, each.count); /* … but all of it */
		for (size_t i = 0; i < each.count; i++)
			assert_int_equal(problem_compare(&problems.items[i], &each.items[i]), 0);
		problem_list_deinit(&each);
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole_golden_bodies_from_yaml),
		TEST(test_whole_values_come_from_the_nearest_level),
		TEST(test_whole_name_in_two_files_is_the_first_ones),
		TEST(test_whole_joins_any_number_of_files_in_the_order_of_names),
		TEST(test_whole_refused_entries_and_policies_give_no_body),
		TEST(test_whole_presets_give_their_mx_and_give_way_to_the_yaml),
		TEST(test_whole_broken_files_are_left_out),
		TEST(test_whole_is_compared_with_what_is_served),
		TEST(test_whole_advice_about_a_policy_is_given_once_and_none_is_lost),
	};
	return cmocka_run_group_tests_name("whole", tests, NULL, NULL);
}

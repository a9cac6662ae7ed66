#include "../../base/clock.h"
#include "../../config/settings_table.h"
#include "site.h"

static struct site s;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

#define ENFORCE "{mode: enforce, max_age: 604800, mx: [mail.example.com]}"
#define TESTING "{mode: testing, max_age: 604800, mx: [mail.example.com]}"
#define A_ENFORCE "domains:\n  a.example: " ENFORCE "\n"
#define A_TESTING "domains:\n  a.example: " TESTING "\n"
#define BODY_ENFORCE "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"
#define BODY_TESTING "version: STSv1\r\nmode: testing\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"
#define BODY_WITHDRAWN "version: STSv1\r\nmode: none\r\nmx: mail.example.com\r\nmax_age: 86400\r\n"

enum { DAY_S = 86400, WEEK_S = 604800 };

static void expect_served(int line, const char *domain, const char *body, const char *id)
{
	struct site_row r = site_row(&s, domain);
	if (!r.is_there)
		fail_msg("line %d: %s is not there", line, domain);
	if (strcmp(r.body, body) != 0 || r.row.state != DOMAIN_LIVE || (id && strcmp(r.row.id, id) != 0))
		fail_msg("line %d: %s: id %s, state %d\n%s", line, domain, r.row.id, r.row.state, r.body);
}

static void expect_withdrawn(int line, const char *domain, int64_t until_unix_s)
{
	struct site_row r = site_row(&s, domain);
	if (!r.is_there || r.row.state != DOMAIN_WITHDRAWN || r.row.mode != POLICY_NONE || r.row.max_age_s != 86400)
		fail_msg("line %d: %s is not withdrawn", line, domain);
	if (r.row.cached_until_unix_s != until_unix_s)
		fail_msg("line %d: %s until %lld", line, domain, (long long)r.row.cached_until_unix_s);
}

static void expect_gone(int line, const char *domain)
{
	if (site_row(&s, domain).is_there)
		fail_msg("line %d: %s is there", line, domain);
}

static void expect_fresh(int line, const char *code)
{
	if (code ? !site_find_problem(&s.result.fresh, code) : s.result.fresh.error_count > 0)
		fail_msg("line %d: %zu fresh problems, the first is %s", line, s.result.fresh.count,
			 s.result.fresh.count ? s.result.fresh.items[0].text : "nothing");
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

static void test_apply_first_run_publishes_and_the_next_changes_nothing(void **state)
{
	(void)state; /* A-T5, A-L7 */
	site_apply_main(&s, A_ENFORCE);
	assert_true(s.result.is_committed);
	assert_int_equal(s.result.domain_count, 1);
	assert_int_equal(s.result.changed_count, 1);
	assert_int_equal(s.result.error_count, 0);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	struct site_row before = site_row(&s, "a.example"), after;
	assert_int_equal(before.row.first_unix_s, SITE_NOW);
	s.now_unix_s += DAY_S;
	site_apply(&s);
	assert_false(s.result.is_committed);
	assert_int_equal(s.result.changed_count, 0);
	db_close(s.dir.store); /* and after a restart */
	assert_int_equal(db_open(&s.dir.store, s.dir.store_path, DB_STORE, true, NULL), 0);
	site_apply(&s);
	assert_false(s.result.is_committed);
	site_write(&s, SITE_MAIN, A_ENFORCE); /* and when the same file is written anew */
	site_apply(&s);
	assert_int_equal(s.result.changed_count, 0);
	after = site_row(&s, "a.example");
	assert_memory_equal(&before, &after, sizeof before);
}

static void test_apply_there_and_back_within_a_second_gives_three_ids(void **state)
{
	(void)state; /* A-T6, A-T9 */
	site_apply_main(&s, A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "20260601000000");
	site_apply_main(&s, A_TESTING);
	expect_served(__LINE__, "a.example", BODY_TESTING, "20260601000001");
	site_apply_main(&s, A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "20260601000002");
}

static void test_apply_mode_none_is_a_change_like_any_other(void **state)
{
	(void)state; /* A-T12 */
	site_apply_main(&s, A_ENFORCE);
	s.now_unix_s += 60;
	site_apply_main(&s, "domains:\n  a.example: {mode: none, max_age: 86400, mx: mail.example.com}\n");
	expect_served(__LINE__, "a.example", BODY_WITHDRAWN, "20260601000100");
}

static void test_apply_ids_do_not_go_back_with_the_clock(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	s.now_unix_s -= 365 * DAY_S;
	site_apply_main(&s, A_TESTING);
	expect_served(__LINE__, "a.example", BODY_TESTING, "20260601000001");
}

static void test_apply_digest_ids_say_which_body_and_return_with_it(void **state)
{
	(void)state;                                                 /* A-T9 */
	static const char id[] = "a5963b31a082635c6ec668171482b14f"; /* of G1 */
	site_apply_main(&s, "dns: {id: digest}\n" A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, id);
	site_apply_main(&s, "dns: {id: digest}\n" A_TESTING);
	assert_string_not_equal(site_row(&s, "a.example").row.id, id);
	site_apply_main(&s, "dns: {id: digest}\n" A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, id);
}

static void test_apply_serial_ids_grow_by_one_for_each_change(void **state)
{
	(void)state;
	site_apply_main(&s, "dns: {id: serial}\n" A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "1");
	site_apply_main(&s, "dns: {id: serial}\n" A_TESTING);
	site_apply_main(&s, "dns: {id: serial}\n" A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "3");
}

/* Each domain has its own number, and none depends on what the others did. */
static void test_apply_serial_ids_go_on_from_the_start_of_the_server(void **state)
{
	(void)state;
	static const struct {
		int line;
		int64_t start_unix_s;
		const char *first, *second; /* of a.example after each of two changes */
	} cases[] = {
		{__LINE__, 0, "1", "2"}, /* no server */
		{__LINE__, SITE_NOW, "44582401", "44582402"},
		{__LINE__, SITE_NOW - 365 * DAY_S, "44582403", "44582404"}, /* a start with the clock set back */
		{__LINE__, SITE_NOW + 1, "44582405", "44582406"},           /* more than one change a second */
		{__LINE__, SITE_NOW + DAY_S, "44668801", "44668802"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		s.how.start_unix_s = cases[i].start_unix_s;
		site_apply_main(&s, "dns: {id: serial}\n" A_ENFORCE);
		if (strcmp(site_row(&s, "a.example").row.id, cases[i].first) != 0)
			fail_msg("line %d: %s", cases[i].line, site_row(&s, "a.example").row.id);
		site_apply_main(&s, "dns: {id: serial}\n" A_TESTING);
		if (strcmp(site_row(&s, "a.example").row.id, cases[i].second) != 0)
			fail_msg("line %d: %s", cases[i].line, site_row(&s, "a.example").row.id);
	}
	s.how.start_unix_s += DAY_S; /* a start changes none by itself */
	site_apply_main(&s, "dns: {id: serial}\n" A_TESTING "  b.example: " ENFORCE "\n");
	expect_served(__LINE__, "a.example", BODY_TESTING, "44668802");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, "44755201");
	site_apply_main(&s, "dns: {id: serial}\n" A_TESTING);
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
	assert_string_equal(site_row(&s, "b.example").row.id, "44755202");
}

static void test_apply_id_follows_the_bytes_and_nothing_else(void **state)
{
	(void)state; /* A-T7 */
	static const struct {
		int line;
		const char *yaml;
	} same[] = {
		{__LINE__, "# a comment\n\n" A_ENFORCE},
		{__LINE__,
		 "domains:\n  a.example:\n    mx: [mail.example.com]\n    max_age: 604800\n    mode: enforce\n"},
		{__LINE__, "domains:\n  A.Example.: {mode: enforce, max_age: 604800, mx: [MAIL.example.com., "
			   "mail.example.com]}\n"},
		{__LINE__, "dns: {ttl: 77}\n" A_ENFORCE},
		{__LINE__, "domains:\n  a.example: {mode: enforce, max_age: 604800, mx: mail.example.com, ttl: 9}\n"},
		{__LINE__, "dns: {tls_rpt: [\"mailto:x@y.example\"]}\n" A_ENFORCE},
		{__LINE__, "defaults: {mode: testing, max_age: 5}\n" A_ENFORCE},
		{__LINE__,
		 "defaults: {mode: enforce, max_age: 604800, mx: [mail.example.com]}\ndomains:\n  a.example:\n"},
		{__LINE__, "policies:\n  p: " ENFORCE "\ndomains:\n  a.example: p\n"},
		{__LINE__, "policies:\n  p: " TESTING "\ndomains:\n  a.example: {policy: p, mode: enforce}\n"},
		{__LINE__, "workers: 5\n" A_ENFORCE "  b.example: " TESTING "\n"},
	};
	site_apply_main(&s, A_ENFORCE);
	for (size_t i = 0; i < COUNT(same); i++) {
		s.now_unix_s += 10;
		site_apply_main(&s, same[i].yaml);
		expect_served(same[i].line, "a.example", BODY_ENFORCE, SITE_STAMP);
	}
}

static void test_apply_what_is_not_in_the_bytes_changes_the_row_only(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	assert_int_equal(site_row(&s, "a.example").row.ttl_s, 300);
	site_apply_main(&s, "dns: {ttl: 77, tls_rpt: \"mailto:x@y.example\"}\n" A_ENFORCE);
	assert_int_equal(s.result.changed_count, 1);
	struct site_row r = site_row(&s, "a.example");
	assert_int_equal(r.row.ttl_s, 77);
	assert_string_equal(r.tls_rpt, "v=TLSRPTv1; rua=mailto:x@y.example");
	assert_int_equal(r.row.changed_unix_s, SITE_NOW);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
}

static void test_apply_change_of_one_domain_leaves_its_neighbour_alone(void **state)
{
	(void)state; /* A-T8, A-P18 */
	site_apply_main(&s, A_ENFORCE "  b.example: " ENFORCE "\n  mail.a.example: " ENFORCE "\n");
	assert_int_equal(site_count(&s, DB_BODIES), 1);
	struct site_row before = site_row(&s, "a.example"), after;
	s.now_unix_s += 60;
	site_apply_main(&s, A_ENFORCE "  b.example: " TESTING "\n  mail.a.example: " ENFORCE "\n");
	assert_int_equal(s.result.changed_count, 1);
	assert_int_equal(site_count(&s, DB_BODIES), 2);
	after = site_row(&s, "a.example");
	assert_memory_equal(&before, &after, sizeof before);
	expect_served(__LINE__, "b.example", BODY_TESTING, "20260601000100");
	expect_served(__LINE__, "mail.a.example", BODY_ENFORCE, SITE_STAMP);
}

static void test_apply_manual_id_that_stays_refuses_the_change(void **state)
{
	(void)state;
	site_apply_main(&s, "domains:\n  a.example: {id: x1, mode: enforce, max_age: 604800, mx: mail.example.com}\n");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "x1");
	site_apply_main(&s, "domains:\n  a.example: {id: x1, mode: testing, max_age: 604800, mx: mail.example.com}\n");
	expect_fresh(__LINE__, "E14");
	assert_int_equal(s.result.error_count, 1);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "x1");
	site_apply_main(&s, "domains:\n  a.example: {id: x2, mode: testing, max_age: 604800, mx: mail.example.com}\n");
	expect_served(__LINE__, "a.example", BODY_TESTING, "x2");
	assert_int_equal(s.result.error_count, 0);
	site_apply_main(&s, "domains:\n  a.example: {mode: enforce, max_age: 604800, mx: mail.example.com}\n");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
}

static void test_apply_change_of_the_scheme_does_not_change_ids_by_itself(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	site_apply_main(&s, "dns: {id: serial}\n" A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	site_apply_main(&s, "dns: {id: digest}\n" A_ENFORCE); /* but a digest is what it says */
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "a5963b31a082635c6ec668171482b14f");
	site_apply_main(&s, "dns: {id: timestamp}\n" A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "a5963b31a082635c6ec668171482b14f");
}

/* --- mistakes ------------------------------------------------------------------------------------------------------
 */

static void test_apply_refused_domain_keeps_what_it_had(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *value, *code;
	} cases[] = {
		{__LINE__, "{mode: Enforce, max_age: 604800, mx: [mail.example.com]}", "E01"},
		{__LINE__, "{max_age: 604800, mx: [mail.example.com]}", "E01"},
		{__LINE__, "{mode: enforce, max_age: 1w, mx: [mail.example.com]}", "E02"},
		{__LINE__, "{mode: enforce, mx: [mail.example.com]}", "E02"},
		{__LINE__, "{mode: enforce, max_age: 604800, mx: []}", "E03"},
		{__LINE__, "{mode: enforce, max_age: 604800}", "E03"},
		{__LINE__, "{mode: enforce, max_age: 604800, mx: [192.0.2.1]}", "E04"},
		{__LINE__, "{mode: enforce, max_age: 604800, mx: [a..example]}", "E05"},
		{__LINE__, "{mode: enforce, max_age: 604800, mx: [\"a.example\\r\\nmode: none\"]}", "E06"},
		{__LINE__, "{mode: enforce, max_age: 604800, mx: [m.example], id: a-b}", "E09"},
		{__LINE__, "{mode: enforce, max_age: 604800, mx: [m.example], tls_rpt: x}", "E10"},
		{__LINE__, "{mode: enforce, max_age: 604800, mxs: [m.example]}", "E11"},
		{__LINE__, "{mode: enforce, mode: testing, max_age: 604800, mx: [m.example]}", "E12"},
		{__LINE__, "{mode: enforce, <<: {max_age: 604800}, mx: [m.example]}", "E12"},
		{__LINE__, "&x " TESTING, "E12"},
		{__LINE__, "!x " TESTING, "E12"},
		{__LINE__, "[standard]", "E16"},
		{__LINE__, "nowhere", "E19"},
		{__LINE__, "{policy: nowhere}", "E19"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[1024];
		site_apply_main(&s, A_ENFORCE "  z.example: " ENFORCE "\n");
		/* a tenant who is new and wrong is not served; others' changes are */
		(void)snprintf(text, sizeof text,
			       "domains:\n  a.example: %s\n  new.example: %s\n  z.example: " TESTING "\n",
			       cases[i].value, strncmp(cases[i].value, "&x", 2) == 0 ? "&y " TESTING : cases[i].value);
		site_apply_main(&s, text);
		expect_fresh(cases[i].line, cases[i].code);
		struct site_row r = site_row(&s, "a.example");
		if (!r.is_there || r.row.state != DOMAIN_LIVE || strcmp(r.body, BODY_ENFORCE) != 0)
			fail_msg("line %d: a.example is lost", cases[i].line);
		expect_gone(cases[i].line, "new.example");
		expect_served(cases[i].line, "z.example", BODY_TESTING, NULL);
		if (s.result.error_count < 2)
			fail_msg("line %d: %zu errors", cases[i].line, s.result.error_count);
	}
}

static void test_apply_errors_are_told_once_and_forgotten_when_mended(void **state)
{
	(void)state;
	site_apply_main(&s, "domains:\n  a.example: {mode: x}\n  b.example: {mode: none}\n");
	assert_int_equal(s.result.fresh.error_count, 2);
	assert_int_equal(s.result.error_count, 2);
	site_apply(&s);
	assert_int_equal(s.result.fresh.count, 0);
	assert_int_equal(s.result.error_count, 2);
	site_apply_main(&s, "domains:\n  a.example: {mode: x}\n  b.example: {mode: none}\n  c.example: {mode: x}\n");
	assert_int_equal(s.result.fresh.error_count, 1);
	assert_int_equal(s.result.error_count, 3);
	site_apply_main(&s, A_ENFORCE);
	assert_int_equal(s.result.fresh.error_count, 0);
	assert_int_equal(s.result.error_count, 0);
	assert_int_equal(site_count(&s, DB_PROBLEMS), 0);
}

static void test_apply_one_bad_tenant_among_a_hundred(void **state)
{
	(void)state; /* A-C9 */
	struct buf text;
	buf_init(&text, 100000);
	(void)buf_add_text(&text, "domains:\n");
	for (int i = 0; i < 100; i++)
		(void)buf_printf(&text, "  d%02d.example: %s\n", i, i == 42 ? "{mode: enforce, max_age: 1}" : ENFORCE);
	site_apply_main(&s, buf_text(&text));
	assert_int_equal(s.result.domain_count, 99);
	assert_int_equal(s.result.error_count, 1);
	const struct problem *p = site_find_problem(&s.result.fresh, "E03");
	assert_non_null(p);
	assert_string_equal(p->domain, "d42.example");
	assert_int_equal(p->line, 44);
	buf_deinit(&text);
}

static void test_apply_half_a_file_is_not_the_wish_to_have_no_tenants(void **state)
{
	(void)state; /* A-C7, A-L3 */
	static const struct {
		int line;
		const char *yaml;
	} cases[] = {
		{__LINE__, ""},
		{__LINE__, "# nothing\n"},
		{__LINE__, "---\n"},
		{__LINE__, "domains:\n"},
		{__LINE__, "domains: []\n"},
		{__LINE__, "domains: ~\n"},
		{__LINE__, "domains: {\n"},
		{__LINE__, A_ENFORCE A_ENFORCE},
		{__LINE__, A_ENFORCE "---\n" A_ENFORCE},
		{__LINE__, "text\n"},
		{__LINE__, "[]\n"},
		{__LINE__, "domains: &x {}\n"},
		{__LINE__, "domains: !!map {}\n"},
		{__LINE__, "domain:\n  a.example: " ENFORCE "\n"},
		{__LINE__, "tenants:\n  a.example: " ENFORCE "\n"},
		{__LINE__, "domains:\n  a_example: " ENFORCE "\n"}, /* a slip in the name of the only one */
		{__LINE__, "domains:\n  ? [a.example]\n  : " ENFORCE "\n"},
		{__LINE__, "domains:\n  !!str a.example: " ENFORCE "\n"},
		{__LINE__, "domains:\n  <<: {a.example: " ENFORCE "}\n"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		site_apply_main(&s, A_ENFORCE);
		site_apply_main(&s, cases[i].yaml);
		if (s.result.error_count == 0)
			fail_msg("line %d: no error", cases[i].line);
		expect_served(cases[i].line, "a.example", BODY_ENFORCE, SITE_STAMP);
		site_apply(&s); /* nor the next time, when the file is known */
		expect_served(cases[i].line, "a.example", BODY_ENFORCE, SITE_STAMP);
	}
	site_apply_main(&s, "domains: {}\n"); /* but this is */
	expect_withdrawn(__LINE__, "a.example", SITE_NOW + WEEK_S);
}

static void test_apply_first_run_with_a_broken_file_publishes_nothing(void **state)
{
	(void)state;
	site_apply_main(&s, "domains: {\n");
	assert_int_equal(s.result.domain_count, 0);
	expect_fresh(__LINE__, "E16");
	site_apply_main(&s, A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	assert_int_equal(s.result.error_count, 0);
}

static void test_apply_main_file_that_is_gone_takes_nobody_with_it(void **state)
{
	(void)state; /* A-L4 */
	site_make_folder(&s, "d");
	site_write(&s, "d/b.yaml", "domains:\n  b.example: " ENFORCE "\n");
	site_apply_main(&s, A_ENFORCE "include: [d/*.yaml]\n");
	site_remove(&s, SITE_MAIN);
	site_write(&s, "d/b.yaml", "domains:\n  b.example: " TESTING "\n");
	site_apply(&s);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL); /* the others' changes are taken */
	site_remove(&s, "d/b.yaml");
	site_apply(&s);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL);
	site_apply_main(&s, A_TESTING "include: [d/*.yaml]\n");
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
}

static void test_apply_defaults_without_main_file_blame_no_other_file(void **state)
{
	(void)state;
	char path[256];
	site_make_folder(&s, "d");
	site_write(&s, "d/b.yaml", "domains:\n  b.example: {mode: none}\npolicies: {p: {max_age: 1}}\n");
	site_apply_main(&s, "defaults: {policy: p}\ndomains: {}\ninclude: [d/*.yaml]\n");
	site_remove(&s, SITE_MAIN);
	site_write(&s, "d/b.yaml", "domains:\n  b.example: {mode: none}\n"); /* the default policy is gone */
	site_apply(&s);
	const struct problem *p = site_find_problem(&s.result.fresh, "E19");
	assert_non_null(p);
	assert_string_equal(p->file, site_path(&s, "d/b.yaml", path));
	assert_int_equal(p->line, 2); /* at the domain, since the defaults stand nowhere */
	assert_string_equal(p->domain, "b.example");
}

static void test_apply_mistake_among_the_server_keys_keeps_those_in_force(void **state)
{
	(void)state;
	site_apply_main(&s, "dns: {ttl: 77}\n" A_ENFORCE);
	site_apply_main(&s, "dns: {ttl: 88}\nworkers: many\n" A_TESTING);
	expect_fresh(__LINE__, "E17");
	struct site_row r = site_row(&s, "a.example");
	assert_int_equal(r.row.ttl_s, 77);
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL); /* tenants are not held up by it */
	struct settings settings;
	assert_int_equal(stored_load_settings(s.dir.store, &settings, NULL), 0);
	assert_int_equal(settings.dns_ttl_s, 77);
	settings_deinit(&settings);
}

static void test_apply_refused_defaults_keep_those_in_force(void **state)
{
	(void)state;
	site_apply_main(&s,
			"defaults: {mode: enforce, max_age: 604800}\ndomains:\n  a.example: {mx: mail.example.com}\n");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	site_apply_main(&s, "defaults: {mode: testing, max_age: 1w}\ndomains:\n  a.example: {mx: mail.example.com}\n"
			    "  b.example: {mx: mail.example.com}\n");
	expect_fresh(__LINE__, "E02");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
}

static void test_apply_one_tenant_cannot_stop_the_others_by_size(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 20);
	(void)buf_add_text(&text, "domains:\n  big.example:\n    mode: enforce\n    max_age: 604800\n    mx:\n");
	for (int i = 0; i < 13000; i++) /* short names: many lines from few bytes */
		(void)buf_printf(&text, "    - %c%c.%c%c\n", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676 % 26,
				 'a' + i / 17576);
	(void)buf_add_text(&text, "  a.example: " ENFORCE "\n");
	site_apply_main(&s, buf_text(&text));
	expect_fresh(__LINE__, "E08");
	assert_true(s.result.error_count < 10); /* one mistake, not thousands */
	expect_gone(__LINE__, "big.example");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	buf_deinit(&text);
}

/* --- withdrawals ---------------------------------------------------------------------------------------------------
 */

static void test_apply_removed_domain_is_withdrawn_until_no_cache_can_hold_it(void **state)
{
	(void)state; /* A-L8 */
	site_apply_main(&s, A_ENFORCE "  b.example: " ENFORCE "\n");
	assert_int_equal(site_count(&s, DB_BODIES), 1);
	s.now_unix_s += 100;
	site_apply_main(&s, "domains:\n  b.example: " ENFORCE "\n");
	assert_int_equal(s.result.withdrawn_count, 1);
	assert_int_equal(s.result.withdrawn_total, 1);
	assert_int_equal(s.result.domain_count, 2);
	expect_withdrawn(__LINE__, "a.example", s.now_unix_s + WEEK_S); /* the last fetch may have been just now */
	struct site_row r = site_row(&s, "a.example");
	assert_string_equal(r.body, BODY_WITHDRAWN);
	assert_string_equal(r.row.id, "20260601000140");
	assert_int_equal(r.row.mode_since_unix_s, s.now_unix_s);
	assert_int_equal(site_count(&s, DB_BODIES), 2);
	s.now_unix_s += DAY_S;
	site_apply(&s);
	assert_false(s.result.is_committed);
	site_apply_main(&s, "domains:\n  b.example: " TESTING "\n"); /* the date does not move */
	expect_withdrawn(__LINE__, "a.example", SITE_NOW + 100 + WEEK_S);
	assert_int_equal(s.result.withdrawn_count, 0);
	assert_int_equal(s.result.withdrawn_total, 1);
	s.now_unix_s = SITE_NOW + 100 + WEEK_S - 1;
	site_apply(&s);
	assert_true(site_row(&s, "a.example").is_there);
	s.now_unix_s++;
	site_apply(&s);
	assert_true(s.result.is_committed);
	expect_gone(__LINE__, "a.example");
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	assert_int_equal(site_count(&s, DB_BODIES), 1);
}

static void test_apply_ledger_remembers_the_longest_promise(void **state)
{
	(void)state;
	site_apply_main(&s, "domains:\n  a.example: {mode: enforce, max_age: 31557600, mx: mail.example.com}\n");
	s.now_unix_s += 10;
	site_apply_main(&s, "domains:\n  a.example: {mode: enforce, max_age: 86400, mx: mail.example.com}\n");
	assert_int_equal(site_row(&s, "a.example").row.cached_until_unix_s, SITE_NOW + 10 + 31557600);
	s.now_unix_s += 10;
	site_apply_main(&s, "domains:\n  a.example: {mode: none, max_age: 86400, mx: mail.example.com}\n");
	assert_int_equal(site_row(&s, "a.example").row.cached_until_unix_s, SITE_NOW + 10 + 31557600);
	s.now_unix_s += 10;
	site_apply_main(&s, "domains: {}\n");
	expect_withdrawn(__LINE__, "a.example", SITE_NOW + 10 + 31557600);
}

static void test_apply_removed_domain_that_nobody_can_hold_goes_at_once(void **state)
{
	(void)state;
	site_apply_main(&s, "domains:\n  a.example: {mode: none, max_age: 86400, mx: mail.example.com}\n"
			    "  b.example: {mode: enforce, max_age: 0, mx: mail.example.com}\n");
	assert_int_equal(s.result.domain_count, 2);
	site_apply_main(&s, "domains: {}\n");
	assert_int_equal(s.result.domain_count, 0);
	assert_int_equal(site_count(&s, DB_BODIES), 0);
	assert_int_equal(site_count(&s, DB_SPECS), 0);
}

static void test_apply_domain_that_comes_back_is_live_under_a_new_id(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	site_apply_main(&s, "domains: {}\n");
	expect_withdrawn(__LINE__, "a.example", SITE_NOW + WEEK_S);
	assert_string_equal(site_row(&s, "a.example").row.id, "20260601000001");
	site_apply_main(&s, A_ENFORCE);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "20260601000002");
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	assert_int_equal(site_count(&s, DB_BODIES), 1);
	s.now_unix_s += 2 * WEEK_S; /* the former date means nothing any more */
	site_apply(&s);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, "20260601000002");
}

static void test_apply_domain_that_comes_back_with_the_withdrawn_bytes_keeps_their_id(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	site_apply_main(&s, "domains: {}\n");
	site_apply_main(&s, "domains:\n  a.example: {mode: none, max_age: 86400, mx: mail.example.com}\n");
	expect_served(__LINE__, "a.example", BODY_WITHDRAWN, "20260601000001");
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	assert_int_equal(site_row(&s, "a.example").row.cached_until_unix_s, SITE_NOW + WEEK_S);
}

static void test_apply_ids_of_rows_that_are_gone_do_not_come_again(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *scheme, *id;
	} cases[] = {
		{__LINE__, "timestamp", "20260608000001"},
		{__LINE__, "serial", "3"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char with[256], without[128];
		(void)snprintf(with, sizeof with, "dns: {id: %s}\n" A_ENFORCE, cases[i].scheme);
		(void)snprintf(without, sizeof without, "dns: {id: %s}\ndomains: {}\n", cases[i].scheme);
		s.now_unix_s = SITE_NOW + WEEK_S - 1;
		site_apply_main(&s, with);
		site_apply_main(&s, without);
		s.now_unix_s += WEEK_S + 2;
		site_apply_main(&s, without);
		expect_gone(cases[i].line, "a.example");
		s.now_unix_s = SITE_NOW; /* the clock was put back */
		site_apply_main(&s, with);
		struct site_row r = site_row(&s, "a.example");
		if (strcmp(r.row.id, cases[i].id) != 0)
			fail_msg("line %d: %s", cases[i].line, r.row.id);
		site_close(&s);
		site_open(&s);
	}
}

static void test_apply_errors_of_a_removed_domain_go_with_it(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	site_apply_main(&s, "domains:\n  a.example: nowhere\n");
	assert_int_equal(s.result.error_count, 1);
	site_apply_main(&s, "domains: {}\n");
	assert_int_equal(s.result.error_count, 0);
	expect_withdrawn(__LINE__, "a.example", SITE_NOW + WEEK_S);
}

/* --- several files --------------------------------------------------------------------------------------------------
 */

#define B_ENFORCE "domains:\n  b.example: " ENFORCE "\n"
#define B_TESTING "domains:\n  b.example: " TESTING "\n"
#define C_ENFORCE "domains:\n  c.example: " ENFORCE "\n"
#define C_TESTING "domains:\n  c.example: " TESTING "\n"
#define MAIN_D A_ENFORCE "include: [d/*.yaml]\n"

static void start_with_files(void)
{
	site_make_folder(&s, "d");
	site_write(&s, "d/b.yaml", B_ENFORCE);
	site_write(&s, "d/c.yaml", C_ENFORCE);
	site_apply_main(&s, MAIN_D);
	assert_int_equal(s.result.domain_count, 3);
	assert_int_equal(s.result.error_count, 0);
}

static void test_apply_syntax_error_in_one_file_holds_up_that_file_only(void **state)
{
	(void)state;
	start_with_files();
	site_write(&s, "d/b.yaml", "domains:\n  b.example: {mode: [\n");
	site_write(&s, "d/c.yaml", C_TESTING);
	site_apply(&s);
	expect_fresh(__LINE__, "E16");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "c.example", BODY_TESTING, NULL);
	site_write(&s, SITE_MAIN, "domains: {\n");
	site_write(&s, "d/b.yaml", B_TESTING);
	site_apply(&s);
	assert_int_equal(s.result.error_count, 1);
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL);
}

static void test_apply_slip_at_the_top_of_one_file_removes_nobody(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *name, *yaml;
	} cases[] = {
		{__LINE__, "d/b.yaml", "domain:\n  b.example: " ENFORCE "\n"},
		{__LINE__, "d/b.yaml", "dns: {ttl: 1}\n"},
		{__LINE__, "d/b.yaml", "domains:\n  b_example: " ENFORCE "\n"},
		{__LINE__, "d/b.yaml", "domains: &x\n  b.example: " ENFORCE "\n"},
		{__LINE__, "d/b.yaml", "policies: {}\n*x : {}\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "inclde: [d/*.yaml]\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "Include: [d/*.yaml]\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "include: &x [d/*.yaml]\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "include: !x d/*.yaml\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "include: {d: 1}\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "include: [\"d/*.yaml\\n\"]\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "include:\n"},
		{__LINE__, SITE_MAIN, A_ENFORCE "include: ['']\n"},
	};
	start_with_files();
	for (size_t i = 0; i < COUNT(cases); i++) {
		site_write(&s, cases[i].name, cases[i].yaml);
		for (int run = 0; run < 2; run++) { /* the second time the file is known */
			site_apply(&s);
			if (s.result.error_count == 0)
				fail_msg("line %d: no error", cases[i].line);
			expect_served(cases[i].line, "a.example", BODY_ENFORCE, SITE_STAMP);
			expect_served(cases[i].line, "b.example", BODY_ENFORCE, SITE_STAMP);
			expect_served(cases[i].line, "c.example", BODY_ENFORCE, SITE_STAMP);
		}
		site_write(&s, SITE_MAIN, MAIN_D);
		site_write(&s, "d/b.yaml", B_ENFORCE);
		site_apply(&s);
		if (s.result.error_count || s.result.domain_count != 3)
			fail_msg("line %d: %zu errors after mending", cases[i].line, s.result.error_count);
	}
}

static void test_apply_slip_in_one_entry_holds_back_removals_and_nothing_else(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE "  b.example: " ENFORCE "\n");
	site_apply_main(&s, "domains:\n  a.example: " TESTING "\n  b_example: " ENFORCE "\n  n.example: " ENFORCE "\n");
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "n.example", BODY_ENFORCE, SITE_STAMP);
	site_apply_main(&s, "domains:\n  a.example: " TESTING "\n  n.example: " ENFORCE "\n"); /* now it is meant */
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
}

static void test_apply_deleted_file_withdraws_its_domains(void **state)
{
	(void)state;
	start_with_files();
	site_remove(&s, "d/b.yaml");
	site_apply(&s);
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
	expect_served(__LINE__, "c.example", BODY_ENFORCE, SITE_STAMP);
	assert_int_equal(site_count(&s, DB_FILES), 2);
	site_write(&s, "d/b.yaml", B_ENFORCE);
	site_apply(&s);
	expect_served(__LINE__, "b.example", BODY_ENFORCE, "20260601000002");
}

static void test_apply_folder_that_is_gone_keeps_its_domains_and_says_so(void **state)
{
	(void)state;
	char from[256], to[256];
	start_with_files();
	assert_int_equal(rename(site_path(&s, "d", from), site_path(&s, "elsewhere", to)), 0);
	site_apply(&s);
	expect_fresh(__LINE__, "E18");
	assert_int_equal(s.result.error_count, 1);
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	site_apply(&s);
	expect_fresh(__LINE__, NULL); /* told once */
	assert_int_equal(s.result.error_count, 1);
	site_apply_main(&s, MAIN_D "# touched\n");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	assert_int_equal(s.result.error_count, 1);
	assert_int_equal(rename(to, from), 0);
	site_apply(&s);
	assert_int_equal(s.result.error_count, 0); /* without the main file being touched */
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	site_remove(&s, "d/b.yaml");
	site_apply(&s);
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
}

static void test_apply_file_named_outright_is_missed_and_not_taken_for_deleted(void **state)
{
	(void)state;
	site_write(&s, "b.yaml", B_ENFORCE);
	site_apply_main(&s, A_ENFORCE "include: [b.yaml]\n");
	site_remove(&s, "b.yaml");
	site_apply(&s);
	expect_fresh(__LINE__, "E18");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	site_write(&s, "b.yaml", B_TESTING);
	site_apply(&s);
	assert_int_equal(s.result.error_count, 0);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL);
	site_apply_main(&s, A_ENFORCE); /* this is how to delete it */
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
	assert_int_equal(site_count(&s, DB_FILES), 1);
}

static void test_apply_domain_in_two_files_is_the_firsts_until_it_lets_go(void **state)
{
	(void)state;
	start_with_files();
	site_write(&s, "d/c.yaml", C_ENFORCE "  b.example: " TESTING "\n");
	site_apply(&s);
	expect_fresh(__LINE__, "E07");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	site_apply(&s);
	expect_fresh(__LINE__, NULL);
	assert_int_equal(s.result.error_count, 1);
	site_write(&s, "d/b.yaml", "domains: {}\n"); /* c.yaml is not touched */
	site_apply(&s);
	assert_int_equal(s.result.error_count, 0);
	expect_served(__LINE__, "b.example", BODY_TESTING, "20260601000001");
	assert_int_equal(s.result.withdrawn_count, 0); /* it never was without an owner */
	site_apply(&s);
	assert_false(s.result.is_committed);
}

static void test_apply_policy_in_two_files_is_the_firsts_until_it_lets_go(void **state)
{
	(void)state;
	site_make_folder(&s, "d");
	site_write(&s, "d/b.yaml", "policies:\n  p: " ENFORCE "\n");
	site_write(&s, "d/c.yaml", "policies:\n  p: " TESTING "\n");
	site_apply_main(&s, "domains:\n  a.example: p\ninclude: [d/*.yaml]\n");
	expect_fresh(__LINE__, "E12");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	site_remove(&s, "d/b.yaml");
	site_apply(&s);
	assert_int_equal(s.result.error_count, 0);
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
}

static void test_apply_domain_moved_to_another_file_keeps_its_id(void **state)
{
	(void)state;
	start_with_files();
	struct site_row before = site_row(&s, "b.example"), after;
	s.now_unix_s += DAY_S;
	site_write(&s, "d/b.yaml", "domains: {}\n");
	site_write(&s, "d/c.yaml", C_ENFORCE "  b.example: " ENFORCE "\n");
	site_apply(&s);
	assert_int_equal(s.result.changed_count, 0);
	assert_int_equal(s.result.withdrawn_count, 0);
	after = site_row(&s, "b.example");
	assert_memory_equal(&before, &after, sizeof before);
	site_write(&s, "d/b.yaml", B_ENFORCE); /* and back, while the other file goes */
	site_remove(&s, "d/c.yaml");
	site_apply(&s);
	after = site_row(&s, "b.example");
	assert_memory_equal(&before, &after, sizeof before);
}

static void test_apply_domain_moved_with_a_mistake_in_it_keeps_what_it_had(void **state)
{
	(void)state;
	start_with_files();
	site_write(&s, "d/b.yaml", "domains: {}\n");
	site_write(&s, "d/c.yaml", C_ENFORCE "  b.example: {mode: Enforce}\n");
	site_apply(&s);
	expect_fresh(__LINE__, "E01");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	site_write(&s, "d/c.yaml", C_ENFORCE "  b.example: " TESTING "\n");
	site_apply(&s);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL);
	assert_int_equal(s.result.error_count, 0);
	site_write(&s, "d/c.yaml", C_ENFORCE);
	site_apply(&s);
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
}

static void test_apply_file_that_two_patterns_name_is_read_once(void **state)
{
	(void)state;
	site_make_folder(&s, "d");
	site_write(&s, "d/b.yaml", B_ENFORCE);
	site_apply_main(&s, A_ENFORCE "include: [d/*.yaml, d/b.yaml, \"./*.yaml\", \"*.yaml\"]\n");
	if (s.result.error_count)
		fail_msg("%s: %s", s.result.fresh.items[0].file, s.result.fresh.items[0].text);
	assert_int_equal(s.result.domain_count, 2);
}

static void test_apply_file_that_could_not_be_read_is_tried_again(void **state)
{
	(void)state;
	char path[256];
	if (geteuid() != 0)
		skip();
	start_with_files();
	site_write(&s, "d/b.yaml", B_TESTING);
	assert_int_equal(chmod(site_path(&s, "d/b.yaml", path), 0600), 0);
	assert_int_equal(chmod(s.dir.path, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	site_apply(&s);
	assert_int_equal(seteuid(0), 0);
	expect_fresh(__LINE__, "E18");
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	site_apply(&s); /* the file is what it was: only we are others */
	assert_int_equal(s.result.error_count, 0);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL);
}

static void test_apply_what_is_no_file_among_the_includes_is_told_and_passed_over(void **state)
{
	(void)state;
	char path[256];
	start_with_files();
	site_make_folder(&s, "d/folder.yaml");
	assert_int_equal(mkfifo(site_path(&s, "d/pipe.yaml", path), 0600), 0);
	assert_int_equal(symlink("nowhere", site_path(&s, "d/link.yaml", path)), 0);
	site_apply(&s);
	assert_int_equal(s.result.fresh.error_count, 2);
	expect_fresh(__LINE__, "E18");
	assert_int_equal(s.result.domain_count, 3);
	site_remove(&s, "d/folder.yaml");
	site_remove(&s, "d/pipe.yaml");
	site_apply(&s);
	assert_int_equal(s.result.error_count, 0);
}

static void test_apply_path_too_long_for_the_store_stops_nothing_else(void **state)
{
	(void)state;
	char name[200], folder[600];
	start_with_files();
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	(void)snprintf(folder, sizeof folder, "%s/d/%s", s.dir.path, name);
	for (int depth = 0; depth < 3; depth++) {
		assert_int_equal(mkdir(folder, 0755), 0);
		size_t len = strlen(folder);
		if (depth < 2)
			(void)snprintf(folder + len, sizeof folder - len, "/%.150s", name);
	}
	char file[700], pattern[1024];
	(void)snprintf(file, sizeof file, "%s/n.yaml", folder);
	assert_true(strlen(file) > DB_KEY_MAX_BYTES);
	site_put_bytes(file, "domains:\n  n.example: " ENFORCE "\n", O_EXCL);
	(void)snprintf(pattern, sizeof pattern, A_TESTING "include: [d/*.yaml, %s/*.yaml]\n", folder);
	site_apply_main(&s, pattern);
	expect_fresh(__LINE__, "E18");
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	expect_gone(__LINE__, "n.example");
	assert_int_equal(s.result.error_count, 1);
	site_apply(&s);
	assert_int_equal(s.result.error_count, 1);
	site_apply_main(&s, MAIN_D);
	assert_int_equal(s.result.error_count, 0);
}

/* --- policies and defaults
 * --------------------------------------------------------------------------------------------- */

static void test_apply_changed_policy_changes_exactly_its_domains(void **state)
{
	(void)state;
	static const char domains[] =
		"domains:\n  a.example: p\n  b.example: p\n  c.example: q\n  d.example: " ENFORCE "\n"
		"  e.example: {policy: p, mode: testing}\n  f.example: {policy: q, mode: testing}\n";
	char text[1024];
	(void)snprintf(text, sizeof text, "policies:\n  p: " ENFORCE "\n  q: " ENFORCE "\n%s", domains);
	site_apply_main(&s, text);
	assert_int_equal(s.result.changed_count, 6);
	assert_int_equal(site_count(&s, DB_BODIES), 2);
	s.now_unix_s += 60;
	(void)snprintf(text, sizeof text,
		       "policies:\n  p: {mode: enforce, max_age: 777777, mx: [mail.example.com]}\n  q: " ENFORCE "\n%s",
		       domains);
	site_apply_main(&s, text);
	assert_int_equal(s.result.changed_count, 3);
	assert_string_equal(site_row(&s, "a.example").row.id, "20260601000100");
	assert_string_equal(site_row(&s, "b.example").row.id, "20260601000100");
	assert_string_equal(site_row(&s, "c.example").row.id, SITE_STAMP);
	assert_string_equal(site_row(&s, "d.example").row.id, SITE_STAMP);
	assert_string_equal(site_row(&s, "e.example").row.id, "20260601000100");
	assert_string_equal(site_row(&s, "f.example").row.id, SITE_STAMP);
	assert_int_equal(site_count(&s, DB_BODIES), 4);
}

static void test_apply_policy_that_is_gone_or_wrong_leaves_its_domains_as_they_were(void **state)
{
	(void)state;
	site_apply_main(&s, "policies:\n  p: " ENFORCE "\ndomains:\n  a.example: p\n");
	site_apply_main(&s, "policies:\n  p: {mode: x, max_age: 1, mx: [y.example]}\ndomains:\n  a.example: p\n");
	expect_fresh(__LINE__, "E01");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	site_apply_main(&s, "domains:\n  a.example: p\n");
	expect_fresh(__LINE__, "E19");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	site_apply_main(&s, "policies:\n  p: " TESTING "\ndomains:\n  a.example: p\n");
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	assert_int_equal(s.result.error_count, 0);
}

static void test_apply_changed_defaults_reach_whoever_has_no_other_word(void **state)
{
	(void)state;
	static const char domains[] = "domains:\n  a.example: {mx: mail.example.com}\n  b.example: " ENFORCE
				      "\n  c.example: p\n"
				      "policies: {p: {mode: enforce, mx: mail.example.com}}\n";
	char text[512];
	(void)snprintf(text, sizeof text, "defaults: {mode: enforce, max_age: 604800}\n%s", domains);
	site_apply_main(&s, text);
	assert_int_equal(site_count(&s, DB_BODIES), 1);
	(void)snprintf(text, sizeof text, "defaults: {mode: testing, max_age: 604800}\n%s", domains);
	site_apply_main(&s, text);
	assert_int_equal(s.result.changed_count, 1);
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "c.example", BODY_ENFORCE, SITE_STAMP);
	site_apply_main(&s, domains);              /* no defaults any more */
	assert_int_equal(s.result.error_count, 3); /* a has neither mode nor max_age, c no max_age */
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_served(__LINE__, "c.example", BODY_ENFORCE, SITE_STAMP);
}

static void test_apply_default_policy_is_everybodys_who_names_none(void **state)
{
	(void)state;
	site_apply_main(&s, "defaults: {policy: p}\npolicies: {p: " ENFORCE ", q: " TESTING "}\n"
			    "domains:\n  a.example:\n  b.example: q\n");
	expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
	expect_served(__LINE__, "b.example", BODY_TESTING, SITE_STAMP);
	site_apply_main(&s, "defaults: {policy: p}\npolicies: {p: " TESTING ", q: " TESTING "}\n"
			    "domains:\n  a.example:\n  b.example: q\n");
	assert_int_equal(s.result.changed_count, 1);
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
}

static void test_apply_bodies_are_stored_once_and_counted(void **state)
{
	(void)state; /* site_check_store compares the counts with the rows after every step */
	static const struct {
		int line;
		const char *yaml;
		size_t bodies, rows;
	} steps[] = {
		{__LINE__, "domains: {a.example: " ENFORCE "}\n", 1, 1},
		{__LINE__, "domains: {a.example: " ENFORCE ", b.example: " ENFORCE "}\n", 1, 2},
		{__LINE__, "domains: {a.example: " ENFORCE ", b.example: " TESTING "}\n", 2, 2},
		{__LINE__, "domains: {a.example: " TESTING ", b.example: " TESTING "}\n", 1, 2},
		{__LINE__, "domains: {a.example: " TESTING "}\n", 2, 2}, /* b withdrawn */
		{__LINE__, "domains: {c.example: " TESTING "}\n", 2, 3}, /* a and b withdrawn alike */
		{__LINE__, "domains: {a.example: " TESTING ", c.example: " TESTING "}\n", 2, 3},
		{__LINE__, "domains: {a.example: nowhere, c.example: " TESTING "}\n", 2, 3},
		{__LINE__, "domains: {}\n", 1, 3},
	};
	for (size_t i = 0; i < COUNT(steps); i++) {
		site_apply_main(&s, steps[i].yaml);
		if (site_count(&s, DB_BODIES) != steps[i].bodies || site_count(&s, DB_DOMAINS) != steps[i].rows)
			fail_msg("line %d: %zu bodies, %zu rows", steps[i].line, site_count(&s, DB_BODIES),
				 site_count(&s, DB_DOMAINS));
	}
	s.now_unix_s += 2 * WEEK_S;
	site_apply(&s);
	assert_int_equal(site_count(&s, DB_BODIES), 0);
}

/* --- files that somebody is still writing
 * -------------------------------------------------------------------------------- */

static void test_apply_file_that_shrank_in_place_is_put_off(void **state)
{
	(void)state; /* A-L2 */
	static const struct {
		int line;
		const char *text;
	} cases[] = {
		{__LINE__, ""},
		{__LINE__, "domains:\n"},
		{__LINE__, "domains: {}\n"},
		{__LINE__, A_TESTING},
		{__LINE__, "domains:\n  a.exam"},
		{__LINE__, A_TESTING "  b.example: " TESTING},                     /* no line end yet */
		{__LINE__, A_TESTING "  n.example: " TESTING "\n# long enough\n"}, /* b is missing */
		{__LINE__, A_TESTING "  b.example: {mode: [ # long enough to be longer\n"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		site_apply_main(&s, A_ENFORCE "  b.example: " ENFORCE "\n");
		site_write_in_place(&s, SITE_MAIN, cases[i].text);
		site_apply(&s);
		if (s.result.is_committed || s.result.retry_ms == 0 || s.result.retry_ms > MERGE_SETTLE_MS + 1 ||
		    s.result.error_count)
			fail_msg("line %d: committed %d, retry %llu", cases[i].line, s.result.is_committed,
				 (unsigned long long)s.result.retry_ms);
		struct site_row r = site_row(&s, "b.example");
		if (strcmp(r.body, BODY_ENFORCE) != 0)
			fail_msg("line %d: %s", cases[i].line, r.body);
	}
}

static void test_apply_file_that_only_grew_in_place_is_taken_at_once(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	site_write_in_place(&s, SITE_MAIN, A_TESTING "  b.example: " TESTING "\n");
	site_apply(&s);
	assert_int_equal(s.result.retry_ms, 0);
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_served(__LINE__, "b.example", BODY_TESTING, NULL);
}

static void test_apply_file_that_was_renamed_over_is_taken_at_once(void **state)
{
	(void)state; /* A-L1 */
	site_apply_main(&s, A_ENFORCE "  b.example: " ENFORCE "\n");
	site_apply_main(&s, A_TESTING);
	assert_int_equal(s.result.retry_ms, 0);
	expect_served(__LINE__, "a.example", BODY_TESTING, NULL);
	expect_withdrawn(__LINE__, "b.example", SITE_NOW + WEEK_S);
}

static void test_apply_main_file_that_is_still_written_loses_no_include(void **state)
{
	(void)state;
	static const char *const parts[] = {
		A_TESTING,
		A_ENFORCE "include: []\n",
		"domains: {}\n",
		"# much longer than before, but the end is not there yet ............................\n" A_ENFORCE,
	};
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (i == 0)
			start_with_files();
		else
			site_apply_main(&s, MAIN_D);
		site_write_in_place(&s, SITE_MAIN, parts[i]);
		site_apply(&s);
		assert_true(s.result.retry_ms > 0);
		expect_served(__LINE__, "a.example", BODY_ENFORCE, SITE_STAMP);
		expect_served(__LINE__, "b.example", BODY_ENFORCE, SITE_STAMP);
		expect_served(__LINE__, "c.example", BODY_ENFORCE, SITE_STAMP);
	}
}

/* --- beside the rows
 * --------------------------------------------------------------------------------------------------------- */

static void test_apply_settings_and_cert_paths_can_be_asked_for(void **state)
{
	(void)state;
	struct settings settings;
	struct text_list list = {0};
	struct err err = {0};
	assert_int_equal(stored_load_settings(s.dir.store, &settings, &err), ERR_NOENT);
	settings_deinit(&settings);
	site_apply_main(&s, "certs: {paths: [certs]}\ndomains:\n"
			    "  a.example: {mode: none, max_age: 1, mx: m.example, cert: /srv/x}\n"
			    "  b.example: {mode: none, max_age: 1, mx: m.example, cert: tenants/b}\n"
			    "  c.example: {mode: none, max_age: 1, mx: m.example, cert: /srv/x}\n"
			    "  d.example: {mode: none, max_age: 1, mx: m.example, cert: /srv/a}\n");
	assert_int_equal(stored_load_settings(s.dir.store, &settings, NULL), 0);
	assert_int_equal(settings.cert_paths.count, 1);
	char path[256];
	assert_string_equal(settings.cert_paths.items[0], site_path(&s, "certs", path));
	settings_deinit(&settings);
	assert_int_equal(text_list_add(&list, SPAN_LIT("/srv/a")), 0);
	assert_int_equal(cert_paths_add(s.dir.store, &list, NULL), 0);
	assert_int_equal(list.count, 3); /* each once */
	assert_string_equal(list.items[0], "/srv/a");
	bool has_x = false, has_b = false;
	for (size_t i = 1; i < list.count; i++) {
		has_x = has_x || strcmp(list.items[i], "/srv/x") == 0;
		has_b = has_b || strcmp(list.items[i], site_path(&s, "tenants/b", path)) == 0;
	}
	assert_true(has_x && has_b);
	text_list_deinit(&list);
}

static void test_cert_paths_follow_what_is_written(void **state)
{
	(void)state;
#define NONE_WITH(cert) "{mode: none, max_age: 1, mx: m.example" cert "}\n"
	static const struct {
		int line;
		const char *yaml;
		size_t count;
	} cases[] = {
		/* site_apply compares the table with the specs */
		{__LINE__, "  a.example: " NONE_WITH(", cert: /srv/a"), 1},
		{__LINE__, "  a.example: " NONE_WITH(", cert: /srv/b") "  b.example: " NONE_WITH(", cert: /srv/b"), 2},
		{__LINE__, "  a.example: " NONE_WITH("") "  b.example: " NONE_WITH(", cert: /srv/b"), 1},
		{__LINE__, "  a.example: " NONE_WITH("") "  b.example: {mode: nonsense, cert: /srv/c}\n", 1},
		{__LINE__, "  a.example: " NONE_WITH(""), 0},
		{__LINE__, "  a.example: " NONE_WITH("") "  b.example: " NONE_WITH(", cert: /srv/b"), 1},
		{__LINE__, "  b.example: " NONE_WITH(""), 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char yaml[512];
		(void)snprintf(yaml, sizeof yaml, "domains:\n%s", cases[i].yaml);
		site_apply_main(&s, yaml);
		if (site_count(&s, DB_CERT_PATHS) != cases[i].count)
			fail_msg("line %d: %zu paths", cases[i].line, site_count(&s, DB_CERT_PATHS));
	}
#undef NONE_WITH
}

static void test_stored_layout_without_cert_paths_is_brought_up(void **state)
{
	(void)state;
	const uint32_t before = 1, unknown = 99, without_delegation = 2;
	const struct span layout = SPAN_LIT("layout");
	struct db_txn *txn;
	struct err err = {0};
	assert_int_equal(stored_check_layout(s.dir.store, NULL), 0);
	site_apply_main(&s, "domains:\n  a.example: {mode: none, max_age: 1, mx: m.example, cert: /srv/x}\n"
			    "  b.example: {mode: none, max_age: 1, mx: m.example}\n");
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(db_delete(txn, DB_CERT_PATHS, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(db_put(txn, DB_META, layout, (struct span){(const char *)&before, sizeof before}, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	assert_int_equal(stored_check_layout(s.dir.store, NULL), 0);
	assert_int_equal(stored_check_layout(s.dir.store, NULL), 0);
	site_check_store(&s);
	assert_int_equal(site_count(&s, DB_CERT_PATHS), 1);
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(
		db_put(txn, DB_META, layout, (struct span){(const char *)&without_delegation, sizeof before}, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	assert_int_equal(stored_check_layout(s.dir.store, NULL), 0);
	assert_true(site_row(&s, "a.example").is_there);
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(db_put(txn, DB_META, layout, (struct span){(const char *)&unknown, sizeof unknown}, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	assert_int_equal(stored_check_layout(s.dir.store, &err), ERR_CONFLICT);
}

static void test_apply_warns_once_about_a_change_that_is_risky(void **state)
{
	(void)state;
	site_apply_main(&s, A_ENFORCE);
	assert_non_null(site_find_problem(&s.result.fresh, "W05"));
	site_apply_main(&s, "domains:\n  a.example: {mode: enforce, max_age: 604800, mx: other.example.com}\n");
	const struct problem *p = site_find_problem(&s.result.fresh, "E15");
	assert_non_null(p);
	assert_int_equal(p->severity, PROBLEM_WARNING);
	assert_non_null(strstr(p->text, "mail.example.com"));
	assert_non_null(strstr(p->text, "2026-06-08T00:00:00Z"));
	site_apply(&s);
	assert_int_equal(s.result.fresh.count, 0);
	expect_served(__LINE__, "a.example",
		      "version: STSv1\r\nmode: enforce\r\nmx: other.example.com\r\nmax_age: 604800\r\n", NULL);
}

static void test_apply_warns_about_a_long_ttl_when_it_delays_a_change(void **state)
{
	(void)state; /* W13 */
	site_apply_main(&s, "dns: {ttl: 172800}\n" A_ENFORCE);
	assert_null(site_find_problem(&s.result.fresh, "W13"));
	site_apply_main(&s, "dns: {ttl: 300}\n" A_TESTING); /* lowered too late */
	const struct problem *p = site_find_problem(&s.result.fresh, "W13");
	assert_non_null(p);
	assert_non_null(strstr(p->text, "2026-06-03T00:00:00Z"));
	site_apply_main(&s, "dns: {ttl: 300}\n" A_ENFORCE);
	assert_null(site_find_problem(&s.result.fresh, "W13"));
}

/* --- built-in policies -------------------------------------------------------------------------------------------- */

#define PROTON "mx: mail.protonmail.ch\r\nmx: mailsec.protonmail.ch\r\n"
#define PROTON_BODY "version: STSv1\r\nmode: testing\r\n" PROTON "max_age: 86400\r\n"
#define A_PROTON "defaults: {mode: testing, max_age: 86400}\ndomains: {a.example: proton}\n"

static void test_apply_preset_gives_way_to_the_yaml_and_comes_back(void **state)
{
	(void)state;
	site_apply_main(&s, A_PROTON);
	expect_served(__LINE__, "a.example", PROTON_BODY, SITE_STAMP);
	site_apply_main(&s, "policies: {proton: {mx: m.example}}\n" A_PROTON);
	expect_served(__LINE__, "a.example", "version: STSv1\r\nmode: testing\r\nmx: m.example\r\nmax_age: 86400\r\n",
		      "20260601000001");
	site_apply_main(&s, "policies: {proton: {mode: enforce}}\n" A_PROTON); /* what it lacks is filled in */
	expect_served(__LINE__, "a.example", "version: STSv1\r\nmode: enforce\r\n" PROTON "max_age: 86400\r\n",
		      "20260601000002");
	site_apply_main(&s, A_PROTON);
	expect_served(__LINE__, "a.example", PROTON_BODY, "20260601000003");
	assert_int_equal(s.result.error_count, 0);
}

static void test_apply_refused_policy_is_not_replaced_by_the_preset_of_its_name(void **state)
{
	(void)state;
	static const char refused[] = "policies: {proton: {mx: \"a b\"}}\n" A_PROTON;
	site_apply_main(&s, refused); /* new and wrong: not served */
	expect_gone(__LINE__, "a.example");
	expect_fresh(__LINE__, "E04");
	expect_fresh(__LINE__, "E19");
	site_apply_main(&s, "# the same\n"
			    "policies: {proton: {mx: \"a b\"}}\n" A_PROTON);
	expect_gone(__LINE__, "a.example");
	site_apply_main(&s, A_PROTON);
	expect_served(__LINE__, "a.example", PROTON_BODY, SITE_STAMP);
	assert_int_equal(s.result.error_count, 0);
	site_apply_main(&s, refused); /* good before: stays */
	expect_served(__LINE__, "a.example", PROTON_BODY, SITE_STAMP);
	site_apply_main(&s, "policies: {proton: {mx: m.example}}\n" A_PROTON);
	expect_served(__LINE__, "a.example", "version: STSv1\r\nmode: testing\r\nmx: m.example\r\nmax_age: 86400\r\n",
		      "20260601000001");
}

static void put_meta(const char *key, const char *value)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(db_put(txn, DB_META, span_of(key), span_of(value), NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
}

/* What an update of the program does. Stands in for the row that the version before would have left: it is taken away
 * together with its body, and only a look at every domain brings it back. */
static void test_apply_other_presets_of_a_later_version_reach_every_domain(void **state)
{
	(void)state;
	site_apply_main(&s, A_PROTON);
	struct site_row before = site_row(&s, "a.example"), after;
	put_meta("presets", "those of another version");
	site_apply(&s);
	assert_true(s.result.is_committed);
	assert_int_equal(s.result.changed_count, 0); /* they say the same: no id changes */
	after = site_row(&s, "a.example");
	assert_memory_equal(&before, &after, sizeof before);
	struct db_txn *txn;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(
		db_delete(txn, DB_BODIES, (struct span){(char *)before.row.body, sizeof before.row.body}, NULL), 0);
	assert_int_equal(db_delete(txn, DB_DOMAINS, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	site_apply(&s);
	expect_gone(__LINE__, "a.example");
	put_meta("presets", "those of another version");
	site_apply(&s);
	expect_served(__LINE__, "a.example", PROTON_BODY, SITE_STAMP);
	site_apply(&s);
	assert_false(s.result.is_committed);
}

/* --- any order of events
 * -------------------------------------------------------------------------------------------------------- */

static uint32_t dice_state;

static unsigned dice(unsigned sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 16) % sides;
}

static void write_at_random(const char *name, bool is_main)
{
	static const char *const values[] = {
		ENFORCE,
		TESTING,
		"p",
		"q",
		"{policy: p, mode: none}",
		"{mode: x}",
		"{mode: enforce, max_age: 1}",
		"nowhere",
		"&x {}",
		"",
		"p",
		"q",
		ENFORCE,
		TESTING,
		"{policy: proton, mode: none, max_age: 9}",
	};
	static const char *const policies[] = {"p", "q", "proton"};
	struct buf text;
	buf_init(&text, 10000);
	if (dice(30) == 0)
		(void)buf_add_text(&text, "a: [\n");
	if (is_main)
		(void)buf_printf(&text, "include: [d/*.yaml]\ndefaults: %s\n", dice(2) ? "{mode: testing}" : ENFORCE);
	if (dice(4) == 0)
		(void)buf_printf(&text, "policies:\n  %s: %s\n", policies[dice(3)],
				 values[dice(2) + (dice(4) == 0) * 5]);
	(void)buf_printf(&text, "domains:\n  %c.only: {mode: none, max_age: 1, mx: m.example}\n",
			 is_main ? 'm' : name[2]);
	for (char c = 'a'; c < 'f'; c++)
		if (dice(5) == 0)
			(void)buf_printf(&text, "  %c.example: %s\n", c, values[dice(COUNT(values))]);
	if (dice(30) == 0)
		(void)buf_add_text(&text, "  x_y.example: {}\n");
	site_write(&s, name, buf_text(&text));
	buf_deinit(&text);
}

/* What is live is in a file. */
static void find_strays(const struct whole *w, unsigned step)
{
	struct db_txn *txn = site_begin(&s);
	struct db_cursor *cur;
	struct span key, value;
	struct domain_row row;
	size_t at;
	assert_int_equal(db_cursor_open(txn, DB_DOMAINS, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value))
		if (domains_decode(value, &row) == 0 && row.state == DOMAIN_LIVE && !whole_find(w, key, &at))
			fail_msg("step %u: %.*s is in no file", step, SPAN_ARG(key));
	db_cursor_close(cur);
	db_end(txn);
}

static bool has_domain(const struct problem_list *l, const char *domain)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].domain && strcmp(l->items[i].domain, domain) == 0)
			return true;
	return false;
}

/* Whatever a fresh look at the files finds good and without rival must be what is served. */
static size_t compare_with_files(unsigned step)
{
	struct load load;
	struct whole w;
	struct outcome v;
	struct problem_list rivals = {0}, ignored = {0};
	size_t good = 0;
	outcome_init(&v);
	bool is_usable = load_run(&load, s.main_path, NULL, NULL, NULL, NULL) == 0;
	for (size_t i = 0; is_usable && i < load.count; i++)
		is_usable = !load.files[i].source.is_broken && !load.files[i].source.has_gaps;
	assert_int_equal(whole_init(&w, &load, NULL, s.now_unix_s, &rivals), 0);
	for (size_t i = 0; is_usable && i < rivals.count; i++) /* of two policies that of the elder counts */
		is_usable = rivals.items[i].domain != NULL;
	if (is_usable)
		find_strays(&w, step);
	for (size_t i = 0; is_usable && i < w.domain_count; i++) {
		char domain[256];
		(void)snprintf(domain, sizeof domain, "%.*s", SPAN_ARG(whole_domain(&w, i)));
		assert_int_equal(whole_outcome(&w, i, &v, &ignored), 0);
		if (!v.is_good || has_domain(&rivals, domain))
			continue;
		struct site_row r = site_row(&s, domain);
		if (!r.is_there || r.row.state != DOMAIN_LIVE || !span_is(span_of(r.body), v.body))
			fail_msg("step %u: %s is not what its file says", step, domain);
		good++;
	}
	whole_deinit(&w);
	outcome_deinit(&v);
	problem_list_deinit(&rivals);
	problem_list_deinit(&ignored);
	load_deinit(&load);
	return good;
}

static void test_apply_any_order_of_events_ends_in_what_the_files_say(void **state)
{
	(void)state;
	static const char *const names[] = {"d/1.yaml", "d/2.yaml", "d/3.yaml", "d/4.yaml"};
	size_t compared = 0;
	dice_state = 1;
	site_make_folder(&s, "d");
	write_at_random(SITE_MAIN, true);
	for (unsigned step = 0; step < 400; step++) {
		for (unsigned n = dice(3); n > 0; n--) {
			const char *name = names[dice(COUNT(names))];
			char path[256];
			if (dice(5))
				write_at_random(name, false);
			else if (access(site_path(&s, name, path), F_OK) == 0)
				site_remove(&s, name);
		}
		if (dice(4) == 0)
			write_at_random(SITE_MAIN, true);
		s.now_unix_s += dice(4) == 0 ? WEEK_S : dice(100);
		site_apply(&s);
		assert_int_equal(s.result.retry_ms, 0);
		compared += compare_with_files(step);
		site_apply(&s); /* may find a rival of an entry that was refused in the first file */
		if (s.result.changed_count || s.result.withdrawn_count)
			fail_msg("step %u: a second run changes something", step);
		site_apply(&s);
		if (s.result.is_committed || s.result.fresh.count)
			fail_msg("step %u: a third run has something to say", step);
	}
	assert_true(compared > 500);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply_first_run_publishes_and_the_next_changes_nothing),
		TEST(test_apply_there_and_back_within_a_second_gives_three_ids),
		TEST(test_apply_mode_none_is_a_change_like_any_other),
		TEST(test_apply_ids_do_not_go_back_with_the_clock),
		TEST(test_apply_digest_ids_say_which_body_and_return_with_it),
		TEST(test_apply_serial_ids_grow_by_one_for_each_change),
		TEST(test_apply_serial_ids_go_on_from_the_start_of_the_server),
		TEST(test_apply_id_follows_the_bytes_and_nothing_else),
		TEST(test_apply_what_is_not_in_the_bytes_changes_the_row_only),
		TEST(test_apply_change_of_one_domain_leaves_its_neighbour_alone),
		TEST(test_apply_manual_id_that_stays_refuses_the_change),
		TEST(test_apply_change_of_the_scheme_does_not_change_ids_by_itself),
		TEST(test_apply_refused_domain_keeps_what_it_had),
		TEST(test_apply_errors_are_told_once_and_forgotten_when_mended),
		TEST(test_apply_one_bad_tenant_among_a_hundred),
		TEST(test_apply_half_a_file_is_not_the_wish_to_have_no_tenants),
		TEST(test_apply_first_run_with_a_broken_file_publishes_nothing),
		TEST(test_apply_main_file_that_is_gone_takes_nobody_with_it),
		TEST(test_apply_defaults_without_main_file_blame_no_other_file),
		TEST(test_apply_mistake_among_the_server_keys_keeps_those_in_force),
		TEST(test_apply_refused_defaults_keep_those_in_force),
		TEST(test_apply_one_tenant_cannot_stop_the_others_by_size),
		TEST(test_apply_removed_domain_is_withdrawn_until_no_cache_can_hold_it),
		TEST(test_apply_ledger_remembers_the_longest_promise),
		TEST(test_apply_removed_domain_that_nobody_can_hold_goes_at_once),
		TEST(test_apply_domain_that_comes_back_is_live_under_a_new_id),
		TEST(test_apply_domain_that_comes_back_with_the_withdrawn_bytes_keeps_their_id),
		TEST(test_apply_ids_of_rows_that_are_gone_do_not_come_again),
		TEST(test_apply_errors_of_a_removed_domain_go_with_it),
		TEST(test_apply_syntax_error_in_one_file_holds_up_that_file_only),
		TEST(test_apply_slip_at_the_top_of_one_file_removes_nobody),
		TEST(test_apply_slip_in_one_entry_holds_back_removals_and_nothing_else),
		TEST(test_apply_deleted_file_withdraws_its_domains),
		TEST(test_apply_folder_that_is_gone_keeps_its_domains_and_says_so),
		TEST(test_apply_file_named_outright_is_missed_and_not_taken_for_deleted),
		TEST(test_apply_domain_in_two_files_is_the_firsts_until_it_lets_go),
		TEST(test_apply_policy_in_two_files_is_the_firsts_until_it_lets_go),
		TEST(test_apply_domain_moved_to_another_file_keeps_its_id),
		TEST(test_apply_domain_moved_with_a_mistake_in_it_keeps_what_it_had),
		TEST(test_apply_file_that_two_patterns_name_is_read_once),
		TEST(test_apply_file_that_could_not_be_read_is_tried_again),
		TEST(test_apply_what_is_no_file_among_the_includes_is_told_and_passed_over),
		TEST(test_apply_path_too_long_for_the_store_stops_nothing_else),
		TEST(test_apply_changed_policy_changes_exactly_its_domains),
		TEST(test_apply_policy_that_is_gone_or_wrong_leaves_its_domains_as_they_were),
		TEST(test_apply_changed_defaults_reach_whoever_has_no_other_word),
		TEST(test_apply_default_policy_is_everybodys_who_names_none),
		TEST(test_apply_bodies_are_stored_once_and_counted),
		TEST(test_apply_file_that_shrank_in_place_is_put_off),
		TEST(test_apply_file_that_only_grew_in_place_is_taken_at_once),
		TEST(test_apply_file_that_was_renamed_over_is_taken_at_once),
		TEST(test_apply_main_file_that_is_still_written_loses_no_include),
		TEST(test_apply_settings_and_cert_paths_can_be_asked_for),
		TEST(test_cert_paths_follow_what_is_written),
		TEST(test_stored_layout_without_cert_paths_is_brought_up),
		TEST(test_apply_warns_once_about_a_change_that_is_risky),
		TEST(test_apply_warns_about_a_long_ttl_when_it_delays_a_change),
		TEST(test_apply_preset_gives_way_to_the_yaml_and_comes_back),
		TEST(test_apply_refused_policy_is_not_replaced_by_the_preset_of_its_name),
		TEST(test_apply_other_presets_of_a_later_version_reach_every_domain),
		TEST(test_apply_any_order_of_events_ends_in_what_the_files_say),
	};
	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}

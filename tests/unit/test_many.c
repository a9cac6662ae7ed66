/* Many domains in one run: what is worked out for one is used again for others, and never for the wrong ones. */
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

/* A number of every 16 domains is of each kind. */
enum kind {
	KIND_SHARED,    /* a policy by name */
	KIND_TESTING,   /* the same, another mode */
	KIND_SHORT,     /* the same, another max_age */
	KIND_OWN,       /* all of its own */
	KIND_MANUAL_ID, /* a policy by name, its id by hand: does not follow a change */
	KIND_NOWHERE,   /* refused */
	KIND_MX_LESS,   /* refused: mode enforce without mx */
	KIND_ABSENT,    /* there in every other generation: withdrawn in between */
};

enum { DOMAINS = 1600, POLICIES = 90 }; /* more policies than anybody remembers at a time */

static enum kind kind_of(unsigned i)
{
	static const enum kind kinds[16] = {
		KIND_SHARED, KIND_TESTING, KIND_SHARED, KIND_OWN,     KIND_SHARED,    KIND_NOWHERE,
		KIND_SHARED, KIND_SHORT,   KIND_SHARED, KIND_MX_LESS, KIND_MANUAL_ID, KIND_SHARED,
		KIND_ABSENT, KIND_TESTING, KIND_SHARED, KIND_SHARED,
	};
	return kinds[i / 3 % 16]; /* neighbours of one kind, too */
}

/* Runs of one policy, and policies that take turns. */
static unsigned policy_of(unsigned i)
{
	return i % 1000 < 300 ? i / 10 % 5 : i * 7 % POLICIES;
}

static void write_domain(struct buf *out, unsigned i, unsigned generation)
{
	unsigned p = policy_of(i);
	(void)buf_printf(out, "  d%04u.example: ", i);
	switch (kind_of(i)) {
	case KIND_SHARED:
	case KIND_ABSENT: (void)buf_printf(out, "p%u\n", p); return;
	case KIND_TESTING: (void)buf_printf(out, "{policy: p%u, mode: testing}\n", p); return;
	case KIND_SHORT: (void)buf_printf(out, "{policy: p%u, max_age: %u}\n", p, 700000 + i % 3); return;
	case KIND_OWN:
		(void)buf_printf(out, "{mode: enforce, max_age: 604800, mx: [m%u.own%u.example]}\n", generation, i);
		return;
	case KIND_MANUAL_ID: (void)buf_printf(out, "{policy: p%u, id: byhand%u}\n", p, i); return;
	case KIND_NOWHERE: (void)buf_add_text(out, "nowhere\n"); return;
	case KIND_MX_LESS: (void)buf_add_text(out, "{mode: enforce, max_age: 604800}\n"); return;
	}
}

static bool is_listed(unsigned i, unsigned generation)
{
	return kind_of(i) != KIND_ABSENT || generation % 2 == 0;
}

static void write_files(unsigned generation, bool has_changed_domains)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	(void)buf_add_text(&text, "policies:\n");
	for (unsigned p = 0; p < POLICIES; p++)
		(void)buf_printf(&text, "  p%u: {mode: enforce, max_age: 604800, mx: [m%u.p%u.example, x.example]}\n",
				 p, generation, p);
	site_write(&s, "policies.yaml", buf_text(&text));
	buf_reset(&text);
	(void)buf_add_text(&text, "include: [policies.yaml]\ndomains:\n");
	for (unsigned i = 0; i < DOMAINS; i++)
		if (is_listed(i, generation))
			write_domain(&text, i, generation);
	if (has_changed_domains)
		site_write(&s, SITE_MAIN, buf_text(&text));
	buf_deinit(&text);
}

/* The body of a domain in the generation of the policies and that of what is written for it; "": it is not served. */
static void body_of(unsigned i, unsigned generation, unsigned own_generation, char out[256])
{
	const char *mode = kind_of(i) == KIND_TESTING ? "testing" : "enforce";
	unsigned max_age_s = kind_of(i) == KIND_SHORT ? 700000 + i % 3 : 604800;
	char mx[64];
	(void)snprintf(mx, sizeof mx, "m%u.p%u.example\r\nmx: x.example", generation, policy_of(i));
	if (kind_of(i) == KIND_OWN)
		(void)snprintf(mx, sizeof mx, "m%u.own%u.example", own_generation, i);
	(void)snprintf(out, 256, "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: %u\r\n", mode, mx, max_age_s);
}

static void expect_all(int line, unsigned generation, unsigned own_generation, const char *stamp)
{
	char domain[32], wanted[256];
	for (unsigned i = 0; i < DOMAINS; i++) {
		(void)snprintf(domain, sizeof domain, "d%04u.example", i);
		struct site_row r = site_row(&s, domain);
		bool is_refused = kind_of(i) == KIND_NOWHERE || kind_of(i) == KIND_MX_LESS;
		bool is_stuck = kind_of(i) == KIND_MANUAL_ID; /* E14 */
		if (r.is_there == is_refused)
			fail_msg("line %d: %s is %sthere", line, domain, r.is_there ? "" : "not ");
		if (is_refused)
			continue;
		if ((r.row.state == DOMAIN_LIVE) != is_listed(i, own_generation))
			fail_msg("line %d: %s is in state %d", line, domain, r.row.state);
		if (r.row.state != DOMAIN_LIVE)
			continue;
		body_of(i, is_stuck ? 0 : generation, own_generation, wanted);
		if (strcmp(r.body, wanted) != 0)
			fail_msg("line %d: %s has\n%s", line, domain, r.body);
		if (stamp && !is_stuck && kind_of(i) != KIND_OWN && strcmp(r.row.id, stamp) != 0)
			fail_msg("line %d: %s has id %s", line, domain, r.row.id);
	}
}

static size_t count_kind(enum kind kind)
{
	size_t n = 0;
	for (unsigned i = 0; i < DOMAINS; i++)
		n += kind_of(i) == kind;
	return n;
}

/* Is a warning of that code among the first hundred that were told, and none behind them? */
static void expect_told(int line, const char *code, size_t error_count)
{
	size_t warnings = 0;
	for (size_t i = 0; i < s.result.fresh.count; i++) {
		bool is_it = strcmp(s.result.fresh.items[i].code, code) == 0;
		warnings += is_it;
		if (is_it ? i >= 100 : s.result.fresh.items[i].severity != PROBLEM_ERROR)
			fail_msg("line %d: problem %zu is %s", line, i, s.result.fresh.items[i].code);
	}
	if (warnings < 80 || s.result.fresh.error_count != error_count)
		fail_msg("line %d: %zu %s, %zu errors", line, warnings, code, s.result.fresh.error_count);
}

static void test_many_each_gets_its_own_whatever_its_neighbours_have(void **state)
{
	(void)state;
	write_files(0, true);
	site_apply(&s);
	expect_all(__LINE__, 0, 0, SITE_STAMP);
	s.now_unix_s += 60;
	write_files(1, false); /* the policies alone */
	site_apply(&s);
	expect_all(__LINE__, 1, 0, "20260601000100");
	s.now_unix_s += 60;
	write_files(1, true); /* the domains alone */
	site_apply(&s);
	expect_all(__LINE__, 1, 1, NULL);
	s.now_unix_s += 60;
	write_files(2, true); /* both; and those that were withdrawn come back */
	site_apply(&s);
	expect_all(__LINE__, 2, 2, "20260601000300");
	site_apply(&s);
	assert_false(s.result.is_committed);
}

static void test_many_warnings_are_told_up_to_a_number_and_errors_behind_them_all(void **state)
{
	(void)state;
	write_files(0, true);
	site_apply(&s);
	size_t refused = count_kind(KIND_NOWHERE) + count_kind(KIND_MX_LESS);
	expect_told(__LINE__, "W05", refused);
	write_files(1, false);
	site_apply(&s);
	expect_told(__LINE__, "E15", count_kind(KIND_MANUAL_ID));
	assert_int_equal(s.result.error_count, refused + count_kind(KIND_MANUAL_ID));
	site_apply(&s);
	assert_int_equal(s.result.fresh.count, 0);
}

static void put_raw(enum db_table table, struct span key, struct span value)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(db_put(txn, table, key, value, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
}

static void delete_raw(enum db_table table, struct span key)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(db_delete(txn, table, key, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
}

static void expect_failure(int line, const char *sentence)
{
	struct load load;
	struct apply_result result;
	struct err err = {0};
	assert_int_equal(apply_read(s.dir.store, s.main_path, &load, &err), 0);
	const struct apply_how how = {.now_unix_s = s.now_unix_s};
	int rc = apply_run(s.dir.store, &load, &how, &result, &err);
	if (rc != ERR_IO || result.is_committed || !strstr(err.text, sentence))
		fail_msg("line %d: %d, %s", line, rc, err.text);
	apply_result_deinit(&result);
	load_deinit(&load);
}

static void test_many_damaged_row_among_them_fails_the_run_and_changes_nothing(void **state)
{
	(void)state;
	static char long_name[300];
	memset(long_name, 'd', sizeof long_name);
	const struct {
		int line;
		enum db_table table;
		struct span key, value;
		const char *sentence;
	} damages[] = {
		{__LINE__, DB_SPECS, SPAN_LIT("d0500.exampl"), SPAN_LIT("abc"), "d0500.exampl cannot be read"},
		{__LINE__, DB_SPECS, SPAN_LIT("d0500.exampl"), SPAN_LIT("abcdefgh"), "d0500.exampl is damaged"},
		{__LINE__, DB_SPECS, {long_name, sizeof long_name}, SPAN_LIT("abcdefgh"), "cannot be read"},
		{__LINE__, DB_DOMAINS, SPAN_LIT("d0500.example"), SPAN_LIT("abc"),
		 "row of d0500.example cannot be read"},
	};
	write_files(0, true);
	site_apply(&s);
	struct site_row good = site_row(&s, "d0500.example");
	assert_true(good.is_there);
	write_files(1, false);
	for (size_t i = 0; i < COUNT(damages); i++) {
		put_raw(damages[i].table, damages[i].key, damages[i].value);
		expect_failure(damages[i].line, damages[i].sentence);
		delete_raw(damages[i].table, damages[i].key);
	}
	struct site_row before = site_row(&s, "d0498.example");
	assert_non_null(strstr(before.body, "m0."));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many_each_gets_its_own_whatever_its_neighbours_have),
		TEST(test_many_warnings_are_told_up_to_a_number_and_errors_behind_them_all),
		TEST(test_many_damaged_row_among_them_fails_the_run_and_changes_nothing),
	};
	return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}

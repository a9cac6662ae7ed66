/* rows, domains, bodies: what is stored for a domain, in one transaction that is abandoned at the end. */
#include "../../config/ids.h"
#include "../../config/outcome.h"
#include "../../config/settings_table.h"
#include "guard.h"
#include "site.h"

static struct site s;
static struct db_txn *txn;
static struct settings settings;
static struct outcome v;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	outcome_init(&v);
	assert_int_equal(settings_init(&settings), 0);
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	db_end(txn);
	outcome_deinit(&v);
	settings_deinit(&settings);
	site_close(&s);
	return 0;
}

static struct domain_row row_of(const char *domain)
{
	struct domain_row row;
	if (domains_get(txn, span_of(domain), &row) != 0)
		fail_msg("%s is not there", domain);
	return row;
}

static bool put(const char *domain, enum policy_mode mode, uint32_t max_age_s, int64_t now_unix_s)
{
	struct spec spec = {
		.set = 1u << SPEC_MODE | 1u << SPEC_MAX_AGE | 1u << SPEC_MX,
		.mode = mode,
		.max_age_s = max_age_s,
		.mx = LIT("\x09"
			  "m.example"),
	};
	struct outcome_input in = {
		.domain = span_of(domain), .spec = &spec, .settings = &settings, .places = {.domain_file = "f"}};
	struct problem_list problems = {0};
	struct domain_row row;
	bool has_old = domains_get(txn, span_of(domain), &row) == 0, is_changed = false;
	struct err err = {0};
	struct rows rows;
	rows_begin(&rows, txn, ID_TIMESTAMP, now_unix_s);
	assert_int_equal(outcome_find(&v, &in, &problems), 0);
	assert_true(v.is_good);
	if (rows_put(&rows, span_of(domain), &v, has_old ? &row : NULL, &is_changed, &err) != 0 ||
	    rows_end(&rows, &err) != 0)
		fail_msg("%s", err.text);
	problem_list_deinit(&problems);
	return is_changed;
}

static bool withdraw(const char *domain, int64_t now_unix_s)
{
	bool is_changed = false;
	struct err err = {0};
	struct rows rows;
	rows_begin(&rows, txn, ID_TIMESTAMP, now_unix_s);
	if (rows_withdraw(&rows, span_of(domain), &is_changed, &err) != 0 || rows_end(&rows, &err) != 0)
		fail_msg("%s", err.text);
	return is_changed;
}

static size_t expire(int64_t now_unix_s)
{
	size_t count = 0;
	struct err err = {0};
	struct rows rows;
	rows_begin(&rows, txn, ID_TIMESTAMP, now_unix_s);
	if (rows_expire(&rows, &count, &err) != 0 || rows_end(&rows, &err) != 0)
		fail_msg("%s", err.text);
	return count;
}

static void test_rows_dates_of_a_life(void **state)
{
	(void)state;
	struct domain_row r;
	assert_true(put("a.example", POLICY_TESTING, 100, 1000));
	r = row_of("a.example");
	assert_int_equal(r.first_unix_s, 1000);
	assert_int_equal(r.changed_unix_s, 1000);
	assert_int_equal(r.mode_since_unix_s, 1000);
	assert_int_equal(r.cached_until_unix_s, 0); /* nothing earlier */
	assert_int_equal(r.stamp_unix_s, 1000);
	assert_false(put("a.example", POLICY_TESTING, 100, 1010));
	assert_true(put("a.example", POLICY_TESTING, 50, 1020)); /* other bytes, the same mode */
	r = row_of("a.example");
	assert_int_equal(r.changed_unix_s, 1020);
	assert_int_equal(r.mode_since_unix_s, 1000);
	assert_int_equal(r.cached_until_unix_s, 1120);
	assert_true(put("a.example", POLICY_ENFORCE, 10, 1030));
	r = row_of("a.example");
	assert_int_equal(r.first_unix_s, 1000);
	assert_int_equal(r.mode_since_unix_s, 1030);
	assert_int_equal(r.cached_until_unix_s, 1120); /* the longest promise counts, not the last */
	assert_true(put("a.example", POLICY_NONE, 1000, 1200));
	assert_int_equal(row_of("a.example").cached_until_unix_s, 1210); /* enforce was still fetched just now */
	assert_true(put("a.example", POLICY_NONE, 2000, 1205));
	assert_int_equal(row_of("a.example").cached_until_unix_s, 1210); /* none promises nothing */
	assert_true(put("a.example", POLICY_NONE, 3000, 1211));
	assert_int_equal(row_of("a.example").cached_until_unix_s, 1210); /* over, if the clock is right */
}

static void test_rows_ledger_date_never_gets_shorter(void **state)
{
	(void)state;
	static const struct {
		int line;
		int64_t now;
		enum policy_mode mode;
		uint32_t max_age_s;
		int64_t until; /* … of what was served before */
	} cases[] = {
		{__LINE__, 1000000, POLICY_ENFORCE, 31557600, 0},
		{__LINE__, 1000010, POLICY_ENFORCE, 86400, 32557610},  /* a year … */
		{__LINE__, 1086400, POLICY_ENFORCE, 604800, 32557610}, /* … outlives a day and a week */
		{__LINE__, 1086401, POLICY_TESTING, 100, 32557610},
		{__LINE__, 500, POLICY_NONE, 86400, 32557610}, /* the clock was set back */
		{__LINE__, 600, POLICY_ENFORCE, 86401, 32557610},
		{__LINE__, 90000000, POLICY_NONE, 86400, 90086401}, /* … and far ahead */
		{__LINE__, 99000000, POLICY_NONE, 86401, 90086401}, /* nothing is promised beyond it */
		{__LINE__, 700, POLICY_NONE, 86402, 90086401},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(put("a.example", cases[i].mode, cases[i].max_age_s, cases[i].now));
		if (row_of("a.example").cached_until_unix_s != cases[i].until)
			fail_msg("line %d: %lld", cases[i].line, (long long)row_of("a.example").cached_until_unix_s);
	}
	assert_true(withdraw("a.example", 800));
	assert_int_equal(row_of("a.example").cached_until_unix_s, 90086401);
	assert_int_equal(expire(90086400), 0);
	assert_int_equal(expire(90086401), 1);
}

static void note_time(int64_t unix_s)
{
	bool is_changed = false;
	assert_int_equal(
		stored_put(txn, STORED_TIME, (struct span){(const char *)&unix_s, sizeof unix_s}, &is_changed, NULL),
		0);
}

/* Senders fetched the policy until a moment ago, whatever the clock says now. */
static void test_rows_clock_that_was_set_back_shortens_no_promise(void **state)
{
	(void)state;
	assert_true(put("a.example", POLICY_ENFORCE, 100, 1000));
	assert_true(put("b.example", POLICY_ENFORCE, 100, 1000));
	assert_true(put("c.example", POLICY_NONE, 100, 1000));
	note_time(50000);
	assert_true(withdraw("a.example", 20000));
	assert_int_equal(row_of("a.example").cached_until_unix_s, 50100);
	assert_true(put("b.example", POLICY_ENFORCE, 99, 20000));
	assert_int_equal(row_of("b.example").cached_until_unix_s, 50100);
	assert_int_equal(row_of("b.example").changed_unix_s, 20000);
	assert_true(withdraw("c.example", 20000)); /* nothing was promised */
	assert_int_equal(db_count(txn, DB_DOMAINS), 2);
	const int64_t damaged[] = {-1, INT64_MIN, INT64_MAX, INT64_C(253402300800)};
	for (size_t i = 0; i < COUNT(damaged); i++) { /* goes for none */
		note_time(damaged[i]);
		assert_true(put("d.example", POLICY_ENFORCE, 200 + (uint32_t)i, 60000));
	}
	assert_int_equal(row_of("d.example").cached_until_unix_s, 60202);
	note_time(DOMAIN_DATE_MAX_UNIX_S); /* as far as dates go */
	assert_true(withdraw("d.example", 60000));
	assert_int_equal(row_of("d.example").cached_until_unix_s, DOMAIN_DATE_MAX_UNIX_S);
}

/* A machine that boots a year ahead: dates seem to have passed. */
static void test_rows_nothing_goes_while_the_clock_is_unsure(void **state)
{
	(void)state;
	struct rows rows;
	struct err err = {0};
	size_t count = 9;
	bool is_changed;
	assert_true(put("a.example", POLICY_ENFORCE, 100, 1000));
	assert_true(put("left.example", POLICY_ENFORCE, 100, 1000));
	assert_true(put("left.example", POLICY_NONE, 100, 1000)); /* leaves in order, and early */
	assert_true(put("never.example", POLICY_NONE, 100, 1000));
	assert_true(withdraw("a.example", 1000));
	rows_begin(&rows, txn, ID_TIMESTAMP, 32000000);
	rows.is_clock_unsure = true;
	assert_int_equal(rows_withdraw(&rows, SPAN_LIT("left.example"), &is_changed, &err), 0);
	assert_int_equal(rows_withdraw(&rows, SPAN_LIT("never.example"), &is_changed, &err), 0);
	assert_int_equal(rows_expire(&rows, &count, &err), 0);
	assert_int_equal(rows_end(&rows, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(row_of("a.example").cached_until_unix_s, 1100);
	assert_int_equal(row_of("left.example").state, DOMAIN_WITHDRAWN);
	assert_int_equal(row_of("left.example").cached_until_unix_s, 1100);
	assert_int_equal(db_count(txn, DB_DOMAINS), 2); /* nobody can hold what never.example had */
	assert_int_equal(expire(1099), 0);              /* the clock was put right */
	assert_int_equal(expire(1100), 2);
}

static void test_rows_withdrawn_once_and_gone_at_its_date(void **state)
{
	(void)state;
	assert_true(put("a.example", POLICY_ENFORCE, 100, 1000));
	assert_true(put("b.example", POLICY_ENFORCE, 200, 1000));
	assert_true(withdraw("a.example", 1010));
	assert_true(withdraw("b.example", 1010));
	assert_false(withdraw("a.example", 1020));
	assert_false(withdraw("never.example", 1020));
	assert_int_equal(row_of("a.example").cached_until_unix_s, 1110);
	assert_int_equal(db_count(txn, DB_WITHDRAWN), 2);
	assert_int_equal(expire(1109), 0);
	assert_int_equal(expire(1110), 1);
	struct domain_row r;
	assert_int_equal(domains_get(txn, SPAN_LIT("a.example"), &r), ERR_NOENT);
	assert_int_equal(row_of("b.example").state, DOMAIN_WITHDRAWN);
	assert_int_equal(expire(99999), 1);
	assert_int_equal(db_count(txn, DB_DOMAINS), 0);
	assert_int_equal(db_count(txn, DB_BODIES), 0);
	assert_int_equal(db_count(txn, DB_WITHDRAWN), 0);
}

static void test_rows_expire_takes_whatever_is_due_in_one_go(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "d%d.example", i);
		assert_true(put(name, POLICY_ENFORCE, (uint32_t)i + 1, 1000));
		assert_true(withdraw(name, 1000));
	}
	assert_int_equal(expire(1500), 500);
	assert_int_equal(db_count(txn, DB_DOMAINS), 500);
	assert_int_equal(expire(1500), 0);
	assert_int_equal(site_body_references(txn), 500);
}

static void test_rows_withdrawn_keep_their_report_address_and_mx(void **state)
{
	(void)state;
	struct span body;
	assert_int_equal(text_set(&settings.dns_tls_rpt, SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example")), 0);
	assert_true(put("a.example", POLICY_ENFORCE, 100, 1000));
	assert_true(withdraw("a.example", 1000));
	struct domain_row r = row_of("a.example");
	assert_true(span_is(r.tls_rpt, SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example")));
	assert_int_equal(domains_body(txn, &r, &body), 0);
	assert_true(span_is(body, SPAN_LIT("version: STSv1\r\nmode: none\r\nmx: m.example\r\nmax_age: 86400\r\n")));
}

static void test_rows_stored_form_gives_a_row_back(void **state)
{
	(void)state;
	struct domain_row row =
				  {
					  .state = DOMAIN_WITHDRAWN,
					  .mode = POLICY_ENFORCE,
					  .max_age_s = 1,
					  .ttl_s = 2,
					  .body = {3, [31] = 4},
					  .id = "abcdefghijklmnopqrstuvwxyzABCDEF",
					  .changed_unix_s = 0,
					  .mode_since_unix_s = 253402300799, /* the end of the year 9999 */
					  .first_unix_s = 5,
					  .cached_until_unix_s = 6,
					  .stamp_unix_s = 7,
					  .serial = UINT64_MAX,
					  .tls_rpt = LIT("v=TLSRPTv1; rua=mailto:a@b.example"),
					  .policy = LIT("standard"),
				  },
			  back;
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(domains_encode(&row, &b), 0);
	assert_int_equal(domains_decode((struct span){guard_copy(b.p, b.len), b.len}, &back), 0);
	assert_true(span_is(back.tls_rpt, row.tls_rpt));
	assert_true(span_is(back.policy, row.policy));
	assert_string_equal(back.id, row.id);
	assert_int_equal(back.serial, row.serial);
	assert_int_equal(back.first_unix_s, row.first_unix_s);
	assert_memory_equal(back.body, row.body, sizeof row.body);
	size_t fixed = b.len - row.tls_rpt.len;
	for (size_t len = 0; len < fixed; len++)
		assert_int_equal(domains_decode((struct span){guard_copy(b.p, len), len}, &back), ERR_PARSE);
	assert_int_equal(domains_decode((struct span){b.p, fixed}, &back), 0); /* no report address */
	assert_int_equal(back.tls_rpt.len, 0);
	b.p[2] = 0; /* as it was written before there were names of policies in rows */
	assert_int_equal(domains_decode((struct span){b.p, b.len}, &back), 0);
	assert_int_equal(back.policy.len, 0);
	assert_true(span_is(back.tls_rpt, SPAN_LIT("standardv=TLSRPTv1; rua=mailto:a@b.example")));
	b.p[2] = 64; /* longer than a label */
	assert_int_equal(domains_decode(buf_span(&b), &back), ERR_PARSE);
	b.p[2] = 8;
	b.p[0] = 9;
	assert_int_equal(domains_decode(buf_span(&b), &back), ERR_PARSE);
	const int64_t bad_dates[] = {-1, INT64_MIN, 253402300800, INT64_MAX}; /* nothing is reckoned with these */
	for (size_t i = 0; i < COUNT(bad_dates); i++) {
		row.cached_until_unix_s = bad_dates[i];
		buf_reset(&b);
		assert_int_equal(domains_encode(&row, &b), 0);
		assert_int_equal(domains_decode(buf_span(&b), &back), ERR_PARSE);
	}
	buf_deinit(&b);
	guard_free_all();
}

static void test_rows_are_found_by_policy_host(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span host;
		bool is_there;
	} cases[] = {
		{__LINE__, LIT("mta-sts.a.example"), true},
		{__LINE__, LIT("a.example"), false},
		{__LINE__, LIT("mta-sts.b.example"), false},
		{__LINE__, LIT("mta-sts."), false},
		{__LINE__, LIT("mta-sts"), false},
		{__LINE__, LIT(""), false},
		{__LINE__, LIT("xmta-sts.a.example"), false},
		{__LINE__, LIT("mta-sts.mta-sts.a.example"), false},
		{__LINE__, LIT("MTA-STS.a.example"), false}, /* the caller folds */
	};
	assert_true(put("a.example", POLICY_ENFORCE, 100, 1000));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct domain_row row;
		struct span host = {guard_copy(cases[i].host.p, cases[i].host.len), cases[i].host.len};
		if (domains_get_by_host(txn, host, &row) != (cases[i].is_there ? 0 : ERR_NOENT))
			fail_msg("line %d", cases[i].line);
	}
	guard_free_all();
}

static uint64_t references(const uint8_t digest[SHA256_BYTES])
{
	struct span value;
	uint64_t count = 0;
	if (db_get(txn, DB_BODIES, (struct span){(const char *)digest, SHA256_BYTES}, &value) == 0)
		memcpy(&count, value.p, sizeof count);
	return count;
}

/* drop: one reference less, at once. */
static int drop(const uint8_t digest[SHA256_BYTES], struct err *err)
{
	struct bodies_tally tally;
	bodies_tally_begin(&tally, txn);
	int rc = bodies_tally_drop(&tally, digest, err);
	return rc ? rc : bodies_tally_end(&tally, err);
}

static void test_rows_body_stays_until_the_last_reference_is_dropped(void **state)
{
	(void)state;
	struct span body = SPAN_LIT("version: STSv1\r\n");
	uint8_t digest[SHA256_BYTES];
	struct err err = {0};
	sha256_of(body, digest);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(bodies_take(txn, digest, body, NULL), 0);
		assert_int_equal(references(digest), i);
	}
	for (uint64_t i = 3; i > 0; i--) {
		assert_int_equal(references(digest), i);
		assert_int_equal(drop(digest, NULL), 0);
	}
	assert_int_equal(db_count(txn, DB_BODIES), 0);
	assert_int_equal(drop(digest, &err), ERR_IO);
	assert_non_null(strstr(err.text, "missing"));
}

/* More bodies than the tally has places for, in turns: every count ends right, and those that nobody refers to go. */
static void test_rows_tally_counts_as_one_by_one_does(void **state)
{
	(void)state;
	enum { BODIES = 2 * BODIES_TALLY_COUNT + 1, ROUNDS = 5 };
	struct bodies_tally tally;
	static uint8_t digest[BODIES][SHA256_BYTES];
	static const uint32_t first = 0;
	struct err err = {0};
	bodies_tally_begin(&tally, txn);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < BODIES; i++) {
			struct span body = {(const char *)&i, sizeof i};
			sha256_of(body, digest[i]);
			assert_int_equal(bodies_tally_take(&tally, digest[i], body, &err), 0);
			body.p = (const char *)&first;
			assert_int_equal(bodies_tally_take(&tally, digest[0], body, &err), 0);
		}
	}
	for (size_t i = 1; i < BODIES; i += 2)
		for (size_t n = 0; n < ROUNDS; n++)
			assert_int_equal(bodies_tally_drop(&tally, digest[i], &err), 0);
	assert_int_equal(bodies_tally_end(&tally, &err), 0);
	assert_int_equal(references(digest[0]), ROUNDS + ROUNDS * BODIES);
	for (size_t i = 1; i < BODIES; i++)
		assert_int_equal(references(digest[i]), i % 2 ? 0 : ROUNDS);
	assert_int_equal(db_count(txn, DB_BODIES), 1 + BODIES / 2);
	assert_int_equal(bodies_tally_drop(&tally, digest[1], &err), ERR_IO);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows_dates_of_a_life),
		TEST(test_rows_ledger_date_never_gets_shorter),
		TEST(test_rows_clock_that_was_set_back_shortens_no_promise),
		TEST(test_rows_nothing_goes_while_the_clock_is_unsure),
		TEST(test_rows_withdrawn_once_and_gone_at_its_date),
		TEST(test_rows_expire_takes_whatever_is_due_in_one_go),
		TEST(test_rows_withdrawn_keep_their_report_address_and_mx),
		TEST(test_rows_stored_form_gives_a_row_back),
		TEST(test_rows_are_found_by_policy_host),
		TEST(test_rows_body_stays_until_the_last_reference_is_dropped),
		TEST(test_rows_tally_counts_as_one_by_one_does),
	};
	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}

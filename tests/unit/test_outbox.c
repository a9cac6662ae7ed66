/* outbox: what is owed and what is out; and that rows owe what they change. */
#include "../../config/gone.h"
#include "../../config/outbox.h"
#include "../../config/rows.h"
#include "../../config/settings_table.h"
#include "store_dir.h"
#include "unit.h"

#include <string.h>

static const int64_t now_unix_s = 1780272000;
static struct store_dir dir;
static struct db_txn *txn;

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	return db_begin_write(dir.store, &txn, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	db_end(txn);
	store_dir_close(&dir);
	return 0;
}

static void begin_anew(void)
{
	assert_int_equal(db_commit(txn, NULL), 0);
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
}

static struct outbox_entry entry_of(const char *domain)
{
	struct outbox_entry e;
	if (outbox_get(txn, span_of(domain), &e) != 0)
		fail_msg("nothing is owed for %s", domain);
	return e;
}

static bool is_owed(const char *domain)
{
	struct outbox_entry e;
	return outbox_get(txn, span_of(domain), &e) == 0;
}

static void test_outbox_a_newer_change_takes_the_place_of_an_older_one(void **state)
{
	(void)state;
	assert_int_equal(outbox_put(txn, SPAN_LIT("a.example"), now_unix_s, NULL), 0);
	struct outbox_entry old = entry_of("a.example");
	assert_int_equal(old.since_unix_s, now_unix_s);
	assert_int_equal(old.due_unix_s, 0);
	old.failure_count = 3;
	old.due_unix_s = now_unix_s + 8;
	old.is_begun = true;
	assert_int_equal(outbox_replace(txn, SPAN_LIT("a.example"), &old, NULL), 0);
	begin_anew();
	struct outbox_entry kept = entry_of("a.example");
	assert_int_equal(kept.version, old.version);
	assert_int_equal(kept.since_unix_s, old.since_unix_s);
	assert_int_equal(kept.due_unix_s, old.due_unix_s);
	assert_int_equal(kept.failure_count, 3);
	assert_true(kept.is_begun);
	assert_int_equal(outbox_put(txn, SPAN_LIT("a.example"), now_unix_s + 1, NULL), 0);
	struct outbox_entry now = entry_of("a.example");
	assert_true(now.version > old.version);
	assert_int_equal(now.failure_count, 0);
	assert_int_equal(now.due_unix_s, 0);
	assert_false(now.is_begun);
	assert_int_equal(db_count(txn, DB_OUTBOX), 1);
}

static void test_outbox_drop_is_no_error_where_nothing_is_owed(void **state)
{
	(void)state;
	assert_int_equal(outbox_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(published_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(outbox_put(txn, SPAN_LIT("a.example"), now_unix_s, NULL), 0);
	assert_int_equal(outbox_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_false(is_owed("a.example"));
}

static void test_outbox_of_another_form_is_not_read(void **state)
{
	(void)state;
	struct outbox_entry e;
	struct published p;
	static const char junk[64] = "junk";
	for (size_t len = 0; len < sizeof junk; len++) {
		struct span value = {junk, len};
		assert_int_equal(db_put(txn, DB_OUTBOX, SPAN_LIT("a.example"), value, NULL), 0);
		assert_int_equal(db_put(txn, DB_PUBLISHED, SPAN_LIT("a.example"), value, NULL), 0);
		int rc = outbox_get(txn, SPAN_LIT("a.example"), &e);
		if (rc != (len == 32 ? 0 : ERR_IO))
			fail_msg("outbox, %zu bytes: %d", len, rc);
		rc = published_get(txn, SPAN_LIT("a.example"), &p);
		if (rc != (len == 48 ? 0 : ERR_IO))
			fail_msg("published, %zu bytes: %d", len, rc);
	}
}

static void test_outbox_published_keeps_the_longest_id(void **state)
{
	(void)state;
	struct published p;
	static const char id[] = "0123456789abcdef0123456789abcdef";
	struct published out = {.has_policy = true, .has_report = true, .at_unix_s = now_unix_s};
	memcpy(out.id, id, sizeof id);
	assert_int_equal(published_put(txn, SPAN_LIT("a.example"), &out, NULL), 0);
	assert_int_equal(published_get(txn, SPAN_LIT("a.example"), &p), 0);
	assert_string_equal(p.id, id);
	assert_int_equal(p.at_unix_s, now_unix_s);
	assert_true(p.has_policy && p.has_report && !p.has_host);
}

static void put_row(enum db_table table, const char *domain)
{
	struct domain_row row = {.state = DOMAIN_LIVE, .mode = POLICY_ENFORCE, .id = "7", .max_age_s = 604800};
	if (table == DB_GONE)
		assert_int_equal(gone_put(txn, span_of(domain), &row, now_unix_s - 5, NULL), 0);
	else
		assert_int_equal(domains_put_into(txn, table, span_of(domain), &row, NULL), 0);
}

static void test_outbox_fill_owes_all_that_have_a_row_and_no_deletion(void **state)
{
	(void)state;
	char name[32];
	for (int i = 0; i < 2000; i++) { /* more than a page of either table */
		(void)snprintf(name, sizeof name, "%c%d.example", i % 3 ? 'd' : 'g', i);
		put_row(i % 3 ? DB_DOMAINS : DB_GONE, name);
	}
	assert_int_equal(outbox_fill(txn, now_unix_s, NULL), 0);
	assert_int_equal(db_count(txn, DB_OUTBOX), db_count(txn, DB_DOMAINS));
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof name, "%c%d.example", i % 3 ? 'd' : 'g', i);
		if (i % 3)
			assert_int_equal(entry_of(name).since_unix_s, now_unix_s);
		else
			assert_false(is_owed(name)); /* what is there by now may be somebody else's */
	}
}

static void test_outbox_hurry_makes_all_of_it_due(void **state)
{
	(void)state;
	char name[32];
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof name, "%d.example", i);
		struct outbox_entry e = {.version = 5, .failure_count = 3, .due_unix_s = i % 2 ? now_unix_s + 8 : 0};
		assert_int_equal(outbox_replace(txn, span_of(name), &e, NULL), 0);
	}
	assert_int_equal(outbox_hurry(txn, NULL), 0);
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof name, "%d.example", i);
		assert_int_equal(entry_of(name).due_unix_s, 0);
		assert_int_equal(entry_of(name).failure_count, 3);
		assert_int_equal(entry_of(name).version, 5);
	}
}

static void test_outbox_is_filled_when_all_records_change_or_somebody_begins_to_publish(void **state)
{
	(void)state;
	static char command[] = "/bin/true", other[] = "/bin/false", host[] = "a.example", host_b[] = "b.example";
	static char *commands[] = {command}, *others[] = {other}, *addresses[] = {host};
	struct settings silent = {0}, plain = {.dns_publish_command = {commands, 1}};
	struct settings moved = plain, changed = plain, addressed = plain, elsewhere = plain, numbered = plain;
	moved.dns_host = host;
	elsewhere.dns_host = host_b;
	changed.dns_publish_command.items = others;
	addressed.dns_addresses = (struct text_list){addresses, 1};
	numbered.dns_ttl_s = 7; /* in each row: those that differ are owed by themselves */
	const struct {
		int line;
		const struct settings *was, *now;
		bool is_filled;
	} cases[] = {
		{__LINE__, NULL, &silent, false},     {__LINE__, &plain, &silent, false},
		{__LINE__, NULL, &plain, true},       {__LINE__, &silent, &plain, true},
		{__LINE__, &plain, &plain, false},    {__LINE__, &plain, &moved, true},
		{__LINE__, &moved, &plain, true},     {__LINE__, &moved, &elsewhere, true},
		{__LINE__, &plain, &addressed, true}, {__LINE__, &plain, &numbered, false},
		{__LINE__, &plain, &changed, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		if (outbox_is_to_be_filled(cases[i].was, cases[i].now) != cases[i].is_filled)
			fail_msg("line %d", cases[i].line);
}

/* --- rows and what they owe --- */

static void begin_rows(struct rows *r, bool is_publishing, int64_t at_unix_s)
{
	rows_begin(r, txn, ID_TIMESTAMP, at_unix_s);
	r->is_publishing = is_publishing;
}

static void put_served(struct rows *r, const char *domain)
{
	uint8_t digest[SHA256_BYTES];
	struct span body = LIT("version: STSv1\r\nmode: enforce\r\nmx: a.example\r\nmax_age: 604800\r\n");
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "20260601000000", .max_age_s = 604800};
	sha256_of(body, digest);
	memcpy(row.body, digest, sizeof digest);
	assert_int_equal(bodies_tally_take(&r->bodies, digest, body, NULL), 0);
	assert_int_equal(domains_put_into(txn, DB_DOMAINS, span_of(domain), &row, NULL), 0);
}

static void test_outbox_withdrawal_and_deletion_are_owed_only_where_somebody_publishes(void **state)
{
	(void)state;
	struct rows r;
	bool is_changed;
	size_t count;
	for (int is_publishing = 0; is_publishing < 2; is_publishing++) {
		begin_rows(&r, is_publishing, now_unix_s);
		put_served(&r, "a.example");
		assert_int_equal(rows_withdraw(&r, SPAN_LIT("a.example"), &is_changed, NULL), 0);
		assert_int_equal(is_owed("a.example"), is_publishing);
		assert_int_equal(outbox_drop(txn, SPAN_LIT("a.example"), NULL), 0);
		assert_int_equal(rows_end(&r, NULL), 0);
		begin_rows(&r, is_publishing, now_unix_s + 604800 + 1);
		assert_int_equal(rows_expire(&r, &count, NULL), 0);
		assert_int_equal(count, 1);
		assert_int_equal(is_owed("a.example"), is_publishing);
		assert_int_equal(rows_end(&r, NULL), 0);
	}
}

static void test_outbox_a_deletion_that_is_owed_outlives_its_month(void **state)
{
	(void)state;
	size_t count;
	put_row(DB_GONE, "a.example");
	put_row(DB_GONE, "b.example");
	assert_int_equal(outbox_put(txn, SPAN_LIT("b.example"), now_unix_s, NULL), 0);
	assert_int_equal(gone_prune(txn, now_unix_s + GONE_KEEP_S, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(outbox_drop(txn, SPAN_LIT("b.example"), NULL), 0);
	assert_int_equal(gone_prune(txn, now_unix_s + GONE_KEEP_S, &count, NULL), 0);
	assert_int_equal(count, 1);
}

static void test_outbox_forget_owes_the_deletion_and_twice_drops_that(void **state)
{
	(void)state;
	for (int is_publishing = 0; is_publishing < 2; is_publishing++) {
		struct rows r;
		struct domain_row row;
		struct published p;
		bool is_changed;
		begin_rows(&r, is_publishing, now_unix_s);
		put_served(&r, "a.example");
		if (is_publishing)
			assert_int_equal(
				published_put(txn, SPAN_LIT("a.example"), &(struct published){.id = "7"}, NULL), 0);
		assert_int_equal(rows_withdraw(&r, SPAN_LIT("a.example"), &is_changed, NULL), 0);
		assert_int_equal(rows_forget(&r, SPAN_LIT("a.example"), NULL), 0);
		assert_int_equal(is_owed("a.example"), is_publishing);
		assert_int_equal(gone_get(txn, SPAN_LIT("a.example"), &row), is_publishing ? 0 : ERR_NOENT);
		assert_int_equal(rows_forget(&r, SPAN_LIT("a.example"), NULL), is_publishing ? 0 : ERR_NOENT);
		assert_false(is_owed("a.example"));
		assert_int_equal(gone_get(txn, SPAN_LIT("a.example"), &row), ERR_NOENT);
		assert_int_equal(published_get(txn, SPAN_LIT("a.example"), &p), ERR_NOENT);
		assert_int_equal(rows_forget(&r, SPAN_LIT("a.example"), NULL), ERR_NOENT);
		assert_int_equal(rows_end(&r, NULL), 0);
	}
}

static void test_outbox_forget_keeps_what_is_owed_for_policies(void **state)
{
	(void)state;
	struct rows r;
	put_row(DB_GONE, "sts.example");
	begin_rows(&r, true, now_unix_s);
	r.delegate = "sts.example";
	assert_int_equal(outbox_put(txn, SPAN_LIT("sts.example"), now_unix_s, NULL), 0);
	assert_int_equal(rows_forget(&r, SPAN_LIT("sts.example"), NULL), 0);
	assert_true(is_owed("sts.example"));
	assert_int_equal(rows_end(&r, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_outbox_a_newer_change_takes_the_place_of_an_older_one, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_drop_is_no_error_where_nothing_is_owed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_of_another_form_is_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_published_keeps_the_longest_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_fill_owes_all_that_have_a_row_and_no_deletion, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_hurry_makes_all_of_it_due, set_up, tear_down),
		cmocka_unit_test(test_outbox_is_filled_when_all_records_change_or_somebody_begins_to_publish),
		cmocka_unit_test_setup_teardown(
			test_outbox_withdrawal_and_deletion_are_owed_only_where_somebody_publishes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_a_deletion_that_is_owed_outlives_its_month, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_forget_keeps_what_is_owed_for_policies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outbox_forget_owes_the_deletion_and_twice_drops_that, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

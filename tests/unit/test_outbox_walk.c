/* outbox_walk: whose turn it is. Domains that are gone stand for those whose gate is open: no certificate is asked for
 * them. Time is a number here, a run takes none, and one second lies between two. */
#include "../../config/formats.h"
#include "../../config/gone.h"
#include "../../config/settings_table.h"
#include "../../server/keeper/outbox_walk.h"
#include "store_dir.h"
#include "unit.h"

#include <string.h>

static struct store_dir dir;
static struct settings settings;
static struct batch b;
static struct outbox_walk w;
static int64_t now_unix_s;
static size_t run_count;

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	batch_init(&b);
	w = (struct outbox_walk){0};
	now_unix_s = 1780272000;
	run_count = 0;
	return settings_init(&settings);
}

static int tear_down(void **state)
{
	(void)state;
	batch_deinit(&b);
	settings_deinit(&settings);
	store_dir_close(&dir);
	return 0;
}

static struct db_txn *begin_write(void)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	return txn;
}

static void owe(struct db_txn *txn, const char *domain, uint32_t failure_count, int64_t due_unix_s)
{
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "7"};
	struct outbox_entry e;
	assert_int_equal(gone_put(txn, span_of(domain), &row, now_unix_s, NULL), 0);
	assert_int_equal(outbox_put(txn, span_of(domain), now_unix_s, NULL), 0);
	assert_int_equal(outbox_get(txn, span_of(domain), &e), 0);
	e.failure_count = failure_count;
	e.due_unix_s = due_unix_s;
	assert_int_equal(outbox_replace(txn, span_of(domain), &e, NULL), 0);
}

static int look(size_t entries_max)
{
	const struct gate_server server = {.state_dir = "/s", .is_running = true, .is_serving = true};
	struct offer_world world = {.server = &server, .settings = &settings, .now_unix_s = now_unix_s};
	assert_int_equal(db_begin_read(dir.store, &world.txn, NULL), 0);
	int rc = walk_look(&w, &world, formats_table[0], &b, entries_max);
	db_end(world.txn);
	return rc;
}

static bool is_in_batch(const char *letters)
{
	for (size_t i = 0; i < b.count; i++)
		if (strchr(letters, b.names.p[b.items[i].name_at]))
			return true;
	return false;
}

static size_t owed(const char *letters)
{
	struct db_txn *txn;
	struct db_cursor *cur;
	struct span domain, value;
	size_t count = 0;
	assert_int_equal(db_begin_read(dir.store, &txn, NULL), 0);
	assert_int_equal(db_cursor_open(txn, DB_OUTBOX, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0;
	     rc = db_next(cur, &domain, &value))
		count += strchr(letters, domain.p[0]) != NULL;
	db_cursor_close(cur);
	db_end(txn);
	return count;
}

static void settle(bool is_published)
{
	struct db_txn *txn = begin_write();
	assert_int_equal(batch_end(&b), 0);
	assert_int_equal(batch_settle(&b, txn, is_published, now_unix_s, 0, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	run_count++;
	now_unix_s++;
}

/* What begins with b cannot be published. Runs until nothing of good is owed; fails after so many runs or seconds. */
static void run_until_published(const char *good, size_t max_count, size_t entries_max, size_t runs_max)
{
	const int64_t until_unix_s = now_unix_s + 100000;
	while (owed(good)) {
		walk_begin(&w, max_count);
		int rc;
		while (owed(good) && (rc = look(entries_max)) != WALK_END) {
			assert_in_range(rc, WALK_MORE, WALK_BATCH);
			if (rc == WALK_BATCH)
				settle(!is_in_batch("b"));
			if (owed(good) && (run_count > runs_max || now_unix_s > until_unix_s))
				fail_msg("%zu runs in %d s, and %zu are still owed", run_count,
					 (int)(now_unix_s + 100000 - until_unix_s), owed(good));
		}
		now_unix_s++;
	}
}

static void test_walk_publishes_everything_in_batches(void **state)
{
	(void)state;
	char name[32];
	struct db_txn *txn = begin_write();
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "g%d.example", i);
		owe(txn, name, 0, 0);
	}
	assert_int_equal(db_commit(txn, NULL), 0);
	run_until_published("g", 300, 2000, 4);
	assert_int_equal(run_count, 4);
	assert_int_equal(owed("g"), 0);
}

static void test_walk_finds_the_bad_ones_wherever_they_are(void **state)
{
	(void)state;
	static const struct {
		int line;
		int good_count, bad_each; /* every so many-th is bad */
		size_t entries_max, runs_max;
	} cases[] = {
		/* 2000 domains, 600 in the last; twice as many runs as it takes */
		{__LINE__, 1000, 1000, 2000, 70}, {__LINE__, 1000, 100, 2000, 140}, {__LINE__, 1000, 10, 2000, 2500},
		{__LINE__, 1000, 50, 7, 850},     {__LINE__, 300, 2, 2000, 3700},
	};
	char name[32];
	for (size_t c = 0; c < COUNT(cases); c++) {
		struct db_txn *txn = begin_write();
		assert_int_equal(db_clear(txn, DB_OUTBOX, NULL), 0);
		for (int i = 0; i < cases[c].good_count; i++) {
			(void)snprintf(name, sizeof name, "%c%d.example", i % cases[c].bad_each ? 'g' : 'b', i);
			owe(txn, name, 0, 0);
			(void)snprintf(name, sizeof name, "%c%d.example", i % cases[c].bad_each ? 'a' : 'b', -i - 1);
			owe(txn, name, 0, 0); /* on both sides of the bad ones in order */
		}
		assert_int_equal(db_commit(txn, NULL), 0);
		run_count = 0;
		run_until_published("ag", 500, cases[c].entries_max, cases[c].runs_max);
	}
}

/* however many there are, and however soon they are due again */
static void test_walk_a_new_change_has_its_turn_among_hundreds_that_always_fail(void **state)
{
	(void)state;
	char name[32];
	struct db_txn *txn = begin_write();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof name, "b%03d.example", i);
		owe(txn, name, 20, 0);
	}
	owe(txn, "z.example", 0, 0);
	owe(txn, "a.example", 0, 0);
	owe(txn, "y.example", 1, 0); /* it was with bad ones once */
	assert_int_equal(db_commit(txn, NULL), 0);
	run_until_published("ayz", 500, 2000, 10);
}

static void test_walk_those_that_go_alone_take_turns(void **state)
{
	(void)state;
	char name[32], seen[300] = {0};
	struct db_txn *txn = begin_write();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof name, "b%03d.example", i);
		owe(txn, name, 20, 0);
	}
	assert_int_equal(db_commit(txn, NULL), 0);
	for (int i = 0; i < 300; i++) {
		struct outbox_entry e;
		walk_begin(&w, 500); /* each run ends its walk: a place in the order outlives that */
		int rc;
		while ((rc = look(50)) == WALK_MORE)
			continue;
		assert_int_equal(rc, WALK_BATCH);
		assert_int_equal(b.count, 1);
		assert_true(walk_is_last_level(&w));
		seen[(int)strtol(b.names.p + 1, NULL, 10)]++;
		txn = begin_write(); /* due again at once */
		struct span domain = {b.names.p, b.items[0].name_len};
		assert_int_equal(outbox_get(txn, domain, &e), 0);
		assert_int_equal(outbox_replace(txn, domain, &e, NULL), 0);
		assert_int_equal(db_commit(txn, NULL), 0);
	}
	for (int i = 0; i < 300; i++)
		assert_int_equal(seen[i], 1);
}

static void test_walk_tells_when_something_will_be_due(void **state)
{
	(void)state;
	struct db_txn *txn = begin_write();
	owe(txn, "b.example", 2, now_unix_s + 40);
	owe(txn, "c.example", 3, now_unix_s + 30);
	owe(txn, "d.example", 3, now_unix_s + 400 * 86400); /* by a clock that was a year ahead */
	assert_int_equal(db_commit(txn, NULL), 0);
	walk_begin(&w, 500);
	int rc;
	while ((rc = look(2000)) == WALK_MORE)
		continue;
	assert_int_equal(rc, WALK_BATCH);
	assert_true(is_in_batch("d"));
	settle(true);
	while ((rc = look(2000)) == WALK_MORE)
		continue;
	assert_int_equal(rc, WALK_END);
	assert_in_range(w.next_ms, 29000, 30000);
}

static void test_walk_ends_where_all_is_withheld_and_counts_that(void **state)
{
	(void)state;
	char name[32];
	struct db_txn *txn = begin_write();
	struct domain_row row = {.mode = POLICY_ENFORCE,
				 .id = "7"}; /* no certificate, and no record but the policy's */
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof name, "w%d.example", i);
		assert_int_equal(domains_put_into(txn, DB_DOMAINS, span_of(name), &row, NULL), 0);
		struct outbox_entry e = {.version = 1, .failure_count = (uint32_t)i % 3};
		assert_int_equal(outbox_replace(txn, span_of(name), &e, NULL), 0);
	}
	assert_int_equal(db_commit(txn, NULL), 0);
	walk_begin(&w, 500);
	int rc, looks = 0;
	while ((rc = look(10)) == WALK_MORE && looks < 1000)
		looks++;
	assert_int_equal(rc, WALK_END);
	assert_int_equal(w.withheld_count, 100);
}

static void test_walk_passes_over_what_cannot_be_read(void **state)
{
	(void)state;
	struct db_txn *txn = begin_write();
	owe(txn, "a.example", 0, 0);
	owe(txn, "z.example", 0, 0);
	assert_int_equal(db_put(txn, DB_OUTBOX, SPAN_LIT("m.example"), SPAN_LIT("junk"), NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	run_until_published("az", 500, 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk_publishes_everything_in_batches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_walk_finds_the_bad_ones_wherever_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_walk_a_new_change_has_its_turn_among_hundreds_that_always_fail,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_walk_those_that_go_alone_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_walk_tells_when_something_will_be_due, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_walk_ends_where_all_is_withheld_and_counts_that, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_walk_passes_over_what_cannot_be_read, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

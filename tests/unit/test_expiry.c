#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/metric.h"
#include "../../certs/candidates.h"
#include "../../server/keeper/expiry.h"
#include "store_dir.h"
#include "unit.h"

enum { MANY = 10000, DAY_S = 86400 };

static struct store_dir dir;
static struct metric_page *page;
static uv_loop_t loop;
static struct expiry expiry;
static char page_path[128];

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	(void)snprintf(page_path, sizeof page_path, "%s/metrics", dir.path);
	assert_int_equal(metric_page_create(page_path, 1, &page, NULL), 0);
	metric_attach(page, 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	expiry_open(&expiry, &loop, dir.store);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	expiry_close(&expiry);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	metric_attach(NULL, 0);
	metric_page_close(page);
	store_dir_close(&dir);
	return 0;
}

/* the domains from .. to, with a certificate for so many seconds more; 0: without one */
static void add(size_t from, size_t to, int64_t left_s)
{
	struct db_txn *txn;
	char host[64];
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	for (size_t i = from; i < to; i++) {
		struct candidate c = {
			.not_after_unix_s = clock_unix_s() + left_s, .cert_count = 2, .is_for_servers = 1};
		(void)snprintf(host, sizeof host, "mta-sts.d%06zu.example", i);
		assert_int_equal(db_put(txn, DB_DOMAINS, span_of(host + 8), SPAN_LIT("row"), NULL), 0);
		if (left_s)
			assert_int_equal(candidates_put(txn, span_of(host), &c, NULL), 0);
	}
	assert_int_equal(db_commit(txn, NULL), 0);
}

static size_t withheld(void)
{
	return metric_sum(page, M_DOMAINS_WITHHELD);
}

static void test_expiry_few_domains_are_looked_at_at_once(void **state)
{
	(void)state;
	add(0, 3, 30 * DAY_S);
	add(3, 5, 0);
	expiry_run(&expiry, 5);
	assert_int_equal(withheld(), 2);
	assert_int_equal(metric_sum(page, M_CERT_MIN_NOT_AFTER) - (uint64_t)expiry.now_unix_s, 30 * DAY_S);
	assert_int_equal(expiry.tally.soon_count, 0);
}

static void test_expiry_many_domains_are_looked_at_while_the_loop_turns(void **state)
{
	(void)state;
	add(0, 7000, 30 * DAY_S);
	add(7000, MANY - 1, 0);
	add(MANY - 1, MANY, 7 * DAY_S);
	expiry_run(&expiry, MANY);
	assert_true(expiry.is_under_way);
	assert_int_equal(withheld(), 0); /* nothing is told before all is known */
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(expiry.is_under_way);
	assert_int_equal(withheld(), MANY - 1 - 7000);
	assert_int_equal(expiry.tally.soon_count, 1);
	assert_string_equal(expiry.tally.soon_example, "d009999.example");
	assert_string_equal(expiry.tally.withheld_example, "d007000.example");
}

static void test_expiry_asked_for_meanwhile_comes_behind(void **state)
{
	(void)state;
	add(0, MANY, 0);
	expiry_run(&expiry, MANY);
	(void)uv_run(&loop, UV_RUN_ONCE);
	add(0, 10, 30 * DAY_S); /* these have been looked at */
	expiry_run(&expiry, MANY);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(withheld(), MANY - 10);
}

static void test_expiry_round_survives_domains_that_go(void **state)
{
	(void)state;
	struct db_txn *txn;
	add(0, MANY, 0);
	expiry_run(&expiry, MANY);
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	assert_int_equal(db_delete(txn, DB_DOMAINS, (struct span){expiry.at, expiry.at_len}, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(withheld(), MANY); /* the one that went was counted before */
}

static void test_expiry_large_table_not_again_for_ten_minutes(void **state)
{
	(void)state;
	add(0, 3, 0);
	expiry_run(&expiry, 30000); /* what is said, not what is there, makes it large */
	assert_int_equal(withheld(), 3);
	add(3, 4, 0);
	expiry_run(&expiry, 30000);
	assert_int_equal(withheld(), 3);
	expiry_run(&expiry, 4);
	assert_int_equal(withheld(), 4);
}

static void test_expiry_closed_under_way_ends(void **state)
{
	(void)state;
	add(0, MANY, 0);
	expiry_run(&expiry, MANY);
	expiry_close(&expiry);
	expiry_run(&expiry, MANY);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(withheld(), 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expiry_few_domains_are_looked_at_at_once),
		TEST(test_expiry_many_domains_are_looked_at_while_the_loop_turns),
		TEST(test_expiry_asked_for_meanwhile_comes_behind),
		TEST(test_expiry_round_survives_domains_that_go),
		TEST(test_expiry_large_table_not_again_for_ten_minutes),
		TEST(test_expiry_closed_under_way_ends),
	};
	return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}

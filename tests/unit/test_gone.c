/* gone: what is left of domains that are served no more; in one transaction that is abandoned at the end. */
#include "../../config/gone.h"
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

static void put(const char *domain, int64_t at_unix_s)
{
	struct domain_row row = {.ttl_s = 300, .id = "7", .tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=mailto:t@example.com")};
	assert_int_equal(gone_put(txn, span_of(domain), &row, at_unix_s, NULL), 0);
}

struct names {
	char text[256];
	int stop_at;
};

static int on_gone(void *ctx, struct span domain, const struct domain_row *row)
{
	struct names *n = ctx;
	(void)row;
	(void)snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), "%.*s ", SPAN_ARG(domain));
	return --n->stop_at == 0 ? 5 : 0;
}

static const char *all(void)
{
	static struct names n;
	n = (struct names){.text = ""};
	assert_int_equal(gone_each(txn, on_gone, &n, NULL), 0);
	return n.text;
}

static void test_gone_tells_the_last_row(void **state)
{
	(void)state;
	struct domain_row row;
	assert_int_equal(gone_get(txn, SPAN_LIT("a.example"), &row), ERR_NOENT);
	put("a.example", now_unix_s);
	assert_int_equal(gone_get(txn, SPAN_LIT("a.example"), &row), 0);
	assert_int_equal(row.state, DOMAIN_WITHDRAWN);
	assert_true(row.cached_until_unix_s == now_unix_s);
	assert_int_equal(row.ttl_s, 300);
	assert_string_equal(row.id, "7");
	assert_true(span_is(row.tls_rpt, SPAN_LIT("v=TLSRPTv1; rua=mailto:t@example.com")));
	assert_int_equal(gone_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(gone_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_string_equal(all(), "");
}

static void test_gone_is_forgotten_after_thirty_days(void **state)
{
	(void)state;
	size_t count;
	put("b.example", now_unix_s - GONE_KEEP_S);
	put("d.example", now_unix_s - GONE_KEEP_S - 1);
	put("a.example", now_unix_s - GONE_KEEP_S - 1);
	put("c.example", now_unix_s + 400 * 86400); /* the clock was set back since */
	put("e.example", 0);
	assert_string_equal(all(), "a.example b.example c.example d.example e.example ");
	assert_int_equal(gone_prune(txn, now_unix_s, &count, NULL), 0);
	assert_int_equal(count, 3);
	assert_string_equal(all(), "b.example c.example ");
	assert_int_equal(gone_prune(txn, now_unix_s, &count, NULL), 0);
	assert_int_equal(count, 0);
	struct names n = {.stop_at = 1};
	assert_int_equal(gone_each(txn, on_gone, &n, NULL), 5);
	assert_string_equal(n.text, "b.example ");
}

static void test_gone_damaged_is_told(void **state)
{
	(void)state;
	struct domain_row row;
	struct err err = {.text = ""};
	size_t count;
	assert_int_equal(db_put(txn, DB_GONE, SPAN_LIT("a.example"), SPAN_LIT("short"), NULL), 0);
	assert_int_equal(gone_get(txn, SPAN_LIT("a.example"), &row), ERR_IO);
	assert_int_equal(gone_prune(txn, now_unix_s, &count, &err), ERR_IO);
	assert_string_equal(err.text, "store: the list of domains that are gone cannot be read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gone_tells_the_last_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_is_forgotten_after_thirty_days, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_damaged_is_told, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("gone", tests, NULL, NULL);
}

/* batch: which domains go together, what the hook is given, and what its end means. Domains that are gone stand for
 * those whose gate is open: no certificate is asked for them. */
#include "../../config/formats.h"
#include "../../config/gone.h"
#include "../../config/settings_table.h"
#include "../../server/keeper/batch.h"
#include "store_dir.h"
#include "unit.h"

#include <string.h>

static const int64_t now_unix_s = 1780272000;
static struct store_dir dir;
static struct db_txn *txn;
static struct settings settings;
static struct batch b;
static const struct gate_server serving = {.state_dir = "/s", .is_running = true, .is_serving = true};
static struct offer_world world;

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	batch_init(&b);
	assert_int_equal(settings_init(&settings), 0);
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	world = (struct offer_world){.txn = txn, .server = &serving, .settings = &settings, .now_unix_s = now_unix_s};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	batch_deinit(&b);
	settings_deinit(&settings);
	db_end(txn);
	store_dir_close(&dir);
	return 0;
}

static void begin(const char *format, size_t max_count)
{
	batch_begin(&b, formats_find(span_of(format)), max_count);
}

static struct outbox_entry owe(const char *domain, uint32_t failure_count)
{
	struct outbox_entry e;
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "7", .max_age_s = 604800};
	assert_int_equal(gone_put(txn, span_of(domain), &row, now_unix_s, NULL), 0);
	assert_int_equal(outbox_put(txn, span_of(domain), now_unix_s, NULL), 0);
	assert_int_equal(outbox_get(txn, span_of(domain), &e), 0);
	e.failure_count = failure_count;
	assert_int_equal(outbox_replace(txn, span_of(domain), &e, NULL), 0);
	return e;
}

static int add(const char *domain, uint32_t failure_count)
{
	struct outbox_entry e = owe(domain, failure_count);
	return batch_add(&b, &world, span_of(domain), &e);
}

static void test_batch_shrinks_to_a_quarter_with_each_failure(void **state)
{
	(void)state;
	static const struct {
		int line;
		size_t max_count;
		uint32_t failure_count;
		size_t limit;
	} cases[] = {
		{__LINE__, 500, 0, 500},  {__LINE__, 500, 1, 125},
		{__LINE__, 500, 2, 31},   {__LINE__, 500, 3, 7},
		{__LINE__, 500, 4, 1},    {__LINE__, 500, 5, 1},
		{__LINE__, 1, 0, 1},      {__LINE__, 1, 9, 1},
		{__LINE__, 100000, 9, 1}, {__LINE__, 500, UINT32_MAX, 1},
		{__LINE__, 100000, 8, 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		if (batch_limit(cases[i].max_count, cases[i].failure_count) != cases[i].limit)
			fail_msg("line %d: %zu", cases[i].line,
				 batch_limit(cases[i].max_count, cases[i].failure_count));
}

static void test_batch_delay_doubles_up_to_its_most_and_is_spread(void **state)
{
	(void)state;
	static const struct {
		int line;
		uint32_t n, max_s, least_s, most_s;
	} cases[] = {
		{__LINE__, 1, 300, 1, 1},         {__LINE__, 2, 300, 2, 3},
		{__LINE__, 3, 300, 3, 5},         {__LINE__, 4, 300, 6, 10},
		{__LINE__, 9, 300, 192, 320},     {__LINE__, 10, 300, 225, 375},
		{__LINE__, 40, 300, 225, 375},    {__LINE__, UINT32_MAX, 3600, 2700, 4500},
		{__LINE__, 12, 3600, 1536, 2560}, {__LINE__, 13, 3600, 2700, 4500},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t least_s = UINT32_MAX, most_s = 0;
		for (uint32_t random = 0; random < 5000; random++) {
			uint32_t s = batch_delay_s(cases[i].n, cases[i].max_s, random);
			least_s = s < least_s ? s : least_s;
			most_s = s > most_s ? s : most_s;
		}
		if (least_s < cases[i].least_s || most_s > cases[i].most_s || most_s - least_s < (cases[i].least_s / 2))
			fail_msg("line %d: %u to %u", cases[i].line, (unsigned)least_s, (unsigned)most_s);
	}
}

static void test_batch_holds_only_domains_that_failed_as_often(void **state)
{
	(void)state;
	begin("nsupdate", 500);
	assert_int_equal(add("a.example", 1), BATCH_ADDED);
	assert_int_equal(add("b.example", 0), BATCH_OTHER);
	assert_int_equal(add("c.example", 2), BATCH_OTHER);
	assert_int_equal(add("d.example", 1), BATCH_ADDED);
	assert_int_equal(b.count, 2);
	begin("nsupdate", 500);
	assert_int_equal(add("e.example", 40), BATCH_ADDED);
	assert_int_equal(add("f.example", 7), BATCH_FULL); /* both go alone: not another kind, but no room */
}

static void test_batch_is_full_at_its_limit(void **state)
{
	(void)state;
	char name[32];
	begin("json", 8);
	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof name, "%d.example", i);
		assert_int_equal(add(name, 0), BATCH_ADDED);
	}
	assert_int_equal(add("9.example", 0), BATCH_FULL);
	assert_int_equal(batch_end(&b), 0);
	assert_int_equal(b.count, 8);
	struct span text = buf_span(&b.input);
	assert_int_equal(text.p[0], '[');
	assert_memory_equal(text.p + text.len - 3, "\n]\n", 3);
}

static void test_batch_without_certificate_gives_the_rest_once(void **state)
{
	(void)state;
	struct domain_row row = {
		.mode = POLICY_ENFORCE, .id = "7", .tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example")};
	struct outbox_entry e = {.version = 1};
	assert_int_equal(domains_put_into(txn, DB_DOMAINS, SPAN_LIT("a.example"), &row, NULL), 0);
	begin("nsupdate", 10);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_ADDED);
	assert_false(b.items[0].is_whole);
	assert_int_equal(b.record_count, 1);
	e.is_begun = true;
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_WITHHELD);
	/* a zone file that lacks what is published would take it away */
	e.is_begun = false;
	begin("zone", 10);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_ADDED);
	assert_int_equal(published_put(txn, SPAN_LIT("a.example"), "6", now_unix_s, NULL), 0);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_WITHHELD);
}

static void test_batch_of_forgotten_domains_has_no_records_but_an_end(void **state)
{
	(void)state;
	struct outbox_entry e;
	assert_int_equal(outbox_put(txn, SPAN_LIT("a.example"), now_unix_s, NULL), 0);
	assert_int_equal(outbox_get(txn, SPAN_LIT("a.example"), &e), 0);
	begin("json", 10);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_ADDED);
	assert_int_equal(batch_end(&b), 0);
	assert_int_equal(b.record_count, 0);
	assert_int_equal(b.input.len, 0);
	assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
	assert_int_equal(outbox_get(txn, SPAN_LIT("a.example"), &e), ERR_NOENT);
}

static void test_batch_settle_says_what_became_of_each(void **state)
{
	(void)state;
	struct outbox_entry e;
	struct published p;
	assert_int_equal(published_put(txn, SPAN_LIT("a.example"), "6", now_unix_s, NULL), 0);
	begin("nsupdate", 10);
	assert_int_equal(add("a.example", 0), BATCH_ADDED);
	assert_int_equal(batch_settle(&b, txn, false, now_unix_s, 0, NULL), 0);
	assert_int_equal(outbox_get(txn, SPAN_LIT("a.example"), &e), 0);
	assert_int_equal(e.failure_count, 1);
	assert_int_equal(e.due_unix_s, now_unix_s + 1);
	assert_int_equal(published_get(txn, SPAN_LIT("a.example"), &p), 0);
	assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
	assert_int_equal(outbox_get(txn, SPAN_LIT("a.example"), &e), ERR_NOENT);
	assert_int_equal(published_get(txn, SPAN_LIT("a.example"), &p), ERR_NOENT); /* it was a deletion */
}

static void test_batch_settle_leaves_a_newer_change_owed(void **state)
{
	(void)state;
	struct outbox_entry e, newer;
	for (int is_published = 0; is_published < 2; is_published++) {
		begin("nsupdate", 10);
		assert_int_equal(add("a.example", 0), BATCH_ADDED);
		assert_int_equal(db_commit(txn, NULL), 0);
		assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
		world.txn = txn;
		assert_int_equal(outbox_put(txn, SPAN_LIT("a.example"), now_unix_s + 1, NULL), 0);
		assert_int_equal(outbox_get(txn, SPAN_LIT("a.example"), &newer), 0);
		assert_int_equal(batch_settle(&b, txn, is_published, now_unix_s, 0, NULL), 0);
		assert_int_equal(outbox_get(txn, SPAN_LIT("a.example"), &e), 0);
		assert_int_equal(e.version, newer.version);
		assert_int_equal(e.failure_count, 0);
		assert_int_equal(e.due_unix_s, 0);
	}
}

/* a clock that is ahead of time ends no withdrawal, nor does it delete records */
static void test_batch_deletes_nothing_of_a_row_that_is_still_served(void **state)
{
	(void)state;
	struct domain_row row = {.state = DOMAIN_WITHDRAWN,
				 .id = "7",
				 .cached_until_unix_s = now_unix_s - 1,
				 .tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example")};
	struct outbox_entry e = {.version = 1};
	assert_int_equal(domains_put_into(txn, DB_DOMAINS, SPAN_LIT("a.example"), &row, NULL), 0);
	for (int is_keepers = 0; is_keepers < 2; is_keepers++) {
		world.is_keepers = is_keepers;
		begin("nsupdate", 10);
		assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_ADDED);
		assert_int_equal(b.items[0].is_gone, !is_keepers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_shrinks_to_a_quarter_with_each_failure),
		cmocka_unit_test(test_batch_delay_doubles_up_to_its_most_and_is_spread),
		cmocka_unit_test_setup_teardown(test_batch_holds_only_domains_that_failed_as_often, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_is_full_at_its_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_without_certificate_gives_the_rest_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_of_forgotten_domains_has_no_records_but_an_end, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_batch_deletes_nothing_of_a_row_that_is_still_served, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_batch_settle_says_what_became_of_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_settle_leaves_a_newer_change_owed, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

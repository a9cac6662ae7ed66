/* batch: which domains go together, what the hook is given, and what its end means. Domains that are gone stand for
 * those whose gate is open: no certificate is asked for them. */
#include "../../certs/chain.h"
#include "../../certs/pairs.h"
#include "../../config/delegated.h"
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

static void begin(const char *format, size_t limit)
{
	batch_begin(&b, formats_find(span_of(format)), limit);
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

/* A certificate for host, valid for a month around now. */
static void put_pair(const char *host)
{
	bool is_changed;
	struct chain c = {
		.cert_count = 2,
		.name_count = 1,
		.not_before_unix_s = now_unix_s - 15 * 86400,
		.not_after_unix_s = now_unix_s + 15 * 86400,
		.key_type = PKEY_P256,
		.key_bits = 256,
		.has_server_auth = true,
		.issuer = "CN=issuer",
	};
	buf_init(&c.der, 4096);
	buf_init(&c.names, 4096);
	(void)buf_add_text(&c.der, "der");
	(void)buf_add_char(&c.names, (char)strlen(host));
	(void)buf_add_text(&c.names, host);
	assert_int_equal(pairs_put(txn, &c, SPAN_LIT("/certs/a.pem"), &is_changed, NULL), 0);
	chain_deinit(&c);
}

static void test_batch_shrinks_to_a_quarter_with_each_failure(void **state)
{
	(void)state;
	static const struct {
		int line;
		size_t max_count;
		uint32_t failure_count, level;
		size_t limit;
	} cases[] = {
		{__LINE__, 500, 0, 0, 500},
		{__LINE__, 500, 1, 1, 125},
		{__LINE__, 500, 2, 2, 31},
		{__LINE__, 500, 3, 3, 7},
		{__LINE__, 500, 4, 4, 1},
		{__LINE__, 500, 5, 4, 1},
		{__LINE__, 1, 0, 0, 1},
		{__LINE__, 1, 1, 1, 1},
		{__LINE__, 1, 9, 1, 1},
		{__LINE__, 100000, 9, 9, 1},
		{__LINE__, 100000, 8, 8, 1},
		{__LINE__, 100000, 7, 7, 6},
		{__LINE__, 500, UINT32_MAX, 4, 1},
		{__LINE__, 100000, 40, 9, 1},
		{__LINE__, 5, 2, 2, 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t level = batch_level(cases[i].max_count, cases[i].failure_count);
		size_t limit = batch_limit(cases[i].max_count, level);
		if (limit != cases[i].limit || (level != cases[i].level && limit > 1) || level >= BATCH_LEVELS)
			fail_msg("line %d: level %u, %zu", cases[i].line, (unsigned)level, limit);
		if (cases[i].failure_count && level == 0)
			fail_msg("line %d: as if it had never failed", cases[i].line);
	}
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
	/* a zone file that lacks what is published would take it away; a run that failed may have published it */
	e.is_begun = false;
	begin("zone", 10);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_ADDED);
	e.failure_count = 1;
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_WITHHELD);
	e.failure_count = 0;
	assert_int_equal(
		published_put(txn, SPAN_LIT("a.example"), &(struct published){.has_policy = true, .id = "6"}, NULL), 0);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_WITHHELD);
}

/* the gate for all: not every worker is serving; a deletion needs none of them */
static void test_batch_is_early_while_a_worker_does_not_serve(void **state)
{
	(void)state;
	const struct gate_server starting = {.state_dir = "/s", .is_running = true};
	struct gate gate;
	struct outbox_entry e = {.version = 1};
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "7"};
	assert_int_equal(domains_put_into(txn, DB_DOMAINS, SPAN_LIT("a.example"), &row, NULL), 0);
	put_pair("mta-sts.a.example");
	gate_look(txn, &serving, NULL, SPAN_LIT("a.example"), now_unix_s, &gate);
	assert_true(gate.is_open);
	begin("nsupdate", 10);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_ADDED);
	world.server = &starting;
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("a.example"), &e), BATCH_EARLY);
	assert_int_equal(add("z.example", 0), BATCH_ADDED);
	gate_look(txn, &starting, NULL, SPAN_LIT("a.example"), now_unix_s, &gate);
	assert_false(gate.is_open);
	assert_true(gate.is_early);
	assert_string_equal(gate.reason, "not every worker is serving yet");
	gate_look(txn, &serving, NULL, SPAN_LIT("a.example"), now_unix_s + 100 * 365 * 86400LL, &gate);
	assert_false(gate.is_open);
	assert_false(gate.is_early);
	assert_memory_equal(gate.reason, "the certificate for mta-sts.a.example expired", 45);
	gate_look(txn, &serving, NULL, SPAN_LIT("a.example"), now_unix_s - 100 * 365 * 86400LL, &gate);
	assert_false(gate.is_open);
	gate_look(txn, &serving, NULL, SPAN_LIT("b.example"), now_unix_s, &gate);
	assert_false(gate.is_open);
	assert_string_equal(gate.reason, "there is no certificate for mta-sts.b.example");
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
	assert_int_equal(
		published_put(txn, SPAN_LIT("a.example"), &(struct published){.has_policy = true, .id = "6"}, NULL), 0);
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

static void test_batch_settle_knows_nothing_of_what_was_forgotten_meanwhile(void **state)
{
	(void)state;
	struct published p;
	struct domain_row row = {.mode = POLICY_NONE, .state = DOMAIN_WITHDRAWN, .cached_until_unix_s = now_unix_s + 9};
	begin("nsupdate", 10);
	b.count = 0;
	assert_int_equal(add("a.example", 0), BATCH_ADDED);
	b.items[0].is_gone = false; /* as of a row that was there */
	memcpy(b.items[0].id, "7", 2);
	assert_int_equal(gone_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(outbox_drop(txn, SPAN_LIT("a.example"), NULL), 0);
	assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
	assert_int_equal(published_get(txn, SPAN_LIT("a.example"), &p), ERR_NOENT);
	assert_int_equal(domains_put_into(txn, DB_DOMAINS, SPAN_LIT("a.example"), &row, NULL), 0);
	assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
	assert_int_equal(published_get(txn, SPAN_LIT("a.example"), &p), 0);
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

/* --- the records of policies ------------------------------------------------------------------------------------ */

static struct outbox_entry owe_policies(void)
{
	struct outbox_entry e;
	struct delegated d = {.id = "p7", .domain_count = 1};
	assert_int_equal(text_set(&settings.dns_delegate, SPAN_LIT("sts.example")), 0);
	assert_int_equal(delegated_put(txn, SPAN_LIT("one"), &d, NULL), 0);
	assert_int_equal(delegated_put(txn, SPAN_LIT("two"), &d, NULL), 0);
	assert_int_equal(outbox_put(txn, SPAN_LIT("sts.example"), now_unix_s, NULL), 0);
	assert_int_equal(outbox_get(txn, SPAN_LIT("sts.example"), &e), 0);
	return e;
}

static void test_batch_has_all_records_of_policies_and_they_are_settled_together(void **state)
{
	(void)state;
	struct outbox_entry e = owe_policies();
	begin("nsupdate", 500);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("sts.example"), &e), BATCH_ADDED);
	assert_int_equal(b.record_count, 2);
	assert_int_equal(batch_end(&b), 0);
	assert_non_null(strstr(buf_text(&b.input), "update add _mta-sts.one.sts.example. 300 TXT"));
	assert_non_null(strstr(buf_text(&b.input), "update add _mta-sts.two.sts.example. 300 TXT"));
	assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
	assert_int_equal(outbox_get(txn, SPAN_LIT("sts.example"), &e), ERR_NOENT);
}

static void test_batch_records_of_policies_wait_for_the_workers(void **state)
{
	(void)state;
	struct outbox_entry e = owe_policies();
	const struct gate_server starting = {.state_dir = "/s", .is_running = true};
	world.server = &starting;
	begin("nsupdate", 500);
	assert_int_equal(batch_add(&b, &world, SPAN_LIT("sts.example"), &e), BATCH_EARLY);
	assert_int_equal(b.count, 0);
}

static void test_batch_records_of_policies_wait_for_no_certificate_of_the_domain_itself(void **state)
{
	(void)state;
	struct outbox_entry e = owe_policies();
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "7", .max_age_s = 604800, .policy = LIT("one")};
	static const char *const formats[] = {"nsupdate", "octodns"}; /* the other one says all that there is */
	assert_int_equal(domains_put_into(txn, DB_DOMAINS, SPAN_LIT("sts.example"), &row, NULL), 0);
	assert_int_equal(published_put(txn, SPAN_LIT("sts.example"), &(struct published){.has_policy = true}, NULL), 0);
	for (size_t i = 0; i < COUNT(formats); i++) {
		e.is_begun = false;
		begin(formats[i], 500);
		assert_int_equal(batch_add(&b, &world, SPAN_LIT("sts.example"), &e), BATCH_ADDED);
		assert_int_equal(b.record_count,
				 2 + i); /* its own as it is out, too: else that one would be taken away */
		assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
		assert_int_equal(outbox_get(txn, SPAN_LIT("sts.example"), &e), 0);
		assert_true(e.is_begun);
		begin(formats[i], 500); /* and once is enough */
		assert_int_equal(batch_add(&b, &world, SPAN_LIT("sts.example"), &e), BATCH_WITHHELD);
	}
}

static void test_batch_leaves_the_records_of_policies_alone_where_a_domain_of_that_name_is_gone(void **state)
{
	(void)state;
	(void)owe_policies(); /* one is among them */
	begin("nsupdate", 500);
	assert_int_equal(add("one.sts.example", 0), BATCH_ADDED);
	assert_int_equal(batch_end(&b), 0);
	(void)buf_add_char(&b.input, '\0');
	assert_null(strstr(b.input.p, "_mta-sts.one.sts.example"));
	assert_true(b.items[0].is_whole); /* there is nothing more to do for it */
	begin("nsupdate", 500);
	assert_int_equal(add("one.elsewhere.example", 0), BATCH_ADDED);
	(void)buf_add_char(&b.input, '\0');
	assert_non_null(strstr(b.input.p, "update delete _mta-sts.one.elsewhere.example. TXT"));
}

static void test_batch_deletes_the_own_records_of_the_policies_domain_once(void **state)
{
	(void)state;
	struct outbox_entry e = owe_policies();
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "7", .max_age_s = 604800};
	world.is_keepers = true;
	assert_int_equal(gone_put(txn, SPAN_LIT("sts.example"), &row, now_unix_s, NULL), 0);
	assert_int_equal(published_put(txn, SPAN_LIT("sts.example"), &(struct published){.has_policy = true}, NULL), 0);
	for (int i = 0; i < 2; i++) {
		begin("nsupdate", 500);
		assert_int_equal(batch_add(&b, &world, SPAN_LIT("sts.example"), &e), BATCH_ADDED);
		assert_int_equal(batch_end(&b), 0);
		assert_int_equal(batch_settle(&b, txn, true, now_unix_s, 0, NULL), 0);
		(void)buf_add_char(&b.input, '\0');
		bool has_deletion = strstr(b.input.p, "update delete _mta-sts.sts.example. TXT") != NULL;
		assert_int_equal(has_deletion, i == 0); /* what is there afterwards is somebody else's */
		assert_non_null(strstr(b.input.p, "update add _mta-sts.one.sts.example."));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_shrinks_to_a_quarter_with_each_failure),
		cmocka_unit_test(test_batch_delay_doubles_up_to_its_most_and_is_spread),
		cmocka_unit_test_setup_teardown(test_batch_is_full_at_its_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_without_certificate_gives_the_rest_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_is_early_while_a_worker_does_not_serve, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_of_forgotten_domains_has_no_records_but_an_end, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_batch_deletes_nothing_of_a_row_that_is_still_served, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_batch_settle_says_what_became_of_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_settle_knows_nothing_of_what_was_forgotten_meanwhile, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_batch_settle_leaves_a_newer_change_owed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_has_all_records_of_policies_and_they_are_settled_together,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_records_of_policies_wait_for_the_workers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_batch_records_of_policies_wait_for_no_certificate_of_the_domain_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_batch_leaves_the_records_of_policies_alone_where_a_domain_of_that_name_is_gone, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_batch_deletes_the_own_records_of_the_policies_domain_once, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

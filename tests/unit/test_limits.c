#include "../../base/metric.h"
#include "../../config/settings_table.h"
#include "../../server/worker/limits_watch.h"
#include "../../server/worker/view.h"
#include "site.h"

static void test_limits_are_shared_by_the_workers(void **state)
{
	(void)state;
	static const struct {
		int line;
		uint32_t all;
		size_t worker_count, each;
	} cases[] = {
		{__LINE__, 4096, 1, 4096}, {__LINE__, 4096, 2, 2048}, {__LINE__, 4096, 3, 1366},
		{__LINE__, 1, 256, 1},     {__LINE__, 0, 4, 1},       {__LINE__, UINT32_MAX, 1, 5000},
		{__LINE__, 5001, 1, 5000}, {__LINE__, 5000, 1, 5000},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings s = {.limits_connections = cases[i].all};
		struct limits l;
		limits_share(&s, cases[i].worker_count, 5000, &l); /* descriptors for as many */
		if (l.connections != cases[i].each)
			fail_msg("line %d: %zu", cases[i].line, l.connections);
	}
}

static void test_limits_defaults_suit_a_small_machine(void **state)
{
	(void)state;
	struct settings s;
	struct limits l;
	assert_int_equal(settings_init(&s), 0);
	limits_share(&s, 1, 100000, &l);
	assert_true(l.connections * l.hello_max_bytes + l.handshakes * 65536 <= (size_t)160 << 20);
	assert_true(l.connections_per_client <= l.connections / 16);
	assert_true(l.handshake_timeout_ms + l.request_timeout_ms <= 30000); /* A-H19 */
	assert_true(l.handshake_timeout_ms + l.request_timeout_ms + l.write_timeout_ms + l.linger_timeout_ms < 60000);
	assert_true(l.head_max_bytes >= 8192); /* A-H13 */
	assert_true(l.drain_timeout_ms < 8000 && l.drain_idle_ms < l.drain_timeout_ms);
	settings_deinit(&s);
}

static void apply(struct site *s, const char *limits)
{
	char text[256];
	(void)snprintf(text, sizeof text, "%s\ndomains: {}\n", limits);
	site_write(s, SITE_MAIN, text);
	site_apply(s);
}

static void test_limits_in_force_are_those_of_the_store(void **state)
{
	(void)state;
	struct site s;
	struct view view = {0};
	struct limits_watch w = {0};
	struct err err;
	site_open(&s);
	view.store = s.dir.store;
	assert_int_equal(db_begin_read(view.store, &view.store_txn, &err), 0);
	db_reset(view.store_txn);

	assert_int_equal(limits_watch_init(&w, &view, 2, 100000, &err), 0);
	assert_int_equal(w.limits.connections, 2048); /* nothing is stored yet */
	assert_false(limits_watch_look(&w, 1));
	apply(&s, "limits: {connections: 100, request_timeout_ms: 250}");
	assert_false(limits_watch_look(&w, 1)); /* not twice in the same millisecond */
	assert_int_equal(w.limits.connections, 2048);
	assert_true(limits_watch_look(&w, 2));
	assert_int_equal(w.limits.connections, 50);
	assert_int_equal(w.limits.request_timeout_ms, 250);
	assert_int_equal(w.limits.handshakes, 512);
	assert_false(limits_watch_look(&w, 3));
	apply(&s, "limits: {connections: 0}"); /* refused: what was good stays */
	assert_false(limits_watch_look(&w, 4));
	assert_int_equal(w.limits.connections, 50);
	apply(&s, "limits: {}");
	assert_true(limits_watch_look(&w, 5));
	assert_int_equal(w.limits.connections, 2048);

	limits_watch_deinit(&w);
	assert_int_equal(limits_watch_init(&w, &view, 1, 1000, &err), 0);
	assert_int_equal(w.limits.connections, 1000);
	limits_watch_deinit(&w);
	db_end(view.store_txn);
	site_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_are_shared_by_the_workers),
		cmocka_unit_test(test_limits_defaults_suit_a_small_machine),
		cmocka_unit_test(test_limits_in_force_are_those_of_the_store),
	};
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}

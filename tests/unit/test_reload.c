#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../certs/mbed.h"
#include "../../certs/selfca.h"
#include "../../server/keeper/reload.h"
#include "../../server/keeper/watch.h"
#include "store_dir.h"
#include "unit.h"

#include <string.h>

#define HOST "mta-sts.a.example"

/* A keeper's reload, whose events come and are not taken. */
static struct world {
	struct store_dir dir;
	uv_loop_t loop;
	struct watch watch;
	struct reload reload;
	char main_path[96];
	bool has_change;
} world;

static void put(const char *name, struct span bytes)
{
	char path[96];
	(void)snprintf(path, sizeof path, "%.63s/%s", world.dir.path, name);
	assert_int_equal(file_write(path, bytes, 0600, NULL), 0);
}

static void put_domain(const char *name)
{
	char text[128], file[64];
	(void)snprintf(text, sizeof text, "domains:\n  %s: {mode: testing, max_age: 86400, mx: [mx.%s]}\n", name, name);
	(void)snprintf(file, sizeof file, "d/%s.yaml", name);
	put(file, span_of(text));
}

static void put_pair(void)
{
	const struct span name = SPAN_LIT(HOST);
	struct selfca *ca;
	struct buf pem;
	buf_init(&pem, 1 << 16);
	assert_int_equal(selfca_new(&ca, clock_unix_s(), NULL), 0);
	assert_int_equal(selfca_issue(ca, &name, 1, clock_unix_s(), &pem, NULL), 0);
	put("certs/a.pem", buf_span(&pem));
	selfca_free(ca);
	buf_deinit(&pem);
}

static void on_change(void *ctx, unsigned changed)
{
	(void)changed;
	((struct world *)ctx)->has_change = true;
}

/* the events of what was just written come, and nobody looks */
static void lose_events(void)
{
	world.has_change = false;
	while (!world.has_change)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
}

static void reload(enum reload_scope scope)
{
	uint64_t retry_ms;
	assert_int_equal(reload_config(&world.reload, scope, &retry_ms), 0);
	assert_int_equal(reload_certs(&world.reload, scope), 0);
}

static size_t rows(enum db_table table)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_read(world.dir.store, &txn, NULL), 0);
	size_t count = db_count(txn, table);
	db_end(txn);
	return count;
}

static int set_up(void **state)
{
	struct world *w = &world;
	char path[96], text[256];
	(void)state;
	*w = (struct world){0};
	store_dir_open(&w->dir);
	assert_int_equal(mbed_start(NULL), 0);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_int_equal(watch_open(&w->watch, &w->loop, on_change, w, NULL), 0);
	for (const char *const *name = (const char *const[]){"d", "certs", NULL}; *name; name++) {
		(void)snprintf(path, sizeof path, "%.63s/%s", w->dir.path, *name);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	(void)snprintf(text, sizeof text, "certs: {paths: [%s]}\ninclude: [d/*.yaml]\n", path);
	put("main.yaml", span_of(text));
	put_domain("a.example");
	(void)snprintf(w->main_path, sizeof w->main_path, "%.63s/main.yaml", w->dir.path);
	w->reload = (struct reload){
		.store = w->dir.store, .keyring = w->dir.keyring, .main_path = w->main_path, .watch = &w->watch};
	reload(RELOAD_ALL);
	lose_events(); /* folders that are new are to be looked at once more */
	assert_int_equal(rows(DB_DOMAINS), 1);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = &world;
	(void)state;
	watch_close(&w->watch);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	watch_deinit(&w->watch);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	reload_deinit(&w->reload);
	mbed_stop();
	store_dir_close(&w->dir);
	return 0;
}

static void note_looks(uint64_t took_ms)
{
	uint64_t now_ms = clock_mono_ms();
	look_note(&world.reload.config_look, now_ms - took_ms, now_ms);
	look_note(&world.reload.cert_look, now_ms - took_ms, now_ms);
}

static void test_reload_finds_what_no_event_told_when_that_is_due(void **state)
{
	(void)state;
	put_domain("b.example");
	put_pair();
	lose_events();
	note_looks(60000);
	reload(RELOAD_DUE);
	assert_int_equal(rows(DB_DOMAINS), 1);
	assert_int_equal(rows(DB_PAIRS), 0);
	note_looks(0);
	reload(RELOAD_DUE);
	assert_int_equal(rows(DB_DOMAINS), 2);
	assert_int_equal(rows(DB_PAIRS), 1);
}

static void test_reload_that_is_asked_for_is_always_due(void **state)
{
	(void)state;
	put_domain("b.example");
	put_pair();
	lose_events();
	note_looks(60000);
	reload(RELOAD_ALL);
	assert_int_equal(rows(DB_DOMAINS), 2);
	assert_int_equal(rows(DB_PAIRS), 1);
}

/* the files' events were lost, and something else was told: only that is looked at */
static void test_reload_of_changes_looks_at_nothing_else(void **state)
{
	(void)state;
	put_domain("b.example");
	lose_events();
	note_looks(0);
	put_domain("c.example");
	while (!world.watch.changed)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
	reload(RELOAD_CHANGED);
	assert_int_equal(rows(DB_DOMAINS), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reload_finds_what_no_event_told_when_that_is_due),
		TEST(test_reload_that_is_asked_for_is_always_due),
		TEST(test_reload_of_changes_looks_at_nothing_else),
	};
	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}

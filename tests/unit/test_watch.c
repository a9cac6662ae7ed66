#include "../../base/err.h"
#include "../../server/keeper/watch.h"
#include "store_dir.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>

enum { WAIT_MS = 2000 }; /* for something that must come: longer than the machine can be busy */

static struct world {
	char dir[64], archive[80], live[80];
	uv_loop_t loop;
	struct watch watch;
	uv_timer_t timer;
	size_t call_count;
	bool is_late, tells_archive;
	struct watch_changes last; /* what the last call was about */
} world;

static void touch(const char *dir, const char *name)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(close(fd), 0);
}

static void tell_set(bool with_archive)
{
	struct watch *w = &world.watch;
	watch_begin_set(w, WATCH_CERTS);
	assert_int_equal(watch_add(w, WATCH_CERTS, world.live, NULL), 0);
	if (with_archive)
		assert_int_equal(watch_add(w, WATCH_CERTS, world.archive, world.live), 0);
	assert_int_equal(watch_end_set(w, WATCH_CERTS), 0);
}

static void on_change(void *ctx, unsigned changed)
{
	(void)ctx;
	assert_int_equal(changed, 1u << WATCH_CERTS);
	watch_changes_deinit(&world.last);
	watch_take_changes(&world.watch, WATCH_CERTS, &world.last);
	world.call_count++;
	if (world.tells_archive)
		tell_set(true);
	world.tells_archive = false;
}

static void on_late(uv_timer_t *timer)
{
	(void)timer;
	world.is_late = true;
}

static bool has_call(size_t count)
{
	world.is_late = false;
	uv_update_time(&world.loop); /* it may not have run for long */
	assert_int_equal(uv_timer_start(&world.timer, on_late, WAIT_MS, 0), 0);
	while (world.call_count < count && !world.is_late)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
	return world.call_count >= count;
}

static bool is_told(const char *wanted)
{
	const char *at = world.last.paths.p;
	for (size_t i = 0; i < world.last.count; i++, at += strlen(at) + 1)
		if (strcmp(at, wanted) == 0)
			return true;
	return world.last.is_all;
}

static int set_up(void **state)
{
	(void)state;
	struct err err;
	world = (struct world){0};
	(void)snprintf(world.dir, sizeof world.dir, "/tmp/test_watch.XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	(void)snprintf(world.archive, sizeof world.archive, "%s/archive", world.dir);
	(void)snprintf(world.live, sizeof world.live, "%s/live", world.dir);
	assert_int_equal(mkdir(world.archive, 0700) | mkdir(world.live, 0700), 0);
	assert_int_equal(uv_loop_init(&world.loop), 0);
	assert_int_equal(uv_timer_init(&world.loop, &world.timer), 0);
	assert_int_equal(watch_open(&world.watch, &world.loop, on_change, NULL, &err), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	watch_close(&world.watch);
	uv_close((uv_handle_t *)&world.timer, NULL);
	(void)uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	watch_deinit(&world.watch);
	watch_changes_deinit(&world.last);
	return nftw(world.dir, store_dir_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_watch_tells_which_entry_changed(void **state)
{
	(void)state;
	char path[128];
	tell_set(false);
	touch(world.live, "a.pem");
	assert_true(has_call(1));
	(void)snprintf(path, sizeof path, "%s/a.pem", world.live);
	assert_true(is_told(path));
	assert_false(world.last.is_all);
	assert_false(is_told(world.live));
}

/* The reader looked at what a link leads to before anybody watched it there. */
static void test_watch_of_a_folder_met_on_a_look_asks_for_another(void **state)
{
	(void)state;
	tell_set(false);
	world.tells_archive = true; /* out of on_change, as the keeper does */
	touch(world.live, "a.pem");
	assert_true(has_call(2));
	assert_true(is_told(world.live));
}

static void test_watch_of_too_much_tells_of_everything(void **state)
{
	(void)state;
	tell_set(false);
	for (unsigned i = 0; i <= 4096; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "%u.pem", i);
		touch(world.live, name);
	}
	while (!world.last.is_all)
		assert_true(has_call(world.call_count + 1));
}

/* also after a rename of the folder, and after another one has taken its place */
static void test_watch_follows_a_folder_that_is_swapped(void **state)
{
	(void)state;
	char sub[128], old[128], path[160];
	(void)snprintf(sub, sizeof sub, "%s/sub", world.live);
	(void)snprintf(old, sizeof old, "%s/old", world.live);
	assert_int_equal(mkdir(sub, 0700), 0);
	tell_set(false);
	assert_int_equal(watch_more(&world.watch, WATCH_CERTS, sub, NULL), 0);
	assert_int_equal(rename(sub, old) | mkdir(sub, 0700), 0);
	assert_true(has_call(1));
	assert_true(is_told(sub) && is_told(old));
	assert_int_equal(watch_more(&world.watch, WATCH_CERTS, old, NULL), 0);
	assert_int_equal(watch_more(&world.watch, WATCH_CERTS, sub, NULL), 0);
	touch(sub, "new.pem");
	assert_true(has_call(2));
	(void)snprintf(path, sizeof path, "%s/new.pem", sub);
	assert_true(is_told(path));
	assert_false(world.last.is_all);
	touch(old, "a.pem");
	assert_true(has_call(3));
	(void)snprintf(path, sizeof path, "%s/a.pem", old);
	assert_true(is_told(path));
}

/* what was read by the first name would stay as it was */
static void test_watch_of_a_folder_with_two_names_tells_of_everything(void **state)
{
	(void)state;
	char sub[128], alias[128], path[160];
	(void)snprintf(sub, sizeof sub, "%s/sub", world.live);
	(void)snprintf(alias, sizeof alias, "%s/alias", world.archive);
	assert_int_equal(mkdir(sub, 0700) | symlink(sub, alias), 0);
	tell_set(false);
	assert_int_equal(watch_more(&world.watch, WATCH_CERTS, sub, NULL), 0);
	assert_int_equal(watch_more(&world.watch, WATCH_CERTS, sub, NULL), 0);
	touch(sub, "a.pem");
	assert_true(has_call(1));
	assert_false(world.last.is_all);
	assert_int_equal(watch_more(&world.watch, WATCH_CERTS, alias, NULL), 0);
	touch(sub, "a.pem");
	assert_true(has_call(2));
	assert_true(world.last.is_all);
	/* the look at everything finds it by one name */
	watch_begin_set(&world.watch, WATCH_CERTS);
	assert_int_equal(watch_add(&world.watch, WATCH_CERTS, sub, NULL), 0);
	assert_int_equal(watch_end_set(&world.watch, WATCH_CERTS), 0);
	touch(sub, "a.pem");
	assert_true(has_call(3));
	(void)snprintf(path, sizeof path, "%s/a.pem", sub);
	assert_true(is_told(path));
	assert_false(world.last.is_all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_watch_tells_which_entry_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_watch_of_a_folder_met_on_a_look_asks_for_another, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_watch_of_too_much_tells_of_everything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_watch_follows_a_folder_that_is_swapped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_watch_of_a_folder_with_two_names_tells_of_everything, set_up,
						tear_down),
	};
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}

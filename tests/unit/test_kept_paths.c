#include "../../base/err.h"
#include "../../server/keeper/kept_paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void check_all(const struct kept_paths *k, const char *const *paths, const uint32_t *at, size_t count)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < count; i++) {
		kept_paths_get(k, at[i], path);
		assert_string_equal(path, paths[i]);
		for (size_t other = 0; other < count; other++)
			assert_int_equal(kept_paths_is(k, at[i], paths[other]), strcmp(paths[i], paths[other]) == 0);
	}
}

static void test_kept_paths_come_back_as_they_were(void **state)
{
	(void)state;
	static const char *const paths[] = {
		"/",     "/etc",    "/etc/live",      "/etc/live/a", "/etc/live/ab",      "/etc/live/a/b",
		"/etcx", "certs",   "certs/a",        "certs/a//b",  "certs/a/../../old", "certs/a/../../old/x",
		"x",     "/etc/li", "/etc/live/last", "/etc/live",
	};
	uint32_t at[COUNT(paths)];
	struct kept_paths k;
	kept_paths_init(&k);
	for (size_t i = 0; i < COUNT(paths); i++) {
		assert_int_equal(kept_paths_add(&k, paths[i], &at[i]), 0);
		assert_int_not_equal(at[i], KEPT_PATHS_NONE);
	}
	check_all(&k, paths, at, COUNT(paths));
	kept_paths_deinit(&k);
}

static void test_kept_paths_none_is_no_path(void **state)
{
	(void)state;
	struct kept_paths k;
	uint32_t at;
	kept_paths_init(&k);
	assert_false(kept_paths_is(&k, KEPT_PATHS_NONE, ""));
	assert_false(kept_paths_is(&k, KEPT_PATHS_NONE, "/a"));
	assert_int_equal(kept_paths_add(&k, "/a", &at), 0);
	assert_false(kept_paths_is(&k, at, ""));
	assert_true(kept_paths_is(&k, at, "/a"));
	kept_paths_deinit(&k);
}

static void test_kept_paths_the_last_again_is_not_kept_twice(void **state)
{
	(void)state;
	struct kept_paths k;
	uint32_t first, again;
	kept_paths_init(&k);
	assert_int_equal(kept_paths_add(&k, "/a/b", &first), 0);
	size_t len = k.entries.len;
	assert_int_equal(kept_paths_add(&k, "/a/b", &again), 0);
	assert_int_equal(first, again);
	assert_int_equal(k.entries.len, len);
	kept_paths_deinit(&k);
}

/* as a walk tells them: the way down is kept once */
static void test_kept_paths_of_many_folders_are_small(void **state)
{
	(void)state;
	struct kept_paths k;
	uint32_t at;
	char path[PATH_MAX];
	kept_paths_init(&k);
	assert_int_equal(kept_paths_add(&k, "/etc/letsencrypt/a-long-way-down/live", &at), 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof path, "/etc/letsencrypt/a-long-way-down/live/%04d.example", i);
		assert_int_equal(kept_paths_add(&k, path, &at), 0);
		assert_true(kept_paths_is(&k, at, path));
	}
	assert_in_range(k.entries.len, 1000 * 17, 1000 * 17 + 100);
	kept_paths_reset(&k);
	assert_int_equal(kept_paths_add(&k, "/b", &at), 0);
	assert_true(kept_paths_is(&k, at, "/b"));
	kept_paths_deinit(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_paths_come_back_as_they_were),
		cmocka_unit_test(test_kept_paths_none_is_no_path),
		cmocka_unit_test(test_kept_paths_the_last_again_is_not_kept_twice),
		cmocka_unit_test(test_kept_paths_of_many_folders_are_small),
	};
	return cmocka_run_group_tests_name("kept_paths", tests, NULL, NULL);
}

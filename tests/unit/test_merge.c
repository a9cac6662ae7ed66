/* merge, known: what is put off and for how long, and the numbers of files. */
#include "../../base/clock.h"
#include "site.h"

static struct site s;
static struct db_txn *txn;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

#define DOMAIN "{mode: none, max_age: 1}\n"

/* What merge_begin says of the main file as it is on disk, so many ms after now. */
static bool is_put_off(int64_t later_ms, uint64_t *retry_ms)
{
	struct load load;
	struct known known;
	struct merge m = {0};
	struct err err = {0};
	assert_int_equal(load_run(&load, s.main_path, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(known_load(txn, &known, NULL), 0);
	if (merge_begin(&m, txn, &known, &load, clock_file_ns() + later_ms * 1000000, &err) != 0)
		fail_msg("%s", err.text);
	bool is_off = m.is_put_off[0];
	*retry_ms = m.retry_ms;
	merge_end(&m);
	known_deinit(&known);
	load_deinit(&load);
	db_end(txn);
	return is_off;
}

static void test_merge_shrunken_file_is_taken_once_it_has_been_quiet(void **state)
{
	(void)state; /* A-L2 */
	static const struct {
		int line;
		int64_t later_ms;
		bool is_off;
	} cases[] = {
		{__LINE__, 0, true},
		{__LINE__, MERGE_SETTLE_MS / 2, true},
		{__LINE__, MERGE_SETTLE_MS, false},
		{__LINE__, 86400000, false},
		{__LINE__, -MERGE_SETTLE_MS / 2, true}, /* clocks may differ a little … */
		{__LINE__, -MERGE_SETTLE_MS - 1000,
		 false}, /* … but a file from the future is as quiet as it will get */
	};
	site_apply_main(&s, "domains:\n  a.example: " DOMAIN "  b.example: " DOMAIN);
	site_write_in_place(&s, SITE_MAIN, "domains:\n  a.example: " DOMAIN);
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t retry_ms;
		if (is_put_off(cases[i].later_ms, &retry_ms) != cases[i].is_off)
			fail_msg("line %d", cases[i].line);
		if ((retry_ms > 0) != cases[i].is_off || retry_ms > (uint64_t)(2 * MERGE_SETTLE_MS + 1))
			fail_msg("line %d: retry after %llu ms", cases[i].line, (unsigned long long)retry_ms);
		if (cases[i].later_ms == MERGE_SETTLE_MS / 2) /* as long as it still takes */
			assert_in_range(retry_ms, MERGE_SETTLE_MS / 4, MERGE_SETTLE_MS / 2 + 1);
	}
}

static void test_merge_unchanged_or_grown_file_is_never_put_off(void **state)
{
	(void)state;
	uint64_t retry_ms;
	site_apply_main(&s, "domains:\n  a.example: " DOMAIN);
	assert_false(is_put_off(0, &retry_ms));
	site_write_in_place(&s, SITE_MAIN, "domains:\n  a.example: " DOMAIN "  b.example: " DOMAIN);
	assert_false(is_put_off(0, &retry_ms));
	site_write(&s, SITE_MAIN, "domains: {}\n");
	assert_false(is_put_off(0, &retry_ms));
	assert_int_equal(retry_ms, 0);
}

static void test_merge_known_numbers_of_gone_files_are_used_again(void **state)
{
	(void)state;
	static const char *const paths[] = {"/a", "/b", "/c", "/d"}, *const fresh[] = {"/x", "/y", "/z"};
	static const uint32_t wanted[] = {1, 2, 4}; /* b's, c's, then a new one */
	struct known k;
	struct known_file *f;
	bool is_changed = false;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(known_load(txn, &k, NULL), 0);
	for (size_t i = 0; i < COUNT(paths); i++) {
		assert_int_equal(known_add(&k, paths[i], &f, NULL), 0);
		assert_int_equal(known_store(txn, f, &is_changed, NULL), 0);
	}
	known_deinit(&k);
	assert_int_equal(db_delete(txn, DB_FILES, SPAN_LIT("/b"), NULL), 0);
	assert_int_equal(db_delete(txn, DB_FILES, SPAN_LIT("/c"), NULL), 0);
	assert_int_equal(known_load(txn, &k, NULL), 0);
	for (size_t i = 0; i < COUNT(fresh); i++) {
		assert_int_equal(known_add(&k, fresh[i], &f, NULL), 0);
		assert_int_equal(f->no, wanted[i]);
		assert_string_equal(known_path(&k, wanted[i]), fresh[i]);
	}
	assert_string_equal(known_path(&k, 3), "/d");
	known_deinit(&k);
	db_end(txn);
}

static void test_merge_known_files_keep_their_numbers(void **state)
{
	(void)state;
	struct known k;
	struct known_file *f;
	bool is_changed = false;
	static const char *const paths[] = {"/m", "/z", "/a", "/k"};
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(known_load(txn, &k, NULL), 0);
	assert_int_equal(k.count, 0);
	assert_string_equal(known_path(&k, 0), "?");
	for (uint32_t i = 0; i < COUNT(paths); i++) {
		assert_null(known_find(&k, paths[i]));
		assert_int_equal(known_add(&k, paths[i], &f, NULL), 0);
		assert_int_equal(f->no, i);
		assert_true(f->is_unfinished);
		f->is_unfinished = i == 1;
		f->id.ino = i + 100;
		assert_int_equal(known_store(txn, f, &is_changed, NULL), 0);
		assert_true(is_changed);
		is_changed = false;
		assert_int_equal(known_store(txn, f, &is_changed, NULL), 0);
		assert_false(is_changed); /* the same again is no change */
	}
	known_deinit(&k);
	assert_int_equal(known_load(txn, &k, NULL), 0);
	assert_int_equal(k.count, 4);
	assert_int_equal(k.next_no, 4);
	for (uint32_t i = 0; i < COUNT(paths); i++) {
		f = known_find(&k, paths[i]);
		assert_non_null(f);
		assert_int_equal(f->no, i);
		assert_int_equal(f->id.ino, i + 100);
		assert_int_equal(f->is_unfinished, i == 1);
		assert_string_equal(known_path(&k, i), paths[i]);
		if (i)
			assert_true(strcmp(k.files[i - 1].path, k.files[i].path) < 0);
	}
	assert_null(known_find(&k, "/none"));
	known_deinit(&k);
	assert_int_equal(db_delete(txn, DB_FILES, SPAN_LIT("/z"), NULL), 0);
	assert_int_equal(known_load(txn, &k, NULL), 0);
	assert_string_equal(known_path(&k, 1), "?");
	assert_string_equal(known_path(&k, 3), "/k");
	known_deinit(&k);
	known_deinit(&k);
	db_end(txn);
}

static void test_merge_damaged_list_of_files_gives_a_sentence(void **state)
{
	(void)state;
	struct known k;
	struct err err = {0};
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(db_put(txn, DB_FILES, SPAN_LIT("/a"), SPAN_LIT("short"), NULL), 0);
	assert_int_equal(known_load(txn, &k, &err), ERR_IO);
	assert_non_null(strstr(err.text, "/a"));
	known_deinit(&k);
	db_end(txn);
}

static void test_merge_specs_remember_their_file(void **state)
{
	(void)state;
	struct span stored;
	struct spec spec;
	struct known k;
	uint32_t no;
	char path[256];
	site_write(&s, "b.yaml", "policies:\n  q: {mode: none}\ndomains:\n\n  b.example: q\n");
	site_apply_main(&s, "policies: {p: {mode: none, max_age: 7}}\ndomains: {a.example: p}\ninclude: [b.yaml]\n");
	txn = site_begin(&s);
	assert_int_equal(known_load(txn, &k, NULL), 0);
	assert_int_equal(specs_get_domain(txn, SPAN_LIT("b.example"), &no, &stored), 0);
	assert_string_equal(known_path(&k, no), site_path(&s, "b.yaml", path));
	assert_int_equal(spec_decode(stored, &spec), 0);
	assert_int_equal(spec.line, 5);
	assert_int_equal(spec.column, 3);
	assert_int_equal(specs_get_policy(txn, SPAN_LIT("p"), &no, &stored), 0);
	assert_string_equal(known_path(&k, no), s.main_path);
	assert_int_equal(spec_decode(stored, &spec), 0);
	assert_int_equal(spec.max_age_s, 7);
	assert_int_equal(specs_get_domain(txn, SPAN_LIT("c.example"), &no, &stored), ERR_NOENT);
	assert_int_equal(specs_get_policy(txn, SPAN_LIT("a.example"), &no, &stored), ERR_NOENT);
	known_deinit(&k);
	db_end(txn);
}

static void test_merge_moved_line_is_remembered_and_changes_nothing(void **state)
{
	(void)state;
	struct span stored;
	struct spec spec;
	uint32_t no;
	site_apply_main(&s, "domains:\n  a.example: " DOMAIN);
	site_apply_main(&s, "\n\n\ndomains:\n  a.example: " DOMAIN);
	assert_int_equal(s.result.changed_count, 0);
	txn = site_begin(&s);
	assert_int_equal(specs_get_domain(txn, SPAN_LIT("a.example"), &no, &stored), 0);
	assert_int_equal(spec_decode(stored, &spec), 0);
	assert_int_equal(spec.line, 5);
	db_end(txn);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_merge_shrunken_file_is_taken_once_it_has_been_quiet),
		TEST(test_merge_unchanged_or_grown_file_is_never_put_off),
		TEST(test_merge_known_files_keep_their_numbers),
		TEST(test_merge_known_numbers_of_gone_files_are_used_again),
		TEST(test_merge_damaged_list_of_files_gives_a_sentence),
		TEST(test_merge_specs_remember_their_file),
		TEST(test_merge_moved_line_is_remembered_and_changes_nothing),
	};
	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}

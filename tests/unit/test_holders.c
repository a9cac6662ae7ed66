#include "../../base/buf.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../certs/holders.h"
#include "../../certs/idmap.h"
#include "../../certs/seen.h"
#include "store_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct store_dir dir;
static struct db_txn *txn;

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	assert_int_equal(holders_build(txn, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	db_end(txn);
	store_dir_close(&dir);
	return 0;
}

/* halves: a letter each, repeated for the public key's digest: a capital is a key's, another a leaf's; "!": an error */
static void put(const char *path, const char *halves)
{
	const struct file_id id = {.ino = 1};
	struct buf row;
	buf_init(&row, 1 << 16);
	assert_int_equal(seen_begin(&row, &id), 0);
	for (; *halves; halves++) {
		bool is_key = *halves >= 'A' && *halves <= 'Z';
		struct seen_item item = {.kind = *halves == '!' ? SEEN_ERROR : is_key ? SEEN_KEY : SEEN_LEAF};
		if (*halves != '!')
			memset(item.spki, *halves | 0x20, sizeof item.spki);
		if (!is_key)
			memset(item.id, *halves, sizeof item.id);
		assert_int_equal(seen_add(&row, &item), 0);
	}
	assert_int_equal(holders_put_row(txn, path, buf_span(&row), NULL), 0);
	buf_deinit(&row);
}

static int on_holder(void *ctx, struct span key, struct span items, struct err *err)
{
	struct seen_item item;
	(void)err;
	assert_int_equal(seen_next(&items, &item), 0); /* the row's own */
	(void)buf_printf(ctx, "%.*s ", SPAN_ARG(seen_path_of(key)));
	return 0;
}

static void check(char half, const char *want)
{
	uint8_t spki[SHA256_BYTES];
	struct buf found;
	memset(spki, half, sizeof spki);
	buf_init(&found, 4096);
	assert_int_equal(holders_each(txn, spki, NULL, on_holder, &found, NULL), 0);
	assert_string_equal(buf_text(&found), want);
	buf_deinit(&found);
}

static void test_holders_follow_the_rows(void **state)
{
	(void)state;
	check('a', "");
	put("/x/cert", "a");
	check('a', "/x/cert ");
	put("/x/cert", "aab!");
	check('a', "/x/cert ");
	check('b', "/x/cert ");
	put("/x/cert", "!B");
	check('a', "");
	check('b', "/x/cert ");
	assert_int_equal(holders_delete_row(txn, SPAN_LIT("/x/cert"), NULL), 0);
	check('b', "");
	assert_int_equal(holders_delete_row(txn, SPAN_LIT("/x/cert"), NULL), ERR_NOENT);
	assert_int_equal(db_count(txn, DB_HOLDERS), 1); /* no more than says that it is there */
}

static void test_holders_pass_over_files_that_are_not_asked_for(void **state)
{
	(void)state;
	uint8_t spki[SHA256_BYTES], id[IDMAP_ID_BYTES];
	struct idmap but = {0};
	struct buf found;
	memset(spki, 'a', sizeof spki);
	put("/x/cert", "a");
	put("/y/cert", "a");
	seen_id_of_path("/x/cert", id);
	assert_int_equal(idmap_put(&but, id, 0), 0);
	buf_init(&found, 4096);
	assert_int_equal(holders_each(txn, spki, &but, on_holder, &found, NULL), 0);
	assert_string_equal(buf_text(&found), "/y/cert ");
	buf_deinit(&found);
	idmap_deinit(&but);
}

static void test_holders_list_every_leaf_once(void **state)
{
	(void)state;
	struct idmap leaves = {0};
	put("/x", "abK");
	put("/y", "!bc");
	assert_int_equal(holders_list_leaves(txn, &leaves, NULL), 0);
	assert_int_equal(leaves.count, 3);
	idmap_deinit(&leaves);
}

static void count_holder(size_t *count, const char *path)
{
	put(path, "kK");
	++*count;
}

static int on_counted(void *ctx, struct span key, struct span items, struct err *err)
{
	size_t *left = ctx;
	(void)key;
	(void)items;
	(void)err;
	return --*left == 0 ? ERR_CONFLICT : 0;
}

static void test_holders_are_told_until_one_is_enough(void **state)
{
	(void)state;
	uint8_t spki[SHA256_BYTES];
	size_t count = 0, left;
	memset(spki, 'k', sizeof spki);
	put("/neighbour", "jl");
	count_holder(&count, "/1");
	count_holder(&count, "/2");
	count_holder(&count, "/3");
	left = count + 1;
	assert_int_equal(holders_each(txn, spki, NULL, on_counted, &left, NULL), 0);
	assert_int_equal(left, 1);
	left = 2;
	assert_int_equal(holders_each(txn, spki, NULL, on_counted, &left, NULL), ERR_CONFLICT);
	assert_int_equal(left, 0);
}

static void test_holders_path_longer_than_a_key(void **state)
{
	(void)state;
	char path[DB_KEY_MAX_BYTES + 2];
	struct seen_key key;
	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	put(path, "a");
	check('a', " "); /* it has a row, and that does not know its path */
	seen_key_of(path, &key);
	assert_int_equal(holders_delete_row(txn, key.span, NULL), 0);
	check('a', "");
}

static void test_holders_that_were_dropped_are_not_kept_and_built_again(void **state)
{
	(void)state;
	put("/x", "aB");
	assert_int_equal(holders_drop(txn, NULL), 0);
	assert_false(holders_is_there(txn));
	put("/y", "Ac");
	put("/z", "d");
	assert_int_equal(holders_delete_row(txn, SPAN_LIT("/z"), NULL), 0);
	assert_int_equal(db_count(txn, DB_HOLDERS), 0);
	assert_int_equal(db_put(txn, DB_PEM_FILES, SPAN_LIT("/damaged"), SPAN_LIT("row"), NULL), 0);
	assert_int_equal(holders_build(txn, NULL), 0);
	assert_true(holders_is_there(txn));
	check('b', "/x ");
	check('c', "/y ");
	check('d', "");
	assert_int_equal(db_count(txn, DB_HOLDERS), 5);
	put("/damaged", "e");
	check('e', "/damaged ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_holders_follow_the_rows),
		TEST(test_holders_pass_over_files_that_are_not_asked_for),
		TEST(test_holders_list_every_leaf_once),
		TEST(test_holders_are_told_until_one_is_enough),
		TEST(test_holders_path_longer_than_a_key),
		TEST(test_holders_that_were_dropped_are_not_kept_and_built_again),
	};
	return cmocka_run_group_tests_name("holders", tests, NULL, NULL);
}

#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/seen.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct file_id file = {.dev = 1, .ino = 2, .size = 3, .mtime_ns = -4, .ctime_ns = 5};

static struct buf make_row(void)
{
	struct buf b;
	struct seen_item leaf = {.kind = SEEN_LEAF, .not_after_unix_s = 99, .text = SPAN_LIT("mta-sts.example.com")};
	struct seen_item error = {.kind = SEEN_ERROR, .text = SPAN_LIT("a sentence")};
	memset(leaf.id, 'i', sizeof leaf.id);
	memset(leaf.spki, 's', sizeof leaf.spki);
	buf_init(&b, 4096);
	assert_int_equal(seen_begin(&b, &file), 0);
	assert_int_equal(seen_add(&b, &leaf), 0);
	assert_int_equal(seen_add(&b, &error), 0);
	return b;
}

static void test_seen_row_gives_back_what_was_added(void **state)
{
	(void)state;
	struct buf b = make_row();
	struct file_id id;
	struct span items;
	struct seen_item item;
	assert_int_equal(seen_open(buf_span(&b), &id, &items), 0);
	assert_true(file_id_is(&id, &file));
	assert_int_equal(seen_next(&items, &item), 0);
	assert_int_equal(item.kind, SEEN_LEAF);
	assert_int_equal(item.not_after_unix_s, 99);
	assert_int_equal(item.id[31], 'i');
	assert_int_equal(item.spki[31], 's');
	assert_true(span_is(item.text, SPAN_LIT("mta-sts.example.com")));
	assert_int_equal(seen_next(&items, &item), 0);
	assert_int_equal(item.kind, SEEN_ERROR);
	assert_int_equal(seen_next(&items, &item), ERR_NOENT);
	buf_deinit(&b);
}

static void test_seen_damaged_row_ends_early(void **state)
{
	(void)state;
	struct buf b = make_row();
	for (size_t len = 0; len < b.len; len++) {
		struct span row = {guard_copy(b.p, len), len}, items;
		struct file_id id;
		struct seen_item item;
		size_t count = 0;
		if (seen_open(row, &id, &items) == 0)
			while (seen_next(&items, &item) == 0)
				count++;
		assert_true(count <= 1);
		guard_free_all();
	}
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen_row_gives_back_what_was_added),
		cmocka_unit_test(test_seen_damaged_row_ends_early),
	};
	return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}

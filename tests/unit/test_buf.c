#include "../../base/buf.h"
#include "../../base/err.h"
#include "unit.h"

static void test_buf_grows_up_to_its_ceiling_and_not_past_it(void **state)
{
	(void)state;
	static const size_t ceilings[] = {0, 1, 2, 255, 256, 257, 1000, 70000};
	for (size_t c = 0; c < COUNT(ceilings); c++) {
		struct buf b;
		buf_init(&b, ceilings[c]);
		for (size_t i = 0; i < ceilings[c]; i++)
			if (buf_add_char(&b, (char)i) != 0)
				fail_msg("ceiling %zu: refused at %zu", ceilings[c], i);
		assert_int_equal(b.len, ceilings[c]);
		assert_true(b.cap <= ceilings[c]);
		assert_int_equal(buf_add_char(&b, 'x'), ERR_RANGE);
		assert_int_equal(b.len, ceilings[c]);
		for (size_t i = 0; i < b.len; i++)
			assert_int_equal(b.p[i], (char)i);
		buf_deinit(&b);
	}
}

static void test_buf_first_failure_sticks_until_reset(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4);
	assert_int_equal(buf_add_text(&b, "abc"), 0);
	assert_int_equal(buf_add_text(&b, "de"), ERR_RANGE);
	assert_int_equal(buf_add_text(&b, "d"), ERR_RANGE);
	assert_int_equal(buf_reserve(&b, 0), ERR_RANGE);
	assert_string_equal(buf_text(&b), "");
	assert_true(span_is(buf_span(&b), SPAN_LIT("abc")));
	const char *memory = b.p;
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_add_text(&b, "d"), 0);
	assert_ptr_equal(b.p, memory);
	buf_deinit(&b);
	assert_int_equal(b.max, 4);
	buf_deinit(&b);
}

static void test_buf_zeroed_one_takes_nothing_and_can_be_freed(void **state)
{
	(void)state;
	struct buf b = {0};
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(buf_add_span(&b, (struct span){NULL, 0}), 0);
	assert_int_equal(buf_add_char(&b, 'x'), ERR_RANGE);
	assert_string_equal(buf_text(&b), "");
	buf_deinit(&b);
}

static void test_buf_huge_sizes_do_not_wrap_around(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_add_text(&b, "abc"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), ERR_RANGE);
	buf_deinit(&b);
}

static void test_buf_number_is_decimal(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 64);
	const uint64_t numbers[] = {0, 7, 10, 4294967295, UINT64_MAX};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		assert_int_equal(buf_add_number(&b, numbers[i]), 0);
		(void)buf_add_char(&b, ',');
	}
	assert_string_equal(buf_text(&b), "0,7,10,4294967295,18446744073709551615,");
	while (b.len < 60)
		(void)buf_add_char(&b, '.');
	assert_int_equal(buf_add_number(&b, 12345), ERR_RANGE);
	assert_int_equal(b.len, 60);
	buf_deinit(&b);
}

static void test_buf_printf_appends_without_counting_the_nul(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_printf(&b, "%03d,", i), 0);
	assert_int_equal(b.len, 400);
	assert_memory_equal(b.p, "000,001,002,", 12);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(b.len, 400);
	assert_int_equal(buf_printf(&b, "%1000d", 1), ERR_RANGE);
	assert_int_equal(b.len, 400);
	buf_deinit(&b);
}

static void test_buf_text_ends_with_a_nul_that_is_not_counted(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(buf_add_text(&b, "abc"), 0);
	assert_string_equal(buf_text(&b), "abc");
	assert_int_equal(b.len, 3);
	assert_int_equal(buf_add_char(&b, 'd'), 0);
	assert_string_equal(buf_text(&b), ""); /* no room for the NUL */
	assert_int_equal(b.failed, ERR_RANGE);
	buf_deinit(&b);
}

static void test_buf_spans_compare_in_the_order_of_the_store(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *a, *b;
		int sign;
	} cases[] = {
		{__LINE__, "", "", 0},       {__LINE__, "", "a", -1},   {__LINE__, "a", "b", -1},
		{__LINE__, "ab", "b", -1},   {__LINE__, "a", "ab", -1}, {__LINE__, "\xFF", "a", 1},
		{__LINE__, "abc", "abc", 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span a = span_of(cases[i].a), b = span_of(cases[i].b);
		int there = span_compare(a, b), back = span_compare(b, a);
		if ((there > 0) - (there < 0) != cases[i].sign || (back > 0) - (back < 0) != -cases[i].sign ||
		    span_is(a, b) != (cases[i].sign == 0))
			fail_msg("line %d: %d, %d", cases[i].line, there, back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows_up_to_its_ceiling_and_not_past_it),
		cmocka_unit_test(test_buf_first_failure_sticks_until_reset),
		cmocka_unit_test(test_buf_zeroed_one_takes_nothing_and_can_be_freed),
		cmocka_unit_test(test_buf_huge_sizes_do_not_wrap_around),
		cmocka_unit_test(test_buf_number_is_decimal),
		cmocka_unit_test(test_buf_printf_appends_without_counting_the_nul),
		cmocka_unit_test(test_buf_text_ends_with_a_nul_that_is_not_counted),
		cmocka_unit_test(test_buf_spans_compare_in_the_order_of_the_store),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

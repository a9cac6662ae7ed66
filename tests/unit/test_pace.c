#include "../../server/verify/pace.h"
#include "unit.h"

static struct pace pace;
static uint64_t now_ms;

static int set_up(void **state)
{
	(void)state;
	now_ms = 1000;
	pace_init(&pace, now_ms);
	return 0;
}

/* So many answers of now, one late in late_each; 0: none is. */
static void take(size_t count, size_t late_each)
{
	for (size_t i = 0; i < count; i++) {
		pace_take(&pace, pace.epoch, late_each && i % late_each == 0, now_ms);
		assert_true(pace.window >= PACE_MIN && pace.window <= pace.target && pace.target <= PACE_MAX);
	}
}

static void test_pace_grows_while_nothing_is_late(void **state)
{
	(void)state;
	size_t last = pace.window;
	for (size_t wanted = PACE_FIRST; wanted < PACE_MAX; wanted *= 2) {
		take(10000, 0);
		assert_int_equal(pace.window, wanted); /* not before a time-out could have come */
		now_ms += PACE_KEEP_MS;
		pace_take(&pace, pace.epoch, false, now_ms);
		assert_true(pace.target == 2 * wanted && pace.window <= last + 1); /* and not in one burst */
		take(10000, 0);
		last = pace.window;
		assert_int_equal(last, 2 * wanted);
	}
	now_ms += PACE_KEEP_MS;
	take(10000, 0);
	assert_int_equal(pace.window, PACE_MAX);
}

static void test_pace_without_answers_does_not_grow(void **state)
{
	(void)state;
	now_ms += 100 * PACE_KEEP_MS;
	take(PACE_FIRST - 1, 0);
	assert_int_equal(pace.target, PACE_FIRST);
}

static void test_pace_halves_once_for_what_one_window_lost(void **state)
{
	(void)state;
	unsigned before = pace.epoch;
	take(1000, 0);
	for (int i = 0; i < 200; i++)
		pace_take(&pace, before, true, now_ms);
	assert_int_equal(pace.window, PACE_FIRST / 2);
	assert_int_equal(pace.epoch, before + 1);
}

static void test_pace_tries_a_window_that_was_too_large_less_and_less_often(void **state)
{
	(void)state;
	uint64_t last_ms = 0;
	for (int i = 0; i < 5; i++) {
		uint64_t began_ms = now_ms;
		unsigned epoch = pace.epoch;
		take(1000, 0);
		while (pace.target == PACE_FIRST)
			pace_take(&pace, epoch, true, now_ms);
		for (int turns = 0; pace.target < PACE_FIRST; turns++) {
			assert_true(turns < 2000);
			now_ms += 100;
			take(100, 0);
		}
		assert_true(now_ms - began_ms > last_ms * 3 / 2);
		last_ms = now_ms - began_ms;
	}
}

static void test_pace_never_falls_below_what_everybody_takes(void **state)
{
	(void)state;
	take(100000, 3);
	assert_int_equal(pace.window, PACE_MIN);
}

static void test_pace_all_late_is_no_reason(void **state)
{
	(void)state; /* the first of two resolvers is not there */
	now_ms += PACE_KEEP_MS;
	take(10000, 1);
	assert_true(pace.target > PACE_FIRST);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup(t, set_up)
	const struct CMUnitTest tests[] = {
		TEST(test_pace_grows_while_nothing_is_late),
		TEST(test_pace_without_answers_does_not_grow),
		TEST(test_pace_halves_once_for_what_one_window_lost),
		TEST(test_pace_tries_a_window_that_was_too_large_less_and_less_often),
		TEST(test_pace_never_falls_below_what_everybody_takes),
		TEST(test_pace_all_late_is_no_reason),
	};
	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}

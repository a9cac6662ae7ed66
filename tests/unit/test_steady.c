#include "../../base/clock.h"
#include "../../server/keeper/steady.h"
#include "unit.h"

#include <stdlib.h>

enum { MINUTE_MS = 60000, HOUR_S = 3600, YEAR_S = 365 * 86400 };

#define NOW INT64_C(1780272000)

static void test_steady_believes_a_clock_after_an_hour_without_a_step(void **state)
{
	(void)state;
	static const struct {
		int line;
		uint64_t mono_ms;
		int64_t unix_s; /* beside NOW */
		bool is_steady;
		int64_t step_s;
	} cases[] = {
		{__LINE__, 500, 0, false, 0},
		{__LINE__, 500 + MINUTE_MS, 60, false, 0},
		{__LINE__, 500 + STEADY_MS - 1, HOUR_S, false, 0},
		{__LINE__, 500 + STEADY_MS, HOUR_S, true, 0},
		{__LINE__, 500 + 2 * STEADY_MS, 2 * HOUR_S + 50, true, 0}, /* slewed, or seen late */
		{__LINE__, 500 + 2 * STEADY_MS + MINUTE_MS, YEAR_S, false, YEAR_S - 2 * HOUR_S - 110},
		{__LINE__, 500 + 3 * STEADY_MS, YEAR_S + 59 * 60, false, 0},
		{__LINE__, 500 + 3 * STEADY_MS + MINUTE_MS, YEAR_S + HOUR_S, true, 0},
		{__LINE__, 500 + 4 * STEADY_MS, YEAR_S + 2 * HOUR_S - 60 - 100, false, -100}, /* and back */
		{__LINE__, 500 + 5 * STEADY_MS - 1, YEAR_S + 3 * HOUR_S - 160, false, 0},
		{__LINE__, 500 + 5 * STEADY_MS, YEAR_S + 3 * HOUR_S - 160, true, 0},
	};
	struct steady s = {0};
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (steady_look(&s, cases[i].mono_ms, NOW + cases[i].unix_s) != cases[i].is_steady)
			fail_msg("line %d", cases[i].line);
		if (s.step_s != cases[i].step_s)
			fail_msg("line %d: %lld", cases[i].line, (long long)s.step_s);
	}
}

static void test_steady_believes_a_test_at_once(void **state)
{
	(void)state;
	struct steady s = {0};
	assert_false(clock_is_moved());
	assert_false(steady_look(&s, 500, NOW));
	assert_int_equal(setenv("MTA_STS_TEST_CLOCK_OFFSET_S", "5", 1), 0);
	assert_true(clock_is_moved());
	assert_true(steady_look(&s, 501, NOW));
	assert_int_equal(unsetenv("MTA_STS_TEST_CLOCK_OFFSET_S"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady_believes_a_clock_after_an_hour_without_a_step),
		cmocka_unit_test(test_steady_believes_a_test_at_once),
	};
	return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}

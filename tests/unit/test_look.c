#include "../../server/keeper/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void test_look_comes_first_at_once(void **state)
{
	(void)state;
	const struct look none = {0};
	assert_true(look_is_due(&none, 0));
	assert_true(look_is_due(&none, 5));
}

static void test_look_takes_a_thousandth_and_comes_every_hour(void **state)
{
	(void)state;
	static const struct {
		uint64_t took_ms, pause_ms;
	} cases[] = {{0, 0},          {1, 1000},       {60, 60000},     {1700, 1700000},
		     {3600, 3600000}, {3601, 3600000}, {90000, 3600000}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct look l;
		uint64_t end_ms = 1000000;
		look_note(&l, end_ms - cases[i].took_ms, end_ms);
		assert_true(look_is_due(&l, end_ms + cases[i].pause_ms));
		if (cases[i].pause_ms)
			assert_false(look_is_due(&l, end_ms + cases[i].pause_ms - 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look_comes_first_at_once),
		cmocka_unit_test(test_look_takes_a_thousandth_and_comes_every_hour),
	};
	return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}

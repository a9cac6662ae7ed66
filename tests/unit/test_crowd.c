#include "../../server/worker/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_crowd_oldest_light_one_goes_first(void **state)
{
	(void)state;
	struct crowd cr = {.max_count = 3, .heavy_max_count = 2};
	struct crowd_member m[4] = {0};
	for (int i = 0; i < 3; i++) {
		assert_null(crowd_surplus(&cr, CROWD_LIGHT));
		crowd_move(&cr, &m[i], CROWD_LIGHT);
	}
	assert_ptr_equal(crowd_surplus(&cr, CROWD_LIGHT), &m[0]);
	crowd_move(&cr, &m[0], CROWD_HEAVY);
	assert_ptr_equal(crowd_surplus(&cr, CROWD_LIGHT), &m[1]);
	crowd_move(&cr, &m[1], CROWD_NONE);
	assert_null(crowd_surplus(&cr, CROWD_LIGHT));
	assert_int_equal(crowd_count(&cr), 2);
}

static void test_crowd_heavy_ones_have_a_limit_of_their_own(void **state)
{
	(void)state;
	struct crowd cr = {.max_count = 10, .heavy_max_count = 2};
	struct crowd_member m[3] = {0};
	crowd_move(&cr, &m[0], CROWD_HEAVY);
	assert_null(crowd_surplus(&cr, CROWD_HEAVY));
	crowd_move(&cr, &m[1], CROWD_HEAVY);
	crowd_move(&cr, &m[2], CROWD_LIGHT);
	assert_ptr_equal(crowd_surplus(&cr, CROWD_HEAVY), &m[0]);
	assert_null(crowd_surplus(&cr, CROWD_LIGHT));
}

static void test_crowd_without_light_ones_a_heavy_one_goes(void **state)
{
	(void)state;
	struct crowd cr = {.max_count = 2, .heavy_max_count = 2};
	struct crowd_member m[2] = {0};
	crowd_move(&cr, &m[0], CROWD_HEAVY);
	crowd_move(&cr, &m[1], CROWD_HEAVY);
	assert_ptr_equal(crowd_surplus(&cr, CROWD_LIGHT), &m[0]);
}

static void test_crowd_order_survives_any_departure(void **state)
{
	(void)state;
	for (int gone = 0; gone < 5; gone++) {
		struct crowd cr = {.max_count = 9, .heavy_max_count = 9};
		struct crowd_member m[5] = {0};
		for (int i = 0; i < 5; i++)
			crowd_move(&cr, &m[i], CROWD_LIGHT);
		crowd_move(&cr, &m[gone], CROWD_NONE);
		crowd_move(&cr, &m[gone], CROWD_NONE); /* nothing happens */
		crowd_move(&cr, &m[gone], CROWD_LIGHT);
		int at = 0;
		for (struct crowd_member *p = cr.oldest[CROWD_LIGHT]; p; p = p->newer, at++) {
			assert_ptr_equal(p, at == 4 ? &m[gone] : &m[at < gone ? at : at + 1]);
			assert_ptr_equal(p->newer ? p->newer->older : cr.newest[CROWD_LIGHT], p);
		}
		assert_int_equal(at, 5);
		for (int i = 0; i < 5; i++)
			crowd_move(&cr, &m[i], CROWD_NONE);
		assert_int_equal(crowd_count(&cr), 0);
		assert_null(cr.oldest[CROWD_LIGHT]);
		assert_null(cr.newest[CROWD_LIGHT]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crowd_oldest_light_one_goes_first),
		cmocka_unit_test(test_crowd_heavy_ones_have_a_limit_of_their_own),
		cmocka_unit_test(test_crowd_without_light_ones_a_heavy_one_goes),
		cmocka_unit_test(test_crowd_order_survives_any_departure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

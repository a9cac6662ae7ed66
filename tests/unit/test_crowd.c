#include "../../server/worker/crowd.h"
#include "unit.h"

#include <stdbool.h>

static void test_crowd_newest_idle_one_goes_first(void **state)
{
	(void)state;
	struct crowd cr = {.max_count = 4, .engine_max_count = 2};
	struct crowd_member m[6] = {0};
	for (int i = 0; i < 4; i++) {
		assert_false(crowd_is_full(&cr));
		crowd_move(&cr, &m[i], CROWD_IDLE);
	}
	assert_true(crowd_is_full(&cr));
	assert_ptr_equal(crowd_surplus(&cr), &m[3]);
	crowd_move(&cr, &m[3], CROWD_TALKING);
	assert_true(crowd_is_full(&cr));
	assert_ptr_equal(crowd_surplus(&cr), &m[2]);
	crowd_move(&cr, &m[2], CROWD_NONE);
	assert_false(crowd_is_full(&cr));
	crowd_move(&cr, &m[4], CROWD_IDLE);
	assert_ptr_equal(crowd_surplus(&cr), &m[4]);
}

static void test_crowd_where_none_is_idle_the_longest_wait_ends(void **state)
{
	(void)state;
	static const struct {
		int line;
		enum crowd_queue queues[4];
		int goes; /* -1: nobody */
	} cases[] = {
		{__LINE__, {CROWD_IDLE, CROWD_LINGERING, CROWD_TALKING, CROWD_ENGINE}, 0},
		{__LINE__, {CROWD_IDLE, CROWD_IDLE, CROWD_FRESH, CROWD_FRESH}, 1},
		{__LINE__, {CROWD_FRESH, CROWD_LINGERING, CROWD_LINGERING, CROWD_TALKING}, 1},
		{__LINE__, {CROWD_FRESH, CROWD_FRESH, CROWD_TALKING, CROWD_ENGINE}, 1},
		{__LINE__, {CROWD_ENGINE, CROWD_TALKING, CROWD_LINGERING, CROWD_LINGERING}, 2},
		{__LINE__, {CROWD_ENGINE, CROWD_TALKING, CROWD_TALKING, CROWD_ANSWERING}, 1},
		{__LINE__, {CROWD_ANSWERING, CROWD_ENGINE, CROWD_ENGINE, CROWD_ANSWERING}, 1},
		{__LINE__, {CROWD_ANSWERING, CROWD_ANSWERING, CROWD_IDLE, CROWD_ANSWERING}, 2},
		{__LINE__, {CROWD_ANSWERING, CROWD_ANSWERING, CROWD_ANSWERING, CROWD_ANSWERING}, -1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct crowd cr = {.max_count = 4, .engine_max_count = 4};
		struct crowd_member m[4] = {0};
		for (int n = 0; n < 4; n++)
			crowd_move(&cr, &m[n], cases[i].queues[n]);
		if (!crowd_is_full(&cr) || crowd_surplus(&cr) != (cases[i].goes < 0 ? NULL : &m[cases[i].goes]))
			fail_msg("line %d", cases[i].line);
	}
}

static void test_crowd_engines_have_a_limit_of_their_own(void **state)
{
	(void)state;
	struct crowd cr = {.max_count = 10, .engine_max_count = 2};
	struct crowd_member m[4] = {0};
	assert_null(crowd_surplus_engine(&cr));
	crowd_move(&cr, &m[0], CROWD_ENGINE);
	assert_false(crowd_is_full_of_engines(&cr));
	crowd_move(&cr, &m[1], CROWD_ENGINE);
	crowd_move(&cr, &m[2], CROWD_IDLE);
	assert_true(crowd_is_full_of_engines(&cr));
	assert_false(crowd_is_full(&cr));
	assert_ptr_equal(crowd_surplus_engine(&cr), &m[0]);
	crowd_move(&cr, &m[0], CROWD_ANSWERING); /* an engine no longer, and safe */
	assert_false(crowd_is_full_of_engines(&cr));
	assert_ptr_equal(crowd_surplus_engine(&cr), &m[1]);
	assert_int_equal(crowd_count(&cr), 3);
}

static void test_crowd_order_survives_any_departure(void **state)
{
	(void)state;
	for (int gone = 0; gone < 5; gone++) {
		struct crowd cr = {.max_count = 9, .engine_max_count = 9};
		struct crowd_member m[5] = {0};
		for (int i = 0; i < 5; i++)
			crowd_move(&cr, &m[i], CROWD_IDLE);
		crowd_move(&cr, &m[gone], CROWD_NONE);
		crowd_move(&cr, &m[gone], CROWD_NONE); /* nothing happens */
		crowd_move(&cr, &m[gone], CROWD_IDLE);
		int at = 0;
		for (struct crowd_member *p = cr.oldest[CROWD_IDLE]; p; p = p->newer, at++) {
			assert_ptr_equal(p, at == 4 ? &m[gone] : &m[at < gone ? at : at + 1]);
			assert_ptr_equal(p->newer ? p->newer->older : cr.newest[CROWD_IDLE], p);
		}
		assert_int_equal(at, 5);
		for (int i = 0; i < 5; i++)
			crowd_move(&cr, &m[i], CROWD_NONE);
		assert_int_equal(crowd_count(&cr), 0);
		assert_null(cr.oldest[CROWD_IDLE]);
		assert_null(cr.newest[CROWD_IDLE]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crowd_newest_idle_one_goes_first),
		cmocka_unit_test(test_crowd_where_none_is_idle_the_longest_wait_ends),
		cmocka_unit_test(test_crowd_engines_have_a_limit_of_their_own),
		cmocka_unit_test(test_crowd_order_survives_any_departure),
	};
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}

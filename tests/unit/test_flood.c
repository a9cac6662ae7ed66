#include "../../certs/mbed.h"
#include "../../server/worker/flood.h"

#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int set_up(void **state)
{
	(void)state;
	return mbed_start(NULL);
}

static int tear_down(void **state)
{
	(void)state;
	mbed_stop();
	return 0;
}

/* key: of the library's, gone where it was started anew. */
static psa_key_id_t key(void)
{
	static const uint8_t bytes[16] = {1};
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id;
	psa_set_key_type(&a, PSA_KEY_TYPE_AES);
	assert_int_equal(psa_import_key(&a, bytes, sizeof bytes, &id), PSA_SUCCESS);
	return id;
}

static bool is_there(psa_key_id_t id)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	return psa_get_key_attributes(id, &a) == PSA_SUCCESS;
}

static void test_flood_gives_back_twice(void **state)
{
	(void)state;
	struct flood f = {0};
	psa_key_id_t id = key();
	for (size_t count = 1; count <= 800; count++)
		flood_rise(&f, count);
	flood_fall(&f, 101);
	assert_false(f.has_given_back);
	flood_fall(&f, 100); /* an eighth */
	assert_true(f.has_given_back);
	assert_true(is_there(id)); /* somebody may use it */
	flood_fall(&f, 0);
	assert_false(is_there(id));
	assert_int_equal(f.most_count, 0);
	assert_true(flood_has_engine(&f));
}

static void test_flood_that_rises_again_gives_back_again(void **state)
{
	(void)state;
	struct flood f = {0};
	flood_rise(&f, 800);
	flood_fall(&f, 100);
	flood_rise(&f, 300);
	assert_false(f.has_given_back);
	flood_fall(&f, 100);
	assert_true(f.has_given_back);
}

static void test_flood_is_more_than_a_few(void **state)
{
	(void)state;
	struct flood f = {0};
	psa_key_id_t id = key();
	flood_rise(&f, 255);
	flood_fall(&f, 0);
	assert_true(is_there(id));
	assert_int_equal(psa_destroy_key(id), PSA_SUCCESS);
}

static void test_flood_tries_again_for_an_engine(void **state)
{
	(void)state;
	struct flood f = {.is_engine_down = true};
	mbed_stop();
	assert_true(flood_has_engine(&f));
	assert_false(f.is_engine_down);
	assert_int_equal(psa_destroy_key(key()), PSA_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flood_gives_back_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood_that_rises_again_gives_back_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood_is_more_than_a_few, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood_tries_again_for_an_engine, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

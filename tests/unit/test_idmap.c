#include "../../base/err.h"
#include "../../certs/idmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_idmap_holds_many(void **state)
{
	(void)state;
	enum { MANY = 20000 };
	struct idmap m = {0};
	uint64_t id[2] = {0};
	uint32_t number;
	assert_false(idmap_has(&m, (const uint8_t *)id, NULL));
	for (uint32_t i = 0; i < MANY; i++) {
		id[0] = 7; /* as device and inode are */
		id[1] = i;
		assert_int_equal(idmap_put(&m, (const uint8_t *)id, i), 0);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		id[1] = i;
		assert_int_equal(idmap_put(&m, (const uint8_t *)id, 1), ERR_CONFLICT);
		assert_true(idmap_has(&m, (const uint8_t *)id, &number));
		assert_int_equal(number, i);
	}
	id[1] = MANY;
	assert_false(idmap_has(&m, (const uint8_t *)id, NULL));
	assert_int_equal(m.count, MANY);
	idmap_deinit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idmap_holds_many),
	};
	return cmocka_run_group_tests_name("idmap", tests, NULL, NULL);
}

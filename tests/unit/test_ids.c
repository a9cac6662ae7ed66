#include "../../config/ids.h"
#include "unit.h"

#define NOW INT64_C(784111777) /* 1994-11-06T08:49:37Z */

static const uint8_t digest_a[SHA256_BYTES] = {0x01, 0x23, 0x45, 0x67,        0x89,
					       0xAB, 0xCD, 0xEF, [15] = 0x0F, [31] = 0xFF};
static const uint8_t digest_b[SHA256_BYTES] = {0xFF};

static void test_ids_timestamp_is_the_time_of_the_change(void **state)
{
	(void)state; /* A-T2 */
	struct ids_used used = {0};
	char id[DOMAIN_ID_MAX_BYTES + 1];
	ids_next(ID_TIMESTAMP, digest_a, NOW, &used, id);
	assert_string_equal(id, "19941106084937");
	assert_int_equal(used.stamp_unix_s, NOW);
}

static void test_ids_timestamp_never_repeats_and_never_goes_back(void **state)
{
	(void)state; /* A-T9 */
	static const struct {
		int line;
		int64_t now;
		const char *id;
	} cases[] = {
		{__LINE__, NOW, "19941106084937"},         {__LINE__, NOW, "19941106084938"}, /* the same second */
		{__LINE__, NOW, "19941106084939"},         {__LINE__, NOW + 1, "19941106084940"},
		{__LINE__, NOW - 86400, "19941106084941"}, /* the clock was put back */
		{__LINE__, NOW + 60, "19941106085037"},
	};
	struct ids_used used = {0};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char id[DOMAIN_ID_MAX_BYTES + 1];
		ids_next(ID_TIMESTAMP, digest_a, cases[i].now, &used, id);
		if (strcmp(id, cases[i].id) != 0)
			fail_msg("line %d: %s", cases[i].line, id);
	}
}

static void test_ids_serial_grows_by_one(void **state)
{
	(void)state;
	struct ids_used used = {.serial = 41};
	char id[DOMAIN_ID_MAX_BYTES + 1];
	ids_next(ID_SERIAL, digest_a, NOW, &used, id);
	assert_string_equal(id, "42");
	ids_next(ID_SERIAL, digest_b, NOW, &used, id);
	assert_string_equal(id, "43");
	used.serial = UINT64_MAX - 1;
	ids_next(ID_SERIAL, digest_b, NOW, &used, id);
	assert_string_equal(id, "18446744073709551615");
}

static void test_ids_serial_goes_on_from_the_start_of_the_server(void **state)
{
	(void)state;
	assert_int_equal(ids_serial_at(INT64_C(1735689600)), 0); /* 2025-01-01T00:00:00Z */
	assert_int_equal(ids_serial_at(INT64_C(1735689601)), 1);
	assert_int_equal(ids_serial_at(INT64_C(1780272000)), 44582400);
	assert_int_equal(ids_serial_at(0), 0);
	assert_int_equal(ids_serial_at(INT64_MIN), 0);
}

static void test_ids_digest_says_which_body_it_is(void **state)
{
	(void)state; /* A-T2, A-T9 */
	struct ids_used used = {0};
	char a[DOMAIN_ID_MAX_BYTES + 1], b[DOMAIN_ID_MAX_BYTES + 1], again[DOMAIN_ID_MAX_BYTES + 1];
	ids_next(ID_DIGEST, digest_a, NOW, &used, a);
	ids_next(ID_DIGEST, digest_b, NOW, &used, b);
	ids_next(ID_DIGEST, digest_a, NOW + 5, &used, again);
	assert_string_equal(a, "0123456789abcdef000000000000000f");
	assert_string_not_equal(a, b);
	assert_string_equal(a, again);
	assert_int_equal(used.stamp_unix_s, 0); /* uses up none of the others */
	assert_int_equal(used.serial, 0);
}

static void test_ids_of_policies_are_none_that_a_domain_has(void **state)
{
	(void)state;
	static const enum id_scheme schemes[] = {ID_TIMESTAMP, ID_SERIAL, ID_DIGEST};
	char own[DOMAIN_ID_MAX_BYTES + 1], shared[DOMAIN_ID_MAX_BYTES + 1];
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct ids_used own_used = {NOW, 41}, shared_used = own_used;
		ids_next(schemes[i], digest_a, NOW, &own_used, own);
		ids_next_shared(schemes[i], digest_a, SPAN_LIT("standard"), 0, NOW, &shared_used, shared);
		assert_string_not_equal(own, shared);
		assert_int_equal(strspn(shared, "abcdefghijklmnopqrstuvwxyz0123456789"), strlen(shared));
		assert_memory_equal(&own_used, &shared_used, sizeof own_used);
	}
	struct ids_used used = {.serial = UINT64_MAX - 1};
	ids_next_shared(ID_SERIAL, digest_a, SPAN_LIT("standard"), 0, NOW, &used, shared);
	assert_string_equal(shared, "p18446744073709551615");
	ids_next_shared(ID_TIMESTAMP, digest_a, SPAN_LIT("standard"), 0, NOW, &used, shared);
	assert_string_equal(shared, "p19941106084937");
}

static void test_ids_digest_of_a_policy_says_which_body_policy_and_turn_it_is(void **state)
{
	(void)state;
	static const struct {
		const uint8_t *digest;
		struct span policy;
		uint64_t turn;
	} cases[] = {
		{digest_a, LIT("one"), 0}, {digest_b, LIT("one"), 0},   {digest_a, LIT("two"), 0},
		{digest_a, LIT("one"), 1}, {digest_a, LIT("one"), 256},
	};
	char ids[COUNT(cases)][DOMAIN_ID_MAX_BYTES + 1], again[DOMAIN_ID_MAX_BYTES + 1];
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ids_used used = {5, 6};
		ids_next_shared(ID_DIGEST, cases[i].digest, cases[i].policy, cases[i].turn, NOW, &used, ids[i]);
		ids_next_shared(ID_DIGEST, cases[i].digest, cases[i].policy, cases[i].turn, NOW + 5, &used, again);
		assert_string_equal(ids[i], again);
		assert_int_equal(strlen(again), 32);
		for (size_t n = 0; n < i; n++)
			assert_string_not_equal(ids[i], ids[n]);
	}
	/* sha256 of digest_a, eight zeros and "one": any machine can tell */
	assert_string_equal(ids[0], "23417b3f7bb850eb8ad1c2699c34fca4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_timestamp_is_the_time_of_the_change),
		cmocka_unit_test(test_ids_timestamp_never_repeats_and_never_goes_back),
		cmocka_unit_test(test_ids_serial_grows_by_one),
		cmocka_unit_test(test_ids_serial_goes_on_from_the_start_of_the_server),
		cmocka_unit_test(test_ids_digest_says_which_body_it_is),
		cmocka_unit_test(test_ids_of_policies_are_none_that_a_domain_has),
		cmocka_unit_test(test_ids_digest_of_a_policy_says_which_body_policy_and_turn_it_is),
	};
	return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}

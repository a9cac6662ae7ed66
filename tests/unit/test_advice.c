#include "../../config/advice.h"
#include "unit.h"

enum { DAY_S = 86400 };

#define BEGIN INT64_C(784111777) /* 1994-11-06T08:49:37Z */

static void test_advice_is_what_a_row_shows_by_itself(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct domain_row row;
		int64_t passed_s;
		const char *codes, *text; /* of the last */
	} cases[] = {
		{__LINE__, {.mode = POLICY_ENFORCE, .max_age_s = 604800}, 14 * DAY_S, "", NULL},
		{__LINE__,
		 {.mode = POLICY_ENFORCE, .max_age_s = 604799},
		 14 * DAY_S,
		 "W01",
		 "max_age 604799 is short for mode enforce, which it is in since 1994-11-06T08:49:37Z"},
		{__LINE__, {.mode = POLICY_TESTING, .max_age_s = 86400}, 14 * DAY_S, "", NULL},
		{__LINE__, {.mode = POLICY_NONE, .max_age_s = 0}, 90 * DAY_S + 1, "", NULL},
		{__LINE__,
		 {.mode = POLICY_ENFORCE, .max_age_s = 604800},
		 13 * DAY_S,
		 "W05",
		 "it went straight to mode enforce at 1994-11-06T08:49:37Z"},
		{__LINE__, {.mode = POLICY_ENFORCE, .max_age_s = 604800, .first_unix_s = -1}, 1 * DAY_S, "", NULL},
		{__LINE__, {.mode = POLICY_TESTING}, 90 * DAY_S, "", NULL},
		{__LINE__,
		 {.mode = POLICY_TESTING},
		 90 * DAY_S + 1,
		 "W12",
		 "it is in mode testing since 1994-11-06T08:49:37Z"},
		{__LINE__, {.mode = POLICY_TESTING}, -400 * DAY_S, "", NULL}, /* the clock was set back */
		{__LINE__, {.mode = POLICY_NONE, .ttl_s = 86400}, 1 * DAY_S, "", NULL},
		{__LINE__,
		 {.mode = POLICY_NONE, .ttl_s = 86401},
		 1 * DAY_S,
		 "W13",
		 "a TTL of 86401 seconds delays every change"},
		{__LINE__,
		 {.mode = POLICY_ENFORCE, .ttl_s = UINT32_MAX},
		 1 * DAY_S,
		 "W01W05W13",
		 "a TTL of 4294967295 seconds delays every change"},
		{__LINE__, {.state = DOMAIN_WITHDRAWN, .mode = POLICY_NONE, .ttl_s = 86401}, 90 * DAY_S + 1, "", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct domain_row row = cases[i].row;
		struct advice out[ADVICE_MAX];
		char codes[4 * ADVICE_MAX] = "";
		row.mode_since_unix_s = BEGIN;
		row.first_unix_s += BEGIN;
		size_t count = advice_find(&row, BEGIN + cases[i].passed_s, out);
		for (size_t k = 0; k < count; k++)
			memcpy(codes + 3 * k, out[k].code, 4);
		if (strcmp(codes, cases[i].codes) != 0 ||
		    (cases[i].text && strcmp(out[count - 1].text, cases[i].text) != 0))
			fail_msg("line %d: %s: %s", cases[i].line, codes, count ? out[count - 1].text : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advice_is_what_a_row_shows_by_itself),
	};
	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}

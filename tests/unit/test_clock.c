#include "../../base/clock.h"
#include "unit.h"

#include <time.h>

static void test_clock_renders_utc(void **state)
{
	(void)state;
	static const struct {
		int line;
		int64_t unix_s;
		const char *stamp, *http, *iso;
	} cases[] = {
		{__LINE__, 784111777, "19941106084937", "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{__LINE__, 0, "19700101000000", "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"},
		{__LINE__, -1, "19691231235959", "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59Z"},
		{__LINE__, 1709164800, "20240229000000", "Thu, 29 Feb 2024 00:00:00 GMT", "2024-02-29T00:00:00Z"},
		{__LINE__, 2147483648, "20380119031408", "Tue, 19 Jan 2038 03:14:08 GMT", "2038-01-19T03:14:08Z"},
		{__LINE__, 253402300799, "99991231235959", "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
		{__LINE__, INT64_MAX, "99991231235959", "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
		{__LINE__, INT64_MIN, "00000101000000", "Sat, 01 Jan 0000 00:00:00 GMT", "0000-01-01T00:00:00Z"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char stamp[CLOCK_STAMP_BYTES], http[CLOCK_HTTP_BYTES], iso[CLOCK_ISO_BYTES];
		clock_render_stamp(cases[i].unix_s, stamp);
		clock_render_http(cases[i].unix_s, http);
		clock_render_iso(cases[i].unix_s, iso);
		if (strcmp(stamp, cases[i].stamp) != 0 || strcmp(http, cases[i].http) != 0 ||
		    strcmp(iso, cases[i].iso) != 0)
			fail_msg("line %d: %s %s %s", cases[i].line, stamp, http, iso);
	}
}

static void test_clock_fake_one_says_what_it_was_told(void **state)
{
	(void)state;
	int64_t file_ns = clock_file_ns();
	uint64_t mono_ms = clock_mono_ms();
	assert_true(clock_mono_ms() >= mono_ms);
	assert_true(clock_unix_s() - (int64_t)time(NULL) <= 1);
	clock_set_fake(5, 784111777);
	assert_int_equal(clock_mono_ms(), 5);
	assert_int_equal(clock_unix_s(), 784111777);
	assert_true(clock_file_ns() >= file_ns); /* files keep the system's time */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_renders_utc),
		cmocka_unit_test(test_clock_fake_one_says_what_it_was_told),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

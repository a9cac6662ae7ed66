#include "../../base/json.h"
#include "guard.h"
#include "unit.h"

static void test_json_commas_stand_between_values(void **state)
{
	(void)state;
	struct buf b;
	struct json j;
	buf_init(&b, 1000);
	json_begin(&j, &b);
	json_open(&j, '{');
	json_put_text(&j, "a", SPAN_LIT("x"));
	json_key(&j, "list");
	json_open(&j, '[');
	json_number(&j, INT64_MIN);
	json_open(&j, '{');
	json_close(&j, '}');
	json_open(&j, '[');
	json_close(&j, ']');
	json_null(&j);
	json_close(&j, ']');
	json_put_bool(&j, "b", true);
	json_put_bool(&j, "c", false);
	json_put_number(&j, "n", INT64_MAX);
	json_put_time(&j, "t", 784111777);
	json_put_time(&j, "never", 0);
	json_close(&j, '}');
	assert_string_equal(buf_text(&b),
			    "{\"a\":\"x\",\"list\":[-9223372036854775808,{},[],null],\"b\":true,\"c\":false,"
			    "\"n\":9223372036854775807,\"t\":\"1994-11-06T08:49:37Z\",\"never\":null}");
	buf_deinit(&b);
}

static void test_json_text_is_escaped_and_always_utf8(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
		const char *out;
	} cases[] = {
		{__LINE__, LIT(""), "\"\""},
		{__LINE__, LIT("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
		{__LINE__, LIT("\0\x01\n\x1F\x7F"), "\"\\u0000\\u0001\\u000a\\u001f\\u007f\""},
		{__LINE__, LIT("ü€😀"), "\"ü€😀\""},
		{__LINE__, LIT("\x80"), "\"\\ufffd\""},
		{__LINE__, LIT("a\xFFz"), "\"a\\ufffdz\""},
		{__LINE__, LIT("\xC3"), "\"\\ufffd\""},            /* cut off */
		{__LINE__, LIT("\xC3\x28"), "\"\\ufffd(\""},       /* no continuation */
		{__LINE__, LIT("\xC0\xAF"), "\"\\ufffd\\ufffd\""}, /* overlong */
		{__LINE__, LIT("\xE0\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\""},
		{__LINE__, LIT("\xED\xA0\x80"), "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
		{__LINE__, LIT("\xF0\x80\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{__LINE__, LIT("\xF4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
		{__LINE__, LIT("\xF4\x8F\xBF\xBF"), "\"\xF4\x8F\xBF\xBF\""},
		{__LINE__, LIT("\xF0\x9F\x98"), "\"\\ufffd\\ufffd\\ufffd\""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;
		struct json j;
		buf_init(&b, 1000);
		json_begin(&j, &b);
		json_text(&j, (struct span){guard_copy(cases[i].in.p, cases[i].in.len), cases[i].in.len});
		if (strcmp(buf_text(&b), cases[i].out) != 0)
			fail_msg("line %d: %s", cases[i].line, buf_text(&b));
		buf_deinit(&b);
	}
	guard_free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_commas_stand_between_values),
		cmocka_unit_test(test_json_text_is_escaped_and_always_utf8),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

#include "../../base/err.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static void test_err_set_returns_its_code(void **state)
{
	(void)state;
	struct err e = {0};
	assert_int_equal(err_set(&e, ERR_RANGE, "%s is %d", "x", 3), ERR_RANGE);
	assert_int_equal(e.code, ERR_RANGE);
	assert_string_equal(e.text, "x is 3");
}

static void test_err_null_is_accepted(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_PARSE, "x"), ERR_PARSE);
	assert_int_equal(err_errno(NULL, ENOENT, "x"), ERR_NOENT);
	assert_int_equal(err_wrap(NULL, "x"), 0);
}

static void test_err_errno_chooses_code_and_says_why(void **state)
{
	(void)state;
	static const struct {
		int line, errnum, code;
		const char *text;
	} cases[] = {
		{__LINE__, ENOENT, ERR_NOENT, "f: No such file or directory"},
		{__LINE__, EACCES, ERR_PERM, "f: Permission denied"},
		{__LINE__, EPERM, ERR_PERM, "f: Operation not permitted"},
		{__LINE__, ENOMEM, ERR_NOMEM, "f: Cannot allocate memory"},
		{__LINE__, EIO, ERR_IO, "f: Input/output error"},
		{__LINE__, ENOSPC, ERR_IO, "f: No space left on device"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		if (err_errno(&e, cases[i].errnum, "%s", "f") != cases[i].code || e.code != cases[i].code ||
		    strcmp(e.text, cases[i].text) != 0)
			fail_msg("line %d: %d %s", cases[i].line, e.code, e.text);
	}
}

static void test_err_wrap_puts_context_in_front(void **state)
{
	(void)state;
	struct err e = {0};
	(void)err_set(&e, ERR_IO, "no disk");
	assert_int_equal(err_wrap(&e, "domain %s", "a.example"), ERR_IO);
	assert_string_equal(e.text, "domain a.example: no disk");
}

static void test_err_long_text_is_cut_and_ends(void **state)
{
	(void)state;
	char name[2 * ERR_TEXT_BYTES];
	struct err e;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	(void)err_set(&e, ERR_IO, "%s", name);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
	(void)err_errno(&e, EIO, "%s", name);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
	(void)err_wrap(&e, "%s", name);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
	(void)err_set(&e, ERR_IO, "%.*s", ERR_TEXT_BYTES - 3, name);
	(void)err_wrap(&e, "ab");
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
	assert_memory_equal(e.text, "ab: xxx", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_set_returns_its_code),
		cmocka_unit_test(test_err_null_is_accepted),
		cmocka_unit_test(test_err_errno_chooses_code_and_says_why),
		cmocka_unit_test(test_err_wrap_puts_context_in_front),
		cmocka_unit_test(test_err_long_text_is_cut_and_ends),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

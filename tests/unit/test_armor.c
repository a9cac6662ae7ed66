#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/armor.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct {
	int line;
	const char *text;
	const char *labels; /* of what armor_next finds; "!" in front of a bad one, ":" behind each */
} armors[] = {
	{__LINE__, "", ""},
	{__LINE__, "-----BEGIN", ""},
	{__LINE__, "-----BEGIN A", ""},
	{__LINE__, "-----BEGIN A-----", "!A:"},
	{__LINE__, "-----BEGIN A-----\nAAAA\n-----END A-----", "A:"},
	{__LINE__, "-----BEGIN A-----\nAAAA\n-----END A----", "!A:"},
	{__LINE__, "-----BEGIN A-----\nAAAA\n-----END B-----\n", "!A:"},
	{__LINE__, "-----BEGIN A-----\n-----BEGIN B-----\nAAAA\n-----END B-----\n", "!A:B:"},
	{__LINE__, "-----BEGIN A-----\nAAAA\n-----END A----------BEGIN B-----\nAAAA\n-----END B-----", "A:B:"},
	{__LINE__, "-----BEGIN A\n-----\n-----BEGIN B-----\n-----END B-----", "B:"},
	{__LINE__, "-----BEGIN -----BEGIN A-----\n-----END A-----", "A:"},
	{__LINE__, "-----END A-----\n-----BEGIN A-----\n-----END A-----\n", "A:"},
};

static void test_armor_finds_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(armors); i++) {
		size_t len = strlen(armors[i].text);
		struct span rest = {guard_copy(armors[i].text, len), len};
		struct armor_block block;
		struct buf labels;
		enum armor_result found;
		buf_init(&labels, 1024);
		while ((found = armor_next(&rest, &block)) != ARMOR_END)
			(void)buf_printf(&labels, "%s%.*s:", found == ARMOR_BAD ? "!" : "", SPAN_ARG(block.label));
		if (strcmp(buf_text(&labels), armors[i].labels) != 0)
			fail_msg("line %d: %s", armors[i].line, buf_text(&labels));
		buf_deinit(&labels);
		guard_free_all();
	}
}

static const struct {
	int line;
	const char *text;
	const char *bytes; /* NULL: refused */
} decodings[] = {
	{__LINE__, "YWJj", "abc"},
	{__LINE__, "\nYWJj\nZGVm\n", "abcdef"},
	{__LINE__, "\r\nYWJj\r\nZGU=\r\n", "abcde"},
	{__LINE__, "  \nYWJj  \n", "abc"},
	{__LINE__, "YWJjZA==", "abcd"},
	{__LINE__, "", NULL},
	{__LINE__, "\n\n", NULL},
	{__LINE__, "YWJ", NULL},
	{__LINE__, "YW=j", NULL},
	{__LINE__, "YWJj:", NULL},
};

static void test_armor_decodes_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decodings); i++) {
		uint8_t out[64];
		size_t out_len = 0, len = strlen(decodings[i].text);
		int rc = armor_decode((struct span){guard_copy(decodings[i].text, len), len}, out, &out_len);
		struct span got = {(const char *)out, out_len};
		bool is_right = decodings[i].bytes ? rc == 0 && span_is(got, span_of(decodings[i].bytes))
						   : rc == ERR_PARSE;
		if (!is_right)
			fail_msg("line %d: %d, %zu bytes", decodings[i].line, rc, out_len);
		guard_free_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_armor_finds_blocks),
		cmocka_unit_test(test_armor_decodes_base64),
	};
	return cmocka_run_group_tests_name("armor", tests, NULL, NULL);
}

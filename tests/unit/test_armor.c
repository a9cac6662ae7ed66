#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../certs/armor.h"
#include "../../certs/pem.h"
#include "guard.h"

#include <glob.h>
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
	{__LINE__, "YWJjZGVm Z2hp", NULL},
	{__LINE__, "YW Jj", NULL},
	{__LINE__, "YW\nJj", "abc"},
	{__LINE__, "YWJj\r", NULL},
	{__LINE__, "YWJjZA=\n=", "abcd"},
	{__LINE__, "YWJjZA===", NULL},
	{__LINE__, "YWJjZA==ZGVm", NULL},
	{__LINE__, "YWJjZ===", NULL},
	{__LINE__, "====", NULL},
	{__LINE__, "==", NULL},
	{__LINE__, "YWJj-_+/", NULL},
	{__LINE__, "+/+/", "\373\377\277"},
};

typedef int decode_fn(struct span text, uint8_t *out, size_t *out_len);
static decode_fn *const decoders[] = {armor_decode, armor_decode_public};

static void check_decoding(size_t i, decode_fn *decode)
{
	uint8_t out[64];
	size_t out_len = 0, len = strlen(decodings[i].text);
	int rc = decode((struct span){guard_copy(decodings[i].text, len), len}, out, &out_len);
	struct span got = {(const char *)out, out_len};
	bool is_right = decodings[i].bytes ? rc == 0 && span_is(got, span_of(decodings[i].bytes)) : rc == ERR_PARSE;
	if (!is_right)
		fail_msg("line %d: %d, %zu bytes", decodings[i].line, rc, out_len);
	guard_free_all();
}

static void test_armor_decodes_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decodings); i++)
		for (size_t d = 0; d < COUNT(decoders); d++)
			check_decoding(i, decoders[d]);
}

/* ---- the decoder for what is public, and the library's ---- */

static size_t compared_count, decoded_count;

/* text ends at an unreadable page */
static void check_same(const char *file, struct span text)
{
	static uint8_t room[PEM_FILE_MAX_BYTES], public_room[PEM_FILE_MAX_BYTES];
	size_t len = 0, public_len = 0;
	int rc = armor_decode(text, room, &len);
	if (armor_decode_public(text, public_room, &public_len) != rc ||
	    (rc == 0 && (len != public_len || memcmp(room, public_room, len) != 0)))
		fail_msg("%s: %.*s", file, SPAN_ARG(text));
	compared_count++;
	decoded_count += rc == 0;
}

/* each byte replaced by each of others in turn, and the text cut off at each */
static void check_altered(const char *file, struct span text)
{
	static const char others[] = "A/=+-_ \r\n\x80\xff";
	char *own = (char *)(uintptr_t)guard_copy(text.p, text.len); /* it may be written to */
	for (size_t i = 0; i < text.len; i++) {
		char was = own[i];
		for (size_t k = 0; k < sizeof others; k++) { /* with its NUL */
			own[i] = others[k];
			check_same(file, (struct span){own, text.len});
		}
		own[i] = was;
		check_same(file, (struct span){own + i, text.len - i});
	}
}

static void check_file(const char *file)
{
	enum { ALTERED_MAX_BYTES = 400 };
	struct armor_block b;
	enum armor_result found;
	struct buf bytes;
	buf_init(&bytes, 1 << 20);
	assert_int_equal(file_read(file, &bytes, NULL, NULL), 0);
	struct span rest = buf_span(&bytes);
	while ((found = armor_next(&rest, &b)) != ARMOR_END) {
		if (found != ARMOR_BLOCK)
			continue;
		check_same(file, (struct span){guard_copy(b.text.p, b.text.len), b.text.len});
		if (b.text.len <= ALTERED_MAX_BYTES)
			check_altered(file, b.text);
		guard_free_all();
	}
	buf_deinit(&bytes);
}

static void test_armor_decoders_take_and_refuse_the_same(void **state)
{
	(void)state;
	glob_t files;
	assert_int_equal(glob("tests/unit/fixtures/certs/*", 0, NULL, &files), 0);
	assert_int_equal(glob("tests/fuzz/corpus/pem/*", GLOB_APPEND, NULL, &files), 0);
	compared_count = decoded_count = 0;
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_file(files.gl_pathv[i]);
	globfree(&files);
	assert_true(decoded_count > 10000 && compared_count - decoded_count > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_armor_finds_blocks),
		cmocka_unit_test(test_armor_decodes_base64),
		cmocka_unit_test(test_armor_decoders_take_and_refuse_the_same),
	};
	return cmocka_run_group_tests_name("armor", tests, NULL, NULL);
}

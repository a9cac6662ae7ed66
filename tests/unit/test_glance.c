#include "../../base/err.h"
#include "../../base/file.h"
#include "../../config/glance.h"
#include "../../config/settings_table.h"
#include "../../config/source.h"
#include "store_dir.h"
#include "unit.h"

#include <stdlib.h>

static struct store_dir dir;
static char path[128];

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	(void)snprintf(path, sizeof path, "%s/main.yaml", dir.path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store_dir_close(&dir);
	return 0;
}

static void write_file(const char *before, const char *after)
{
	struct buf b;
	struct err err = {0};
	buf_init(&b, 1 << 20);
	(void)buf_add_text(&b, before);
	(void)buf_add_text(&b, "domains:\n");
	for (int i = 0; b.len < GLANCE_MIN_BYTES; i++)
		(void)buf_printf(&b, "  tenant%d.example: standard # text that nobody reads\n", i);
	(void)buf_add_text(&b, after);
	assert_int_equal(file_write(path, buf_span(&b), 0640, &err), 0);
	buf_deinit(&b);
}

/* What a keeper does that has read the whole file. */
static void note(const char *state_dir)
{
	struct source s;
	struct buf b;
	struct file_id id;
	struct err err = {0};
	buf_init(&b, 1 << 20);
	assert_int_equal(file_read(path, &b, &id, &err), 0);
	assert_int_equal(source_init(&s, path, true), 0);
	assert_int_equal(source_parse(&s, buf_span(&b)), 0);
	assert_false(s.is_broken || s.has_settings_errors);
	assert_int_equal(glance_note(path, &id, state_dir, &s.settings, &err), 0);
	source_deinit(&s);
	buf_deinit(&b);
}

/* The workers that a glance finds; -1: none. */
static int glance(const char *state_dir)
{
	struct settings s;
	struct file_id id;
	int rc = glance_settings(path, state_dir, &s, &id);
	if (rc == ERR_NOENT)
		return -1;
	assert_int_equal(rc, 0);
	int workers = (int)s.workers;
	settings_deinit(&s);
	return workers;
}

static void test_glance_excerpt_cuts_domains_and_policies_however_they_come_in_pieces(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *in, *out;
	} cases[] = {
		{__LINE__, "", ""},
		{__LINE__, "workers: 2", "workers: 2"},
		{__LINE__, "a: 1\ndomains:\n  b: {}\n\n# c\n  d:\nworkers: 2\n", "a: 1\ndomains: {}\nworkers: 2\n"},
		{__LINE__, "domains: # all\n  b:\npolicies:\r\n  c:\n", "domains: {}\npolicies: {}\n"},
		{__LINE__, "domains:\n  b", "domains: {}\n"},
		{__LINE__, "domains: {}\nworkers: 2\n", "domains: {}\nworkers: 2\n"},
		{__LINE__, "domains:#\n  b:\n", "domains:#\n  b:\n"},
		{__LINE__, "  domains:\n  b:\n", "  domains:\n  b:\n"},
		{__LINE__, "domains2:\n  b:\n", "domains2:\n  b:\n"},
		{__LINE__, "domains:\n\tb:\n", "domains: {}\n\tb:\n"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].in);
		for (size_t step = 1; step <= len + 1; step++) {
			struct glance_excerpt x;
			struct buf out;
			buf_init(&out, 1000);
			glance_excerpt_begin(&x, &out);
			for (size_t at = 0; at < len; at += step)
				assert_int_equal(
					glance_excerpt_add(
						&x, (struct span){cases[i].in + at, len - at < step ? len - at : step}),
					0);
			assert_int_equal(glance_excerpt_end(&x), 0);
			if (!span_is(buf_span(&out), span_of(cases[i].out)))
				fail_msg("line %d, step %zu: %s", cases[i].line, step, buf_text(&out));
			buf_deinit(&out);
		}
	}
}

/* What is cut, line by line. */
static void cut(struct span text, struct buf *out)
{
	bool is_inside = false;
	while (text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		struct span line = {text.p, end ? (size_t)(end - text.p) + 1 : text.len};
		text = (struct span){text.p + line.len, text.len - line.len};
		is_inside = is_inside && strchr(" #\r\n", line.p[0]);
		bool is_head = line.len >= 8 && memcmp(line.p, "domains:", 8) == 0;
		is_head = is_head && (line.len == 8 || strchr(" \r\n", line.p[8]));
		if (is_head)
			(void)buf_add_text(out, "domains: {}\n");
		else if (!is_inside)
			(void)buf_add_span(out, line);
		is_inside = is_inside || is_head;
	}
}

/* Long stretches below a head, which end anywhere in a block of those that are looked at together, or nowhere. */
static void test_glance_excerpt_finds_each_end_of_what_is_cut(void **state)
{
	(void)state;
	static const char *const lines[] = {"  a.example: p", "", "# c", " ", "\r", "    mx: [m.example, n.example]"};
	static const char *const others[] = {"workers: 2", "domains:", "\tx", "\x80", "!", "domains: \r", "\"", "$"};
	struct buf text, wanted, out;
	unsigned seed = 1;
	buf_init(&text, 1 << 16);
	buf_init(&wanted, 1 << 16);
	buf_init(&out, 1 << 16);
	for (unsigned round = 0; round < 3000; round++) {
		struct glance_excerpt x;
		buf_reset(&text);
		buf_reset(&wanted);
		buf_reset(&out);
		(void)buf_add_text(&text, "domains:\n");
		for (unsigned n = round % 97; n > 0; n--) {
			seed = seed * 1103515245u + 12345u;
			bool is_other = (seed >> 8) % 31 == 0;
			(void)buf_add_text(&text, is_other ? others[(seed >> 16) % COUNT(others)]
							   : lines[(seed >> 16) % COUNT(lines)]);
			if (n > 1 || round % 2)
				(void)buf_add_char(&text, '\n');
		}
		cut(buf_span(&text), &wanted);
		size_t step = round % 5 ? 1 + round % 700 : text.len;
		glance_excerpt_begin(&x, &out);
		for (size_t at = 0; at < text.len; at += step) {
			size_t len = text.len - at < step ? text.len - at : step;
			char *piece = malloc(len); /* its end is watched over by the sanitizer */
			assert_non_null(piece);
			memcpy(piece, text.p + at, len);
			assert_int_equal(glance_excerpt_add(&x, (struct span){piece, len}), 0);
			free(piece);
		}
		assert_int_equal(glance_excerpt_end(&x), 0);
		if (!span_is(buf_span(&out), buf_span(&wanted)))
			fail_msg("round %u: of\n%s\n%s", round, buf_text(&text), buf_text(&out));
	}
	buf_deinit(&text);
	buf_deinit(&wanted);
	buf_deinit(&out);
}

static void test_glance_needs_a_note_of_this_very_file(void **state)
{
	(void)state;
	write_file("workers: 2\n", "");
	assert_int_equal(glance(dir.path), -1);
	note(dir.path);
	assert_int_equal(glance(dir.path), 2);
	assert_int_equal(glance(dir.store_path), -1); /* another state_dir */
	write_file("workers: 3\n", "");
	assert_int_equal(glance(dir.path), -1);
	note(dir.path);
	assert_int_equal(glance(dir.path), 3);
}

static void test_glance_finds_settings_behind_the_domains(void **state)
{
	(void)state;
	char after[128];
	(void)snprintf(after, sizeof after, "state_dir: %s\nworkers: 5\n", dir.path);
	write_file("", after);
	note(dir.path);
	assert_int_equal(glance(NULL), 5);
}

static void test_glance_leaves_no_note_where_the_excerpt_says_something_else(void **state)
{
	(void)state;
	write_file("workers: 2\n", "  last.example:\rworkers: 7\n"); /* a line of its own, to YAML */
	struct source s;
	struct settings said;
	struct file_id id;
	struct err err = {0};
	assert_int_equal(file_identify(path, &id, &err), 0);
	assert_int_equal(source_init(&s, path, true), 0);
	said = s.settings;
	said.workers = 7;
	assert_int_equal(glance_note(path, &id, dir.path, &said, &err), 0);
	assert_int_equal(glance(dir.path), -1);
	said.workers = 2;
	assert_int_equal(glance_note(path, &id, dir.path, &said, &err), 0);
	assert_int_equal(glance(dir.path), 2);
	source_deinit(&s);
}

static void test_glance_forged_note_gives_the_files_own_settings(void **state)
{
	(void)state;
	write_file("workers: 2\n", "");
	note(dir.path);
	char note_path[128];
	struct buf b;
	struct err err = {0};
	(void)snprintf(note_path, sizeof note_path, "%s/main-file", dir.path);
	buf_init(&b, 10000);
	assert_int_equal(file_read(note_path, &b, NULL, &err), 0);
	(void)buf_add_text(&b, "workers: 9\nuser: root\n");
	assert_int_equal(file_write(note_path, buf_span(&b), 0640, &err), 0);
	assert_int_equal(glance(dir.path), -1);
	buf_deinit(&b);
}

static void test_glance_small_file_is_not_worth_a_note(void **state)
{
	(void)state;
	char note_path[128];
	struct err err = {0};
	assert_int_equal(file_write(path, SPAN_LIT("domains:\n  a.example: x\n"), 0640, &err), 0);
	note(dir.path);
	(void)snprintf(note_path, sizeof note_path, "%s/main-file", dir.path);
	assert_int_not_equal(access(note_path, F_OK), 0);
	assert_int_equal(glance(dir.path), -1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_glance_excerpt_cuts_domains_and_policies_however_they_come_in_pieces),
		TEST(test_glance_excerpt_finds_each_end_of_what_is_cut),
		TEST(test_glance_needs_a_note_of_this_very_file),
		TEST(test_glance_finds_settings_behind_the_domains),
		TEST(test_glance_leaves_no_note_where_the_excerpt_says_something_else),
		TEST(test_glance_forged_note_gives_the_files_own_settings),
		TEST(test_glance_small_file_is_not_worth_a_note),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

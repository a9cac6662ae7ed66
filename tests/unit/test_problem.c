#include "../../config/problem.h"
#include "unit.h"

static void add(struct problem_list *l, enum problem_severity severity, const char *code, const char *file,
		uint32_t line, uint32_t column, const char *text)
{
	struct problem p = {
		.severity = severity, .file = file, .line = line, .column = column, .text = (char *)(uintptr_t)text};
	(void)snprintf(p.code, sizeof p.code, "%s", code);
	problem_add(l, &p, (struct span){NULL, 0});
}

static void test_problem_renders_place_severity_code_text_hint(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct problem p;
		const char *out;
	} cases[] = {
		{__LINE__,
		 {PROBLEM_ERROR, "E04", "/a/b.yaml", 3, 7, NULL, "no host", "write one"},
		 "/a/b.yaml:3:7: error E04: no host (write one)"},
		{__LINE__, {PROBLEM_WARNING, "W01", "x", 1, 1, NULL, "short", NULL}, "x:1:1: warning W01: short"},
		{__LINE__, {PROBLEM_INFO, "I01", "x", 0, 0, NULL, "covered", NULL}, "x: info I01: covered"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;
		buf_init(&b, 1000);
		problem_render(&cases[i].p, &b);
		if (strcmp(buf_text(&b), cases[i].out) != 0)
			fail_msg("line %d: %s", cases[i].line, buf_text(&b));
		buf_deinit(&b);
	}
}

static void test_problem_list_owns_copies_and_counts(void **state)
{
	(void)state;
	struct problem_list l = {0};
	char file[] = "f", text[] = "t", hint[] = "h", domain[] = "d.example";
	struct problem p = {
		.severity = PROBLEM_ERROR, .code = "E01", .file = file, .line = 1, .text = text, .hint = hint};
	problem_add(&l, &p, span_of(domain));
	p.severity = PROBLEM_WARNING;
	p.hint = NULL;
	problem_add(&l, &p, (struct span){NULL, 0});
	p.severity = PROBLEM_INFO;
	problem_add(&l, &p, (struct span){NULL, 0});
	file[0] = text[0] = hint[0] = domain[0] = 'x';
	assert_int_equal(l.count, 3);
	assert_int_equal(l.error_count, 1);
	assert_int_equal(l.warning_count, 1);
	assert_int_equal(l.file_count, 1);
	assert_string_equal(l.items[0].file, "f");
	assert_string_equal(l.items[0].text, "t");
	assert_string_equal(l.items[0].hint, "h");
	assert_string_equal(l.items[0].domain, "d.example");
	assert_null(l.items[1].domain);
	assert_null(l.items[1].hint);
	problem_list_deinit(&l);
	problem_list_deinit(&l);
}

static void test_problem_list_is_sorted_by_place_and_each_told_once(void **state)
{
	(void)state;
	struct problem_list l = {0};
	add(&l, PROBLEM_ERROR, "E04", "b", 1, 1, "x");
	add(&l, PROBLEM_WARNING, "W01", "a", 10, 1, "x");
	add(&l, PROBLEM_WARNING, "W01", "a", 9, 20, "x");
	add(&l, PROBLEM_ERROR, "E04", "a", 9, 3, "y");
	add(&l, PROBLEM_ERROR, "E04", "a", 9, 3, "x");
	add(&l, PROBLEM_ERROR, "E04", "a", 9, 3, "x");
	add(&l, PROBLEM_WARNING, "W01", "a", 10, 1, "x");
	add(&l, PROBLEM_ERROR, "E03", "a", 9, 3, "z");
	problem_sort(&l);
	static const struct {
		const char *file, *code, *text;
		uint32_t line;
	} sorted[] = {
		{"a", "E03", "z", 9}, {"a", "E04", "x", 9},  {"a", "E04", "y", 9},
		{"a", "W01", "x", 9}, {"a", "W01", "x", 10}, {"b", "E04", "x", 1},
	};
	assert_int_equal(l.count, COUNT(sorted));
	assert_int_equal(l.error_count, 4);
	assert_int_equal(l.warning_count, 2);
	for (size_t i = 0; i < COUNT(sorted); i++) {
		assert_string_equal(l.items[i].file, sorted[i].file);
		assert_string_equal(l.items[i].code, sorted[i].code);
		assert_string_equal(l.items[i].text, sorted[i].text);
		assert_int_equal(l.items[i].line, sorted[i].line);
	}
	problem_list_deinit(&l);
	problem_sort(&l); /* an empty one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problem_renders_place_severity_code_text_hint),
		cmocka_unit_test(test_problem_list_owns_copies_and_counts),
		cmocka_unit_test(test_problem_list_is_sorted_by_place_and_each_told_once),
	};
	return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}

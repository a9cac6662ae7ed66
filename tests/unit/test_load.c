#include "site.h"

static struct site s;
static struct load load;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	site_make_folder(&s, "d");
	load = (struct load){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	load_deinit(&load);
	site_close(&s);
	return 0;
}

static int run(load_is_known_fn *is_known, void *ctx, const struct text_list *old_patterns)
{
	struct err err = {0};
	load_deinit(&load);
	int rc = load_run(&load, s.main_path, is_known, ctx, old_patterns, &err);
	if (rc && rc != ERR_NOENT)
		fail_msg("%s", err.text);
	return rc;
}

static const struct load_file *file_of(const char *name)
{
	char path[256];
	site_path(&s, name, path);
	for (size_t i = 0; i < load.count; i++)
		if (strcmp(load.files[i].path, path) == 0)
			return &load.files[i];
	return NULL;
}

static bool lists(const struct text_list *l, const char *name)
{
	char path[256];
	site_path(&s, name, path);
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i], path) == 0)
			return true;
	return false;
}

static void test_load_main_file_first_then_what_it_includes(void **state)
{
	(void)state;
	char elsewhere[256], text[512];
	site_write(&s, "d/b.yaml", "domains: {}\n");
	site_write(&s, "d/a.yaml", "domains: {}\n");
	site_write(&s, "d/a.txt", "no yaml\n");
	site_write(&s, "d/.hidden.yaml", "no yaml: [\n"); /* an editor's copy */
	site_write(&s, "z.yaml", "domains: {}\n");
	(void)snprintf(text, sizeof text, "domains: {}\ninclude: [d/*.yaml, %s, empty*.yaml]\n",
		       site_path(&s, "z.yaml", elsewhere));
	site_write(&s, SITE_MAIN, text);
	assert_int_equal(run(NULL, NULL, NULL), 0);
	assert_int_equal(load.count, 4);
	assert_true(load.files[0].is_main && strcmp(load.files[0].path, s.main_path) == 0);
	static const char *const names[] = {SITE_MAIN, "d/a.yaml", "d/b.yaml", "z.yaml"};
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_ptr_equal(file_of(names[i]), &load.files[i]);
		assert_true(load.files[i].is_read && load.files[i].is_main == (i == 0));
		assert_int_equal(load.files[i].source.problems.count, 0);
	}
	assert_int_equal(load.lost.count, 0);
	assert_int_equal(load.patterns.count, 3);
	assert_true(lists(&load.patterns, "d/*.yaml"));
	assert_true(lists(&load.folders, "d")); /* to be watched: also for files to come */
}

static void test_load_without_main_file_still_lists_what_was_included(void **state)
{
	(void)state;
	struct text_list old = {0};
	char pattern[256];
	site_write(&s, "d/a.yaml", "domains: {}\n");
	assert_int_equal(text_list_add(&old, span_of(site_path(&s, "d/*.yaml", pattern))), 0);
	assert_int_equal(run(NULL, NULL, &old), ERR_NOENT);
	assert_int_equal(load.count, 1);
	assert_false(load.files[0].is_main);
	assert_true(load.folders.count >= 1);
	assert_int_equal(run(NULL, NULL, NULL), ERR_NOENT);
	assert_int_equal(load.count, 0);
	text_list_deinit(&old);
}

static void test_load_includes_of_a_broken_main_file_are_those_of_before(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *text;
		bool is_old;
	} cases[] = {
		{__LINE__, "domains: {}\ninclude: [d/n.yaml]\n", false},
		{__LINE__, "domains: {\ninclude: [d/n.yaml]\n", true},
		{__LINE__, "domains: {}\ninclude: [d/n.yaml, '']\n", true},
		{__LINE__, "domains: {}\ninclud: [d/n.yaml]\n", true},
		{__LINE__, "domains: {a_b: {}}\n", true},
		{__LINE__, "domains: {a_b: {}}\ninclude: [d/n.yaml]\n", false},
		{__LINE__, "domains: {}\nworkers: x\n", false},
		{__LINE__, "domains: {}\n", false},
	};
	struct text_list old = {0};
	char pattern[256];
	site_write(&s, "d/o.yaml", "domains: {}\n");
	site_write(&s, "d/n.yaml", "domains: {}\n");
	assert_int_equal(text_list_add(&old, span_of(site_path(&s, "d/o.yaml", pattern))), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		site_write(&s, SITE_MAIN, cases[i].text);
		assert_int_equal(run(NULL, NULL, &old), 0);
		bool has_new = strstr(cases[i].text, "d/n.yaml") && !cases[i].is_old;
		if ((file_of("d/o.yaml") != NULL) != cases[i].is_old || (file_of("d/n.yaml") != NULL) != has_new)
			fail_msg("line %d", cases[i].line);
	}
	/* without a past, as for `check`: what can be made out */
	site_write(&s, SITE_MAIN, "domains: {}\ninclude: [d/n.yaml, '']\n");
	assert_int_equal(run(NULL, NULL, NULL), 0);
	assert_non_null(file_of("d/n.yaml"));
	text_list_deinit(&old);
}

static bool knows_all_but_a(void *ctx, const char *path, const struct file_id *id)
{
	(*(size_t *)ctx)++;
	assert_true(id->ino != 0);
	return strcmp(strrchr(path, '/'), "/a.yaml") != 0;
}

static void test_load_known_files_are_listed_and_not_read(void **state)
{
	(void)state;
	struct text_list old = {0};
	char pattern[256];
	size_t asked = 0;
	site_write(&s, SITE_MAIN, "domains: {}\n");
	site_write(&s, "d/a.yaml", "domains: {x.example: p}\n");
	site_write(&s, "d/b.yaml", "domains: {y.example: p}\n");
	assert_int_equal(text_list_add(&old, span_of(site_path(&s, "d/*.yaml", pattern))), 0);
	assert_int_equal(run(knows_all_but_a, &asked, &old), 0);
	assert_int_equal(asked, 3);
	assert_int_equal(load.count, 3);
	assert_false(load.files[0].is_read);
	assert_true(file_of("d/a.yaml")->is_read);
	assert_int_equal(file_of("d/a.yaml")->source.domains.count, 1);
	assert_false(file_of("d/b.yaml")->is_read);
	assert_int_equal(file_of("d/b.yaml")->source.domains.count, 0);
	text_list_deinit(&old);
}

static void test_load_what_cannot_be_followed_is_lost_and_not_deleted(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *include;
		bool is_lost;
		const char *says;
	} cases[] = {
		{__LINE__, "d/*.yaml", false, NULL},
		{__LINE__, "d/nothing.yaml", true, "there is no file"},
		{__LINE__, "nowhere/*.yaml", true, "folder"},
		{__LINE__, "nowhere/x.yaml", true, "folder"},
		{__LINE__, "main.yaml/*.yaml", true, "folder"},
		{__LINE__, "d/*/x.yaml", false, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256], path[256];
		(void)snprintf(text, sizeof text, "domains: {}\ninclude:\n  - %s\n", cases[i].include);
		site_write(&s, SITE_MAIN, text);
		assert_int_equal(run(NULL, NULL, NULL), 0);
		const struct problem_list *l = &load.files[0].source.problems;
		if ((load.lost.count == 1) != cases[i].is_lost || (l->count == 1) != cases[i].is_lost)
			fail_msg("line %d: %zu lost, %zu problems", cases[i].line, load.lost.count, l->count);
		if (cases[i].is_lost && (strcmp(l->items[0].code, "E18") != 0 || l->items[0].line != 3 ||
					 l->items[0].column != 5 || !strstr(l->items[0].text, cases[i].says)))
			fail_msg("line %d: %u:%u %s", cases[i].line, l->items[0].line, l->items[0].column,
				 l->items[0].text);
		if (strncmp(cases[i].include, "nowhere", 7) == 0) {
			assert_true(load_is_lost(&load, site_path(&s, "nowhere/x.yaml", path)));
			assert_false(load_is_lost(&load, site_path(&s, "nowhere/deep/x.yaml", path)));
			assert_false(load_is_lost(&load, site_path(&s, "d/x.yaml", path)));
		}
	}
}

static void test_load_one_file_under_several_names_is_read_once(void **state)
{
	(void)state;
	char path[256];
	site_write(&s, "d/a.yaml", "domains: {}\n");
	assert_int_equal(symlink("a.yaml", site_path(&s, "d/link.yaml", path)), 0);
	site_write(&s, SITE_MAIN,
		   "domains: {}\ninclude: [d/*.yaml, d/a.yaml, ./d/a.yaml, d/../d/a.yaml, main.yaml, ./main.yaml]\n");
	assert_int_equal(run(NULL, NULL, NULL), 0);
	assert_int_equal(load.count, 2);
	assert_non_null(file_of("d/a.yaml"));
	assert_true(load.files[0].is_main);
}

static void test_load_target_of_a_link_is_watched_too(void **state)
{
	(void)state;
	char path[256], target[256];
	site_make_folder(&s, "store2");
	site_write(&s, "store2/a.yaml", "domains: {}\n");
	assert_int_equal(symlink(site_path(&s, "store2/a.yaml", target), site_path(&s, "d/a.yaml", path)), 0);
	assert_int_equal(symlink("nowhere", site_path(&s, "d/b.yaml", path)), 0);
	site_write(&s, SITE_MAIN, "domains: {}\ninclude: [d/*.yaml]\n");
	assert_int_equal(run(NULL, NULL, NULL), 0);
	assert_int_equal(load.count, 2); /* a dangling link is no file */
	assert_true(lists(&load.folders, "store2"));
	assert_int_equal(load.files[1].source.problems.count, 0);
}

static void test_load_unreadable_file_is_there_with_its_reason(void **state)
{
	(void)state;
	char path[256];
	assert_int_equal(mkfifo(site_path(&s, "d/a.yaml", path), 0600), 0);
	site_write(&s, SITE_MAIN, "domains: {}\ninclude: [d/*.yaml]\n");
	assert_int_equal(run(NULL, NULL, NULL), 0);
	const struct load_file *f = file_of("d/a.yaml");
	assert_non_null(f);
	assert_true(f->is_read && f->source.is_broken && f->source.is_unread);
	assert_string_equal(f->source.problems.items[0].code, "E18");
	assert_non_null(strstr(f->source.problems.items[0].text, "not a regular file"));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_load_main_file_first_then_what_it_includes),
		TEST(test_load_without_main_file_still_lists_what_was_included),
		TEST(test_load_includes_of_a_broken_main_file_are_those_of_before),
		TEST(test_load_known_files_are_listed_and_not_read),
		TEST(test_load_what_cannot_be_followed_is_lost_and_not_deleted),
		TEST(test_load_one_file_under_several_names_is_read_once),
		TEST(test_load_target_of_a_link_is_watched_too),
		TEST(test_load_unreadable_file_is_there_with_its_reason),
	};
	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}

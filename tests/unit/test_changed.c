/* load_changed, apply_read_changed: a look at what changed comes to what a look at everything would. */
#include "site.h"

#include <stdlib.h>

static struct site s;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	site_make_folder(&s, "d");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

#define NONE(age) ": {mode: none, max_age: " #age ", mx: m.example}\n"
#define MAIN "include: [one.yaml, d/*.yaml]\npolicies:\n  p: {mode: none, max_age: 5, mx: p.example}\n"

/* site_write keeps the inode of what it replaces by a second name. */
static void put(const char *name, const char *text)
{
	char path[256], fresh[256];
	site_put_bytes(site_path(&s, "fresh", fresh), text, O_EXCL);
	if (rename(fresh, site_path(&s, name, path)) != 0)
		fail_msg("cannot write %s", name);
}

static void begin(void)
{
	put(SITE_MAIN, MAIN);
	put("one.yaml", "domains:\n  one.example" NONE(1));
	put("d/a.yaml", "domains:\n  a.example" NONE(1));
	put("d/b.yaml", "domains:\n  b.example" NONE(1) "  c.example: {policy: q}\npolicies:\n  q" NONE(8));
	site_apply(&s);
	assert_int_equal(s.result.domain_count, 4);
	assert_false(s.result.is_unfinished);
}

/* names: of what changed, separated by blanks. Was a look at these enough? Then what they are is in the store, and a
 * look at everything finds nothing to add. */
static bool apply_changed(int line, const char *names)
{
	struct load load;
	struct err err = {0};
	struct text_list changed = {0};
	bool is_enough;
	char path[256], name[64];
	for (const char *at = names; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		(void)snprintf(name, sizeof name, "%.*s", (int)len, at);
		assert_int_equal(text_list_add(&changed, span_of(site_path(&s, name, path))), 0);
		at += len;
	}
	apply_result_deinit(&s.result);
	if (apply_read_changed(s.dir.store, s.main_path, &changed, &load, &is_enough, &err) != 0)
		fail_msg("line %d: %s", line, err.text);
	s.how.now_unix_s = s.now_unix_s;
	if (is_enough && apply_run(s.dir.store, &load, &s.how, &s.result, &err) != 0)
		fail_msg("line %d: %s", line, err.text);
	text_list_deinit(&changed);
	load_deinit(&load);
	site_check_store(&s);
	return is_enough;
}

static void expect_complete(int line)
{
	bool was_unfinished = s.result.is_unfinished;
	site_apply(&s);
	if (s.result.is_committed && !was_unfinished)
		fail_msg("line %d: a look at everything found more", line);
}

static void test_changed_files_come_to_what_a_look_at_everything_would(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *file, *text;   /* NULL: removed */
		const char *file2, *text2; /* NULL: none */
		const char *names;
		size_t changed_count, withdrawn_count, error_count;
	} cases[] = {
		{__LINE__, "d/a.yaml", "domains:\n  a.example" NONE(2), NULL, NULL, "d/a.yaml", 1, 0, 0},
		{__LINE__, "one.yaml", "domains:\n  one.example" NONE(2), NULL, NULL, "one.yaml", 1, 0, 0},
		{__LINE__, "d/n.yaml", "domains:\n  n.example" NONE(2), NULL, NULL, ".n.yaml.new d/n.yaml", 1, 0, 0},
		{__LINE__, "d/m.yaml", "domains:\n  m.example" NONE(2), "d/l.yaml", "domains: {l.example: p}\n",
		 "d/l.yaml d/m.yaml", 2, 0, 0},
		{__LINE__, "d/a.yaml", NULL, NULL, NULL, "d/a.yaml", 0, 1, 0},
		/* from file to file */
		{__LINE__, "d/a.yaml", "domains: {}\n", "d/b2.yaml", "domains:\n  a.example" NONE(1),
		 "d/a.yaml d/b2.yaml", 0, 0, 0},
		/* twice: the first one counts */
		{__LINE__, "d/x.yaml", "domains:\n  b.example" NONE(3), NULL, NULL, "d/x.yaml", 0, 0, 1},
		{__LINE__, "d/y.yaml", "domains:\n  z.example" NONE(3), "d/z.yaml", "domains:\n  z.example" NONE(4),
		 "d/y.yaml d/z.yaml", 1, 0, 1},
		{__LINE__, "d/a.yaml", "domains: [\n", NULL, NULL, "d/a.yaml", 0, 0, 2},
		{__LINE__, "d/a.yaml", "domains:\n  a.example: {mode: nonsense}\n", NULL, NULL, "d/a.yaml", 0, 0, 1},
		/* a policy that a domain of another file has */
		{__LINE__, "d/a.yaml", "domains:\n  a.example: q\n", NULL, NULL, "d/a.yaml", 1, 0, 0},
		{__LINE__, "d/b.yaml",
		 "domains:\n  b.example" NONE(1) "  c.example: {policy: q}\npolicies:\n  q" NONE(9), NULL, NULL,
		 "d/b.yaml", 1, 0, 0},
		/* what is no business of ours */
		{__LINE__, "d/.a.yaml.swp", "x", "notes.txt", "x", "d/.a.yaml.swp notes.txt d/4913", 0, 0, 0},
		{__LINE__, "d/gone.yaml", NULL, NULL, NULL, "d/gone.yaml", 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[256];
		tear_down(NULL);
		set_up(NULL);
		begin();
		if (cases[i].text)
			put(cases[i].file, cases[i].text);
		else
			(void)remove(site_path(&s, cases[i].file, path));
		if (cases[i].file2)
			put(cases[i].file2, cases[i].text2);
		if (!apply_changed(cases[i].line, cases[i].names))
			fail_msg("line %d: not enough", cases[i].line);
		if (s.result.changed_count != cases[i].changed_count ||
		    s.result.withdrawn_count != cases[i].withdrawn_count ||
		    s.result.error_count != cases[i].error_count)
			fail_msg("line %d: changed %zu, errors %zu", cases[i].line, s.result.changed_count,
				 s.result.error_count);
		expect_complete(cases[i].line);
	}
}

static void test_changed_is_not_enough_where_a_name_does_not_tell(void **state)
{
	(void)state;
	char path[256], other[256];
	begin();
	assert_true(apply_changed(__LINE__, "d/a.yaml"));
	assert_false(s.result.is_committed);
	assert_false(apply_changed(__LINE__, "d"));       /* the folder itself */
	assert_false(apply_changed(__LINE__, SITE_MAIN)); /* it says which files there are */
	assert_int_equal(link(site_path(&s, "d/a.yaml", path), site_path(&s, "d/k.yaml", other)), 0);
	assert_false(apply_changed(__LINE__, "d/k.yaml")); /* a double */
	assert_int_equal(remove(other), 0);
	assert_int_equal(symlink("a.yaml", other), 0);
	assert_false(apply_changed(__LINE__, "d/k.yaml")); /* a link */
	assert_int_equal(remove(other), 0);
	assert_int_equal(symlink("nowhere", site_path(&s, "..data", other)), 0);
	assert_false(apply_changed(__LINE__, "..data")); /* Kubernetes */
	assert_int_equal(remove(other), 0);
	assert_true(apply_changed(__LINE__, "d/k.yaml"));
	assert_int_equal(remove(site_path(&s, "one.yaml", path)), 0);
	assert_false(apply_changed(__LINE__, "one.yaml")); /* named, and not there: a mistake, no withdrawal */
	put("one.yaml", "domains:\n  one.example" NONE(1));
	assert_int_equal(rename(site_path(&s, "d", path), site_path(&s, "e", other)), 0);
	assert_false(apply_changed(__LINE__, "d"));
	assert_int_equal(rename(other, path), 0);
	put(SITE_MAIN, MAIN "# told later\n");
	assert_false(apply_changed(__LINE__, "d/a.yaml"));
}

static bool is_plain(const char *main)
{
	struct load load;
	put(SITE_MAIN, main);
	assert_int_equal(load_run(&load, s.main_path, NULL, NULL, NULL, NULL), 0);
	bool is = load.is_plain;
	load_deinit(&load);
	return is;
}

static void test_changed_wants_a_plain_layout(void **state)
{
	(void)state;
	char path[256], other[256];
	begin();
	assert_true(is_plain(MAIN));
	assert_true(!is_plain("include: [d/*.yaml, d/a.yaml]\n")); /* one file, two patterns */
	assert_false(is_plain("include: [\"*/a.yaml\"]\n"));
	assert_false(is_plain("include: [missing/*.yaml]\n"));
	assert_int_equal(symlink("a.yaml", site_path(&s, "d/link.yaml", path)), 0);
	assert_false(is_plain(MAIN));
	assert_int_equal(remove(path), 0);
	assert_int_equal(link(site_path(&s, "d/a.yaml", other), site_path(&s, "d/second.yaml", path)), 0);
	assert_false(is_plain(MAIN));
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void test_changed_a_thousand_times_leaves_nothing_to_be_found(void **state)
{
	(void)state;
	unsigned seed = 1;
	size_t looks = 0;
	begin();
	for (unsigned step = 0; step < 300; step++) {
		char names[128] = "", text[256], path[256], name[16];
		for (unsigned n = next_random(&seed) % 3 + 1; n > 0; n--) {
			unsigned file = next_random(&seed) % 8, what = next_random(&seed) % 6;
			(void)snprintf(name, sizeof name, "d/f%u.yaml", file);
			(void)snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", name);
			(void)snprintf(text, sizeof text,
				       "domains:\n  r%u.example: {mode: none, max_age: %u, mx: m.example}\n"
				       "  s%u.example: {policy: %s}\npolicies:\n  t%u: {mode: none, max_age: %u, mx: "
				       "x.example}\n",
				       next_random(&seed) % 10, next_random(&seed) % 4, file, what == 1 ? "t1" : "p",
				       file, next_random(&seed) % 4);
			if (what == 0)
				(void)remove(site_path(&s, name, path));
			else
				put(name, what == 2 ? "domains: {}\n" : text);
		}
		if (s.result.is_unfinished || s.result.retry_ms)
			site_apply(&s);
		else if (apply_changed(__LINE__, names) && !s.result.is_unfinished) {
			looks++;
			expect_complete((int)step);
		}
	}
	assert_true(looks > 20);
}

static void test_known_some_finds_the_rest_in_the_store(void **state)
{
	(void)state;
	struct known all, some;
	struct known_file *fresh;
	struct text_list paths = {0};
	char path[256];
	begin();
	struct db_txn *txn = site_begin(&s);
	assert_int_equal(known_load(txn, &all, NULL), 0);
	assert_int_equal(text_list_add(&paths, span_of(site_path(&s, "d/b.yaml", path))), 0);
	assert_int_equal(text_list_add(&paths, span_of(site_path(&s, "d/a.yaml", path))), 0);
	assert_int_equal(text_list_add(&paths, span_of(site_path(&s, "d/none.yaml", path))), 0);
	assert_int_equal(known_load_some(txn, &paths, &some, NULL), 0);
	assert_int_equal(some.count, 2);
	assert_non_null(known_find(&some, site_path(&s, "d/a.yaml", path)));
	for (unsigned twice = 0; twice < 2; twice++) {
		for (uint32_t no = 0; no < 4; no++)
			assert_string_equal(known_path(&some, no), known_path(&all, no));
		for (uint32_t no = 4; no < 20; no++)
			assert_string_equal(known_path(&some, no), "?");
	}
	known_deinit(&some);
	assert_int_equal(known_load_some(txn, &paths, &some, NULL), 0);
	assert_int_equal(known_add(&some, "/new", &fresh, NULL), 0);
	assert_int_equal(fresh->no, 4);
	assert_string_equal(known_path(&some, 4), "/new");
	assert_string_equal(known_path(&some, 0), known_path(&all, 0));
	known_deinit(&some);
	known_deinit(&all);
	text_list_deinit(&paths);
	db_end(txn);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changed_files_come_to_what_a_look_at_everything_would),
		TEST(test_changed_is_not_enough_where_a_name_does_not_tell),
		TEST(test_changed_wants_a_plain_layout),
		TEST(test_changed_a_thousand_times_leaves_nothing_to_be_found),
		TEST(test_known_some_finds_the_rest_in_the_store),
	};
	return cmocka_run_group_tests_name("changed", tests, NULL, NULL);
}

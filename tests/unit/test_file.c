#include "../../base/err.h"
#include "../../base/file.h"
#include "store_dir.h"
#include "unit.h"

#include <fcntl.h>

static struct store_dir dir;
static char path[128], other[128];

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	(void)snprintf(path, sizeof path, "%s/file", dir.path);
	(void)snprintf(other, sizeof other, "%s/other", dir.path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store_dir_close(&dir);
	return 0;
}

static void write_text(const char *to, struct span text)
{
	struct err err = {0};
	if (file_write(to, text, 0640, &err) != 0)
		fail_msg("%s", err.text);
}

static void test_file_is_read_whole_behind_what_was_there(void **state)
{
	(void)state;
	struct buf b;
	struct file_id id, now;
	buf_init(&b, 100);
	write_text(path, (struct span)LIT("a\0b\n"));
	assert_int_equal(buf_add_text(&b, "x"), 0);
	assert_int_equal(file_read(path, &b, &id, NULL), 0);
	assert_true(span_is(buf_span(&b), (struct span)LIT("xa\0b\n")));
	assert_int_equal(file_identify(path, &now, NULL), 0);
	assert_true(file_id_is(&id, &now));
	assert_int_equal(id.size, 4);
	buf_deinit(&b);
}

static void test_file_above_the_ceiling_is_refused(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 255, 65535, 65536, 65537, 200000};
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *text = calloc(1, sizes[i] + 1);
		struct buf b;
		struct err err = {0};
		assert_non_null(text);
		write_text(path, (struct span){text, sizes[i]});
		buf_init(&b, sizes[i]);
		assert_int_equal(file_read(path, &b, NULL, &err), 0);
		assert_int_equal(b.len, sizes[i]);
		buf_deinit(&b);
		if (sizes[i]) {
			buf_init(&b, sizes[i] - 1);
			assert_int_equal(file_read(path, &b, NULL, &err), ERR_RANGE);
			assert_non_null(strstr(err.text, "larger than"));
			buf_deinit(&b);
		}
		free(text);
	}
}

static void test_file_that_is_none_says_so_and_does_not_wait(void **state)
{
	(void)state;
	struct buf b;
	struct err err = {0};
	struct file_id id;
	buf_init(&b, 100);
	assert_int_equal(file_read(path, &b, NULL, &err), ERR_NOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(file_identify(path, &id, &err), ERR_NOENT);
	assert_int_equal(file_read(dir.path, &b, NULL, &err), ERR_PARSE);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(file_identify(dir.path, &id, &err), ERR_PARSE);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, &b, NULL, &err), ERR_PARSE); /* nobody writes to it */
	assert_int_equal(file_identify(path, &id, &err), ERR_PARSE);
	assert_int_equal(file_read("/dev/zero", &b, NULL, &err), ERR_PARSE);
	assert_int_equal(symlink("nowhere", other), 0);
	assert_int_equal(file_identify(other, &id, &err), ERR_NOENT);
	assert_int_equal(b.len, 0);
	buf_deinit(&b);
}

static void test_file_id_follows_links_and_tells_versions_apart(void **state)
{
	(void)state;
	struct file_id one, two, linked;
	write_text(path, SPAN_LIT("one"));
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(file_identify(path, &one, NULL), 0);
	assert_int_equal(file_identify(other, &linked, NULL), 0);
	assert_true(file_id_is(&one, &linked));
	write_text(path, SPAN_LIT("two"));
	assert_int_equal(file_identify(path, &two, NULL), 0);
	assert_false(file_id_is(&one, &two));
	const struct file_id others[] = {
		{two.dev + 1, two.ino, two.size, two.mtime_ns, two.ctime_ns},
		{two.dev, two.ino + 1, two.size, two.mtime_ns, two.ctime_ns},
		{two.dev, two.ino, two.size + 1, two.mtime_ns, two.ctime_ns},
		{two.dev, two.ino, two.size, two.mtime_ns + 1, two.ctime_ns},
		{two.dev, two.ino, two.size, two.mtime_ns, two.ctime_ns + 1},
	};
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(file_id_is(&two, &others[i]));
}

static size_t count_entries(const char *folder)
{
	char command[160];
	char line[32] = "";
	(void)snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	assert_int_equal(pclose(f), 0);
	return strtoul(line, NULL, 10);
}

static void test_file_is_replaced_in_one_step(void **state)
{
	(void)state;
	struct buf b;
	struct stat st;
	write_text(path, SPAN_LIT("long old text"));
	int old = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(old >= 0);
	assert_int_equal(file_write(path, SPAN_LIT("new"), 0600, NULL), 0);
	char still[16] = "";
	assert_int_equal(read(old, still, sizeof still), 13); /* whoever reads sees all of the old or all of the new */
	assert_int_equal(close(old), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600); /* whatever the umask */
	buf_init(&b, 100);
	assert_int_equal(file_read(path, &b, NULL, NULL), 0);
	assert_true(span_is(buf_span(&b), SPAN_LIT("new")));
	buf_deinit(&b);
	assert_int_equal(count_entries(dir.path), 3); /* store, keyring, file: nothing temporary */
}

static void test_file_write_that_fails_leaves_no_trace(void **state)
{
	(void)state;
	struct err err = {0};
	char nowhere[160];
	(void)snprintf(nowhere, sizeof nowhere, "%s/no/such", dir.path);
	assert_int_equal(file_write(nowhere, SPAN_LIT("x"), 0600, &err), ERR_NOENT);
	assert_non_null(strstr(err.text, nowhere));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write(path, SPAN_LIT("x"), 0600, &err), ERR_IO); /* a folder is in the way */
	assert_int_equal(count_entries(dir.path), 3);
	char long_path[5000];
	memset(long_path, 'x', sizeof long_path);
	long_path[sizeof long_path - 1] = '\0';
	assert_int_equal(file_write(long_path, SPAN_LIT("x"), 0600, &err), ERR_IO);
}

static void test_file_folders_are_made_on_the_way(void **state)
{
	(void)state;
	struct stat st;
	struct err err = {0};
	char deep[160];
	(void)snprintf(deep, sizeof deep, "%s/a//b/c/", dir.path);
	assert_int_equal(file_make_dirs(deep, 0700, &err), 0);
	assert_int_equal(file_make_dirs(deep, 0700, &err), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0700);
	write_text(path, SPAN_LIT("x"));
	assert_int_equal(file_make_dirs(path, 0700, &err), ERR_IO);
	assert_non_null(strstr(err.text, "not a folder"));
	(void)snprintf(deep, sizeof deep, "%s/below", path);
	assert_int_equal(file_make_dirs(deep, 0700, &err), ERR_IO);
	assert_int_equal(file_make_dirs("/", 0700, &err), 0);
	assert_int_not_equal(file_make_dirs("", 0700, &err), 0);
}

static void test_file_join_knows_absolute_names(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *dir, *name, *out;
	} cases[] = {
		{__LINE__, "/etc", "a.yaml", "/etc/a.yaml"},
		{__LINE__, "/etc/", "a.yaml", "/etc/a.yaml"},
		{__LINE__, "/", "a", "/a"},
		{__LINE__, "/etc", "/srv/a", "/srv/a"},
		{__LINE__, "", "a", "a"},
		{__LINE__, ".", "a/b", "./a/b"},
		{__LINE__, "/etc", "", "/etc/"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *out = file_join(cases[i].dir, cases[i].name);
		assert_non_null(out);
		if (strcmp(out, cases[i].out) != 0)
			fail_msg("line %d: %s", cases[i].line, out);
		free(out);
	}
}

static void test_file_link_is_told_from_what_it_leads_to(void **state)
{
	(void)state;
	struct file_id id, linked;
	bool is_link = true;
	write_text(path, (struct span)LIT("a\n"));
	assert_int_equal(file_identify_link(path, &id, &is_link, NULL), 0);
	assert_false(is_link);
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(file_identify_link(other, &linked, &is_link, NULL), 0);
	assert_true(is_link && file_id_is(&id, &linked));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_identify_link(other, &linked, &is_link, NULL), ERR_NOENT);
	assert_int_equal(file_identify_link(path, &linked, &is_link, NULL), ERR_NOENT);
	assert_false(is_link);
}

static int count_piece(void *ctx, struct span piece)
{
	size_t *total = ctx;
	*total += piece.len;
	return *total > 100000 ? ERR_RANGE : 0;
}

static void test_file_pieces_are_all_of_it_until_one_is_refused(void **state)
{
	(void)state;
	static char bytes[200000];
	size_t total = 0;
	struct file_id id, now;
	write_text(path, (struct span){bytes, 90000});
	assert_int_equal(file_identify(path, &now, NULL), 0);
	assert_int_equal(file_read_pieces(path, count_piece, &total, &id, NULL), 0);
	assert_int_equal(total, 90000);
	assert_true(file_id_is(&id, &now));
	total = 0;
	write_text(path, (struct span){bytes, sizeof bytes});
	assert_int_equal(file_read_pieces(path, count_piece, &total, NULL, NULL), ERR_RANGE);
	assert_true(total < sizeof bytes);
	assert_int_equal(file_read_pieces(dir.path, count_piece, &total, NULL, NULL), ERR_PARSE);
	assert_int_equal(file_read_pieces("/nowhere/at/all", count_piece, &total, NULL, NULL), ERR_NOENT);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_is_read_whole_behind_what_was_there),
		TEST(test_file_above_the_ceiling_is_refused),
		TEST(test_file_that_is_none_says_so_and_does_not_wait),
		TEST(test_file_id_follows_links_and_tells_versions_apart),
		TEST(test_file_is_replaced_in_one_step),
		TEST(test_file_write_that_fails_leaves_no_trace),
		TEST(test_file_folders_are_made_on_the_way),
		TEST(test_file_join_knows_absolute_names),
		TEST(test_file_link_is_told_from_what_it_leads_to),
		TEST(test_file_pieces_are_all_of_it_until_one_is_refused),
	};
	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}

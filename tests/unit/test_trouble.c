#include "../../config/trouble.h"
#include "site.h"

static struct site s;
static struct db_txn *txn;
static struct problem_list fresh;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	fresh = (struct problem_list){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	problem_list_deinit(&fresh);
	db_end(txn);
	site_close(&s);
	return 0;
}

static void add(struct problem_list *l, enum problem_severity severity, const char *code, uint32_t line,
		const char *text, const char *domain)
{
	struct problem p = {
		.severity = severity, .file = "/f.yaml", .line = line, .column = 3, .text = (char *)(uintptr_t)text};
	(void)snprintf(p.code, sizeof p.code, "%s", code);
	problem_add(l, &p, domain ? span_of(domain) : (struct span){NULL, 0});
}

static bool put_file(uint32_t no, const struct problem_list *l)
{
	bool is_changed = false;
	problem_list_deinit(&fresh);
	assert_int_equal(trouble_put_file(txn, no, l, &fresh, &is_changed, NULL), 0);
	return is_changed;
}

static bool put_domain(const char *domain, const struct problem_list *l)
{
	bool is_changed = false;
	problem_list_deinit(&fresh);
	assert_int_equal(trouble_put_domain(txn, span_of(domain), l, &fresh, &is_changed, NULL), 0);
	return is_changed;
}

static int append(void *ctx, const struct trouble *t)
{
	return buf_printf(ctx, "%s %.*s:%u:%u %.*s %.*s|", t->code, SPAN_ARG(t->file), (unsigned)t->line,
			  (unsigned)t->column, SPAN_ARG(t->domain), SPAN_ARG(t->text));
}

static void expect_all(const char *wanted)
{
	struct buf b;
	buf_init(&b, 10000);
	assert_int_equal(trouble_each(txn, append, &b, NULL), 0);
	assert_string_equal(buf_text(&b), wanted);
	buf_deinit(&b);
}

static void test_trouble_only_what_is_new_is_fresh(void **state)
{
	(void)state;
	struct problem_list l = {0};
	add(&l, PROBLEM_ERROR, "E04", 7, "seven", NULL);
	add(&l, PROBLEM_WARNING, "W01", 8, "no error", NULL);
	add(&l, PROBLEM_ERROR, "E01", 5, "five", "a.example");
	assert_true(put_file(1, &l));
	assert_int_equal(fresh.count, 2);
	expect_all("E01 /f.yaml:5:3 a.example five|E04 /f.yaml:7:3  seven|"); /* by place; warnings are not kept */
	assert_false(put_file(1, &l));
	assert_int_equal(fresh.count, 0);
	add(&l, PROBLEM_ERROR, "E05", 7, "another there", NULL);
	assert_true(put_file(1, &l));
	assert_int_equal(fresh.count, 1);
	assert_string_equal(fresh.items[0].text, "another there");
	assert_int_equal(db_count(txn, DB_PROBLEMS), 3);
	problem_list_deinit(&l);
}

static void test_trouble_mended_ones_go_and_others_stay(void **state)
{
	(void)state;
	struct problem_list many = {0}, some = {0}, none = {0};
	for (uint32_t i = 1; i <= 100; i++) {
		add(&many, PROBLEM_ERROR, "E04", i, "bad", NULL);
		if (i % 3 == 0)
			add(&some, PROBLEM_ERROR, "E04", i, "bad", NULL);
	}
	assert_true(put_file(1, &many));
	assert_true(put_file(2, &many)); /* of another file */
	assert_true(put_file(256, &many));
	assert_true(put_file(1, &some));
	assert_int_equal(fresh.count, 0);
	assert_int_equal(db_count(txn, DB_PROBLEMS), 233);
	assert_true(put_file(1, &none));
	assert_int_equal(db_count(txn, DB_PROBLEMS), 200);
	assert_false(put_file(1, &none));
	assert_true(put_file(1, &many));
	assert_int_equal(fresh.count, 100);
	problem_list_deinit(&many);
	problem_list_deinit(&some);
}

static void test_trouble_domains_that_begin_alike_are_kept_apart(void **state)
{
	(void)state;
	struct problem_list l = {0}, none = {0};
	static const char *const names[] = {"a.example", "a.example.com", "a.e", "b.example"};
	for (size_t i = 0; i < COUNT(names); i++) {
		problem_list_deinit(&l);
		add(&l, PROBLEM_ERROR, "E03", 1, "no mx", names[i]);
		assert_true(put_domain(names[i], &l));
	}
	assert_true(put_domain("a.e", &none));
	assert_true(put_domain("a.example", &none));
	assert_false(put_domain("a", &none));
	expect_all("E03 /f.yaml:1:3 a.example.com no mx|E03 /f.yaml:1:3 b.example no mx|");
	problem_list_deinit(&l);
	add(&l, PROBLEM_ERROR, "E16", 9, "in the file", NULL);
	assert_true(put_file(0, &l)); /* files first */
	expect_all("E16 /f.yaml:9:3  in the file|E03 /f.yaml:1:3 a.example.com no mx|E03 /f.yaml:1:3 b.example no mx|");
	problem_list_deinit(&l);
}

static void test_trouble_flood_is_kept_but_told_up_to_a_limit(void **state)
{
	(void)state;
	struct problem_list l = {0};
	for (uint32_t i = 0; i < TROUBLE_FRESH_MAX + 50; i++)
		add(&l, PROBLEM_ERROR, "E04", i + 1, "bad", NULL);
	assert_true(put_file(1, &l));
	assert_int_equal(fresh.count, TROUBLE_FRESH_MAX);
	assert_int_equal(db_count(txn, DB_PROBLEMS), TROUBLE_FRESH_MAX + 50);
	problem_list_deinit(&l);
}

static int stop(void *ctx, const struct trouble *t)
{
	(void)t;
	(*(size_t *)ctx)++;
	return ERR_CONFLICT;
}

static void test_trouble_walk_ends_when_the_caller_says_so(void **state)
{
	(void)state;
	struct problem_list l = {0};
	size_t calls = 0;
	assert_int_equal(trouble_each(txn, stop, &calls, NULL), 0); /* none at all */
	add(&l, PROBLEM_ERROR, "E04", 1, "one", NULL);
	add(&l, PROBLEM_ERROR, "E04", 2, "two", NULL);
	assert_true(put_file(1, &l));
	assert_int_equal(trouble_each(txn, stop, &calls, NULL), ERR_CONFLICT);
	assert_int_equal(calls, 1);
	problem_list_deinit(&l);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trouble_only_what_is_new_is_fresh),
		TEST(test_trouble_mended_ones_go_and_others_stay),
		TEST(test_trouble_domains_that_begin_alike_are_kept_apart),
		TEST(test_trouble_flood_is_kept_but_told_up_to_a_limit),
		TEST(test_trouble_walk_ends_when_the_caller_says_so),
	};
	return cmocka_run_group_tests_name("trouble", tests, NULL, NULL);
}

#include "../../server/keeper/child.h"
#include "../../server/keeper/runs.h"
#include "store_dir.h"
#include "unit.h"

#include <string.h>

static void test_runs_pause_grows_only_while_nothing_succeeds(void **state)
{
	(void)state;
	static const struct {
		int line;
		uint32_t failure_count, least_s, most_s;
	} cases[] = {
		{__LINE__, 1, 1, 1},  {__LINE__, 6, 1, 1},      {__LINE__, 7, 2, 3},
		{__LINE__, 9, 6, 10}, {__LINE__, 15, 225, 375}, {__LINE__, UINT32_MAX, 225, 375},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		for (uint32_t random = 0; random < 1000; random++) {
			struct runs r = {.failure_count = cases[i].failure_count};
			uint32_t s = runs_pause_s(&r, random);
			if (s < cases[i].least_s || s > cases[i].most_s)
				fail_msg("line %d: %u", cases[i].line, (unsigned)s);
		}
}

static void test_runs_of_one_domain_alone_say_nothing_of_the_hook(void **state)
{
	(void)state;
	struct runs r = {.failure_count = 0};
	for (int i = 0; i < 1000; i++)
		runs_count_failure(&r, true);
	assert_int_equal(r.failure_count, 0);
	for (uint32_t i = 1; i < 6; i++) {
		runs_count_failure(&r, false);
		runs_count_failure(&r, true);
		assert_int_equal(r.failure_count, i);
	}
	runs_count_failure(&r, false); /* unless nothing else succeeds either */
	runs_count_failure(&r, true);
	assert_int_equal(r.failure_count, 7);
	r.failure_count = UINT32_MAX;
	runs_count_failure(&r, false);
	assert_int_equal(r.failure_count, UINT32_MAX);
}

static void test_runs_failure_is_told_in_words(void **state)
{
	(void)state;
	static char flood[CHILD_TEXT_BYTES];
	memset(flood, 'x', sizeof flood);
	memcpy(flood + sizeof flood - 3, "end", 3);
	const struct {
		int line;
		struct child_result result;
		const char *begin, *end;
		size_t len; /* 0: whatever it is */
	} cases[] = {
		{__LINE__,
		 {.end = CHILD_EXITED, .status = 7, .text = LIT("no zone\n")},
		 "exit status 7: ",
		 "no zone",
		 22},
		{__LINE__, {.end = CHILD_EXITED, .status = 1, .text = LIT(" \n\n")}, "exit status 1", "status 1", 13},
		{__LINE__, {.end = CHILD_KILLED, .signal = 9}, "killed by signal 9", "9", 18},
		{__LINE__,
		 {.end = CHILD_LATE, .text = LIT("hm")},
		 "no end within 1500 ms, and so it was ended: ",
		 "hm",
		 0},
		{__LINE__, {.end = CHILD_NOT_RUN, .text = LIT("/x: no such file")}, "it cannot be run: ", "file", 0},
		{__LINE__,
		 {.end = CHILD_EXITED, .status = 2, .text = {flood, sizeof flood}},
		 "exit status 2: x",
		 "end",
		 RUNS_TEXT_BYTES - 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct runs r = {.text = "old"};
		runs_render_failure(&r, &cases[i].result, 1500);
		size_t end_len = strlen(cases[i].end);
		if (r.text_len > sizeof r.text || (cases[i].len && r.text_len > cases[i].len) ||
		    memcmp(r.text, cases[i].begin, strlen(cases[i].begin)) != 0 ||
		    memcmp(r.text + r.text_len - end_len, cases[i].end, end_len) != 0)
			fail_msg("line %d: %.*s", cases[i].line, (int)r.text_len, r.text);
	}
}

static void test_runs_outlive_the_server(void **state)
{
	(void)state;
	struct store_dir dir;
	struct db_txn *txn;
	struct runs r = {.done_unix_s = 5, .failed_unix_s = 7, .failure_count = 3, .text_len = 2, .text = "no"}, back;
	store_dir_open(&dir);
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	assert_int_equal(runs_load(txn, &back), 0); /* none yet */
	assert_int_equal(back.failure_count, 0);
	assert_int_equal(runs_store(txn, &r, NULL), 0);
	assert_int_equal(runs_load(txn, &back), 0);
	assert_int_equal(back.done_unix_s, 5);
	assert_int_equal(back.failed_unix_s, 7);
	assert_int_equal(back.failure_count, 3);
	assert_int_equal(back.text_len, 2);
	assert_memory_equal(back.text, "no", 2);
	assert_int_equal(db_put(txn, DB_META, SPAN_LIT("publish"), SPAN_LIT("of another version"), NULL), 0);
	assert_int_equal(runs_load(txn, &back), 0);
	assert_int_equal(back.failure_count, 0);
	db_end(txn);
	store_dir_close(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_pause_grows_only_while_nothing_succeeds),
		cmocka_unit_test(test_runs_of_one_domain_alone_say_nothing_of_the_hook),
		cmocka_unit_test(test_runs_failure_is_told_in_words),
		cmocka_unit_test(test_runs_outlive_the_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../../base/clock.h"
#include "../../base/log.h"
#include "guard.h"
#include "unit.h"

#include <fcntl.h>

static char said[8192];
static int old_stderr, pipe_fds[2];

static void listen_begin(void)
{
	(void)fflush(stderr);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	old_stderr = dup(STDERR_FILENO);
	assert_true(old_stderr >= 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0);
}

static const char *listen_end(void)
{
	(void)dup2(old_stderr, STDERR_FILENO);
	(void)close(old_stderr);
	(void)close(pipe_fds[1]);
	ssize_t n = read(pipe_fds[0], said, sizeof said - 1);
	said[n > 0 ? n : 0] = '\0';
	(void)close(pipe_fds[0]);
	return said;
}

static void test_log_line_is_time_level_speaker_event_and_pairs(void **state)
{
	(void)state;
	clock_set_fake(0, 784111777);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_init("worker 3", LOG_LEVEL_INFO);
	listen_begin();
	log_error("a.b", "x=%d", 1);
	log_warn("a.b", NULL);
	log_info("reload.done", "domains=%zu text=%s", (size_t)3, LOG_QUOTE(SPAN_LIT("a b")));
	log_debug("not.said", NULL);
	assert_string_equal(listen_end(), "1994-11-06T08:49:37Z error worker 3 a.b x=1\n"
					  "1994-11-06T08:49:37Z warn  worker 3 a.b\n"
					  "1994-11-06T08:49:37Z info  worker 3 reload.done domains=3 text=\"a b\"\n");
	log_init("keeper", LOG_LEVEL_DEBUG);
	listen_begin();
	log_debug("now.said", NULL);
	assert_string_equal(listen_end(), "1994-11-06T08:49:37Z debug keeper now.said\n");
}

static void test_log_under_the_journal_has_a_level_prefix_and_no_time(void **state)
{
	(void)state;
	assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
	listen_begin();
	log_init("keeper", LOG_LEVEL_DEBUG);
	log_error("e", NULL);
	log_warn("w", NULL);
	log_info("i", "a=1");
	log_debug("d", NULL);
	assert_string_equal(listen_end(),
			    "<3>error keeper e\n<4>warn keeper w\n<6>info keeper i a=1\n<7>debug keeper d\n");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_init("main", LOG_LEVEL_INFO);
}

static void test_log_overlong_line_is_cut_and_still_ends(void **state)
{
	(void)state;
	static char text[5000];
	memset(text, 'x', sizeof text - 1);
	for (size_t len = 1950; len < 2060; len++) {
		listen_begin();
		log_info("e", "%.*s", (int)len, text);
		size_t n = strlen(listen_end());
		assert_true(n <= 2048 && said[n - 1] == '\n' && said[n - 2] == 'x');
		assert_ptr_equal(strchr(said, '\n'), said + n - 1);
	}
	listen_begin();
	log_info(text, "a=%d", 1);
	size_t n = strlen(listen_end());
	assert_true(n <= 2048 && said[n - 1] == '\n');
}

static void test_log_quoted_text_stays_on_its_line(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
		const char *out;
	} cases[] = {
		{__LINE__, LIT(""), "\"\""},
		{__LINE__, LIT("a b"), "\"a b\""},
		{__LINE__, LIT("a\"b\\"), "\"a\\\"b\\\\\""},
		{__LINE__, LIT("a\r\nb\0\x1B[0m\x7F"), "\"a\\x0d\\x0ab\\x00\\x1b[0m\\x7f\""},
		{__LINE__, LIT("bücher"), "\"bücher\""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct log_quoted q = log_quote(
			(struct span){guard_copy(cases[i].in.p, cases[i].in.len), cases[i].in.len});
		if (strcmp(q.text, cases[i].out) != 0)
			fail_msg("line %d: %s", cases[i].line, q.text);
	}
	static const char fillers[] = {'x', '"', '\n'};
	for (size_t i = 0; i < COUNT(fillers); i++) {
		char text[2 * LOG_QUOTED_BYTES];
		memset(text, fillers[i], sizeof text);
		struct log_quoted q = log_quote((struct span){text, sizeof text});
		size_t len = strlen(q.text);
		assert_true(len < LOG_QUOTED_BYTES && len > LOG_QUOTED_BYTES - 8 && q.text[len - 1] == '"');
	}
	guard_free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_line_is_time_level_speaker_event_and_pairs),
		cmocka_unit_test(test_log_under_the_journal_has_a_level_prefix_and_no_time),
		cmocka_unit_test(test_log_overlong_line_is_cut_and_still_ends),
		cmocka_unit_test(test_log_quoted_text_stays_on_its_line),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

#include "../../base/err.h"
#include "../../server/keeper/child.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The programs are the shell's: what an operator writes. */

struct run {
	uv_loop_t loop;
	struct child child;
	size_t done_count;
	enum child_end end;
	int status, signal;
	char text[CHILD_TEXT_BYTES + 1];
	uint64_t took_ms;
};

static void on_done(void *ctx, const struct child_result *result)
{
	struct run *r = ctx;
	r->done_count++;
	r->end = result->end;
	r->status = result->status;
	r->signal = result->signal;
	memcpy(r->text, result->text.p, result->text.len);
	r->text[result->text.len] = '\0';
}

static void run_argv(struct run *r, const char *const *argv, struct span input, uint64_t deadline_ms)
{
	static const char *const environment[] = {"MTA_STS_FORMAT=zone", NULL};
	struct child_args args = {.argv = argv, .environment = environment, .input = input, .deadline_ms = deadline_ms};
	*r = (struct run){.status = -1};
	assert_int_equal(uv_loop_init(&r->loop), 0);
	uint64_t begin_ms = uv_now(&r->loop);
	child_start(&r->child, &r->loop, &args, on_done, r);
	assert_int_equal(r->done_count, 0); /* from the loop, never from within */
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	r->took_ms = uv_now(&r->loop) - begin_ms;
	assert_int_equal(uv_loop_close(&r->loop), 0);
	assert_int_equal(r->done_count, 1);
	assert_false(r->child.is_running);
}

static void run(struct run *r, const char *script, struct span input, uint64_t deadline_ms)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	run_argv(r, argv, input, deadline_ms);
}

static void test_child_end_is_told(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *script, *input;
		enum child_end end;
		int status, signal;
		const char *text;
	} cases[] = {
		{__LINE__, "cat", "a\nb\n", CHILD_EXITED, 0, 0, "a\nb\n"},
		{__LINE__, "cat /dev/stdin; echo; exec cat /dev/stdin", "ab", CHILD_EXITED, 0, 0, "ab\nab"},
		{__LINE__, "true", "never read", CHILD_EXITED, 0, 0, ""},
		{__LINE__, "echo out; echo err >&2; exit 3", "", CHILD_EXITED, 3, 0, "out\nerr\n"},
		{__LINE__, "exec >&- 2>&-; exit 4", "", CHILD_EXITED, 4, 0, ""},
		{__LINE__, "kill -9 $$", "", CHILD_KILLED, 0, 9, ""},
		{__LINE__, "echo $MTA_STS_FORMAT:$NOTIFY_SOCKET:$OURS", "", CHILD_EXITED, 0, 0, "zone::kept\n"},
		/* three descriptors; ls has one more for the folder */
		{__LINE__, "ls /proc/self/fd | wc -l", "", CHILD_EXITED, 0, 0, "4\n"},
		/* its own session, no terminal */
		{__LINE__, "test $(cut -d' ' -f6 /proc/$$/stat) = $$", "", CHILD_EXITED, 0, 0, ""},
	};
	(void)setenv("NOTIFY_SOCKET", "/run/ours", 1);
	(void)setenv("OURS", "kept", 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct run r;
		run(&r, cases[i].script, span_of(cases[i].input), 20000);
		if (r.end != cases[i].end || r.status != cases[i].status || r.signal != cases[i].signal ||
		    strcmp(r.text, cases[i].text) != 0)
			fail_msg("line %d: end %d status %d signal %d \"%s\"", cases[i].line, (int)r.end, r.status,
				 r.signal, r.text);
	}
}

static void test_child_that_cannot_run_is_told(void **state)
{
	(void)state;
	struct run r;
	run_argv(&r, (const char *const[]){"/no/such/program", NULL}, SPAN_LIT("x"), 20000);
	assert_int_equal(r.end, CHILD_NOT_RUN);
	assert_string_equal(r.text, "/no/such/program: no such file or directory");
	run_argv(&r, (const char *const[]){"/dev/null", NULL}, SPAN_LIT("x"), 20000);
	assert_int_equal(r.end, CHILD_NOT_RUN);
	assert_string_equal(r.text, "/dev/null: permission denied");
}

static void test_child_input_may_be_large(void **state)
{
	(void)state;
	struct run r;
	size_t len = (size_t)3 << 20;
	char *input = malloc(len);
	assert_non_null(input);
	memset(input, 'x', len);
	run(&r, "wc -c", (struct span){input, len}, 20000);
	free(input);
	assert_string_equal(r.text, "3145728\n");
}

static void test_child_flood_leaves_the_end(void **state)
{
	(void)state;
	struct run r;
	run(&r, "yes | head -c 1000000; echo the end", SPAN_LIT(""), 20000);
	assert_int_equal(r.end, CHILD_EXITED);
	assert_int_equal(strlen(r.text), CHILD_TEXT_BYTES);
	assert_string_equal(r.text + CHILD_TEXT_BYTES - 8, "the end\n");
}

static void test_child_that_hangs_is_ended(void **state)
{
	(void)state;
	struct run r;
	run(&r, "echo waiting; sleep 600", SPAN_LIT(""), 100);
	assert_int_equal(r.end, CHILD_LATE);
	assert_string_equal(r.text, "waiting\n");
	/* what ignores SIGTERM, and its children, get SIGKILL */
	run(&r, "trap '' TERM; echo stubborn; sleep 600 & sleep 600; sleep 600", SPAN_LIT(""), 100);
	assert_int_equal(r.end, CHILD_LATE);
	assert_int_equal(r.signal, SIGKILL);
	assert_string_equal(r.text, "stubborn\n");
	assert_true(r.took_ms < 10000);
	/* floods until the end */
	run(&r, "yes", SPAN_LIT(""), 100);
	assert_int_equal(r.end, CHILD_LATE);
}

static void test_child_that_forks_holds_nobody_up(void **state)
{
	(void)state;
	struct run r;
	run(&r, "sleep 600 & echo $!; exit 5", SPAN_LIT(""), 20000);
	assert_int_equal(r.end, CHILD_EXITED);
	assert_int_equal(r.status, 5);
	pid_t left = (pid_t)strtol(r.text, NULL, 10);
	assert_true(left > 1 && r.took_ms < 10000);
	for (int i = 0; i < 500 && kill(left, 0) == 0; i++) /* it was ended; init has still to take it */
		(void)usleep(10000);
	assert_int_equal(kill(left, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static bool is_locked(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	(void)close(fd);
	return !is_free;
}

/* as if we were killed: our own descriptor is gone, but not the program's, nor that of what it started */
static void test_child_holds_the_lock_that_it_is_given(void **state)
{
	(void)state;
	struct run r = {.status = -1};
	char path[] = "/tmp/test_child.XXXXXX";
	const char *const argv[] = {"sh", "-c", "ls /proc/self/fd | wc -l; setsid sleep 20 & echo $!", NULL};
	int fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	struct child_args args = {.argv = argv, .deadline_ms = 60000, .kept_fd = fd};
	assert_int_equal(uv_loop_init(&r.loop), 0);
	child_start(&r.child, &r.loop, &args, on_done, &r);
	(void)close(fd);
	(void)uv_run(&r.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r.loop), 0);
	assert_int_equal(r.end, CHILD_EXITED);
	assert_memory_equal(r.text, "5\n", 2); /* the lock is its fourth descriptor, and ls has one for the folder */
	assert_true(is_locked(path));
	assert_int_equal(kill((pid_t)strtol(r.text + 2, NULL, 10), SIGKILL), 0);
	for (int i = 0; i < 500 && is_locked(path); i++)
		(void)usleep(10000);
	assert_false(is_locked(path));
	assert_int_equal(unlink(path), 0);
}

/* For a user who is not root, a program that is: SIGKILL is not for him to send. Returns 0 when all is well. */
static int run_another_users(const char *program)
{
	static struct run r;
	const char *const argv[] = {program, "--as-root", NULL};
	struct child_args args = {.argv = argv, .deadline_ms = 100};
	if (setgid(65534) != 0 || setuid(65534) != 0 || uv_loop_init(&r.loop) != 0)
		return 1;
	child_start(&r.child, &r.loop, &args, on_done, &r);
	(void)uv_run(&r.loop, UV_RUN_DEFAULT);
	if (r.done_count != 1 || r.end != CHILD_LATE || uv_loop_close(&r.loop) != 0)
		return 2;
	if (!child_is_left(&r.child))
		return 3;
	for (int i = 0; i < 1000 && child_is_left(&r.child); i++)
		(void)usleep(10000);
	return child_is_left(&r.child) ? 4 : 0;
}

static void test_child_that_cannot_be_killed_is_told_and_waited_for(void **state)
{
	(void)state;
	int status = 0;
	char dir[] = "/tmp/test_child.XXXXXX", path[64], command[256];
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/program", dir);
	(void)snprintf(command, sizeof command, "cp /proc/%d/exe %s && chmod 4755 %s && chmod 755 %s", (int)getpid(),
		       path, path, dir);
	assert_int_equal(system(command), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_another_users(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(path) | rmdir(dir), 0);
}

static void on_stop_timer(uv_timer_t *timer)
{
	child_stop(timer->data);
	child_stop(timer->data); /* once is enough */
	uv_close((uv_handle_t *)timer, NULL);
}

/* not even what has its output elsewhere and passes over SIGTERM; the last writer of the pipe goes with it */
static void test_child_that_is_late_leaves_nothing_behind(void **state)
{
	(void)state;
	struct run r;
	char path[] = "/tmp/test_child.XXXXXX", fifo[64], script[256], byte;
	assert_non_null(mkdtemp(path));
	(void)snprintf(fifo, sizeof fifo, "%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	(void)snprintf(script, sizeof script,
		       "(trap '' TERM; exec >%s 2>&1; echo; sleep 20; sleep 20) & echo started; wait", fifo);
	run(&r, script, SPAN_LIT(""), 500);
	assert_int_equal(r.end, CHILD_LATE);
	assert_string_equal(r.text, "started\n");
	assert_int_equal(read(fd, &byte, 1), 1);
	struct pollfd end = {.fd = fd};
	assert_int_equal(poll(&end, 1, 5000), 1);
	assert_true(end.revents & POLLHUP);
	(void)close(fd);
	assert_int_equal(unlink(fifo) | rmdir(path), 0);
}

static void test_child_stop_ends_it(void **state)
{
	(void)state;
	static struct run r;
	uv_timer_t timer;
	const char *const argv[] = {"sleep", "600", NULL};
	struct child_args args = {.argv = argv, .deadline_ms = 60000};
	assert_int_equal(uv_loop_init(&r.loop), 0);
	child_stop(&r.child); /* nothing runs */
	child_start(&r.child, &r.loop, &args, on_done, &r);
	(void)uv_timer_init(&r.loop, &timer);
	timer.data = &r.child;
	(void)uv_timer_start(&timer, on_stop_timer, 50, 0);
	(void)uv_run(&r.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r.loop), 0);
	assert_int_equal(r.done_count, 1);
	assert_int_equal(r.end, CHILD_LATE);
	assert_int_equal(r.signal, SIGTERM);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--as-root") == 0)
		return setreuid(0, 0) == 0 ? (int)sleep(6) : 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_end_is_told),
		cmocka_unit_test(test_child_that_cannot_run_is_told),
		cmocka_unit_test(test_child_input_may_be_large),
		cmocka_unit_test(test_child_flood_leaves_the_end),
		cmocka_unit_test(test_child_that_hangs_is_ended),
		cmocka_unit_test(test_child_that_forks_holds_nobody_up),
		cmocka_unit_test(test_child_that_is_late_leaves_nothing_behind),
		cmocka_unit_test(test_child_holds_the_lock_that_it_is_given),
		cmocka_unit_test(test_child_that_cannot_be_killed_is_told_and_waited_for),
		cmocka_unit_test(test_child_stop_ends_it),
	};
	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}

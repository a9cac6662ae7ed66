#include "child.h"

#include "../../base/err.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TERM_MS = 2000, /* from SIGTERM to SIGKILL */
	TAIL_MS = 1000, /* from its end to that of its output, which something that it left behind may hold */
};

/* --- what it is given --- */

static int write_all(int fd, struct span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		s.p += n;
		s.len -= (size_t)n;
	}
	return 0;
}

/* open_input: a file without a name. A socket or pipe would have to be fed, and some programs open /dev/stdin anew. */
static int open_input(struct span input, int *out_fd, struct err *err)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "memfd_create");
	int rc = write_all(fd, input);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) != 0)
		rc = errno;
	if (rc) {
		(void)close(fd);
		return err_errno(err, rc, "input");
	}
	*out_fd = fd;
	return 0;
}

static bool is_ours_alone(const char *variable)
{
	static const char *const names[] = {
		"NOTIFY_SOCKET=", "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "WATCHDOG_USEC=", "WATCHDOG_PID="};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static size_t count_of(const char *const *list)
{
	size_t n = 0;
	while (list && list[n])
		n++;
	return n;
}

/* make_environment: an array of borrowed strings; NULL: out of memory. */
static char **make_environment(const char *const *more)
{
	const char *const *ours = (const char *const *)environ;
	char **all = calloc(count_of(ours) + count_of(more) + 1, sizeof *all);
	size_t n = 0;
	for (size_t i = 0; all && ours && ours[i]; i++)
		if (!is_ours_alone(ours[i]))
			all[n++] = (char *)(uintptr_t)ours[i];
	for (size_t i = 0; all && more && more[i]; i++)
		all[n++] = (char *)(uintptr_t)more[i];
	return all;
}

/* --- its end --- */

static void on_closed(uv_handle_t *handle)
{
	struct child *c = handle->data;
	if (--c->open_count > 0)
		return;
	c->is_running = c->is_closing = false;
	c->result.text = (struct span){c->text, c->text_len};
	if (c->result.end == CHILD_EXITED && c->result.signal)
		c->result.end = CHILD_KILLED;
	if (c->is_late)
		c->result.end = CHILD_LATE;
	c->on_done(c->ctx, &c->result);
}

static void close_all(struct child *c)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	uv_close((uv_handle_t *)&c->out, on_closed);
	uv_close((uv_handle_t *)&c->timer, on_closed);
	if (c->has_process)
		uv_close((uv_handle_t *)&c->process, on_closed);
}

/* kill_all: it and what it forked, unless that has gone into a session of its own. */
static void kill_all(const struct child *c, int signal)
{
	if (c->process.pid > 0)
		(void)kill(-c->process.pid, signal);
}

static void finish_if_over(struct child *c)
{
	bool has_failed = c->is_late || c->result.status || c->result.signal;
	if (!c->has_exited || !c->is_at_end)
		return;
	if (has_failed && !c->is_closing) /* what it forked must not do later what is going to be done again */
		kill_all(c, SIGKILL);
	close_all(c);
}

static void on_timer(uv_timer_t *timer);

static void start_timer(struct child *c, uint64_t ms)
{
	(void)uv_timer_start(&c->timer, on_timer, ms, 0); /* fails only on a closing handle */
}

static void on_timer(uv_timer_t *timer)
{
	struct child *c = timer->data;
	if (c->result.end == CHILD_NOT_RUN) {
		close_all(c);
	} else if (c->has_exited) { /* something else still holds its output */
		kill_all(c, SIGKILL);
		close_all(c);
	} else if (c->is_killed) { /* it cannot be: another user's, or waiting for a disk that does not answer */
		c->left_pid = c->process.pid;
		close_all(c);
	} else if (c->is_late) {
		c->is_killed = true;
		kill_all(c, SIGKILL);
		start_timer(c, TERM_MS);
	} else {
		child_stop(c);
	}
}

static void on_exit_child(uv_process_t *process, int64_t status, int term_signal)
{
	struct child *c = process->data;
	c->has_exited = true;
	c->result.status = (int)status;
	c->result.signal = term_signal;
	start_timer(c, TAIL_MS);
	finish_if_over(c);
}

void child_stop(struct child *c)
{
	if (!c->is_running || !c->has_process || c->has_exited || c->is_late || c->result.end == CHILD_NOT_RUN)
		return;
	c->is_late = true;
	kill_all(c, SIGTERM);
	start_timer(c, TERM_MS);
}

/* --- what it says --- */

/* keep_end: of all that was said, as much as fits. s is no longer than that. */
static void keep_end(struct child *c, struct span s)
{
	size_t room = sizeof c->text - c->text_len;
	if (s.len > room) {
		size_t drop = s.len - room;
		memmove(c->text, c->text + drop, c->text_len - drop);
		c->text_len -= drop;
	}
	memcpy(c->text + c->text_len, s.p, s.len);
	c->text_len += s.len;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)suggested;
	struct child *c = handle->data;
	*buf = uv_buf_init(c->read_bytes, sizeof c->read_bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct child *c = stream->data;
	if (n > 0)
		keep_end(c, (struct span){buf->base, (size_t)n});
	if (n >= 0)
		return;
	(void)uv_read_stop(stream);
	c->is_at_end = true;
	finish_if_over(c);
}

/* --- its start --- */

static int spawn(struct child *c, const struct child_args *args, int input_fd, int output_fd, struct err *err)
{
	char **environment = make_environment(args->environment);
	if (!environment)
		return err_set(err, ERR_NOMEM, "out of memory");
	uv_stdio_container_t stdio[] = {
		{.flags = UV_INHERIT_FD, .data.fd = input_fd},
		{.flags = UV_INHERIT_FD, .data.fd = output_fd},
		{.flags = UV_INHERIT_FD, .data.fd = output_fd},
		{.flags = UV_INHERIT_FD, .data.fd = args->kept_fd},
	};
	uv_process_options_t options = {
		.exit_cb = on_exit_child,
		.file = args->argv[0],
		.args = (char **)(uintptr_t)args->argv,
		.env = environment,
		.stdio = stdio,
		.stdio_count = args->kept_fd ? 4 : 3,
		.flags = UV_PROCESS_DETACHED, /* a session of its own */
	};
	/* what others left open across an exec, such as systemd's sockets, is not for it; before Linux 5.11 it stays */
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
	int rc = uv_spawn(c->timer.loop, &c->process, &options);
	free(environment);
	c->has_process = true; /* in libuv's list also when it failed */
	c->open_count++;
	return rc ? err_set(err, ERR_IO, "%s: %s", args->argv[0], uv_strerror(rc)) : 0;
}

/* open_output: the reading end of a pipe for c->out, the writing end for the program. */
static int open_output(struct child *c, int *out_fd, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe2");
	int rc = uv_pipe_open(&c->out, ends[0]);
	if (rc)
		(void)close(ends[0]); /* else the handle's */
	else
		rc = uv_read_start((uv_stream_t *)&c->out, on_alloc, on_read);
	if (rc) {
		(void)close(ends[1]);
		return err_set(err, ERR_IO, "output: %s", uv_strerror(rc));
	}
	*out_fd = ends[1];
	return 0;
}

static int start(struct child *c, const struct child_args *args, struct err *err)
{
	int input_fd = -1, output_fd = -1;
	int rc = open_input(args->input, &input_fd, err);
	if (rc == 0)
		rc = open_output(c, &output_fd, err);
	if (rc == 0)
		rc = spawn(c, args, input_fd, output_fd, err);
	if (input_fd >= 0)
		(void)close(input_fd);
	if (output_fd >= 0)
		(void)close(output_fd);
	return rc;
}

bool child_is_left(struct child *c)
{
	if (c->left_pid > 0 && waitpid(c->left_pid, NULL, WNOHANG) != 0)
		c->left_pid = 0; /* it has ended, or somebody else has taken it */
	return c->left_pid > 0;
}

void child_start(struct child *c, uv_loop_t *loop, const struct child_args *args, child_done_fn *on_done, void *ctx)
{
	struct err err;
	assert(!c->is_running && !child_is_left(c));
	*c = (struct child){.is_running = true, .open_count = 2, .on_done = on_done, .ctx = ctx};
	(void)uv_pipe_init(loop, &c->out, 0); /* neither can fail */
	(void)uv_timer_init(loop, &c->timer);
	c->process.data = c->out.data = c->timer.data = c;
	if (start(c, args, &err) == 0) {
		start_timer(c, args->deadline_ms);
		return;
	}
	(void)uv_read_stop((uv_stream_t *)&c->out); /* nobody writes there */
	c->result.end = CHILD_NOT_RUN;
	keep_end(c, span_of(err.text));
	start_timer(c, 0);
}

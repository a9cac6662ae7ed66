/* child: runs a program of the operator's: argument vector, input, deadline, the end of what it says.
 *
 * It gets a session of its own, so that what it forks goes with it when it is late or fails; our environment without
 * what systemd meant for us; its input as an open file, which it may read, seek in, or leave alone; no other descriptor
 * but a lock. */
#ifndef KEEPER_CHILD_H
#define KEEPER_CHILD_H

#include "../../base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { CHILD_TEXT_BYTES = 2048 };

struct child_args {
	const char *const *argv;        /* NULL-terminated; argv[0] is looked for in PATH when it has no slash */
	const char *const *environment; /* "NAME=value", NULL-terminated, beside our own */
	struct span input;              /* not kept */
	uint64_t deadline_ms;
	int kept_fd; /* a lock that it is to hold, as its descriptor 3; 0: none */
};

enum child_end {
	CHILD_EXITED,  /* status 0: it did what it was asked to */
	CHILD_KILLED,  /* by signal */
	CHILD_LATE,    /* it was ended at its deadline, or because we stop */
	CHILD_NOT_RUN, /* it could not be started; text says why */
};

struct child_result {
	enum child_end end;
	int status, signal;
	struct span text; /* the end of what it wrote to standard output and error */
};

typedef void child_done_fn(void *ctx, const struct child_result *result);

/* One run. Zeroed: none. */
struct child {
	uv_process_t process;
	uv_pipe_t out;
	uv_timer_t timer;
	bool is_running, has_process, has_exited, is_at_end, is_late, is_killed, is_closing;
	int left_pid; /* of the one before, which not even SIGKILL ended; 0: none */
	int open_count;
	struct child_result result;
	size_t text_len;
	char text[CHILD_TEXT_BYTES], read_bytes[CHILD_TEXT_BYTES];
	child_done_fn *on_done;
	void *ctx;
};

/* child_start: on_done is called once, from the loop, when the program has ended and its output is read, or if it could
 * not be started; c is free for the next run then. Not while it runs. */
void child_start(struct child *c, uv_loop_t *loop, const struct child_args *args, child_done_fn *on_done, void *ctx);

/* child_is_left: does the program of the last run still live, though it is told as CHILD_LATE? Then SIGKILL did not end
 * it, and another one must not be started. */
bool child_is_left(struct child *c);

/* child_stop: ends it, if it runs, as its deadline would. */
void child_stop(struct child *c);

#endif

/* worker: one process, one loop: accepts, looks up, answers. Opens nothing after start-up and writes no file.
 *
 * It is started by the keeper (keeper/workers.c) with everything it needs on its command line and as
 * inherited descriptors; nobody types this command. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stddef.h>
#include <sys/types.h>

struct err;

enum {
	WORKER_FIRST_FD = 3, /* listening sockets are inherited as 3, 4, … */
	WORKER_LISTEN_MAX = 64,
};

struct worker_args {
	const char *state_dir; /* holds store/, keyring/ and the metrics page */
	size_t slot;           /* of the metrics page */
	size_t listen_count;   /* inherited sockets, bound; whether they listen already does not matter */
	pid_t keeper_pid;      /* 0: none; else the worker stops when its parent is another process by now */
};

/* worker_run: until SIGTERM or SIGINT: then accepts what is queued, closes the listeners, finishes the
 * connections that are open (limits.h: drain_timeout_ms) and returns 0. When the keeper dies it stops in the
 * same way (PR_SET_PDEATHSIG = SIGTERM). Marks its slot WORKER_SERVING once it accepts.
 * Once per process: it sets signal handling and the limit of descriptors.
 * Returns 0 or an ERR_ with err. */
int worker_run(const struct worker_args *args, struct err *err);

#endif

/* listener: a worker's listening sockets in the loop. Accepts a bounded number per turn, so that a flood of
 * new connections cannot starve those that are open, and waits instead of spinning where descriptors run out.
 *
 * It polls the sockets itself: libuv's uv_listen accepts without bound, and where the table of descriptors is
 * full it throws away whatever is queued. */
#ifndef WORKER_LISTENER_H
#define WORKER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct err;

enum { LISTENERS_MAX_COUNT = 64 };

/* A connected, non-blocking socket, closed on exec, and where it comes from. */
typedef void listener_accept_fn(void *ctx, int take_fd, const struct sockaddr *peer);

struct listener {
	uv_poll_t poll;
	int fd;
	struct listeners *all;
};

struct listeners {
	struct listener items[LISTENERS_MAX_COUNT];
	size_t count;
	int accepts_per_turn; /* may change at any time */
	uv_timer_t pause;     /* runs while accepting rests */
	uint64_t told_ms;     /* when that was logged last; 0: never */
	listener_accept_fn *on_accept;
	void *ctx;
};

/* listeners_open: accepts_per_turn is set by the caller. count sockets, inherited as first_fd and those
 * behind it; bound, perhaps listening already. l is zeroed otherwise, and stays where it is until the loop
 * has ended; listeners_close is due whatever it returns. */
int listeners_open(struct listeners *l, uv_loop_t *loop, int first_fd, size_t count, listener_accept_fn *on_accept,
		   void *ctx, struct err *err);

/* listeners_drain: accepts all that is queued. */
void listeners_drain(struct listeners *l);

/* listeners_close: the handles go with the loop's next turn. */
void listeners_close(struct listeners *l);

#endif

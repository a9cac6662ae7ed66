/* workers: the worker processes: started with their sockets, started again when they die, stopped gracefully. */
#ifndef KEEPER_WORKERS_H
#define KEEPER_WORKERS_H

#include "../../base/metric.h"
#include "sockets.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct db;
struct err;

/* ready: all workers accept connections for the first time. stopped: none is left after workers_stop. */
typedef void workers_fn(void *ctx);

struct workers {
	uv_loop_t *loop;
	const char *state_dir;
	const struct sockets *sockets;
	struct metric_page *page;
	struct db *store; /* for stale readers of a worker that died */
	workers_fn *on_ready, *on_stopped;
	void *ctx;
	struct worker_process *processes;
	size_t count, alive_count;
	uv_timer_t ready_timer, stop_timer;
	bool has_timers, is_ready, is_stopping;
};

/* workers_start: all fields above `processes` are set by the caller. One worker per set of sockets. ERR_IO, ERR_NOMEM.
 */
int workers_start(struct workers *w, struct err *err);

/* workers_stop: SIGTERM to all, SIGKILL to those that are left after 8 s; then on_stopped. */
void workers_stop(struct workers *w);

/* workers_deinit: after the loop has ended. Accepts a zeroed one. */
void workers_deinit(struct workers *w);

/* workers_all_serving: does every worker answer now? */
bool workers_all_serving(const struct metric_page *page);

#endif

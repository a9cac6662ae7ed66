/* keeper: the process that decides: its loop, signals, timers, and the order in which things happen. The work is done
 * in reload.c, workers.c, watch.c and their like. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "expiry.h"
#include "monitor.h"
#include "publish.h"
#include "reload.h"
#include "sockets.h"
#include "watch.h"
#include "workers.h"

#include <stdbool.h>
#include <uv.h>

struct err;
struct metric_page;

/* keeper_ready_fn: once all workers serve. */
typedef void keeper_ready_fn(void *ctx);

struct keeper {
	/* set by the caller */
	const char *state_dir;
	const char *metrics; /* address of the monitor; NULL: none */
	const struct sockets *sockets;
	struct reload reload; /* store, keyring, main_path, dev_ca */
	struct metric_page *page;
	keeper_ready_fn *on_ready;
	void *ctx;

	uv_loop_t loop;
	uv_signal_t term_signal, int_signal, hup_signal;
	uv_timer_t retry_timer, sweep_timer;
	struct watch watch;
	struct workers workers;
	struct monitor monitor;
	struct expiry expiry;
	struct publish publish;
	bool has_loop, has_handles, is_stopping;
};

/* keeper_run: loads, starts the workers, and runs until SIGTERM or SIGINT; SIGHUP reloads. Returns 0 after a graceful
 * stop, or ERR_ with err when it could not start. */
int keeper_run(struct keeper *k, struct err *err);

#endif

/* publish: walks the outbox and gives the operator's hook what may be published now, batch by batch (DESIGN.md 6.4).
 *
 * One run at a time, so that the changes of a domain reach the DNS in their order. What is owed stays in the store
 * until a run has ended with status 0: a keeper that dies in between does it again. Failures are waited for longer and
 * longer, here and per domain (batch.h). The loop never waits for the hook. */
#ifndef KEEPER_PUBLISH_H
#define KEEPER_PUBLISH_H

#include "../../base/buf.h"
#include "../../config/settings.h"
#include "child.h"
#include "hook_lock.h"
#include "outbox_walk.h"
#include "runs.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct db;
struct metric_page;

struct publish {
	/* set by the caller */
	struct db *store;
	const char *state_dir;
	const struct metric_page *page; /* whether the workers serve */
	bool is_off;                    /* nothing is ever published: serve --dev */

	uv_timer_t timer; /* the next slice, or the next look */
	struct child child;
	struct hook_lock lock;
	struct settings settings;   /* as of the walk's beginning */
	struct buf settings_stored; /* … as the store has them */
	struct batch batch;
	struct runs runs;
	uint64_t paused_until_ms; /* clock_mono_ms; after a failure */
	uint64_t run_began_ms;
	bool has_handle, is_closing;
	bool is_hurried;     /* pause and due dates are to be forgotten */
	bool is_walking;     /* runs included */
	bool is_asked_again; /* for another walk after this one */
	struct outbox_walk walk;
};

/* publish_open: nothing happens before publish_kick. 0, ERR_IO, ERR_NOMEM. */
int publish_open(struct publish *p, uv_loop_t *loop, struct err *err);

/* publish_close: ends a run; the handles close in the loop. Accepts a zeroed one. publish_deinit: when it has ended. */
void publish_close(struct publish *p);
void publish_deinit(struct publish *p);

/* publish_kick: something may have become due: a reload, a certificate, workers that serve, a minute. */
void publish_kick(struct publish *p);

/* publish_hurry: somebody has mended something: what failed is tried at once. */
void publish_hurry(struct publish *p);

#endif

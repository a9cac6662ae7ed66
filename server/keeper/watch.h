/* watch: tells that something changed in a set of folders. inotify, and polling where that cannot work.
 *
 * It says that something changed, never what: the reader compares stat identities anyway, which is right under every
 * race. */
#ifndef KEEPER_WATCH_H
#define KEEPER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct err;

enum watch_set { WATCH_CONFIG, WATCH_CERTS, WATCH_SET_COUNT };

/* changed: bit (1 << enum watch_set) for each set that something happened in; calls come at most every 30 ms, and no
 * later than 200 ms after the first event of a burst. */
typedef void watch_fn(void *ctx, unsigned changed);

struct watch {
	uv_loop_t *loop;
	watch_fn *on_change;
	void *ctx;
	int fd; /* inotify; -1: none */
	uv_poll_t poll;
	uv_timer_t debounce_timer, poll_timer;
	bool has_poll_handle, has_timers;
	unsigned changed;
	uint64_t first_event_ms;
	unsigned polled;            /* bit per set: some folder of it cannot be watched */
	unsigned stale;             /* bit per set: its folders must be looked up anew at the next watch_end_set */
	struct watch_folder *by_wd; /* index: inotify's watch descriptor */
	size_t by_wd_count;
	uint64_t generation;
	unsigned building; /* the set between watch_begin_set and watch_end_set */
	uint8_t fingerprint[WATCH_SET_COUNT][32];
	struct watch_list *pending;
};

/* watch_open: starts with empty sets. Without inotify it polls (said in the log). ERR_NOMEM. */
int watch_open(struct watch *w, uv_loop_t *loop, watch_fn *on_change, void *ctx, struct err *err);

/* watch_close: handles are closed in the loop; watch_deinit after it has ended. */
void watch_close(struct watch *w);
void watch_deinit(struct watch *w);

/* A set is told anew as a whole: begin, add…, end. What is watched already costs nothing.
 * A folder that is not there: the nearest one above it is watched instead. ERR_NOMEM. */
int watch_begin_set(struct watch *w, enum watch_set set);
int watch_add(struct watch *w, const char *folder);
int watch_end_set(struct watch *w, enum watch_set set);

#endif

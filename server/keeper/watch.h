/* watch: tells that something changed in a set of folders, and where. inotify, and polling where that cannot work.
 *
 * It says where to look, never what happened: the reader compares stat identities anyway, which is right under every
 * race. Where it does not know (too many changes, events that the kernel dropped, polling), all is to be looked at. */
#ifndef KEEPER_WATCH_H
#define KEEPER_WATCH_H

#include "../../base/buf.h"
#include "kept_paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct err;

enum watch_set { WATCH_CONFIG, WATCH_CERTS, WATCH_SET_COUNT };

/* changed: bit (1 << enum watch_set) for each set that something happened in; calls come at most every 30 ms, and no
 * later than 200 ms after the first event of a burst. */
typedef void watch_fn(void *ctx, unsigned changed);

/* What a set's changes come down to. */
struct watch_changes {
	struct buf paths;     /* files and folders to be looked at, a NUL behind each; there may be nothing there */
	size_t count, recent; /* where the last few of them begin */
	bool is_all;          /* look at everything; paths do not matter */
};

struct watch {
	uv_loop_t *loop;
	watch_fn *on_change;
	void *ctx;
	int fd; /* inotify; -1: none */
	uv_poll_t poll;
	uv_timer_t debounce_timer, poll_timer;
	bool has_poll_handle, has_timers;
	unsigned changed;
	struct watch_changes changes[WATCH_SET_COUNT];
	uint64_t first_event_ms;
	unsigned polled;            /* bit per set: some folder of it cannot be watched */
	unsigned unheard;           /* the same, of the sets being told */
	unsigned whole;             /* bit per set: told to its end; otherwise all is to be looked at */
	struct watch_folder *by_wd; /* index: inotify's watch descriptor */
	size_t by_wd_count;
	struct buf told;                         /* folder, look_at, …: to be watched at watch_end_set */
	struct kept_paths kept[WATCH_SET_COUNT]; /* those that by_wd speaks of */
};

/* watch_open: starts with empty sets. Without inotify it polls (said in the log). ERR_NOMEM. */
int watch_open(struct watch *w, uv_loop_t *loop, watch_fn *on_change, void *ctx, struct err *err);

/* watch_close: handles are closed in the loop; watch_deinit after it has ended. */
void watch_close(struct watch *w);
void watch_deinit(struct watch *w);

/* watch_take_changes: what the call of on_change is about, in one set; afterwards it is forgotten.
 * *out is to be freed by watch_changes_deinit. */
void watch_take_changes(struct watch *w, enum watch_set set, struct watch_changes *out);
void watch_changes_deinit(struct watch_changes *c);

/* A set is told anew as a whole: begin, add…, end; until its end, and where that does not come, all is to be looked at
 * whenever something happens. watch_more adds a folder to a set that has been told.
 * A folder that is not there: the nearest one above it is watched instead.
 * look_at  NULL: entries of the folder that change are to be looked at by themselves, hidden ones not at all in
 *          WATCH_CERTS; it is watched when the call returns. A folder that is new to WATCH_CONFIG is to be looked
 *          at once more: it was read before. Else: look_at is to be looked at, whatever changes in the folder.
 * return   0 or ERR_NOMEM */
void watch_begin_set(struct watch *w, enum watch_set set);
int watch_add(struct watch *w, enum watch_set set, const char *folder, const char *look_at);
int watch_end_set(struct watch *w, enum watch_set set);
int watch_more(struct watch *w, enum watch_set set, const char *folder, const char *look_at);

#endif

/* limits_watch: the limits in force, as the store has them now.
 *
 * A worker looks whenever it accepts, which costs a microsecond, and so needs neither a timer nor a
 * message. */
#ifndef WORKER_LIMITS_WATCH_H
#define WORKER_LIMITS_WATCH_H

#include "../../base/buf.h"
#include "limits.h"

#include <stdbool.h>

struct err;
struct view;

struct limits_watch {
	struct view *view;
	size_t worker_count, fd_max_count; /* as limits_share has them */
	uint64_t looked_ms;
	struct buf seen; /* the stored form that limits came from */
	struct limits limits;
};

/* limits_watch_init: the stored ones, or the defaults where nothing is stored yet. Borrows view. 0 or
 * ERR_NOMEM; limits_watch_deinit is due whatever it returns. */
int limits_watch_init(struct limits_watch *w, struct view *view, size_t worker_count, size_t fd_max_count,
		      struct err *err);
void limits_watch_deinit(struct limits_watch *w); /* accepts a zeroed one */

/* limits_watch_look: true when limits are others than at the last look. now_ms: of any clock; looks once
 * for each value. What cannot be read or understood changes nothing. */
bool limits_watch_look(struct limits_watch *w, uint64_t now_ms);

#endif

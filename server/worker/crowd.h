/* crowd: a worker's connections by what they wait for, each kind in the order of arrival; and who goes
 * first when there are too many. Allocates nothing. */
#ifndef WORKER_CROWD_H
#define WORKER_CROWD_H

#include <stdbool.h>
#include <stddef.h>

enum crowd_queue {
	CROWD_NONE,
	CROWD_FRESH,     /* has not sent a byte, nor had the time for it */
	CROWD_IDLE,      /* has not sent a byte, though there was time */
	CROWD_TALKING,   /* has sent a part of a ClientHello */
	CROWD_ENGINE,    /* has a TLS engine: in the handshake, or before the end of its request */
	CROWD_ANSWERING, /* until the last byte of the answer is written: is never sent away */
	CROWD_LINGERING, /* has its answer; the client's close is missing, or not seen yet */
	CROWD_QUEUE_COUNT
};

/* Lies inside the object that is counted; zeroed: in no queue. */
struct crowd_member {
	struct crowd_member *older, *newer;
	enum crowd_queue queue;
};

struct crowd {
	struct crowd_member *oldest[CROWD_QUEUE_COUNT], *newest[CROWD_QUEUE_COUNT];
	size_t count[CROWD_QUEUE_COUNT];
	size_t max_count;        /* of all together */
	size_t engine_max_count; /* of CROWD_ENGINE */
};

/* crowd_move: to the new end of a queue; CROWD_NONE: out of the crowd. */
void crowd_move(struct crowd *cr, struct crowd_member *m, enum crowd_queue to);

/* crowd_is_silent: has not sent a byte. */
bool crowd_is_silent(const struct crowd_member *m);

size_t crowd_count(const struct crowd *cr);

/* crowd_is_full: may no more connections join? crowd_is_full_of_engines: no more move to CROWD_ENGINE? */
bool crowd_is_full(const struct crowd *cr);
bool crowd_is_full_of_engines(const struct crowd *cr);

/* crowd_surplus: who is sent away first. The newest idle one, then the oldest that has its answer, then the
 * newest fresh one: whoever floods us with silent connections pushes out his own. Without any of these the
 * oldest of the others, with an engine last: an honest client needs a second in all, and so is hardly ever
 * the oldest. NULL: all are being answered. */
struct crowd_member *crowd_surplus(const struct crowd *cr);

/* crowd_surplus_engine: the same among those with an engine: the oldest; NULL: there is none. */
struct crowd_member *crowd_surplus_engine(const struct crowd *cr);

#endif

/* crowd: connections in the order of their arrival, so that a worker knows how many there are and the oldest.
 *
 * Two queues: the light ones, which have only a small struct, and the heavy ones, which hold a TLS engine.
 * Allocates nothing. */
#ifndef WORKER_CROWD_H
#define WORKER_CROWD_H

#include <stddef.h>

enum crowd_queue { CROWD_NONE, CROWD_LIGHT, CROWD_HEAVY, CROWD_QUEUE_COUNT };

/* Lies inside the object that is counted; zeroed: in no queue. */
struct crowd_member {
	struct crowd_member *older, *newer;
	enum crowd_queue queue;
};

struct crowd {
	struct crowd_member *oldest[CROWD_QUEUE_COUNT], *newest[CROWD_QUEUE_COUNT];
	size_t count[CROWD_QUEUE_COUNT];
	size_t max_count;       /* of both together */
	size_t heavy_max_count;
};

/* crowd_move: to the new end of a queue; CROWD_NONE: out of the crowd. */
void crowd_move(struct crowd *cr, struct crowd_member *m, enum crowd_queue to);

/* crowd_surplus: whom to send away before one more may join; NULL: there is room. For CROWD_LIGHT the oldest
 * light one, and where all are heavy the oldest of these; for CROWD_HEAVY the oldest heavy one. */
struct crowd_member *crowd_surplus(const struct crowd *cr, enum crowd_queue joining);

size_t crowd_count(const struct crowd *cr);

#endif

/* outbox_walk: which domains of the outbox go into the next batch. No loop, no processes: a slice of the outbox at a
 * time, in whatever snapshot it is given.
 *
 * A round looks for due domains of one level (batch.h) and goes on where the last one of that level stopped; after a
 * batch another level has its turn. So every domain has its turn, however many others fail. A walk ends when a whole
 * round of each level that has due domains has found nothing to publish. */
#ifndef KEEPER_OUTBOX_WALK_H
#define KEEPER_OUTBOX_WALK_H

#include "../../base/name.h"
#include "batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum walk_result {
	WALK_MORE,  /* nothing yet: come again */
	WALK_BATCH, /* something is in the batch, all of it from this snapshot */
	WALK_END,   /* nothing is due that could be published */
};

struct walk_place {
	char name[NAME_MAX_BYTES]; /* the domain that was looked at last */
	size_t len;                /* 0: begin with the first */
};

/* Zeroed: none. */
struct outbox_walk {
	size_t max_count; /* of domains in a batch */
	struct walk_place places[BATCH_LEVELS];
	uint64_t next_ms;      /* until something is due, as far as this walk has seen; UINT64_MAX: nothing is */
	size_t withheld_count; /* domains that nothing can be published of now; of a walk that has ended */

	uint32_t level, seen_levels, done_levels; /* bits */
	struct walk_place at;
	bool is_in_round, is_wrapped;
	size_t round_withheld_count;
};

/* walk_begin: a new walk, with places and level of the last one. */
void walk_begin(struct outbox_walk *w, size_t max_count);

/* walk_look: a slice of at most so many entries. b is filled; it is begun anew when a round begins or goes on after
 * WALK_BATCH. enum walk_result, or ERR_NOMEM, ERR_IO. */
int walk_look(struct outbox_walk *w, const struct offer_world *world, const struct format *format, struct batch *b,
	      size_t entries_max);

/* walk_is_last_level: do the domains of the level that b was filled from go alone, for having failed before? */
bool walk_is_last_level(const struct outbox_walk *w);

#endif

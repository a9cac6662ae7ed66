/* caution: what a reload may not take for granted: that the clock is right. What follows from that cannot be taken
 * back, and can wait. */
#ifndef KEEPER_CAUTION_H
#define KEEPER_CAUTION_H

#include "../../config/apply.h"
#include "steady.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

struct caution {
	struct steady steady;
	uint64_t noted_ms; /* clock_mono_ms when the store was last told the time; 0: never */
};

/* caution_look: for the reload that is to come. A zeroed caution is a new one. */
struct apply_how caution_look(struct caution *c, struct db *store);

#endif

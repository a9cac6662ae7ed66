/* caution: what a reload may not take for granted: that the clock is right, that files which vanished were deleted.
 * What follows from either cannot be taken back, and can wait. */
#ifndef KEEPER_CAUTION_H
#define KEEPER_CAUTION_H

#include "../../config/apply.h"
#include "steady.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

enum { CAUTION_HELD_MS = 600000 }; /* time to see the alarm and mount what is missing; short beside any max_age */

struct caution {
	struct steady steady;
	int64_t start_unix_s;        /* of the first look; 0: there was none */
	uint64_t noted_ms;           /* clock_mono_ms when the store was last told the time; 0: never */
	uint64_t vanishing_since_ms; /* since when the domains below went with their files; 0: none did */
	size_t vanished_count, all_before;
	uint64_t held_since_ms; /* since when files that vanished are let be; 0: they are not */
};

/* caution_look: for the reload that is to come. A zeroed caution is a new one.
 * is_asked   somebody wants all of it at once */
struct apply_how caution_look(struct caution *c, struct db *store, bool is_asked);

/* caution_tell: after it: logs and counts what was let be. Only a reload of everything looks at that again. */
void caution_tell(struct caution *c, const struct apply_result *result);

#endif

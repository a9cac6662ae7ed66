/* pace: how many questions may be in flight: more as long as answers come at once, fewer when some were lost. Pure.
 *
 * Resolvers drop or refuse what is more than they can take, which is known a time-out later: so a window is tried for
 * longer than that, and only what was asked under it counts. It is too large when a sixteenth of it was late; but where
 * nearly everything is late, the first of several resolvers is not there, and a smaller one would not help. */
#ifndef VERIFY_PACE_H
#define VERIFY_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PACE_FIRST = 256, /* a burst that fits into a socket's receive buffer of the usual 208 KiB */
	PACE_MIN = 128,   /* dnsmasq takes 150 */
	PACE_MAX = 4096,
	PACE_KEEP_MS = 1600, /* longer than the first time-out of lookup.c */
};

struct pace {
	size_t window; /* so many may be in flight */
	size_t target; /* what it grows to with the answers: a burst is what is lost first */
	unsigned epoch;
	uint64_t epoch_ms, keep_ms;
	size_t answer_count, late_count; /* of this epoch */
};

void pace_init(struct pace *p, uint64_t now_ms);

/* pace_take: an answer. epoch: p's when it was asked for. is_late: it had to be asked for again. */
void pace_take(struct pace *p, unsigned epoch, bool is_late, uint64_t now_ms);

#endif

/* look: when all files of a kind are looked at though no event asks for it. Pure.
 *
 * Events tell of every change there is; the look is for what they cannot tell (see watch.h), and for mistakes of ours.
 * So it takes no more than a thousandth of the time, but comes once an hour whatever it takes. */
#ifndef KEEPER_LOOK_H
#define KEEPER_LOOK_H

#include <stdbool.h>
#include <stdint.h>

/* The last one; on the monotonic clock. Zeroed: there was none. */
struct look {
	uint64_t end_ms, took_ms;
	bool is_there;
};

void look_note(struct look *l, uint64_t begin_ms, uint64_t end_ms);

/* look_is_due: should there be another one? */
bool look_is_due(const struct look *l, uint64_t now_ms);

#endif

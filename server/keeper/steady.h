/* steady: whether the calendar clock may be believed: it has kept pace with the monotonic one for an hour.
 *
 * A machine that boots may be a year ahead until NTP has been reached. What follows from a date that has passed cannot
 * be taken back, and can wait for an hour. */
#ifndef KEEPER_STEADY_H
#define KEEPER_STEADY_H

#include <stdbool.h>
#include <stdint.h>

enum { STEADY_MS = 3600000 };

struct steady {
	int64_t offset_s;  /* calendar less monotonic time, when last looked at */
	uint64_t since_ms; /* clock_mono_ms since when it did not step */
	int64_t step_s;    /* by how much it stepped since the look before; 0: it did not */
	bool has_looked;
};

/* steady_look: to be called every minute or so. A zeroed one is a new one. Calendar time that a test moves
 * (clock_is_moved) is believed at once. */
bool steady_look(struct steady *s, uint64_t mono_ms, int64_t unix_s);

#endif

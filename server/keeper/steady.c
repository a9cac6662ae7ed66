#include "steady.h"

#include "../../base/clock.h"

enum { STEP_S = 60 }; /* less is slewing, and looks that took their time */

bool steady_look(struct steady *s, uint64_t mono_ms, int64_t unix_s)
{
	int64_t offset_s = unix_s - (int64_t)(mono_ms / 1000), moved_s = offset_s - s->offset_s;
	bool is_step = moved_s > STEP_S || moved_s < -STEP_S;
	s->step_s = s->has_looked && is_step ? moved_s : 0;
	if (!s->has_looked || is_step)
		s->since_ms = mono_ms;
	s->offset_s = offset_s;
	s->has_looked = true;
	return mono_ms - s->since_ms >= STEADY_MS || clock_is_moved();
}

#include "flood.h"

#include "../../certs/mbed.h"

#include <malloc.h>

enum { FLOOD_MIN_COUNT = 256 }; /* connections that leave behind more than is worth keeping */

void flood_rise(struct flood *f, size_t count)
{
	if (count > f->most_count)
		f->most_count = count;
	if (count >= FLOOD_MIN_COUNT)
		f->has_given_back = false;
}

/* restart_engine: it keeps the slots of as many keys as there ever were at a time. */
static void restart_engine(struct flood *f)
{
	mbed_stop();
	f->is_engine_down = mbed_start(NULL) != 0;
}

/* Once when most of it is over, once more when the rest has gone. */
void flood_fall(struct flood *f, size_t count)
{
	if (f->most_count < FLOOD_MIN_COUNT || (count && (f->has_given_back || count > f->most_count / 8)))
		return;
	f->has_given_back = count;
	if (count == 0) {
		f->most_count = 0;
		restart_engine(f);
	}
	(void)malloc_trim(0);
}

bool flood_has_engine(struct flood *f)
{
	if (f->is_engine_down)
		restart_engine(f);
	return !f->is_engine_down;
}

#include "look.h"

enum {
	PAUSE_TIMES = 1000, /* 2 s for 100,000 pairs without change: every half an hour */
	PAUSE_MAX_MS = 3600000,
};

void look_note(struct look *l, uint64_t begin_ms, uint64_t end_ms)
{
	*l = (struct look){.end_ms = end_ms, .took_ms = end_ms - begin_ms, .is_there = true};
}

bool look_is_due(const struct look *l, uint64_t now_ms)
{
	uint64_t pause_ms = l->took_ms < PAUSE_MAX_MS / PAUSE_TIMES ? l->took_ms * PAUSE_TIMES : PAUSE_MAX_MS;
	return !l->is_there || now_ms - l->end_ms >= pause_ms;
}

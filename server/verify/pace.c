#include "pace.h"

enum { LATE_SHARE = 16, NEARLY_ALL_SHARE = 8, KEEP_MAX_MS = 60000 };

static void set_target(struct pace *p, size_t target, uint64_t now_ms)
{
	p->target = target < PACE_MIN ? PACE_MIN : target > PACE_MAX ? PACE_MAX : target;
	p->window = p->window < p->target ? p->window : p->target;
	p->epoch++;
	p->epoch_ms = now_ms;
	p->answer_count = p->late_count = 0;
}

void pace_init(struct pace *p, uint64_t now_ms)
{
	*p = (struct pace){.window = PACE_FIRST, .keep_ms = PACE_KEEP_MS};
	set_target(p, PACE_FIRST, now_ms);
}

static bool is_too_large(const struct pace *p)
{
	bool is_nearly_all = p->late_count >= p->answer_count - p->answer_count / NEARLY_ALL_SHARE;
	return p->late_count > p->target / LATE_SHARE && !is_nearly_all;
}

void pace_take(struct pace *p, unsigned epoch, bool is_late, uint64_t now_ms)
{
	p->window += p->window < p->target;
	if (epoch != p->epoch)
		return;
	p->answer_count++;
	p->late_count += is_late;
	if (is_too_large(p)) {
		/* the larger one need not be tried again soon */
		p->keep_ms = p->keep_ms * 2 < KEEP_MAX_MS ? p->keep_ms * 2 : KEEP_MAX_MS;
		set_target(p, p->target / 2, now_ms);
	} else if (now_ms - p->epoch_ms >= p->keep_ms && p->answer_count >= p->target) {
		set_target(p, p->target * 2, now_ms);
	}
}

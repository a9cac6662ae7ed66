#include "crowd.h"

static void take_out(struct crowd *cr, struct crowd_member *m)
{
	if (m->older)
		m->older->newer = m->newer;
	else
		cr->oldest[m->queue] = m->newer;
	if (m->newer)
		m->newer->older = m->older;
	else
		cr->newest[m->queue] = m->older;
	cr->count[m->queue]--;
}

void crowd_move(struct crowd *cr, struct crowd_member *m, enum crowd_queue to)
{
	if (m->queue != CROWD_NONE)
		take_out(cr, m);
	*m = (struct crowd_member){.queue = to};
	if (to == CROWD_NONE)
		return;
	m->older = cr->newest[to];
	if (m->older)
		m->older->newer = m;
	else
		cr->oldest[to] = m;
	cr->newest[to] = m;
	cr->count[to]++;
}

bool crowd_is_silent(const struct crowd_member *m)
{
	return m->queue == CROWD_FRESH || m->queue == CROWD_IDLE;
}

size_t crowd_count(const struct crowd *cr)
{
	size_t count = 0;
	for (int queue = CROWD_FRESH; queue < CROWD_QUEUE_COUNT; queue++)
		count += cr->count[queue];
	return count;
}

bool crowd_is_full(const struct crowd *cr)
{
	return crowd_count(cr) >= cr->max_count;
}

bool crowd_is_full_of_engines(const struct crowd *cr)
{
	return cr->count[CROWD_ENGINE] >= cr->engine_max_count;
}

struct crowd_member *crowd_surplus(const struct crowd *cr)
{
	struct crowd_member *const order[] = {
		cr->newest[CROWD_IDLE],    cr->oldest[CROWD_LINGERING], cr->newest[CROWD_FRESH],
		cr->oldest[CROWD_TALKING], cr->oldest[CROWD_ENGINE],
	};
	struct crowd_member *m = NULL;
	for (size_t i = 0; !m && i < sizeof order / sizeof *order; i++)
		m = order[i];
	return m;
}

struct crowd_member *crowd_surplus_engine(const struct crowd *cr)
{
	return cr->oldest[CROWD_ENGINE];
}

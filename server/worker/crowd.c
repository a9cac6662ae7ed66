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

size_t crowd_count(const struct crowd *cr)
{
	return cr->count[CROWD_LIGHT] + cr->count[CROWD_HEAVY];
}

struct crowd_member *crowd_surplus(const struct crowd *cr, enum crowd_queue joining)
{
	if (joining == CROWD_HEAVY)
		return cr->count[CROWD_HEAVY] >= cr->heavy_max_count ? cr->oldest[CROWD_HEAVY] : NULL;
	if (crowd_count(cr) < cr->max_count)
		return NULL;
	return cr->oldest[CROWD_LIGHT] ? cr->oldest[CROWD_LIGHT] : cr->oldest[CROWD_HEAVY];
}

#include "caution.h"

#include "../../base/clock.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../config/stored.h"

#include <inttypes.h>

/* The latest time that is sure, once an hour: a clock that is set back later on shortens no date of the ledger. Where
 * it fails the next reload tries again. */
static void note_time(struct caution *c, struct db *store, int64_t now_unix_s, uint64_t now_ms)
{
	if (c->noted_ms && now_ms - c->noted_ms < STEADY_MS)
		return;
	if (stored_note_time(store, now_unix_s, NULL) == 0)
		c->noted_ms = now_ms;
}

static bool is_over(const struct caution *c, uint64_t now_ms)
{
	return c->held_since_ms && now_ms - c->held_since_ms >= CAUTION_HELD_MS;
}

struct apply_how caution_look(struct caution *c, struct db *store, bool is_asked)
{
	struct apply_how how = {.now_unix_s = clock_unix_s()};
	uint64_t now_ms = clock_mono_ms();
	how.is_clock_unsure = !steady_look(&c->steady, now_ms, how.now_unix_s);
	how.is_cautious = !is_asked && !is_over(c, now_ms);
	if (c->steady.step_s)
		log_warn("clock.stepped", "by_s=%" PRId64 " text=\"no withdrawal ends for an hour from now\"",
			 c->steady.step_s);
	if (c->start_unix_s == 0)
		c->start_unix_s = how.now_unix_s;
	else if (c->steady.step_s > 0) /* it was behind until now: ids go on from when we really began */
		c->start_unix_s += c->steady.step_s;
	how.start_unix_s = c->start_unix_s;
	if (now_ms - c->vanishing_since_ms >= CAUTION_HELD_MS)
		c->vanished_count = c->all_before = 0;
	how.vanished_before = c->vanished_count;
	how.all_before = c->all_before;
	if (!how.is_clock_unsure)
		note_time(c, store, how.now_unix_s, now_ms);
	return how;
}

/* A tree that is emptied file by file is seen in pieces. */
static void note_vanished(struct caution *c, const struct apply_result *result)
{
	if (result->vanished_count == 0)
		return;
	if (c->vanished_count == 0) {
		c->vanishing_since_ms = clock_mono_ms();
		c->all_before = result->all_before;
	}
	c->vanished_count += result->vanished_count;
}

void caution_tell(struct caution *c, const struct apply_result *result)
{
	note_vanished(c, result);
	metric_set(M_DOMAINS_KEPT, result->held_count);
	if (result->held_count && c->held_since_ms == 0)
		log_error("config.vanished",
			  "domains=%zu text=\"their files are gone, and they are more than half of all: they are kept "
			  "for %d minutes, or until SIGHUP\"",
			  result->held_count, CAUTION_HELD_MS / 60000);
	if (result->held_count == 0)
		c->held_since_ms = 0;
	else if (c->held_since_ms == 0)
		c->held_since_ms = clock_mono_ms();
}

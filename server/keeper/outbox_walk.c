#include "outbox_walk.h"

#include "../../base/db.h"
#include "../../base/err.h"
#include "../../config/outbox.h"
#include "../../config/settings.h"

#include <string.h>

static uint32_t bit(uint32_t level)
{
	return UINT32_C(1) << level;
}

void walk_begin(struct outbox_walk *w, size_t max_count)
{
	w->max_count = max_count;
	w->next_ms = UINT64_MAX;
	w->withheld_count = 0;
	w->done_levels = 0;
	w->seen_levels = bit(w->level);
	w->is_in_round = false;
}

bool walk_is_last_level(const struct outbox_walk *w)
{
	return w->level > 0 && batch_limit(w->max_count, w->level) == 1;
}

static void begin_round(struct outbox_walk *w, const struct format *format, struct batch *b)
{
	w->is_in_round = true;
	w->at = w->places[w->level];
	w->is_wrapped = w->at.len == 0;
	w->round_withheld_count = 0;
	batch_begin(b, format, batch_limit(w->max_count, w->level));
}

/* The next level that has something due; false: none has. */
static bool choose_level(struct outbox_walk *w)
{
	uint32_t left = w->seen_levels & ~w->done_levels;
	for (uint32_t i = 1; left && i <= BATCH_LEVELS; i++) {
		uint32_t level = (w->level + i) % BATCH_LEVELS;
		if (left & bit(level)) {
			w->level = level;
			return true;
		}
	}
	return false;
}

/* is_due: a date that lies further ahead than any that is ever set comes from a clock that was put back since. */
static bool is_due(struct outbox_walk *w, const struct outbox_entry *e, int64_t now_unix_s)
{
	const int64_t furthest_s = BATCH_DELAY_MAX_S + BATCH_DELAY_MAX_S / 4;
	if (e->due_unix_s <= now_unix_s || e->due_unix_s > now_unix_s + furthest_s)
		return true;
	uint64_t ms = (uint64_t)(e->due_unix_s - now_unix_s) * 1000;
	if (ms < w->next_ms)
		w->next_ms = ms;
	return false;
}

/* 0: go on with the next one; BATCH_FULL; ERR_NOMEM. An entry that cannot be read is passed over: others can. */
static int take(struct outbox_walk *w, const struct offer_world *world, struct batch *b, struct span domain,
		struct span value)
{
	struct outbox_entry entry;
	if (domain.len > sizeof w->at.name || outbox_decode(value, &entry) != 0 ||
	    !is_due(w, &entry, world->now_unix_s))
		return 0;
	if (offer_is_delegate(world, domain))
		return 0; /* see take_policies */
	uint32_t level = batch_level(w->max_count, entry.failure_count);
	w->seen_levels |= bit(level);
	if (level != w->level)
		return 0;
	int rc = batch_add(b, world, domain, &entry);
	w->round_withheld_count += rc == BATCH_WITHHELD || rc == BATCH_EARLY;
	return rc == BATCH_FULL || rc == ERR_NOMEM ? rc : 0;
}

static bool is_round_over(const struct outbox_walk *w, struct span domain)
{
	const struct walk_place *from = &w->places[w->level];
	return w->is_wrapped && from->len && span_compare(domain, (struct span){from->name, from->len}) > 0;
}

/* From the entry behind w->at on. 0: the slice is over; BATCH_FULL; ERR_NOENT: that was the last entry of the table;
 * *out_is_over: … of the round. */
static int look_at_some(struct outbox_walk *w, const struct offer_world *world, struct batch *b, size_t entries_max,
			bool *out_is_over)
{
	struct db_cursor *cur;
	struct span at = {w->at.name, w->at.len}, domain, value;
	int rc = db_cursor_open(world->txn, DB_OUTBOX, &cur, NULL);
	if (rc)
		return rc;
	rc = db_seek(cur, at, &domain, &value);
	if (rc == 0 && at.len && span_is(domain, at))
		rc = db_next(cur, &domain, &value);
	for (size_t i = 0; rc == 0 && i < entries_max; i++) {
		*out_is_over = is_round_over(w, domain);
		if (*out_is_over)
			break;
		rc = take(w, world, b, domain, value);
		if (rc)
			break;
		w->at.len = domain.len < sizeof w->at.name ? domain.len : sizeof w->at.name;
		memcpy(w->at.name, domain.p, w->at.len);
		rc = db_next(cur, &domain, &value);
	}
	db_cursor_close(cur);
	return rc;
}

/* The records of policies: in front of all others, which may point to them, and alone. */
static int take_policies(struct outbox_walk *w, const struct offer_world *world, const struct format *format,
			 struct batch *b)
{
	struct outbox_entry entry;
	const char *delegate = world->settings->dns_delegate;
	if (!delegate || outbox_get(world->txn, span_of(delegate), &entry) != 0 ||
	    !is_due(w, &entry, world->now_unix_s))
		return WALK_MORE;
	batch_begin(b, format, 1);
	int rc = batch_add(b, world, span_of(delegate), &entry);
	if (rc == BATCH_ADDED)
		return WALK_BATCH;
	return rc == ERR_NOMEM ? rc : WALK_MORE; /* withheld; or a damaged store: all others are published */
}

/* The round is over and nothing was found. */
static int end_round(struct outbox_walk *w)
{
	w->is_in_round = false;
	w->done_levels |= bit(w->level);
	w->withheld_count += w->round_withheld_count;
	return choose_level(w) ? WALK_MORE : WALK_END;
}

static int hand_out(struct outbox_walk *w)
{
	w->places[w->level] = w->at;
	w->is_in_round = false;
	return WALK_BATCH;
}

int walk_look(struct outbox_walk *w, const struct offer_world *world, const struct format *format, struct batch *b,
	      size_t entries_max)
{
	bool is_over = false;
	if (!w->is_in_round) {
		if (b->count) /* the last one was handed out: now it is another level's turn */
			(void)choose_level(w);
		int first = take_policies(w, world, format, b);
		if (first != WALK_MORE)
			return first;
		begin_round(w, format, b);
	}
	int rc = look_at_some(w, world, b, entries_max, &is_over);
	if (rc < 0 && rc != ERR_NOENT)
		return rc;
	if (b->count) /* also at the end of a slice: the next one sees another snapshot */
		return hand_out(w);
	if (is_over || (rc == ERR_NOENT && w->is_wrapped))
		return end_round(w);
	if (rc == ERR_NOENT) {
		w->is_wrapped = true;
		w->at.len = 0;
	}
	return WALK_MORE;
}

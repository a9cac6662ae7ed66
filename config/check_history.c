/* The half of check.h that asks the past. */
#include "../base/clock.h"
#include "../base/log.h"
#include "advice.h"
#include "check.h"
#include "domains.h"

#include <inttypes.h>
#include <stdio.h>

/* The first pattern of the old body that the new ones no longer cover; false: none vanished. */
static bool find_vanished_mx(struct span old_body, struct span mx, struct span *out)
{
	struct span over;
	size_t pos = 0;
	while (policy_next_mx(old_body, &pos, out) == 0)
		if (!pack_has(mx, *out) && !check_find_wildcard(mx, *out, &over))
			return true;
	return false;
}

/* What the rules over time look at. */
struct past {
	const struct domain_row *row;
	struct span old_body;
	bool is_body_changed;
	int64_t now_unix_s;
};

static bool is_live(const struct domain_row *row)
{
	return row && row->state == DOMAIN_LIVE;
}

static bool check_id(const struct check *c, const struct past *p)
{
	const struct spec *v = &c->resolved->values;
	if (!p->row || !p->is_body_changed || !spec_has(v, SPEC_ID) || !span_is(v->id, span_of(p->row->id)))
		return true;
	check_report(c, PROBLEM_ERROR, "E14", 0, "change the id together with the policy, or take it out",
		     "%.*s: the policy changed but its id %s stayed; the old policy goes on being served",
		     SPAN_ARG(c->domain), p->row->id);
	return false;
}

static void warn_straight_to_enforce(const struct check *c, const struct past *p)
{
	char date[CLOCK_ISO_BYTES], since[CLOCK_ISO_BYTES + 32] = "";
	if (!p->is_body_changed || c->resolved->values.mode != POLICY_ENFORCE ||
	    (is_live(p->row) && p->row->mode != POLICY_NONE))
		return;
	if (p->row) {
		clock_render_iso(p->row->mode_since_unix_s, date);
		(void)snprintf(since, sizeof since, ", from mode none since %s", date);
	}
	check_report(c, PROBLEM_WARNING, "W05", 0, "`mode: testing` for two weeks shows what would be lost",
		     "%.*s goes straight to mode enforce%s", SPAN_ARG(c->domain), since);
}

/* Appends to text; what has no room is left out and counted all the same. */
static void add_mx(char text[PROBLEM_TEXT_BYTES], size_t *len, struct span mx)
{
	const char *quote = mx.len && mx.p[0] == '*' ? "\"" : "";
	size_t room = *len < PROBLEM_TEXT_BYTES ? PROBLEM_TEXT_BYTES - *len : 0;
	int n = snprintf(room ? text + *len : NULL, room, "%s%s%.*s%s", *len ? ", " : "", quote, SPAN_ARG(mx), quote);
	*len += n > 0 ? (size_t)n : 0;
}

/* Old and new patterns together, as the YAML has them. Returns whether there was room for all. */
static bool render_union(struct span old_body, struct span mx, char out[PROBLEM_TEXT_BYTES])
{
	struct span item;
	size_t pos = 0, len = 0;
	while (policy_next_mx(old_body, &pos, &item) == 0)
		if (!pack_has(mx, item))
			add_mx(out, &len, item);
	while (pack_next(&mx, &item))
		add_mx(out, &len, item);
	return len < PROBLEM_TEXT_BYTES / 2; /* a hint has other words, too, and wants to be read */
}

static void warn_vanished_mx(const struct check *c, const struct past *p)
{
	char date[CLOCK_ISO_BYTES], all[PROBLEM_TEXT_BYTES], hint[PROBLEM_TEXT_BYTES];
	struct span gone, mx = c->resolved->values.mx;
	if (!p->is_body_changed || p->row->mode != POLICY_ENFORCE || c->resolved->values.mode != POLICY_ENFORCE ||
	    !find_vanished_mx(p->old_body, mx, &gone))
		return;
	if (render_union(p->old_body, mx, all))
		(void)snprintf(hint, sizeof hint, "until then write mx: [%.*s]", PROBLEM_TEXT_BYTES / 2, all);
	else
		(void)snprintf(hint, sizeof hint, "keep old and new mx together until then");
	clock_render_iso(domains_cached_until(p->row, p->now_unix_s), date);
	check_report(c, PROBLEM_WARNING, "E15", 0, hint,
		     "%.*s: mx %.*s goes, but senders may hold the old policy until %s", SPAN_ARG(c->domain),
		     SPAN_ARG(gone), date);
}

/* A policy that was served before outlives the one that is to be in force. */
static void inform_older_policy(const struct check *c, const struct past *p)
{
	const struct spec *v = &c->resolved->values;
	char date[CLOCK_ISO_BYTES];
	int64_t until = p->is_body_changed ? domains_cached_until(p->row, p->now_unix_s) : p->row->cached_until_unix_s;
	if (v->mode != POLICY_ENFORCE || until <= p->now_unix_s + (int64_t)v->max_age_s)
		return;
	clock_render_iso(until, date);
	check_report(c, PROBLEM_INFO, "I02", 0, "take no MX host out of service before that date",
		     "%.*s: max_age is %" PRIu32 ", but senders may hold an older policy until %s", SPAN_ARG(c->domain),
		     v->max_age_s, date);
}

static bool is_short_enforce(enum policy_mode mode, uint32_t max_age_s)
{
	return mode == POLICY_ENFORCE && max_age_s < ADVICE_ENFORCE_MIN_S;
}

/* For the log, once; who asks for all advice hears it from check_values. */
static void warn_short_enforce(const struct check *c, const struct past *p)
{
	const struct spec *v = &c->resolved->values;
	bool was_short = is_live(p->row) && is_short_enforce(p->row->mode, p->row->max_age_s);
	if (c->wants_advice || was_short || !is_short_enforce(v->mode, v->max_age_s))
		return;
	check_report(c, PROBLEM_WARNING, "W01", 0, "604800 or more: weeks protect, hours do not",
		     "%.*s: max_age %" PRIu32 " is short for mode enforce", SPAN_ARG(c->domain), v->max_age_s);
}

static void warn_old_ttl(const struct check *c, const struct past *p)
{
	char date[CLOCK_ISO_BYTES];
	if (!p->is_body_changed || !is_live(p->row) || p->row->ttl_s <= ADVICE_TTL_LONG_S)
		return;
	clock_render_iso(p->now_unix_s + (int64_t)p->row->ttl_s, date);
	check_report(c, PROBLEM_WARNING, "W13", 0, "lower the TTL that long before a change",
		     "%.*s: its records have a TTL of %" PRIu32 " seconds; resolvers may hold the old id until %s",
		     SPAN_ARG(c->domain), p->row->ttl_s, date);
}

static void warn_long_testing(const struct check *c, const struct past *p)
{
	char date[CLOCK_ISO_BYTES];
	if (c->resolved->values.mode != POLICY_TESTING || !advice_is_testing_long(p->row, p->now_unix_s))
		return;
	clock_render_iso(p->row->mode_since_unix_s, date);
	check_report(c, PROBLEM_WARNING, "W12", 0, "read the TLS reports, then go to enforce",
		     "%.*s is in mode testing since %s", SPAN_ARG(c->domain), date);
}

bool check_history(const struct check *c, const struct domain_row *row, struct span old_body, bool is_body_changed,
		   int64_t now_unix_s)
{
	struct past p = {row, old_body, is_body_changed, now_unix_s};
	if (!c->is_quiet) {
		warn_straight_to_enforce(c, &p);
		warn_short_enforce(c, &p);
	}
	if (!check_id(c, &p))
		return false;
	if (c->is_quiet || !row)
		return true;
	warn_vanished_mx(c, &p);
	inform_older_policy(c, &p);
	warn_old_ttl(c, &p);
	warn_long_testing(c, &p);
	return true;
}

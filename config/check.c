#include "check.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/name.h"
#include "advice.h"
#include "domains.h"
#include "presets.h"
#include "settings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	TESTING_MIN_S = 86400,
};

/* The innermost level that has a say in the keys concerned. */
static enum spec_origin level_of(const struct check *c, unsigned keys)
{
	bool has[ORIGIN_DNS + 1] = {false};
	for (unsigned k = 0; k < SPEC_KEY_COUNT; k++)
		if (keys >> k & 1)
			has[c->resolved->origin[k]] = true;
	if (has[ORIGIN_DOMAIN])
		return ORIGIN_DOMAIN;
	if (has[ORIGIN_POLICY] && c->places->policy_file)
		return ORIGIN_POLICY;
	return has[ORIGIN_DEFAULTS] && c->places->defaults_file ? ORIGIN_DEFAULTS : ORIGIN_DOMAIN;
}

void check_report(const struct check *c, enum problem_severity severity, const char *code, unsigned keys,
		  const char *hint, const char *fmt, ...)
{
	char text[PROBLEM_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	const struct check_places *at = c->places;
	enum spec_origin level = level_of(c, keys);
	struct problem p = {.severity = severity, .text = text, .hint = (char *)(uintptr_t)hint};
	(void)snprintf(p.code, sizeof p.code, "%s", code);
	struct span domain = {NULL, 0};
	if (level == ORIGIN_POLICY) {
		p.file = at->policy_file;
		p.line = at->policy_line;
		p.column = at->policy_column;
	} else if (level == ORIGIN_DEFAULTS) {
		p.file = at->defaults_file;
		p.line = at->defaults_line;
		p.column = at->defaults_column;
	} else {
		p.file = at->domain_file;
		p.line = c->resolved->values.line;
		p.column = c->resolved->values.column;
		domain = c->domain;
	}
	problem_add(c->out, &p, domain);
}

#define BIT(k) (1u << (k))

static const char *who(const struct check *c, unsigned keys, char out[NAME_MAX_BYTES + 16])
{
	switch (level_of(c, keys)) {
	case ORIGIN_POLICY:
		(void)snprintf(out, NAME_MAX_BYTES + 16, "policy %.*s", SPAN_ARG(c->places->policy_name));
		return out;
	case ORIGIN_DEFAULTS: return "defaults";
	default: (void)snprintf(out, NAME_MAX_BYTES + 16, "%.*s", SPAN_ARG(c->domain)); return out;
	}
}

static bool check_required(const struct check *c)
{
	const struct spec *v = &c->resolved->values;
	bool is_good = true;
	char name[NAME_MAX_BYTES + 16];
	if (!spec_has(v, SPEC_MODE)) {
		check_report(c, PROBLEM_ERROR, "E01", 0, "begin with `mode: testing`", "%.*s has no mode",
			     SPAN_ARG(c->domain));
		is_good = false;
	}
	if (!spec_has(v, SPEC_MAX_AGE)) {
		check_report(c, PROBLEM_ERROR, "E02", 0, "such as `max_age: 604800`, a week", "%.*s has no max_age",
			     SPAN_ARG(c->domain));
		is_good = false;
	}
	if (is_good && v->mx.len == 0 && v->mode != POLICY_NONE) {
		unsigned keys = spec_has(v, SPEC_MX) ? BIT(SPEC_MX) | BIT(SPEC_MODE) : 0;
		check_report(c, PROBLEM_ERROR, "E03", keys, "list the MX hosts of the domain",
			     "%s: mode %s without any mx", who(c, keys, name), policy_mode_name(v->mode));
		is_good = false;
	}
	return is_good;
}

/* What the ledger knows is the domain's own: not said of a policy that many share. */
static void warn_short_enforce(const struct check *c, unsigned keys)
{
	char name[NAME_MAX_BYTES + 16], date[CLOCK_ISO_BYTES], since[CLOCK_ISO_BYTES + 32] = "";
	if (level_of(c, keys) == ORIGIN_DOMAIN && c->row && c->row->state == DOMAIN_LIVE &&
	    c->row->mode == POLICY_ENFORCE) {
		clock_render_iso(c->row->mode_since_unix_s, date);
		(void)snprintf(since, sizeof since, ", which it is in since %s", date);
	}
	check_report(c, PROBLEM_WARNING, "W01", keys, "604800 or more: weeks protect, hours do not",
		     "%s: max_age %" PRIu32 " is short for mode enforce%s", who(c, keys, name),
		     c->resolved->values.max_age_s, since);
}

static void warn_max_age(const struct check *c)
{
	const struct spec *v = &c->resolved->values;
	unsigned keys = BIT(SPEC_MODE) | BIT(SPEC_MAX_AGE);
	char name[NAME_MAX_BYTES + 16];
	if (v->max_age_s == 0)
		check_report(c, PROBLEM_WARNING, "W02", BIT(SPEC_MAX_AGE), "86400 is a day",
			     "%s: some senders reject max_age 0", who(c, BIT(SPEC_MAX_AGE), name));
	else if (v->mode == POLICY_ENFORCE && v->max_age_s < ADVICE_ENFORCE_MIN_S)
		warn_short_enforce(c, keys);
	else if (v->mode == POLICY_TESTING && v->max_age_s < TESTING_MIN_S)
		check_report(c, PROBLEM_WARNING, "W01", keys, "86400 or more",
			     "%s: max_age %" PRIu32 " is short for mode testing", who(c, keys, name), v->max_age_s);
	if (v->max_age_s >= POLICY_MAX_AGE_MAX_S)
		check_report(c, PROBLEM_WARNING, "W03", BIT(SPEC_MAX_AGE), "31536000 is a year",
			     "%s: some senders replace max_age %" PRIu32 " by a day", who(c, BIT(SPEC_MAX_AGE), name),
			     v->max_age_s);
}

/* "*.com", "*.co.uk": a pattern that anybody can get a name under (RFC 8461 10.4). */
static bool is_public_suffix(struct span suffix)
{
	static const char *const second[] = {"co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go"};
	size_t labels = name_label_count(suffix);
	if (labels == 1)
		return true;
	struct span top = name_parent(suffix);
	if (labels != 2 || top.len != 2)
		return false;
	struct span first = {suffix.p, suffix.len - top.len - 1};
	for (size_t i = 0; i < sizeof second / sizeof *second; i++)
		if (span_is(first, span_of(second[i])))
			return true;
	return false;
}

/* Patterns of popular guides that miss hosts of the provider they are for: a wildcard is one label. */
static const struct {
	const char *pattern, *missed, *better;
} misleading[] = {
	{"*.google.com", "alt1.aspmx.l.google.com", "list aspmx.l.google.com and \"*.aspmx.l.google.com\" as well"},
	{"*.l.google.com", "alt1.aspmx.l.google.com", "list \"*.aspmx.l.google.com\" as well"},
	{"*.googlemail.com", "the hosts below aspmx.l.google.com",
	 "list aspmx.l.google.com and \"*.aspmx.l.google.com\" as well"},
	{"*.mx.microsoft", "example-com.h-v1.mx.microsoft",
	 "write the MX host's whole name, or \"*.h-v1.mx.microsoft\""},
	{"mail.protection.outlook.com", "example-com.mail.protection.outlook.com", "\"*.mail.protection.outlook.com\""},
	{"*.protection.outlook.com", "example-com.mail.protection.outlook.com", "\"*.mail.protection.outlook.com\""},
	{"*.outlook.com", "example-com.mail.protection.outlook.com", "\"*.mail.protection.outlook.com\""},
};

/* Is what `row` misses covered by another pattern? Only asked where missed is a host name. */
static bool is_covered(struct span mx, const char *missed)
{
	struct span item;
	while (pack_next(&mx, &item))
		if (name_matches_mx(item, span_of(missed)))
			return true;
	return false;
}

static void warn_mx(const struct check *c)
{
	struct span rest = c->resolved->values.mx, item;
	while (pack_next(&rest, &item)) {
		bool is_wildcard = item.len > 2 && item.p[0] == '*';
		struct span suffix = {item.p + 2, item.len - 2};
		if (is_wildcard && is_public_suffix(suffix))
			check_report(c, PROBLEM_WARNING, "W06", BIT(SPEC_MX), "name the hosts, or a narrower pattern",
				     "mx %.*s admits hosts of anybody", SPAN_ARG(item));
		for (size_t i = 0; i < sizeof misleading / sizeof *misleading; i++)
			if (span_is(item, span_of(misleading[i].pattern)) &&
			    !is_covered(c->resolved->values.mx, misleading[i].missed))
				check_report(c, PROBLEM_WARNING, "W07", BIT(SPEC_MX), misleading[i].better,
					     "mx %.*s does not match %s: a wildcard is one label", SPAN_ARG(item),
					     misleading[i].missed);
	}
}

bool check_find_wildcard(struct span mx, struct span item, struct span *out)
{
	while (pack_next(&mx, out))
		if (out->p[0] == '*' && !span_is(*out, item) && name_matches_mx(*out, item))
			return true;
	return false;
}

static void inform_redundant_mx(const struct check *c)
{
	struct span rest = c->resolved->values.mx, item, over;
	while (pack_next(&rest, &item))
		if (item.len && item.p[0] != '*' && check_find_wildcard(c->resolved->values.mx, item, &over))
			check_report(c, PROBLEM_INFO, "I01", BIT(SPEC_MX), NULL, "mx %.*s is covered by %.*s",
				     SPAN_ARG(item), SPAN_ARG(over));
}

static void warn_rest(const struct check *c)
{
	const struct spec *v = &c->resolved->values;
	char name[NAME_MAX_BYTES + 16];
	if (v->mode == POLICY_NONE && v->mx.len == 0)
		check_report(c, PROBLEM_WARNING, "W04", BIT(SPEC_MODE), "keep the mx list",
			     "%s: some senders reject mode none without mx", who(c, BIT(SPEC_MODE), name));
	if (v->mode != POLICY_NONE && !spec_has(v, SPEC_TLS_RPT) && !c->settings->dns_tls_rpt)
		check_report(c, PROBLEM_WARNING, "W08", BIT(SPEC_MODE),
			     "set dns.tls_rpt, so that senders report failures", "%s: mode %s without TLS reports",
			     who(c, BIT(SPEC_MODE), name), policy_mode_name(v->mode));
	uint32_t ttl_s = spec_has(v, SPEC_TTL) ? v->ttl_s : c->settings->dns_ttl_s;
	if (ttl_s > ADVICE_TTL_LONG_S)
		check_report(c, PROBLEM_WARNING, "W13", spec_has(v, SPEC_TTL) ? BIT(SPEC_TTL) : BIT(SPEC_MODE),
			     "300 to 3600 is usual", "a TTL of %" PRIu32 " seconds delays every change", ttl_s);
}

static bool check_size(const struct check *c, size_t body_len)
{
	if (body_len > POLICY_BODY_MAX_BYTES) {
		check_report(c, PROBLEM_ERROR, "E08", BIT(SPEC_MX), "use a wildcard",
			     "the policy has %zu bytes; some senders read no more than %d", body_len,
			     POLICY_BODY_MAX_BYTES);
		return false;
	}
	if (body_len > POLICY_BODY_WARN_BYTES && !c->is_quiet)
		check_report(c, PROBLEM_WARNING, "E08", BIT(SPEC_MX), "use a wildcard",
			     "the policy has %zu bytes; a sender in use reads no more than %d", body_len,
			     POLICY_BODY_WARN_BYTES);
	return true;
}

bool check_values(const struct check *c, size_t body_len)
{
	if (!check_required(c) || !check_size(c, body_len) || !check_delegation(c))
		return false;
	if (!c->wants_advice)
		return true;
	warn_max_age(c);
	warn_mx(c);
	inform_redundant_mx(c);
	warn_rest(c);
	return true;
}

static void render_preset_names(char out[PROBLEM_TEXT_BYTES])
{
	int len = snprintf(out, PROBLEM_TEXT_BYTES, "define it under `policies`; built in are");
	for (size_t i = 0; i < presets_count && len < PROBLEM_TEXT_BYTES; i++)
		len += snprintf(out + len, PROBLEM_TEXT_BYTES - (size_t)len, "%s %s", i ? "," : "",
				presets_table[i].name);
}

void check_policy_missing(const struct check *c, struct span name)
{
	char hint[PROBLEM_TEXT_BYTES];
	const char *near = presets_suggest(name);
	if (near)
		(void)snprintf(hint, sizeof hint, "the built-in one is called %s", near);
	else
		render_preset_names(hint);
	check_report(c, PROBLEM_ERROR, "E19", BIT(SPEC_POLICY), hint, "there is no policy %s", LOG_QUOTE(name));
}

/* What check.h says of dns.delegate: E20. */
#include "../base/log.h"
#include "../base/name.h"
#include "check.h"
#include "delegated.h"
#include "settings.h"

#include <stdio.h>

/* What goes into the policy's bytes and its id. */
static const struct {
	enum spec_key key;
	const char *name;
} kept_together[] = {{SPEC_MODE, "mode"}, {SPEC_MAX_AGE, "max_age"}, {SPEC_MX, "mx"}, {SPEC_ID, "id"}};

/* Those of them that the domain has itself: as bits, and by name. */
static unsigned own_keys(const struct check *c, char out_names[64])
{
	unsigned keys = 0;
	int len = 0;
	out_names[0] = '\0';
	for (size_t i = 0; i < sizeof kept_together / sizeof *kept_together; i++) {
		if (c->resolved->origin[kept_together[i].key] != ORIGIN_DOMAIN)
			continue;
		len += snprintf(out_names + len, 64 - (size_t)len, "%s%s", keys ? ", " : "", kept_together[i].name);
		keys |= 1u << kept_together[i].key;
	}
	return keys;
}

/* What the policy says: a mistake of its own is told at its place, once. */
static unsigned policy_keys(const struct check *c)
{
	unsigned keys = 0;
	for (unsigned k = 0; k < SPEC_KEY_COUNT; k++)
		keys |= c->resolved->origin[k] == ORIGIN_POLICY ? 1u << k : 0;
	return keys;
}

static bool check_domain(const struct check *c)
{
	char names[64];
	unsigned keys = own_keys(c, names);
	const char *delegate = c->settings->dns_delegate;
	if (delegated_is_below(c->domain, delegate))
		check_report(c, PROBLEM_ERROR, "E20", 0, "let dns.delegate be a name with nothing else below it",
			     "%.*s is where the record of a policy may be: names below %s are those of policies",
			     SPAN_ARG(c->domain), delegate);
	else if (keys)
		check_report(c, PROBLEM_ERROR, "E20", keys,
			     "make it a policy of its own under `policies`, and name that one here",
			     "%.*s has its own %s: the record below %s that speaks for its policy would not fit",
			     SPAN_ARG(c->domain), names, delegate);
	else if (c->policy_name.len == 0)
		check_report(c, PROBLEM_ERROR, "E20", 0, "name one of `policies`, or a built-in one",
			     "%.*s has no named policy, which dns.delegate wants", SPAN_ARG(c->domain));
	else
		return true;
	return false;
}

static bool check_policy(const struct check *c)
{
	const char *delegate = c->settings->dns_delegate;
	struct span name = c->policy_name;
	if (spec_has(&c->resolved->values, SPEC_ID))
		check_report(c, PROBLEM_ERROR, "E20", 1u << SPEC_ID, "take the id out; dns.id says how it is made",
			     "policy %s has an id fixed by hand, which dns.delegate does not allow", LOG_QUOTE(name));
	else if (!delegated_is_label(name))
		check_report(c, PROBLEM_ERROR, "E20", policy_keys(c),
			     "1 to 63 lower-case letters, digits and hyphens, none at the ends",
			     "policy %s: its name can be no label below %s", LOG_QUOTE(name), delegate);
	else if (delegated_name_len(name, delegate) > NAME_MAX_BYTES)
		check_report(c, PROBLEM_ERROR, "E20", policy_keys(c), "take shorter names",
			     "policy %s: the name of its record below %s has more than %d bytes", LOG_QUOTE(name),
			     delegate, NAME_MAX_BYTES);
	else
		return true;
	return false;
}

bool check_delegation(const struct check *c)
{
	return !c->settings->dns_delegate || (check_domain(c) && check_policy(c));
}

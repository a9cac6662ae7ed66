#include "rrset.h"

bool rrset_next(const struct record_set *s, size_t *at, struct rrset *out)
{
	if (*at >= s->count)
		return false;
	const struct record *first = &s->items[*at];
	*out = (struct rrset){.items = first, .begins_owner = *at == 0 || !span_is(first->name, first[-1].name)};
	while (*at + out->count < s->count && first[out->count].type == first->type &&
	       span_is(first[out->count].name, first->name))
		out->count++;
	*at += out->count;
	return true;
}

struct span rrset_label(const struct rrset *r)
{
	const struct record *first = &r->items[0];
	return (struct span){first->name.p, first->name.len - first->domain.len - 2}; /* less the dots around it */
}

bool rrset_is_ours(const struct rrset *r, enum record_type type)
{
	bool is_text = r->items[0].name.p[0] == '_'; /* RFC 8552: no host has such a name, and no text another */
	return type == RECORD_CNAME || is_text == (type == RECORD_TXT);
}

bool rrset_is_wanted(const struct record_set *s, const struct rrset *r, enum record_type type)
{
	const struct record *end = s->items + s->count;
	for (const struct record *at = r->items; at < end && span_is(at->name, r->items[0].name); at++)
		if (at->type == type && at->state != RECORD_GONE)
			return true;
	return false;
}

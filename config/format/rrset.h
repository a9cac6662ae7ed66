/* rrset: records of one name and type, which several formats print as one thing. */
#ifndef FORMAT_RRSET_H
#define FORMAT_RRSET_H

#include "../record.h"

#include <stdbool.h>

struct rrset {
	const struct record *items; /* all of one name, type, TTL and state */
	size_t count;
	bool begins_owner; /* the first of its name */
};

/* rrset_next: the one that begins at s->items[*at]; moves *at behind it. False when there is none. */
bool rrset_next(const struct record_set *s, size_t *at, struct rrset *out);

/* rrset_label: the owner without the domain: "_mta-sts". */
struct span rrset_label(const struct rrset *r);

/* rrset_is_ours: can what stands at this owner with that type be a record of ours, now or from before the settings
 * changed? Replacing a record takes all of these away, for a CNAME tolerates no other beside it (RFC 2181 10.1). */
bool rrset_is_ours(const struct rrset *r, enum record_type type);

/* rrset_is_wanted: does s hold a record of that owner and type that is not gone? r begins its owner. */
bool rrset_is_wanted(const struct record_set *s, const struct rrset *r, enum record_type type);

#endif

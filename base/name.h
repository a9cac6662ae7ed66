/* name: domain names and MX patterns, in the one form that we store, compare and print:
 * lower-case A-labels, letters, digits and hyphens only, no trailing dot (RFC 5321 4.1.2, RFC 5890 2.3.2.1). */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include "span.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

enum {
	NAME_MAX_BYTES = 253, /* RFC 1035 2.3.4, written without the trailing dot */
	NAME_LABEL_MAX_BYTES = 63,
};

struct name {
	char text[NAME_MAX_BYTES + 1]; /* NUL behind */
	size_t len;
	bool was_changed; /* capitals or a trailing dot were taken off (not: Unicode made an A-label) */
};

/* name_parse: a domain name as a person or a peer writes it.
 * in       any bytes; Unicode in UTF-8 becomes A-labels (IDNA2008, non-transitional)
 * returns  0; ERR_PARSE not a domain name; ERR_RANGE label empty or too long, name too long; err says why in words
 * One label is a name too; an address literal or IPv4 address is not. */
int name_parse(struct span in, struct name *out, struct err *err);

/* name_parse_mx: like name_parse, with an optional "*." in front (RFC 8461 3.2, 4.1). The text keeps it. */
int name_parse_mx(struct span in, struct name *out, struct err *err);

/* name_matches_mx: does host match pattern, where "*." stands for exactly one label? Both in our form. */
bool name_matches_mx(struct span pattern, struct span host);

/* name_label_count: 2 for "example.com". */
size_t name_label_count(struct span name);

/* name_parent: what is behind the first dot; empty when there is no dot. */
struct span name_parent(struct span name);

static inline struct span name_span(const struct name *n)
{
	return (struct span){n->text, n->len};
}

#endif

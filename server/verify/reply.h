/* reply: a DNS message that answers a question -> what it says. Of the answer section only records of the type that was
 * asked for count, at the name that was asked or at the end of the CNAMEs that lead away from it.
 *
 * Who sent the message, its id and whether it repeats the question is not looked at here: c-ares has done so. */
#ifndef VERIFY_REPLY_H
#define VERIFY_REPLY_H

#include "../../base/buf.h"
#include "../../base/span.h"

#include <stdbool.h>
#include <stddef.h>

/* RFC 1035 3.2.2, RFC 3596 2.1 */
enum reply_type { REPLY_A = 1, REPLY_CNAME = 5, REPLY_TXT = 16, REPLY_AAAA = 28 };

enum reply_kind {
	REPLY_FOUND,
	REPLY_NONE,   /* there is no such name, or nothing of that type */
	REPLY_FAILED, /* nothing is known: see reason */
};

enum { REPLY_ITEMS_MAX = 256 };

struct reply {
	enum reply_kind kind;
	const char *reason; /* of REPLY_FAILED, for people; never freed */
	bool is_truncated;  /* the rest is to be had over TCP (RFC 1035 4.1.1, TC) */
	bool is_refusal;    /* the resolver failed or refused: another one may know */
	/* of REPLY_FOUND: 4 or 16 octets of an address; the strings of a text joined; a name in lower case with its
	 * final dot. Point into text or into the message. */
	struct span items[REPLY_ITEMS_MAX];
	size_t count;
	struct buf text;
};

void reply_init(struct reply *r);
void reply_deinit(struct reply *r); /* accepts a zeroed one */

/* reply_parse: replaces what r holds; always says something. name: that was asked for, with or without its final dot.
 * message: any bytes; the items may point into it. */
void reply_parse(struct span message, const char *name, enum reply_type type, struct reply *r);

/* reply_fail: nothing came that could be parsed. reason: never freed. */
void reply_fail(struct reply *r, const char *reason);

#endif

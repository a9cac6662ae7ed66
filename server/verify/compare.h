/* compare: the records that a domain should have, beside what the DNS says: which of them are to be published, or taken
 * out, again. Pure.
 *
 * The unit is a name: when anything differs there, all records of that name do. TTLs are not compared: a resolver
 * counts them down. */
#ifndef VERIFY_COMPARE_H
#define VERIFY_COMPARE_H

#include "../../config/record.h"
#include "reply.h"

enum { COMPARE_QUESTIONS_PER_RECORD = 2 }; /* both families of an address */

enum compare_finding {
	COMPARE_UNKNOWN, /* the question failed */
	COMPARE_NOTHING, /* is there */
	COMPARE_EQUAL,   /* exactly ours */
	COMPARE_PART,    /* some of ours, and nothing else */
	COMPARE_OTHER,   /* something that is not ours, or ours twice */
};

struct compare_question {
	struct span name; /* of a record in the set */
	enum reply_type type;
	enum compare_finding finding; /* COMPARE_UNKNOWN at first */
};

/* compare_ask: what has to be asked about a set. Returns how many; out has room for COMPARE_QUESTIONS_PER_RECORD times
 * s->count. A host with addresses is asked for both families: one that is not ours differs as well. */
size_t compare_ask(const struct record_set *s, struct compare_question *out);

/* compare_look: the reply to q. Of texts only those count that have the version of ours (RFC 8461 3.1, RFC 8460 3).
 * What is reached through a CNAME is there. */
enum compare_finding compare_look(const struct record_set *s, const struct compare_question *q, const struct reply *r);

/* compare_differs: has something of s to be published again, or taken out?
 *
 * Of a domain that is gone only what is ours is to be taken out: a host or report record while nothing else is there; a
 * policy record with the last id, or with any while its host is still ours. A failed question is no difference. */
bool compare_differs(const struct record_set *s, const struct compare_question *q, size_t q_count);

/* compare_pick: the records of the names where it has, into out, which has room for s->count and borrows them; in the
 * order of s. whole: all of them when one has to. */
void compare_pick(const struct record_set *s, const struct compare_question *q, size_t q_count, bool whole,
		  struct record_set *out);

#endif

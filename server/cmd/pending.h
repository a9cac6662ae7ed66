/* pending: a domain whose records are being asked about: a copy of them, the questions, and what the answers said so
 * far. What is asked, and of whom, is diff's; what the answers mean is compare's. */
#ifndef CMD_PENDING_H
#define CMD_PENDING_H

#include "../../config/record.h"
#include "../verify/compare.h"

#include <stdbool.h>
#include <stddef.h>

struct pending;

/* One question, as the context of its callback. */
struct pending_ask {
	struct pending *pending;
	size_t index;
};

struct pending {
	struct pending *prev, *next;
	void *owner; /* diff's */
	size_t bytes;
	size_t asked_count, open_count;
	bool is_done, differs;
	const char *reason; /* why it cannot be compared: of the first of the failed questions; NULL: none did. Never
			       freed. */
	struct compare_question failed;     /* that one; without a name: the reason is about all */
	struct compare_question *questions; /* question_count; names have a NUL behind */
	struct pending_ask *asks;           /* one for each */
	size_t question_count;
	struct record_set set;   /* its text is not used */
	struct record records[]; /* what set, questions and asks point into, and the text of the records */
};

/* pending_new: in one piece; free() it. NULL: out of memory. */
struct pending *pending_new(const struct record_set *s);

/* pending_take: an answer. */
void pending_take(struct pending *p, size_t index, const struct reply *r);

/* pending_give_up: it cannot be compared after all; of the DNS is known only where it is as it should be. */
void pending_give_up(struct pending *p, const char *reason);

/* pending_hold_back: has any of its CNAMEs to be published that leads to a name at which policies, all answered, knows
 * nothing of the DNS? Then that counts as a failed question. */
bool pending_hold_back(struct pending *p, const struct pending *policies);

#endif

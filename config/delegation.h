/* delegation: which domains come to the record of a named policy and which leave it, in one transaction, and the ids
 * that follow from it. The writer's half of delegated.c; rows.c alone calls it.
 *
 * Never do the bytes that a domain is served with change while the id that its senders see stays:
 *  - a policy's record gets a new id when what its domains are served with changes;
 *  - and when a domain leaves it, or catches up with it, that was served with older bytes than the others, because it
 * had been refused. */
#ifndef CONFIG_DELEGATION_H
#define CONFIG_DELEGATION_H

#include "../base/sha256.h"
#include "../base/span.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct domain_row;
struct err;

struct delegation {
	struct db_txn *txn;
	enum id_scheme scheme;
	int64_t now_unix_s, late_unix_s;
	/* as those of struct rows; set by the caller before delegation_end, or left as they are: */
	uint64_t serial_floor;
	bool is_clock_unsure;
	struct delegation_policy **policies; /* policy_count: those that were touched, sorted by name */
	size_t policy_count;
	struct delegation_policy *last; /* neighbours tend to share one */
};

/* delegation_begin: allocates nothing, nor does anything else as long as no domain is delegated. late_unix_s: it is
 * that late at least, whatever the clock says. */
void delegation_begin(struct delegation *d, struct db_txn *txn, enum id_scheme scheme, int64_t now_unix_s,
		      int64_t late_unix_s);

/* delegation_leave: old is about to be replaced or removed. Nothing happens when it is not delegated. */
int delegation_leave(struct delegation *d, const struct domain_row *old, struct err *err);

/* delegation_join: row, which is about to be written, is served with row->body. Nothing happens when it is not
 * delegated. Both copy what they need, and write nothing. */
int delegation_join(struct delegation *d, const struct domain_row *row, struct err *err);

/* delegation_end: writes what differs. To be called before the commit. out_changed: whether the DNS is to change: there
 * is another id, or a record is needed that was not, or no more. */
int delegation_end(struct delegation *d, bool *out_changed, struct err *err);
void delegation_deinit(struct delegation *d); /* accepts a zeroed one */

#endif

/* batch: what one run of the operator's hook is given: the records of some domains that are owed; and what its end
 * means for the outbox.
 *
 * After a failure nobody knows which domain was the reason. So those of a batch that failed come again in smaller ones,
 * and in the end alone: one that cannot be published holds up no other. Domains of a batch are all of one level: how
 * often they failed, as far as it matters. */
#ifndef KEEPER_BATCH_H
#define KEEPER_BATCH_H

#include "../../base/buf.h"
#include "../../config/outbox.h"
#include "offer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct err;
struct format;

enum batch_result {
	BATCH_ADDED,
	BATCH_FULL,     /* not added: come again with the next batch */
	BATCH_WITHHELD, /* not added: all but what the gate withholds is out, or cannot be told without it */
	BATCH_EARLY,    /* not added: not every worker is serving yet */
};

struct batch_item {
	size_t name_at, name_len; /* in names */
	uint64_t version;
	bool is_whole;                    /* its _mta-sts record is in it, or nothing is left to publish */
	bool is_gone;                     /* … as a deletion */
	bool has_host, has_report;        /* … beside it; as more than deletions */
	char id[DOMAIN_ID_MAX_BYTES + 1]; /* of that record */
};

/* Zeroed: none; batch_deinit accepts that. */
struct batch {
	const struct format *format;
	size_t limit;
	struct offer offer;
	struct buf input; /* for the hook; empty: there is nothing to publish */
	struct buf names;
	struct batch_item *items;
	size_t count, capacity, record_count;
};

void batch_init(struct batch *b);
void batch_deinit(struct batch *b);

/* batch_begin: an empty one, for so many domains. */
void batch_begin(struct batch *b, const struct format *format, size_t limit);

/* batch_add: a domain of the outbox; that of dns.delegate first. domain and entry as a cursor has them. enum
 * batch_result, or ERR_NOMEM, ERR_IO. */
int batch_add(struct batch *b, const struct offer_world *w, struct span domain, const struct outbox_entry *entry);

/* batch_end: no more will be added. 0 or ERR_NOMEM. */
int batch_end(struct batch *b);

/* batch_settle: writes down in txn what the run's end means. Entries that were replaced meanwhile stay as they are. */
int batch_settle(const struct batch *b, struct db_txn *txn, bool is_published, int64_t now_unix_s, uint32_t random,
		 struct err *err);

enum { BATCH_LEVELS = 10 }; /* a quarter, nine times: one domain, however large a batch may be */

/* batch_limit: how many domains of a level go into one run: a quarter of those of the level below. Pure. */
size_t batch_limit(size_t max_count, uint32_t level);

/* batch_level: of a domain that failed so often. Those that go alone are all of the last level. Pure. */
uint32_t batch_level(size_t max_count, uint32_t failure_count);

/* batch_delay_s: how long to wait after the n-th failure in a row: doubles from a second to max_s, give or take a
 * quarter by random, so that several that failed together do not come back together. n: from 1. Pure. */
uint32_t batch_delay_s(uint32_t n, uint32_t max_s, uint32_t random);

enum { BATCH_DELAY_MAX_S = 3600 }; /* of one domain: an hour is what a person waits after mending something */

#endif

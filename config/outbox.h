/* outbox: the domains whose DNS records are still to be published, and what was published last (DESIGN.md 6.4). The
 * records of named policies are those of the domain that they are below: dns.delegate.
 *
 * An entry is written in the transaction that changes a row, and stays until somebody says that its records are out.
 * There is one per domain: a newer change takes the place of an older one. What is published is read from the row when
 * its turn comes. A change is owed only while `dns.publish.command` is set. */
#ifndef CONFIG_OUTBOX_H
#define CONFIG_OUTBOX_H

#include "../base/span.h"
#include "domains.h"
#include "settings.h"

#include <stdbool.h>
#include <stdint.h>

struct db_txn;
struct err;

struct outbox_entry {
	uint64_t version;       /* of the change: with another one, a newer change has taken its place */
	int64_t since_unix_s;   /* when that was */
	int64_t due_unix_s;     /* not to be tried before; 0: at once */
	uint32_t failure_count; /* of tries */
	bool is_begun;          /* all but its _mta-sts record is out */
};

/* outbox_put: the records of domain have changed now. */
int outbox_put(struct db_txn *txn, struct span domain, int64_t now_unix_s, struct err *err);

/* outbox_replace: what became of a try. */
int outbox_replace(struct db_txn *txn, struct span domain, const struct outbox_entry *entry, struct err *err);

/* outbox_get: 0, ERR_NOENT, ERR_IO. outbox_decode: of what a cursor on DB_OUTBOX stands on; ERR_PARSE. */
int outbox_get(struct db_txn *txn, struct span domain, struct outbox_entry *out);
int outbox_decode(struct span value, struct outbox_entry *out);

/* outbox_drop: nothing is owed for domain any more; nor is it an error when nothing was. */
int outbox_drop(struct db_txn *txn, struct span domain, struct err *err);

/* outbox_fill: the records of every domain that has a row are to be published. Not the deletion of those that are gone:
 * what is there by now may be somebody else's. */
int outbox_fill(struct db_txn *txn, int64_t now_unix_s, struct err *err);

/* outbox_hurry: what failed may be tried at once. */
int outbox_hurry(struct db_txn *txn, struct err *err);

/* outbox_is_to_be_filled: does the change of the settings change the records of all domains, or is there somebody now
 * who publishes? was: NULL: there were no settings. */
bool outbox_is_to_be_filled(const struct settings *was, const struct settings *now);

/* published: what of a domain is out. */
struct published {
	bool has_host, has_report, has_policy;
	char id[DOMAIN_ID_MAX_BYTES + 1]; /* in its _mta-sts record, NUL behind; empty: it points to that of a policy */
	int64_t at_unix_s;                /* the last time */
};

int published_put(struct db_txn *txn, struct span domain, const struct published *p, struct err *err);
int published_get(struct db_txn *txn, struct span domain, struct published *out); /* 0, ERR_NOENT, ERR_IO */
int published_drop(struct db_txn *txn, struct span domain, struct err *err); /* nor an error when it was not there */

#endif

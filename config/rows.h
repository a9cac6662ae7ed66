/* rows: the writer's half of domains.c: row, body, id and ledger date change together, in the caller's transaction. */
#ifndef CONFIG_ROWS_H
#define CONFIG_ROWS_H

#include "../base/span.h"
#include "bodies.h"
#include "delegation.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct domain_row;
struct err;
struct outcome;

/* One transaction's changes. */
struct rows {
	struct db_txn *txn;
	enum id_scheme scheme;
	int64_t now_unix_s;
	int64_t late_unix_s; /* it is that late at least: now, or what stored_note_time was told */
	struct bodies_tally bodies;
	struct delegation delegation;
	/* set by the caller after rows_begin, or left as they are: */
	bool is_publishing;    /* what changes is to be published (outbox.h) */
	const char *delegate;  /* dns.delegate; NULL: none; matters only to is_publishing */
	bool is_clock_unsure;  /* now may be wrong: no date is taken for passed */
	uint64_t serial_floor; /* no serial id is given out below (ids_serial_at) */
};

void rows_begin(struct rows *r, struct db_txn *txn, enum id_scheme scheme, int64_t now_unix_s);

/* rows_end: to be called before the commit. */
int rows_end(struct rows *r, struct err *err);
void rows_deinit(struct rows *r); /* accepts a zeroed one; for who ends without rows_end, and needless otherwise */

/* rows_put: serves a domain with an outcome that is good.
 * old          what is stored now, or NULL
 * out_changed  whether anything was written
 * The id changes exactly when the bytes do; with `digest` and a manual id it is what they say. */
int rows_put(struct rows *r, struct span domain, const struct outcome *v, const struct domain_row *old,
	     bool *out_changed, struct err *err);

/* rows_withdraw: the domain is gone from the YAML: mode none with the last mx until the ledger's date (RFC 8461 8.3),
 * or gone at once when no enforce or testing policy can be cached. The ledger's dates never get shorter. A domain
 * without row is no error. */
int rows_withdraw(struct rows *r, struct span domain, bool *out_changed, struct err *err);

/* rows_expire: removes withdrawn rows whose date has passed (gone.h has what is left of them), and forgets what is gone
 * for long, records of policies included; nothing while the clock is unsure. out_count: of all. */
int rows_expire(struct rows *r, size_t *out_count, struct err *err);

/* rows_forget: ends the withdrawal of a domain at once, and forgets what is left of one that is gone. Where somebody
 * publishes, a withdrawn one is gone then, and its deletion owed; a second time that is dropped, too.
 * ERR_CONFLICT: it is live; ERR_NOENT: neither; both with a sentence. */
int rows_forget(struct rows *r, struct span domain, struct err *err);

#endif

/* gone: domains that are served no more: what is left to do is to delete their DNS records (DESIGN.md 6.5). They are
 * printed as deletions for GONE_KEEP_S, unless they come back. */
#ifndef CONFIG_GONE_H
#define CONFIG_GONE_H

#include "../base/span.h"
#include "domains.h"

#include <stdint.h>

struct db_txn;
struct err;

enum { GONE_KEEP_S = 30 * 86400 };

/* gone_put: row is the last that domain had. gone_drop: nor is it an error when it was not there. */
int gone_put(struct db_txn *txn, struct span domain, const struct domain_row *row, int64_t now_unix_s, struct err *err);
int gone_drop(struct db_txn *txn, struct span domain, struct err *err);

/* gone_get: the last row, as a withdrawn one whose date is when it went. 0, ERR_NOENT, ERR_IO. Spans point into the
 * map. */
int gone_get(struct db_txn *txn, struct span domain, struct domain_row *out);

/* gone_each: in the order of the domains, until fn returns other than 0, which is returned. 0, ERR_IO, ERR_NOMEM. */
typedef int gone_fn(void *ctx, struct span domain, const struct domain_row *row);
int gone_each(struct db_txn *txn, gone_fn *fn, void *ctx, struct err *err);

/* gone_prune: forgets those that went longer ago than GONE_KEEP_S, unless their deletion is owed (outbox.h). */
int gone_prune(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err);

#endif

/* rows: the writer's half of domains.c: row, body, id and ledger date change together, in the caller's transaction. */
#ifndef CONFIG_ROWS_H
#define CONFIG_ROWS_H

#include "../base/span.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct domain_row;
struct err;
struct outcome;

/* rows_put: serves a domain with an outcome that is good.
 * old          what is stored now, or NULL
 * out_changed  whether anything was written
 * The id changes exactly when the bytes do; with `digest` and a manual id it is what they say. */
int rows_put(struct db_txn *txn, struct span domain, const struct outcome *v, const struct domain_row *old,
	     enum id_scheme scheme, int64_t now_unix_s, bool *out_changed, struct err *err);

/* rows_withdraw: the domain is gone from the YAML: mode none with the last mx until the ledger's date (RFC 8461 8.3),
 * or gone at once when no enforce or testing policy can be cached. A domain without row is no error. */
int rows_withdraw(struct db_txn *txn, struct span domain, enum id_scheme scheme, int64_t now_unix_s, bool *out_changed,
		  struct err *err);

/* rows_expire: removes withdrawn rows whose date has passed. */
int rows_expire(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err);

#endif

#include "gone.h"

#include "../base/db.h"
#include "../base/err.h"
#include "../base/name.h"

int gone_put(struct db_txn *txn, struct span domain, const struct domain_row *row, int64_t now_unix_s, struct err *err)
{
	struct domain_row last = *row;
	last.state = DOMAIN_WITHDRAWN;
	last.cached_until_unix_s = now_unix_s;
	return domains_put_into(txn, DB_GONE, domain, &last, err);
}

int gone_drop(struct db_txn *txn, struct span domain, struct err *err)
{
	int rc = db_delete(txn, DB_GONE, domain, err);
	return rc == ERR_NOENT ? 0 : rc;
}

int gone_get(struct db_txn *txn, struct span domain, struct domain_row *out)
{
	return domains_get_from(txn, DB_GONE, domain, out);
}

/* walk: gone_each from the first domain that is not before from. */
static int walk(struct db_txn *txn, struct span from, gone_fn *fn, void *ctx, struct err *err)
{
	struct db_cursor *cur;
	struct span domain, value;
	struct domain_row row;
	int told = 0, rc = db_cursor_open(txn, DB_GONE, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, from, &domain, &value);
	while (rc == 0) {
		rc = domains_decode(value, &row);
		told = rc == 0 ? fn(ctx, domain, &row) : 0;
		if (rc || told)
			break;
		rc = db_next(cur, &domain, &value);
	}
	db_cursor_close(cur);
	if (rc == 0 || rc == ERR_NOENT)
		return told;
	return err_set(err, ERR_IO, "store: the list of domains that are gone cannot be read");
}

int gone_each(struct db_txn *txn, gone_fn *fn, void *ctx, struct err *err)
{
	return walk(txn, (struct span){NULL, 0}, fn, ctx, err);
}

/* The last that was found to be old: the next one is behind it. */
struct pruning {
	struct db_txn *txn;
	int64_t before_unix_s;
	char domain[NAME_MAX_BYTES];
	size_t len;
};

static int find_old(void *ctx, struct span domain, const struct domain_row *row)
{
	struct pruning *p = ctx;
	struct span owed;
	if (row->cached_until_unix_s >= p->before_unix_s || domain.len > sizeof p->domain)
		return 0;
	if (db_get(p->txn, DB_OUTBOX, domain, &owed) == 0)
		return 0;                        /* its deletion is still to be published */
	memcpy(p->domain, domain.p, domain.len); /* it is deleted once the walk is over */
	p->len = domain.len;
	return 1;
}

int gone_prune(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err)
{
	struct pruning p = {.txn = txn, .before_unix_s = now_unix_s - GONE_KEEP_S};
	int rc;
	*out_count = 0;
	while ((rc = walk(txn, (struct span){p.domain, p.len}, find_old, &p, err)) == 1) {
		rc = db_delete(txn, DB_GONE, (struct span){p.domain, p.len}, err);
		if (rc)
			return rc;
		(*out_count)++;
	}
	return rc;
}

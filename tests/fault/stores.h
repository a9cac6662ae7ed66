/* stores: the store and the keyring of a run, and what is in them, as text. */
#ifndef FAULT_STORES_H
#define FAULT_STORES_H

#include "../../base/db.h"
#include "../../config/bodies.h"
#include "../../config/domains.h"
#include "fault.h"

#include <sys/stat.h>

static struct db *store, *keyring;

static inline void stores_open(void)
{
	char path[256];
	struct err err;
	(void)mkdir(fault_path(fault_dir, "store", path), 0700); /* there already but once */
	fault_must(db_open(&store, path, DB_STORE, true, &err), &err);
	(void)mkdir(fault_path(fault_dir, "keyring", path), 0700);
	fault_must(db_open(&keyring, path, DB_KEYRING, true, &err), &err);
}

static inline void stores_close(void)
{
	db_close(store);
	db_close(keyring);
	store = keyring = NULL;
}

static inline struct db_txn *stores_begin(struct db *db)
{
	struct db_txn *txn;
	struct err err;
	fault_must(db_begin_read(db, &txn, &err), &err);
	return txn;
}

/* Domains, each with its state, id and body. */
static inline void stores_served(struct buf *out)
{
	struct db_txn *txn = stores_begin(store);
	struct db_cursor *cur;
	struct span domain, value, body;
	struct domain_row row;
	struct err err;
	fault_must(db_cursor_open(txn, DB_DOMAINS, &cur, &err), &err);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0;
	     rc = db_next(cur, &domain, &value)) {
		if (domains_decode(value, &row) != 0 || domains_body(txn, &row, &body) != 0)
			fault_fail("the row of %.*s cannot be read", SPAN_ARG(domain));
		(void)buf_printf(out, "\f%.*s %d %s\n%.*s\n", SPAN_ARG(domain), (int)row.state, row.id, SPAN_ARG(body));
	}
	db_cursor_close(cur);
	db_end(txn);
}

static inline void stores_dump_table(struct db *db, enum db_table table, struct buf *out)
{
	struct db_txn *txn = stores_begin(db);
	struct db_cursor *cur;
	struct span key, value;
	struct err err;
	fault_must(db_cursor_open(txn, table, &cur, &err), &err);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		(void)buf_printf(out, "\n%d %zu %zu ", (int)table, key.len, value.len);
		if (table == DB_OUTBOX && value.len > sizeof(uint64_t)) /* a number of commits, which differs */
			value = (struct span){value.p + sizeof(uint64_t), value.len - sizeof(uint64_t)};
		(void)buf_add_span(out, key);
		(void)buf_add_char(out, ' ');
		(void)buf_add_span(out, value);
	}
	db_cursor_close(cur);
	db_end(txn);
}

static inline void stores_dump(struct buf *out)
{
	for (int table = 0; table < DB_KEYS; table++)
		stores_dump_table(store, (enum db_table)table, out);
	stores_dump_table(keyring, DB_KEYS, out);
}

#endif

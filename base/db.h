/* db: the door to LMDB. Environments, transactions, tables, cursors; nothing about what the rows mean.
 *
 * One writer (the keeper), many readers (workers, the command line). A commit is visible to every read
 * transaction that begins or is renewed after it. Open an environment after fork, once per process.
 * Spans returned by db_get and by cursors point into the map: valid until the transaction ends, is reset,
 * or (in a write transaction) the next put or delete.
 *
 * Codes: ERR_NOENT not there · ERR_IO disk full, map full, I/O error · ERR_NOMEM · ERR_PERM. */
#ifndef BASE_DB_H
#define BASE_DB_H

#include "span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct db;
struct db_txn;
struct db_cursor;

/* THE list of tables. The first group lives in the store, DB_KEYS alone in the keyring. */
enum db_table {
	DB_META,       /* one value per fixed name: version, settings, defaults, state */
	DB_FILES,      /* YAML files that were read: path -> stat identity, number */
	DB_POLICIES,   /* named policies: name -> spec */
	DB_SPECS,      /* what the operator wrote for a domain: domain -> spec */
	DB_FILE_OF,    /* file number + domain or policy -> nothing: what a file holds */
	DB_DOMAINS,    /* what is served: domain -> row */
	DB_WITHDRAWN,  /* date + domain -> nothing: when a withdrawn row goes */
	DB_BODIES,     /* policy bodies: SHA-256 -> reference count + bytes */
	DB_PROBLEMS,   /* what is refused, and why */
	DB_PEM_FILES,  /* certificate files seen: path -> stat identity, what was found */
	DB_PAIRS,      /* certificate pairs: id -> dates, names, chain, public key digest */
	DB_NAMES,      /* name in a certificate -> the pairs that bear it, with what the choice needs */
	DB_CERT_PATHS, /* the `cert` keys of domains: domain -> path */
	DB_GONE,       /* what was served until lately: domain -> its last row */
	DB_OUTBOX,     /* DNS records still to be published: domain -> since when, tries */
	DB_PUBLISHED,  /* … and those that are: domain -> id, date */
	DB_HOLDERS,    /* public key digest + file -> key of its row in DB_PEM_FILES */
	DB_DELEGATED,  /* the records of named policies: policy -> body digest, id, dates (dns.delegate) */
	DB_KEYS,       /* public key digest -> private key (DER) */
	DB_TABLE_COUNT
};

enum db_kind {
	DB_STORE,  /* all tables but DB_KEYS; readable by the group */
	DB_KEYRING /* DB_KEYS only; mode 0600 */
};

enum { DB_KEY_MAX_BYTES = 511 }; /* LMDB's own limit in its default build */

/* db_open: opens (with write: creates) the environment in folder dir, which must exist on a local file system;
 * NFS and its like are refused with a sentence.
 * write    false: read transactions only; ERR_NOENT when nothing was created there yet */
int db_open(struct db **out, const char *dir, enum db_kind kind, bool write, struct err *err);

/* db_close: accepts NULL. All transactions must have ended. */
void db_close(struct db *db);

/* db_clear_stale_readers: frees the reader slots of processes that died. Returns how many, or an ERR_. */
int db_clear_stale_readers(struct db *db);

/* db_trim: gives back the memory of large write transactions, whose pages LMDB keeps for the next one. For a process
 * that has no transaction open; otherwise, and after small ones, nothing happens. */
void db_trim(struct db *db);

int db_begin_read(struct db *db, struct db_txn **out, struct err *err);
int db_begin_write(struct db *db, struct db_txn **out, struct err *err);

/* db_commit: ends a write transaction for good, on disk (fsync) when it returns 0; otherwise nothing changed. */
int db_commit(struct db_txn *take_txn, struct err *err);

/* db_end: ends a read transaction, or abandons a write transaction. Accepts NULL. */
void db_end(struct db_txn *take_txn);

/* db_reset/db_renew: lets go of the snapshot of a read transaction / takes the newest. For a worker, which
 * begins once and then renews at the start of each callback that reads and resets at its end. */
void db_reset(struct db_txn *txn);
int db_renew(struct db_txn *txn);

/* db_get: returns 0, ERR_NOENT or ERR_IO. An empty or over-long key is ERR_NOENT. */
int db_get(struct db_txn *txn, enum db_table table, struct span key, struct span *out);

/* db_get_in_turn: db_get, with the same answer for any key; quick for who asks for keys in their order, since it goes
 * on from where the last one was, or would have been, instead of searching from the root. Who looks for keys of two
 * kinds, each in its order, has a turn for each of them, below DB_TURNS_MAX. Not between db_reset, which forgets the
 * places, and db_renew. */
enum { DB_TURNS_MAX = 2 };
int db_get_in_turn(struct db_txn *txn, enum db_table table, unsigned turn, struct span key, struct span *out);

/* db_put: inserts or replaces. key 1..DB_KEY_MAX_BYTES. */
int db_put(struct db_txn *txn, enum db_table table, struct span key, struct span value, struct err *err);

/* db_delete: ERR_NOENT when there was none (err untouched). */
int db_delete(struct db_txn *txn, enum db_table table, struct span key, struct err *err);

/* db_clear: deletes all rows of a table. No cursor may be open on it. */
int db_clear(struct db_txn *txn, enum db_table table, struct err *err);

/* db_txn_number: greater in every write transaction that is committed than in all before it. */
uint64_t db_txn_number(const struct db_txn *txn);

/* db_count: rows in a table. */
size_t db_count(struct db_txn *txn, enum db_table table);

/* A cursor walks a table in the order of its keys. Open one per walk and close it before its transaction ends.
 * db_seek   first row whose key is >= key (an empty key: the first row)
 * db_next   the row after the current one; a row that was deleted meanwhile is stepped over
 * both return 0, ERR_NOENT at the end, or ERR_IO. */
int db_cursor_open(struct db_txn *txn, enum db_table table, struct db_cursor **out, struct err *err);
void db_cursor_close(struct db_cursor *cur);
int db_seek(struct db_cursor *cur, struct span key, struct span *out_key, struct span *out_value);
int db_next(struct db_cursor *cur, struct span *out_key, struct span *out_value);

#endif

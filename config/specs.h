/* specs: what is written for domains and named policies, in the store: the stored form of each (spec.h), whose file it
 * is, and what a file holds. merge.c decides what goes there. */
#ifndef CONFIG_SPECS_H
#define CONFIG_SPECS_H

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/span.h"
#include "spec_list.h"

#include <stdint.h>

struct err;

enum {
	SPECS_NUMBER_BYTES = sizeof(uint32_t), /* in front of the stored form: the file's number */
	SPECS_NAME_MAX_BYTES = 255,
	SPECS_FILE_PREFIX_BYTES = SPECS_NUMBER_BYTES + 1,
	SPECS_FILE_KEY_BYTES = SPECS_FILE_PREFIX_BYTES + SPECS_NAME_MAX_BYTES,
};

/* table: DB_SPECS or DB_POLICIES, everywhere. */

/* specs_get: 0, ERR_NOENT, ERR_IO. out_stored is valid as db_get's. */
int specs_get(struct db_txn *txn, enum db_table table, struct span name, uint32_t *out_file_no,
	      struct span *out_stored);

/* specs_get_domain, specs_get_policy: the same. ERR_CONFLICT: a preset of that name is overridden, but never was by
 * anything good: nothing is stored but whose it is. */
int specs_get_domain(struct db_txn *txn, struct span domain, uint32_t *out_file_no, struct span *out_stored);
int specs_get_policy(struct db_txn *txn, struct span name, uint32_t *out_file_no, struct span *out_stored);

/* specs_put: stored may be what specs_get handed out. */
int specs_put(struct db_txn *txn, enum db_table table, struct span name, uint32_t file_no, struct span stored,
	      struct err *err);

/* A walk over a table, in the order of names. Other tables may be written meanwhile. */
struct specs_walk {
	struct db_cursor *cur;
	struct buf room; /* a name and a stored form: what the store hands out does not outlive a write */
	bool is_begun;
};

int specs_walk_begin(struct specs_walk *w, struct db_txn *txn, enum db_table table, struct err *err);

/* specs_walk_next: 0, ERR_NOENT at the end (err untouched), ERR_IO, ERR_NOMEM. What it hands out is valid until the
 * next one. */
int specs_walk_next(struct specs_walk *w, struct span *out_name, uint32_t *out_file_no, struct span *out_stored,
		    struct err *err);
void specs_walk_end(struct specs_walk *w); /* accepts a zeroed one */

/* specs_own/specs_disown: writes down that the file holds the name / no longer does. */
int specs_own(struct db_txn *txn, enum db_table table, uint32_t file_no, struct span name, struct err *err);
int specs_disown(struct db_txn *txn, enum db_table table, uint32_t file_no, struct span name, struct err *err);

/* A walk over the names that a file holds in the store and that a list of now lacks.
 * list  NULL: all that it holds */
struct specs_lost {
	struct db_cursor *cur;
	char prefix[SPECS_FILE_KEY_BYTES];
	const struct spec_list *list;
	size_t next; /* in list */
	struct span key, value;
	int rc;
};

int specs_lost_begin(struct specs_lost *w, struct db_txn *txn, enum db_table table, uint32_t file_no,
		     const struct spec_list *list, struct err *err);

/* specs_lost_next: 0, ERR_NOENT, ERR_IO; out is valid until something is written. */
int specs_lost_next(struct specs_lost *w, struct span *out);
void specs_lost_end(struct specs_lost *w);

#endif

/* seen: what was found in each file at the last pass: the rows of DB_PEM_FILES.
 *
 * A row is a list of items. It lets a pass recognise a file by stat, know which pairs it holds, and repeat what is
 * wrong with it, without reading it. */
#ifndef CERTS_SEEN_H
#define CERTS_SEEN_H

#include "../base/file.h"
#include "../base/sha256.h"
#include "../base/span.h"
#include "idmap.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct db_txn;
struct err;

enum seen_kind {
	SEEN_LEAF = 1, /* a leaf that may be served: id, spki, not_after, text: its label */
	SEEN_QUIET,    /* a leaf that nobody misses when it has no key: a CA's own; as SEEN_LEAF */
	SEEN_CARRIED,  /* a leaf that the file held before it was replaced by something that is no good (yet): id, spki
			*/
	SEEN_KEY,      /* a private key: spki */
	SEEN_ERROR,    /* text: a sentence about the file */
	SEEN_WARNING,
};

struct seen_item {
	enum seen_kind kind;
	uint8_t id[SHA256_BYTES];   /* of the leaf */
	uint8_t spki[SHA256_BYTES]; /* of leaf or key */
	int64_t not_after_unix_s;
	struct span text;
};

/* seen_begin/seen_add: builds a row in b. They return 0 or b's failure. */
int seen_begin(struct buf *b, const struct file_id *id);
int seen_add(struct buf *b, const struct seen_item *item);

/* seen_open: takes the identity off a row. ERR_PARSE when it is not one of ours (an older version's). */
int seen_open(struct span row, struct file_id *out_id, struct span *out_items);

/* seen_next: the first of items, taken off. 0, ERR_NOENT at the end or where the row is damaged. */
int seen_next(struct span *items, struct seen_item *out);

/* The key of a path's row; a path that is too long for one is stored by its digest. */
struct seen_key {
	char bytes[1 + SHA256_BYTES]; /* a NUL, which no path begins with, and the digest */
	struct span span;             /* the path itself, or bytes */
};
void seen_key_of(const char *path, struct seen_key *out);

/* seen_get: as db_get. Rows are written by holders.c. */
int seen_get(struct db_txn *txn, const char *path, struct span *out_row);

/* seen_find: what the row of a path says. ERR_NOENT: there is none that can be read. ERR_NOMEM, ERR_IO. */
int seen_find(struct db_txn *txn, const char *path, struct file_id *out_id, struct span *out_items, struct err *err);

/* seen_path_of: the path of a row's key; empty for one stored by digest. */
struct span seen_path_of(struct span key);

/* seen_id_of_path: the same as idmap_id_of_text of the row's key. */
void seen_id_of_path(const char *path, uint8_t out[IDMAP_ID_BYTES]);

#endif

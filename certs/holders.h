/* holders: which files hold a leaf or a key, by the digest of its public key.
 *
 * DB_HOLDERS is an index of DB_PEM_FILES, so that a pass over some files need not read the rows of all others. Who
 * writes or deletes a file's row does it here. The index may be missing as a whole (a store that has none yet, a pass
 * that takes in very much at once): then it is not kept, and built again from the rows. */
#ifndef CERTS_HOLDERS_H
#define CERTS_HOLDERS_H

#include "../base/sha256.h"
#include "../base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct db_txn;
struct err;
struct idmap;

/* holders_put_row: the row of a file (see seen.h). Returns 0, ERR_NOMEM, ERR_IO. */
int holders_put_row(struct db_txn *txn, const char *path, struct span row, struct err *err);

/* holders_delete_row: key: of the row, not pointing into the map. Returns 0, ERR_NOENT, ERR_NOMEM, ERR_IO. */
int holders_delete_row(struct db_txn *txn, struct span key, struct err *err);

/* holders_each: calls fn with the key and the items of each file whose row has one with that public key, until fn
 * returns other than 0, which is then returned. They point into the map; fn must not write. The index must be there.
 * but      files that are passed over, as seen_id_of_path; may be NULL
 * returns  0, what fn returned, ERR_NOMEM, ERR_IO */
typedef int holders_fn(void *ctx, struct span key, struct span items, struct err *err);
int holders_each(struct db_txn *txn, const uint8_t spki[SHA256_BYTES], const struct idmap *but, holders_fn *fn,
		 void *ctx, struct err *err);

/* holders_list_leaves: the ids of all leaves that are in files, put into out. Needs no index. 0, ERR_NOMEM, ERR_IO. */
int holders_list_leaves(struct db_txn *txn, struct idmap *out, struct err *err);

bool holders_is_there(struct db_txn *txn);

/* holders_drop: for who is going to add many rows at random: the index is built anew faster. 0, ERR_IO, ERR_NOMEM. */
int holders_drop(struct db_txn *txn, struct err *err);

/* holders_build: out of all rows, sorted in memory for that moment. Where it is there, nothing happens.
 * returns  0, ERR_NOMEM, ERR_IO */
int holders_build(struct db_txn *txn, struct err *err);

#endif

/* part: what a pass over some files must know of all the others: where the other half of a pair lies, and whether a
 * pair that a file held is still held by another one.
 *
 * Both are answered by the rows of the last passes, without a look at a file, through the index of holders.h, which
 * must be there. */
#ifndef CERTS_PART_H
#define CERTS_PART_H

#include "../base/sha256.h"
#include "idmap.h"

#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;
struct survey;

/* Pairs that may have lost their last file, or have got a better one beside them. Zeroed to begin with. */
struct part {
	struct idmap suspects; /* by the beginning of their id … */
	uint8_t *ids;          /* … and the whole of it, SHA256_BYTES each */
	size_t count, cap;
};

void part_deinit(struct part *p);

/* part_suspect: the pairs that the row of the file holds, and those that share a name with them. To be called before
 * the row is replaced or deleted, and after. Returns 0, ERR_NOMEM, ERR_IO. */
int part_suspect(struct part *p, struct db_txn *store, const char *path, struct err *err);

/* part_find_half: notes in the survey each file with a leaf or key of that public key that was not looked at. Returns
 * 0, ERR_NOMEM, ERR_IO. */
int part_find_half(struct survey *s, const uint8_t spki[SHA256_BYTES], struct err *err);

/* part_sweep: deletes the suspects that no file holds any more, as sweep_pairs does.
 * held     some or all of the leaves that are in files; what else is found to be is added
 * returns  0, ERR_NOMEM, ERR_IO */
int part_sweep(const struct part *p, struct db_txn *store, struct idmap *held, int64_t now_unix_s, bool is_clock_unsure,
	       size_t *out_removed_count, struct err *err);

#endif

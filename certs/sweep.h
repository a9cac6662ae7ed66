/* sweep: pairs that no file holds any more, and keys that no pair needs. */
#ifndef CERTS_SWEEP_H
#define CERTS_SWEEP_H

#include "../base/sha256.h"
#include "idmap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct db_txn;
struct err;

/* sweep_pairs: deletes, from the store,
 *  - what is expired, or held by no file, as soon as it is covered (see pairs_is_covered);
 *  - what is held by no file and has been expired for 30 days, unless the clock may be wrong.
 * A pair of our own (no source) counts as held until it expires.
 * held     ids of the leaves that are in files
 * spkis    public key digests of the pairs that stay are put here
 * returns  0, ERR_NOMEM, ERR_IO */
int sweep_pairs(struct db_txn *txn, const struct idmap *held, int64_t now_unix_s, bool is_clock_unsure,
		struct idmap *spkis, size_t *out_removed_count, struct err *err);

/* sweep_pair: the same for one pair, which need not be there; counts up *removed_count. */
int sweep_pair(struct db_txn *txn, const uint8_t id[SHA256_BYTES], const struct idmap *held, int64_t now_unix_s,
	       bool is_clock_unsure, size_t *removed_count, struct err *err);

/* sweep_find_keys: appends to out the SHA256_BYTES of each imported key that is not in spkis. Deletes nothing: the
 * store must be committed first. Returns 0, ERR_NOMEM, ERR_IO. */
int sweep_find_keys(struct db_txn *txn, const struct idmap *spkis, struct buf *out, struct err *err);

#endif

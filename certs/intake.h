/* intake: what one file holds -> keyring, pairs, and the row that says what was seen.
 *
 * Keys wait in memory until a certificate wants them: one without (an ACME account's) is never stored. */
#ifndef CERTS_INTAKE_H
#define CERTS_INTAKE_H

#include "../base/buf.h"
#include "../base/sha256.h"
#include "idmap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;
struct file_id;
struct pkey;

struct intake {
	struct db_txn *store, *keyring;
	int64_t now_unix_s;
	struct buf bytes;  /* of the file in hand; filled by the caller, wiped by intake_take */
	struct pkey *keys; /* found in this pass and not in the keyring when they were; zeroed once they are */
	size_t key_count, key_cap;
	struct idmap key_index; /* spki -> number in keys */
	size_t parsed_count, added_count;
	bool store_is_changed, keyring_is_changed;
};

/* intake_init: store and keyring are set by the caller. Returns 0 or ERR_NOMEM; intake_deinit in any case. */
int intake_init(struct intake *k, int64_t now_unix_s, struct err *err);
void intake_deinit(struct intake *k);

/* intake_has_key: in memory or in the keyring. */
bool intake_has_key(struct intake *k, const uint8_t spki[SHA256_BYTES]);

/* intake_take: k->bytes, read from path when it was id. Stores each pair whose key is at hand (and with it the key),
 * and the file's row: leaves with and without key, keys, and what is wrong. When no pair that is valid now came of
 * it, the leaves that the file held before are carried on: nothing half-written or expired displaces a good pair.
 * returns  0, ERR_NOMEM, ERR_IO */
int intake_take(struct intake *k, const char *path, const struct file_id *id, struct err *err);

#endif

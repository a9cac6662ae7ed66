#include "sweep.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "pairs.h"

#include <string.h>

enum { EXPIRED_KEEP_S = 30 * 86400 };

static bool is_held(void *ctx, const uint8_t id[SHA256_BYTES])
{
	const struct idmap *held = ctx;
	return idmap_has(held, id, NULL);
}

/* 1, 0 or ERR_IO */
static int is_done_with(struct db_txn *txn, const struct pair *p, const struct idmap *held, int64_t now_unix_s,
			bool is_clock_unsure)
{
	bool is_expired = p->not_after_unix_s < now_unix_s;
	bool is_in_file = idmap_has(held, p->id, NULL);
	if (!is_expired && (is_in_file || p->source.len == 0))
		return 0;
	if (p->not_after_unix_s < now_unix_s - EXPIRED_KEEP_S && !is_in_file && !is_clock_unsure)
		return 1;
	return pairs_is_covered(txn, p, now_unix_s, is_held, (void *)(uintptr_t)held);
}

int sweep_pairs(struct db_txn *txn, const struct idmap *held, int64_t now_unix_s, bool is_clock_unsure,
		struct idmap *spkis, size_t *out_removed_count, struct err *err)
{
	struct pair p;
	uint8_t id[SHA256_BYTES];
	const uint8_t *after = NULL;
	int rc;
	*out_removed_count = 0;
	while ((rc = pairs_next(txn, after, &p)) == 0) {
		memcpy(id, p.id, SHA256_BYTES);
		after = id;
		int done = is_done_with(txn, &p, held, now_unix_s, is_clock_unsure);
		if (done < 0)
			return err_set(err, done, "store: names cannot be read");
		if (done == 0 && idmap_put(spkis, p.spki, 0) == ERR_NOMEM)
			return err_set(err, ERR_NOMEM, "out of memory");
		rc = done ? pairs_delete(txn, id, err) : 0;
		if (rc)
			return rc;
		*out_removed_count += (size_t)done;
	}
	return rc == ERR_NOENT ? 0 : err_set(err, rc, "store: certificates cannot be read");
}

int sweep_pair(struct db_txn *txn, const uint8_t id[SHA256_BYTES], const struct idmap *held, int64_t now_unix_s,
	       bool is_clock_unsure, size_t *removed_count, struct err *err)
{
	struct pair p;
	int rc = pairs_get(txn, id, &p);
	if (rc == ERR_NOENT)
		return 0;
	if (rc)
		return err_set(err, rc, "store: certificates cannot be read");
	int done = is_done_with(txn, &p, held, now_unix_s, is_clock_unsure);
	if (done < 0)
		return err_set(err, done, "store: names cannot be read");
	*removed_count += (size_t)done;
	return done ? pairs_delete(txn, id, err) : 0;
}

int sweep_find_keys(struct db_txn *txn, const struct idmap *spkis, struct buf *out, struct err *err)
{
	uint8_t spki[SHA256_BYTES];
	const uint8_t *after = NULL;
	enum keyring_origin origin;
	int rc;
	while ((rc = keyring_next(txn, after, spki, &origin)) == 0) {
		after = spki;
		if (origin != KEYRING_IMPORTED || idmap_has(spkis, spki, NULL))
			continue;
		if (buf_add(out, spki, sizeof spki) != 0)
			return err_set(err, ERR_NOMEM, "out of memory");
	}
	return rc == ERR_NOENT ? 0 : err_set(err, rc, "keyring: keys cannot be read");
}

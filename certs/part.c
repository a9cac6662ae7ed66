#include "part.h"

#include "../base/db.h"
#include "../base/err.h"
#include "candidates.h"
#include "chain.h"
#include "pairs.h"
#include "seen.h"
#include "survey.h"
#include "sweep.h"

#include <stdlib.h>

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

void part_deinit(struct part *p)
{
	idmap_deinit(&p->suspects);
	free(p->ids);
	*p = (struct part){0};
}

/* ---- suspects ---- */

static int suspect(struct part *p, const uint8_t id[SHA256_BYTES])
{
	int rc = idmap_put(&p->suspects, id, 0);
	if (rc)
		return rc == ERR_CONFLICT ? 0 : rc;
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		uint8_t *grown = reallocarray(p->ids, cap, SHA256_BYTES);
		if (!grown)
			return ERR_NOMEM;
		p->ids = grown;
		p->cap = cap;
	}
	memcpy(p->ids + p->count++ * SHA256_BYTES, id, SHA256_BYTES);
	return 0;
}

struct rivals {
	struct part *part;
	int rc;
};

static bool on_rival(void *ctx, const struct candidate *c, bool is_exact)
{
	struct rivals *r = ctx;
	(void)is_exact;
	r->rc = suspect(r->part, c->id);
	return r->rc == 0;
}

/* the pair and all that share a name with it: one may cover the other */
static int suspect_leaf(struct part *p, struct db_txn *store, const uint8_t id[SHA256_BYTES])
{
	struct pair pair;
	struct span name;
	struct rivals r = {.part = p, .rc = suspect(p, id)};
	if (r.rc || pairs_get(store, id, &pair) != 0)
		return r.rc; /* a leaf without its key */
	while (r.rc == 0 && chain_next_name(&pair.names, &name) == 0)
		if (candidates_each(store, name, on_rival, &r) != 0)
			return ERR_IO;
	return r.rc;
}

int part_suspect(struct part *p, struct db_txn *store, const char *path, struct err *err)
{
	struct span row, items;
	struct file_id unused;
	struct seen_item item;
	int rc = 0;
	if (seen_get(store, path, &row) != 0 || seen_open(row, &unused, &items) != 0)
		return 0;
	while (rc == 0 && seen_next(&items, &item) == 0)
		if (item.kind <= SEEN_CARRIED)
			rc = suspect_leaf(p, store, item.id);
	if (rc == ERR_NOMEM)
		return out_of_memory(err);
	return rc ? err_set(err, rc, "store: names cannot be read") : 0;
}

/* ---- all rows ---- */

/* items: of the row of key, which points into the map. Anything but 0 ends the walk. */
typedef int row_fn(void *ctx, struct span key, struct span items, struct err *err);

static int each_row(struct db_txn *store, row_fn *fn, void *ctx, struct err *err)
{
	struct db_cursor *cur;
	struct span key, row, items, none = {NULL, 0};
	struct file_id unused;
	int rc = db_cursor_open(store, DB_PEM_FILES, &cur, err), fn_rc = 0;
	if (rc)
		return rc;
	for (rc = db_seek(cur, none, &key, &row); rc == 0 && fn_rc == 0; rc = db_next(cur, &key, &row))
		if (seen_open(row, &unused, &items) == 0)
			fn_rc = fn(ctx, key, items, err);
	db_cursor_close(cur);
	if (fn_rc || rc == ERR_NOENT)
		return fn_rc;
	return err_set(err, ERR_IO, "store: the list of certificate files cannot be read");
}

struct halves {
	struct survey *survey;
	const struct idmap *spkis;
};

static int note_half(void *ctx, struct span key, struct span items, struct err *err)
{
	const struct halves *h = ctx;
	struct span path = seen_path_of(key);
	struct seen_item item;
	char own[DB_KEY_MAX_BYTES + 1];
	bool is_half = false;
	while (!is_half && seen_next(&items, &item) == 0)
		is_half = (item.kind == SEEN_LEAF || item.kind == SEEN_KEY) && idmap_has(h->spkis, item.spki, NULL);
	if (!is_half || path.len == 0)
		return 0;
	memcpy(own, path.p, path.len);
	own[path.len] = '\0';
	return survey_note(h->survey, own, err);
}

int part_find_halves(struct survey *s, const struct idmap *spkis, struct err *err)
{
	struct halves h = {.survey = s, .spkis = spkis};
	return spkis->count ? each_row(s->store, note_half, &h, err) : 0;
}

/* ---- what no file holds ---- */

struct holders {
	const struct idmap *wanted;
	struct idmap *held;
};

static int note_holder(void *ctx, struct span key, struct span items, struct err *err)
{
	const struct holders *h = ctx;
	struct seen_item item;
	(void)key;
	while (seen_next(&items, &item) == 0)
		if (item.kind <= SEEN_CARRIED && idmap_has(h->wanted, item.id, NULL) &&
		    idmap_put(h->held, item.id, 0) == ERR_NOMEM)
			return out_of_memory(err);
	return 0;
}

/* is there a suspect of which nothing is known to hold it? */
static bool is_one_lost(const struct part *p, struct db_txn *store, const struct idmap *held)
{
	struct pair pair;
	for (size_t i = 0; i < p->count; i++) {
		const uint8_t *id = p->ids + i * SHA256_BYTES;
		if (!idmap_has(held, id, NULL) && pairs_get(store, id, &pair) == 0 && pair.source.len)
			return true;
	}
	return false;
}

int part_sweep(const struct part *p, struct db_txn *store, struct idmap *held, int64_t now_unix_s,
	       size_t *out_removed_count, struct err *err)
{
	struct holders h = {.wanted = &p->suspects, .held = held};
	int rc = is_one_lost(p, store, held) ? each_row(store, note_holder, &h, err) : 0;
	*out_removed_count = 0;
	for (size_t i = 0; rc == 0 && i < p->count; i++)
		rc = sweep_pair(store, p->ids + i * SHA256_BYTES, held, now_unix_s, out_removed_count, err);
	return rc;
}

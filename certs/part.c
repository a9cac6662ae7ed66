#include "part.h"

#include "../base/db.h"
#include "../base/err.h"
#include "candidates.h"
#include "chain.h"
#include "holders.h"
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
	struct span items;
	struct file_id unused;
	struct seen_item item;
	int rc = seen_find(store, path, &unused, &items, err);
	if (rc)
		return rc == ERR_NOENT ? 0 : rc;
	while (rc == 0 && seen_next(&items, &item) == 0)
		if (item.kind <= SEEN_CARRIED)
			rc = suspect_leaf(p, store, item.id);
	if (rc == ERR_NOMEM)
		return out_of_memory(err);
	return rc ? err_set(err, rc, "store: names cannot be read") : 0;
}

/* ---- what other files hold ---- */

struct halves {
	struct survey *survey;
	const uint8_t *spki;
};

static int note_half(void *ctx, struct span key, struct span items, struct err *err)
{
	const struct halves *h = ctx;
	struct span path = seen_path_of(key);
	struct seen_item item;
	char own[DB_KEY_MAX_BYTES + 1];
	bool is_half = false;
	while (!is_half && seen_next(&items, &item) == 0)
		is_half = (item.kind == SEEN_LEAF || item.kind == SEEN_KEY) &&
			  memcmp(item.spki, h->spki, SHA256_BYTES) == 0;
	if (!is_half || path.len == 0)
		return 0;
	memcpy(own, path.p, path.len);
	own[path.len] = '\0';
	return survey_note(h->survey, own, false, err);
}

int part_find_half(struct survey *s, const uint8_t spki[SHA256_BYTES], struct err *err)
{
	struct halves h = {.survey = s, .spki = spki};
	return holders_each(s->store, spki, &s->visited, note_half, &h, err);
}

struct holder {
	const uint8_t *id;
	bool is_there;
};

static int note_holder(void *ctx, struct span key, struct span items, struct err *err)
{
	struct holder *h = ctx;
	struct seen_item item;
	(void)key;
	(void)err;
	while (!h->is_there && seen_next(&items, &item) == 0)
		h->is_there = item.kind <= SEEN_CARRIED && memcmp(item.id, h->id, SHA256_BYTES) == 0;
	return 0;
}

/* is the pair in a file that was not looked at? */
static int look_for(struct db_txn *store, const uint8_t id[SHA256_BYTES], struct idmap *held, struct err *err)
{
	struct pair pair;
	struct holder h = {.id = id};
	if (idmap_has(held, id, NULL) || pairs_get(store, id, &pair) != 0 || pair.source.len == 0)
		return 0;
	int rc = holders_each(store, pair.spki, NULL, note_holder, &h, err);
	if (rc == 0 && h.is_there && idmap_put(held, id, 0) == ERR_NOMEM)
		return out_of_memory(err);
	return rc;
}

int part_sweep(const struct part *p, struct db_txn *store, struct idmap *held, int64_t now_unix_s, bool is_clock_unsure,
	       size_t *out_removed_count, struct err *err)
{
	int rc = 0;
	*out_removed_count = 0;
	for (size_t i = 0; rc == 0 && i < p->count; i++)
		rc = look_for(store, p->ids + i * SHA256_BYTES, held, err);
	for (size_t i = 0; rc == 0 && i < p->count; i++)
		rc = sweep_pair(store, p->ids + i * SHA256_BYTES, held, now_unix_s, is_clock_unsure, out_removed_count,
				err);
	return rc;
}

#include "candidates.h"

#include "../base/db.h"
#include "../base/err.h"
#include "../base/name.h"

#include <stdlib.h>

_Static_assert(sizeof(struct candidate) == SHA256_BYTES + 24, "no padding: it is stored");

/* A row copied out of the map: writing would move what a span points to. */
struct row {
	size_t count;
	struct candidate list[CANDIDATES_MAX];
};

static struct candidate at(struct span row, size_t i)
{
	struct candidate c;
	memcpy(&c, row.p + i * sizeof c, sizeof c); /* the map promises no alignment */
	return c;
}

static int load(struct db_txn *txn, struct span pattern, struct row *out)
{
	struct span row;
	out->count = 0;
	int rc = db_get(txn, DB_NAMES, pattern, &row);
	if (rc == ERR_NOENT)
		return 0;
	if (rc)
		return rc;
	size_t n = row.len / sizeof(struct candidate);
	for (; out->count < n && out->count < CANDIDATES_MAX; out->count++)
		out->list[out->count] = at(row, out->count);
	return 0;
}

static int store(struct db_txn *txn, struct span pattern, const struct row *row, struct err *err)
{
	if (row->count == 0)
		return db_delete(txn, DB_NAMES, pattern, err);
	struct span bytes = {(const char *)row->list, row->count * sizeof *row->list};
	return db_put(txn, DB_NAMES, pattern, bytes, err);
}

static struct candidate *find(struct row *row, const uint8_t id[SHA256_BYTES])
{
	for (size_t i = 0; i < row->count; i++)
		if (memcmp(row->list[i].id, id, SHA256_BYTES) == 0)
			return &row->list[i];
	return NULL;
}

static bool outlives(const struct candidate *a, const struct candidate *b)
{
	if (a->is_self_signed != b->is_self_signed)
		return b->is_self_signed;
	return a->not_after_unix_s > b->not_after_unix_s;
}

/* where a new one goes: behind the others, or, in a full row, over the first to expire. NULL: it is that one. */
static struct candidate *make_room(struct row *row, const struct candidate *c)
{
	if (row->count < CANDIDATES_MAX)
		return &row->list[row->count++];
	struct candidate *first = &row->list[0];
	for (size_t i = 1; i < row->count; i++)
		if (outlives(first, &row->list[i]))
			first = &row->list[i];
	return outlives(c, first) ? first : NULL;
}

int candidates_put(struct db_txn *txn, struct span pattern, const struct candidate *c, struct err *err)
{
	struct row row;
	int rc = load(txn, pattern, &row);
	if (rc)
		return err_set(err, rc, "store: names cannot be read");
	struct candidate *slot = find(&row, c->id);
	if (!slot)
		slot = make_room(&row, c);
	if (!slot)
		return 0;
	*slot = *c;
	return store(txn, pattern, &row, err);
}

int candidates_delete(struct db_txn *txn, struct span pattern, const uint8_t id[SHA256_BYTES], struct err *err)
{
	struct row row;
	int rc = load(txn, pattern, &row);
	if (rc)
		return err_set(err, rc, "store: names cannot be read");
	struct candidate *c = find(&row, id);
	if (!c)
		return 0;
	*c = row.list[--row.count];
	return store(txn, pattern, &row, err);
}

typedef int get_fn(struct db_txn *txn, struct span pattern, bool is_exact, struct span *out);

static int get(struct db_txn *txn, struct span pattern, bool is_exact, struct span *out)
{
	(void)is_exact;
	return db_get(txn, DB_NAMES, pattern, out);
}

/* The names of hosts are in the order of the hosts, and so are the wildcards above them. */
static int get_in_turn(struct db_txn *txn, struct span pattern, bool is_exact, struct span *out)
{
	return db_get_in_turn(txn, DB_NAMES, is_exact ? 0 : 1, pattern, out);
}

/* *out_goes_on: false once fn did not want more */
static int each_of(struct db_txn *txn, struct span pattern, bool is_exact, get_fn *get_row, candidate_fn *fn, void *ctx,
		   bool *out_goes_on)
{
	struct span row;
	int rc = get_row(txn, pattern, is_exact, &row);
	if (rc)
		return rc == ERR_NOENT ? 0 : ERR_IO;
	for (size_t i = 0; *out_goes_on && i < row.len / sizeof(struct candidate); i++) {
		struct candidate c = at(row, i);
		*out_goes_on = fn(ctx, &c, is_exact);
	}
	return 0;
}

static int each(struct db_txn *txn, struct span host, get_fn *get_row, candidate_fn *fn, void *ctx)
{
	bool goes_on = true;
	int rc = each_of(txn, host, true, get_row, fn, ctx, &goes_on);
	struct span parent = name_parent(host);
	if (rc || !goes_on || parent.len == 0 || parent.len > NAME_MAX_BYTES || host.p[0] == '*')
		return rc;
	/* RFC 9525 6.3: the wildcard is the complete left-most label and stands for one */
	char pattern[NAME_MAX_BYTES + 3] = "*.";
	memcpy(pattern + 2, parent.p, parent.len);
	return each_of(txn, (struct span){pattern, parent.len + 2}, false, get_row, fn, ctx, &goes_on);
}

int candidates_each(struct db_txn *txn, struct span host, candidate_fn *fn, void *ctx)
{
	return each(txn, host, get, fn, ctx);
}

int candidates_each_in_turn(struct db_txn *txn, struct span host, candidate_fn *fn, void *ctx)
{
	return each(txn, host, get_in_turn, fn, ctx);
}

bool candidate_is_valid(const struct candidate *c, int64_t now_unix_s)
{
	return c->not_before_unix_s <= now_unix_s && now_unix_s <= c->not_after_unix_s;
}

bool candidate_is_better(const struct candidate *a, bool a_is_exact, const struct candidate *b, bool b_is_exact,
			 int64_t now_unix_s)
{
	bool a_is_valid = candidate_is_valid(a, now_unix_s), b_is_valid = candidate_is_valid(b, now_unix_s);
	if (a_is_valid != b_is_valid)
		return a_is_valid;
	if (a->is_self_signed != b->is_self_signed)
		return b->is_self_signed;
	if (a_is_exact != b_is_exact)
		return a_is_exact;
	if ((a->cert_count > 1) != (b->cert_count > 1))
		return a->cert_count > 1;
	if (a->not_after_unix_s != b->not_after_unix_s)
		return a->not_after_unix_s > b->not_after_unix_s;
	return a->cert_count > b->cert_count;
}

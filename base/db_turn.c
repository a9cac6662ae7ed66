#include "db_turn.h"

#include "span.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

struct db_turn {
	MDB_cursor *cur;
	bool is_begun, is_at_end; /* there is no row from last on */
	MDB_val key, value;       /* the first row from last on, where cur stands */
	size_t last_len;
	char last[DB_TURN_KEY_MAX_BYTES]; /* the key that was asked for */
};

int db_turn_open(struct db_turn **out, struct MDB_txn *txn, unsigned table)
{
	struct db_turn *t = calloc(1, sizeof *t);
	*out = NULL;
	if (!t)
		return ENOMEM;
	int rc = mdb_cursor_open(txn, table, &t->cur);
	if (rc)
		free(t);
	else
		*out = t;
	return rc;
}

void db_turn_close(struct db_turn *t)
{
	if (t)
		mdb_cursor_close(t->cur);
	free(t);
}

static int compare(const MDB_val *a, const MDB_val *b)
{
	return span_compare((struct span){a->mv_data, a->mv_size}, (struct span){b->mv_data, b->mv_size});
}

/* Has key a place where cur stands, or one row further? Between last and t->key there is none. */
static bool is_near(struct db_turn *t, const MDB_val *key, int *out_order)
{
	const MDB_val last = {t->last_len, t->last};
	if (!t->is_begun || compare(&last, key) > 0)
		return false;
	*out_order = t->is_at_end ? 1 : compare(&t->key, key);
	if (*out_order >= 0)
		return true;
	if (mdb_cursor_get(t->cur, &t->key, &t->value, MDB_NEXT) != 0)
		return false;
	*out_order = compare(&t->key, key);
	return *out_order >= 0;
}

static int search(struct db_turn *t, const MDB_val *key, int *out_order)
{
	t->key = *key;
	int rc = mdb_cursor_get(t->cur, &t->key, &t->value, MDB_SET_RANGE);
	t->is_at_end = rc == MDB_NOTFOUND;
	*out_order = rc ? 1 : compare(&t->key, key);
	return t->is_at_end ? 0 : rc;
}

int db_turn_get(struct db_turn *t, const struct MDB_val *key, struct MDB_val *out)
{
	int order = 1;
	int rc = is_near(t, key, &order) ? 0 : search(t, key, &order);
	t->is_begun = rc == 0;
	memcpy(t->last, key->mv_data, key->mv_size);
	t->last_len = key->mv_size;
	*out = t->value;
	return rc ? rc : order ? MDB_NOTFOUND : 0;
}

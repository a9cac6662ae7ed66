#include "specs.h"

#include "../base/err.h"

enum { ROW_MAX_BYTES = 1 << 20 };

static int decode(struct span value, uint32_t *out_file_no, struct span *out_stored)
{
	if (value.len < SPECS_NUMBER_BYTES)
		return ERR_IO;
	memcpy(out_file_no, value.p, SPECS_NUMBER_BYTES);
	*out_stored = (struct span){value.p + SPECS_NUMBER_BYTES, value.len - SPECS_NUMBER_BYTES};
	return 0;
}

int specs_get(struct db_txn *txn, enum db_table table, struct span name, uint32_t *out_file_no, struct span *out_stored)
{
	struct span value;
	int rc = db_get(txn, table, name, &value);
	return rc ? rc : decode(value, out_file_no, out_stored);
}

int specs_get_domain(struct db_txn *txn, struct span domain, uint32_t *out_file_no, struct span *out_stored)
{
	return specs_get(txn, DB_SPECS, domain, out_file_no, out_stored);
}

int specs_get_policy(struct db_txn *txn, struct span name, uint32_t *out_file_no, struct span *out_stored)
{
	int rc = specs_get(txn, DB_POLICIES, name, out_file_no, out_stored);
	return rc == 0 && out_stored->len == 0 ? ERR_CONFLICT : rc;
}

int specs_put(struct db_txn *txn, enum db_table table, struct span name, uint32_t file_no, struct span stored,
	      struct err *err)
{
	struct buf value;
	buf_init(&value, ROW_MAX_BYTES);
	(void)buf_add(&value, &file_no, sizeof file_no);
	(void)buf_add_span(&value, stored);
	int rc = value.failed ? err_set(err, value.failed, "%.*s: too much is written for it", SPAN_ARG(name))
			      : db_put(txn, table, name, buf_span(&value), err);
	buf_deinit(&value);
	return rc;
}

int specs_walk_begin(struct specs_walk *w, struct db_txn *txn, enum db_table table, struct err *err)
{
	*w = (struct specs_walk){0};
	buf_init(&w->room, SPECS_NAME_MAX_BYTES + ROW_MAX_BYTES);
	return db_cursor_open(txn, table, &w->cur, err);
}

int specs_walk_next(struct specs_walk *w, struct span *out_name, uint32_t *out_file_no, struct span *out_stored,
		    struct err *err)
{
	struct span name, value, stored;
	int rc = w->is_begun ? db_next(w->cur, &name, &value) : db_seek(w->cur, (struct span){NULL, 0}, &name, &value);
	w->is_begun = true;
	if (rc)
		return rc == ERR_NOENT ? rc : err_set(err, rc, "store: what is written for domains cannot be read");
	if (name.len > SPECS_NAME_MAX_BYTES || decode(value, out_file_no, &stored) != 0)
		return err_set(err, ERR_IO, "store: what was written for %.*s cannot be read", SPAN_ARG(name));
	buf_reset(&w->room);
	(void)buf_add_span(&w->room, name);
	if (buf_add_span(&w->room, stored) != 0)
		return err_set(err, w->room.failed, "out of memory");
	*out_name = (struct span){w->room.p, name.len};
	*out_stored = (struct span){w->room.p + name.len, stored.len};
	return 0;
}

void specs_walk_end(struct specs_walk *w)
{
	db_cursor_close(w->cur);
	buf_deinit(&w->room);
	w->cur = NULL;
}

/* The key of DB_FILE_OF: the file's number, big end first, so that what a file holds stands together; a letter for the
 * table; the name. */
static struct span file_key(uint32_t no, enum db_table table, struct span name, char out[SPECS_FILE_KEY_BYTES])
{
	for (int i = 0; i < SPECS_NUMBER_BYTES; i++)
		out[i] = (char)(no >> (24 - 8 * i));
	out[SPECS_NUMBER_BYTES] = table == DB_SPECS ? 'd' : 'p';
	memcpy(out + SPECS_FILE_PREFIX_BYTES, name.p ? name.p : "", name.len);
	return (struct span){out, SPECS_FILE_PREFIX_BYTES + name.len};
}

int specs_own(struct db_txn *txn, enum db_table table, uint32_t file_no, struct span name, struct err *err)
{
	char key[SPECS_FILE_KEY_BYTES];
	return db_put(txn, DB_FILE_OF, file_key(file_no, table, name, key), (struct span){"", 0}, err);
}

int specs_disown(struct db_txn *txn, enum db_table table, uint32_t file_no, struct span name, struct err *err)
{
	char key[SPECS_FILE_KEY_BYTES];
	return db_delete(txn, DB_FILE_OF, file_key(file_no, table, name, key), err);
}

/* --- what a file lost ------------------------------------------------------------------------------------------- */

int specs_lost_begin(struct specs_lost *w, struct db_txn *txn, enum db_table table, uint32_t file_no,
		     const struct spec_list *list, struct err *err)
{
	*w = (struct specs_lost){.list = list};
	int rc = db_cursor_open(txn, DB_FILE_OF, &w->cur, err);
	if (rc == 0)
		w->rc = db_seek(w->cur, file_key(file_no, table, (struct span){NULL, 0}, w->prefix), &w->key,
				&w->value);
	return rc;
}

/* Is it among those of now? Both come in the order of names. */
static bool is_listed(struct specs_lost *w, struct span name)
{
	int c = 1;
	while (w->list && w->next < w->list->count &&
	       (c = span_compare(spec_list_get(w->list, w->next).name, name)) < 0)
		w->next++;
	return w->list && w->next < w->list->count && c == 0;
}

int specs_lost_next(struct specs_lost *w, struct span *out)
{
	while (w->rc == 0 && w->key.len > SPECS_FILE_PREFIX_BYTES &&
	       memcmp(w->key.p, w->prefix, SPECS_FILE_PREFIX_BYTES) == 0) {
		*out = (struct span){w->key.p + SPECS_FILE_PREFIX_BYTES, w->key.len - SPECS_FILE_PREFIX_BYTES};
		bool is_lost = !is_listed(w, *out);
		w->rc = db_next(w->cur, &w->key, &w->value);
		if (is_lost)
			return 0;
	}
	return w->rc ? w->rc : ERR_NOENT;
}

void specs_lost_end(struct specs_lost *w)
{
	db_cursor_close(w->cur);
	w->cur = NULL;
}

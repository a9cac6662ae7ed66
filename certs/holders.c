#include "holders.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "idmap.h"
#include "seen.h"

#include <stdlib.h>

enum {
	KEY_BYTES = 2 * IDMAP_ID_BYTES, /* the beginning of the public key's digest, and the file's id */
	LIST_MAX_BYTES = 1 << 30,
};

/* What says that the index is whole: shorter than all other keys. */
static const struct span mark = {"", 1};

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

static int fail(int rc, struct err *err)
{
	return rc == ERR_NOMEM ? out_of_memory(err)
			       : err_set(err, ERR_IO, "store: the list of certificate files cannot be read");
}

static void key_of(const uint8_t spki[SHA256_BYTES], struct span file, uint8_t out[KEY_BYTES])
{
	memcpy(out, spki, IDMAP_ID_BYTES);
	idmap_id_of_text(file, out + IDMAP_ID_BYTES);
}

static struct span key_span(const uint8_t key[KEY_BYTES])
{
	return (struct span){(const char *)key, KEY_BYTES};
}

/* the next leaf or key of a row's items */
static int next_half(struct span *items, struct seen_item *out)
{
	int rc;
	while ((rc = seen_next(items, out)) == 0 && out->kind > SEEN_KEY) {
	}
	return rc;
}

static bool has_half(struct span items, const uint8_t spki[SHA256_BYTES])
{
	struct seen_item item;
	while (next_half(&items, &item) == 0)
		if (memcmp(item.spki, spki, IDMAP_ID_BYTES) == 0)
			return true;
	return false;
}

/* ---- one row ---- */

bool holders_is_there(struct db_txn *txn)
{
	struct span value;
	return db_get(txn, DB_HOLDERS, mark, &value) == 0;
}

static struct span items_of(struct span row)
{
	struct span items;
	struct file_id unused;
	return seen_open(row, &unused, &items) == 0 ? items : (struct span){NULL, 0};
}

static int put_new(struct db_txn *txn, struct span file, struct span items, struct span old_items, struct err *err)
{
	struct seen_item item;
	uint8_t key[KEY_BYTES];
	int rc = 0;
	while (rc == 0 && next_half(&items, &item) == 0) {
		if (has_half(old_items, item.spki))
			continue;
		key_of(item.spki, file, key);
		rc = db_put(txn, DB_HOLDERS, key_span(key), file, err);
	}
	return rc;
}

static int delete_old(struct db_txn *txn, struct span file, struct span old_items, struct span items, struct err *err)
{
	struct seen_item item;
	uint8_t key[KEY_BYTES];
	int rc = 0;
	while (rc == 0 && next_half(&old_items, &item) == 0) {
		if (has_half(items, item.spki))
			continue;
		key_of(item.spki, file, key);
		rc = db_delete(txn, DB_HOLDERS, key_span(key), err);
		if (rc == ERR_NOENT)
			rc = 0; /* the same key twice in the file */
	}
	return rc;
}

/* from the file's row, which is still the old one, to items */
static int update(struct db_txn *txn, struct span file, struct span items, struct err *err)
{
	struct span row = {NULL, 0};
	struct buf old; /* writing moves what is in the map */
	int rc = db_get(txn, DB_PEM_FILES, file, &row);
	if (rc && rc != ERR_NOENT)
		return fail(rc, err);
	buf_init(&old, LIST_MAX_BYTES);
	rc = buf_add_span(&old, row) ? out_of_memory(err) : 0;
	struct span old_items = items_of(buf_span(&old));
	if (rc == 0)
		rc = delete_old(txn, file, old_items, items, err);
	if (rc == 0)
		rc = put_new(txn, file, items, old_items, err);
	buf_deinit(&old);
	return rc;
}

int holders_put_row(struct db_txn *txn, const char *path, struct span row, struct err *err)
{
	struct seen_key key;
	seen_key_of(path, &key);
	int rc = holders_is_there(txn) ? update(txn, key.span, items_of(row), err) : 0;
	return rc ? rc : db_put(txn, DB_PEM_FILES, key.span, row, err);
}

int holders_delete_row(struct db_txn *txn, struct span key, struct err *err)
{
	int rc = holders_is_there(txn) ? update(txn, key, (struct span){NULL, 0}, err) : 0;
	return rc ? rc : db_delete(txn, DB_PEM_FILES, key, err);
}

/* ---- questions ---- */

int holders_each(struct db_txn *txn, const uint8_t spki[SHA256_BYTES], const struct idmap *but, holders_fn *fn,
		 void *ctx, struct err *err)
{
	struct span prefix = {(const char *)spki, IDMAP_ID_BYTES}, key, file, row;
	struct db_cursor *cur;
	int rc = db_cursor_open(txn, DB_HOLDERS, &cur, err), fn_rc = 0;
	if (rc)
		return rc;
	for (rc = db_seek(cur, prefix, &key, &file); rc == 0 && fn_rc == 0; rc = db_next(cur, &key, &file)) {
		if (key.len != KEY_BYTES || memcmp(key.p, spki, IDMAP_ID_BYTES) != 0)
			break;
		if (but && idmap_has(but, (const uint8_t *)key.p + IDMAP_ID_BYTES, NULL))
			continue;
		fn_rc = db_get(txn, DB_PEM_FILES, file, &row);
		if (fn_rc == 0)
			fn_rc = fn(ctx, file, items_of(row), err);
		else
			fn_rc = fn_rc == ERR_NOENT ? 0 : fail(fn_rc, err);
	}
	db_cursor_close(cur);
	return fn_rc || rc == 0 || rc == ERR_NOENT ? fn_rc : fail(rc, err);
}

/* ---- all of it ---- */

/* Row by row, by offset: sorted by key, and then appended. */
struct list {
	struct buf files;   /* keys of rows, a length (uint32_t) before each */
	struct buf entries; /* struct entry each */
};

struct entry {
	uint8_t key[KEY_BYTES];
	uint32_t at; /* in files */
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, KEY_BYTES);
}

static int list_row(void *ctx, struct span file, struct span items)
{
	struct list *l = ctx;
	struct seen_item item;
	struct entry e = {.at = (uint32_t)l->files.len};
	uint32_t len = (uint32_t)file.len;
	bool is_listed = false;
	while (next_half(&items, &item) == 0) {
		key_of(item.spki, file, e.key);
		if (buf_add(&l->entries, &e, sizeof e) != 0)
			return ERR_NOMEM;
		is_listed = true;
	}
	if (!is_listed)
		return 0;
	(void)buf_add(&l->files, &len, sizeof len);
	return buf_add_span(&l->files, file);
}

/* fn for each row, until it returns other than 0: ERR_NOMEM */
typedef int row_fn(void *ctx, struct span file, struct span items);

static int each_row(struct db_txn *txn, row_fn *fn, void *ctx, struct err *err)
{
	struct db_cursor *cur;
	struct span key, row;
	int rc = db_cursor_open(txn, DB_PEM_FILES, &cur, err), fn_rc = 0;
	if (rc)
		return rc;
	for (rc = db_seek(cur, (struct span){NULL, 0}, &key, &row); rc == 0 && fn_rc == 0;
	     rc = db_next(cur, &key, &row))
		fn_rc = fn(ctx, key, items_of(row));
	db_cursor_close(cur);
	if (fn_rc)
		return out_of_memory(err);
	return rc == ERR_NOENT ? 0 : fail(rc, err);
}

static int put_all(struct list *l, struct db_txn *txn, struct err *err)
{
	size_t count = l->entries.len / sizeof(struct entry);
	int rc = 0;
	if (count)
		qsort(l->entries.p, count, sizeof(struct entry), compare);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct entry e;
		uint32_t len;
		memcpy(&e, l->entries.p + i * sizeof e, sizeof e);
		memcpy(&len, l->files.p + e.at, sizeof len);
		rc = db_put(txn, DB_HOLDERS, key_span(e.key), (struct span){l->files.p + e.at + sizeof len, len}, err);
	}
	return rc ? rc : db_put(txn, DB_HOLDERS, mark, (struct span){"", 0}, err);
}

int holders_build(struct db_txn *txn, struct err *err)
{
	struct list l;
	if (holders_is_there(txn))
		return 0;
	buf_init(&l.files, LIST_MAX_BYTES);
	buf_init(&l.entries, LIST_MAX_BYTES);
	int rc = each_row(txn, list_row, &l, err);
	if (rc == 0)
		rc = put_all(&l, txn, err);
	buf_deinit(&l.files);
	buf_deinit(&l.entries);
	return rc;
}

static int list_leaves(void *ctx, struct span file, struct span items)
{
	struct seen_item item;
	int rc = 0;
	(void)file;
	while (rc != ERR_NOMEM && seen_next(&items, &item) == 0)
		if (item.kind <= SEEN_CARRIED)
			rc = idmap_put(ctx, item.id, 0);
	return rc == ERR_NOMEM ? rc : 0;
}

int holders_list_leaves(struct db_txn *txn, struct idmap *out, struct err *err)
{
	return each_row(txn, list_leaves, out, err);
}

int holders_drop(struct db_txn *txn, struct err *err)
{
	return db_clear(txn, DB_HOLDERS, err);
}

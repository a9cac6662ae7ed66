#include "seen.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"

enum {
	ROW_VERSION = 1,
	TEXT_MAX_BYTES = 1024,
};

/* Host order, no padding: it is stored. */
struct row_head {
	uint32_t version, unused;
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};
_Static_assert(sizeof(struct row_head) == 48, "no padding");

struct item_head {
	uint32_t kind, text_len;
	int64_t not_after_unix_s;
	uint8_t id[SHA256_BYTES], spki[SHA256_BYTES];
};
_Static_assert(sizeof(struct item_head) == 80, "no padding");

int seen_begin(struct buf *b, const struct file_id *id)
{
	struct row_head h = {.version = ROW_VERSION,
			     .dev = id->dev,
			     .ino = id->ino,
			     .size = id->size,
			     .mtime_ns = id->mtime_ns,
			     .ctime_ns = id->ctime_ns};
	return buf_add(b, &h, sizeof h);
}

int seen_add(struct buf *b, const struct seen_item *item)
{
	size_t len = item->text.len < TEXT_MAX_BYTES ? item->text.len : TEXT_MAX_BYTES;
	struct item_head h = {
		.kind = (uint32_t)item->kind, .text_len = (uint32_t)len, .not_after_unix_s = item->not_after_unix_s};
	memcpy(h.id, item->id, SHA256_BYTES);
	memcpy(h.spki, item->spki, SHA256_BYTES);
	(void)buf_add(b, &h, sizeof h);
	return buf_add(b, item->text.p, len);
}

int seen_open(struct span row, struct file_id *out_id, struct span *out_items)
{
	struct row_head h;
	if (row.len < sizeof h)
		return ERR_PARSE;
	memcpy(&h, row.p, sizeof h);
	if (h.version != ROW_VERSION)
		return ERR_PARSE;
	*out_id = (struct file_id){
		.dev = h.dev, .ino = h.ino, .size = h.size, .mtime_ns = h.mtime_ns, .ctime_ns = h.ctime_ns};
	*out_items = (struct span){row.p + sizeof h, row.len - sizeof h};
	return 0;
}

int seen_next(struct span *items, struct seen_item *out)
{
	struct item_head h;
	if (items->len < sizeof h)
		return ERR_NOENT;
	memcpy(&h, items->p, sizeof h);
	if (h.text_len > items->len - sizeof h)
		return ERR_NOENT;
	*out = (struct seen_item){
		.kind = (enum seen_kind)h.kind,
		.not_after_unix_s = h.not_after_unix_s,
		.text = {items->p + sizeof h, h.text_len},
	};
	memcpy(out->id, h.id, SHA256_BYTES);
	memcpy(out->spki, h.spki, SHA256_BYTES);
	*items = (struct span){items->p + sizeof h + h.text_len, items->len - sizeof h - h.text_len};
	return 0;
}

void seen_key_of(const char *path, struct seen_key *out)
{
	out->span = span_of(path);
	if (out->span.len <= DB_KEY_MAX_BYTES)
		return;
	out->bytes[0] = '\0';
	sha256_of(out->span, (uint8_t *)out->bytes + 1);
	out->span = (struct span){out->bytes, sizeof out->bytes};
}

int seen_get(struct db_txn *txn, const char *path, struct span *out_row)
{
	struct seen_key k;
	seen_key_of(path, &k);
	return db_get(txn, DB_PEM_FILES, k.span, out_row);
}

int seen_find(struct db_txn *txn, const char *path, struct file_id *out_id, struct span *out_items, struct err *err)
{
	struct span row;
	int rc = seen_get(txn, path, &row);
	if (rc == 0)
		return seen_open(row, out_id, out_items) == 0 ? 0 : ERR_NOENT;
	return rc == ERR_NOENT ? rc : err_set(err, rc, "store: the list of certificate files cannot be read");
}

struct span seen_path_of(struct span key)
{
	return key.len && key.p[0] == '\0' ? (struct span){NULL, 0} : key;
}

void seen_id_of_path(const char *path, uint8_t out[IDMAP_ID_BYTES])
{
	struct seen_key k;
	seen_key_of(path, &k);
	idmap_id_of_text(k.span, out);
}

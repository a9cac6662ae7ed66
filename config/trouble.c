#include "trouble.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "../base/sha256.h"

#include <stdlib.h>

/* Key: 'd', the domain, NUL, place and digest; or 'f', the file's number, place and digest. Big end first, so that keys
 * sort by place. The digest tells problems of one place apart. */
enum { PLACE_BYTES = 8, DIGEST_BYTES = 8, PREFIX_MAX_BYTES = 1 + 255 + 1, VALUE_MAX_BYTES = 16384 };

struct prefix {
	char bytes[PREFIX_MAX_BYTES];
	size_t len;
};

static void put_be32(char *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (char)(v >> (24 - 8 * i));
}

static struct prefix file_prefix(uint32_t file_no)
{
	struct prefix p = {.bytes = {'f'}, .len = 5};
	put_be32(p.bytes + 1, file_no);
	return p;
}

static struct prefix domain_prefix(struct span domain)
{
	struct prefix p = {.bytes = {'d'}, .len = domain.len + 2};
	memcpy(p.bytes + 1, domain.p, domain.len); /* at most 253 bytes: name.h; the NUL is there */
	return p;
}

static void encode_text(struct buf *out, const char *text)
{
	(void)buf_add(out, text ? text : "", strlen(text ? text : "") + 1);
}

static int encode(const struct problem *p, struct buf *out)
{
	(void)buf_add(out, p->code, sizeof p->code);
	(void)buf_add(out, &p->line, sizeof p->line);
	(void)buf_add(out, &p->column, sizeof p->column);
	encode_text(out, p->file);
	encode_text(out, p->domain);
	encode_text(out, p->text);
	encode_text(out, p->hint);
	return out->failed;
}

static bool decode(struct span v, struct trouble *t)
{
	const size_t head = sizeof t->code + sizeof t->line + sizeof t->column;
	if (v.len < head)
		return false;
	memcpy(t->code, v.p, sizeof t->code);
	t->code[sizeof t->code - 1] = '\0';
	memcpy(&t->line, v.p + sizeof t->code, sizeof t->line);
	memcpy(&t->column, v.p + sizeof t->code + sizeof t->line, sizeof t->column);
	struct span rest = {v.p + head, v.len - head};
	return span_take_text(&rest, &t->file) && span_take_text(&rest, &t->domain) &&
	       span_take_text(&rest, &t->text) && span_take_text(&rest, &t->hint);
}

/* What a key has behind its prefix. */
struct mark {
	char bytes[PLACE_BYTES + DIGEST_BYTES];
	size_t problem; /* index in the list */
};

static int compare_marks(const void *a, const void *b)
{
	return memcmp(a, b, sizeof((struct mark *)0)->bytes);
}

static struct mark mark_of(const struct problem *p, struct span value, size_t index)
{
	struct mark m = {.problem = index};
	uint8_t digest[SHA256_BYTES];
	put_be32(m.bytes, p->line);
	put_be32(m.bytes + 4, p->column);
	sha256_of(value, digest);
	memcpy(m.bytes + PLACE_BYTES, digest, DIGEST_BYTES);
	return m;
}

static bool has_prefix(struct span key, const struct prefix *p)
{
	return key.len >= p->len && memcmp(key.p, p->bytes, p->len) == 0;
}

struct replacement {
	struct db_txn *txn;
	const struct prefix *prefix;
	const struct problem_list *problems;
	struct mark *marks; /* one for each error, sorted */
	size_t mark_count;
	struct buf value;
	bool is_changed;
};

static int mark_errors(struct replacement *r, struct err *err)
{
	if (r->problems->error_count == 0)
		return 0;
	r->marks = calloc(r->problems->error_count, sizeof *r->marks);
	if (!r->marks)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < r->problems->count; i++) {
		const struct problem *p = &r->problems->items[i];
		if (p->severity != PROBLEM_ERROR)
			continue;
		buf_reset(&r->value);
		int rc = encode(p, &r->value);
		if (rc)
			return err_set(err, rc, "a message is too large to keep");
		r->marks[r->mark_count++] = mark_of(p, buf_span(&r->value), i);
	}
	qsort(r->marks, r->mark_count, sizeof *r->marks, compare_marks);
	return 0;
}

static bool is_marked(const struct replacement *r, struct span key)
{
	struct mark m = {{0}, 0};
	if (key.len != r->prefix->len + sizeof m.bytes)
		return false;
	memcpy(m.bytes, key.p + r->prefix->len, sizeof m.bytes);
	return r->mark_count && bsearch(&m, r->marks, r->mark_count, sizeof m, compare_marks);
}

/* The first stored problem under the prefix, from key `from` on, that is none any more: into out. */
static int next_gone(struct replacement *r, struct buf *from, struct err *err)
{
	struct db_cursor *cur;
	struct span key, value;
	int rc = db_cursor_open(r->txn, DB_PROBLEMS, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, buf_span(from), &key, &value);
	while (rc == 0 && has_prefix(key, r->prefix) && is_marked(r, key))
		rc = db_next(cur, &key, &value);
	if (rc == 0 && !has_prefix(key, r->prefix))
		rc = ERR_NOENT;
	if (rc == 0) {
		buf_reset(from);
		rc = buf_add_span(from, key) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
	}
	db_cursor_close(cur);
	return rc;
}

static int delete_gone(struct replacement *r, struct err *err)
{
	struct buf key;
	buf_init(&key, DB_KEY_MAX_BYTES);
	(void)buf_add(&key, r->prefix->bytes, r->prefix->len);
	int rc = key.failed ? err_set(err, key.failed, "out of memory") : 0;
	while (rc == 0) {
		rc = next_gone(r, &key, err);
		if (rc == 0) {
			rc = db_delete(r->txn, DB_PROBLEMS, buf_span(&key), err);
			r->is_changed = true;
		}
	}
	buf_deinit(&key);
	return rc == ERR_NOENT ? 0 : rc;
}

static int put_fresh(struct replacement *r, struct problem_list *fresh, struct err *err)
{
	struct buf key;
	int rc = 0;
	buf_init(&key, DB_KEY_MAX_BYTES);
	for (size_t i = 0; rc == 0 && i < r->mark_count; i++) {
		const struct problem *p = &r->problems->items[r->marks[i].problem];
		struct span there;
		buf_reset(&key);
		(void)buf_add(&key, r->prefix->bytes, r->prefix->len);
		(void)buf_add(&key, r->marks[i].bytes, sizeof r->marks[i].bytes);
		if (db_get(r->txn, DB_PROBLEMS, buf_span(&key), &there) == 0)
			continue;
		buf_reset(&r->value);
		(void)encode(p, &r->value);
		rc = r->value.failed || key.failed
			     ? err_set(err, ERR_NOMEM, "out of memory")
			     : db_put(r->txn, DB_PROBLEMS, buf_span(&key), buf_span(&r->value), err);
		r->is_changed = true;
		if (fresh->count < TROUBLE_FRESH_MAX)
			problem_add(fresh, p, p->domain ? span_of(p->domain) : (struct span){NULL, 0});
	}
	buf_deinit(&key);
	return rc;
}

static int replace(struct db_txn *txn, const struct prefix *prefix, const struct problem_list *problems,
		   struct problem_list *fresh, bool *out_changed, struct err *err)
{
	struct replacement r = {.txn = txn, .prefix = prefix, .problems = problems};
	buf_init(&r.value, VALUE_MAX_BYTES);
	int rc = mark_errors(&r, err);
	if (rc == 0)
		rc = delete_gone(&r, err);
	if (rc == 0)
		rc = put_fresh(&r, fresh, err);
	*out_changed = *out_changed || r.is_changed;
	free(r.marks);
	buf_deinit(&r.value);
	return rc;
}

int trouble_put_file(struct db_txn *txn, uint32_t file_no, const struct problem_list *problems,
		     struct problem_list *fresh, bool *out_changed, struct err *err)
{
	struct prefix p = file_prefix(file_no);
	return replace(txn, &p, problems, fresh, out_changed, err);
}

int trouble_put_domain(struct db_txn *txn, struct span domain, const struct problem_list *problems,
		       struct problem_list *fresh, bool *out_changed, struct err *err)
{
	struct prefix p = domain_prefix(domain);
	return replace(txn, &p, problems, fresh, out_changed, err);
}

int trouble_each(struct db_txn *txn, trouble_fn *fn, void *ctx, struct err *err)
{
	/* files first: 'f' sorts behind 'd' */
	static const char *const groups[] = {"f", "d"};
	struct db_cursor *cur;
	int rc = db_cursor_open(txn, DB_PROBLEMS, &cur, err);
	if (rc)
		return rc;
	for (size_t g = 0; g < 2 && (rc == 0 || rc == ERR_NOENT); g++) {
		struct span key, value;
		struct trouble t;
		rc = db_seek(cur, span_of(groups[g]), &key, &value);
		while (rc == 0 && key.p[0] == groups[g][0]) {
			rc = decode(value, &t) ? fn(ctx, &t) : err_set(err, ERR_IO, "store: a message is damaged");
			if (rc == 0)
				rc = db_next(cur, &key, &value);
		}
	}
	db_cursor_close(cur);
	return rc == ERR_NOENT ? 0 : rc;
}

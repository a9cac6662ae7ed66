#include "pairs.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "candidates.h"
#include "chain.h"

#include <stdlib.h>

enum {
	ROW_VERSION = 1,
	IS_SELF_SIGNED = 1,
	HAS_MUST_STAPLE = 2,
	HAS_SERVER_AUTH = 4,
	ROW_MAX_BYTES = 1 << 20, /* chain and names, 256 KiB each, and a path */
};

/* What a row begins with; names, issuer, source and chain follow. Host order: a store does not travel. */
struct row_head {
	uint32_t version, flags;
	int64_t not_before_unix_s, not_after_unix_s;
	uint32_t key_type, key_bits, cert_count;
	uint32_t names_len, issuer_len, source_len;
	uint8_t spki[SHA256_BYTES];
};
_Static_assert(sizeof(struct row_head) == 80, "no padding: it is stored");

/* What a key's row begins with; its DER follows. */
struct key_head {
	uint32_t version, origin;
};

static struct span id_span(const uint8_t id[SHA256_BYTES])
{
	return (struct span){(const char *)id, SHA256_BYTES};
}

/* ---- rows ---- */

static int encode(const struct chain *c, struct span source, struct buf *out)
{
	struct row_head h = {
		.version = ROW_VERSION,
		.flags = (c->is_self_signed ? IS_SELF_SIGNED : 0u) | (c->has_must_staple ? HAS_MUST_STAPLE : 0u) |
			 (c->has_server_auth ? HAS_SERVER_AUTH : 0u),
		.not_before_unix_s = c->not_before_unix_s,
		.not_after_unix_s = c->not_after_unix_s,
		.key_type = (uint32_t)c->key_type,
		.key_bits = c->key_bits,
		.cert_count = (uint32_t)c->cert_count,
		.names_len = (uint32_t)c->names.len,
		.issuer_len = (uint32_t)strlen(c->issuer),
		.source_len = (uint32_t)source.len,
	};
	memcpy(h.spki, c->spki, SHA256_BYTES);
	(void)buf_add(out, &h, sizeof h);
	(void)buf_add_span(out, buf_span(&c->names));
	(void)buf_add_text(out, c->issuer);
	(void)buf_add_span(out, source);
	return buf_add_span(out, buf_span(&c->der));
}

static struct span take(struct span *rest, size_t n)
{
	struct span head = {rest->p, n};
	*rest = (struct span){rest->p + n, rest->len - n};
	return head;
}

static int decode(struct span id, struct span row, struct pair *out)
{
	struct row_head h;
	if (id.len != SHA256_BYTES || row.len < sizeof h)
		return ERR_IO;
	memcpy(&h, row.p, sizeof h);
	struct span rest = {row.p + sizeof h, row.len - sizeof h};
	if (h.version != ROW_VERSION || h.key_type > PKEY_OTHER ||
	    (uint64_t)h.names_len + h.issuer_len + h.source_len > rest.len)
		return ERR_IO;
	*out = (struct pair){
		.not_before_unix_s = h.not_before_unix_s,
		.not_after_unix_s = h.not_after_unix_s,
		.key_type = (enum pkey_type)h.key_type,
		.key_bits = h.key_bits,
		.is_self_signed = h.flags & IS_SELF_SIGNED,
		.has_must_staple = h.flags & HAS_MUST_STAPLE,
		.has_server_auth = h.flags & HAS_SERVER_AUTH,
		.cert_count = h.cert_count,
	};
	memcpy(out->id, id.p, SHA256_BYTES);
	memcpy(out->spki, h.spki, SHA256_BYTES);
	out->names = take(&rest, h.names_len);
	out->issuer = take(&rest, h.issuer_len);
	out->source = take(&rest, h.source_len);
	out->der = rest;
	return 0;
}

int pairs_get(struct db_txn *txn, const uint8_t id[SHA256_BYTES], struct pair *out)
{
	struct span row;
	int rc = db_get(txn, DB_PAIRS, id_span(id), &row);
	if (rc)
		return rc == ERR_NOENT ? rc : ERR_IO;
	return decode(id_span(id), row, out);
}

/* the first row behind key; the cursor lives no longer than the call */
static int next_row(struct db_txn *txn, enum db_table table, const uint8_t *after, struct span *out_key,
		    struct span *out_row)
{
	struct db_cursor *cur;
	int rc = db_cursor_open(txn, table, &cur, NULL);
	if (rc)
		return rc;
	struct span from = {NULL, 0};
	if (after)
		from = id_span(after);
	rc = db_seek(cur, from, out_key, out_row);
	if (rc == 0 && after && span_is(*out_key, from))
		rc = db_next(cur, out_key, out_row);
	db_cursor_close(cur);
	return rc;
}

int pairs_next(struct db_txn *txn, const uint8_t *after_id, struct pair *out)
{
	struct span key, row;
	int rc = next_row(txn, DB_PAIRS, after_id, &key, &row);
	return rc ? rc : decode(key, row, out);
}

void pairs_name_each(struct span names, pairs_name_fn *fn, void *ctx)
{
	struct span name;
	while (chain_next_name(&names, &name) == 0)
		fn(ctx, name);
}

/* ---- writing ---- */

static bool is_improved(const struct pair *old, const struct chain *c, struct span source)
{
	if (c->cert_count > old->cert_count)
		return true;
	return span_is(old->source, source) && !span_is(old->der, buf_span(&c->der));
}

static int put_names(struct db_txn *txn, const struct chain *c, struct err *err)
{
	struct candidate entry = {
		.not_before_unix_s = c->not_before_unix_s,
		.not_after_unix_s = c->not_after_unix_s,
		.cert_count = (uint32_t)c->cert_count,
		.is_rsa = c->key_type == PKEY_RSA,
		.is_self_signed = c->is_self_signed,
		.is_for_servers = c->has_server_auth,
	};
	memcpy(entry.id, c->id, SHA256_BYTES);
	struct span rest = buf_span(&c->names), name;
	int rc = 0;
	while (rc == 0 && chain_next_name(&rest, &name) == 0)
		rc = candidates_put(txn, name, &entry, err);
	return rc;
}

int pairs_put(struct db_txn *txn, const struct chain *chain, struct span source, bool *out_changed, struct err *err)
{
	struct pair old;
	*out_changed = false;
	if (pairs_get(txn, chain->id, &old) == 0 && !is_improved(&old, chain, source))
		return 0;
	struct buf row;
	buf_init(&row, ROW_MAX_BYTES);
	int rc = encode(chain, source, &row);
	if (rc)
		rc = err_set(err, rc, "the pair of %s: %s", chain->label,
			     rc == ERR_NOMEM ? "out of memory" : "too large");
	if (rc == 0)
		rc = db_put(txn, DB_PAIRS, id_span(chain->id), buf_span(&row), err);
	if (rc == 0)
		rc = put_names(txn, chain, err);
	*out_changed = rc == 0;
	buf_deinit(&row);
	return rc;
}

int pairs_delete(struct db_txn *txn, const uint8_t id[SHA256_BYTES], struct err *err)
{
	struct pair p;
	int rc = pairs_get(txn, id, &p);
	if (rc)
		return rc == ERR_NOENT ? rc : err_set(err, rc, "store: a certificate's row cannot be read");
	uint8_t own_id[SHA256_BYTES]; /* id may point into the map */
	memcpy(own_id, id, SHA256_BYTES);
	struct buf names;
	buf_init(&names, ROW_MAX_BYTES);
	rc = buf_add_span(&names, p.names) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
	struct span rest = buf_span(&names), name;
	while (rc == 0 && chain_next_name(&rest, &name) == 0)
		rc = candidates_delete(txn, name, own_id, err);
	if (rc == 0)
		rc = db_delete(txn, DB_PAIRS, id_span(own_id), err);
	buf_deinit(&names);
	return rc;
}

/* ---- choosing ---- */

struct best {
	struct candidate c;
	bool is_there, is_exact;
};

struct search {
	int64_t now_unix_s;
	struct best ec, rsa;
};

static bool consider(void *ctx, const struct candidate *c, bool is_exact)
{
	struct search *s = ctx;
	struct best *b = c->is_rsa ? &s->rsa : &s->ec;
	if (!c->is_for_servers)
		return true;
	if (!b->is_there || candidate_is_better(c, is_exact, &b->c, b->is_exact, s->now_unix_s))
		*b = (struct best){.c = *c, .is_there = true, .is_exact = is_exact};
	return true;
}

static int fetch(struct db_txn *txn, const struct best *b, bool is_wanted, struct pair *out, bool *out_is_there)
{
	*out_is_there = b->is_there && is_wanted;
	return *out_is_there && pairs_get(txn, b->c.id, out) != 0 ? ERR_IO : 0;
}

int pairs_find(struct db_txn *txn, struct span host, int64_t now_unix_s, struct pair_choice *out)
{
	struct search s = {.now_unix_s = now_unix_s};
	out->has_ec = out->has_rsa = out->is_valid = false;
	int rc = candidates_each(txn, host, consider, &s);
	if (rc)
		return rc;
	if (!s.ec.is_there && !s.rsa.is_there)
		return ERR_NOENT;
	bool ec_is_valid = s.ec.is_there && candidate_is_valid(&s.ec.c, now_unix_s);
	bool rsa_is_valid = s.rsa.is_there && candidate_is_valid(&s.rsa.c, now_unix_s);
	out->is_valid = ec_is_valid || rsa_is_valid;
	rc = fetch(txn, &s.ec, ec_is_valid || !out->is_valid, &out->ec, &out->has_ec);
	return rc ? rc : fetch(txn, &s.rsa, rsa_is_valid || !out->is_valid, &out->rsa, &out->has_rsa);
}

enum { MEMO_COUNT = 1 << 15 }; /* 10^4 certificates of 10^6 hosts find nearly all a place of their own */

/* The place of an id is told by its first bytes: it is a digest. */
struct pairs_memo {
	uint8_t ids[MEMO_COUNT][SHA256_BYTES];
};

struct pairs_memo *pairs_memo_new(void)
{
	return calloc(1, sizeof(struct pairs_memo));
}

void pairs_memo_free(struct pairs_memo *memo)
{
	free(memo);
}

static bool is_readable(struct db_txn *txn, const struct best *b, struct pairs_memo *memo)
{
	struct pair p;
	size_t place = ((size_t)b->c.id[0] << 8 | b->c.id[1]) % MEMO_COUNT;
	if (memo && memcmp(memo->ids[place], b->c.id, SHA256_BYTES) == 0)
		return true;
	if (pairs_get(txn, b->c.id, &p) != 0)
		return false;
	if (memo)
		memcpy(memo->ids[place], b->c.id, SHA256_BYTES);
	return true;
}

int pairs_has_valid(struct db_txn *txn, struct span host, int64_t now_unix_s, struct pairs_memo *memo)
{
	struct search s = {.now_unix_s = now_unix_s};
	if (candidates_each_in_turn(txn, host, consider, &s) != 0)
		return ERR_IO;
	bool ec_is_valid = s.ec.is_there && candidate_is_valid(&s.ec.c, now_unix_s);
	bool rsa_is_valid = s.rsa.is_there && candidate_is_valid(&s.rsa.c, now_unix_s);
	if ((ec_is_valid && !is_readable(txn, &s.ec, memo)) || (rsa_is_valid && !is_readable(txn, &s.rsa, memo)))
		return ERR_IO;
	return ec_is_valid || rsa_is_valid;
}

static int64_t end_of(const struct best *b, int64_t now_unix_s)
{
	return b->is_there && candidate_is_valid(&b->c, now_unix_s) ? b->c.not_after_unix_s : INT64_MIN;
}

int pairs_find_end(struct db_txn *txn, struct span host, int64_t now_unix_s, int64_t *out_unix_s)
{
	struct search s = {.now_unix_s = now_unix_s};
	int rc = candidates_each_in_turn(txn, host, consider, &s);
	if (rc)
		return rc;
	int64_t ec = end_of(&s.ec, now_unix_s), rsa = end_of(&s.rsa, now_unix_s);
	*out_unix_s = ec > rsa ? ec : rsa;
	return *out_unix_s == INT64_MIN ? ERR_NOENT : 0;
}

struct cover {
	const struct pair *p;
	int64_t now_unix_s;
	pairs_held_fn *is_held;
	void *ctx;
	bool is_found;
};

static bool look_for_cover(void *ctx, const struct candidate *c, bool is_exact)
{
	struct cover *s = ctx;
	(void)is_exact;
	if (memcmp(c->id, s->p->id, SHA256_BYTES) == 0 || !c->is_for_servers || !candidate_is_valid(c, s->now_unix_s))
		return true;
	if (c->is_self_signed && !s->p->is_self_signed)
		return true;
	s->is_found = c->not_after_unix_s > s->p->not_after_unix_s || s->is_held(s->ctx, c->id);
	return !s->is_found;
}

int pairs_is_covered(struct db_txn *txn, const struct pair *p, int64_t now_unix_s, pairs_held_fn *is_held, void *ctx)
{
	struct span rest = p->names, name;
	while (chain_next_name(&rest, &name) == 0) {
		struct cover s = {.p = p, .now_unix_s = now_unix_s, .is_held = is_held, .ctx = ctx};
		if (candidates_each(txn, name, look_for_cover, &s) != 0)
			return ERR_IO;
		if (!s.is_found)
			return 0;
	}
	return 1;
}

/* ---- keyring ---- */

static int decode_key(struct span row, struct key_head *out_head, struct span *out_der)
{
	if (row.len <= sizeof *out_head)
		return ERR_IO;
	memcpy(out_head, row.p, sizeof *out_head);
	*out_der = (struct span){row.p + sizeof *out_head, row.len - sizeof *out_head};
	return out_head->version == ROW_VERSION ? 0 : ERR_IO;
}

int keyring_put(struct db_txn *txn, const struct pkey *key, enum keyring_origin origin, struct err *err)
{
	struct key_head old, h = {.version = ROW_VERSION, .origin = (uint32_t)origin};
	struct span row, der;
	if (db_get(txn, DB_KEYS, id_span(key->spki), &row) == 0 && decode_key(row, &old, &der) == 0 &&
	    (old.origin == h.origin || origin == KEYRING_IMPORTED))
		return 0;
	struct buf b;
	buf_init(&b, sizeof h + key->der.len); /* in one piece: growing would leave a copy behind */
	int rc = buf_reserve(&b, sizeof h + key->der.len);
	(void)buf_add(&b, &h, sizeof h);
	(void)buf_add_span(&b, buf_span(&key->der));
	rc = rc ? err_set(err, rc, "out of memory") : db_put(txn, DB_KEYS, id_span(key->spki), buf_span(&b), err);
	if (b.p)
		explicit_bzero(b.p, b.cap);
	buf_deinit(&b);
	return rc;
}

int keyring_get(struct db_txn *txn, const uint8_t spki[SHA256_BYTES], struct span *out_der)
{
	struct key_head head;
	struct span row;
	int rc = db_get(txn, DB_KEYS, id_span(spki), &row);
	if (rc)
		return rc == ERR_NOENT ? rc : ERR_IO;
	return decode_key(row, &head, out_der);
}

int keyring_delete(struct db_txn *txn, const uint8_t spki[SHA256_BYTES], struct err *err)
{
	return db_delete(txn, DB_KEYS, id_span(spki), err);
}

int keyring_next(struct db_txn *txn, const uint8_t *after_spki, uint8_t out_spki[SHA256_BYTES],
		 enum keyring_origin *out_origin)
{
	struct key_head head;
	struct span key, row, der;
	int rc = next_row(txn, DB_KEYS, after_spki, &key, &row);
	if (rc)
		return rc;
	if (key.len != SHA256_BYTES || decode_key(row, &head, &der) != 0)
		return ERR_IO;
	memcpy(out_spki, key.p, SHA256_BYTES);
	*out_origin = (enum keyring_origin)head.origin;
	return 0;
}

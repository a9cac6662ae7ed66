#include "bodies.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "policy.h"

/* A stored body: the number of rows that refer to it, then the bytes. domains_body reads the same form. */
enum { HEAD_BYTES = sizeof(uint64_t) };

static struct span key_of(const uint8_t digest[SHA256_BYTES])
{
	return (struct span){(const char *)digest, SHA256_BYTES};
}

static int store(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], uint64_t count, struct span body,
		 struct err *err)
{
	struct buf value;
	buf_init(&value, HEAD_BYTES + 2 * POLICY_BODY_MAX_BYTES);
	(void)buf_add(&value, &count, sizeof count);
	(void)buf_add_span(&value, body); /* a copy: what the store handed out does not outlive a put */
	int rc = value.failed ? err_set(err, ERR_NOMEM, "out of memory")
			      : db_put(txn, DB_BODIES, key_of(digest), buf_span(&value), err);
	buf_deinit(&value);
	return rc;
}

static int load(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], uint64_t *count, struct span *body)
{
	struct span value;
	int rc = db_get(txn, DB_BODIES, key_of(digest), &value);
	if (rc)
		return rc;
	if (value.len < HEAD_BYTES)
		return ERR_IO;
	memcpy(count, value.p, HEAD_BYTES);
	*body = (struct span){value.p + HEAD_BYTES, value.len - HEAD_BYTES};
	return 0;
}

/* change: not 0. body: what to store when there is none yet; NULL: then it must be there. */
static int count(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], int64_t change, const struct span *body,
		 struct err *err)
{
	uint64_t was = 0, less = change < 0 ? (uint64_t)-change : 0;
	struct span old;
	int rc = load(txn, digest, &was, &old);
	if (rc == ERR_NOENT && body)
		old = *body;
	else if (rc == ERR_NOENT)
		return err_set(err, ERR_IO, "store: a policy body is missing");
	else if (rc)
		return err_set(err, rc, "store: a policy body cannot be read");
	if (change < 0 && was <= less)
		return db_delete(txn, DB_BODIES, key_of(digest), err);
	return store(txn, digest, was + (uint64_t)change, old, err);
}

int bodies_take(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], struct span body, struct err *err)
{
	return count(txn, digest, 1, &body, err);
}

/* --- a transaction's worth of them ---------------------------------------------------------------------------- */

void bodies_tally_begin(struct bodies_tally *t, struct db_txn *txn)
{
	*t = (struct bodies_tally){.txn = txn};
}

static int settle(struct bodies_tally *t, struct bodies_count *c, struct err *err)
{
	int64_t change = c->change;
	c->change = 0;
	return change ? count(t->txn, c->digest, change, NULL, err) : 0;
}

/* A digest is random: any part of it tells a place. */
static struct bodies_count *place_of(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES])
{
	_Static_assert(BODIES_TALLY_COUNT == UINT8_MAX + 1, "one for each first byte");
	return &t->counts[digest[0]];
}

static struct bodies_count *find(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES])
{
	struct bodies_count *c = place_of(t, digest);
	return c->is_used && memcmp(c->digest, digest, SHA256_BYTES) == 0 ? c : NULL;
}

static int make_place(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES], struct bodies_count **out,
		      struct err *err)
{
	struct bodies_count *c = place_of(t, digest);
	int rc = c->is_used ? settle(t, c, err) : 0;
	*c = (struct bodies_count){.is_used = rc == 0};
	memcpy(c->digest, digest, SHA256_BYTES);
	*out = c;
	return rc;
}

int bodies_tally_take(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES], struct span body, struct err *err)
{
	struct bodies_count *c = find(t, digest);
	if (c) {
		c->change++;
		return 0;
	}
	int rc = make_place(t, digest, &c, err);
	return rc ? rc : bodies_take(t->txn, digest, body, err); /* the first time it may have to be stored */
}

int bodies_tally_drop(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES], struct err *err)
{
	uint64_t was;
	struct span body;
	struct bodies_count *c = find(t, digest);
	if (!c && load(t->txn, digest, &was, &body) != 0)
		return err_set(err, ERR_IO, "store: a policy body is missing");
	int rc = c ? 0 : make_place(t, digest, &c, err);
	if (rc == 0)
		c->change--;
	return rc;
}

int bodies_tally_end(struct bodies_tally *t, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < BODIES_TALLY_COUNT; i++)
		if (t->counts[i].is_used)
			rc = settle(t, &t->counts[i], err);
	bodies_tally_begin(t, t->txn);
	return rc;
}

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

int bodies_take(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], struct span body, struct err *err)
{
	uint64_t count = 0;
	struct span old;
	int rc = load(txn, digest, &count, &old);
	if (rc && rc != ERR_NOENT)
		return err_set(err, rc, "store: a policy body cannot be read");
	return store(txn, digest, count + 1, body, err);
}

int bodies_drop(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], struct err *err)
{
	uint64_t count = 0;
	struct span body;
	int rc = load(txn, digest, &count, &body);
	if (rc)
		return err_set(err, ERR_IO, "store: a policy body is missing");
	if (count <= 1)
		return db_delete(txn, DB_BODIES, key_of(digest), err);
	return store(txn, digest, count - 1, body, err);
}

#include "dev.h"

#include "../../base/buf.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../certs/chain.h"
#include "../../certs/pairs.h"
#include "../../certs/pem.h"
#include "../../certs/selfca.h"
#include "../../config/spec.h"

enum { HOSTS_MAX_BYTES = 1 << 28, PEM_MAX_BYTES = 1 << 20 };

/* The pairs that we made: they have no source. */
static int forget_made(struct db_txn *store, struct db_txn *keyring, struct err *err)
{
	struct pair p;
	uint8_t last[SHA256_BYTES];
	const uint8_t *after = NULL;
	int rc;
	while ((rc = pairs_next(store, after, &p)) == 0) {
		uint8_t spki[SHA256_BYTES];
		memcpy(last, p.id, sizeof last);
		memcpy(spki, p.spki, sizeof spki);
		after = last;
		if (p.source.len)
			continue;
		rc = pairs_delete(store, last, err);
		if (rc)
			return rc;
		rc = keyring_delete(keyring, spki, err); /* one key serves many pairs: it may be gone already */
		if (rc && rc != ERR_NOENT)
			return rc;
	}
	return rc == ERR_NOENT ? 0 : err_set(err, rc, "store: a certificate cannot be read");
}

static int both(struct db *store, struct db *keyring, int (*fn)(struct db_txn *, struct db_txn *, struct err *),
		struct err *err)
{
	struct db_txn *s = NULL, *k = NULL;
	int rc = db_begin_write(store, &s, err);
	if (rc == 0)
		rc = db_begin_write(keyring, &k, err);
	if (rc == 0)
		rc = fn(s, k, err);
	if (rc) {
		db_end(k);
		db_end(s);
		return rc;
	}
	rc = db_commit(k, err);
	if (rc) {
		db_end(s);
		return rc;
	}
	return db_commit(s, err);
}

int dev_start(struct selfca **out, struct db *store, struct db *keyring, const char *ca_path, int64_t now_unix_s,
	      struct err *err)
{
	struct buf pem;
	buf_init(&pem, PEM_MAX_BYTES);
	int rc = both(store, keyring, forget_made, err);
	if (rc == 0)
		rc = selfca_new(out, now_unix_s, err);
	if (rc == 0)
		rc = selfca_pem(*out, &pem, err);
	if (rc == 0)
		rc = file_write(ca_path, buf_span(&pem), 0644, err);
	buf_deinit(&pem);
	return rc;
}

static int add_if_bare(struct db_txn *txn, struct span domain, int64_t now_unix_s, struct buf *out)
{
	struct pair_choice choice;
	struct buf host;
	buf_init(&host, 512);
	(void)buf_add_text(&host, "mta-sts.");
	(void)buf_add_span(&host, domain);
	int rc = host.failed;
	if (rc == 0)
		rc = pairs_find(txn, buf_span(&host), now_unix_s, &choice);
	if (rc == ERR_NOENT)
		rc = pack_add(out, buf_span(&host));
	buf_deinit(&host);
	return rc;
}

/* Hosts without a pair, packed (spec.h). */
static int find_bare_hosts(struct db_txn *txn, int64_t now_unix_s, struct buf *out, struct err *err)
{
	struct db_cursor *cur;
	struct span domain, value;
	int rc = db_cursor_open(txn, DB_DOMAINS, &cur, err);
	if (rc)
		return rc;
	int add_rc = 0;
	for (rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0 && add_rc == 0;
	     rc = db_next(cur, &domain, &value))
		add_rc = add_if_bare(txn, domain, now_unix_s, out);
	db_cursor_close(cur);
	if (add_rc)
		return err_set(err, add_rc, "the hosts without a certificate cannot be found%s",
			       add_rc == ERR_NOMEM ? ": out of memory" : "");
	return rc == ERR_NOENT ? 0 : err_set(err, rc, "store: the domains cannot be read");
}

static int store_pair(struct db *store, struct db *keyring, const struct pem_file *file, struct err *err)
{
	struct db_txn *txn;
	bool is_changed;
	int rc = db_begin_write(keyring, &txn, err);
	if (rc)
		return rc;
	rc = keyring_put(txn, &file->keys[0], KEYRING_MADE, err);
	if (rc == 0)
		rc = db_commit(txn, err);
	else
		db_end(txn);
	if (rc == 0)
		rc = db_begin_write(store, &txn, err);
	if (rc)
		return rc;
	rc = pairs_put(txn, &file->chains[0], (struct span){"", 0}, &is_changed, err);
	if (rc == 0)
		return db_commit(txn, err);
	db_end(txn);
	return rc;
}

static int issue_batch(struct selfca *ca, struct db *store, struct db *keyring, const struct span *names, size_t count,
		       int64_t now_unix_s, struct err *err)
{
	struct buf pem;
	struct pem_file file = {0};
	buf_init(&pem, PEM_MAX_BYTES);
	int rc = selfca_issue(ca, names, count, now_unix_s, &pem, err);
	if (rc == 0)
		rc = pem_parse(buf_span(&pem), &file, err);
	if (rc == 0 && (file.chain_count != 1 || file.key_count != 1))
		rc = err_set(err, ERR_TLS, "the throw-away CA made no usable certificate");
	if (rc == 0)
		rc = store_pair(store, keyring, &file, err);
	pem_deinit(&file);
	buf_deinit(&pem);
	return rc;
}

int dev_issue(struct selfca *ca, struct db *store, struct db *keyring, int64_t now_unix_s, struct err *err)
{
	struct db_txn *txn;
	struct buf hosts;
	buf_init(&hosts, HOSTS_MAX_BYTES);
	int rc = db_begin_read(store, &txn, err);
	if (rc)
		return rc;
	rc = find_bare_hosts(txn, now_unix_s, &hosts, err);
	db_end(txn);
	struct span rest = buf_span(&hosts), names[SELFCA_NAMES_MAX];
	while (rc == 0 && rest.len) {
		size_t count = 0;
		while (count < SELFCA_NAMES_MAX && pack_next(&rest, &names[count]))
			count++;
		rc = issue_batch(ca, store, keyring, names, count, now_unix_s, err);
	}
	buf_deinit(&hosts);
	return rc;
}

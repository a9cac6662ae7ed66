#include "view.h"

#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/metric.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../config/domains.h"
#include "../../config/stored.h"
#include "pair_cache.h"

#include <stdlib.h>

enum { TRIES_MAX_COUNT = 3 }; /* each is a new snapshot; a key that is gone in three of them is lost */

static int open_one(const char *state_dir, const char *name, enum db_kind kind, struct db **db, struct db_txn **txn,
		    struct err *err)
{
	char *dir = file_join(state_dir, name);
	if (!dir)
		return err_set(err, ERR_NOMEM, "%s: out of memory", name);
	int rc = db_open(db, dir, kind, false, err);
	if (rc == 0)
		rc = db_begin_read(*db, txn, err);
	if (rc)
		(void)err_wrap(err, "%s", dir);
	else
		db_reset(*txn);
	free(dir);
	return rc;
}

int view_open(struct view *v, const char *state_dir, struct err *err)
{
	*v = (struct view){0};
	int rc = open_one(state_dir, "store", DB_STORE, &v->store, &v->store_txn, err);
	return rc ? rc : open_one(state_dir, "keyring", DB_KEYRING, &v->keyring, &v->keyring_txn, err);
}

void view_close(struct view *v)
{
	pair_cache_clear(&v->pairs);
	db_end(v->store_txn);
	db_end(v->keyring_txn);
	db_close(v->store);
	db_close(v->keyring);
	*v = (struct view){0};
}

static enum view_result failed(void)
{
	metric_add(M_STORE_ERRORS, 1);
	return VIEW_FAILED;
}

enum view_result view_begin(struct view *v)
{
	return db_renew(v->store_txn) == 0 ? VIEW_FOUND : failed();
}

void view_end(struct view *v)
{
	db_reset(v->store_txn);
}

enum view_result view_find_body(struct view *v, struct span host, struct span *out)
{
	struct domain_row row;
	int rc = domains_get_by_host(v->store_txn, host, &row);
	if (rc == ERR_NOENT)
		return VIEW_NO_DOMAIN;
	if (rc == 0)
		rc = domains_body(v->store_txn, &row, out);
	return rc == 0 ? VIEW_FOUND : failed(); /* nor is a row without its body: they come together */
}

enum view_result view_find_settings(struct view *v, struct span *out)
{
	int rc = stored_find(v->store_txn, STORED_SETTINGS, out);
	return rc == 0 ? VIEW_FOUND : rc == ERR_NOENT ? VIEW_NO_DOMAIN : failed();
}

/* load: chain and key of one pair. ERR_NOENT: its key is not in this snapshot of the keyring. */
static int load(struct view *v, const struct pair *p, struct mbed_pair **out)
{
	struct span key;
	*out = pair_cache_find(&v->pairs, p->id, p->der);
	if (*out)
		return 0;
	int rc = keyring_get(v->keyring_txn, p->spki, &key);
	if (rc == 0)
		rc = mbed_pair_new(out, p->der, key, NULL);
	if (rc == 0)
		pair_cache_add(&v->pairs, p->id, *out);
	return rc;
}

static int load_choice(struct view *v, const struct pair_choice *choice, struct mbed_pair **ec, struct mbed_pair **rsa)
{
	int ec_rc = choice->has_ec ? load(v, &choice->ec, ec) : 0;
	int rsa_rc = choice->has_rsa ? load(v, &choice->rsa, rsa) : 0;
	if (ec_rc == ERR_NOENT || rsa_rc == ERR_NOENT)
		return ERR_NOENT;
	if (*ec || *rsa) /* one that does not load leaves the host to the other one */
		return 0;
	return ec_rc ? ec_rc : rsa_rc;
}

/* look: one look-up in what both transactions show now. ERR_NOENT as load. */
static int look(struct view *v, struct span host, int64_t now_unix_s, struct mbed_pair **ec, struct mbed_pair **rsa,
		enum view_result *out)
{
	struct domain_row row;
	struct pair_choice choice;
	int rc = domains_get_by_host(v->store_txn, host, &row);
	*out = VIEW_NO_DOMAIN;
	if (rc == 0) {
		rc = pairs_find(v->store_txn, host, now_unix_s, &choice);
		*out = VIEW_NO_PAIR;
	}
	if (rc == ERR_NOENT)
		return 0;
	if (rc == 0)
		rc = load_choice(v, &choice, ec, rsa);
	*out = VIEW_FOUND;
	return rc;
}

enum view_result view_find_pairs(struct view *v, struct span host, int64_t now_unix_s, struct mbed_pair **out_ec,
				 struct mbed_pair **out_rsa)
{
	enum view_result result = VIEW_FAILED;
	int rc = ERR_NOENT;
	*out_ec = *out_rsa = NULL;
	/* The keeper commits a new key before its chain and deletes an old one after: between our two
	 * snapshots the chain that we see may have lost its key, but the next look sees the chain's
	 * successor. */
	for (int i = 0; rc == ERR_NOENT && i < TRIES_MAX_COUNT; i++) {
		mbed_pair_free(*out_ec);
		mbed_pair_free(*out_rsa);
		*out_ec = *out_rsa = NULL;
		rc = db_renew(v->store_txn);
		if (rc == 0)
			rc = db_renew(v->keyring_txn);
		if (rc == 0)
			rc = look(v, host, now_unix_s, out_ec, out_rsa, &result);
		db_reset(v->store_txn);
		db_reset(v->keyring_txn);
	}
	if (rc == 0)
		return result;
	if (rc == ERR_NOENT && (*out_ec || *out_rsa))
		return VIEW_FOUND;
	return rc == ERR_NOMEM ? VIEW_NOMEM : failed();
}

#include "stored.h"

#include "../base/db.h"
#include "../base/err.h"
#include "cert_paths.h"
#include "domains.h"
#include "settings_table.h"

static const struct span keys[] = {
	[STORED_SETTINGS] = {"settings", 8}, [STORED_DEFAULTS] = {"defaults", 8}, [STORED_PATTERNS] = {"includes", 8},
	[STORED_PRESETS] = {"presets", 7},   [STORED_TIME] = {"time", 4},
};

int stored_find(struct db_txn *txn, enum stored_value name, struct span *out)
{
	return db_get(txn, DB_META, keys[name], out);
}

bool stored_is(struct db_txn *txn, enum stored_value name, struct span value)
{
	struct span old;
	int rc = stored_find(txn, name, &old);
	return rc == 0 ? span_is(old, value) : rc == ERR_NOENT && value.len == 0;
}

int stored_put(struct db_txn *txn, enum stored_value name, struct span value, bool *out_changed, struct err *err)
{
	if (stored_is(txn, name, value))
		return 0;
	*out_changed = true;
	return db_put(txn, DB_META, keys[name], value, err);
}

int stored_add_patterns(struct db_txn *txn, struct text_list *out)
{
	struct span value;
	if (stored_find(txn, STORED_PATTERNS, &value) != 0)
		return 0;
	while (value.len) {
		size_t len = strnlen(value.p, value.len);
		if (text_list_add(out, (struct span){value.p, len}) != 0)
			return ERR_NOMEM;
		len = len < value.len ? len + 1 : len;
		value = (struct span){value.p + len, value.len - len};
	}
	return 0;
}

int stored_load_settings(struct db *store, struct settings *out, struct err *err)
{
	struct db_txn *txn;
	struct span value;
	*out = (struct settings){0};
	int rc = db_begin_read(store, &txn, err);
	if (rc)
		return rc;
	rc = stored_find(txn, STORED_SETTINGS, &value);
	if (rc == 0)
		rc = settings_decode(value, out);
	db_end(txn);
	return rc ? err_set(err, rc, "store: no settings") : 0;
}

int64_t stored_find_time(struct db_txn *txn)
{
	struct span value;
	int64_t unix_s = 0;
	if (stored_find(txn, STORED_TIME, &value) == 0 && value.len == sizeof unix_s)
		memcpy(&unix_s, value.p, sizeof unix_s);
	return unix_s >= 0 && unix_s <= DOMAIN_DATE_MAX_UNIX_S ? unix_s
							       : 0; /* a damaged one: dates are reckoned with it */
}

int stored_note_time(struct db *store, int64_t unix_s, struct err *err)
{
	struct db_txn *txn;
	bool is_changed = false;
	int rc = db_begin_write(store, &txn, err);
	if (rc)
		return rc;
	if (unix_s > stored_find_time(txn))
		rc = stored_put(txn, STORED_TIME, (struct span){(const char *)&unix_s, sizeof unix_s}, &is_changed,
				err);
	if (rc == 0 && is_changed)
		return db_commit(txn, err);
	db_end(txn);
	return rc;
}

bool stored_knows_file(struct db *store, const char *path)
{
	struct db_txn *txn;
	struct span value;
	if (db_begin_read(store, &txn, NULL) != 0)
		return false;
	bool is_there = db_get(txn, DB_FILES, span_of(path), &value) == 0;
	db_end(txn);
	return is_there;
}

/* --- the layout ------------------------------------------------------------------------------------------------- */

/* To be raised with every change of a stored form that the version before would misread. */
enum {
	LAYOUT_WITHOUT_CERT_PATHS = 1,
	LAYOUT_WITHOUT_DELEGATION = 2, /* rows with the name of a policy in them; the others are the same */
	LAYOUT = 3,
};
static const struct span layout_key = {"layout", 6};

/* 0: of a new store; UINT32_MAX: of none that is known */
static uint32_t find_layout(struct db_txn *txn)
{
	struct span value;
	uint32_t layout = UINT32_MAX;
	int rc = db_get(txn, DB_META, layout_key, &value);
	if (rc == ERR_NOENT && db_count(txn, DB_META) == 0)
		layout = 0;
	else if (rc == 0 && value.len == sizeof layout)
		memcpy(&layout, value.p, sizeof layout);
	return layout;
}

int stored_check_layout(struct db *store, struct err *err)
{
	const uint32_t layout = LAYOUT;
	struct db_txn *txn;
	int rc = db_begin_write(store, &txn, err);
	if (rc)
		return rc;
	switch (find_layout(txn)) {
	case LAYOUT: db_end(txn); return 0;
	case LAYOUT_WITHOUT_CERT_PATHS: rc = cert_paths_collect(txn, err); break;
	case LAYOUT_WITHOUT_DELEGATION:
	case 0: break;
	default:
		rc = err_set(err, ERR_CONFLICT,
			     "the store was written by another version of mta-sts-server; run that one, or set "
			     "state_dir to a new "
			     "folder (every id then changes once, which does no harm)");
	}
	if (rc == 0)
		rc = db_put(txn, DB_META, layout_key, (struct span){(const char *)&layout, sizeof layout}, err);
	if (rc == 0)
		return db_commit(txn, err);
	db_end(txn);
	return rc;
}

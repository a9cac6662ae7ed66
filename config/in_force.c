#include "in_force.h"

#include "../base/err.h"
#include "outbox.h"
#include "presets.h"
#include "settings_table.h"
#include "source.h"
#include "stored.h"

static int put(struct in_force *f, struct db_txn *txn, enum stored_value name, struct span value, bool reaches_rows,
	       struct err *err)
{
	bool is_changed = false;
	int rc = stored_put(txn, name, value, &is_changed, err);
	f->is_changed = f->is_changed || is_changed;
	f->is_all_dirty = f->is_all_dirty || (is_changed && reaches_rows);
	return rc;
}

static int look_who_publishes(struct in_force *f, struct db_txn *txn, const struct settings *now)
{
	struct span value;
	struct settings was = {0};
	int rc = stored_find(txn, STORED_SETTINGS, &value);
	bool is_there = rc == 0;
	if (is_there)
		rc = settings_decode(value, &was);
	f->is_all_owed = outbox_is_to_be_filled(is_there && rc == 0 ? &was : NULL, now);
	settings_deinit(&was);
	return rc == ERR_NOMEM ? rc : 0; /* what cannot be read is replaced */
}

static int take_settings(struct in_force *f, struct db_txn *txn, const struct source *s, struct err *err)
{
	struct buf stored;
	buf_init(&stored, STORED_MAX_BYTES);
	int rc = look_who_publishes(f, txn, &s->settings);
	if (rc == 0)
		rc = settings_encode(&s->settings, &stored);
	if (rc)
		rc = err_set(err, rc, "out of memory");
	else /* ttl, tls_rpt and id reach every row; the rest costs one pass over unchanged ones */
		rc = put(f, txn, STORED_SETTINGS, buf_span(&stored), true, err);
	buf_deinit(&stored);
	return rc;
}

static int take_patterns(struct in_force *f, struct db_txn *txn, const struct text_list *patterns, struct err *err)
{
	struct buf stored;
	buf_init(&stored, STORED_MAX_BYTES);
	for (size_t i = 0; i < patterns->count; i++)
		(void)buf_add(&stored, patterns->items[i], strlen(patterns->items[i]) + 1);
	int rc = stored.failed ? err_set(err, ERR_NOMEM, "out of memory")
			       : put(f, txn, STORED_PATTERNS, buf_span(&stored), false, err);
	buf_deinit(&stored);
	return rc;
}

static int take_main(struct in_force *f, struct db_txn *txn, const struct source *s, const struct text_list *patterns,
		     struct err *err)
{
	int rc = s->has_settings_errors ? 0 : take_settings(f, txn, s, err);
	bool has_defaults = !s->has_refused_defaults && (s->defaults.len || !s->has_gaps);
	if (rc == 0 && has_defaults)
		rc = put(f, txn, STORED_DEFAULTS, buf_span(&s->defaults), true, err);
	if (rc == 0 && !s->has_include_errors)
		rc = take_patterns(f, txn, patterns, err);
	return rc;
}

/* Another version of this program may mean other hosts by the same name. */
static int take_presets(struct in_force *f, struct db_txn *txn, struct err *err)
{
	struct buf stored;
	buf_init(&stored, STORED_MAX_BYTES);
	int rc = presets_encode(&stored);
	rc = rc ? err_set(err, rc, "out of memory") : put(f, txn, STORED_PRESETS, buf_span(&stored), true, err);
	buf_deinit(&stored);
	return rc;
}

/* Copied out of the store. */
static int load(struct in_force *f, struct db_txn *txn, struct err *err)
{
	struct span value;
	int rc = stored_find(txn, STORED_SETTINGS, &value);
	rc = rc == 0 ? settings_decode(value, &f->settings) : settings_init(&f->settings);
	if (rc == 0 && stored_find(txn, STORED_DEFAULTS, &value) == 0)
		rc = buf_add_span(&f->defaults_stored, value);
	if (rc == 0 && f->defaults_stored.len)
		rc = spec_decode(buf_span(&f->defaults_stored), &f->defaults);
	return rc ? err_set(err, rc, "store: the settings cannot be read") : 0;
}

int in_force_take(struct in_force *f, struct db_txn *txn, const struct source *main, const struct text_list *patterns,
		  struct err *err)
{
	*f = (struct in_force){.is_changed = false};
	buf_init(&f->defaults_stored, STORED_MAX_BYTES);
	int rc = main ? take_main(f, txn, main, patterns, err) : 0;
	if (rc == 0)
		rc = take_presets(f, txn, err);
	return rc ? rc : load(f, txn, err);
}

void in_force_deinit(struct in_force *f)
{
	settings_deinit(&f->settings);
	buf_deinit(&f->defaults_stored);
	*f = (struct in_force){.is_changed = false};
}

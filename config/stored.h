/* stored: what the store says for all domains together: the settings, the defaults and the includes in force, the
 * presets it was made with, the layout of the store itself. */
#ifndef CONFIG_STORED_H
#define CONFIG_STORED_H

#include "../base/span.h"
#include "settings.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct db_txn;
struct err;

enum { STORED_MAX_BYTES = 1 << 20 }; /* of one value */

enum stored_value {
	STORED_SETTINGS, /* settings_table.h's form */
	STORED_DEFAULTS, /* spec.h's */
	STORED_PATTERNS, /* absolute includes, a NUL behind each */
	STORED_PRESETS,  /* presets.h's */
	STORED_TIME,     /* stored_note_time's */
};

/* stored_find: valid as db_get's. 0, ERR_NOENT, ERR_IO. */
int stored_find(struct db_txn *txn, enum stored_value name, struct span *out);

/* stored_is: is that what is stored? An empty value is what is not there. */
bool stored_is(struct db_txn *txn, enum stored_value name, struct span value);

/* stored_put: *out_changed is set to true when it differed; otherwise untouched. */
int stored_put(struct db_txn *txn, enum stored_value name, struct span value, bool *out_changed, struct err *err);

/* stored_add_patterns: the includes in force, behind what out holds. 0 or ERR_NOMEM. */
int stored_add_patterns(struct db_txn *txn, struct text_list *out);

/* stored_load_settings: the last good server settings. ERR_NOENT when there are none. settings_deinit them. */
int stored_load_settings(struct db *store, struct settings *out, struct err *err);

/* stored_note_time: it is that late for sure, whatever the clock says from now on. stored_find_time: the latest that
 * was noted; 0: none. */
int stored_note_time(struct db *store, int64_t unix_s, struct err *err);
int64_t stored_find_time(struct db_txn *txn);

/* stored_check_layout: marks a new store with the layout that this version writes, and brings one of a layout before
 * up to it; refuses any other with a sentence (ERR_CONFLICT). Once, before anything is read. */
int stored_check_layout(struct db *store, struct err *err);

/* stored_knows_file: was the store made from that file, among others? */
bool stored_knows_file(struct db *store, const char *path);

#endif

/* in_force: what is in force for all domains alike: the settings, the defaults, the includes and the presets. Taken
 * from a main file that is good, else from the store; written by a reload's transaction. */
#ifndef CONFIG_IN_FORCE_H
#define CONFIG_IN_FORCE_H

#include "../base/buf.h"
#include "settings.h"
#include "spec.h"

#include <stdbool.h>

struct db_txn;
struct err;
struct source;

/* Zeroed: none. */
struct in_force {
	struct settings settings;
	struct spec defaults; /* points into: */
	struct buf defaults_stored;
	bool is_changed;   /* something was written */
	bool is_all_dirty; /* … that reaches every row */
	bool is_all_owed;  /* the records of all domains are to be published, whether a row changes or not (outbox.h) */
};

/* in_force_take: main  what was read from the main file; NULL: it was not read, or cannot be used
 *                patterns  the includes that it names
 * in_force_deinit f in any case. 0, ERR_IO, ERR_NOMEM. */
int in_force_take(struct in_force *f, struct db_txn *txn, const struct source *main, const struct text_list *patterns,
		  struct err *err);
void in_force_deinit(struct in_force *f);

#endif

/* apply: what was loaded -> what is served: one transaction, or nothing.
 *
 * Merges the files that were read into the stored specs, finds the domains whose outcome may differ, and writes rows,
 * bodies, ids, ledger dates and problems for them. Domains that are refused keep what they had. */
#ifndef CONFIG_APPLY_H
#define CONFIG_APPLY_H

#include "load.h"
#include "problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_txn;
struct err;

struct apply_result {
	bool is_unfinished;        /* some file is to be looked at again, whether it changes or not */
	bool is_committed;         /* false: nothing differed, nothing was written */
	size_t domain_count;       /* rows now, withdrawn ones included */
	size_t changed_count;      /* rows that were written */
	size_t withdrawn_count;    /* domains that were withdrawn just now */
	size_t withdrawn_total;    /* … and all that are */
	size_t error_count;        /* problems in force */
	size_t held_count;         /* not 0: the domains of files that vanished and were let be */
	size_t vanished_count;     /* those that went with their files */
	size_t all_before;         /* … of so many */
	uint64_t retry_ms;         /* not 0: something was put off; come again after this time */
	struct problem_list fresh; /* errors that were not there before, and warnings about changes just made */
};

struct apply_how {
	int64_t now_unix_s;
	int64_t start_unix_s; /* of the server's run: serial ids go on from it (ids_serial_at); 0: of none */
	bool is_clock_unsure; /* see rows.h */
	bool is_cautious;     /* files that vanished with more than half of all domains are let be (vanish.h) */
	size_t vanished_before, all_before; /* of reloads lately: as what the result says of them, added up */
};

/* apply_run: all of it. A file that was rewritten in place and lost something (domains, bytes, its last line end, its
 * grammar) is put off until it has been quiet for MERGE_SETTLE_MS (merge.h): somebody may still be writing.
 * load       its problems grow by those between files, its lists of domains and policies are empty afterwards
 * out        apply_result_deinit it whatever is returned
 * returns    0; ERR_IO, ERR_NOMEM: nothing was changed */
int apply_run(struct db *store, struct load *load, const struct apply_how *how, struct apply_result *out,
	      struct err *err);

/* apply_read_changed: the same for changes that are known by name, after a run that was plain (load.h) and left nothing
 * unfinished. Returns, changed and out_is_enough as load_changed's. */
int apply_read_changed(struct db *store, const char *main_path, const struct text_list *changed, struct load *out,
		       bool *out_is_enough, struct err *err);

void apply_result_deinit(struct apply_result *r); /* accepts a zeroed one */

/* apply_read: load_run for a server: only files that differ from what the store was made from are read, and what cannot
 * be told from a broken main file comes from the store. The same returns as load_run. */
int apply_read(struct db *store, const char *main_path, struct load *out, struct err *err);

#endif

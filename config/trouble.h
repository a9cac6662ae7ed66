/* trouble: the errors of the configuration in force, in the store, so that `status` and /metrics can tell them and the
 * log tells each only once. Of a file (found while reading it) or of a domain (found while its values were put
 * together). */
#ifndef CONFIG_TROUBLE_H
#define CONFIG_TROUBLE_H

#include "../base/span.h"
#include "problem.h"

#include <stdint.h>

struct db_txn;
struct err;

enum { TROUBLE_FRESH_MAX = 1000 }; /* more than anybody reads in a log */

/* trouble_put_file: the errors among problems[from..] replace the file's former ones.
 * fresh        receives those that were not there before, up to TROUBLE_FRESH_MAX of them
 * out_changed  set to true when anything was written; otherwise untouched */
int trouble_put_file(struct db_txn *txn, uint32_t file_no, const struct problem_list *problems,
		     struct problem_list *fresh, bool *out_changed, struct err *err);

/* trouble_put_domain: the same for one domain; problems is usually empty. */
int trouble_put_domain(struct db_txn *txn, struct span domain, const struct problem_list *problems,
		       struct problem_list *fresh, bool *out_changed, struct err *err);

/* A stored problem: spans point into the map. */
struct trouble {
	char code[PROBLEM_CODE_BYTES];
	uint32_t line, column;
	struct span file, domain, text, hint;
};

/* trouble_each: all of them, those of files first, in order of place; those of domains by name. fn returns 0 to go on.
 */
typedef int trouble_fn(void *ctx, const struct trouble *t);
int trouble_each(struct db_txn *txn, trouble_fn *fn, void *ctx, struct err *err);

#endif

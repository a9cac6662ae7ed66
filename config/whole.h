/* whole: all files of a configuration together, in memory: for the command line, which has no store to put them into.
 *
 * The keeper does the same through apply.c; both ask outcome.c what becomes of a domain. */
#ifndef CONFIG_WHOLE_H
#define CONFIG_WHOLE_H

#include "load.h"
#include "outcome.h"
#include "problem.h"

#include <stdbool.h>
#include <stddef.h>

struct db_txn;

/* Where a name stands: which file's which entry. */
struct whole_name {
	size_t file, entry;
};

struct whole {
	struct load *load;
	const struct settings *settings; /* of the main file */
	struct spec defaults;
	struct whole_name *domains, *policies; /* sorted by name, each once */
	size_t domain_count, policy_count;
	bool *is_advised;       /* per policy: what is to be said about its values was said */
	struct db_txn *history; /* a store to compare with; NULL: none */
	int64_t now_unix_s;
};

/* whole_init: joins what load holds, which must outlive it. A name that two files have goes to problems; the first
 * file's counts. history: see above. 0 or ERR_NOMEM. */
int whole_init(struct whole *w, struct load *load, struct db_txn *history, int64_t now_unix_s,
	       struct problem_list *problems);
void whole_deinit(struct whole *w); /* accepts a zeroed one */

/* whole_find: the index of a domain in domains. */
bool whole_find(const struct whole *w, struct span domain, size_t *out);

/* whole_outcome: what becomes of domains[i]; not good when its entry was refused. Advice about a policy is given with
 * the first of the domains that have it and nothing else; about each it would be the same, at the same place. out:
 * initialised by the caller. 0, ERR_NOMEM, ERR_IO. */
int whole_outcome(const struct whole *w, size_t i, struct outcome *out, struct problem_list *problems);

struct span whole_domain(const struct whole *w, size_t i);

#endif

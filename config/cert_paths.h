/* cert_paths: the `cert` keys of domains, in the store beside the specs that hold them: few of a million domains have
 * one, and only those are looked at. */
#ifndef CONFIG_CERT_PATHS_H
#define CONFIG_CERT_PATHS_H

#include "../base/span.h"
#include "settings.h"

#include <stdbool.h>

struct db;
struct db_txn;
struct err;

/* cert_paths_put: the spec of a domain changes from old to news, both in their stored form; empty: there is none. To be
 * called before it does: the store moves what it handed out. */
int cert_paths_put(struct db_txn *txn, struct span domain, struct span old, struct span news, struct err *err);

/* cert_paths_add: the paths of all domains, each once, behind what list holds. */
int cert_paths_add(struct db *store, struct text_list *list, struct err *err);

/* cert_paths_collect: out of all specs, for a store that was written without. */
int cert_paths_collect(struct db_txn *txn, struct err *err);

#endif

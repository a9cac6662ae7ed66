/* known: the YAML files that the store was made from. Read once per reload, searched by path and by number. */
#ifndef CONFIG_KNOWN_H
#define CONFIG_KNOWN_H

#include "../base/file.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;

struct known_file {
	char *path;
	uint32_t no;
	bool is_unfinished; /* to be read again at the next reload, changed or not */
	struct file_id id;
	bool is_listed; /* the caller's mark */
};

struct known {
	struct known_file *files; /* sorted by path */
	size_t count, cap;
	const char **path_by_no; /* next_no entries; NULL: no such file */
	uint32_t next_no;
	uint32_t free_no;   /* no number below it is free */
	struct db_txn *txn; /* where the rest is; NULL: nothing is left there */
	bool is_numbered;   /* path_by_no has an entry for each number in use */
	unsigned search_count;
	int failed;              /* ERR_ of known_path */
	struct text_list others; /* paths that known_path had to look up */
};

/* known_load: all of DB_FILES. known_deinit it whatever is returned. */
int known_load(struct db_txn *txn, struct known *out, struct err *err);
/* known_load_some: just those of paths that are there; known_path and known_add look up the rest in txn. */
int known_load_some(struct db_txn *txn, const struct text_list *paths, struct known *out, struct err *err);

void known_deinit(struct known *k); /* accepts a zeroed one */

struct known_file *known_find(const struct known *k, const char *path);
const char *known_path(struct known *k, uint32_t no); /* "?" when there is none, or failed */

/* known_add: a file that is not there yet, with the lowest number that no file has; out is valid until the next add. */
int known_add(struct known *k, const char *path, struct known_file **out, struct err *err);

/* known_store: writes the row when it differs from what is stored. */
int known_store(struct db_txn *txn, const struct known_file *f, bool *out_changed, struct err *err);

#endif

/* import: trees of PEM files -> pairs in the store. What certbot, lego, acme.sh, dehydrated, uacme or Caddy leave.
 *
 * A file seen before is recognised by stat and not parsed again; a leaf that waits for its key, or a key for its
 * leaf, is read again only when the other half turns up.
 * Nothing that is half-written, mismatched, expired or unreadable displaces a good pair. */
#ifndef CERTS_IMPORT_H
#define CERTS_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct err;

/* One sentence per thing that is wrong with a file; path NUL-terminated ("" for a pair that we made); not kept.
 * is_error  false: works, but should be mended (leaf without chain, key readable by all, …) */
typedef void import_problem_fn(void *ctx, const char *path, bool is_error, const char *text);

/* import_dir_fn: told of every folder in which a change matters, so that it can be watched.
 * is_linked  false: it was walked. true: a symbolic link was followed to something in it, or it is where a path
 *            that is a file, or is missing, lies. With certbot those are as many again, and not needed. */
typedef void import_dir_fn(void *ctx, const char *dir, bool is_linked);

struct import {
	struct db *store;
	struct db *keyring;
	const char *const *paths; /* folders (walked recursively) or single files */
	size_t path_count;
	/* paths are some of many (a folder that changed, `cert import FILE`): what was seen elsewhere is left alone,
	 * and no pair is cleaned up. For trees whose full pass takes too long: 3 s for 100,000 pairs. */
	bool is_partial;
	int64_t now_unix_s;
	/* for each problem of each file that is not in good order, at every run, at its end; may use the store */
	import_problem_fn *on_problem;
	import_dir_fn *on_dir; /* during the walk; must not write to the store. NULL: nobody watches */
	void *ctx;
};

struct import_result {
	size_t file_count;   /* looked at */
	size_t parsed_count; /* read and parsed */
	size_t added_count;  /* pairs that were not there before */
	size_t removed_count;
	size_t pair_count; /* in the store now */
};

/* import_run: one pass over all paths: new keys into the keyring (committed first), then pairs, file rows and
 * clean-up in one transaction of the store, then imported keys that no pair needs out of the keyring. A pass that
 * finds nothing new writes nothing.
 * A pair whose file is gone, or holds another certificate now, stays until every one of its names has another pair
 * that is valid now, or it has expired for 30 days. So does one that has expired and is still in its file.
 * A path that does not exist is a problem, not a failure.
 * returns  0, ERR_NOMEM, ERR_IO (store: nothing changed) */
int import_run(const struct import *in, struct import_result *out, struct err *err);

#endif

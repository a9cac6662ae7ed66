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
 * look_at  NULL: it was walked; an entry that changes is to be looked at by itself. Else: a symbolic link was followed
 * to something in it, or it is where a path that is a file, or is missing, lies: whatever changes in it, look_at is to
 * be looked at. */
typedef void import_dir_fn(void *ctx, const char *dir, const char *look_at);

struct import {
	struct db *store;
	struct db *keyring;
	const char *const *paths; /* folders (walked recursively) or single files */
	size_t path_count;
	/* paths are files and folders below those of a full pass, in which something changed: what was seen elsewhere
	 * is left alone, and stands in where a pair's other half is missing, or its last file is gone. Pairs that have
	 * expired, keys that no pair needs any more, and paths of more than DB_KEY_MAX_BYTES are left to a full pass.
	 */
	bool is_partial;
	int64_t now_unix_s;
	bool is_clock_unsure; /* nothing goes for having expired long ago */
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

/* import_run: one pass over all paths: new keys into the keyring (committed first), then pairs and file rows into the
 * store, some thousand files at a time; at the end clean-up, then imported keys that no pair needs out of the keyring.
 * A pass that finds nothing new writes nothing; one that fails leaves what it has committed, and the next goes on.
 * A pair whose file is gone, or holds another certificate now, stays until every one of its names has another pair
 * that is valid now, or it has expired for 30 days. So does one that has expired and is still in its file.
 * A path that does not exist is a problem, not a failure.
 * returns  0, ERR_NOMEM, ERR_IO */
int import_run(const struct import *in, struct import_result *out, struct err *err);

#endif

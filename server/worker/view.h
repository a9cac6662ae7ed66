/* view: what a worker sees of the store and the keyring: two read transactions, renewed for each look-up.
 *
 * A look-up sees the newest commit, and holds it no longer than the callback that makes it (DESIGN.md 2). */
#ifndef WORKER_VIEW_H
#define WORKER_VIEW_H

#include "../../base/span.h"
#include "pair_cache.h"

#include <stdint.h>

struct db;
struct db_txn;
struct err;
struct mbed_pair;

struct view {
	struct db *store, *keyring;
	struct db_txn *store_txn, *keyring_txn;
	struct pair_cache pairs;
};

enum view_result {
	VIEW_FOUND,
	VIEW_NO_DOMAIN,
	VIEW_NO_PAIR, /* the domain is served, but has no certificate */
	VIEW_FAILED,  /* the store could not be read or used; counted in M_STORE_ERRORS */
	VIEW_NOMEM,
};

/* view_open: "store" and "keyring" below state_dir. Returns 0 or db_open's code. */
int view_open(struct view *v, const char *state_dir, struct err *err);
void view_close(struct view *v); /* accepts a zeroed one, and what view_open left when it failed */

/* view_find_pairs: what to serve host with, whether valid or not: at least one of *out_ec and *out_rsa (the
 * caller calls mbed_pair_free; others may have the same ones).
 * host     in the form of name.h */
enum view_result view_find_pairs(struct view *v, struct span host, int64_t now_unix_s, struct mbed_pair **out_ec,
				 struct mbed_pair **out_rsa);

/* view_begin/view_end: around view_find_body and whatever is done with its bytes. */
enum view_result view_begin(struct view *v);
void view_end(struct view *v);

/* view_find_body: the policy of host, valid until view_end. VIEW_FOUND, VIEW_NO_DOMAIN, VIEW_FAILED. */
enum view_result view_find_body(struct view *v, struct span host, struct span *out);

/* view_find_settings: the stored form of the server keys (config/settings_table.h), as valid.
 * VIEW_NO_DOMAIN: there is none yet. */
enum view_result view_find_settings(struct view *v, struct span *out);

#endif

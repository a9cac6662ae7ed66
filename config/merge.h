/* merge: the files that were read -> the specs in the store, and which domains that touches. apply.c's first half. */
#ifndef CONFIG_MERGE_H
#define CONFIG_MERGE_H

#include "../base/buf.h"
#include "../base/span.h"
#include "spec.h"
#include "vanish.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;
struct known;
struct load;

/* A person's pause between two writes of a file; still within the 2 s in which a change is to be live. */
enum { MERGE_SETTLE_MS = 1500 };

struct merge {
	struct db_txn *txn;
	struct known *known;
	struct load *load;
	bool *is_put_off;    /* per file of load */
	bool *has_conflict;  /* per file of load: it wants a name that another file has */
	uint64_t retry_ms;   /* not 0: something was put off */
	struct buf dirty;    /* domains whose spec came, went or changed: packed names (spec.h) */
	struct buf policies; /* named policies that came, went or changed: packed names */
	struct buf orphan_domains, orphan_policies; /* whose file lost them: packed names */
	bool is_changed;                            /* something was written */
	bool is_cautious;                           /* set by the caller after merge_begin, as what goes into vanish: */
	struct vanish vanish;                       /* files that vanished */
	bool is_held;                               /* … were let be */
};

/* merge_begin: decides which files are put off (see apply.h) and numbers new ones. now_ns: clock_file_ns. */
int merge_begin(struct merge *m, struct db_txn *txn, struct known *known, struct load *load, int64_t now_ns,
		struct err *err);
void merge_end(struct merge *m); /* accepts a zeroed one */

bool merge_has_changed_policies(const struct merge *m);

/* merge_files: what vanished first, then what is new: a domain may move from one file to another. */
int merge_files(struct merge *m, struct err *err);

/* fn may write to any table but DB_SPECS; the name is the callee's during the call. */
typedef int merge_domain_fn(void *ctx, struct span domain, struct err *err);
int merge_each_dirty(struct merge *m, merge_domain_fn *fn, void *ctx, struct err *err);

/* merge_each_spec: every domain that has a spec, or (is_all false) those whose policy changed, in the order of names.
 * stored  what is written for it (spec.h); the callee's during the call, as the name is */
typedef int merge_spec_fn(void *ctx, struct span domain, uint32_t file_no, struct span stored, struct err *err);
int merge_each_spec(struct merge *m, bool is_all, const struct spec *defaults, merge_spec_fn *fn, void *ctx,
		    struct err *err);

#endif

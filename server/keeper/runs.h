/* runs: how the operator's hook has fared, in the store: for `status`, and so that a hook that keeps failing is not run
 * the sooner for a restart. */
#ifndef KEEPER_RUNS_H
#define KEEPER_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;

enum { RUNS_TEXT_BYTES = 512 };

struct runs {
	int64_t done_unix_s;    /* the last one that published something; 0: none yet */
	int64_t failed_unix_s;  /* the last one that failed; 0: none yet */
	uint32_t failure_count; /* since then, in a row */
	size_t text_len;
	char text[RUNS_TEXT_BYTES]; /* why the last one failed, in words: a sentence of ours, then the end of its output
				     */
};

/* runs_load: zeroed when there were none yet, or what the store holds is another version's. 0 or ERR_IO. */
int runs_load(struct db_txn *txn, struct runs *out);
int runs_store(struct db_txn *txn, const struct runs *r, struct err *err);

#endif

/* runs: how the operator's hook has fared, in the store: for `status`, and so that a hook that keeps failing is not run
 * the sooner for a restart. */
#ifndef KEEPER_RUNS_H
#define KEEPER_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child_result;
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

enum { RUNS_PAUSE_MAX_S = 300 }; /* between runs while all of them fail */

/* runs_count_failure: one more in a row. is_alone: of a domain that goes alone for having failed before. While others
 * do not fail that is no reason to think ill of the hook, and is not counted. */
void runs_count_failure(struct runs *r, bool is_alone);

/* runs_pause_s: how long to wait after the last failure. */
uint32_t runs_pause_s(const struct runs *r, uint32_t random);

/* runs_render_failure: text, of a run that did not end well. */
void runs_render_failure(struct runs *r, const struct child_result *result, uint64_t timeout_ms);

/* runs_load: zeroed when there were none yet, or what the store holds is another version's. 0 or ERR_IO. */
int runs_load(struct db_txn *txn, struct runs *out);
int runs_store(struct db_txn *txn, const struct runs *r, struct err *err);

#endif

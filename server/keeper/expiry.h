/* expiry: how the domains stand with their certificates, as gauges and one warning a day, and how many of them stay in
 * mode testing.
 *
 * Many domains are looked at in slices between which the loop turns: nobody waits for it. */
#ifndef KEEPER_EXPIRY_H
#define KEEPER_EXPIRY_H

#include "../../base/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct db;

/* What a round has found so far. */
struct expiry_tally {
	size_t withheld_count, soon_count, testing_count;
	int64_t min_not_after_unix_s; /* 0: none */
	char withheld_example[NAME_MAX_BYTES + 1], soon_example[NAME_MAX_BYTES + 1],
		testing_example[NAME_MAX_BYTES + 1];
};

struct expiry {
	struct db *store;
	uv_timer_t slice_timer;
	size_t domain_count;   /* as told last */
	uint64_t last_ms;      /* clock_mono_ms when the last round began; 0: none yet */
	int64_t warned_unix_s; /* when the log was last told */
	size_t withheld_count; /* what it was told then */
	size_t testing_count;  /* W12: what it was told last */
	bool has_handle;
	bool is_under_way, is_asked_again; /* a round; and for another one meanwhile */
	int64_t now_unix_s;                /* when it began */
	struct expiry_tally tally;
	char at[NAME_MAX_BYTES]; /* the domain that was looked at last */
	size_t at_len;
};

/* expiry_open: nothing is looked at before expiry_run. expiry_close: the handle is closed in the loop; a round that is
 * under way is not ended. Accepts a zeroed one. */
void expiry_open(struct expiry *s, uv_loop_t *loop, struct db *store);
void expiry_close(struct expiry *s);

/* expiry_run: looks at every domain, at the first thousands before it returns; a table of more than 20,000 at most
 * every ten minutes. A round that is under way goes on first. */
void expiry_run(struct expiry *s, size_t domain_count);

#endif

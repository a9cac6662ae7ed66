/* recheck: records that were made of the store a while ago, beside what the store and the server say by now: for who
 * waits for the DNS in between. What was published meanwhile must not be replaced by what was true before. */
#ifndef CMD_RECHECK_H
#define CMD_RECHECK_H

#include "../../base/buf.h"
#include "../keeper/offer.h"

#include <stdint.h>

struct context;
struct err;

struct recheck {
	struct context *context;
	struct buf settings; /* as stored at first; empty: there were none */
	struct offer offer;
	uint64_t looked_ms; /* when at the server */
};

/* recheck_init: context has a snapshot, and outlives it. ERR_NOMEM, ERR_IO. */
int recheck_init(struct recheck *r, struct context *context, struct err *err);
void recheck_deinit(struct recheck *r); /* accepts a zeroed one */

/* recheck_renew: takes the newest snapshot for w, whose txn was reset, and looks at clock and server again.
 * returns  0; ERR_CONFLICT: w's settings are no longer those in force; ERR_NOMEM, ERR_IO */
int recheck_renew(struct recheck *r, struct offer_world *w, struct err *err);

/* recheck_set: are these still all records of s->domain that there are in w? 0; ERR_NOENT: no; ERR_NOMEM, ERR_IO. */
int recheck_set(struct recheck *r, const struct offer_world *w, const struct record_set *s, struct err *err);

#endif

/* expiry: how the domains stand with their certificates, as gauges and one warning a day. */
#ifndef KEEPER_EXPIRY_H
#define KEEPER_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

struct db;

struct expiry {
	uint64_t last_ms;      /* clock_mono_ms of the last one; 0: none yet */
	int64_t warned_unix_s; /* when the log was last told */
	size_t withheld_count; /* what it was told then */
};

/* expiry_run: looks at every domain; a table of more than 20,000 at most every ten minutes, since it costs 2 µs each.
 */
void expiry_run(struct expiry *s, struct db *store, size_t domain_count);

#endif

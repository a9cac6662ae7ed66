/* flood: what many connections at once leave behind, and the allocator and the TLS library would keep for ever, in
 * every worker: given back when they have gone. It counts nothing itself. */
#ifndef WORKER_FLOOD_H
#define WORKER_FLOOD_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed at first. */
struct flood {
	size_t most_count; /* of what flood_rise was given, since flood_fall was given 0 */
	bool has_given_back, is_engine_down;
};

/* flood_rise, flood_fall: so many connections there are, without those that only linger, now that one has come or gone.
 * Where flood_fall is given 0, nobody may hold an engine. */
void flood_rise(struct flood *f, size_t count);
void flood_fall(struct flood *f, size_t count);

/* flood_has_engine: is the TLS library there? flood_fall may not have had the memory for it; then this tries again. */
bool flood_has_engine(struct flood *f);

#endif

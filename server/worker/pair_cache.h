/* pair_cache: chains and keys that were parsed lately, ready for the next handshake with the same pair.
 *
 * What is served is still looked up in the store for every handshake; this only saves parsing it again, and each
 * connection a copy of its own. */
#ifndef WORKER_PAIR_CACHE_H
#define WORKER_PAIR_CACHE_H

#include "../../base/sha256.h"
#include "../../base/span.h"

#include <stddef.h>
#include <stdint.h>

struct mbed_pair;

enum { PAIR_CACHE_MAX_COUNT = 64 }; /* of about 8 KiB each */

struct pair_cache_entry {
	uint8_t id[SHA256_BYTES];
	struct mbed_pair *pair; /* NULL: free */
	uint64_t used;          /* the cache's count of uses at its last one */
};

/* Zeroed: empty. */
struct pair_cache {
	struct pair_cache_entry entries[PAIR_CACHE_MAX_COUNT];
	uint64_t uses;
};

/* pair_cache_find: one owner more of the pair with this id and this very chain (the same leaf may have come back with
 * other intermediates); the caller calls mbed_pair_free. NULL: parse it. */
struct mbed_pair *pair_cache_find(struct pair_cache *cache, const uint8_t id[SHA256_BYTES], struct span chain_der);

/* pair_cache_add: one owner more of pair, in the place of the one with this id, or of the one that was used least
 * recently. */
void pair_cache_add(struct pair_cache *cache, const uint8_t id[SHA256_BYTES], struct mbed_pair *pair);

void pair_cache_clear(struct pair_cache *cache); /* accepts a zeroed one */

#endif

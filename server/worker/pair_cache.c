#include "pair_cache.h"

#include "../../certs/mbed.h"

#include <string.h>

/* find: by looking at all: a few dozen comparisons cost less than what one handshake hashes. */
static struct pair_cache_entry *find(struct pair_cache *cache, const uint8_t id[SHA256_BYTES])
{
	for (size_t i = 0; i < PAIR_CACHE_MAX_COUNT; i++) {
		struct pair_cache_entry *e = &cache->entries[i];
		if (e->pair && memcmp(e->id, id, SHA256_BYTES) == 0)
			return e;
	}
	return NULL;
}

/* least_used: a free one is one that was never used. */
static struct pair_cache_entry *least_used(struct pair_cache *cache)
{
	struct pair_cache_entry *least = &cache->entries[0];
	for (size_t i = 1; i < PAIR_CACHE_MAX_COUNT; i++)
		if (cache->entries[i].used < least->used)
			least = &cache->entries[i];
	return least;
}

struct mbed_pair *pair_cache_find(struct pair_cache *cache, const uint8_t id[SHA256_BYTES], struct span chain_der)
{
	struct pair_cache_entry *e = find(cache, id);
	if (!e || !mbed_pair_is_chain(e->pair, chain_der))
		return NULL;
	e->used = ++cache->uses;
	return mbed_pair_share(e->pair);
}

void pair_cache_add(struct pair_cache *cache, const uint8_t id[SHA256_BYTES], struct mbed_pair *pair)
{
	struct pair_cache_entry *e = find(cache, id);
	if (!e)
		e = least_used(cache);
	mbed_pair_free(e->pair);
	memcpy(e->id, id, SHA256_BYTES);
	e->pair = mbed_pair_share(pair);
	e->used = ++cache->uses;
}

void pair_cache_clear(struct pair_cache *cache)
{
	for (size_t i = 0; i < PAIR_CACHE_MAX_COUNT; i++)
		mbed_pair_free(cache->entries[i].pair);
	*cache = (struct pair_cache){0};
}

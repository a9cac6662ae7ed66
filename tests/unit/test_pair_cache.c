#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pem.h"
#include "../../certs/pkey.h"
#include "../../server/worker/pair_cache.h"
#include "fixture.h"
#include "unit.h"

static struct pem_file file;
static struct span chain;

static int start(void **state)
{
	(void)state;
	struct buf b = fixture("leaf.pem int1.pem leaf.key");
	int rc = mbed_start(NULL);
	if (rc == 0)
		rc = pem_parse(buf_span(&b), &file, NULL);
	buf_deinit(&b);
	chain = buf_span(&file.chains[0].der);
	return rc;
}

static int stop(void **state)
{
	(void)state;
	pem_deinit(&file);
	mbed_stop();
	return 0;
}

/* add: a fresh pair under an id that begins with number; the cache is its only owner afterwards. */
static struct mbed_pair *add(struct pair_cache *cache, uint32_t number)
{
	uint8_t id[SHA256_BYTES] = {0};
	struct mbed_pair *pair;
	memcpy(id, &number, sizeof number);
	assert_int_equal(mbed_pair_new(&pair, chain, buf_span(&file.keys[0].der), NULL), 0);
	pair_cache_add(cache, id, pair);
	mbed_pair_free(pair);
	return pair;
}

static struct mbed_pair *find(struct pair_cache *cache, uint32_t number, struct span chain_der)
{
	uint8_t id[SHA256_BYTES] = {0};
	memcpy(id, &number, sizeof number);
	return pair_cache_find(cache, id, chain_der);
}

static void test_pair_cache_gives_the_same_pair_again(void **state)
{
	(void)state;
	struct pair_cache cache = {0};
	assert_null(find(&cache, 1, chain));
	struct mbed_pair *pair = add(&cache, 1);
	assert_null(find(&cache, 2, chain));
	struct mbed_pair *first = find(&cache, 1, chain), *second = find(&cache, 1, chain);
	assert_ptr_equal(first, pair);
	assert_ptr_equal(second, pair);
	mbed_pair_free(second);
	pair_cache_clear(&cache);
	assert_true(mbed_pair_is_chain(first, chain)); /* a handshake goes on with what it has */
	mbed_pair_free(first);
}

/* The leaf names a pair; its intermediates may have been replaced. */
static void test_pair_cache_looks_at_the_whole_chain(void **state)
{
	(void)state;
	struct pair_cache cache = {0};
	struct buf other;
	uint32_t leaf_len;
	memcpy(&leaf_len, chain.p, sizeof leaf_len);
	buf_init(&other, 65536);
	(void)add(&cache, 1);
	assert_null(find(&cache, 1, (struct span){chain.p, sizeof leaf_len + leaf_len}));
	assert_null(find(&cache, 1, (struct span){chain.p, 0}));
	assert_null(find(&cache, 1, (struct span){chain.p, chain.len - 1}));
	assert_int_equal(buf_add_span(&other, chain), 0);
	other.p[other.len - 1] ^= 1;
	assert_null(find(&cache, 1, buf_span(&other)));
	other.p[other.len - 1] ^= 1;
	assert_int_equal(buf_add_span(&other, chain), 0);
	assert_null(find(&cache, 1, buf_span(&other)));
	struct mbed_pair *newer = add(&cache, 1), *found = find(&cache, 1, chain); /* in its place, not beside it */
	assert_ptr_equal(found, newer);
	mbed_pair_free(found);
	buf_deinit(&other);
	pair_cache_clear(&cache);
}

static void test_pair_cache_drops_the_least_used(void **state)
{
	(void)state;
	struct pair_cache cache = {0};
	for (uint32_t i = 0; i < PAIR_CACHE_MAX_COUNT; i++)
		(void)add(&cache, i);
	mbed_pair_free(find(&cache, 0, chain));
	struct mbed_pair *held = find(&cache, 1, chain);
	for (uint32_t i = 2; i < PAIR_CACHE_MAX_COUNT; i++)
		mbed_pair_free(find(&cache, i, chain));
	(void)add(&cache, 1000); /* for 0 */
	(void)add(&cache, 1001); /* for 1, which a handshake still has */
	assert_null(find(&cache, 0, chain));
	assert_null(find(&cache, 1, chain));
	for (uint32_t i = 2; i < PAIR_CACHE_MAX_COUNT; i++) {
		struct mbed_pair *pair = find(&cache, i, chain);
		assert_non_null(pair);
		mbed_pair_free(pair);
	}
	assert_true(mbed_pair_is_chain(held, chain));
	mbed_pair_free(held);
	pair_cache_clear(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_cache_gives_the_same_pair_again),
		cmocka_unit_test(test_pair_cache_looks_at_the_whole_chain),
		cmocka_unit_test(test_pair_cache_drops_the_least_used),
	};
	return cmocka_run_group_tests_name("pair_cache", tests, start, stop);
}

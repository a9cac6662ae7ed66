/* world: a store with three domains, of which two have a certificate, as a worker sees it; and the same random numbers
 * for every input. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/pem.h"
#include "../../certs/selfca.h"
#include "../../config/bodies.h"
#include "../../config/domains.h"
#include "../../server/worker/tls.h"
#include "../../server/worker/view.h"
#include "../unit/store_dir.h"
#include "fuzz.h"

#include <mbedtls/entropy.h>
#include <string.h>
#include <sys/random.h>

#define WORLD_NOW_UNIX_S INT64_C(1780272000)

enum { WORLD_A, WORLD_B, WORLD_BARE, WORLD_DOMAIN_COUNT };

static struct {
	struct view view;
	struct tls_config *tls;
	struct buf leaf[WORLD_DOMAIN_COUNT]; /* DER; empty: no certificate */
} world;

static const struct {
	const char *domain, *host, *body;
} world_domains[WORLD_DOMAIN_COUNT] = {
	{"a.example", "mta-sts.a.example",
	 "version: STSv1\r\nmode: enforce\r\nmx: mx.of-a.example\r\nmax_age: 604800\r\n"},
	{"b.example", "mta-sts.b.example",
	 "version: STSv1\r\nmode: testing\r\nmx: mx.of-b.example\r\nmax_age: 86400\r\n"},
	{"bare.example", "mta-sts.bare.example", "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"},
};

/* --- random numbers --- */

static uint32_t world_seed = 1;

static void world_fill(unsigned char *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(fuzz_random(&world_seed) >> 11);
}

/* Instead of libc's, which mbed_random asks. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	(void)flags;
	world_fill(out, len);
	return (ssize_t)len;
}

/* Instead of the library's, which seeds PSA's generator. */
int mbedtls_platform_entropy_poll(void *ctx, unsigned char *out, size_t len, size_t *out_len)
{
	(void)ctx;
	world_fill(out, len);
	*out_len = len;
	return 0;
}

/* world_begin: before every input. */
static inline void world_begin(void)
{
	mbed_stop();
	world_seed = 1;
	insist(mbed_start(NULL) == 0);
	clock_set_fake(0, WORLD_NOW_UNIX_S);
}

/* --- the store --- */

static inline void world_put_domain(struct db *store, size_t i)
{
	struct db_txn *txn;
	struct domain_row row = {.mode = POLICY_ENFORCE, .max_age_s = 604800, .id = "1"};
	struct span body = span_of(world_domains[i].body);
	struct buf stored;
	buf_init(&stored, 4096);
	sha256_of(body, row.body);
	insist(domains_encode(&row, &stored) == 0);
	insist(db_begin_write(store, &txn, NULL) == 0);
	insist(bodies_take(txn, row.body, body, NULL) == 0);
	insist(db_put(txn, DB_DOMAINS, span_of(world_domains[i].domain), buf_span(&stored), NULL) == 0);
	insist(db_commit(txn, NULL) == 0);
	buf_deinit(&stored);
}

/* Each host with a CA, and so a key, of its own. */
static inline void world_put_pair(struct db *store, struct db *keyring, size_t i)
{
	struct selfca *ca;
	struct db_txn *txn;
	struct pem_file file;
	struct buf pem;
	struct span host = span_of(world_domains[i].host), der, chain;
	bool is_changed;
	buf_init(&pem, 65536);
	insist(selfca_new(&ca, WORLD_NOW_UNIX_S, NULL) == 0);
	insist(selfca_issue(ca, &host, 1, WORLD_NOW_UNIX_S, &pem, NULL) == 0 &&
	       pem_parse(buf_span(&pem), &file, NULL) == 0);
	insist(db_begin_write(keyring, &txn, NULL) == 0);
	insist(keyring_put(txn, &file.keys[0], KEYRING_IMPORTED, NULL) == 0 && db_commit(txn, NULL) == 0);
	insist(db_begin_write(store, &txn, NULL) == 0);
	insist(pairs_put(txn, &file.chains[0], SPAN_LIT("test"), &is_changed, NULL) == 0 && db_commit(txn, NULL) == 0);
	chain = buf_span(&file.chains[0].der);
	buf_init(&world.leaf[i], 65536);
	insist(mbed_chain_next(&chain, &der) == 0 && buf_add_span(&world.leaf[i], der) == 0);
	pem_deinit(&file);
	buf_deinit(&pem);
	selfca_free(ca);
}

static inline void world_deinit(void)
{
	tls_config_free(world.tls);
	view_close(&world.view);
	for (size_t i = 0; i < WORLD_DOMAIN_COUNT; i++)
		buf_deinit(&world.leaf[i]);
	mbed_stop();
}

/* world_init: once per process. The folder is gone again when it returns: LMDB holds the files open. */
static inline void world_init(void)
{
	struct store_dir dir;
	world_begin();
	store_dir_open(&dir);
	for (size_t i = 0; i < WORLD_DOMAIN_COUNT; i++)
		world_put_domain(dir.store, i);
	for (size_t i = 0; i < WORLD_BARE; i++)
		world_put_pair(dir.store, dir.keyring, i);
	world.view = (struct view){.store = dir.store, .keyring = dir.keyring};
	insist(db_begin_read(dir.store, &world.view.store_txn, NULL) == 0);
	insist(db_begin_read(dir.keyring, &world.view.keyring_txn, NULL) == 0);
	db_reset(world.view.store_txn);
	db_reset(world.view.keyring_txn);
	insist(tls_config_new(&world.tls, NULL) == 0);
	(void)nftw(dir.path, store_dir_remove, 16, FTW_DEPTH | FTW_PHYS);
	(void)atexit(world_deinit);
}

#endif

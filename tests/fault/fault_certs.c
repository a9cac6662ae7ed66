/* Certificates: what is taken in from files, and what we make ourselves. */
#include "../../base/clock.h"
#include "../../base/file.h"
#include "../../base/sha256.h"
#include "../../certs/import.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/selfca.h"
#include "../../server/keeper/dev.h"
#include "../unit/fixture.h"
#include "fault.h"
#include "stores.h"

#include <inttypes.h>
#include <unistd.h>

enum { NOW_UNIX_S = 1780272000, DAY_S = 86400 };

static void open_stores(void)
{
	struct err err;
	clock_set_fake(1000, NOW_UNIX_S);
	stores_open();
	fault_must(mbed_start(&err), &err);
}

static void close_stores(void)
{
	mbed_stop();
	stores_close();
}

/* --- import: some files come, one is renewed, one goes, some are no good --- */

static void put(const char *name, const char *fixtures)
{
	char path[256];
	struct err err;
	struct buf b = fixture(fixtures);
	fault_must(file_write(fault_path(fault_site, name, path), buf_span(&b), 0600, &err), &err);
	buf_deinit(&b);
}

static void on_problem(void *ctx, const char *path, bool is_error, const char *text)
{
	(void)ctx;
	(void)path;
	(void)is_error;
	(void)text;
}

static int import_paths(const char *const *paths, size_t count, bool is_partial, int64_t now_unix_s, struct err *err)
{
	struct import_result result;
	struct import in = {
		.store = store,
		.keyring = keyring,
		.paths = paths,
		.path_count = count,
		.is_partial = is_partial,
		.now_unix_s = now_unix_s,
		.on_problem = on_problem,
	};
	return import_run(&in, &result, err);
}

static int import_at(int64_t now_unix_s, struct err *err)
{
	const char *const paths[] = {fault_site};
	return import_paths(paths, 1, false, now_unix_s, err);
}

static void prepare_import(void)
{
	char path[256];
	struct err err = {0};
	open_stores();
	put("a.pem", "leaf.pem leaf.key");
	put("gone.pem", "wildcard.pem leaf.key");
	put("hundred.pem", "hundred_names.pem leaf.key");
	fault_must(import_at(NOW_UNIX_S, &err), &err);
	put("a.pem", "leaf_renewed.pem int1.pem int2.pem leaf.key");
	put("rsa.pem", "rsa2048.pem");
	put("rsa.key", "rsa2048.key");
	put("p384.pem", "p384.pem p384.key");
	put("wrong.pem", "leaf_encrypted.key no_san.pem");
	put("half.pem", "ec_parameters.pem");
	(void)unlink(fault_path(fault_site, "gone.pem", path));
	close_stores();
}

static int import(struct err *err)
{
	return import_at(NOW_UNIX_S + DAY_S, err);
}

/* rsa.key is not looked at: its row is what is known of it */
static int import_part(struct err *err)
{
	char a[256], rsa[256], gone[256];
	const char *const paths[] = {fault_path(fault_site, "a.pem", a), fault_path(fault_site, "rsa.pem", rsa),
				     fault_path(fault_site, "gone.pem", gone)};
	return import_paths(paths, 3, true, NOW_UNIX_S + DAY_S, err);
}

static void prepare_import_part(void)
{
	char path[256];
	struct err err = {0};
	open_stores();
	put("a.pem", "leaf.pem leaf.key");
	put("gone.pem", "wildcard.pem leaf.key");
	put("rsa.key", "rsa2048.key");
	fault_must(import_at(NOW_UNIX_S, &err), &err);
	put("a.pem", "leaf_renewed.pem int1.pem int2.pem leaf.key");
	put("rsa.pem", "rsa2048.pem");
	(void)unlink(fault_path(fault_site, "gone.pem", path));
	close_stores();
}

/* Names with the pairs that they would be served with, and that both halves are there. */
static void served_pairs(struct buf *out)
{
	struct db_txn *txn = stores_begin(store), *keys = stores_begin(keyring);
	struct pair p;
	struct span key;
	uint8_t last[SHA256_BYTES];
	const uint8_t *after = NULL;
	while (pairs_next(txn, after, &p) == 0) {
		char id[2 * SHA256_BYTES + 1];
		memcpy(last, p.id, sizeof last);
		after = last;
		sha256_hex(p.id, id);
		if (keyring_get(keys, p.spki, &key) != 0)
			fault_fail("%s has no key", id);
		(void)buf_printf(out, "\f%s %zu\n", id, p.cert_count);
	}
	db_end(keys);
	db_end(txn);
}

static const struct fault fault_import = {
	.name = "import",
	.run_max = 110,
	.has_entries = true,
	.prepare = prepare_import,
	.open = open_stores,
	.act = import,
	.served = served_pairs,
	.close = close_stores,
};

static const struct fault fault_import_part = {
	.name = "import_part",
	.run_max = 110,
	.has_entries = true,
	.prepare = prepare_import_part,
	.open = open_stores,
	.act = import_part,
	.served = served_pairs,
	.close = close_stores,
};

/* --- dev: a throw-away CA, and a certificate for every host that has none --- */

static struct selfca *ca;

static void put_domain(const char *name)
{
	static const char body[] = "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n";
	struct err err;
	struct db_txn *txn;
	struct domain_row row = {.mode = POLICY_NONE, .max_age_s = 86400, .id = "1"};
	struct buf stored;
	sha256_of(span_of(body), row.body);
	buf_init(&stored, 4096);
	fault_must(domains_encode(&row, &stored), &err);
	fault_must(db_begin_write(store, &txn, &err), &err);
	fault_must(bodies_take(txn, row.body, span_of(body), &err), &err);
	fault_must(db_put(txn, DB_DOMAINS, span_of(name), buf_span(&stored), &err), &err);
	fault_must(db_commit(txn, &err), &err);
	buf_deinit(&stored);
}

static void prepare_dev(void)
{
	open_stores();
	put_domain("a.example");
	put_domain("b.example");
	close_stores();
}

static int dev(struct err *err)
{
	char path[256];
	int rc = 0;
	if (!ca)
		rc = dev_start(&ca, store, keyring, fault_path(fault_dir, "ca.pem", path), NOW_UNIX_S, err);
	return rc ? rc : dev_issue(ca, store, keyring, NOW_UNIX_S, err);
}

/* Keys are random: which hosts have a pair is all that can be compared. */
static void served_hosts(struct buf *out)
{
	static const char *const hosts[] = {"mta-sts.a.example", "mta-sts.b.example"};
	struct db_txn *txn = stores_begin(store), *keys = stores_begin(keyring);
	for (size_t i = 0; i < 2; i++) {
		struct pair_choice choice;
		struct span key;
		if (pairs_find(txn, span_of(hosts[i]), NOW_UNIX_S, &choice) != 0)
			continue;
		if (keyring_get(keys, choice.ec.spki, &key) != 0)
			fault_fail("%s has a certificate without key", hosts[i]);
		(void)buf_printf(out, "%s\n", hosts[i]);
	}
	db_end(keys);
	db_end(txn);
}

static void close_dev(void)
{
	selfca_free(ca);
	ca = NULL;
	close_stores();
}

static const struct fault fault_dev = {
	.name = "dev",
	.run_max = 60,
	.prepare = prepare_dev,
	.open = open_stores,
	.act = dev,
	.served = served_hosts,
	.close = close_dev,
};

int main(int argc, char **argv)
{
	static const struct fault *const faults[] = {&fault_import, &fault_import_part, &fault_dev};
	return fault_main(faults, sizeof faults / sizeof *faults, argc, argv);
}

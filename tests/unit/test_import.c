#include "../../base/buf.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../certs/holders.h"
#include "../../certs/import.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/selfca.h"
#include "fixture.h"
#include "store_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define NOW FIXTURE_NOW_UNIX_S
#define HOST "mta-sts.example.com"

enum { DAY_S = 86400 };

static struct store_dir dir;
static struct selfca *ca_a, *ca_b; /* each with a key of its own for its leaves */
static struct import_result result;
static struct buf said; /* "E:path: text\n" or "W:…" of the last run; path below the tree */
static struct buf dirs; /* "path\n" of the last run; "~path > what is to be looked at\n" for linked ones */
static char root[96];

/* ---- a tree of files ---- */

static const char *in_tree(const char *name)
{
	static char path[2][4096];
	static unsigned turn;
	char *p = path[turn++ % 2];
	(void)snprintf(p, 4096, "%s/%s", root, name);
	return p;
}

static void make_dir_of(const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s", in_tree(name));
	*strrchr(path, '/') = '\0';
	assert_int_equal(file_make_dirs(path, 0700, NULL), 0);
}

static void write_bytes(const char *name, struct span bytes)
{
	make_dir_of(name);
	assert_int_equal(file_write(in_tree(name), bytes, 0600, NULL), 0);
}

static void write_fixture(const char *name, const char *fixtures)
{
	struct buf b = fixture(fixtures);
	write_bytes(name, buf_span(&b));
	buf_deinit(&b);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, span_of(text));
}

static void link_to(const char *name, const char *target)
{
	char tmp[96];
	make_dir_of(name);
	(void)snprintf(tmp, sizeof tmp, "%s.new-link", dir.path);
	(void)unlink(tmp);
	assert_int_equal(symlink(target, tmp), 0);
	assert_int_equal(rename(tmp, in_tree(name)), 0);
}

static void drop(const char *name)
{
	assert_int_equal(unlink(in_tree(name)), 0);
}

/* a certificate of ca for HOST, issued at a time; where NULL is given for one of the files, it is not written */
static void issue(struct selfca *ca, int64_t at_unix_s, const char *cert_name, const char *key_name)
{
	const struct span name = SPAN_LIT(HOST);
	struct buf b;
	buf_init(&b, 1 << 16);
	assert_int_equal(selfca_issue(ca, &name, 1, at_unix_s, &b, NULL), 0);
	const char *key = strstr(buf_text(&b), "-----BEGIN EC PRIVATE KEY");
	size_t chain_len = (size_t)(key - b.p);
	if (cert_name)
		write_bytes(cert_name, (struct span){b.p, chain_len});
	if (key_name)
		write_bytes(key_name, (struct span){key, b.len - chain_len});
	buf_deinit(&b);
}

/* ---- runs ---- */

static const char *below_root(const char *path)
{
	size_t len = strlen(root);
	return strncmp(path, root, len) == 0 ? path + len + (path[len] == '/') : path;
}

static void on_problem(void *ctx, const char *path, bool is_error, const char *text)
{
	(void)ctx;
	(void)buf_printf(&said, "%c:%s: %s\n", is_error ? 'E' : 'W', below_root(path), text);
}

static void on_dir(void *ctx, const char *path, const char *look_at)
{
	(void)ctx;
	if (look_at)
		(void)buf_printf(&dirs, "~%s > %s\n", below_root(path), below_root(look_at));
	else
		(void)buf_printf(&dirs, "%s\n", below_root(path));
}

static bool is_clock_unsure;

static void run_paths(const char *const *paths, size_t count, bool is_partial, int64_t now_unix_s)
{
	struct err err = {.text = ""};
	struct import in = {
		.store = dir.store,
		.keyring = dir.keyring,
		.paths = paths,
		.path_count = count,
		.is_partial = is_partial,
		.now_unix_s = now_unix_s,
		.is_clock_unsure = is_clock_unsure,
		.on_problem = on_problem,
		.on_dir = on_dir,
	};
	buf_reset(&said);
	buf_reset(&dirs);
	if (import_run(&in, &result, &err) != 0)
		fail_msg("%s", err.text);
}

static void run_at(int64_t now_unix_s)
{
	const char *const paths[] = {root};
	run_paths(paths, 1, false, now_unix_s);
}

static void run(void)
{
	run_at(NOW);
}

static void check_said(const char *want)
{
	assert_string_equal(buf_text(&said), want);
}

/* number of certificates, and whether its key fits, of what a host is served with; 0 when with nothing */
static size_t served_chain(const char *host, int64_t now_unix_s, uint8_t *out_id)
{
	struct db_txn *txn, *keys;
	struct pair_choice choice;
	struct span der;
	size_t count = 0;
	assert_int_equal(db_begin_read(dir.store, &txn, NULL), 0);
	assert_int_equal(db_begin_read(dir.keyring, &keys, NULL), 0);
	if (pairs_find(txn, span_of(host), now_unix_s, &choice) == 0) {
		const struct pair *p = choice.has_ec ? &choice.ec : &choice.rsa;
		struct mbed_pair *pair;
		assert_int_equal(keyring_get(keys, p->spki, &der), 0);
		assert_int_equal(mbed_pair_new(&pair, p->der, der, NULL), 0);
		mbed_pair_free(pair);
		count = p->cert_count;
		if (out_id)
			memcpy(out_id, p->id, SHA256_BYTES);
	}
	db_end(txn);
	db_end(keys);
	return count;
}

static size_t served(const char *host)
{
	return served_chain(host, NOW, NULL);
}

static size_t rows(enum db_table table)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_read(table == DB_KEYS ? dir.keyring : dir.store, &txn, NULL), 0);
	size_t n = db_count(txn, table);
	db_end(txn);
	return n;
}

static void read_data(const char *path, struct buf *out)
{
	char file[128];
	(void)snprintf(file, sizeof file, "%s/data.mdb", path);
	buf_init(out, (size_t)1 << 28);
	assert_int_equal(file_read(file, out, NULL, NULL), 0);
}

static void list_holders(struct db_txn *txn, struct buf *out)
{
	struct db_cursor *cur;
	struct span key, value;
	buf_init(out, 1 << 20);
	assert_int_equal(db_cursor_open(txn, DB_HOLDERS, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		(void)buf_add_span(out, key);
		(void)buf_add_span(out, value);
	}
	db_cursor_close(cur);
}

/* the index that was kept is the one that would be built */
static void check_holders(void)
{
	struct db_txn *txn;
	struct buf kept, built;
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	assert_true(holders_is_there(txn));
	list_holders(txn, &kept);
	assert_int_equal(holders_drop(txn, NULL), 0);
	assert_int_equal(holders_build(txn, NULL), 0);
	list_holders(txn, &built);
	db_end(txn);
	assert_true(span_is(buf_span(&kept), buf_span(&built)));
	buf_deinit(&kept);
	buf_deinit(&built);
}

/* once more: nothing is parsed, nothing written, and the same is said */
static void check_settled(int64_t now_unix_s)
{
	struct buf store, keyring, store_then, keyring_then, said_before;
	check_holders();
	read_data(dir.store_path, &store);
	read_data(dir.keyring_path, &keyring);
	buf_init(&said_before, 1 << 20);
	(void)buf_add_span(&said_before, buf_span(&said));
	run_at(now_unix_s);
	read_data(dir.store_path, &store_then);
	read_data(dir.keyring_path, &keyring_then);
	assert_int_equal(result.parsed_count, 0);
	assert_int_equal(result.added_count + result.removed_count, 0);
	assert_true(span_is(buf_span(&store), buf_span(&store_then)));
	assert_true(span_is(buf_span(&keyring), buf_span(&keyring_then)));
	check_said(buf_text(&said_before));
	buf_deinit(&store);
	buf_deinit(&keyring);
	buf_deinit(&store_then);
	buf_deinit(&keyring_then);
	buf_deinit(&said_before);
}

static int start(void **state)
{
	(void)state;
	store_dir_open(&dir);
	(void)snprintf(root, sizeof root, "%s/tree", dir.path);
	buf_init(&said, 1 << 20);
	buf_init(&dirs, 1 << 20);
	return mkdir(root, 0700);
}

static int stop(void **state)
{
	(void)state;
	buf_deinit(&said);
	buf_deinit(&dirs);
	store_dir_close(&dir);
	return 0;
}

static int start_all(void **state)
{
	(void)state;
	return mbed_start(NULL) || selfca_new(&ca_a, NOW, NULL) || selfca_new(&ca_b, NOW, NULL);
}

static int stop_all(void **state)
{
	(void)state;
	selfca_free(ca_a);
	selfca_free(ca_b);
	mbed_stop();
	return 0;
}

/* ---- layouts ---- */

static void lay_certbot(void)
{
	write_fixture("archive/" HOST "/cert1.pem", "leaf.pem");
	write_fixture("archive/" HOST "/chain1.pem", "int1.pem int2.pem");
	write_fixture("archive/" HOST "/fullchain1.pem", "leaf.pem int1.pem int2.pem");
	write_fixture("archive/" HOST "/privkey1.pem", "leaf.key");
	write_text("live/README", "This directory contains your keys and certificates.\n");
	write_text("live/" HOST "/README", "This directory contains your keys and certificates.\n");
	link_to("live/" HOST "/cert.pem", "../../archive/" HOST "/cert1.pem");
	link_to("live/" HOST "/chain.pem", "../../archive/" HOST "/chain1.pem");
	link_to("live/" HOST "/fullchain.pem", "../../archive/" HOST "/fullchain1.pem");
	link_to("live/" HOST "/privkey.pem", "../../archive/" HOST "/privkey1.pem");
}

static void lay_lego(void)
{
	write_fixture("certificates/" HOST ".crt", "leaf.pem int1.pem int2.pem");
	write_fixture("certificates/" HOST ".issuer.crt", "int1.pem int2.pem");
	write_text("certificates/" HOST ".json", "{\"domain\": \"" HOST "\"}\n");
	write_fixture("certificates/" HOST ".key", "leaf_sec1.key");
	write_fixture("accounts/acme.example/me/keys/me.key", "p384.key");
}

static void lay_acme_sh(void)
{
	write_fixture(HOST "_ecc/ca.cer", "int1.pem int2.pem");
	write_fixture(HOST "_ecc/fullchain.cer", "leaf.pem int1.pem int2.pem");
	write_fixture(HOST "_ecc/" HOST ".cer", "leaf.pem");
	write_text(HOST "_ecc/" HOST ".conf", "Le_Domain='" HOST "'\n");
	write_fixture(HOST "_ecc/" HOST ".csr", "leaf.csr");
	write_fixture(HOST "_ecc/" HOST ".key", "ec_parameters.pem leaf_sec1.key");
}

static void lay_dehydrated(void)
{
	write_fixture("certs/" HOST "/cert-1.pem", "leaf.pem");
	write_fixture("certs/" HOST "/chain-1.pem", "int1.pem int2.pem");
	write_fixture("certs/" HOST "/fullchain-1.pem", "leaf.pem int1.pem int2.pem");
	write_fixture("certs/" HOST "/privkey-1.pem", "leaf.key");
	link_to("certs/" HOST "/cert.pem", "cert-1.pem");
	link_to("certs/" HOST "/chain.pem", "chain-1.pem");
	link_to("certs/" HOST "/fullchain.pem", "fullchain-1.pem");
	link_to("certs/" HOST "/privkey.pem", "privkey-1.pem");
	write_text("certs/" HOST "/cert-2.pem", ""); /* a run that failed */
	write_fixture("accounts/abc/account_key.pem", "rsa2048.key");
	write_fixture("alpn-certs/" HOST ".crt.pem", "acme_challenge.pem");
	write_fixture("alpn-certs/" HOST ".key.pem", "leaf.key");
}

static void lay_uacme(void)
{
	write_fixture(HOST "/cert.pem", "leaf.pem int1.pem int2.pem");
	write_fixture("private/key.pem", "p384.key");
	write_fixture("private/" HOST "/key.pem", "leaf.key");
}

static void lay_caddy(void)
{
	static const char where[] = "certificates/acme-v02.api.letsencrypt.org-directory/" HOST "/";
	char name[256];
	(void)snprintf(name, sizeof name, "%s" HOST ".crt", where);
	write_fixture(name, "leaf.pem int1.pem int2.pem");
	(void)snprintf(name, sizeof name, "%s" HOST ".key", where);
	write_fixture(name, "leaf_sec1.key");
	(void)snprintf(name, sizeof name, "%s" HOST ".json", where);
	write_text(name, "{\"sans\": [\"" HOST "\"]}\n");
}

static void lay_kubernetes(void)
{
	write_fixture("..2026_06_01_1/tls.crt", "leaf.pem int1.pem int2.pem");
	write_fixture("..2026_06_01_1/tls.key", "leaf.key");
	link_to("..data", "..2026_06_01_1");
	link_to("tls.crt", "..data/tls.crt");
	link_to("tls.key", "..data/tls.key");
}

static void lay_haproxy(void)
{
	write_fixture(HOST ".pem", "leaf.key leaf.pem int1.pem int2.pem");
}

static void lay_der(void)
{
	write_fixture("a/leaf.der", "leaf.der");
	write_fixture("a/key.der", "leaf_key.der");
	write_fixture("b/chain", "leaf.pem int1.pem int2.pem");
}

static const struct {
	const char *name;
	void (*lay)(void);
	size_t key_rows;
} layouts[] = {
	{"certbot", lay_certbot, 1},       {"lego", lay_lego, 1},       {"acme.sh", lay_acme_sh, 1},
	{"dehydrated", lay_dehydrated, 1}, {"uacme", lay_uacme, 1},     {"Caddy", lay_caddy, 1},
	{"Kubernetes", lay_kubernetes, 1}, {"HAProxy", lay_haproxy, 1}, {"DER", lay_der, 1},
};

static void test_import_takes_every_layout(void **state)
{
	for (size_t i = 0; i < COUNT(layouts); i++) {
		(void)stop(state);
		assert_int_equal(start(state), 0);
		layouts[i].lay();
		run();
		if (served(HOST) != 3 || result.pair_count != 1 || said.len || rows(DB_KEYS) != layouts[i].key_rows)
			fail_msg("%s: %zu certificates, %zu pairs, %zu keys: %s", layouts[i].name, served(HOST),
				 result.pair_count, rows(DB_KEYS), buf_text(&said));
		check_settled(NOW);
	}
}

static void test_import_live_folder_of_certbot_alone(void **state)
{
	(void)state;
	lay_certbot();
	const char *const paths[] = {in_tree("live/")};
	run_paths(paths, 1, false, NOW);
	assert_int_equal(served(HOST), 3);
	assert_string_equal(buf_text(&dirs),
			    "live\nlive/" HOST "\n~live/" HOST "/../../archive/" HOST " > live/" HOST "\n");
}

static void test_import_symlink_to_another_programs_file(void **state)
{
	(void)state;
	lay_certbot();
	link_to("ours/a.pem", "../live/" HOST "/fullchain.pem");
	link_to("ours/a.key", "../live/" HOST "/privkey.pem");
	const char *const paths[] = {in_tree("ours")};
	run_paths(paths, 1, false, NOW);
	assert_int_equal(served(HOST), 3);
	/* whichever of the links is changed, somebody watches */
	assert_non_null(strstr(buf_text(&dirs), "~ours/../live/" HOST " > ours\n"));
	assert_non_null(strstr(buf_text(&dirs), "~ours/../live/" HOST "/../../archive/" HOST " > ours\n"));
}

static void test_import_single_file_as_path(void **state)
{
	(void)state;
	lay_haproxy();
	const char *const paths[] = {in_tree(HOST ".pem")};
	run_paths(paths, 1, false, NOW);
	assert_int_equal(served(HOST), 3);
	assert_string_equal(buf_text(&dirs), "~ > " HOST ".pem\n");
}

static void test_import_link_to_a_folder_is_what_is_to_be_looked_at(void **state)
{
	(void)state;
	write_fixture("releases/1/a.pem", "leaf.pem int1.pem leaf.key");
	link_to("live/a", "../releases/1");
	const char *const paths[] = {in_tree("live")};
	run_paths(paths, 1, false, NOW);
	assert_int_equal(served(HOST), 2);
	assert_string_equal(buf_text(&dirs), "live\n~live/../releases > live/a\nlive/a\n");
}

enum { MANY_COUNT = 16400 }; /* more than a batch */

static void write_many(const char *folder)
{
	char name[64];
	for (int i = 0; i < MANY_COUNT; i++) {
		(void)snprintf(name, sizeof name, "%s/n%05d", folder, i);
		int fd = open(in_tree(name), O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0 && write(fd, "none", 4) == 4);
		assert_int_equal(close(fd), 0);
	}
}

/* 10^5 pairs are not one transaction */
static void test_import_more_files_than_a_batch_holds(void **state)
{
	(void)state;
	write_fixture("0.key", "leaf.key");
	write_fixture("rsa.key", "rsa2048.key");
	write_fixture("1.pem", "leaf.pem int1.pem");
	write_many(".");
	write_fixture("z.pem", "rsa2048.pem int1.pem");
	run();
	check_said("");
	assert_int_equal(result.parsed_count, MANY_COUNT + 4);
	assert_int_equal(result.pair_count, 2);
	assert_int_equal(rows(DB_KEYS), 2);
	check_settled(NOW);
}

/* ---- halves ---- */

static void test_import_key_that_comes_later_completes_the_pair(void **state)
{
	(void)state;
	write_fixture("a.pem", "leaf.pem int1.pem");
	run();
	check_said("E:a.pem: certificate for " HOST ": no private key for it was found under certs.paths\n");
	assert_int_equal(served(HOST), 0);
	check_settled(NOW);
	write_fixture("b.pem", "leaf.key");
	run();
	check_said("");
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
}

static void test_import_leaf_that_comes_later_completes_the_pair(void **state)
{
	(void)state;
	write_fixture("z.pem", "leaf.key");
	run();
	check_said("");
	assert_int_equal(rows(DB_KEYS), 0); /* an account's key, for all that we know */
	check_settled(NOW);
	write_fixture("a.pem", "leaf.pem int1.pem");
	run();
	check_said("");
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
}

static void test_import_renewed_chain_for_a_known_key(void **state)
{
	(void)state;
	uint8_t old_id[SHA256_BYTES], new_id[SHA256_BYTES];
	write_fixture("a.pem", "leaf.pem int1.pem");
	write_fixture("a.key", "leaf.key");
	run();
	assert_int_equal(served_chain(HOST, NOW, old_id), 2);
	drop("a.key");
	write_fixture("a.pem", "leaf_renewed.pem int1.pem");
	run();
	check_said("");
	assert_int_equal(served_chain(HOST, NOW, new_id), 2);
	assert_memory_not_equal(old_id, new_id, SHA256_BYTES);
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
	check_settled(NOW);
}

static void test_import_keyring_that_was_lost_is_filled_again(void **state)
{
	(void)state;
	struct db_txn *keys;
	uint8_t spki[SHA256_BYTES];
	enum keyring_origin origin;
	lay_uacme();
	run();
	assert_int_equal(db_begin_write(dir.keyring, &keys, NULL), 0);
	assert_int_equal(keyring_next(keys, NULL, spki, &origin), 0);
	assert_int_equal(keyring_delete(keys, spki, NULL), 0);
	assert_int_equal(db_commit(keys, NULL), 0);
	run();
	assert_int_equal(served(HOST), 3);
	check_settled(NOW);
}

/* ---- replacements ---- */

/* A-L5, C104: certificate first, key 2 s later, or the other way round: the old pair until both fit */
static void test_import_never_serves_halves_of_two_pairs(void **state)
{
	for (int key_first = 0; key_first < 2; key_first++) {
		uint8_t old_id[SHA256_BYTES], id[SHA256_BYTES];
		(void)stop(state);
		assert_int_equal(start(state), 0);
		issue(ca_a, NOW - DAY_S, "cert.pem", "privkey.pem");
		run();
		assert_int_equal(served_chain(HOST, NOW, old_id), 2);

		issue(ca_b, NOW, key_first ? NULL : "cert.pem", key_first ? "privkey.pem" : NULL);
		run();
		assert_int_equal(served_chain(HOST, NOW, id), 2);
		assert_memory_equal(id, old_id, SHA256_BYTES);
		check_settled(NOW);

		issue(ca_b, NOW + 1, "cert.pem", "privkey.pem");
		run();
		check_said("");
		assert_int_equal(served_chain(HOST, NOW, id), 2);
		assert_memory_not_equal(id, old_id, SHA256_BYTES);
		assert_int_equal(result.pair_count, 1);
		assert_int_equal(rows(DB_KEYS), 1);
		check_settled(NOW);
	}
}

/* What a file may turn into while its pair is good: the RSA pair stays beside the EC one that covers its name. */
static const struct {
	int line;
	const char *fixtures;
	const char *said;
} spoilers[] = {
	{__LINE__, "", ""},
	{__LINE__, "leaf.csr", ""},
	{__LINE__, "rsa1024.pem",
	 "E:rsa.pem: certificate for " HOST ": an RSA key of 1024 bits, which clients refuse; "
	 "take P-256, or RSA with 2048\n"},
	{__LINE__, "p384.pem",
	 "E:rsa.pem: certificate for " HOST ": no private key for it was found under certs.paths\n"},
	{__LINE__, "expired.pem int1.pem", /* its pair is swept at once: something better covers it */
	 "E:rsa.pem: the certificate in it has expired; the one that it held before goes on being served\n"},
	{__LINE__, "ed25519.pem",
	 "E:rsa.pem: 1 of its PEM blocks cannot be used: block 1 (CERTIFICATE): a kind of key or "
	 "signature that the TLS library cannot use, as Ed25519; take P-256\n"},
};

static void test_import_nothing_bad_displaces_a_good_pair(void **state)
{
	for (size_t i = 0; i < COUNT(spoilers); i++) {
		(void)stop(state);
		assert_int_equal(start(state), 0);
		write_fixture("ec.pem", "leaf.pem int1.pem leaf.key");
		write_fixture("rsa.pem", "rsa2048.pem int1.pem rsa2048.key");
		run();
		check_said("");
		assert_int_equal(result.pair_count, 2);
		write_fixture("rsa.pem", spoilers[i].fixtures);
		run();
		if (result.pair_count != 2 || strcmp(buf_text(&said), spoilers[i].said) != 0)
			fail_msg("line %d: %zu pairs: %s", spoilers[i].line, result.pair_count, buf_text(&said));
		check_settled(NOW);
		write_fixture("rsa.pem", "leaf_renewed.pem int1.pem");
		run();
		assert_int_equal(result.pair_count, 2); /* EC old and new: the RSA pair went */
		assert_int_equal(rows(DB_KEYS), 1);
		check_settled(NOW);
	}
}

static void test_import_cut_file_keeps_the_longer_chain(void **state)
{
	(void)state;
	struct buf b = fixture("leaf.pem int1.pem int2.pem");
	write_bytes("a.pem", buf_span(&b));
	write_fixture("a.key", "leaf.key");
	run();
	assert_int_equal(served(HOST), 3);
	b.len -= 100;
	write_bytes("a.pem", buf_span(&b));
	run();
	assert_int_equal(served(HOST), 3);
	assert_non_null(strstr(buf_text(&said), "its end is missing: cut off, or just being written"));
	buf_deinit(&b);
	/* but what is whole and shorter is meant so */
	write_fixture("a.pem", "leaf.pem int1.pem");
	run();
	assert_int_equal(served(HOST), 2);
	check_said("");
}

static void test_import_symlink_swap(void **state)
{
	(void)state;
	lay_kubernetes();
	run();
	write_fixture("..2026_06_02_2/tls.crt", "p384.pem int1.pem int2.pem");
	write_fixture("..2026_06_02_2/tls.key", "p384.key");
	link_to("..data", "..2026_06_02_2");
	run();
	check_said("");
	assert_int_equal(result.pair_count, 1);
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(served(HOST), 3);
	check_settled(NOW);
}

/* ---- what goes, and when ---- */

static void test_import_pair_without_file_stays_until_covered(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a.pem", "a.key");
	run();
	drop("a.pem");
	drop("a.key");
	run();
	assert_int_equal(rows(DB_PEM_FILES), 0);
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
	issue(ca_b, NOW - DAY_S, "b.pem", "b.key"); /* expires earlier, but it is what is there */
	run();
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
	assert_int_equal(rows(DB_KEYS), 1);
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
}

static void test_import_pair_without_file_goes_a_month_after_it_expired(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a.pem", "a.key");
	run();
	drop("a.pem");
	drop("a.key");
	run_at(NOW + 119 * DAY_S);
	assert_int_equal(result.pair_count, 1);
	is_clock_unsure = true; /* its folder may only be not mounted yet, and this not the date */
	run_at(NOW + 121 * DAY_S);
	assert_int_equal(result.pair_count, 1);
	is_clock_unsure = false;
	run_at(NOW + 121 * DAY_S);
	assert_int_equal(result.pair_count, 0);
	assert_int_equal(rows(DB_KEYS), 0);
	check_settled(NOW + 121 * DAY_S);
}

static void test_import_expired_pair_stays_while_it_is_the_only_one(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a.pem", "a.key");
	run_at(NOW + 500 * DAY_S);
	check_said("E:a.pem: certificate for " HOST ": expired at 2026-08-30T00:00:00Z; renew it\n");
	assert_int_equal(served(HOST), 2);
	check_settled(NOW + 500 * DAY_S);
}

static void test_import_expired_pair_goes_when_covered_and_is_not_missed(void **state)
{
	(void)state;
	write_fixture("archive/cert1.pem", "expired.pem int1.pem");
	write_fixture("archive/cert2.pem", "leaf.pem int1.pem");
	write_fixture("archive/privkey.pem", "leaf.key");
	run();
	check_said("");
	assert_int_equal(result.pair_count, 1);
	check_settled(NOW);
}

static void test_import_own_pairs_and_keys_are_left_alone(void **state)
{
	(void)state;
	struct db_txn *keys;
	struct pkey key = {.type = PKEY_P256};
	memset(key.spki, 7, sizeof key.spki);
	buf_init(&key.der, 16);
	(void)buf_add_text(&key.der, "der");
	assert_int_equal(db_begin_write(dir.keyring, &keys, NULL), 0);
	assert_int_equal(keyring_put(keys, &key, KEYRING_MADE, NULL), 0);
	assert_int_equal(db_commit(keys, NULL), 0);
	pkey_deinit(&key);
	lay_uacme();
	run();
	assert_int_equal(rows(DB_KEYS), 2);
	check_settled(NOW);
}

/* ---- problems ---- */

static const struct {
	int line;
	const char *fixtures; /* in one file */
	const char *said;     /* a part */
	size_t pairs;
} problems[] = {
	/* A-S8 */
	{__LINE__, "no_san.pem leaf.key", "E:a.pem: certificate for CN=" HOST ": it names no host in subjectAltName",
	 0},
	/* A-S8 */
	{__LINE__, "self_signed_ca_no_san.pem leaf.key", "E:a.pem: certificate for CN=" HOST ": it names no host", 0},
	/* A-S12 */
	{__LINE__, "leaf.pem leaf.key", "W:a.pem: certificate for " HOST ": no intermediate certificate", 1},
	{__LINE__, "self_signed.pem leaf.key", "W:a.pem: certificate for " HOST ": self-signed", 1},
	{__LINE__, "self_signed_ca.pem leaf.key", "W:a.pem: certificate for " HOST ": self-signed", 1},
	{__LINE__, "expired.pem int1.pem leaf.key",
	 "E:a.pem: certificate for " HOST ": expired at 2024-01-01T00:00:00Z", 1},
	{__LINE__, "not_yet_valid.pem int1.pem leaf.key", "E:a.pem: certificate for " HOST ": not valid before", 1},
	{__LINE__, "must_staple.pem int1.pem leaf.key", "W:a.pem: certificate for " HOST ": asks for OCSP stapling", 1},
	{__LINE__, "p521.pem int1.pem p521.key", "E:a.pem: certificate for " HOST ": a key of type P-521", 0},
	{__LINE__, "leaf.pem int1.pem leaf_encrypted.key", "W:a.pem: a private key in it is encrypted", 0},
	{__LINE__, "leaf.pem int1.pem leaf_encrypted.key", "no private key for it was found", 0},
	{__LINE__, "leaf.pem int1.pem p384.key", "E:a.pem: certificate for " HOST ": no private key for it was found",
	 0},
	{__LINE__, "leaf.pem int1.pem false_claim.key",
	 "W:a.pem: 1 of its PEM blocks cannot be used: block 3 (EC PRIVATE KEY): the "
	 "private key does not fit",
	 0},
	{__LINE__, "no_server_auth.pem int1.pem leaf.key", "lacks serverAuth", 0},
	{__LINE__, "root.pem", NULL, 0}, /* somebody's CA */
	{__LINE__, "int1.pem int2.pem", NULL, 0},
	{__LINE__, "pkcs12.p12", NULL, 0},
	{__LINE__, "acme_challenge.pem leaf.key", NULL, 0},
	{__LINE__, "wildcard.pem int1.pem leaf.key", NULL, 1},
};

static void test_import_says_what_is_wrong_at_every_run(void **state)
{
	for (size_t i = 0; i < COUNT(problems); i++) {
		(void)stop(state);
		assert_int_equal(start(state), 0);
		write_fixture("a.pem", problems[i].fixtures);
		run();
		bool is_right = problems[i].said ? strstr(buf_text(&said), problems[i].said) != NULL : said.len == 0;
		if (!is_right || result.pair_count != problems[i].pairs)
			fail_msg("line %d: %zu pairs: %s", problems[i].line, result.pair_count, buf_text(&said));
		check_settled(NOW);
	}
}

static void test_import_says_the_same_in_the_same_order(void **state)
{
	(void)state;
	write_fixture("z-key.pem", "leaf_encrypted.key");
	write_fixture("a.pem", "leaf.pem");
	write_fixture("b.pem", "self_signed.pem");
	write_fixture("k.pem", "rsa2048.pem rsa2048.key");
	link_to("c", "nowhere");
	write_fixture("d.pem", "rsa1024.pem");
	run();
	assert_int_equal(strncmp(buf_text(&said), "E:a.pem: ", 9), 0);
	check_settled(NOW);
}

static void test_import_key_that_all_may_read_is_told(void **state)
{
	(void)state;
	lay_haproxy();
	assert_int_equal(chmod(in_tree(HOST ".pem"), 0644), 0);
	run();
	check_said("W:" HOST ".pem: every user of this machine can read this private key (mode 0644); chmod o= it\n");
	assert_int_equal(served(HOST), 3);
	assert_int_equal(chmod(in_tree(HOST ".pem"), 0640), 0);
	run();
	check_said("");
}

static void test_import_missing_path_is_a_problem(void **state)
{
	(void)state;
	lay_haproxy();
	const char *const paths[] = {in_tree("not/there"), root};
	run_paths(paths, 2, false, NOW);
	check_said("W:not/there: does not exist yet; it is looked into as soon as it does\n");
	assert_int_equal(served(HOST), 3);
	assert_string_equal(buf_text(&dirs), "~ > not/there\n\n"); /* the nearest folder, and the root */
}

/* ---- trees ---- */

static void test_import_circles_and_second_ways(void **state)
{
	(void)state;
	write_fixture("a/deep/" HOST ".pem", "leaf.pem int1.pem leaf.key");
	link_to("a/deep/up", "../..");
	link_to("b", "a/deep");
	link_to("self", "self");
	link_to("nowhere", "gone");
	run();
	check_said("E:nowhere: a symbolic link that leads nowhere\nE:self: a symbolic link that leads in a circle\n");
	assert_int_equal(result.file_count, 1);
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
}

static void test_import_file_that_cannot_be_reached_keeps_its_pair(void **state)
{
	(void)state;
	write_fixture("ec.pem", "leaf.pem int1.pem leaf.key");
	write_fixture("rsa.pem", "rsa2048.pem int1.pem rsa2048.key");
	run();
	drop("rsa.pem");
	link_to("rsa.pem", "rsa.pem");
	run();
	assert_int_equal(result.pair_count, 2);
}

static void test_import_hidden_entries_are_passed_over(void **state)
{
	(void)state;
	write_fixture(".hidden/a.pem", "leaf.pem int1.pem leaf.key");
	write_fixture(".a.pem", "leaf.pem int1.pem leaf.key");
	run();
	assert_int_equal(result.file_count, 0);
	const char *const paths[] = {in_tree(".hidden")}; /* unless it is asked for */
	run_paths(paths, 1, false, NOW);
	assert_int_equal(served(HOST), 2);
}

static void test_import_depth_is_limited(void **state)
{
	(void)state;
	char name[256] = "";
	for (int i = 0; i < 20; i++)
		(void)strncat(name, "d/", sizeof name - strlen(name) - 1);
	(void)strncat(name, "a.pem", sizeof name - strlen(name) - 1);
	write_fixture(name, "leaf.pem int1.pem leaf.key");
	run();
	assert_int_equal(result.file_count, 0);
	assert_non_null(strstr(buf_text(&said), "nested too deep; not looked into"));
}

static void test_import_path_longer_than_a_key(void **state)
{
	(void)state;
	char name[700];
	(void)snprintf(name, sizeof name, "%0200d/%0200d/%0200d/a.pem", 0, 0, 0);
	write_fixture(name, "leaf.pem int1.pem leaf.key");
	run();
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
	drop(name);
	run();
	assert_int_equal(rows(DB_PEM_FILES), 0);
}

static void test_import_other_files_are_read_once(void **state)
{
	(void)state;
	char *big = calloc(1, 300000);
	assert_non_null(big);
	write_text("README", "nothing of interest");
	write_bytes("big.iso", (struct span){big, 300000});
	assert_int_equal(mkfifo(in_tree("pipe"), 0600), 0);
	free(big);
	run();
	check_said("");
	assert_int_equal(result.file_count, 2);
	assert_int_equal(result.parsed_count, 1);
	check_settled(NOW);
}

static void test_import_no_path_forgets_files_and_keeps_pairs(void **state)
{
	(void)state;
	lay_haproxy();
	run();
	run_paths(NULL, 0, false, NOW);
	assert_int_equal(rows(DB_PEM_FILES), 0);
	assert_int_equal(served(HOST), 3);
}

/* ---- partial passes ---- */

static void test_import_partial_pass_leaves_the_rest_alone(void **state)
{
	(void)state;
	write_fixture("a/a.pem", "leaf.pem int1.pem leaf.key");
	write_fixture("b/b.pem", "rsa2048.pem int1.pem rsa2048.key");
	write_fixture("b/gone.pem", "p384.pem int1.pem p384.key");
	write_text("ab/c.pem", "not ours");
	run();
	assert_int_equal(result.pair_count, 3);
	assert_int_equal(rows(DB_PEM_FILES), 4);
	drop("b/gone.pem");
	drop("ab/c.pem");
	write_fixture("b/b.pem", "leaf_renewed.pem int1.pem");
	const char *const paths[] = {in_tree("b")};
	run_paths(paths, 1, true, NOW);
	assert_int_equal(result.file_count, 1);
	assert_int_equal(result.added_count, 1);
	assert_int_equal(result.removed_count, 2); /* no file holds them, and HOST has others */
	assert_int_equal(result.pair_count, 2);    /* a.pem's is held by a file that was not looked at */
	assert_int_equal(rows(DB_PEM_FILES), 3);
	assert_int_equal(rows(DB_KEYS), 3);
	run();
	assert_int_equal(result.removed_count, 0);
	assert_int_equal(result.parsed_count, 0);
	assert_int_equal(rows(DB_KEYS), 1);
	assert_int_equal(rows(DB_PEM_FILES), 2);
	check_settled(NOW);
}

static void run_part(const char *name)
{
	const char *const paths[] = {in_tree(name)};
	run_paths(paths, 1, true, NOW);
}

static void test_import_partial_pass_finds_the_other_half_elsewhere(void **state)
{
	for (int key_first = 0; key_first < 2; key_first++) {
		(void)stop(state);
		assert_int_equal(start(state), 0);
		write_fixture(key_first ? "keys/a.pem" : "certs/a.pem", key_first ? "leaf.key" : "leaf.pem int1.pem");
		run();
		assert_int_equal(rows(DB_KEYS), 0); /* nobody wants it, as far as we know */
		write_fixture(key_first ? "certs/a.pem" : "keys/a.pem", key_first ? "leaf.pem int1.pem" : "leaf.key");
		run_part(key_first ? "certs/a.pem" : "keys/a.pem");
		check_said("");
		assert_int_equal(result.file_count, 1);
		assert_int_equal(served(HOST), 2);
		check_settled(NOW);
	}
}

static void test_import_partial_pass_finds_every_leaf_of_a_new_key(void **state)
{
	(void)state;
	issue(ca_a, NOW - DAY_S, "waits/a.pem", NULL);
	run();
	assert_int_equal(result.pair_count, 0);
	issue(ca_a, NOW, "comes/b.pem", "comes/b.key");
	run_part("comes");
	check_said("");
	assert_int_equal(result.pair_count, 2);
	check_settled(NOW);
}

/* the row of a file that is gone holds nothing, not even while the other half of what it held is looked for */
static void test_import_partial_pass_drops_what_a_gone_file_carried(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a/a.pem", "a/a.key");
	run();
	issue(ca_b, NOW, "a/a.pem", NULL); /* without its key: a.pem carries on with what it held */
	issue(ca_b, NOW, "b/b.pem", NULL);
	run();
	assert_int_equal(result.pair_count, 1);
	drop("a/a.pem");
	write_fixture("a/c.pem", "leaf.pem int1.pem leaf.key");
	char b[96];
	(void)snprintf(b, sizeof b, "%s", in_tree("b"));
	const char *const paths[] = {b, in_tree("a")};
	run_paths(paths, COUNT(paths), true, NOW);
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
}

/* a certificate that was replaced for cause: the new one may well expire first */
static void test_import_partial_pass_drops_what_was_replaced(void **state)
{
	(void)state;
	uint8_t old_id[SHA256_BYTES], id[SHA256_BYTES];
	issue(ca_a, NOW, "live/a.pem", "live/a.key");
	run();
	assert_int_equal(served_chain(HOST, NOW, old_id), 2);
	issue(ca_b, NOW - DAY_S, "live/a.pem", "live/a.key");
	run_part("live");
	check_said("");
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
	assert_int_equal(served_chain(HOST, NOW, id), 2);
	assert_memory_not_equal(old_id, id, SHA256_BYTES);
	run();
	assert_int_equal(rows(DB_KEYS), 1);
	check_settled(NOW);
}

static void test_import_partial_pass_keeps_what_another_file_holds(void **state)
{
	(void)state;
	struct buf copy;
	buf_init(&copy, 1 << 16);
	issue(ca_a, NOW, "live/a.pem", "live/a.key");
	assert_int_equal(file_read(in_tree("live/a.pem"), &copy, NULL, NULL), 0);
	write_bytes("copy/a.pem", buf_span(&copy));
	buf_deinit(&copy);
	run();
	issue(ca_b, NOW - DAY_S, "live/a.pem", "live/a.key");
	run_part("live");
	assert_int_equal(result.removed_count, 0);
	assert_int_equal(result.pair_count, 2);
	drop("copy/a.pem");
	run_part("copy/a.pem");
	check_said(""); /* a path that is gone is no problem */
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
	run();
	check_settled(NOW);
}

/* removed first, replaced later: its last file went before there was anything to cover it */
static void test_import_partial_pass_drops_what_lost_its_file_before(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a/a.pem", "a/a.key");
	run();
	drop("a/a.pem");
	drop("a/a.key");
	run_part("a");
	assert_int_equal(rows(DB_PEM_FILES), 0);
	assert_int_equal(served(HOST), 2);
	issue(ca_b, NOW - DAY_S, "b/b.pem", "b/b.key");
	run_part("b");
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
	run();
	check_settled(NOW);
}

/* "a" is neither "a.pem" nor "ab" */
static void test_import_partial_pass_forgets_only_what_is_below(void **state)
{
	(void)state;
	write_text("a/x", "none");
	write_text("a/y/z", "none");
	write_text("a.pem", "none");
	write_text("ab/x", "none");
	run();
	assert_int_equal(rows(DB_PEM_FILES), 4);
	drop("a/x");
	drop("a/y/z");
	drop("a.pem");
	drop("ab/x");
	run_part("a");
	assert_int_equal(rows(DB_PEM_FILES), 2);
	run_part("a.pem");
	assert_int_equal(rows(DB_PEM_FILES), 1);
}

/* replaced, and read twice: before its key was known, and after */
static void test_import_partial_pass_drops_what_was_replaced_in_two_steps(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a.pem", "b.pem");
	run();
	issue(ca_b, NOW - DAY_S, "a.pem", "b.pem");
	const char *const paths[] = {in_tree("a.pem"), in_tree("b.pem")};
	run_paths(paths, COUNT(paths), true, NOW);
	assert_int_equal(result.parsed_count, 3);
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(result.pair_count, 1);
}

static void test_import_full_pass_drops_what_was_replaced_in_two_steps(void **state)
{
	(void)state;
	issue(ca_a, NOW, "a.pem", "b.pem");
	run();
	issue(ca_b, NOW, "a.pem", "b.pem");
	run();
	assert_int_equal(result.parsed_count, 3);
	assert_int_equal(result.removed_count, 1);
	assert_int_equal(rows(DB_KEYS), 1);
	check_settled(NOW);
}

/* the index of what files hold is dropped meanwhile, and is whole again when the pass asks it */
static void test_import_partial_pass_of_very_many_files(void **state)
{
	(void)state;
	write_fixture("a/leaf.pem", "leaf.pem int1.pem");
	run();
	assert_int_equal(served(HOST), 0);
	write_fixture("many/0.key", "leaf.key");
	write_fixture("many/sub/rsa.pem", "rsa2048.pem int1.pem");
	write_fixture("many/sub/rsa.key", "rsa2048.key");
	write_many("many");
	run_part("many");
	check_said("");
	assert_int_equal(result.parsed_count, MANY_COUNT + 3 + 1);
	assert_int_equal(result.pair_count, 2);
	assert_int_equal(served(HOST), 2);
	assert_int_equal(rows(DB_HOLDERS), 1 + 4);
	check_settled(NOW);
}

/* a store that an earlier version wrote, or a pass over very many files that ended early */
static void test_import_partial_pass_builds_a_missing_index(void **state)
{
	(void)state;
	struct db_txn *txn;
	write_fixture("keys/a.pem", "leaf.key");
	run();
	assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
	assert_int_equal(holders_drop(txn, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	write_fixture("certs/a.pem", "leaf.pem int1.pem");
	run_part("certs/a.pem");
	assert_int_equal(served(HOST), 2);
	check_settled(NOW);
}

/* `cert import FILE…`: what certbot's deploy hook calls */
static void test_import_partial_pass_of_files(void **state)
{
	(void)state;
	lay_certbot();
	const char *const paths[] = {in_tree("live/" HOST "/fullchain.pem"), in_tree("live/" HOST "/privkey.pem")};
	run_paths(paths, 2, true, NOW);
	assert_int_equal(result.added_count, 1);
	assert_int_equal(served(HOST), 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_import_takes_every_layout),
		TEST(test_import_live_folder_of_certbot_alone),
		TEST(test_import_symlink_to_another_programs_file),
		TEST(test_import_single_file_as_path),
		TEST(test_import_link_to_a_folder_is_what_is_to_be_looked_at),
		TEST(test_import_more_files_than_a_batch_holds),
		TEST(test_import_key_that_comes_later_completes_the_pair),
		TEST(test_import_leaf_that_comes_later_completes_the_pair),
		TEST(test_import_renewed_chain_for_a_known_key),
		TEST(test_import_keyring_that_was_lost_is_filled_again),
		TEST(test_import_never_serves_halves_of_two_pairs),
		TEST(test_import_nothing_bad_displaces_a_good_pair),
		TEST(test_import_cut_file_keeps_the_longer_chain),
		TEST(test_import_symlink_swap),
		TEST(test_import_pair_without_file_stays_until_covered),
		TEST(test_import_pair_without_file_goes_a_month_after_it_expired),
		TEST(test_import_expired_pair_stays_while_it_is_the_only_one),
		TEST(test_import_expired_pair_goes_when_covered_and_is_not_missed),
		TEST(test_import_own_pairs_and_keys_are_left_alone),
		TEST(test_import_says_what_is_wrong_at_every_run),
		TEST(test_import_says_the_same_in_the_same_order),
		TEST(test_import_key_that_all_may_read_is_told),
		TEST(test_import_missing_path_is_a_problem),
		TEST(test_import_circles_and_second_ways),
		TEST(test_import_file_that_cannot_be_reached_keeps_its_pair),
		TEST(test_import_hidden_entries_are_passed_over),
		TEST(test_import_depth_is_limited),
		TEST(test_import_path_longer_than_a_key),
		TEST(test_import_other_files_are_read_once),
		TEST(test_import_no_path_forgets_files_and_keeps_pairs),
		TEST(test_import_partial_pass_leaves_the_rest_alone),
		TEST(test_import_partial_pass_finds_the_other_half_elsewhere),
		TEST(test_import_partial_pass_finds_every_leaf_of_a_new_key),
		TEST(test_import_partial_pass_drops_what_a_gone_file_carried),
		TEST(test_import_partial_pass_drops_what_was_replaced),
		TEST(test_import_partial_pass_drops_what_was_replaced_in_two_steps),
		TEST(test_import_full_pass_drops_what_was_replaced_in_two_steps),
		TEST(test_import_partial_pass_of_very_many_files),
		TEST(test_import_partial_pass_keeps_what_another_file_holds),
		TEST(test_import_partial_pass_drops_what_lost_its_file_before),
		TEST(test_import_partial_pass_forgets_only_what_is_below),
		TEST(test_import_partial_pass_builds_a_missing_index),
		TEST(test_import_partial_pass_of_files),
	};
	return cmocka_run_group_tests_name("import", tests, start_all, stop_all);
}

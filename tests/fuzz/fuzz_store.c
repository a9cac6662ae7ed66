/* A store that has been damaged: rows of a real one are altered, cut, exchanged, moved to other keys, then read and
 * written by every room that keeps rows. Nothing is promised of the results but that there are some.
 *
 * The input is a list of damages of six bytes: table, row, kind, two for an offset, value. */
#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../certs/import.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/seen.h"
#include "../../certs/selfca.h"
#include "../../certs/sweep.h"
#include "../../config/apply.h"
#include "../../config/delegated.h"
#include "../../config/domains.h"
#include "../../config/formats.h"
#include "../../config/gone.h"
#include "../../config/known.h"
#include "../../config/load.h"
#include "../../config/merge.h"
#include "../../config/outbox.h"
#include "../../config/rows.h"
#include "../../config/settings_table.h"
#include "../../config/spec.h"
#include "../../config/specs.h"
#include "../../config/trouble.h"
#include "../../server/keeper/batch.h"
#include "../../server/keeper/runs.h"
#include "../unit/store_dir.h"
#include "fuzz.h"

#include <string.h>

#define NOW_UNIX_S INT64_C(1780272000)

enum { DAMAGE_BYTES = 6, DAMAGES_MAX_COUNT = 16, ROW_MAX_BYTES = 1 << 20 };

static struct store_dir dir;

/* --- a store like any other --- */

#define PUBLISH "publish: {command: [/bin/true]}"
#define DEFAULTS "certs: {paths: [pem]}\ndefaults: {mode: testing, max_age: 86400}\n"
#define POLICIES "policies:\n  standard: {mode: enforce, max_age: 604800, mx: [mx1.p.example, \"*.p.example\"]}\n"
#define GONE "  gone.example: standard\n"

#define DOMAINS \
	"domains:\n" \
	"  example.com: standard\n" \
	"  example.org: {mx: [mx.example.org], id: 20260101, ttl: 60, tls_rpt: \"mailto:a@example.org\", cert: pem}\n" \
	"  wrong.example: {mode: strict}\n" \
	"include: [more.yaml]\n"

/* First all have records of their own; then those that can be are delegated. */
static const char main_before[] = "dns: {" PUBLISH "}\n" DEFAULTS POLICIES DOMAINS;
static const char main_after[] = "dns: {delegate: sts.example, " PUBLISH "}\n" DEFAULTS POLICIES DOMAINS;
static const char more_before[] = "domains:\n" GONE
				  "  example.net: standard\n  never.example: {mode: none, mx: [mx.never.example]}\n";
static const char more_after[] = "domains:\n  example.net: standard\n  lost.example: nowhere\n";

static const char *path_of(const char *name)
{
	static char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir.path, name);
	return path;
}

static void write_file(const char *name, struct span bytes)
{
	insist(file_write(path_of(name), bytes, 0600, NULL) == 0);
}

static void apply(void)
{
	struct load load;
	struct apply_result result;
	insist(apply_read(dir.store, path_of("main.yaml"), &load, NULL) == 0);
	insist(apply_run(dir.store, &load, &(struct apply_how){.now_unix_s = NOW_UNIX_S}, &result, NULL) == 0);
	apply_result_deinit(&result);
	load_deinit(&load);
}

static void on_problem(void *ctx, const char *path, bool is_error, const char *text)
{
	(void)ctx;
	(void)path;
	(void)is_error;
	(void)text;
}

static void import(void)
{
	struct selfca *ca;
	struct buf pem;
	struct span hosts[] = {SPAN_LIT("mta-sts.example.com"), SPAN_LIT("*.example.net")};
	struct import_result result;
	char path[128];
	const char *const paths[] = {path};
	struct import in = {.store = dir.store,
			    .keyring = dir.keyring,
			    .paths = paths,
			    .path_count = 1,
			    .now_unix_s = NOW_UNIX_S,
			    .on_problem = on_problem};
	buf_init(&pem, 65536);
	insist(selfca_new(&ca, NOW_UNIX_S, NULL) == 0 && selfca_issue(ca, hosts, 2, NOW_UNIX_S, &pem, NULL) == 0);
	insist(file_make_dirs(path_of("pem"), 0700, NULL) == 0);
	write_file("pem/good.pem", buf_span(&pem));
	write_file("pem/bad.pem", (struct span){pem.p, pem.len / 2});
	(void)snprintf(path, sizeof path, "%s", path_of("pem"));
	insist(import_run(&in, &result, NULL) == 0 && result.pair_count == 1);
	selfca_free(ca);
	buf_deinit(&pem);
}

static void publish(void)
{
	static const char *const names[] = {"example.com", "gone.example", "example.org"};
	struct db_txn *txn;
	insist(db_begin_write(dir.store, &txn, NULL) == 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		insist(published_put(txn, span_of(names[i]),
				     &(struct published){.has_policy = true, .id = "20260101", .at_unix_s = NOW_UNIX_S},
				     NULL) == 0);
	insist(db_commit(txn, NULL) == 0);
}

/* There is something to damage in every table. */
static void check_store(void)
{
	struct db_txn *txn;
	insist(db_begin_read(dir.store, &txn, NULL) == 0);
	for (size_t t = 0; t < DB_KEYS; t++)
		insist(db_count(txn, (enum db_table)t) > 0);
	db_end(txn);
}

static void close_store(void)
{
	store_dir_close(&dir);
	mbed_stop();
}

static void make_store(void)
{
	clock_set_fake(0, NOW_UNIX_S);
	insist(mbed_start(NULL) == 0);
	store_dir_open(&dir);
	write_file("main.yaml", span_of(main_before));
	write_file("more.yaml", span_of(more_before));
	apply();
	write_file("main.yaml", span_of(main_after));
	write_file("more.yaml", span_of(more_after));
	apply();
	import();
	publish();
	check_store();
	(void)nftw(dir.path, store_dir_remove, 16, FTW_DEPTH | FTW_PHYS); /* LMDB holds its files open */
	(void)atexit(close_store);
}

/* --- damage --- */

static bool find_row(struct db_txn *txn, enum db_table table, size_t n, struct buf *key, struct buf *value)
{
	struct db_cursor *cur;
	struct span k, v;
	size_t count = db_count(txn, table);
	insist(db_cursor_open(txn, table, &cur, NULL) == 0);
	int rc = db_seek(cur, (struct span){NULL, 0}, &k, &v);
	for (n = count ? n % count : 0; rc == 0 && n > 0; n--)
		rc = db_next(cur, &k, &v);
	buf_reset(key);
	buf_reset(value);
	if (rc == 0)
		insist(buf_add_span(key, k) == 0 && buf_add_span(value, v) == 0);
	db_cursor_close(cur);
	return rc == 0;
}

static void set_u32(struct buf *b, size_t at, uint32_t v)
{
	if (b->len >= sizeof v)
		memcpy(b->p + at % (b->len - sizeof v + 1), &v, sizeof v);
}

static void alter(struct buf *key, struct buf *value, uint8_t kind, size_t at, uint8_t v)
{
	static char many[1000];
	static const uint32_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 255, 256};
	switch (kind % 8) {
	case 0:
		if (value->len)
			value->p[at % value->len] ^= (char)v;
		break;
	case 1: value->len = value->len ? at % value->len : 0; break;
	case 2: set_u32(value, at, edges[v % (sizeof edges / sizeof *edges)]); break;
	case 3:
		memset(many, v, sizeof many);
		(void)buf_add(value, many, at % sizeof many);
		break;
	case 4:
		if (key->len)
			key->p[at % key->len] ^= (char)v;
		break;
	case 5: key->len = key->len ? at % key->len : 0; break;
	case 6:
		memset(many, v, sizeof many);
		(void)buf_add(key, many, at % 300);
		break;
	default: break;
	}
}

static void damage(struct db_txn *txn, bool is_keyring, const uint8_t *d)
{
	enum db_table table = is_keyring ? DB_KEYS : (enum db_table)(d[0] % DB_KEYS);
	struct buf key, value;
	buf_init(&key, ROW_MAX_BYTES);
	buf_init(&value, ROW_MAX_BYTES);
	if (find_row(txn, table, d[1], &key, &value)) {
		uint8_t kind = d[2];
		if (kind % 8 >= 4 && kind < 128) /* moved; else there are two */
			(void)db_delete(txn, table, buf_span(&key), NULL);
		alter(&key, &value, kind, (size_t)d[3] << 8 | d[4], d[5]);
		if (kind % 8 != 7)
			(void)db_put(txn, table, buf_span(&key), buf_span(&value), NULL);
	}
	buf_deinit(&key);
	buf_deinit(&value);
}

/* --- the readers --- */

static size_t sum; /* of what is read: every byte is looked at */

static void look_at(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		sum += (unsigned char)s.p[i];
}

static void on_name(void *ctx, struct span name)
{
	(void)ctx;
	look_at(name);
}

static void look_at_pair(const struct pair *p)
{
	struct span rest = p->der, der;
	look_at(p->issuer);
	look_at(p->source);
	look_at(span_of(pkey_type_name(p->key_type)));
	pairs_name_each(p->names, on_name, NULL);
	while (mbed_chain_next(&rest, &der) == 0)
		look_at(der);
}

static bool is_held(void *ctx, const uint8_t id[SHA256_BYTES])
{
	(void)ctx;
	return id[0] & 1;
}

static void read_pairs(struct db_txn *txn)
{
	struct pair p;
	struct pair_choice choice;
	uint8_t last[SHA256_BYTES];
	size_t count = 0;
	for (int rc = pairs_next(txn, NULL, &p); rc == 0; rc = pairs_next(txn, last, &p)) {
		look_at_pair(&p);
		memcpy(last, p.id, sizeof last);
		(void)pairs_is_covered(txn, &p, NOW_UNIX_S, is_held, NULL);
		insist(count++ < 100);
	}
	static const char *const hosts[] = {"mta-sts.example.com", "mta-sts.example.net", "mta-sts.nobody.example"};
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		if (pairs_find(txn, span_of(hosts[i]), NOW_UNIX_S, &choice) != 0)
			continue;
		if (choice.has_ec)
			look_at_pair(&choice.ec);
		if (choice.has_rsa)
			look_at_pair(&choice.rsa);
	}
}

static void read_seen(struct db_txn *txn)
{
	struct db_cursor *cur;
	struct span key, value, items;
	struct file_id id;
	struct seen_item item;
	insist(db_cursor_open(txn, DB_PEM_FILES, &cur, NULL) == 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		look_at(seen_path_of(key));
		if (seen_open(value, &id, &items) != 0)
			continue;
		while (seen_next(&items, &item) == 0)
			look_at(item.text);
	}
	db_cursor_close(cur);
}

static int on_trouble(void *ctx, const struct trouble *t)
{
	(void)ctx;
	look_at(t->file);
	look_at(t->domain);
	look_at(t->text);
	look_at(t->hint);
	return 0;
}

static void read_domains(struct db_txn *txn)
{
	struct db_cursor *cur;
	struct span key, value, body, mx;
	struct domain_row row;
	insist(db_cursor_open(txn, DB_DOMAINS, &cur, NULL) == 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		size_t pos = 0;
		if (domains_decode(value, &row) != 0 || domains_body(txn, &row, &body) != 0)
			continue;
		look_at(row.tls_rpt);
		look_at(row.policy);
		look_at(span_of(row.id));
		while (policy_next_mx(body, &pos, &mx) == 0)
			look_at(mx);
	}
	db_cursor_close(cur);
}

static int on_gone(void *ctx, struct span domain, const struct domain_row *row)
{
	(void)ctx;
	look_at(domain);
	look_at(row->tls_rpt);
	return 0;
}

static int on_spec(void *ctx, struct span domain, uint32_t file_no, struct span stored, struct err *err)
{
	struct merge *m = ctx;
	struct spec spec;
	(void)err;
	look_at(domain);
	if (spec_decode(stored, &spec) == 0) {
		look_at(spec.policy);
		look_at(spec.mx);
		(void)pack_count(spec.mx);
		(void)specs_get_policy(m->txn, spec_policy_name(&spec, NULL), &file_no, &stored);
		look_at((struct span){known_path(m->known, file_no), 1});
	}
	return 0;
}

static int on_policy(void *ctx, struct span policy, const struct delegated *d)
{
	(void)ctx;
	look_at(policy);
	look_at(span_of(d->id));
	return 0;
}

static void read_files(struct db_txn *txn)
{
	(void)gone_each(txn, on_gone, NULL, NULL);
	(void)delegated_each(txn, on_policy, NULL, NULL);
	struct known known;
	struct merge m = {.txn = txn, .known = &known};
	struct spec none = {0};
	if (known_load(txn, &known, NULL) == 0)
		(void)merge_each_spec(&m, true, &none, on_spec, &m, NULL);
	known_deinit(&known);
}

/* Every entry is offered to a batch, and settled. */
static void go_through_outbox(struct db_txn *txn)
{
	const struct gate_server server = {.state_dir = dir.path, .is_running = true, .is_serving = true};
	struct settings settings;
	struct offer_world world = {.txn = txn, .server = &server, .settings = &settings, .now_unix_s = NOW_UNIX_S};
	struct db_cursor *cur;
	struct outbox_entry entry;
	struct span domain, value;
	struct batch b;
	struct runs runs;
	insist(settings_init(&settings) == 0 && text_set(&settings.dns_delegate, SPAN_LIT("sts.example")) == 0);
	batch_init(&b);
	batch_begin(&b, formats_table[0], 10);
	insist(db_cursor_open(txn, DB_OUTBOX, &cur, NULL) == 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0;
	     rc = db_next(cur, &domain, &value))
		if (outbox_decode(value, &entry) == 0)
			(void)batch_add(&b, &world, domain, &entry);
	db_cursor_close(cur);
	(void)batch_end(&b);
	look_at(buf_span(&b.input));
	(void)batch_settle(&b, txn, false, NOW_UNIX_S, 7, NULL);
	(void)batch_settle(&b, txn, true, NOW_UNIX_S, 7, NULL);
	if (runs_load(txn, &runs) == 0)
		look_at((struct span){runs.text, runs.text_len});
	(void)outbox_fill(txn, NOW_UNIX_S, NULL);
	batch_deinit(&b);
	settings_deinit(&settings);
}

/* --- the writers --- */

static void write_rows(struct db_txn *txn)
{
	static const char *const names[] = {"example.com", "example.org", "gone.example"};
	struct problem_list none = {0}, fresh = {0};
	struct problem error = {.severity = PROBLEM_ERROR, .code = "E01", .file = "f", .text = (char[]){"t"}};
	bool is_changed = false;
	size_t count;
	struct rows rows;
	rows_begin(&rows, txn, ID_TIMESTAMP, NOW_UNIX_S);
	rows.is_publishing = true;
	rows.delegate = "sts.example";
	problem_add(&none, &error, span_of("example.org"));
	(void)trouble_put_domain(txn, SPAN_LIT("example.org"), &none, &fresh, &is_changed, NULL);
	(void)trouble_put_file(txn, 1, &none, &fresh, &is_changed, NULL);
	problem_list_deinit(&none);
	problem_list_deinit(&fresh);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		(void)rows_withdraw(&rows, span_of(names[i]), &is_changed, NULL);
	rows.now_unix_s += 400 * 86400;
	(void)rows_forget(&rows, SPAN_LIT("gone.example"), NULL);
	(void)rows_forget(&rows, SPAN_LIT("never.example"), NULL);
	(void)rows_expire(&rows, &count, NULL);
	(void)rows_end(&rows, NULL);
	rows_deinit(&rows);
}

static void sweep(struct db_txn *txn, struct db_txn *keyring)
{
	struct idmap held = {0}, spkis = {0};
	struct buf keys;
	size_t removed;
	uint8_t spki[SHA256_BYTES], last[SHA256_BYTES];
	enum keyring_origin origin;
	struct span der;
	buf_init(&keys, ROW_MAX_BYTES);
	(void)sweep_pairs(txn, &held, NOW_UNIX_S + 400 * 86400, false, &spkis, &removed, NULL);
	(void)sweep_find_keys(keyring, &spkis, &keys, NULL);
	for (int rc = keyring_next(keyring, NULL, spki, &origin); rc == 0;
	     rc = keyring_next(keyring, last, spki, &origin)) {
		memcpy(last, spki, sizeof last);
		if (keyring_get(keyring, spki, &der) == 0)
			look_at(der);
	}
	idmap_deinit(&held);
	idmap_deinit(&spkis);
	buf_deinit(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct db_txn *txn, *keyring;
	if (!dir.store)
		make_store();
	insist(db_begin_write(dir.store, &txn, NULL) == 0);
	insist(db_begin_write(dir.keyring, &keyring, NULL) == 0);
	for (size_t n = 0; n < DAMAGES_MAX_COUNT && (n + 1) * DAMAGE_BYTES <= size; n++) {
		const uint8_t *d = data + n * DAMAGE_BYTES;
		bool is_keyring = d[0] % DB_TABLE_COUNT == DB_KEYS;
		damage(is_keyring ? keyring : txn, is_keyring, d);
	}
	read_pairs(txn);
	read_seen(txn);
	read_domains(txn);
	read_files(txn);
	(void)trouble_each(txn, on_trouble, NULL, NULL);
	go_through_outbox(txn);
	write_rows(txn);
	sweep(txn, keyring);
	db_end(txn); /* nothing of it stays */
	db_end(keyring);
	return 0;
}

/* site: a folder with YAML files and a store, for as long as a test runs, and what the keeper and `check` do with it.
 */
#ifndef TESTS_SITE_H
#define TESTS_SITE_H

#include "../../base/db.h"
#include "../../base/err.h"
#include "../../config/apply.h"
#include "../../config/bodies.h"
#include "../../config/cert_paths.h"
#include "../../config/domains.h"
#include "../../config/known.h"
#include "../../config/merge.h"
#include "../../config/rows.h"
#include "../../config/specs.h"
#include "../../config/stored.h"
#include "../../config/whole.h"
#include "store_dir.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

#define SITE_MAIN "main.yaml"
#define SITE_NOW INT64_C(1780272000) /* 2026-06-01T00:00:00Z */
#define SITE_STAMP "20260601000000"

struct site {
	struct store_dir dir;
	char main_path[96];
	unsigned write_count;
	int64_t now_unix_s;
	struct apply_how how;       /* beside now_unix_s, which counts */
	struct apply_result result; /* of the last site_apply */
};

static inline const char *site_path(const struct site *s, const char *name, char out[256])
{
	(void)snprintf(out, 256, "%s/%s", s->dir.path, name);
	return out;
}

static inline void site_open(struct site *s)
{
	memset(s, 0, sizeof *s);
	store_dir_open(&s->dir);
	s->now_unix_s = SITE_NOW;
	(void)snprintf(s->main_path, sizeof s->main_path, "%s/%s", s->dir.path, SITE_MAIN);
}

static inline void site_close(struct site *s)
{
	apply_result_deinit(&s->result);
	store_dir_close(&s->dir);
}

static inline void site_put_bytes(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	size_t len = strlen(text);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || close(fd) != 0)
		fail_msg("cannot write %s", path);
}

/* The inode of a file stays in use when its name goes, so that no new one gets it: that would be a rewrite in place. */
static inline void site_keep_inode(struct site *s, const char *path)
{
	char old[256], scratch[40];
	(void)snprintf(scratch, sizeof scratch, ".old.%u", s->write_count++);
	if (link(path, site_path(s, scratch, old)) != 0 && errno != ENOENT && errno != EPERM)
		fail_msg("cannot link %s", path);
}

/* site_write: by rename. */
static inline void site_write(struct site *s, const char *name, const char *text)
{
	char path[256], fresh[256];
	site_keep_inode(s, site_path(s, name, path));
	site_path(s, ".new", fresh);
	site_put_bytes(fresh, text, O_EXCL);
	if (rename(fresh, path) != 0)
		fail_msg("cannot rename to %s", path);
}

static inline void site_write_in_place(struct site *s, const char *name, const char *text)
{
	char path[256];
	site_put_bytes(site_path(s, name, path), text, O_TRUNC);
}

static inline void site_remove(struct site *s, const char *name)
{
	char path[256];
	site_keep_inode(s, site_path(s, name, path));
	if (remove(path) != 0)
		fail_msg("cannot remove %s", path);
}

static inline void site_make_folder(struct site *s, const char *name)
{
	char path[256];
	if (mkdir(site_path(s, name, path), 0755) != 0)
		fail_msg("cannot make %s", path);
}

static inline struct db_txn *site_begin(struct site *s)
{
	struct db_txn *txn;
	if (db_begin_read(s->dir.store, &txn, NULL) != 0)
		fail_msg("no transaction");
	return txn;
}

/* --- what holds after every run, whatever happened -------------------------------------------------------------- */

static inline void site_check_body(struct span body)
{
	static const char head[] = "version: STSv1\r\nmode: ";
	size_t modes = 0;
	assert_true(body.len > sizeof head && body.len <= POLICY_BODY_MAX_BYTES);
	assert_memory_equal(body.p, head, sizeof head - 1);
	assert_memory_equal(body.p + body.len - 2, "\r\n", 2);
	for (size_t i = 0; i < body.len; i++) {
		unsigned char c = (unsigned char)body.p[i];
		bool is_end = c == '\r' ? i + 1 < body.len && body.p[i + 1] == '\n'
					: c == '\n' && i && body.p[i - 1] == '\r';
		if (!is_end && (c < 0x20 || c > 0x7E))
			fail_msg("byte %u in a body", c);
		modes += body.len - i >= 5 && memcmp(body.p + i, "mode:", 5) == 0;
	}
	assert_int_equal(modes, 1);
}

static inline size_t site_check_rows(struct db_txn *txn)
{
	struct db_cursor *cur;
	struct span key, value, body;
	size_t withdrawn = 0;
	assert_int_equal(db_cursor_open(txn, DB_DOMAINS, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		struct domain_row row;
		uint8_t digest[SHA256_BYTES];
		assert_int_equal(domains_decode(value, &row), 0);
		assert_int_equal(domains_body(txn, &row, &body), 0);
		site_check_body(body);
		sha256_of(body, digest);
		assert_memory_equal(digest, row.body, sizeof digest);
		assert_in_range(strlen(row.id), 1, 32);
		withdrawn += row.state == DOMAIN_WITHDRAWN;
	}
	db_cursor_close(cur);
	return withdrawn;
}

static inline uint64_t site_body_references(struct db_txn *txn)
{
	struct db_cursor *cur;
	struct span key, value;
	uint64_t sum = 0, count;
	assert_int_equal(db_cursor_open(txn, DB_BODIES, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		memcpy(&count, value.p, sizeof count);
		assert_true(count > 0);
		sum += count;
	}
	db_cursor_close(cur);
	return sum;
}

/* Every spec belongs to a file that is known. */
static inline void site_check_owners(struct db_txn *txn, enum db_table table)
{
	struct db_cursor *cur;
	struct span key, value;
	struct known known;
	uint32_t owner;
	assert_int_equal(known_load(txn, &known, NULL), 0);
	assert_int_equal(db_cursor_open(txn, table, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		memcpy(&owner, value.p, sizeof owner);
		assert_string_not_equal(known_path(&known, owner), "?");
	}
	db_cursor_close(cur);
	known_deinit(&known);
}

/* Each domain whose spec has a path is in their table with it, and no other one is. */
static inline void site_check_cert_paths(struct db_txn *txn)
{
	struct db_cursor *cur;
	struct span domain, value, path;
	size_t count = 0;
	assert_int_equal(db_cursor_open(txn, DB_SPECS, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0;
	     rc = db_next(cur, &domain, &value)) {
		struct spec spec;
		assert_int_equal(spec_decode((struct span){value.p + 4, value.len - 4}, &spec), 0);
		if (!spec_has(&spec, SPEC_CERT))
			continue;
		count++;
		assert_int_equal(db_get(txn, DB_CERT_PATHS, domain, &path), 0);
		assert_true(span_is(path, spec.cert));
	}
	db_cursor_close(cur);
	assert_int_equal(db_count(txn, DB_CERT_PATHS), count);
}

static inline void site_check_store(struct site *s)
{
	struct db_txn *txn = site_begin(s);
	assert_int_equal(site_check_rows(txn), db_count(txn, DB_WITHDRAWN));
	assert_int_equal(site_body_references(txn), db_count(txn, DB_DOMAINS));
	assert_int_equal(db_count(txn, DB_SPECS) + db_count(txn, DB_POLICIES), db_count(txn, DB_FILE_OF));
	site_check_owners(txn, DB_SPECS);
	site_check_owners(txn, DB_POLICIES);
	site_check_cert_paths(txn);
	db_end(txn);
}

/* --- runs ------------------------------------------------------------------------------------------------------- */

static inline void site_apply(struct site *s)
{
	struct load load;
	struct err err = {0};
	apply_result_deinit(&s->result);
	s->how.now_unix_s = s->now_unix_s;
	int rc = apply_read(s->dir.store, s->main_path, &load, &err);
	if (rc && rc != ERR_NOENT)
		fail_msg("apply_read: %s", err.text);
	if (apply_run(s->dir.store, &load, &s->how, &s->result, &err) != 0)
		fail_msg("apply_run: %s", err.text);
	load_deinit(&load);
	site_check_store(s);
}

static inline void site_apply_main(struct site *s, const char *text)
{
	site_write(s, SITE_MAIN, text);
	site_apply(s);
}

/* site_check: every problem that `check` would print, sorted. history: compared with the store, too. */
static inline void site_check(struct site *s, bool has_history, struct problem_list *out)
{
	struct load load;
	struct whole w;
	struct outcome v;
	struct err err = {0};
	struct db_txn *txn = has_history ? site_begin(s) : NULL;
	memset(out, 0, sizeof *out);
	outcome_init(&v);
	int rc = load_run(&load, s->main_path, NULL, NULL, NULL, &err);
	if (rc)
		fail_msg("load_run: %s", err.text);
	assert_int_equal(whole_init(&w, &load, txn, s->now_unix_s, out), 0);
	for (size_t i = 0; i < w.domain_count; i++) {
		assert_int_equal(whole_outcome(&w, i, &v, out), 0);
		if (v.is_good)
			site_check_body(v.body);
	}
	for (size_t f = 0; f < load.count; f++)
		for (size_t i = 0; i < load.files[f].source.problems.count; i++) {
			const struct problem *p = &load.files[f].source.problems.items[i];
			problem_add(out, p, p->domain ? span_of(p->domain) : (struct span){NULL, 0});
		}
	problem_sort(out);
	whole_deinit(&w);
	outcome_deinit(&v);
	load_deinit(&load);
	db_end(txn);
}

static inline const struct problem *site_find_problem(const struct problem_list *l, const char *code)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i].code, code) == 0)
			return &l->items[i];
	return NULL;
}

/* --- what is served --------------------------------------------------------------------------------------------- */

struct site_row {
	bool is_there;
	struct domain_row row; /* without tls_rpt and policy */
	char tls_rpt[512], policy[64], body[4096];
};

static inline struct site_row site_row(struct site *s, const char *domain)
{
	struct site_row out = {0};
	struct db_txn *txn = site_begin(s);
	struct span body = {NULL, 0};
	out.is_there = domains_get(txn, span_of(domain), &out.row) == 0;
	if (out.is_there) {
		assert_int_equal(domains_body(txn, &out.row, &body), 0);
		(void)snprintf(out.body, sizeof out.body, "%.*s", SPAN_ARG(body));
		(void)snprintf(out.tls_rpt, sizeof out.tls_rpt, "%.*s", SPAN_ARG(out.row.tls_rpt));
		(void)snprintf(out.policy, sizeof out.policy, "%.*s", SPAN_ARG(out.row.policy));
	}
	out.row.tls_rpt = (struct span){NULL, 0};
	out.row.policy = (struct span){NULL, 0};
	db_end(txn);
	return out;
}

static inline size_t site_count(struct site *s, enum db_table table)
{
	struct db_txn *txn = site_begin(s);
	size_t n = db_count(txn, table);
	db_end(txn);
	return n;
}

#endif

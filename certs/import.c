#include "import.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "../base/file.h"
#include "complaints.h"
#include "holders.h"
#include "intake.h"
#include "pairs.h"
#include "part.h"
#include "seen.h"
#include "survey.h"
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DOOMED_MAX_BYTES = 1 << 30,
	/* files read per commit. LMDB keeps the pages of the largest commit for the process's life: 340 MB for 100,000
	 * pairs at once. */
	BATCH_COUNT = 4096,
};

struct pass {
	const struct import *in;
	struct import_result *out;
	struct db_txn *store, *keyring;
	struct survey survey;
	struct intake intake;
	struct complaints complaints;
	struct part part;
	struct buf doomed_keys; /* SHA256_BYTES each */
};

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

/* ---- transactions ---- */

static int end_txn(struct db_txn **txn, bool is_changed, struct err *err)
{
	struct db_txn *taken = *txn;
	*txn = NULL;
	if (is_changed)
		return db_commit(taken, err);
	db_end(taken);
	return 0;
}

static int begin_txns(struct pass *p, struct err *err)
{
	int rc = db_begin_write(p->in->store, &p->store, err);
	if (rc == 0)
		rc = db_begin_write(p->in->keyring, &p->keyring, err);
	p->survey.store = p->intake.store = p->store;
	p->survey.keyring = p->intake.keyring = p->keyring;
	p->intake.store_is_changed = p->intake.keyring_is_changed = false;
	return rc;
}

/* keys before the pairs that need them */
static int end_txns(struct pass *p, struct err *err)
{
	int rc = end_txn(&p->keyring, p->intake.keyring_is_changed, err);
	return rc ? rc : end_txn(&p->store, p->intake.store_is_changed, err);
}

static int walk(struct pass *p, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < p->in->path_count; i++) {
		const char *path = p->in->paths[i];
		size_t len = strlen(path);
		while (len > 1 && path[len - 1] == '/')
			len--;
		char *root = strndup(path, len);
		rc = root ? survey_walk(&p->survey, root, err) : out_of_memory(err);
		free(root);
	}
	return rc;
}

/* ---- files ---- */

static int take(struct pass *p, const char *path, const struct file_id *id, struct err *err)
{
	int rc = p->in->is_partial ? part_suspect(&p->part, p->store, path, err) : 0;
	if (rc == 0)
		rc = intake_take(&p->intake, path, id, err);
	return rc || !p->in->is_partial ? rc : part_suspect(&p->part, p->store, path, err);
}

/* path: may lie in the survey, which moves it */
static int examine(struct pass *p, const char *path, struct err *err)
{
	struct file_id id;
	struct err why;
	char text[160], *own = strdup(path);
	int rc = own ? file_read(own, &p->intake.bytes, &id, &why) : ERR_NOMEM;
	if (rc == ERR_NOMEM) {
		rc = out_of_memory(err);
	} else if (rc == ERR_PERM || rc == ERR_IO) {
		const char *reason = strrchr(why.text, ':'); /* path: reason */
		(void)snprintf(text, sizeof text, "cannot be read%.128s", reason ? reason : "");
		rc = survey_complain(&p->survey, own, true, text, err);
	} else {
		/* else it is gone or has grown meanwhile: the next pass will see */
		rc = rc == 0 ? take(p, own, &id, err) : 0;
		if (rc == 0)
			rc = survey_note(&p->survey, own, err);
	}
	free(own);
	return rc;
}

/* A hint that saves parsing twice, no more: a chain whose key was read before it need not wait. */
static bool is_named_key(const char *path)
{
	const char *slash = strrchr(path, '/');
	return strstr(slash ? slash : path, "key") != NULL;
}

static int examine_fresh(struct pass *p, bool is_key_wanted, struct err *err)
{
	size_t count = 0;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < survey_fresh_count(&p->survey); i++) {
		const char *path = survey_fresh(&p->survey, i);
		if (is_named_key(path) != is_key_wanted)
			continue;
		rc = examine(p, path, err);
		if (rc == 0 && ++count % BATCH_COUNT == 0) {
			rc = end_txns(p, err);
			rc = rc ? rc : begin_txns(p, err);
		}
	}
	return rc;
}

/* keys that leaves wait for, out of files that are known to hold them */
static int fetch_keys(struct pass *p, size_t wait_count, struct err *err)
{
	uint32_t at;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < wait_count; i++) {
		struct survey_wait w = survey_wait(&p->survey, i);
		if (!intake_has_key(&p->intake, w.spki) && idmap_has(&p->survey.key_files, w.spki, &at))
			rc = examine(p, survey_path(&p->survey, at), err);
	}
	return rc;
}

/* very many new files: see holders_drop */
static int drop_holders(struct pass *p, struct err *err)
{
	size_t count = survey_fresh_count(&p->survey);
	if (count <= BATCH_COUNT || count < db_count(p->store, DB_PEM_FILES) / 4 || !holders_is_there(p->store))
		return 0;
	p->intake.store_is_changed = true;
	return holders_drop(p->store, err);
}

static int build_holders(struct pass *p, struct err *err)
{
	if (holders_is_there(p->store))
		return 0;
	p->intake.store_is_changed = true;
	return holders_build(p->store, err);
}

/* halves that are in files out of reach: keys for leaves that wait, leaves for keys that are new */
static int find_halves(struct pass *p, struct err *err)
{
	size_t wait_count = survey_wait_count(&p->survey); /* finding adds to them */
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < wait_count; i++) {
		struct survey_wait w = survey_wait(&p->survey, i);
		if (w.is_missed && !intake_has_key(&p->intake, w.spki))
			rc = part_find_half(&p->survey, w.spki, err);
	}
	/* also those that a leaf was found for: a second one may wait elsewhere */
	for (size_t i = 0; rc == 0 && i < p->intake.key_count; i++)
		rc = part_find_half(&p->survey, p->intake.keys[i].spki, err);
	return rc;
}

static int join_halves(struct pass *p, struct err *err)
{
	size_t wait_count = survey_wait_count(&p->survey); /* those that are added meanwhile are the same once more */
	struct idmap done = {0};
	int rc = fetch_keys(p, wait_count, err);
	for (size_t i = 0; rc == 0 && i < wait_count; i++) {
		struct survey_wait w = survey_wait(&p->survey, i);
		uint8_t path_id[IDMAP_ID_BYTES];
		if (!intake_has_key(&p->intake, w.spki))
			continue;
		seen_id_of_path(survey_path(&p->survey, w.path), path_id);
		int put = idmap_put(&done, path_id, 0);
		if (put == 0)
			rc = examine(p, survey_path(&p->survey, w.path), err);
		else if (put == ERR_NOMEM)
			rc = out_of_memory(err);
	}
	idmap_deinit(&done);
	return rc;
}

/* ---- what is gone ---- */

static int forget_file(struct pass *p, struct span key, struct err *err)
{
	uint8_t path_id[IDMAP_ID_BYTES];
	char own[DB_KEY_MAX_BYTES + 1];
	idmap_id_of_text(key, path_id);
	if (idmap_has(&p->survey.visited, path_id, NULL))
		return 0;
	memcpy(own, key.p, key.len); /* deleting moves what key points to */
	own[key.len] = '\0';
	int rc = p->in->is_partial ? part_suspect(&p->part, p->store, own, err) : 0;
	p->intake.store_is_changed = true;
	return rc ? rc : holders_delete_row(p->store, (struct span){own, key.len}, err);
}

/* those whose path begins with a prefix; with is_whole, the one whose path it is */
static int forget_gone(struct pass *p, struct span prefix, bool is_whole, struct err *err)
{
	struct db_cursor *cur;
	struct span key, row;
	int rc = db_cursor_open(p->store, DB_PEM_FILES, &cur, err), gone_rc = 0;
	if (rc)
		return rc;
	for (rc = db_seek(cur, prefix, &key, &row); rc == 0 && gone_rc == 0; rc = db_next(cur, &key, &row)) {
		if (key.len < prefix.len || (prefix.len && memcmp(key.p, prefix.p, prefix.len) != 0) ||
		    (is_whole && key.len > prefix.len))
			break;
		gone_rc = forget_file(p, key, err);
	}
	db_cursor_close(cur);
	if (gone_rc || rc == 0 || rc == ERR_NOENT)
		return gone_rc;
	return err_set(err, ERR_IO, "store: the list of certificate files cannot be read");
}

static int forget_gone_below(struct pass *p, const char *path, struct err *err)
{
	char prefix[DB_KEY_MAX_BYTES + 1];
	size_t len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len >= DB_KEY_MAX_BYTES)
		return 0; /* see import.h */
	memcpy(prefix, path, len);
	prefix[len] = '/';
	int rc = len ? forget_gone(p, (struct span){prefix, len}, true, err) : 0;
	return rc ? rc : forget_gone(p, (struct span){prefix, len + 1}, false, err);
}

static int forget_gone_files(struct pass *p, struct err *err)
{
	int rc = 0;
	if (!p->in->is_partial)
		return forget_gone(p, (struct span){NULL, 0}, false, err);
	for (size_t i = 0; rc == 0 && i < p->in->path_count; i++)
		rc = forget_gone_below(p, p->in->paths[i], err);
	return rc;
}

static int sweep_all(struct pass *p, struct err *err)
{
	struct idmap spkis = {0};
	int rc = sweep_pairs(p->store, &p->survey.held, p->in->now_unix_s, &spkis, &p->out->removed_count, err);
	if (rc == 0)
		rc = sweep_find_keys(p->keyring, &spkis, &p->doomed_keys, err);
	idmap_deinit(&spkis);
	return rc;
}

static int sweep(struct pass *p, struct err *err)
{
	int rc = p->in->is_partial ? part_sweep(&p->part, p->store, &p->survey.held, p->in->now_unix_s,
						&p->out->removed_count, err)
				   : sweep_all(p, err);
	if (p->out->removed_count)
		p->intake.store_is_changed = true;
	return rc;
}

/* ---- the pass ---- */

static int delete_keys(struct pass *p, struct err *err)
{
	int rc = 0;
	if (p->doomed_keys.len == 0)
		return 0;
	rc = db_begin_write(p->in->keyring, &p->keyring, err);
	for (size_t i = 0; rc == 0 && i < p->doomed_keys.len; i += SHA256_BYTES) {
		rc = keyring_delete(p->keyring, (const uint8_t *)p->doomed_keys.p + i, err);
		if (rc == ERR_NOENT)
			rc = 0;
	}
	return rc ? rc : end_txn(&p->keyring, true, err);
}

static int begin(struct pass *p, struct err *err)
{
	complaints_init(&p->complaints);
	buf_init(&p->doomed_keys, DOOMED_MAX_BYTES);
	p->survey = (struct survey){
		.complaints = &p->complaints,
		.now_unix_s = p->in->now_unix_s,
		.on_dir = p->in->on_dir,
		.on_dir_ctx = p->in->ctx,
		.is_partial = p->in->is_partial,
	};
	survey_init(&p->survey);
	int rc = intake_init(&p->intake, p->in->now_unix_s, err);
	return rc ? rc : begin_txns(p, err);
}

static int look(struct pass *p, struct err *err)
{
	int rc = walk(p, err);
	if (rc == 0)
		rc = p->in->is_partial ? build_holders(p, err) : drop_holders(p, err);
	if (rc == 0)
		rc = examine_fresh(p, true, err);
	if (rc == 0)
		rc = examine_fresh(p, false, err);
	if (rc == 0)
		rc = forget_gone_files(p, err); /* before rows are looked through for halves and holders */
	if (rc == 0 && p->in->is_partial)
		rc = find_halves(p, err);
	if (rc == 0)
		rc = join_halves(p, err);
	if (rc == 0)
		rc = build_holders(p, err);
	if (rc == 0)
		rc = sweep(p, err);
	return rc ? rc : survey_describe(&p->survey, err);
}

/* no key goes before its last pair has */
static int commit(struct pass *p, struct err *err)
{
	p->out->file_count = p->survey.file_count;
	p->out->parsed_count = p->intake.parsed_count;
	p->out->added_count = p->intake.added_count;
	p->out->pair_count = db_count(p->store, DB_PAIRS);
	int rc = end_txns(p, err);
	return rc ? rc : delete_keys(p, err);
}

int import_run(const struct import *in, struct import_result *out, struct err *err)
{
	struct pass p = {.in = in, .out = out};
	*out = (struct import_result){0};
	int rc = begin(&p, err);
	if (rc == 0)
		rc = look(&p, err);
	if (rc == 0)
		rc = commit(&p, err);
	intake_deinit(&p.intake);
	survey_deinit(&p.survey);
	db_end(p.keyring);
	db_end(p.store);
	if (rc == 0)
		complaints_tell(&p.complaints, in->on_problem, in->ctx);
	complaints_deinit(&p.complaints);
	part_deinit(&p.part);
	buf_deinit(&p.doomed_keys);
	return rc;
}

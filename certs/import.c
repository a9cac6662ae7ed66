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
#include "vanished.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DOOMED_MAX_BYTES = 1 << 30,
	/* files read per commit. LMDB keeps the pages of the largest commit for the process's life: 340 MB for 100,000
	 * pairs at once. */
	BATCH_COUNT = 16384,
	ALL_PART = 16, /* a row in the order of keys is read in a tenth of the time of one by itself */
};

struct pass {
	const struct import *in;
	struct import_result *out;
	struct db_txn *store, *keyring;
	struct survey survey;
	struct intake intake;
	struct complaints complaints;
	struct part part;
	size_t examined_count;  /* files read */
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

/* the kernel finds a name in an open folder sooner than a path from the root on */
static int read_file(struct pass *p, int dir_fd, const char *path, struct file_id *id, struct err *err)
{
	const char *slash = dir_fd == AT_FDCWD ? NULL : strrchr(path, '/');
	return file_read_at(dir_fd, slash ? slash + 1 : path, path, &p->intake.bytes, id, err);
}

/* dir_fd: the folder that path lies in, or AT_FDCWD. path: may lie in the survey, which moves it */
static int examine(struct pass *p, int dir_fd, const char *path, struct err *err)
{
	struct file_id id;
	struct err why;
	char text[160], *own = strdup(path);
	int rc = own ? read_file(p, dir_fd, own, &id, &why) : ERR_NOMEM;
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
			rc = survey_note(&p->survey, own, true, err);
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

/* very many new files: see holders_drop */
static int drop_holders(struct pass *p, struct err *err)
{
	if (p->examined_count < db_count(p->store, DB_PEM_FILES) / 4 || !holders_is_there(p->store))
		return 0;
	p->intake.store_is_changed = true;
	return holders_drop(p->store, err);
}

static int end_batch(struct pass *p, struct err *err)
{
	int rc = drop_holders(p, err);
	if (rc == 0)
		rc = end_txns(p, err);
	return rc ? rc : begin_txns(p, err);
}

/* the fresh files from first on */
static int examine_fresh(struct pass *p, int dir_fd, size_t first, bool is_key_wanted, struct err *err)
{
	int rc = 0;
	for (size_t i = first; rc == 0 && i < survey_fresh_count(&p->survey); i++) {
		const char *path = survey_fresh(&p->survey, i);
		if (is_named_key(path) != is_key_wanted)
			continue;
		rc = examine(p, dir_fd, path, err);
		if (rc == 0 && ++p->examined_count % BATCH_COUNT == 0)
			rc = end_batch(p, err);
	}
	return rc;
}

/* During the walk, where chains lie beside their keys. Others wait until all keys have been seen. */
static int on_files_end(void *ctx, int fd, size_t first, struct err *err)
{
	struct pass *p = ctx;
	size_t count = survey_fresh_count(&p->survey), key_count = 0;
	for (size_t i = first; i < count; i++)
		key_count += is_named_key(survey_fresh(&p->survey, i));
	if (key_count == 0 || key_count == count - first)
		return 0;
	int rc = examine_fresh(p, fd, first, true, err);
	if (rc == 0)
		rc = examine_fresh(p, fd, first, false, err);
	survey_settle(&p->survey, first);
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
			rc = examine(p, AT_FDCWD, survey_path(&p->survey, at), err);
	}
	return rc;
}

/* after very many files as a batch of its own: it writes no less than one */
static int build_holders(struct pass *p, struct err *err)
{
	if (holders_is_there(p->store))
		return 0;
	int rc = p->examined_count >= BATCH_COUNT ? end_batch(p, err) : 0;
	p->intake.store_is_changed = true;
	return rc ? rc : holders_build(p->store, err);
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
			rc = examine(p, AT_FDCWD, survey_path(&p->survey, w.path), err);
		else if (put == ERR_NOMEM)
			rc = out_of_memory(err);
	}
	idmap_deinit(&done);
	return rc;
}

/* ---- what is gone ---- */

static int forget_gone_files(struct pass *p, struct err *err)
{
	struct vanished v = {
		.store = p->store,
		.visited = &p->survey.visited,
		.part = p->in->is_partial ? &p->part : NULL,
	};
	int rc = p->in->is_partial ? 0 : vanished_forget_all(&v, err);
	for (size_t i = 0; rc == 0 && p->in->is_partial && i < p->in->path_count; i++)
		rc = vanished_forget_below(&v, p->in->paths[i], err);
	p->intake.store_is_changed = p->intake.store_is_changed || v.is_changed;
	return rc;
}

static int sweep_all(struct pass *p, const struct idmap *held, struct err *err)
{
	struct idmap spkis = {0};
	int rc = sweep_pairs(p->store, held, p->in->now_unix_s, p->in->is_clock_unsure, &spkis, &p->out->removed_count,
			     err);
	if (rc == 0)
		rc = sweep_find_keys(p->keyring, &spkis, &p->doomed_keys, err);
	idmap_deinit(&spkis);
	return rc;
}

static int sweep(struct pass *p, struct err *err)
{
	struct idmap held = {0}; /* as the files' rows say now: a file may have been read twice */
	bool is_part = p->in->is_partial, are_many = p->part.count > db_count(p->store, DB_PAIRS) / ALL_PART;
	int rc = !is_part || are_many ? holders_list_leaves(p->store, &held, err) : 0;
	if (rc == 0)
		rc = is_part ? part_sweep(&p->part, p->store, &held, p->in->now_unix_s, p->in->is_clock_unsure,
					  &p->out->removed_count, err)
			     : sweep_all(p, &held, err);
	if (p->out->removed_count)
		p->intake.store_is_changed = true;
	idmap_deinit(&held);
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
		.on_files_end = on_files_end,
		.on_files_end_ctx = p,
	};
	survey_init(&p->survey);
	int rc = intake_init(&p->intake, p->in->now_unix_s, err);
	return rc ? rc : begin_txns(p, err);
}

static int look(struct pass *p, struct err *err)
{
	int rc = walk(p, err);
	if (rc == 0)
		rc = examine_fresh(p, AT_FDCWD, 0, true, err);
	if (rc == 0)
		rc = examine_fresh(p, AT_FDCWD, 0, false, err);
	if (rc == 0)
		rc = forget_gone_files(p, err); /* before rows are looked through for halves and holders */
	if (rc == 0 && p->in->is_partial)
		rc = build_holders(p, err);
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

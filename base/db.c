#include "db.h"

#include "db_turn.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

_Static_assert((int)DB_TURN_KEY_MAX_BYTES == (int)DB_KEY_MAX_BYTES, "a turn takes every key");

enum {
	TRIM_COUNT = 20000, /* rows in some 1000 pages: 4 MiB */
	READERS_MAX = 1024, /* 256 workers, their successors, and command lines; 64 bytes each in the lock file */
	/* not in every libc's magic.h */
	FS_CIFS = (int)0xFF534D42,
	FS_SMB2 = (int)0xFE534D42,
	FS_CEPH = 0x00C36400,
	FS_LUSTRE = 0x0BD00BD0,
};

/* Address space is free, a map that is too small is not: 64 GiB hold 10^8 domains. */
#if UINTPTR_MAX > 0xFFFFFFFFu
static const size_t map_bytes = (size_t)64 << 30;
#else
static const size_t map_bytes = (size_t)1 << 30;
#endif

static const char *const table_names[DB_TABLE_COUNT] = {
	[DB_META] = "meta",           [DB_FILES] = "files",
	[DB_POLICIES] = "policies",   [DB_SPECS] = "specs",
	[DB_FILE_OF] = "file_of",     [DB_DOMAINS] = "domains",
	[DB_BODIES] = "bodies",       [DB_PROBLEMS] = "problems",
	[DB_PEM_FILES] = "pem_files", [DB_WITHDRAWN] = "withdrawn",
	[DB_PAIRS] = "pairs",         [DB_NAMES] = "names",
	[DB_GONE] = "gone",           [DB_HOLDERS] = "holders",
	[DB_KEYS] = "keys",           [DB_CERT_PATHS] = "cert_paths",
	[DB_OUTBOX] = "outbox",       [DB_PUBLISHED] = "published",
	[DB_DELEGATED] = "delegated",
};

struct db {
	MDB_env *env; /* NULL: it broke and could not be opened again yet */
	char *dir;
	enum db_kind kind;
	bool write;
	size_t txn_count; /* open ones */
	size_t put_count; /* since the environment was opened */
	MDB_dbi dbi[DB_TABLE_COUNT];
};

struct db_txn {
	MDB_txn *txn;
	struct db *db;
	bool is_write;
	/* A writer goes through tables mostly in the order of their keys: a cursor that stays where the last row was
	 * finds the next one on the same page, without a descent from the root. Opened with the first use. */
	MDB_cursor *places[DB_TABLE_COUNT];
	struct db_turn *turns[DB_TABLE_COUNT][DB_TURNS_MAX]; /* a reader's; NULL: not used yet */
};

struct db_cursor {
	MDB_cursor *cur;
};

static int code_of(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND: return ERR_NOENT;
	case MDB_BAD_VALSIZE: return ERR_RANGE;
	case ENOMEM: return ERR_NOMEM;
	case ENOENT: return ERR_NOENT;
	case EACCES:
	case EPERM: return ERR_PERM;
	default: return ERR_IO;
	}
}

static int fail(struct err *err, int rc, const char *what)
{
	if (rc == ENOSPC)
		return err_set(err, ERR_IO, "%s: the disk is full; nothing was changed", what);
	if (rc == MDB_MAP_FULL)
		return err_set(err, ERR_IO, "%s: the store has reached its largest size; nothing was changed", what);
	return err_set(err, code_of(rc), "%s: %s", what, mdb_strerror(rc));
}

static bool is_remote(long fs_type)
{
	switch ((int)fs_type) {
	case NFS_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case CODA_SUPER_MAGIC:
	case V9FS_MAGIC:
	case FS_CIFS:
	case FS_SMB2:
	case FS_CEPH:
	case FS_LUSTRE: return true;
	default: return false;
	}
}

static int check_folder(const char *dir, struct err *err)
{
	struct statfs fs;
	if (statfs(dir, &fs) != 0)
		return err_errno(err, errno, "store folder %s", dir);
	if (is_remote((long)fs.f_type))
		return err_set(err, ERR_IO,
			       "store folder %s is on a network file system, where LMDB is not safe; "
			       "set state_dir to a folder on a local disk",
			       dir);
	return 0;
}

static bool has_table(enum db_kind kind, size_t t)
{
	return kind == DB_KEYRING ? t == DB_KEYS : t != DB_KEYS;
}

static int open_tables(struct db *db)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(db->env, NULL, db->write ? 0 : MDB_RDONLY, &txn);
	if (rc)
		return rc;
	for (size_t t = 0; t < DB_TABLE_COUNT; t++) {
		if (!has_table(db->kind, t))
			continue;
		rc = mdb_dbi_open(txn, table_names[t], db->write ? MDB_CREATE : 0, &db->dbi[t]);
		if (rc) {
			mdb_txn_abort(txn);
			return rc;
		}
	}
	return mdb_txn_commit(txn);
}

/* The lock file is a shared map: on a full disk LMDB's first write to a hole in it would be SIGBUS. So its blocks are
 * taken first. The size is LMDB's for that many readers; another one would only mean more or fewer of them. */
static int reserve_lock_file(const char *dir, mode_t mode)
{
	char path[4096];
	const off_t bytes = (off_t)64 * (READERS_MAX + 2);
	int n = snprintf(path, sizeof path, "%s/lock.mdb", dir);
	if (n < 0 || (size_t)n >= sizeof path)
		return ENAMETOOLONG;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);
	if (fd < 0)
		return errno;
	int rc = posix_fallocate(fd, 0, bytes);
	if (rc == 0)
		(void)fchmod(fd, mode); /* the umask may have taken the group's right; another's file stays as it is */
	return close(fd) == 0 ? rc : rc ? rc : errno;
}

static int open_env(struct db *db)
{
	const mode_t mode = db->kind == DB_KEYRING ? 0600 : 0640;
	const mode_t lock_mode = db->kind == DB_KEYRING ? 0600 : 0660; /* a reader writes its slot there */
	int rc = mdb_env_create(&db->env);
	if (rc)
		return rc;
	rc = mdb_env_set_maxdbs(db->env, DB_TABLE_COUNT);
	if (rc == 0)
		rc = mdb_env_set_mapsize(db->env, map_bytes);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(db->env, READERS_MAX);
	if (rc == 0 && db->write)
		rc = reserve_lock_file(db->dir, lock_mode);
	/* NOTLS: a read transaction belongs to its handle, so that a process may have several */
	if (rc == 0)
		rc = mdb_env_open(db->env, db->dir, MDB_NOTLS | (db->write ? 0u : MDB_RDONLY), mode);
	return rc;
}

static void close_env(struct db *db)
{
	if (db->env)
		mdb_env_close(db->env);
	db->env = NULL;
	db->put_count = 0;
}

static int open_all(struct db *db)
{
	int rc = open_env(db);
	if (rc == 0)
		rc = open_tables(db);
	if (rc)
		close_env(db);
	return rc;
}

int db_open(struct db **out, const char *dir, enum db_kind kind, bool write, struct err *err)
{
	*out = NULL;
	int rc = check_folder(dir, err);
	if (rc)
		return rc;
	struct db *db = calloc(1, sizeof *db);
	if (!db)
		return err_set(err, ERR_NOMEM, "out of memory");
	db->kind = kind;
	db->write = write;
	db->dir = strdup(dir);
	rc = db->dir ? open_all(db) : ENOMEM;
	if (rc) {
		db_close(db);
		rc = fail(err, rc, dir);
		(void)err_wrap(err, "cannot open the store");
		return rc;
	}
	*out = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	close_env(db);
	free(db->dir);
	free(db);
}

int db_clear_stale_readers(struct db *db)
{
	int dead = 0;
	if (!db->env)
		return ERR_IO;
	int rc = mdb_reader_check(db->env, &dead);
	return rc ? code_of(rc) : dead;
}

/* An environment that could not write the last page of a commit (I/O error, full disk) refuses everything from then on
 * with MDB_PANIC, though what is on disk is sound: the state before. A server must outlive that. */
static int begin_sound(struct db *db, unsigned flags, MDB_txn **out)
{
	int rc = db->env ? mdb_txn_begin(db->env, NULL, flags, out) : MDB_PANIC;
	if (rc != MDB_PANIC || db->txn_count)
		return rc;
	close_env(db);
	rc = open_all(db);
	return rc ? rc : mdb_txn_begin(db->env, NULL, flags, out);
}

void db_trim(struct db *db)
{
	if (db->txn_count || db->put_count < TRIM_COUNT)
		return;
	close_env(db);
	(void)open_all(db); /* where it fails, the next transaction tries again */
}

static int begin(struct db *db, unsigned flags, struct db_txn **out, struct err *err)
{
	*out = NULL;
	struct db_txn *txn = calloc(1, sizeof *txn);
	if (!txn)
		return err_set(err, ERR_NOMEM, "out of memory");
	txn->db = db;
	txn->is_write = !(flags & MDB_RDONLY);
	int rc = begin_sound(db, flags, &txn->txn);
	if (rc) {
		free(txn);
		return fail(err, rc, "store");
	}
	db->txn_count++;
	*out = txn;
	return 0;
}

int db_begin_read(struct db *db, struct db_txn **out, struct err *err)
{
	return begin(db, MDB_RDONLY, out, err);
}

int db_begin_write(struct db *db, struct db_txn **out, struct err *err)
{
	return begin(db, 0, out, err);
}

static void close_place(struct db_txn *txn, size_t table)
{
	if (txn->places[table])
		mdb_cursor_close(txn->places[table]);
	txn->places[table] = NULL;
}

static void close_turn(struct db_txn *txn, size_t table, size_t turn)
{
	db_turn_close(txn->turns[table][turn]);
	txn->turns[table][turn] = NULL;
}

static void close_places(struct db_txn *txn)
{
	for (size_t t = 0; t < DB_TABLE_COUNT; t++) {
		close_place(txn, t);
		for (size_t i = 0; i < DB_TURNS_MAX; i++)
			close_turn(txn, t, i);
	}
}

int db_commit(struct db_txn *take_txn, struct err *err)
{
	close_places(take_txn);
	take_txn->db->txn_count--;
	int rc = mdb_txn_commit(take_txn->txn); /* frees the handle whatever it returns */
	free(take_txn);
	return rc ? fail(err, rc, "store") : 0;
}

void db_end(struct db_txn *take_txn)
{
	if (!take_txn)
		return;
	close_places(take_txn);
	take_txn->db->txn_count--;
	mdb_txn_abort(take_txn->txn);
	free(take_txn);
}

void db_reset(struct db_txn *txn)
{
	close_places(txn);
	mdb_txn_reset(txn->txn);
}

int db_renew(struct db_txn *txn)
{
	int rc = mdb_txn_renew(txn->txn);
	return rc ? code_of(rc) : 0;
}

static bool is_key(struct span key)
{
	return key.len > 0 && key.len <= DB_KEY_MAX_BYTES;
}

static MDB_val val_of(struct span s)
{
	return (MDB_val){.mv_size = s.len, .mv_data = (void *)(uintptr_t)s.p}; /* LMDB only reads it */
}

static struct span span_of_val(MDB_val v)
{
	return (struct span){v.mv_data, v.mv_size};
}

static int open_place(struct db_txn *txn, enum db_table table, MDB_cursor **out)
{
	int rc = txn->places[table] ? 0 : mdb_cursor_open(txn->txn, txn->db->dbi[table], &txn->places[table]);
	*out = txn->places[table];
	return rc;
}

static int get(struct db_txn *txn, enum db_table table, MDB_val *k, MDB_val *v)
{
	MDB_cursor *place;
	if (!txn->is_write)
		return mdb_get(txn->txn, txn->db->dbi[table], k, v);
	int rc = open_place(txn, table, &place);
	return rc ? rc : mdb_cursor_get(place, k, v, MDB_SET);
}

int db_get(struct db_txn *txn, enum db_table table, struct span key, struct span *out)
{
	if (!is_key(key))
		return ERR_NOENT;
	MDB_val k = val_of(key), v;
	int rc = get(txn, table, &k, &v);
	if (rc)
		return code_of(rc);
	*out = span_of_val(v);
	return 0;
}

static bool is_at(MDB_cursor *place, MDB_cursor_op op, const MDB_val *k, MDB_val *v)
{
	MDB_val at;
	return mdb_cursor_get(place, &at, v, op) == 0 && at.mv_size == k->mv_size &&
	       memcmp(at.mv_data, k->mv_data, k->mv_size) == 0;
}

static int get_in_turn_to_write(struct db_txn *txn, enum db_table table, MDB_val *k, MDB_val *v)
{
	MDB_cursor *place;
	int rc = open_place(txn, table, &place);
	if (rc == 0 && !is_at(place, MDB_NEXT, k, v))
		rc = mdb_cursor_get(place, k, v, MDB_SET);
	return rc;
}

int db_get_in_turn(struct db_txn *txn, enum db_table table, unsigned turn, struct span key, struct span *out)
{
	if (!is_key(key))
		return ERR_NOENT;
	MDB_val k = val_of(key), v;
	struct db_turn **t = &txn->turns[table][turn % DB_TURNS_MAX];
	int rc = txn->is_write || *t ? 0 : db_turn_open(t, txn->txn, txn->db->dbi[table]);
	if (rc == 0)
		rc = txn->is_write ? get_in_turn_to_write(txn, table, &k, &v) : db_turn_get(*t, &k, &v);
	if (rc)
		return code_of(rc);
	*out = span_of_val(v);
	return 0;
}

/* A key behind all others is appended: LMDB then fills its pages instead of leaving each half empty. */
static int put(struct db_txn *txn, enum db_table table, MDB_val *k, MDB_val *v)
{
	MDB_cursor *place;
	MDB_val at = *k, old;
	int rc = open_place(txn, table, &place);
	if (rc)
		return rc;
	bool is_there = is_at(place, MDB_GET_CURRENT, k, &old); /* what is put was often got just before */
	if (!is_there)
		rc = mdb_cursor_get(place, &at, &old, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_put(place, k, v, MDB_APPEND);
	if (rc)
		return rc;
	is_there = is_there || (at.mv_size == k->mv_size && memcmp(at.mv_data, k->mv_data, k->mv_size) == 0);
	return mdb_cursor_put(place, k, v, is_there && old.mv_size == v->mv_size ? MDB_CURRENT : 0);
}

int db_put(struct db_txn *txn, enum db_table table, struct span key, struct span value, struct err *err)
{
	if (!is_key(key))
		return err_set(err, ERR_RANGE, "store: a key of %zu bytes", key.len);
	MDB_val k = val_of(key), v = val_of(value);
	int rc = put(txn, table, &k, &v);
	txn->db->put_count++;
	return rc ? fail(err, rc, "store") : 0;
}

int db_delete(struct db_txn *txn, enum db_table table, struct span key, struct err *err)
{
	if (!is_key(key))
		return ERR_NOENT;
	MDB_val k = val_of(key);
	close_place(txn, table); /* a delete may merge the page it stands on */
	int rc = mdb_del(txn->txn, txn->db->dbi[table], &k, NULL);
	if (rc == MDB_NOTFOUND)
		return ERR_NOENT;
	return rc ? fail(err, rc, "store") : 0;
}

int db_clear(struct db_txn *txn, enum db_table table, struct err *err)
{
	close_place(txn, table);
	int rc = mdb_drop(txn->txn, txn->db->dbi[table], 0);
	return rc ? fail(err, rc, "store") : 0;
}

uint64_t db_txn_number(const struct db_txn *txn)
{
	return mdb_txn_id(txn->txn);
}

size_t db_count(struct db_txn *txn, enum db_table table)
{
	MDB_stat st;
	return mdb_stat(txn->txn, txn->db->dbi[table], &st) == 0 ? st.ms_entries : 0;
}

int db_cursor_open(struct db_txn *txn, enum db_table table, struct db_cursor **out, struct err *err)
{
	*out = NULL;
	struct db_cursor *cur = calloc(1, sizeof *cur);
	if (!cur)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = mdb_cursor_open(txn->txn, txn->db->dbi[table], &cur->cur);
	if (rc) {
		free(cur);
		return fail(err, rc, "store");
	}
	*out = cur;
	return 0;
}

void db_cursor_close(struct db_cursor *cur)
{
	if (!cur)
		return;
	mdb_cursor_close(cur->cur);
	free(cur);
}

static int step(struct db_cursor *cur, MDB_val *k, MDB_cursor_op op, struct span *out_key, struct span *out_value)
{
	MDB_val v;
	int rc = mdb_cursor_get(cur->cur, k, &v, op);
	if (rc)
		return code_of(rc);
	*out_key = span_of_val(*k);
	*out_value = span_of_val(v);
	return 0;
}

int db_seek(struct db_cursor *cur, struct span key, struct span *out_key, struct span *out_value)
{
	MDB_val k = val_of(key);
	return step(cur, &k, key.len ? MDB_SET_RANGE : MDB_FIRST, out_key, out_value);
}

int db_next(struct db_cursor *cur, struct span *out_key, struct span *out_value)
{
	MDB_val k;
	return step(cur, &k, MDB_NEXT, out_key, out_value);
}

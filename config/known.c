#include "known.h"

#include "../base/db.h"
#include "../base/err.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 1 << 26 }; /* numbers of files that are gone are used again: a damaged row, not a number */

struct stored_file {
	uint32_t no, is_unfinished;
	struct file_id id;
};

static int name_number(struct known *k, uint32_t no, const char *path)
{
	if (no >= k->next_no) {
		const char **paths = reallocarray(k->path_by_no, (size_t)no + 1, sizeof *paths);
		if (!paths)
			return ERR_NOMEM;
		k->path_by_no = paths;
		for (; k->next_no <= no; k->next_no++)
			paths[k->next_no] = NULL;
	}
	k->path_by_no[no] = path;
	return 0;
}

static int append(struct known *k, struct span path, const struct stored_file *s)
{
	if (k->count == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 16;
		struct known_file *files = reallocarray(k->files, cap, sizeof *files);
		if (!files)
			return ERR_NOMEM;
		k->files = files;
		k->cap = cap;
	}
	struct known_file *f = &k->files[k->count];
	*f = (struct known_file){
		.path = strndup(path.p, path.len), .no = s->no, .is_unfinished = s->is_unfinished != 0, .id = s->id};
	if (!f->path || name_number(k, s->no, f->path) != 0) {
		free(f->path);
		return ERR_NOMEM;
	}
	k->count++;
	return 0;
}

static bool decode(struct span value, struct stored_file *out)
{
	if (value.len != sizeof *out)
		return false;
	memcpy(out, value.p, sizeof *out);
	return out->no <= NUMBER_MAX;
}

int known_load(struct db_txn *txn, struct known *out, struct err *err)
{
	struct db_cursor *cur;
	struct span key, value;
	*out = (struct known){0};
	int rc = db_cursor_open(txn, DB_FILES, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, (struct span){NULL, 0}, &key, &value);
	while (rc == 0) {
		struct stored_file s;
		if (!decode(value, &s)) {
			rc = err_set(err, ERR_IO, "store: the row of file %.*s is damaged", SPAN_ARG(key));
			break;
		}
		rc = append(out, key, &s) ? err_set(err, ERR_NOMEM, "out of memory") : db_next(cur, &key, &value);
	}
	db_cursor_close(cur);
	return rc == ERR_NOENT ? 0 : rc;
}

void known_deinit(struct known *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->files[i].path);
	free(k->files);
	free(k->path_by_no);
	*k = (struct known){0};
}

static size_t lower_bound(const struct known *k, const char *path)
{
	size_t low = 0, high = k->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(k->files[mid].path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct known_file *known_find(const struct known *k, const char *path)
{
	size_t at = lower_bound(k, path);
	return at < k->count && strcmp(k->files[at].path, path) == 0 ? &k->files[at] : NULL;
}

const char *known_path(const struct known *k, uint32_t no)
{
	return no < k->next_no && k->path_by_no[no] ? k->path_by_no[no] : "?";
}

int known_add(struct known *k, const char *path, struct known_file **out, struct err *err)
{
	size_t at = lower_bound(k, path);
	while (k->free_no < k->next_no && k->path_by_no[k->free_no])
		k->free_no++;
	struct stored_file s = {.no = k->free_no, .is_unfinished = 1};
	if (append(k, span_of(path), &s) != 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	struct known_file added = k->files[k->count - 1];
	memmove(&k->files[at + 1], &k->files[at], (k->count - 1 - at) * sizeof *k->files);
	k->files[at] = added;
	*out = &k->files[at];
	return 0;
}

int known_store(struct db_txn *txn, const struct known_file *f, bool *out_changed, struct err *err)
{
	struct stored_file s, old;
	struct span value;
	memset(&s, 0, sizeof s); /* compared byte by byte */
	s.no = f->no;
	s.is_unfinished = f->is_unfinished;
	s.id = f->id;
	int rc = db_get(txn, DB_FILES, span_of(f->path), &value);
	if (rc == 0 && value.len == sizeof old && memcmp(value.p, &s, sizeof s) == 0)
		return 0;
	*out_changed = true;
	return db_put(txn, DB_FILES, span_of(f->path), (struct span){(const char *)&s, sizeof s}, err);
}

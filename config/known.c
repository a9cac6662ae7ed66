#include "known.h"

#include "../base/db.h"
#include "../base/err.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 1 << 26 }; /* numbers of files that are gone are used again: a damaged row, not a number */
enum { SEARCHES_MAX = 4 };     /* for paths, one by one: a policy that all domains share asks for those of all files */

struct stored_file {
	uint32_t no, is_unfinished;
	struct file_id id;
};

static const uint32_t all = UINT32_MAX;
static const char elsewhere[] = "?"; /* the path of a number is in the store, and not here */

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

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct known_file *)a)->path, ((const struct known_file *)b)->path);
}

int known_load_some(struct db_txn *txn, const struct text_list *paths, struct known *out, struct err *err)
{
	struct span value;
	int rc = 0;
	*out = (struct known){.txn = txn};
	for (size_t i = 0; rc == 0 && i < paths->count; i++) {
		struct stored_file s;
		struct span path = span_of(paths->items[i]);
		rc = db_get(txn, DB_FILES, path, &value);
		if (rc == ERR_NOENT)
			rc = 0;
		else if (rc || !decode(value, &s))
			rc = err_set(err, ERR_IO, "store: the row of file %.*s is damaged", SPAN_ARG(path));
		else
			rc = append(out, path, &s) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
	}
	if (rc == 0 && out->count)
		qsort(out->files, out->count, sizeof *out->files, compare_files);
	return rc;
}

void known_deinit(struct known *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->files[i].path);
	free(k->files);
	free(k->path_by_no);
	text_list_deinit(&k->others);
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

/* fn: 0 to go on */
typedef int each_row_fn(struct known *k, struct span path, uint32_t no, uint32_t wanted_no);

static int each_row(struct known *k, each_row_fn *fn, uint32_t wanted_no)
{
	struct db_cursor *cur;
	struct span key, value;
	struct stored_file s;
	int rc = db_cursor_open(k->txn, DB_FILES, &cur, NULL);
	if (rc)
		return rc;
	for (rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value))
		if ((rc = decode(value, &s) ? fn(k, key, s.no, wanted_no) : ERR_IO) != 0)
			break;
	db_cursor_close(cur);
	return rc == ERR_NOENT ? 0 : rc;
}

static int note_number(struct known *k, struct span path, uint32_t no, uint32_t wanted_no)
{
	(void)path;
	(void)wanted_no;
	return no < k->next_no && k->path_by_no[no] ? 0 : name_number(k, no, elsewhere);
}

static int note_path(struct known *k, struct span path, uint32_t no, uint32_t wanted_no)
{
	bool is_here = no < k->next_no && k->path_by_no[no] && k->path_by_no[no] != elsewhere;
	if (is_here || (no != wanted_no && wanted_no != all))
		return 0;
	int rc = text_list_add(&k->others, path);
	return rc ? rc : name_number(k, no, k->others.items[k->others.count - 1]);
}

const char *known_path(struct known *k, uint32_t no)
{
	bool is_here = no < k->next_no && k->path_by_no[no] && k->path_by_no[no] != elsewhere;
	if (!is_here && k->txn && k->search_count <= SEARCHES_MAX) {
		int rc = each_row(k, note_path, k->search_count++ < SEARCHES_MAX ? no : all);
		k->failed = k->failed ? k->failed : rc;
	}
	return no < k->next_no && k->path_by_no[no] ? k->path_by_no[no] : elsewhere;
}

int known_add(struct known *k, const char *path, struct known_file **out, struct err *err)
{
	size_t at = lower_bound(k, path);
	if (k->txn && !k->is_numbered) {
		int rc = each_row(k, note_number, 0);
		if (rc)
			return err_set(err, rc, "store: the numbers of files cannot be read");
		k->is_numbered = true;
	}
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

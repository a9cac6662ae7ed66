#include "cert_paths.h"

#include "../base/db.h"
#include "../base/err.h"
#include "spec.h"
#include "specs.h"

#include <stdlib.h>

/* Empty when there is none. */
static struct span path_of(struct span stored)
{
	struct spec spec;
	bool has_path = stored.len && spec_decode(stored, &spec) == 0 && spec_has(&spec, SPEC_CERT);
	return has_path ? spec.cert : (struct span){NULL, 0};
}

int cert_paths_put(struct db_txn *txn, struct span domain, struct span old, struct span news, struct err *err)
{
	struct span was = path_of(old), path = path_of(news);
	if (span_is(was, path))
		return 0;
	if (path.len)
		return db_put(txn, DB_CERT_PATHS, domain, path, err);
	int rc = db_delete(txn, DB_CERT_PATHS, domain, err);
	return rc == ERR_NOENT ? 0 : rc;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each item behind the first kept ones once, and none of those again. Every domain may have a path of its own. */
static void drop_doubles(struct text_list *l, size_t kept)
{
	size_t n = kept;
	if (l->count > kept)
		qsort(l->items + kept, l->count - kept, sizeof *l->items, compare_texts);
	for (size_t i = kept; i < l->count; i++) {
		bool is_double = n > kept && strcmp(l->items[n - 1], l->items[i]) == 0;
		for (size_t k = 0; k < kept && !is_double; k++)
			is_double = strcmp(l->items[k], l->items[i]) == 0;
		if (is_double)
			free(l->items[i]);
		else
			l->items[n++] = l->items[i];
	}
	l->count = n;
}

int cert_paths_add(struct db *store, struct text_list *list, struct err *err)
{
	struct db_txn *txn;
	struct db_cursor *cur;
	struct span key, value;
	size_t kept = list->count;
	int rc = db_begin_read(store, &txn, err);
	if (rc)
		return rc;
	rc = db_cursor_open(txn, DB_CERT_PATHS, &cur, err);
	if (rc == 0) {
		for (rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value))
			if (text_list_add(list, value) != 0)
				break;
		db_cursor_close(cur);
		drop_doubles(list, kept);
		rc = rc == ERR_NOENT ? 0 : err_set(err, rc ? rc : ERR_NOMEM, "the certificate paths cannot be read");
	}
	db_end(txn);
	return rc;
}

int cert_paths_collect(struct db_txn *txn, struct err *err)
{
	struct db_cursor *cur;
	struct span domain, value;
	int rc = db_cursor_open(txn, DB_SPECS, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value);
	while (rc == 0) {
		struct span none = {NULL, 0}, stored = none;
		if (value.len > SPECS_NUMBER_BYTES)
			stored = (struct span){value.p + SPECS_NUMBER_BYTES, value.len - SPECS_NUMBER_BYTES};
		char name[256];
		size_t len = domain.len < sizeof name ? domain.len : sizeof name;
		memcpy(name, domain.p, len); /* writing moves what the store handed out */
		rc = cert_paths_put(txn, (struct span){name, len}, none, stored, err);
		if (rc == 0)
			rc = db_next(cur, &domain, &value);
	}
	db_cursor_close(cur);
	return rc == ERR_NOENT ? 0 : err_set(err, rc, "store: the certificate paths cannot be read");
}

#include "vanished.h"

#include "../base/db.h"
#include "../base/err.h"
#include "holders.h"
#include "idmap.h"
#include "part.h"

#include <string.h>

static int forget_file(struct vanished *v, struct span key, struct err *err)
{
	uint8_t path_id[IDMAP_ID_BYTES];
	char own[DB_KEY_MAX_BYTES + 1];
	idmap_id_of_text(key, path_id);
	if (idmap_has(v->visited, path_id, NULL))
		return 0;
	memcpy(own, key.p, key.len); /* deleting moves what key points to */
	own[key.len] = '\0';
	int rc = v->part ? part_suspect(v->part, v->store, own, err) : 0;
	v->is_changed = true;
	return rc ? rc : holders_delete_row(v->store, (struct span){own, key.len}, err);
}

/* those whose path begins with a prefix; with is_whole, the one whose path it is */
static int forget(struct vanished *v, struct span prefix, bool is_whole, struct err *err)
{
	struct db_cursor *cur;
	struct span key, row;
	int rc = db_cursor_open(v->store, DB_PEM_FILES, &cur, err), gone_rc = 0;
	if (rc)
		return rc;
	for (rc = db_seek(cur, prefix, &key, &row); rc == 0 && gone_rc == 0; rc = db_next(cur, &key, &row)) {
		if (key.len < prefix.len || (prefix.len && memcmp(key.p, prefix.p, prefix.len) != 0) ||
		    (is_whole && key.len > prefix.len))
			break;
		gone_rc = forget_file(v, key, err);
	}
	db_cursor_close(cur);
	if (gone_rc || rc == 0 || rc == ERR_NOENT)
		return gone_rc;
	return err_set(err, ERR_IO, "store: the list of certificate files cannot be read");
}

int vanished_forget_all(struct vanished *v, struct err *err)
{
	return forget(v, (struct span){NULL, 0}, false, err);
}

int vanished_forget_below(struct vanished *v, const char *path, struct err *err)
{
	char prefix[DB_KEY_MAX_BYTES + 1];
	size_t len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len >= DB_KEY_MAX_BYTES)
		return 0;
	memcpy(prefix, path, len);
	prefix[len] = '/';
	int rc = len ? forget(v, (struct span){prefix, len}, true, err) : 0;
	return rc ? rc : forget(v, (struct span){prefix, len + 1}, false, err);
}

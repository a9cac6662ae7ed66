/* vanished: the rows of files that a pass did not find where they were. */
#ifndef CERTS_VANISHED_H
#define CERTS_VANISHED_H

#include <stdbool.h>

struct db_txn;
struct err;
struct idmap;
struct part;

struct vanished {
	struct db_txn *store;
	const struct idmap *visited; /* files that are there, as seen_id_of_path */
	struct part *part;           /* is told of the pairs that the others held; NULL: nobody asks */
	bool is_changed;             /* set when a row was deleted */
};

/* vanished_forget_all: deletes the rows of all files that are not visited. Returns 0, ERR_NOMEM, ERR_IO. */
int vanished_forget_all(struct vanished *v, struct err *err);

/* vanished_forget_below: the same for path and what lies below it; a path too long for a key is left alone. */
int vanished_forget_below(struct vanished *v, const char *path, struct err *err);

#endif

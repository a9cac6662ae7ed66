/* tree: walks a folder of certificates as other programs left it: every regular file, in a steady order: of each
 * folder the files first, then what is in its subfolders.
 *
 * Entries that begin with a dot are passed over below the root, symbolic links are followed, into hidden folders too
 * (Kubernetes keeps the files of a secret in "..data"). A folder is walked once, whatever ways lead to it. */
#ifndef CERTS_TREE_H
#define CERTS_TREE_H

#include "idmap.h"

#include <stdbool.h>

struct buf;
struct err;
struct file_id;

enum { TREE_DEPTH_MAX = 16 }; /* Caddy's is four */

struct tree {
	/* a regular file. Anything but 0 ends the walk and is what tree_walk returns. */
	int (*on_file)(void *ctx, const char *path, const struct file_id *id, struct err *err);
	/* all files of a folder have been told, those of its subfolders not yet; fd: the folder, open as long as the
	 * call lasts. As on_file; may be NULL. */
	int (*on_files_end)(void *ctx, int fd, struct err *err);
	/* a folder that is walked (look_at NULL), or one that holds something a symbolic link was followed to, or where
	 * a root that is no folder lies: whatever changes in it, look_at is to be walked again.
	 * May be NULL: nothing is spent on finding linked folders then. */
	void (*on_dir)(void *ctx, const char *dir, const char *look_at);
	/* something that cannot be looked at. As on_file. */
	int (*on_trouble)(void *ctx, const char *path, bool is_error, const char *text, struct err *err);
	void *ctx;
	bool is_partial;     /* roots are what changed in trees that were walked: one that is not there is no trouble */
	struct idmap dirs;   /* zeroed to begin with: what has been walked, by device and inode … */
	struct idmap linked; /* … and what on_dir was told of as linked, by both paths */
};

void tree_deinit(struct tree *t);

/* tree_walk: root: a folder or a file, without slash at its end. Several roots may be walked one after the other.
 * returns  0, ERR_NOMEM, or what a callback returned */
int tree_walk(struct tree *t, const char *root, struct err *err);

#endif

#include "tree.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "../base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_HOPS_MAX = 8 }; /* the kernel stops at 40; nobody builds more than two */

struct entry {
	const char *name;
	unsigned char type; /* as readdir's d_type; DT_DIR also for what a link to a folder turned out to be */
};

/* What is in a folder. */
struct entries {
	struct buf names; /* a NUL behind each */
	struct entry *list;
	size_t count;
};

static int walk_dir(struct tree *t, struct buf *path, int fd, unsigned depth, struct err *err);

void tree_deinit(struct tree *t)
{
	idmap_deinit(&t->dirs);
	idmap_deinit(&t->linked);
}

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

static struct file_id id_of(const struct stat *st)
{
	return (struct file_id){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

static int trouble(struct tree *t, const char *path, int errnum, struct err *err)
{
	struct err why;
	if (err_errno(&why, errnum, "cannot be read") == ERR_NOMEM)
		return out_of_memory(err);
	if (errnum == ENOENT)
		(void)err_set(&why, ERR_NOENT, "a symbolic link that leads nowhere");
	if (errnum == ELOOP)
		(void)err_set(&why, ERR_IO, "a symbolic link that leads in a circle");
	return t->on_trouble(t->ctx, path, true, why.text, err);
}

/* ---- symbolic links: tell in which folders a change would matter ---- */

/* file: what a link leads to; when something beside it changes, look_at is to be walked again */
static int tell_linked(struct tree *t, const char *file, const char *look_at, struct err *err)
{
	const char *slash = strrchr(file, '/');
	size_t len = slash && slash != file ? (size_t)(slash - file) : 1, look_at_len = strlen(look_at) + 1;
	char both[2 * PATH_MAX];
	uint8_t id[IDMAP_ID_BYTES];
	if (len + 1 + look_at_len > sizeof both)
		return 0; /* longer than the kernel takes */
	memcpy(both, slash ? file : ".", len);
	both[len] = '\0';
	memcpy(both + len + 1, look_at, look_at_len);
	idmap_id_of_text((struct span){both, len + 1 + look_at_len}, id);
	int rc = idmap_put(&t->linked, id, 0);
	if (rc == ERR_NOMEM)
		return out_of_memory(err);
	if (rc == 0)
		t->on_dir(t->ctx, both, both + len + 1);
	return 0;
}

/* path: a symbolic link; every hop's folder is told of. Where it leads to a file, its folder is looked at: there are
 * often several such links in it, and one place to look at is all that a watch remembers. */
static int follow_link(struct tree *t, const char *path, bool is_to_dir, struct err *err)
{
	char at[PATH_MAX], target[PATH_MAX], look_at[PATH_MAX];
	if (snprintf(at, sizeof at, "%s", path) >= (int)sizeof at)
		return 0;
	memcpy(look_at, at, sizeof at);
	char *name = strrchr(look_at, '/');
	if (!is_to_dir && name && name != look_at)
		*name = '\0';
	for (int hop = 0; hop < LINK_HOPS_MAX; hop++) {
		ssize_t n = readlink(at, target, sizeof target - 1);
		if (n <= 0)
			return 0; /* the end: no link any more */
		target[n] = '\0';
		const char *slash = strrchr(at, '/');
		size_t keep = target[0] == '/' || !slash ? 0 : (size_t)(slash - at) + 1;
		if (keep + (size_t)n >= sizeof at)
			return 0;
		memcpy(at + keep, target, (size_t)n + 1);
		int rc = tell_linked(t, at, look_at, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- folders ---- */

static int compare_names(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static void entries_deinit(struct entries *all)
{
	buf_deinit(&all->names);
	free(all->list);
}

/* the types wait before their names, which move while they grow */
static int collect(struct entries *all, DIR *dir)
{
	const struct dirent *e;
	while ((errno = 0, e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (buf_add_char(&all->names, (char)e->d_type) != 0 ||
		    buf_add(&all->names, e->d_name, strlen(e->d_name) + 1) != 0)
			return ENOMEM;
		all->count++;
	}
	return errno;
}

/* sorted: a file that two ways lead to has the same path at every walk. Returns an errno. */
static int entries_read(struct entries *all, DIR *dir)
{
	buf_init(&all->names, (size_t)1 << 30);
	int errnum = collect(all, dir);
	if (errnum || all->count == 0)
		return errnum;
	all->list = calloc(all->count, sizeof *all->list);
	if (!all->list)
		return ENOMEM;
	const char *p = all->names.p;
	for (size_t i = 0; i < all->count; i++, p += strlen(p) + 1) {
		all->list[i].type = (unsigned char)*p++;
		all->list[i].name = p;
	}
	qsort(all->list, all->count, sizeof *all->list, compare_names);
	return 0;
}

/* path: of the entry e of the folder parent_fd, depth folders below the root */
static int visit_dir(struct tree *t, struct buf *path, int parent_fd, const struct entry *e, unsigned depth,
		     struct err *err)
{
	if (depth > TREE_DEPTH_MAX)
		return t->on_trouble(t->ctx, buf_text(path), true, "nested too deep; not looked into", err);
	int fd = openat(parent_fd, e->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0; /* gone meanwhile, or no folder any more */
	if (fd < 0)
		return trouble(t, buf_text(path), errno, err);
	return walk_dir(t, path, fd, depth, err);
}

/* what is no folder; what turns out to be one, or to lead to one, waits for visit_dir */
static int visit_file(struct tree *t, struct buf *path, int dir_fd, struct entry *e, struct err *err)
{
	struct stat st;
	if (e->type == DT_DIR)
		return 0;
	if (fstatat(dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : trouble(t, buf_text(path), errno, err); /* gone meanwhile */
	if (S_ISLNK(st.st_mode)) {
		if (fstatat(dir_fd, e->name, &st, 0) != 0)
			return trouble(t, buf_text(path), errno, err);
		int rc = t->on_dir ? follow_link(t, buf_text(path), S_ISDIR(st.st_mode), err) : 0;
		if (rc)
			return rc;
	}
	if (S_ISDIR(st.st_mode))
		e->type = DT_DIR;
	if (!S_ISREG(st.st_mode))
		return 0;
	struct file_id id = id_of(&st);
	return t->on_file(t->ctx, buf_text(path), &id, err);
}

/* the files of a folder, or its folders */
static int visit_each(struct tree *t, struct buf *path, int dir_fd, struct entries *all, bool are_files, unsigned depth,
		      struct err *err)
{
	size_t len = path->len;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < all->count; i++) {
		struct entry *e = &all->list[i];
		if (are_files == (e->type == DT_DIR))
			continue;
		if (buf_add_char(path, '/') != 0 || buf_add_text(path, e->name) != 0 || buf_reserve(path, 1) != 0)
			rc = out_of_memory(err);
		else
			rc = are_files ? visit_file(t, path, dir_fd, e, err)
				       : visit_dir(t, path, dir_fd, e, depth + 1, err);
		path->len = len;
	}
	return rc;
}

static int visit_all(struct tree *t, struct buf *path, DIR *dir, unsigned depth, struct err *err)
{
	struct entries all = {0};
	int errnum = entries_read(&all, dir);
	int rc = errnum == ENOMEM ? out_of_memory(err) : errnum ? trouble(t, buf_text(path), errnum, err) : 0;
	if (rc || errnum)
		goto out;
	rc = visit_each(t, path, dirfd(dir), &all, true, depth, err);
	if (rc == 0 && t->on_files_end)
		rc = t->on_files_end(t->ctx, dirfd(dir), err);
	if (rc == 0)
		rc = visit_each(t, path, dirfd(dir), &all, false, depth, err);
out:
	entries_deinit(&all);
	return rc;
}

/* takes fd */
static int walk_dir(struct tree *t, struct buf *path, int fd, unsigned depth, struct err *err)
{
	struct stat st;
	uint64_t id[2];
	int rc = 0;
	DIR *dir = fdopendir(fd);
	if (!dir || fstat(fd, &st) != 0) {
		rc = trouble(t, buf_text(path), errno, err);
		goto out;
	}
	id[0] = st.st_dev;
	id[1] = st.st_ino;
	rc = idmap_put(&t->dirs, (const uint8_t *)id, 0);
	if (rc == ERR_CONFLICT) {
		rc = 0; /* a circle, or a second way to it */
		goto out;
	}
	if (rc) {
		rc = out_of_memory(err);
		goto out;
	}
	if (t->on_dir)
		t->on_dir(t->ctx, buf_text(path), NULL);
	rc = visit_all(t, path, dir, depth, err);
out:
	if (dir)
		(void)closedir(dir); /* only read from */
	else
		(void)close(fd);
	return rc;
}

/* root is not there: it will appear in the nearest folder that is */
static int miss_root(struct tree *t, const char *root, struct err *err)
{
	char at[PATH_MAX];
	int rc = t->on_trouble(t->ctx, root, false, "does not exist yet; it is looked into as soon as it does", err);
	if (rc || !t->on_dir || snprintf(at, sizeof at, "%s", root) >= (int)sizeof at)
		return rc;
	for (char *slash; (slash = strrchr(at, '/')) != NULL && slash != at; *slash = '\0') {
		*slash = '\0';
		bool is_there = access(at, F_OK) == 0;
		*slash = '/';
		if (is_there)
			break;
	}
	return tell_linked(t, at, root, err);
}

int tree_walk(struct tree *t, const char *root, struct err *err)
{
	struct stat st;
	if (lstat(root, &st) != 0) {
		if (t->is_partial && (errno == ENOENT || errno == ENOTDIR))
			return 0;
		return errno == ENOENT ? miss_root(t, root, err) : trouble(t, root, errno, err);
	}
	int rc = 0;
	if (t->on_dir && !t->is_partial && !S_ISDIR(st.st_mode))
		rc = tell_linked(t, root, root, err); /* a link or a file: whatever replaces it appears beside it */
	if (rc)
		return rc;
	struct buf path;
	buf_init(&path, (size_t)1 << 20);
	struct entry e = {.name = root};
	if (buf_add_text(&path, root) != 0 || buf_reserve(&path, 1) != 0)
		rc = out_of_memory(err);
	else
		rc = visit_file(t, &path, AT_FDCWD, &e, err);
	if (rc == 0 && e.type == DT_DIR)
		rc = visit_dir(t, &path, AT_FDCWD, &e, 0, err);
	buf_deinit(&path);
	return rc;
}

#include "file.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int identify(const char *path, int stat_rc, const struct stat *st, struct file_id *out, struct err *err)
{
	if (stat_rc != 0)
		return err_errno(err, errno, "%s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_PARSE, "%s: not a regular file", path);
	*out = id_of(st);
	return 0;
}

int file_identify(const char *path, struct file_id *out, struct err *err)
{
	struct stat st;
	int stat_rc = stat(path, &st);
	return identify(path, stat_rc, &st, out, err);
}

int file_identify_link(const char *path, struct file_id *out, bool *out_is_link, struct err *err)
{
	struct stat st;
	int stat_rc = lstat(path, &st);
	*out_is_link = stat_rc == 0 && S_ISLNK(st.st_mode);
	return *out_is_link ? file_identify(path, out, err) : identify(path, stat_rc, &st, out, err);
}

bool file_id_is(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

enum { READ_BYTES = 65536 };

static int read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	for (;;) {
		char over; /* a byte past the ceiling is asked for: only so a file that is too long is seen to be */
		size_t room = out->max - out->len < READ_BYTES ? out->max - out->len : READ_BYTES;
		if (room && buf_reserve(out, room) != 0)
			return err_set(err, ERR_NOMEM, "%s: out of memory", path);
		ssize_t n = room ? read(fd, out->p + out->len, room) : read(fd, &over, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "%s", path);
		if (n == 0)
			return 0;
		if (room == 0)
			return err_set(err, ERR_RANGE, "%s: larger than %zu bytes", path, out->max);
		out->len += (size_t)n;
	}
}

static int open_regular(int dir_fd, const char *name, const char *path, int *out_fd, struct file_id *id,
			struct err *err)
{
	/* NONBLOCK: opening a pipe must not wait for its writer */
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	struct stat st;
	int rc = 0;
	if (fstat(fd, &st) != 0)
		rc = err_errno(err, errno, "%s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_PARSE, "%s: not a regular file", path);
	if (rc)
		(void)close(fd); /* nothing was written to it */
	else if (id)
		*id = id_of(&st);
	*out_fd = rc ? -1 : fd;
	return rc;
}

int file_read_at(int dir_fd, const char *name, const char *path, struct buf *out, struct file_id *id, struct err *err)
{
	int fd;
	int rc = open_regular(dir_fd, name, path, &fd, id, err);
	if (rc)
		return rc;
	rc = read_all(fd, path, out, err);
	(void)close(fd); /* only read from */
	return rc;
}

int file_read(const char *path, struct buf *out, struct file_id *id, struct err *err)
{
	return file_read_at(AT_FDCWD, path, path, out, id, err);
}

static int read_piece(int fd, const char *path, char *room, size_t *out_len, struct err *err)
{
	ssize_t n;
	do
		n = read(fd, room, READ_BYTES);
	while (n < 0 && errno == EINTR);
	*out_len = n > 0 ? (size_t)n : 0;
	return n < 0 ? err_errno(err, errno, "%s", path) : 0;
}

int file_read_pieces(const char *path, file_piece_fn *fn, void *ctx, struct file_id *id, struct err *err)
{
	int fd;
	size_t len;
	int rc = open_regular(AT_FDCWD, path, path, &fd, id, err);
	if (rc)
		return rc;
	char *room = malloc(READ_BYTES);
	if (!room)
		rc = err_set(err, ERR_NOMEM, "%s: out of memory", path);
	while (rc == 0 && (rc = read_piece(fd, path, room, &len, err)) == 0 && len)
		rc = fn(ctx, (struct span){room, len});
	free(room);
	(void)close(fd); /* only read from */
	return rc;
}

static int write_all(int fd, struct span bytes)
{
	for (size_t done = 0; done < bytes.len;) {
		ssize_t n = write(fd, bytes.p + done, bytes.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static int sync_folder_of(const char *path)
{
	char *dir = strdup(path);
	if (!dir)
		return -1;
	char *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	return close(fd) == 0 ? rc : -1;
}

int file_write(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	struct buf tmp;
	buf_init(&tmp, 4096);
	(void)buf_printf(&tmp, "%s.%ld.tmp", path, (long)getpid());
	const char *tmp_path = buf_text(&tmp);
	int rc = 0;
	int fd = tmp.failed ? -1 : open(tmp_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	bool is_made = fd >= 0;
	if (fd < 0 || fchmod(fd, mode) != 0 || write_all(fd, bytes) != 0 || fsync(fd) != 0)
		rc = err_errno(err, tmp.failed ? ENAMETOOLONG : errno, "cannot write %s", path);
	if (fd >= 0 && close(fd) != 0 && rc == 0)
		rc = err_errno(err, errno, "cannot write %s", path);
	if (rc == 0 && (rename(tmp_path, path) != 0 || sync_folder_of(path) != 0))
		rc = err_errno(err, errno, "cannot write %s", path);
	if (rc && is_made)
		(void)unlink(tmp_path);
	buf_deinit(&tmp);
	return rc;
}

int file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	char *p = strdup(path);
	if (!p)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = 0;
	for (char *at = p + (*p == '/'); rc == 0; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		char was = *at;
		*at = '\0';
		if (mkdir(p, mode) != 0 && errno != EEXIST)
			rc = err_errno(err, errno, "cannot make folder %s", p);
		*at = was;
		if (was == '\0')
			break;
	}
	struct stat st;
	if (rc == 0 && stat(p, &st) == 0 && !S_ISDIR(st.st_mode))
		rc = err_set(err, ERR_IO, "%s is not a folder", p);
	free(p);
	return rc;
}

char *file_join(const char *dir, const char *name)
{
	if (name[0] == '/' || dir[0] == '\0')
		return strdup(name);
	size_t a = strlen(dir), b = strlen(name);
	bool has_slash = dir[a - 1] == '/';
	char *out = malloc(a + b + 2);
	if (!out)
		return NULL;
	memcpy(out, dir, a);
	if (!has_slash)
		out[a++] = '/';
	memcpy(out + a, name, b + 1);
	return out;
}

char *file_absolute(const char *path)
{
	char cwd[PATH_MAX];
	if (path[0] == '/')
		return strdup(path);
	return getcwd(cwd, sizeof cwd) ? file_join(cwd, path) : NULL;
}

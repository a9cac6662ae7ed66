/* file: whole files in, whole files out. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* What tells one version of a file from another without reading it. */
struct file_id {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};

/* file_identify: follows symbolic links. ERR_NOENT, ERR_PERM, ERR_IO; ERR_PARSE when it is not a regular file. */
int file_identify(const char *path, struct file_id *out, struct err *err);

/* file_identify_link: the same, and whether path itself is a symbolic link; false where that cannot be told. One look
 * instead of two at what is none. */
int file_identify_link(const char *path, struct file_id *out, bool *out_is_link, struct err *err);

bool file_id_is(const struct file_id *a, const struct file_id *b);

/* file_read: the whole file behind what out holds already; id (may be NULL) is of the very bytes that were read.
 * ERR_RANGE when it is larger than out's ceiling. Never blocks on a pipe or device (ERR_PARSE). */
int file_read(const char *path, struct buf *out, struct file_id *id, struct err *err);

/* file_read_at: the same for the file name in the folder dir_fd; path: what errors call it. */
int file_read_at(int dir_fd, const char *name, const char *path, struct buf *out, struct file_id *id, struct err *err);

/* file_read_pieces: the same without holding all of it: fn for each piece in turn, until one returns other than 0,
 * which is then returned (err untouched). id may be NULL. */
typedef int file_piece_fn(void *ctx, struct span piece);
int file_read_pieces(const char *path, file_piece_fn *fn, void *ctx, struct file_id *id, struct err *err);

/* file_write: replaces path with bytes: temporary file beside it, fsync, rename, fsync of the folder. */
int file_write(const char *path, struct span bytes, mode_t mode, struct err *err);

/* file_make_dirs: like mkdir -p, every new folder with mode. */
int file_make_dirs(const char *path, mode_t mode, struct err *err);

/* file_join: dir + "/" + name into a new string (caller frees); name itself when it is absolute. NULL: no memory. */
char *file_join(const char *dir, const char *name);

/* file_absolute: path from the root on (caller frees); links stay. NULL: no memory, or no working folder. */
char *file_absolute(const char *path);

#endif

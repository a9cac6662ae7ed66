#include "failing.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sanitizer/common_interface_defs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
	bool is_armed, is_paused;
	pid_t pid;
	enum failing_kind kind;
	size_t at, count;
	const char *where;
} state;

void failing_arm(enum failing_kind kind, size_t n)
{
	state.kind = kind;
	state.at = n;
	state.count = 0;
	state.where = NULL;
	state.pid = getpid();
	state.is_paused = false;
	state.is_armed = true;
}

void failing_pause(bool is_paused)
{
	state.is_paused = is_paused;
}

size_t failing_disarm(void)
{
	state.is_armed = false;
	return state.count;
}

const char *failing_where(void)
{
	return state.where;
}

static bool fails(bool is_memory, const char *name)
{
	if (!state.is_armed || state.is_paused || is_memory != (state.kind != FAILING_SYSTEM) || getpid() != state.pid)
		return false;
	state.count++;
	bool is_on = state.kind == FAILING_DROUGHT && state.at && state.count > state.at;
	if (state.count != state.at && !is_on)
		return false;
	if (state.where)
		return true;
	state.where = name;
	if (getenv("FAULT_TRACE")) {
		state.is_armed = false; /* the printer allocates */
		__sanitizer_print_stack_trace();
		state.is_armed = true;
	}
	return true;
}

/* --- memory --- */

/* AddressSanitizer's own, by the names under which it keeps them for those who stand in front of it. */
void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *p, size_t size);
void *__interceptor_reallocarray(void *p, size_t count, size_t size);
int __interceptor_posix_memalign(void **out, size_t alignment, size_t size);
char *__interceptor_strdup(const char *text);
char *__interceptor_strndup(const char *text, size_t len);

#define MEMORY(name, ...) \
	if (fails(true, #name)) { \
		errno = ENOMEM; \
		return NULL; \
	} \
	return __interceptor_##name(__VA_ARGS__)

void *malloc(size_t size)
{
	MEMORY(malloc, size);
}

void *calloc(size_t count, size_t size)
{
	MEMORY(calloc, count, size);
}

/* libuv 1.44 aborts by itself where the table of its loop's descriptors cannot grow, the one thing it reallocates. Then
 * the process dies and is started again (tests/flow/test_killed.py). */
static bool is_libuv(void *caller)
{
	Dl_info info;
	return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "libuv.so");
}

void *realloc(void *p, size_t size)
{
	if (state.is_armed && is_libuv(__builtin_return_address(0)))
		return __interceptor_realloc(p, size);
	MEMORY(realloc, p, size);
}

void *reallocarray(void *p, size_t count, size_t size)
{
	MEMORY(reallocarray, p, count, size);
}

char *strdup(const char *text)
{
	MEMORY(strdup, text);
}

char *strndup(const char *text, size_t len)
{
	MEMORY(strndup, text, len);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	return fails(true, "posix_memalign") ? ENOMEM : __interceptor_posix_memalign(out, alignment, size);
}

/* --- the kernel --- */

/* The function that would have been called were it not for us. */
static void *next(const char *name)
{
	bool was_armed = state.is_armed;
	state.is_armed = false; /* dlsym allocates */
	void *p = dlsym(RTLD_NEXT, name);
	state.is_armed = was_armed;
	if (!p)
		abort();
	return p;
}

#define SYSTEM(type, name, failure, errnum, params, ...) \
	type name params \
	{ \
		static type(*real) params; \
		if (!real) \
			*(void **)&real = next(#name); \
		if (fails(false, #name)) { \
			errno = (errnum); \
			return (failure); \
		} \
		return real(__VA_ARGS__); \
	}

/* What reading and writing run into: a disk, or a peer that went away. The pipes that libuv has for itself do not fail.
 */
static bool transfer_fails(int fd, const char *name, int disk_errnum)
{
	struct stat st;
	bool is_known = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode));
	if (!is_known || !fails(false, name))
		return false;
	errno = S_ISSOCK(st.st_mode) ? ECONNRESET : disk_errnum;
	return true;
}

#define TRANSFER(name, errnum, params, ...) \
	ssize_t name params \
	{ \
		static ssize_t(*real) params; \
		if (!real) \
			*(void **)&real = next(#name); \
		return transfer_fails(fd, #name, errnum) ? -1 : real(__VA_ARGS__); \
	}

TRANSFER(read, EIO, (int fd, void *p, size_t n), fd, p, n)
TRANSFER(write, ENOSPC, (int fd, const void *p, size_t n), fd, p, n)
TRANSFER(writev, ENOSPC, (int fd, const struct iovec *v, int n), fd, v, n)
TRANSFER(send, ECONNRESET, (int fd, const void *p, size_t n, int flags), fd, p, n, flags)
TRANSFER(recv, ECONNRESET, (int fd, void *p, size_t n, int flags), fd, p, n, flags)
SYSTEM(ssize_t, pread, -1, EIO, (int fd, void *p, size_t n, off_t at), fd, p, n, at)
SYSTEM(ssize_t, pwrite, -1, ENOSPC, (int fd, const void *p, size_t n, off_t at), fd, p, n, at)
SYSTEM(ssize_t, pwritev, -1, ENOSPC, (int fd, const struct iovec *v, int n, off_t at), fd, v, n, at)
SYSTEM(ssize_t, sendmsg, -1, ECONNRESET, (int fd, const struct msghdr *m, int flags), fd, m, flags)
SYSTEM(int, fsync, -1, EIO, (int fd), fd)
SYSTEM(int, fdatasync, -1, EIO, (int fd), fd)
SYSTEM(int, msync, -1, EIO, (void *p, size_t n, int flags), p, n, flags)
SYSTEM(int, ftruncate, -1, ENOSPC, (int fd, off_t n), fd, n)
SYSTEM(int, posix_fallocate, ENOSPC, 0, (int fd, off_t at, off_t n), fd, at, n)
SYSTEM(int, rename, -1, ENOSPC, (const char *from, const char *to), from, to)
SYSTEM(int, mkdir, -1, ENOSPC, (const char *path, mode_t mode), path, mode)
SYSTEM(int, fchmod, -1, EPERM, (int fd, mode_t mode), fd, mode)
SYSTEM(DIR *, fdopendir, NULL, ENOMEM, (int fd), fd)
SYSTEM(void *, mmap, MAP_FAILED, ENOMEM, (void *p, size_t n, int prot, int flags, int fd, off_t at), p, n, prot, flags,
       fd, at)
SYSTEM(int, socket, -1, EMFILE, (int family, int type, int protocol), family, type, protocol)
SYSTEM(int, socketpair, -1, EMFILE, (int family, int type, int protocol, int fds[2]), family, type, protocol, fds)
SYSTEM(int, bind, -1, EADDRINUSE, (int fd, const struct sockaddr *sa, socklen_t len), fd, sa, len)
SYSTEM(int, listen, -1, EADDRINUSE, (int fd, int backlog), fd, backlog)
SYSTEM(int, accept4, -1, EMFILE, (int fd, struct sockaddr *sa, socklen_t *len, int flags), fd, sa, len, flags)
SYSTEM(int, shutdown, -1, ENOTCONN, (int fd, int how), fd, how)
SYSTEM(int, getsockname, -1, ENOBUFS, (int fd, struct sockaddr *sa, socklen_t *len), fd, sa, len)
SYSTEM(int, setsockopt, -1, ENOMEM, (int fd, int level, int name, const void *p, socklen_t n), fd, level, name, p, n)
SYSTEM(int, epoll_create1, -1, EMFILE, (int flags), flags)
/* not epoll_ctl: libuv aborts where its loop cannot have it, which takes more descriptors than a worker may open */
SYSTEM(int, eventfd, -1, EMFILE, (unsigned int value, int flags), value, flags)
SYSTEM(int, pipe2, -1, EMFILE, (int fds[2], int flags), fds, flags)
SYSTEM(int, inotify_init1, -1, EMFILE, (int flags), flags)
SYSTEM(int, inotify_add_watch, -1, ENOSPC, (int fd, const char *path, uint32_t mask), fd, path, mask)
SYSTEM(pid_t, fork, -1, EAGAIN, (void), )

/* Those with a mode that may or may not be there. */
#define OPEN(name, errnum, params, ...) \
	int name params \
	{ \
		static int (*real)(__VA_ARGS__, mode_t); \
		va_list ap; \
		va_start(ap, flags); \
		mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0; \
		va_end(ap); \
		if (!real) \
			*(void **)&real = next(#name);
#define OPEN_END(name, ...) \
	if (fails(false, #name)) { \
		errno = EMFILE; \
		return -1; \
	} \
	return real(__VA_ARGS__, mode); \
	}

OPEN(open, EMFILE, (const char *path, int flags, ...), const char *, int)
OPEN_END(open, path, flags)
OPEN(openat, EMFILE, (int dir, const char *path, int flags, ...), int, const char *, int)
OPEN_END(openat, dir, path, flags)
OPEN(open64, EMFILE, (const char *path, int flags, ...), const char *, int)
OPEN_END(open64, path, flags)

/* --- LMDB --- */

SYSTEM(int, mdb_txn_begin, MDB_READERS_FULL, 0, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **out), env,
       parent, flags, out)
SYSTEM(int, mdb_txn_renew, MDB_READERS_FULL, 0, (MDB_txn * txn), txn)
SYSTEM(int, mdb_put, MDB_MAP_FULL, 0, (MDB_txn * txn, MDB_dbi dbi, MDB_val *k, MDB_val *v, unsigned flags), txn, dbi, k,
       v, flags)
SYSTEM(int, mdb_del, MDB_MAP_FULL, 0, (MDB_txn * txn, MDB_dbi dbi, MDB_val *k, MDB_val *v), txn, dbi, k, v)

int mdb_txn_commit(MDB_txn *txn)
{
	static int (*real)(MDB_txn *);
	if (!real)
		*(void **)&real = next("mdb_txn_commit");
	if (!fails(false, "mdb_txn_commit"))
		return real(txn);
	mdb_txn_abort(txn); /* as LMDB does when it cannot write */
	return EIO;
}

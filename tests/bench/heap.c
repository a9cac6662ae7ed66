/* heap: preloaded, it counts the bytes that a process has from malloc and has not given back, as the allocator rounds
 * them, in $HEAP_FOLDER/<pid>: one number of eight bytes, there to be read at any time. For tests/bench/handshake.
 *
 * The processes that it counts have one thread that allocates, or several: the sum is atomic. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, which are there for such as us: nothing has to be looked up before the first call */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static _Atomic long long before_start; /* until the file is there, and where it cannot be made */
static _Atomic long long *in_use = &before_start;

__attribute__((constructor)) static void start(void)
{
	char path[4096];
	const char *folder = getenv("HEAP_FOLDER");
	if (!folder || snprintf(path, sizeof path, "%s/%ld", folder, (long)getpid()) >= (int)sizeof path)
		return;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	void *page = MAP_FAILED;
	if (ftruncate(fd, sizeof *in_use) == 0)
		page = mmap(NULL, sizeof *in_use, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED)
		return;
	_Atomic long long *shared = page;
	atomic_store(shared, atomic_load(&before_start));
	in_use = shared;
}

static void *count(void *p)
{
	if (p)
		atomic_fetch_add(in_use, (long long)malloc_usable_size(p));
	return p;
}

void *malloc(size_t size)
{
	return count(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return count(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
	long long before = p ? (long long)malloc_usable_size(p) : 0;
	void *q = __libc_realloc(p, size);
	if (q || size == 0)
		atomic_fetch_sub(in_use, before);
	return count(q);
}

void *memalign(size_t alignment, size_t size)
{
	return count(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *p = memalign(alignment, size);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	if (p)
		atomic_fetch_sub(in_use, (long long)malloc_usable_size(p));
	__libc_free(p);
}

/* heap: preloaded, it counts the bytes that a process has asked malloc for and has not given back, each piece rounded
 * up as the allocator does at least, in $HEAP_FOLDER/<pid>: one number of eight bytes, there to be read at any time.
 * For tests/bench/handshake. The same pieces are the same number, always, unlike with malloc_usable_size: now and then
 * a piece is sixteen bytes longer, because a remainder was too short for anything else.
 *
 * The processes that it counts have one thread that allocates, or several: the sum is atomic. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, which are there for such as us: nothing has to be looked up before the first call */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
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

/* In front of each piece. */
struct head {
	void *start; /* where the allocator's piece begins */
	size_t size; /* as asked for */
};
_Static_assert(sizeof(struct head) % _Alignof(max_align_t) == 0, "what follows it is aligned");

static struct head *head_of(void *p)
{
	return (struct head *)p - 1;
}

static long long rounded(size_t size)
{
	const size_t own = sizeof(size_t), step = 2 * sizeof(size_t); /* of glibc */
	size_t all = (size + own + step - 1) / step * step;
	return (long long)((all < 2 * step ? 2 * step : all) - own);
}

/* hand_out: the piece behind its head, counted. offset: of the piece in what the allocator gave. */
static void *hand_out(void *start, size_t offset, size_t size)
{
	if (!start)
		return NULL;
	void *p = (char *)start + offset;
	*head_of(p) = (struct head){start, size};
	atomic_fetch_add(in_use, rounded(size));
	return p;
}

void *malloc(size_t size)
{
	if (size > PTRDIFF_MAX - sizeof(struct head)) {
		errno = ENOMEM;
		return NULL;
	}
	return hand_out(__libc_malloc(sizeof(struct head) + size), sizeof(struct head), size);
}

void *calloc(size_t n, size_t size)
{
	size_t all;
	if (__builtin_mul_overflow(n, size, &all) || all > PTRDIFF_MAX - sizeof(struct head)) {
		errno = ENOMEM;
		return NULL;
	}
	return hand_out(__libc_calloc(1, sizeof(struct head) + all), sizeof(struct head), all);
}

void free(void *p)
{
	if (!p)
		return;
	struct head h = *head_of(p);
	atomic_fetch_sub(in_use, rounded(h.size));
	__libc_free(h.start);
}

void *realloc(void *p, size_t size)
{
	if (!p)
		return malloc(size);
	if (size == 0) {
		free(p);
		return NULL;
	}
	void *q = malloc(size);
	if (!q)
		return NULL;
	size_t had = head_of(p)->size;
	memcpy(q, p, had < size ? had : size);
	free(p);
	return q;
}

void *memalign(size_t alignment, size_t size)
{
	size_t offset = alignment < sizeof(struct head) ? sizeof(struct head) : alignment;
	if (size > PTRDIFF_MAX - offset) {
		errno = ENOMEM;
		return NULL;
	}
	return hand_out(__libc_memalign(alignment, offset + size), offset, size);
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

size_t malloc_usable_size(void *p)
{
	return p ? head_of(p)->size : 0;
}

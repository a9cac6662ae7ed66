/* guard: copies that end at an unreadable page, so that a parser that reads one byte too many dies at that
 * byte. */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARD_COPIES_MAX = 4096 };

static struct {
	void *p;
	size_t len;
} guard_copies[GUARD_COPIES_MAX];
static size_t guard_count;

/* guard_copy: bytes[0..len) again, with nothing readable behind. Stays until guard_free_all. */
static inline const void *guard_copy(const void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t body = (len + page - 1) / page * page;
	char *p = mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guard_count == GUARD_COPIES_MAX || p == MAP_FAILED || mprotect(p + body, page, PROT_NONE) != 0)
		abort();
	guard_copies[guard_count].p = p;
	guard_copies[guard_count++].len = body + page;
	return len ? memcpy(p + body - len, bytes, len) : p + body;
}

static inline void guard_free_all(void)
{
	while (guard_count > 0) {
		guard_count--;
		if (munmap(guard_copies[guard_count].p, guard_copies[guard_count].len) != 0)
			abort();
	}
}

#endif

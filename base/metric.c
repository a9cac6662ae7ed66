#include "metric.h"

#include "buf.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* changes with the layout: a page of another version is not misread */
static const uint64_t page_magic = 0x6d74617374730000u + METRIC_COUNT;

static const struct {
	const char *name;
	char kind;
	const char *help;
} rows[METRIC_COUNT] = {
#define c 'c'
#define g 'g'
#define X(id, name, kind, help) [id] = {name, kind, help},
	METRIC_TABLE(X)
#undef X
#undef c
#undef g
};

static struct metric_slot private_slot;
static struct metric_slot *mine = &private_slot;

struct metric_slot *metric_mine(void)
{
	return mine;
}

void metric_attach(struct metric_page *page, size_t slot)
{
	mine = page && slot < METRIC_SLOTS_MAX ? &page->slot[slot] : &private_slot;
}

static int map_page(int fd, int prot, const char *path, struct metric_page **out, struct err *err)
{
	void *p = mmap(NULL, sizeof(struct metric_page), prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(err, errno, "cannot map %s", path);
	*out = p;
	return 0;
}

int metric_page_create(const char *path, size_t slot_count, struct metric_page **out, struct err *err)
{
	*out = NULL;
	char tmp[4096];
	int n = snprintf(tmp, sizeof tmp, "%s.tmp", path);
	if (n < 0 || (size_t)n >= sizeof tmp || slot_count > METRIC_SLOTS_MAX)
		return err_set(err, ERR_RANGE, "%s: name too long", path);
	int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(err, errno, "cannot write %s", path);
	int rc = 0;
	/* written, not just sized: a full disk shows here and not as SIGBUS later */
	if (posix_fallocate(fd, 0, (off_t)sizeof(struct metric_page)) != 0)
		rc = err_errno(err, ENOSPC, "cannot write %s", path);
	if (rc == 0)
		rc = map_page(fd, PROT_READ | PROT_WRITE, path, out, err);
	if (rc == 0) {
		(*out)->slot_count = slot_count;
		(*out)->magic = page_magic;
		if (rename(tmp, path) != 0)
			rc = err_errno(err, errno, "cannot write %s", path);
	}
	(void)close(fd);
	if (rc) {
		metric_page_close(*out);
		*out = NULL;
		(void)unlink(tmp);
	}
	return rc;
}

int metric_page_open(const char *path, bool write, struct metric_page **out, struct err *err)
{
	*out = NULL;
	int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	struct stat st;
	int rc;
	if (fstat(fd, &st) != 0)
		rc = err_errno(err, errno, "%s", path);
	else if (st.st_size != (off_t)sizeof(struct metric_page))
		rc = err_set(err, ERR_PARSE, "%s: made by another version", path);
	else
		rc = map_page(fd, write ? PROT_READ | PROT_WRITE : PROT_READ, path, out, err);
	(void)close(fd);
	if (rc == 0 && ((*out)->magic != page_magic || (*out)->slot_count > METRIC_SLOTS_MAX)) {
		metric_page_close(*out);
		*out = NULL;
		rc = err_set(err, ERR_PARSE, "%s: made by another version", path);
	}
	return rc;
}

void metric_page_close(struct metric_page *page)
{
	if (page)
		(void)munmap(page, sizeof *page);
}

void metric_page_reset_slot(struct metric_page *page, size_t slot, enum worker_state state)
{
	for (size_t m = 0; m < METRIC_COUNT; m++)
		if (rows[m].kind == 'g')
			__atomic_store_n(&page->slot[slot].value[m], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&page->slot[slot].state, state, __ATOMIC_RELEASE);
}

uint64_t metric_sum(const struct metric_page *page, enum metric m)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < page->slot_count; i++)
		sum += __atomic_load_n(&page->slot[i].value[m], __ATOMIC_RELAXED);
	return sum;
}

const char *metric_name(enum metric m)
{
	return rows[m].name;
}

static size_t family_len(const char *name)
{
	return strcspn(name, "{");
}

void metric_render(const struct metric_page *page, struct buf *out)
{
	const char *family = "";
	for (size_t m = 0; m < METRIC_COUNT; m++) {
		size_t len = family_len(rows[m].name);
		if (len != family_len(family) || strncmp(rows[m].name, family, len) != 0) {
			family = rows[m].name;
			(void)buf_printf(out, "# HELP mta_sts_%.*s %s.\n# TYPE mta_sts_%.*s %s\n", (int)len, family,
					 rows[m].help, (int)len, family, rows[m].kind == 'c' ? "counter" : "gauge");
		}
		(void)buf_printf(out, "mta_sts_%s %" PRIu64 "\n", rows[m].name, metric_sum(page, (enum metric)m));
	}
}

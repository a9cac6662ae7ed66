/* replay: a fuzz target without libFuzzer: feeds it files, or all files of folders, and then, for so many seconds,
 * mutants of them; the same mutants in the same order every time. Each input ends at an unreadable page, which
 * libraries that are built without sanitizers respect, too.
 *
 * replay_x [-s SECONDS] [-o FILE] PATH…
 *   -o FILE   holds the input that is being tried: what broke the target is in there. Removed in the end. */
#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	INPUT_MAX_BYTES = 1 << 24,
	MUTANT_MAX_BYTES = 1 << 16, /* larger than any limit that a parser of ours has, small enough to be quick */
	MUTATIONS_MAX_COUNT = 8,    /* on top of each other */
};

/* Structure-aware targets have one of their own; see fuzz.h. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned seed)
{
	(void)seed;
	return LLVMFuzzerMutate(bytes, len, max);
}

struct input {
	char *path;
	struct buf bytes;
};

static struct {
	struct input *items;
	size_t count;
} corpus;

static uint32_t seed = 1;

static char *page_end; /* of INPUT_MAX_BYTES, and nothing readable behind */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void make_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, INPUT_MAX_BYTES + page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || mprotect(p + INPUT_MAX_BYTES, page, PROT_NONE) != 0)
		die("mmap");
	page_end = p + INPUT_MAX_BYTES;
}

static void try(const void *bytes, size_t len)
{
	uint8_t *at = (uint8_t *)page_end - len;
	if (len)
		memcpy(at, bytes, len);
	(void)LLVMFuzzerTestOneInput(at, len);
}

/* --- the corpus --- */

static void add_file(char *take_path)
{
	struct err err = {0};
	struct input *items = reallocarray(corpus.items, corpus.count + 1, sizeof *items);
	if (!items || !take_path)
		die("memory");
	corpus.items = items;
	struct input *in = &items[corpus.count++];
	in->path = take_path;
	buf_init(&in->bytes, INPUT_MAX_BYTES);
	if (file_read(take_path, &in->bytes, NULL, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static void add_folder(DIR *dir, const char *path)
{
	const struct dirent *entry;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add_file(file_join(path, entry->d_name));
	(void)closedir(dir);
}

/* In an order that does not depend on the file system: mutants do. */
static int compare_inputs(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->path, ((const struct input *)b)->path);
}

static void add_paths(char *const *paths)
{
	for (; *paths; paths++) {
		DIR *dir = opendir(*paths);
		if (dir)
			add_folder(dir, *paths);
		else
			add_file(strdup(*paths));
	}
	if (corpus.count)
		qsort(corpus.items, corpus.count, sizeof *corpus.items, compare_inputs);
}

static void free_corpus(void)
{
	for (size_t i = 0; i < corpus.count; i++) {
		free(corpus.items[i].path);
		buf_deinit(&corpus.items[i].bytes);
	}
	free(corpus.items);
}

static void replay_all(void)
{
	for (size_t i = 0; i < corpus.count; i++) {
		const struct input *in = &corpus.items[i];
		(void)fprintf(stderr, "%s\n", in->path); /* the last one named is the one that broke it */
		try(in->bytes.p, in->bytes.len);
	}
}

/* --- mutants --- */

static size_t below(size_t n)
{
	return fuzz_random(&seed) % n;
}

static size_t insert_some(uint8_t *p, size_t len, size_t max)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '\r', ' ', '"', ':'};
	size_t n = 1 + below(below(8) ? 4 : 256), at = below(len + 1);
	uint8_t fill = below(2) ? edges[below(sizeof edges)] : (uint8_t)below(256);
	if (n > max - len)
		return len;
	memmove(p + at + n, p + at, len - at);
	memset(p + at, fill, n);
	return len + n;
}

static size_t remove_some(uint8_t *p, size_t len)
{
	size_t at = below(len), n = 1 + below(below(4) ? 4 : len);
	n = n < len - at ? n : len - at;
	memmove(p + at, p + at + n, len - at - n);
	return len - n;
}

static size_t copy_some(uint8_t *p, size_t len)
{
	size_t from = below(len), to = below(len), n = 1 + below(32);
	n = n < len - from ? n : len - from;
	n = n < len - to ? n : len - to;
	memmove(p + to, p + from, n);
	return len;
}

/* cross: the tail of another input behind the head of this one. */
static size_t cross(uint8_t *p, size_t len, size_t max)
{
	const struct buf *other = &corpus.items[below(corpus.count)].bytes;
	size_t head = below(len + 1), from = below(other->len + 1), n = other->len - from;
	n = n < max - head ? n : max - head;
	if (n)
		memcpy(p + head, other->p + from, n);
	return head + n;
}

size_t LLVMFuzzerMutate(uint8_t *p, size_t len, size_t max)
{
	if (len == 0)
		return insert_some(p, len, max);
	switch (below(8)) {
	case 0: p[below(len)] ^= (uint8_t)(1u << below(8)); return len;
	case 1: p[below(len)] = (uint8_t)below(256); return len;
	case 2: p[below(len)] += (uint8_t)(below(2) ? 1 : 255); return len;
	case 3: return remove_some(p, len);
	case 4: return copy_some(p, len);
	case 5: return corpus.count ? cross(p, len, max) : len;
	default: return insert_some(p, len, max);
	}
}

static size_t make_mutant(uint8_t *out)
{
	const struct buf *from = &corpus.items[below(corpus.count)].bytes;
	size_t len = from->len < MUTANT_MAX_BYTES ? from->len : MUTANT_MAX_BYTES;
	if (len)
		memcpy(out, from->p, len);
	for (size_t n = 1 + below(MUTATIONS_MAX_COUNT); n > 0; n--)
		len = LLVMFuzzerCustomMutator(out, len, MUTANT_MAX_BYTES, fuzz_random(&seed));
	return len;
}

/* note: the kernel keeps it whatever becomes of this process. */
static void note(int fd, const void *bytes, size_t len)
{
	if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, len, 0) != (ssize_t)len)
		die("cannot note the input");
}

static time_t now_s(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static size_t try_mutants(long seconds, int note_fd)
{
	static uint8_t mutant[MUTANT_MAX_BYTES];
	size_t count = 0;
	for (time_t end = now_s() + seconds; corpus.count && now_s() < end; count++) {
		size_t len = make_mutant(mutant);
		if (note_fd >= 0)
			note(note_fd, mutant, len);
		try(mutant, len);
	}
	return count;
}

int main(int argc, char **argv)
{
	long seconds = 0;
	const char *note_path = NULL;
	int letter, note_fd = -1;
	while ((letter = getopt(argc, argv, "s:o:")) != -1) {
		if (letter == 's')
			seconds = strtol(optarg, NULL, 10);
		else if (letter == 'o')
			note_path = optarg;
		else
			return 2;
	}
	make_pages();
	add_paths(argv + optind);
	replay_all();
	if (note_path) {
		note_fd = open(note_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (note_fd < 0)
			die(note_path);
	}
	size_t mutants = try_mutants(seconds, note_fd);
	if (note_path) {
		(void)close(note_fd);
		(void)unlink(note_path);
	}
	const char *slash = strrchr(argv[0], '/');
	(void)printf("%s: %zu inputs, %zu mutants\n", slash ? slash + 1 : argv[0], corpus.count, mutants);
	free_corpus();
	return 0;
}

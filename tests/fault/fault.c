#include "fault.h"

#include "../../base/file.h"
#include "failing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STATE_MAX_BYTES = 1 << 20,
	JOBS_MAX = 64,
	RUN_TIMEOUT_S = 60, /* with sanitizers and neighbours; a run takes milliseconds */
	FAILED_STATUS = 99,
	TOLD_MAX = 5,
	SHOWN_MAX_BYTES = 4000,
};

char fault_dir[128], fault_site[128];

static char top_dir[64]; /* "dir", which the runs have copies of; "site"; their output */
static const char *const kind_names[FAILING_KIND_COUNT] = {"memory", "drought", "system"};

/* What a run leaves for the one that started it. */
struct text {
	size_t len;
	char bytes[STATE_MAX_BYTES];
};

static struct report {
	size_t call_count;
	struct text served, all;
} * reference; /* of the run in which nothing failed */

struct job {
	pid_t pid;
	size_t n;
	bool has_fired;
};

static struct {
	const struct fault *fault;
	enum failing_kind kind;
	bool *fired; /* shared; index: slot of the job */
	size_t run_count, failed_count, failed_max;
	size_t job_max;
} session;

/* --- for scenarios --- */

void fault_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	_exit(FAILED_STATUS);
}

void fault_must(int rc, const struct err *err)
{
	if (rc)
		fault_fail("scenery: %d: %s", rc, err->text);
}

const char *fault_path(const char *dir, const char *name, char out[256])
{
	(void)snprintf(out, 256, "%s/%s", dir, name);
	return out;
}

void fault_write(const char *path, const char *text)
{
	struct err err;
	fault_must(file_write(path, span_of(text), 0644, &err), &err);
}

/* --- folders --- */

static void copy_file(int from_dir, int to_dir, const char *name)
{
	char bytes[65536];
	ssize_t n;
	struct stat st;
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) != 0)
		fault_fail("cannot read %s", name);
	int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, st.st_mode & 0777);
	while (to >= 0 && (n = read(from, bytes, sizeof bytes)) > 0)
		if (write(to, bytes, (size_t)n) != n)
			fault_fail("cannot copy %s", name);
	if (to < 0 || close(to) != 0 || close(from) != 0)
		fault_fail("cannot copy %s", name);
}

static void copy_folder(int from, int to)
{
	DIR *dir = fdopendir(from);
	struct dirent *e;
	struct stat st;
	while (dir && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(from, e->d_name, &st, 0) != 0)
			fault_fail("%s: %s", e->d_name, strerrorname_np(errno));
		if (!S_ISDIR(st.st_mode)) {
			copy_file(from, to, e->d_name);
			continue;
		}
		if (mkdirat(to, e->d_name, st.st_mode & 0777) != 0)
			fault_fail("cannot make %s", e->d_name);
		copy_folder(openat(from, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    openat(to, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	}
	if (!dir || closedir(dir) != 0 || close(to) != 0)
		fault_fail("cannot copy a folder");
}

static void make_dir(char *out, size_t cap)
{
	/* in memory, where there is such a place: thousands of runs, each with its fsyncs */
	(void)snprintf(out, cap, "%s/mta-sts-fault-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(out))
		fault_fail("no folder for the runs");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void drop_dir(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- one run --- */

static void take(void (*look)(struct buf *out), struct text *out)
{
	struct buf b;
	buf_init(&b, sizeof out->bytes);
	look(&b);
	if (b.failed)
		fault_fail("the state is too large to keep");
	memcpy(out->bytes, b.len ? b.p : "", b.len);
	out->len = b.len;
	buf_deinit(&b);
}

static bool is_same(const struct text *a, const struct text *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void show(const char *what, const struct text *t)
{
	(void)fprintf(stderr, "--- %s, %zu bytes\n", what, t->len);
	for (size_t i = 0; i < t->len && i < SHOWN_MAX_BYTES; i++)
		(void)fputc(t->bytes[i] == '\n' || (t->bytes[i] >= ' ' && t->bytes[i] <= '~') ? t->bytes[i] : '.',
			    stderr);
	(void)fputc('\n', stderr);
}

static void check_rc(int rc, const struct err *err)
{
	if (rc > 0 || rc < ERR_PERM)
		fault_fail("returned %d, which is no ERR_", rc);
	if (rc && !err->text[0])
		fault_fail("returned %d without a sentence", rc);
}

static struct span next_entry(struct span *rest)
{
	const char *end = rest->len ? memchr(rest->p + 1, '\f', rest->len - 1) : NULL;
	struct span entry = {rest->p, end ? (size_t)(end - rest->p) : rest->len};
	rest->p += entry.len;
	rest->len -= entry.len;
	return entry;
}

static struct span name_of(struct span entry)
{
	const char *end = memchr(entry.p, ' ', entry.len);
	return (struct span){entry.p, end ? (size_t)(end - entry.p) : entry.len};
}

/* The entry of that name; as_whole: only if it is the same altogether. */
static bool has_entry(const struct text *t, struct span entry, bool as_whole)
{
	struct span rest = {t->bytes, t->len};
	while (rest.len) {
		struct span e = next_entry(&rest);
		if (as_whole ? span_is(e, entry) : span_is(name_of(e), name_of(entry)))
			return true;
	}
	return false;
}

/* Is each entry of now an old or a new one, and is none lost that is old and new? */
static bool is_mixture(const struct text *now, const struct text *old)
{
	for (struct span rest = {now->bytes, now->len}; rest.len;) {
		struct span e = next_entry(&rest);
		if (!has_entry(old, e, true) && !has_entry(&reference->served, e, true))
			return false;
	}
	for (struct span rest = {old->bytes, old->len}; rest.len;) {
		struct span e = next_entry(&rest);
		if (!has_entry(now, e, false) && has_entry(&reference->served, e, false))
			return false;
	}
	return true;
}

static bool is_told(const struct text *t)
{
	static const char *const words[] = {"Too many open files", "Input/output error", "cannot be read"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (memmem(t->bytes, t->len, words[i], strlen(words[i])))
			return true;
	return false;
}

static void check_state(const struct fault *f, int rc, const struct text *old)
{
	static struct text now;
	take(f->served, &now);
	bool is_new = is_same(&now, &reference->served), is_old = is_same(&now, old);
	bool is_good = rc ? is_new || is_old : is_new;
	bool is_system = session.kind == FAILING_SYSTEM;
	bool may_mix = rc == 0 && (f->may_put_off || (f->has_entries && is_system));
	if (is_good || (may_mix && is_mixture(&now, old)) || (rc == 0 && is_system && f->may_tell && is_told(&now)))
		return;
	show("what is served", &now);
	show("old", old);
	show("new", &reference->served);
	fault_fail("%s failed, %d was returned, and %s is served", failing_where(), rc,
		   is_old ? "the old" : "neither old nor new");
}

static void check_again(const struct fault *f)
{
	static struct text now;
	struct err err = {0};
	int rc = f->act(&err);
	if (rc)
		fault_fail("the next time, undisturbed, it returned %d: %s", rc, err.text);
	take(f->served, &now);
	if (!is_same(&now, &reference->served)) {
		show("what is served", &now);
		show("new", &reference->served);
		fault_fail("the next time, undisturbed, the new is not served");
	}
	if (!f->all)
		return;
	take(f->all, &now);
	if (!is_same(&now, &reference->all)) {
		show("the store", &now);
		show("new", &reference->all);
		fault_fail("the next time, undisturbed, the store is not what it is without a fault");
	}
}

static void check_leaks(void)
{
	if (__lsan_do_recoverable_leak_check())
		fault_fail("it leaks");
}

static void enter_dir(void)
{
	char from[256];
	fault_path(top_dir, "dir", from);
	/* below the top, which goes at the end: a run that is killed leaves its folder behind */
	(void)snprintf(fault_dir, sizeof fault_dir, "%s/run.%08ld", top_dir, (long)getpid());
	if (mkdir(fault_dir, 0755) != 0)
		fault_fail("no folder for the run");
	copy_folder(open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		    open(fault_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void run(const struct fault *f, enum failing_kind kind, size_t n, bool *out_fired)
{
	static struct text old;
	struct err err = {0};
	enter_dir();
	f->open();
	take(f->served, &old);
	failing_arm(kind, n);
	int rc = f->act(&err);
	(void)failing_disarm();
	*out_fired = failing_where() != NULL;
	if (getenv("FAULT_TRACE"))
		(void)fprintf(stderr, "%s failed; returned %d %s\n", failing_where() ? failing_where() : "nothing", rc,
			      err.text);
	check_rc(rc, &err);
	check_state(f, rc, &old);
	check_again(f);
	f->close();
	drop_dir(fault_dir);
	check_leaks();
}

/* The run that the others are compared with. */
static void run_reference(const struct fault *f, enum failing_kind kind)
{
	struct err err = {0};
	enter_dir();
	f->open();
	failing_arm(kind, 0);
	int rc = f->act(&err);
	reference->call_count = failing_disarm();
	if (rc)
		fault_fail("without a fault it returns %d: %s", rc, err.text);
	take(f->served, &reference->served);
	if (f->all)
		take(f->all, &reference->all);
	f->close();
	drop_dir(fault_dir);
	check_leaks();
}

/* --- many runs --- */

static char *output_path(pid_t pid, char out[96])
{
	(void)snprintf(out, 96, "%s/output.%ld", top_dir, (long)pid);
	return out;
}

static void keep_output(void)
{
	char path[96];
	int fd = open(output_path(getpid(), path), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(FAILED_STATUS);
	(void)close(fd);
}

static pid_t start(void (*fn)(void *ctx), void *ctx)
{
	(void)fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		fault_fail("cannot fork");
	if (pid > 0)
		return pid;
	(void)alarm(RUN_TIMEOUT_S);
	keep_output();
	fn(ctx);
	_exit(0);
}

static void tell_failure(size_t n, int status, const char *path)
{
	printf("--- %s %s %zu: ", session.fault->name, kind_names[session.kind], n);
	if (WIFSIGNALED(status))
		printf("killed by signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? " (it hung)" : "");
	else
		printf("exit status %d\n", WEXITSTATUS(status));
	char line[4096];
	FILE *f = fopen(path, "r");
	for (int i = 0; f && i < 200 && fgets(line, sizeof line, f); i++)
		printf("    %s", line);
	if (f)
		(void)fclose(f);
}

static bool collect(pid_t pid, int status, size_t n)
{
	char path[96];
	bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	output_path(pid, path);
	if (!is_good && session.failed_count++ < TOLD_MAX)
		tell_failure(n, status, path);
	(void)unlink(path);
	return is_good;
}

struct start_args {
	size_t n, slot;
};

static void start_run(void *ctx)
{
	const struct start_args *a = ctx;
	run(session.fault, session.kind, a->n, &session.fired[a->slot]);
}

static void start_reference(void *ctx)
{
	(void)ctx;
	run_reference(session.fault, session.kind);
}

/* Waits for one of the jobs; returns its slot. */
static size_t reap(struct job *jobs, bool *out_is_good)
{
	int status;
	pid_t pid = wait(&status);
	for (size_t slot = 0; slot < session.job_max; slot++) {
		if (jobs[slot].pid != pid)
			continue;
		*out_is_good = collect(pid, status, jobs[slot].n);
		jobs[slot].pid = 0;
		return slot;
	}
	fault_fail("somebody else's child");
}

/* n = 1, 1 + step, …; ends when one run was not reached by its fault, or failed five times. */
static void run_all(size_t step)
{
	struct job jobs[JOBS_MAX] = {0};
	size_t busy = 0;
	bool is_over = false;
	for (size_t n = 1; !is_over || busy;) {
		size_t slot = 0;
		if (!is_over && busy < session.job_max) {
			while (jobs[slot].pid)
				slot++;
			session.fired[slot] = false;
			struct start_args args = {n, slot};
			jobs[slot] = (struct job){.pid = start(start_run, &args), .n = n};
			session.run_count++;
			busy++;
			n += step;
			continue;
		}
		bool is_good;
		slot = reap(jobs, &is_good);
		busy--;
		is_over = is_over || (is_good && !session.fired[slot]) || session.failed_count >= session.failed_max;
	}
}

static double seconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_kind(enum failing_kind kind)
{
	const struct fault *f = session.fault;
	const double began = seconds();
	int status;
	session.run_count = session.failed_count = 0;
	pid_t pid = start(start_reference, NULL);
	if (waitpid(pid, &status, 0) != pid)
		fault_fail("waitpid");
	size_t calls = reference->call_count, step = 1;
	if (collect(pid, status, 0)) {
		if (!getenv("FAULT_FULL") && kind != FAILING_SYSTEM && calls > f->run_max)
			step = (calls + f->run_max - 1) / f->run_max;
		run_all(step);
	}
	printf("%s %s %s: %zu of %zu calls failed in turn, %zu wrong  %.1f s\n", session.failed_count ? "FAIL" : "ok  ",
	       f->name, kind_names[kind], session.run_count ? session.run_count - 1 : 0, calls, session.failed_count,
	       seconds() - began);
	return session.failed_count == 0;
}

static void prepare(const struct fault *f)
{
	int status;
	make_dir(top_dir, sizeof top_dir);
	(void)snprintf(fault_dir, sizeof fault_dir, "%s/dir", top_dir);
	(void)snprintf(fault_site, sizeof fault_site, "%s/site", top_dir);
	if (mkdir(fault_dir, 0755) != 0 || mkdir(fault_site, 0755) != 0)
		fault_fail("no folder for the runs");
	(void)fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (f->prepare)
			f->prepare();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		fault_fail("%s: its scenery cannot be built", f->name);
}

static bool run_fault(const struct fault *f, int argc, char **argv)
{
	bool is_good = true;
	session.fault = f;
	prepare(f);
	for (int kind = 0; kind < FAILING_KIND_COUNT; kind++) {
		if (argc > 2 && strcmp(argv[2], kind_names[kind]) != 0)
			continue;
		session.kind = (enum failing_kind)kind;
		if (argc > 3) { /* here, so that a debugger sees it */
			bool has_fired = false;
			if (fork() == 0) {
				run_reference(f, (enum failing_kind)kind);
				_exit(0);
			}
			(void)wait(NULL);
			run(f, (enum failing_kind)kind, strtoul(argv[3], NULL, 10), &has_fired);
			printf("%s\n", has_fired ? "survived" : "the fault did not come up");
		} else {
			is_good = run_kind((enum failing_kind)kind) && is_good;
		}
	}
	drop_dir(top_dir);
	return is_good;
}

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		fault_fail("no memory to share");
	return p;
}

int fault_main(const struct fault *const *faults, size_t count, int argc, char **argv)
{
	bool is_good = true, is_known = argc < 2;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	session.job_max = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (size_t)cpus;
	session.failed_max = getenv("FAULT_FULL") ? SIZE_MAX : TOLD_MAX;
	session.fired = shared(JOBS_MAX);
	reference = shared(sizeof *reference);
	for (size_t i = 0; i < count; i++) {
		if (argc > 1 && strcmp(argv[1], faults[i]->name) != 0)
			continue;
		is_known = true;
		is_good = run_fault(faults[i], argc, argv) && is_good;
	}
	if (!is_known)
		printf("no scenario %s\n", argv[1]);
	return is_good && is_known ? 0 : 1;
}

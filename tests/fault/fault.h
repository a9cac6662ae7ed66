/* fault: runs an act again and again, each time with the next call failing, until one run ends without the fault having
 * come up. Each run is a process of its own, on a fresh copy of what there was before.
 *
 * After a run, whatever failed: no crash, no sanitizer's report, no leak; the act said 0 or an ERR_ with a sentence;
 * what is served is exactly the old or exactly the new, and the new when it said 0. Then the act is done once more,
 * undisturbed, and must give the new. */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include "../../base/buf.h"
#include "../../base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct fault {
	const char *name;
	/* Runs per kind of memory fault that `make check` affords: spread over all allocations. Of system calls each
	 * one fails. FAULT_FULL=1 in the environment: each allocation, too. */
	size_t run_max;
	/* A failing system call may concern one file only, which is then a problem that the configuration has: the act
	 * says 0, and of what is served each entry is the old or the new one. An entry begins with a form feed and its
	 * name. */
	bool has_entries;
	/* The act is a server's life: it goes on after any fault, with what it had, and mends that later. As
	 * has_entries, whatever failed. */
	bool may_put_off;
	/* The act may say 0 though a system call failed, when what is served then names the failure. */
	bool may_tell;
	void (*prepare)(void); /* once, before all runs: fills the two folders below. NULL: nothing */
	void (*open)(void);    /* before the act; nothing fails here */
	int (*act)(struct err *err);
	void (*served)(struct buf *out); /* what a reader sees */
	void (*all)(struct buf *out);    /* what must be the same once it has been done; NULL: what is served */
	void (*close)(void);             /* gives back what open took */
};

/* Every run has its own copy of fault_dir; fault_site is there once, for what is only read. */
extern char fault_dir[128], fault_site[128];

const char *fault_path(const char *dir, const char *name, char out[256]); /* dir/name */
void fault_write(const char *path, const char *text);

/* fault_must: the scenery, not the act: ends the run unless rc is 0. */
void fault_must(int rc, const struct err *err);
void fault_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* fault_main: FAULT [memory|drought|system N]: all of them, or one, or one run of it with what it says. */
int fault_main(const struct fault *const *faults, size_t count, int argc, char **argv);

#endif

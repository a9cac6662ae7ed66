/* failing: stands between the program and its libraries on the one side and the system on the other, counts the calls
 * that can fail, and lets the n-th one do so.
 *
 * Linked into the program: its symbols come before those of every library, so that libyaml's malloc and LMDB's pwrite
 * are counted as well. It counts only while it is armed, and only in the process that armed it. */
#ifndef FAULT_FAILING_H
#define FAULT_FAILING_H

#include <stdbool.h>
#include <stddef.h>

enum failing_kind {
	FAILING_MEMORY,  /* one allocation */
	FAILING_DROUGHT, /* one allocation and all that follow */
	FAILING_SYSTEM,  /* one call to the kernel or to LMDB: open, read, write, fsync, rename, socket, commit, … */
	FAILING_KIND_COUNT
};

/* failing_arm: the n-th call from now on fails (from 1); 0: none does. */
void failing_arm(enum failing_kind kind, size_t n);

/* failing_disarm: how many calls there were. */
size_t failing_disarm(void);

/* failing_pause: what the test does itself, as the other side of a connection, neither counts nor fails. Nothing when
 * it is not armed. */
void failing_pause(bool is_paused);

/* failing_where: the function that failed; NULL: none did. */
const char *failing_where(void);

#endif

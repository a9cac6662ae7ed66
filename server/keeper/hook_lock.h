/* hook_lock: one run of the hook at a time, also across a keeper that was killed.
 *
 * A lock on a file in state_dir that the hook, and what it starts, inherit: as long as one of them lives that a former
 * keeper left behind, it is held. Without it an old run could end after a newer one, and DNS be left with an old id. */
#ifndef KEEPER_HOOK_LOCK_H
#define KEEPER_HOOK_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct hook_lock {
	int fd;      /* for the hook to inherit, read-only; -1: none */
	int note_fd; /* not for it */
	bool is_held;
	uint64_t asked_ms; /* clock_mono_ms of the first time that another held it; 0: never */
	bool is_killed;    /* the holder */
};

/* hook_lock_open: below state_dir. hook_lock_close: accepts one with both -1. */
int hook_lock_open(struct hook_lock *l, const char *state_dir, struct err *err);
void hook_lock_close(struct hook_lock *l);

/* hook_lock_take: may a run begin now? If not, come again soon: what holds the lock is asked to end, then killed.
 * max_ms after that a run may begin all the same: the holder has left its session and cannot be found. */
bool hook_lock_take(struct hook_lock *l, uint64_t max_ms);

/* hook_lock_note: the session that holds it from now on; 0: none. */
void hook_lock_note(struct hook_lock *l, int pid);

#endif

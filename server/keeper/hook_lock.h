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
	int fd; /* -1: none */
	bool is_ours;
	uint64_t asked_ms;  /* clock_mono_ms of the first time that another held it; 0: never */
	bool is_terminated; /* the holder was asked to end */
};

/* hook_lock_open: below state_dir. hook_lock_close: accepts one with fd -1. */
int hook_lock_open(struct hook_lock *l, const char *state_dir, struct err *err);
void hook_lock_close(struct hook_lock *l);

/* hook_lock_take: is it ours now? If not, come again soon: what holds it is asked to end, then killed. After max_ms it
 * counts as ours all the same: the holder has left its session and cannot be found. */
bool hook_lock_take(struct hook_lock *l, uint64_t max_ms);

/* hook_lock_note: the session that holds it from now on. */
void hook_lock_note(struct hook_lock *l, int pid);

#endif

#include "hook_lock.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { KILL_MS = 2000 }; /* from SIGTERM to SIGKILL, as child.c has it */

int hook_lock_open(struct hook_lock *l, const char *state_dir, struct err *err)
{
	*l = (struct hook_lock){.fd = -1};
	char *path = file_join(state_dir, "hook.lock");
	if (!path)
		return err_set(err, ERR_NOMEM, "out of memory");
	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = l->fd < 0 ? err_errno(err, errno, "%s", path) : 0;
	free(path);
	return rc;
}

void hook_lock_close(struct hook_lock *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
}

static void kill_holder(const struct hook_lock *l, int signal)
{
	int64_t pid = 0;
	if (pread(l->fd, &pid, sizeof pid, 0) != (ssize_t)sizeof pid)
		return;
	if (pid > 1 && pid <= INT32_MAX && pid != getpgrp())
		(void)kill((pid_t)-pid, signal);
}

bool hook_lock_take(struct hook_lock *l, uint64_t max_ms)
{
	uint64_t now_ms = clock_mono_ms();
	if (l->is_ours)
		return true;
	l->is_ours = flock(l->fd, LOCK_EX | LOCK_NB) == 0;
	if (l->is_ours)
		return true;
	if (l->asked_ms == 0) {
		log_warn("publish.left_behind", "text=\"a hook of a server that was killed still runs; it is ended\"");
		l->asked_ms = now_ms;
		kill_holder(l, SIGTERM);
	} else if (!l->is_terminated && now_ms - l->asked_ms >= KILL_MS) {
		l->is_terminated = true;
		kill_holder(l, SIGKILL);
	}
	l->is_ours = now_ms - l->asked_ms >= max_ms;
	if (l->is_ours)
		log_error("publish.left_behind", "text=\"it does not end; going on after %" PRIu64 " ms\"", max_ms);
	return l->is_ours;
}

void hook_lock_note(struct hook_lock *l, int pid)
{
	int64_t value = pid;
	(void)!pwrite(l->fd, &value, sizeof value, 0); /* else a run that is left behind is waited for, not ended */
}

#include "hook_lock.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { KILL_MS = 2000 }; /* from SIGTERM to SIGKILL, as child.c has it */

/* What the file holds: whom to end. A pid alone may be another's by now; with when it began it is not. */
struct note {
	int64_t pid;
	uint64_t began; /* in ticks after the machine did; proc(5), stat, the 22nd */
};

int hook_lock_open(struct hook_lock *l, const char *state_dir, struct err *err)
{
	*l = (struct hook_lock){.fd = -1, .note_fd = -1};
	char *path = file_join(state_dir, "hook.lock");
	if (!path)
		return err_set(err, ERR_NOMEM, "out of memory");
	l->note_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	l->fd = l->note_fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = l->fd < 0 ? err_errno(err, errno, "%s", path) : 0;
	free(path);
	return rc;
}

void hook_lock_close(struct hook_lock *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	if (l->note_fd >= 0)
		(void)close(l->note_fd);
	l->fd = l->note_fd = -1;
}

/* 0: there is no such process. */
static uint64_t find_began(int64_t pid)
{
	char path[64], text[1024];
	unsigned long long began = 0;
	(void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *rest = strrchr(text, ')'); /* the name in front may hold anything */
	if (!rest ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &began) != 1)
		return 0;
	return began;
}

static void kill_holder(const struct hook_lock *l, int signal)
{
	struct note note;
	if (pread(l->note_fd, &note, sizeof note, 0) != (ssize_t)sizeof note || note.pid <= 1 || note.pid > INT32_MAX)
		return;
	if (note.began && find_began(note.pid) == note.began)
		(void)kill((pid_t)-note.pid, signal);
}

bool hook_lock_take(struct hook_lock *l, uint64_t max_ms)
{
	uint64_t now_ms = clock_mono_ms();
	if (!l->is_held)
		l->is_held = flock(l->fd, LOCK_EX | LOCK_NB) == 0;
	if (l->is_held)
		return true;
	if (l->asked_ms == 0) {
		log_warn("publish.left_behind", "text=\"a hook of a server before this one still runs; it is ended\"");
		l->asked_ms = now_ms;
		kill_holder(l, SIGTERM);
	} else if (!l->is_killed && now_ms - l->asked_ms >= KILL_MS) {
		l->is_killed = true;
		kill_holder(l, SIGKILL);
	}
	return now_ms - l->asked_ms >= 2 * KILL_MS + max_ms;
}

void hook_lock_note(struct hook_lock *l, int pid)
{
	struct note note = {.pid = pid, .began = pid > 0 ? find_began(pid) : 0};
	(void)!pwrite(l->note_fd, &note, sizeof note, 0); /* else a run that is left behind is waited for, not ended */
}

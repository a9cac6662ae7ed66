#include "watch.h"

#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/sha256.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	QUIET_MS = 30,      /* a save is several events: create, write, rename */
	BURST_MAX_MS = 200, /* but somebody who never stops must not keep us from looking */
	POLL_MS = 1000,     /* where there is no inotify: live within 2 s all the same */
	FOLDERS_MAX_BYTES = 1 << 28,
	EVENT_MASK = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
		     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

/* What a watch descriptor stands for. */
struct watch_folder {
	unsigned sets;                        /* bit per set; 0: not in use */
	uint64_t generation[WATCH_SET_COUNT]; /* when it was last said to belong to the set */
};

/* The folders of the set being told: NUL-terminated paths, one behind the other. */
struct watch_list {
	struct buf paths;
};

static void on_debounced(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	unsigned changed = w->changed;
	w->changed = 0;
	w->on_change(w->ctx, changed);
}

static void note_change(struct watch *w, unsigned sets)
{
	uint64_t now_ms = clock_mono_ms();
	if (sets == 0)
		return;
	if (w->changed == 0)
		w->first_event_ms = now_ms;
	w->changed |= sets;
	uint64_t age_ms = now_ms - w->first_event_ms;
	if (age_ms < BURST_MAX_MS || !uv_is_active((uv_handle_t *)&w->debounce_timer))
		(void)uv_timer_start(&w->debounce_timer, on_debounced, QUIET_MS, 0);
}

static void on_poll_tick(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	note_change(w, w->polled);
}

static void take_event(struct watch *w, const struct inotify_event *e)
{
	const unsigned all = (1u << WATCH_SET_COUNT) - 1;
	if (e->mask & IN_Q_OVERFLOW) {
		w->stale |= all;
		note_change(w, all);
		return;
	}
	if (e->wd < 0 || (size_t)e->wd >= w->by_wd_count)
		return;
	struct watch_folder *f = &w->by_wd[e->wd];
	note_change(w, f->sets);
	/* a folder that goes, comes or moves: the set may stand for other folders now */
	if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_ISDIR))
		w->stale |= f->sets;
	if (e->mask & IN_IGNORED)
		*f = (struct watch_folder){0};
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	(void)events;
	if (status < 0)
		return;
	for (;;) {
		ssize_t n = read(w->fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			struct inotify_event e;
			memcpy(&e, bytes + at, sizeof e);
			take_event(w, &e);
			at += (ssize_t)(sizeof e + e.len);
		}
	}
}

static int start_inotify(struct watch *w)
{
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0)
		return -1;
	if (uv_poll_init(w->loop, &w->poll, w->fd) != 0) {
		(void)close(w->fd);
		w->fd = -1;
		return -1;
	}
	w->has_poll_handle = true;
	w->poll.data = w;
	return uv_poll_start(&w->poll, UV_READABLE, on_readable);
}

int watch_open(struct watch *w, uv_loop_t *loop, watch_fn *on_change, void *ctx, struct err *err)
{
	*w = (struct watch){.loop = loop, .on_change = on_change, .ctx = ctx, .fd = -1};
	w->pending = calloc(1, sizeof *w->pending);
	if (!w->pending)
		return err_set(err, ERR_NOMEM, "out of memory");
	buf_init(&w->pending->paths, FOLDERS_MAX_BYTES);
	(void)uv_timer_init(loop, &w->debounce_timer);
	(void)uv_timer_init(loop, &w->poll_timer);
	w->debounce_timer.data = w->poll_timer.data = w;
	w->has_timers = true;
	w->stale = (1u << WATCH_SET_COUNT) - 1;
	if (start_inotify(w) != 0) {
		log_warn("watch.polling", "text=\"inotify is not to be had; files are looked at every %d ms\"",
			 POLL_MS);
		w->polled = w->stale;
		(void)uv_timer_start(&w->poll_timer, on_poll_tick, POLL_MS, POLL_MS);
	}
	return 0;
}

void watch_close(struct watch *w)
{
	if (w->has_poll_handle)
		uv_close((uv_handle_t *)&w->poll, NULL);
	if (w->has_timers) {
		uv_close((uv_handle_t *)&w->debounce_timer, NULL);
		uv_close((uv_handle_t *)&w->poll_timer, NULL);
	}
	w->has_poll_handle = w->has_timers = false;
}

void watch_deinit(struct watch *w)
{
	if (w->pending) {
		buf_deinit(&w->pending->paths);
		if (w->fd >= 0)
			(void)close(w->fd);
	}
	free(w->pending);
	free(w->by_wd);
	*w = (struct watch){.fd = -1};
}

/* --- sets
 * ----------------------------------------------------------------------------------------------------------------- */

int watch_begin_set(struct watch *w, enum watch_set set)
{
	w->building = (unsigned)set;
	buf_reset(&w->pending->paths);
	return 0;
}

int watch_add(struct watch *w, const char *folder)
{
	return buf_add(&w->pending->paths, folder, strlen(folder) + 1);
}

/* Network file systems do not tell about other machines' changes. */
static bool is_silent(const char *folder)
{
	struct statfs fs;
	if (statfs(folder, &fs) != 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case NFS_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case CODA_SUPER_MAGIC:
	case V9FS_MAGIC:
	case 0xFF534D42ul: /* CIFS */
	case 0xFE534D42ul: /* SMB2 */
	case 0x65735546ul: /* FUSE */ return true;
	default: return false;
	}
}

static void poll_set(struct watch *w, enum watch_set set, const char *folder, const char *why)
{
	unsigned bit = 1u << set;
	if (!(w->polled & bit))
		log_warn("watch.polling", "folder=%s text=\"%s; it is looked at every %d ms\"",
			 LOG_QUOTE(span_of(folder)), why, POLL_MS);
	w->polled |= bit;
	(void)uv_timer_start(&w->poll_timer, on_poll_tick, POLL_MS, POLL_MS);
}

static int keep_watch(struct watch *w, enum watch_set set, int wd)
{
	if ((size_t)wd >= w->by_wd_count) {
		size_t count = (size_t)wd + 64;
		struct watch_folder *grown = reallocarray(w->by_wd, count, sizeof *grown);
		if (!grown)
			return ERR_NOMEM;
		memset(grown + w->by_wd_count, 0, (count - w->by_wd_count) * sizeof *grown);
		w->by_wd = grown;
		w->by_wd_count = count;
	}
	/* what happened between the reader's look and the first watch was not told: look once more */
	if (!(w->by_wd[wd].sets >> set & 1))
		note_change(w, 1u << set);
	w->by_wd[wd].sets |= 1u << set;
	w->by_wd[wd].generation[set] = w->generation;
	return 0;
}

/* path is changed: cut to the folder that was found. */
static int watch_nearest(struct watch *w, enum watch_set set, char *path)
{
	for (;;) {
		int wd = inotify_add_watch(w->fd, path, EVENT_MASK);
		if (wd >= 0)
			return keep_watch(w, set, wd);
		char *slash = strrchr(path, '/');
		bool is_gone = errno == ENOENT || errno == ENOTDIR;
		if (!is_gone || !slash || strcmp(path, "/") == 0) {
			poll_set(w, set, path,
				 errno == ENOSPC ? "the limit of inotify watches is reached" : "it cannot be watched");
			return 0;
		}
		slash[slash == path] = '\0';
	}
}

static void drop_old(struct watch *w, enum watch_set set)
{
	for (size_t wd = 0; wd < w->by_wd_count; wd++) {
		struct watch_folder *f = &w->by_wd[wd];
		if (!(f->sets >> set & 1) || f->generation[set] == w->generation)
			continue;
		f->sets &= ~(1u << set);
		if (f->sets == 0)
			(void)inotify_rm_watch(w->fd, (int)wd); /* gone already: fine */
	}
}

/* Of the paths and of what stands there: a symbolic link may lead elsewhere today. */
static void render_fingerprint(struct watch *w, uint8_t out[SHA256_BYTES])
{
	struct buf *paths = &w->pending->paths;
	size_t end = paths->len;
	for (size_t at = 0; at < end; at += strlen(paths->p + at) + 1) {
		struct stat st = {0};
		(void)stat(paths->p + at, &st); /* not there: zeros */
		(void)buf_add(paths, &st.st_dev, sizeof st.st_dev);
		(void)buf_add(paths, &st.st_ino, sizeof st.st_ino);
	}
	sha256_of(buf_span(paths), out);
	paths->len = end;
}

int watch_end_set(struct watch *w, enum watch_set set)
{
	struct buf *paths = &w->pending->paths;
	uint8_t digest[SHA256_BYTES];
	unsigned bit = 1u << set;
	render_fingerprint(w, digest);
	if (paths->failed)
		return ERR_NOMEM;
	if (w->fd < 0 || (!(w->stale & bit) && memcmp(digest, w->fingerprint[set], sizeof digest) == 0))
		return 0;
	memcpy(w->fingerprint[set], digest, sizeof digest);
	w->stale &= ~bit;
	w->polled &= ~bit;
	if (w->polled == 0)
		(void)uv_timer_stop(&w->poll_timer);
	w->generation++;
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < paths->len;) {
		char *path = paths->p + at;
		at += strlen(path) + 1;
		if (is_silent(path))
			poll_set(w, set, path, "it is on a network file system");
		rc = watch_nearest(w, set, path);
	}
	drop_old(w, set);
	return rc;
}

#include "watch.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/log.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	QUIET_MS = 30,      /* a save is several events: create, write, rename */
	BURST_MAX_MS = 200, /* but somebody who never stops must not keep us from looking */
	POLL_MS = 1000,     /* where there is no inotify: live within 2 s all the same … */
	POLL_PART = 20,     /* … but no more than a twentieth of the time is spent on it */
	PATHS_MAX_BYTES = 1 << 28,
	RECENT_COUNT = 64,
	CHANGES_MAX_COUNT = 4096, /* more than that at a time: looking at everything is cheaper */
	EVENT_MASK = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
		     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

/* numbers of kept_paths; it gives out no such one as the second */
static const uint32_t nowhere = KEPT_PATHS_NONE, everywhere = UINT32_MAX;

/* What a watch descriptor stands for: one for each folder of certificates, and so small. */
struct watch_folder {
	uint8_t sets; /* bit per set; 0: not in use */
	uint8_t told; /* bit per set: since that was begun, it was said to belong to it */
	bool is_silent;
	struct watch_role {
		uint32_t walked;  /* its path, where changed entries are looked at by themselves: in kept */
		uint32_t look_at; /* a path in kept; everywhere: there are several */
	} of[WATCH_SET_COUNT];
};

/* --- changes
 * ----------------------------------------------------------------------------------------------------------------- */

void watch_changes_deinit(struct watch_changes *c)
{
	buf_deinit(&c->paths);
	*c = (struct watch_changes){0};
	buf_init(&c->paths, PATHS_MAX_BYTES);
}

void watch_take_changes(struct watch *w, enum watch_set set, struct watch_changes *out)
{
	*out = w->changes[set];
	w->changes[set] = (struct watch_changes){0};
	buf_init(&w->changes[set].paths, PATHS_MAX_BYTES);
}

static void on_debounced(uv_timer_t *timer);

static void note_set(struct watch *w, enum watch_set set)
{
	uint64_t now_ms = clock_mono_ms();
	if (w->changed == 0)
		w->first_event_ms = now_ms;
	w->changed |= 1u << set;
	uint64_t age_ms = now_ms - w->first_event_ms;
	if (age_ms < BURST_MAX_MS || !uv_is_active((uv_handle_t *)&w->debounce_timer))
		(void)uv_timer_start(&w->debounce_timer, on_debounced, QUIET_MS, 0);
}

static void note_all(struct watch *w, unsigned sets)
{
	for (unsigned set = 0; set < WATCH_SET_COUNT; set++)
		if (sets >> set & 1) {
			w->changes[set].is_all = true;
			note_set(w, (enum watch_set)set);
		}
}

/* a burst speaks of the same few files again and again */
static bool is_noted(const struct watch_changes *c, const char *path)
{
	const char *end = c->paths.p + c->paths.len;
	for (const char *at = c->paths.p + c->recent; at != end; at += strlen(at) + 1)
		if (strcmp(at, path) == 0)
			return true;
	return false;
}

static void note_path(struct watch *w, enum watch_set set, const char *path)
{
	struct watch_changes *c = &w->changes[set];
	note_set(w, set);
	if (c->is_all || is_noted(c, path))
		return;
	if (c->count % RECENT_COUNT == 0)
		c->recent = c->paths.len;
	c->is_all = c->count++ == CHANGES_MAX_COUNT || buf_add(&c->paths, path, strlen(path) + 1) != 0;
}

/* Hidden entries are nobody's certificates, but may be included; but Kubernetes swaps a link of such a name, and with
 * it what all others lead to. */
static void note_entry(struct watch *w, enum watch_set set, const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	if (name[0] == '\0') {
		note_path(w, set, folder);
		return;
	}
	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
		return;
	if (name[0] != '.' || set == WATCH_CONFIG)
		note_path(w, set, path);
	else if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		note_path(w, set, folder);
}

static void note_event(struct watch *w, enum watch_set set, const struct watch_role *role, const char *name)
{
	if (!(w->whole >> set & 1) || role->look_at == everywhere) {
		note_all(w, 1u << set);
		return;
	}
	char path[PATH_MAX];
	if (role->look_at != nowhere) {
		kept_paths_get(&w->kept[set], role->look_at, path);
		note_path(w, set, path);
	}
	if (role->walked != nowhere) {
		kept_paths_get(&w->kept[set], role->walked, path);
		note_entry(w, set, path, name);
	}
}

static void on_poll_tick(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	note_all(w, w->polled);
}

static void start_polling(struct watch *w)
{
	(void)uv_timer_start(&w->poll_timer, on_poll_tick, POLL_MS, POLL_MS);
}

/* name: "" where the event is about the folder itself */
static void take_event(struct watch *w, const struct inotify_event *e, const char *name)
{
	if (e->mask & IN_Q_OVERFLOW) {
		note_all(w, (1u << WATCH_SET_COUNT) - 1);
		return;
	}
	if (e->wd < 0 || (size_t)e->wd >= w->by_wd_count)
		return;
	struct watch_folder *f = &w->by_wd[e->wd];
	for (unsigned set = 0; set < WATCH_SET_COUNT; set++)
		if (f->sets >> set & 1)
			note_event(w, (enum watch_set)set, &f->of[set], name);
	if (e->mask & IN_IGNORED)
		*f = (struct watch_folder){0};
}

static void take_events(struct watch *w)
{
	char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	while (w->fd >= 0) {
		ssize_t n = read(w->fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			struct inotify_event e;
			memcpy(&e, bytes + at, sizeof e);
			take_event(w, &e, e.len ? bytes + at + sizeof e : ""); /* NUL behind it: inotify(7) */
			at += (ssize_t)(sizeof e + e.len);
		}
	}
}

static void on_debounced(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	/* what happened before the reader looks is among what it is told: a name may have gone from one file to another
	 */
	take_events(w);
	(void)uv_timer_stop(timer);
	unsigned changed = w->changed;
	bool is_polled = false;
	uint64_t begin_ms = clock_mono_ms();
	w->changed = 0;
	for (size_t set = 0; set < WATCH_SET_COUNT; set++)
		is_polled = is_polled || (w->changes[set].is_all && w->polled >> set & 1);
	w->on_change(w->ctx, changed);
	/* a set that it was told of has new ones, for the next call */
	for (size_t set = 0; set < WATCH_SET_COUNT; set++)
		if (!(w->changed >> set & 1))
			watch_changes_deinit(&w->changes[set]);
	uint64_t took_ms = clock_mono_ms() - begin_ms;
	if (is_polled)
		uv_timer_set_repeat(&w->poll_timer, took_ms > POLL_MS / POLL_PART ? took_ms * POLL_PART : POLL_MS);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	if (status >= 0)
		take_events(poll->data);
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
	(void)err;
	*w = (struct watch){.loop = loop, .on_change = on_change, .ctx = ctx, .fd = -1};
	buf_init(&w->told, PATHS_MAX_BYTES);
	for (size_t set = 0; set < WATCH_SET_COUNT; set++) {
		kept_paths_init(&w->kept[set]);
		buf_init(&w->changes[set].paths, PATHS_MAX_BYTES);
	}
	(void)uv_timer_init(loop, &w->debounce_timer);
	(void)uv_timer_init(loop, &w->poll_timer);
	w->debounce_timer.data = w->poll_timer.data = w;
	w->has_timers = true;
	if (start_inotify(w) != 0) {
		log_warn("watch.polling", "text=\"inotify is not to be had; files are looked at every %d ms\"",
			 POLL_MS);
		w->polled = (1u << WATCH_SET_COUNT) - 1;
		start_polling(w);
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
	if (w->loop && w->fd >= 0)
		(void)close(w->fd);
	for (size_t set = 0; set < WATCH_SET_COUNT; set++) {
		kept_paths_deinit(&w->kept[set]);
		buf_deinit(&w->changes[set].paths);
	}
	buf_deinit(&w->told);
	free(w->by_wd);
	*w = (struct watch){.fd = -1};
}

/* --- sets
 * ----------------------------------------------------------------------------------------------------------------- */

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
	if (!((w->polled | w->unheard) & bit))
		log_warn("watch.polling", "folder=%s text=\"%s; it is looked at every %d ms\"",
			 LOG_QUOTE(span_of(folder)), why, POLL_MS);
	w->unheard |= bit;
}

static struct watch_folder *folder_of(struct watch *w, int wd)
{
	if ((size_t)wd >= w->by_wd_count) {
		size_t count = (size_t)wd + (size_t)wd / 8 + 64;
		struct watch_folder *grown = reallocarray(w->by_wd, count, sizeof *grown);
		if (!grown)
			return NULL;
		memset(grown + w->by_wd_count, 0, (count - w->by_wd_count) * sizeof *grown);
		w->by_wd = grown;
		w->by_wd_count = count;
	}
	return &w->by_wd[wd];
}

/* *at: where it is, or where something else is that it takes the place of. Links are told of right behind the folder
 * that they lie in: most paths are the last one again. */
static int keep_path(struct watch *w, enum watch_set set, const char *path, uint32_t *at)
{
	struct kept_paths *kept = &w->kept[set];
	return *at != everywhere && kept_paths_is(kept, *at, path) ? 0 : kept_paths_add(kept, path, at);
}

static bool is_same_folder(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Is the folder known by another name as well? What was read by that one must be looked at, too, whatever changes;
 * unless it was renamed, which was told. An include is known by one name from the first. */
static bool has_second_name(const struct watch *w, enum watch_set set, const struct watch_role *role,
			    const char *folder)
{
	char path[PATH_MAX];
	if (role->walked == nowhere || kept_paths_is(&w->kept[set], role->walked, folder))
		return false;
	kept_paths_get(&w->kept[set], role->walked, path);
	return set == WATCH_CONFIG || is_same_folder(path, folder);
}

static int keep_role(struct watch *w, enum watch_set set, struct watch_role *role, const char *folder,
		     const char *look_at)
{
	uint32_t was = role->look_at;
	if (!look_at) {
		if (has_second_name(w, set, role, folder))
			role->look_at = everywhere;
		return keep_path(w, set, folder, &role->walked);
	}
	if (was == everywhere)
		return 0;
	if (keep_path(w, set, look_at, &role->look_at) != 0)
		return ERR_NOMEM;
	if (was != nowhere && was != role->look_at)
		role->look_at = everywhere;
	return 0;
}

static int keep_watch(struct watch *w, enum watch_set set, int wd, const char *folder, const char *look_at)
{
	struct watch_folder *f = folder_of(w, wd);
	if (!f)
		return ERR_NOMEM;
	struct watch_role *role = &f->of[set];
	uint8_t bit = (uint8_t)(1u << set);
	bool is_new = !(f->sets & bit);
	if (!(f->told & bit))
		*role = (struct watch_role){0};
	if (f->sets == 0)
		f->is_silent = is_silent(folder);
	f->sets |= bit;
	f->told |= bit;
	if (f->is_silent)
		poll_set(w, set, folder, "it is on a network file system");
	/* what happened between the reader's look and the first watch was not told: look once more */
	if (is_new && (look_at || set == WATCH_CONFIG))
		note_path(w, set, look_at ? look_at : folder);
	return keep_role(w, set, role, folder, look_at);
}

static int watch_nearest(struct watch *w, enum watch_set set, const char *folder, const char *look_at)
{
	char path[PATH_MAX];
	if (w->fd < 0 || snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path)
		return 0;
	for (;;) {
		int wd = inotify_add_watch(w->fd, path, EVENT_MASK);
		if (wd >= 0)
			return keep_watch(w, set, wd, path, look_at);
		char *slash = strrchr(path, '/');
		bool is_gone = errno == ENOENT || errno == ENOTDIR;
		if (!is_gone || !slash || strcmp(path, "/") == 0) {
			poll_set(w, set, path,
				 errno == ENOSPC ? "the limit of inotify watches is reached" : "it cannot be watched");
			return 0;
		}
		slash[slash == path] = '\0';
		look_at = look_at ? look_at : folder;
	}
}

static void drop_old(struct watch *w, enum watch_set set)
{
	for (size_t wd = 0; wd < w->by_wd_count; wd++) {
		struct watch_folder *f = &w->by_wd[wd];
		if (!((f->sets & ~f->told) >> set & 1))
			continue;
		f->sets &= (uint8_t) ~(1u << set);
		if (f->sets == 0)
			(void)inotify_rm_watch(w->fd, (int)wd); /* gone already: fine */
	}
}

void watch_begin_set(struct watch *w, enum watch_set set)
{
	for (size_t wd = 0; wd < w->by_wd_count; wd++)
		w->by_wd[wd].told &= (uint8_t) ~(1u << set);
	w->whole &= ~(1u << set);
	w->unheard &= ~(1u << set);
	buf_reset(&w->told);
	kept_paths_reset(&w->kept[set]);
}

int watch_add(struct watch *w, enum watch_set set, const char *folder, const char *look_at)
{
	if (!look_at)
		return watch_nearest(w, set, folder, NULL);
	/* later: where there are more than can be watched, those that were walked come first */
	(void)buf_add(&w->told, folder, strlen(folder) + 1);
	return buf_add(&w->told, look_at, strlen(look_at) + 1);
}

int watch_end_set(struct watch *w, enum watch_set set)
{
	unsigned bit = 1u << set;
	int rc = w->told.failed;
	for (size_t at = 0; rc == 0 && at < w->told.len;) {
		const char *folder = w->told.p + at, *look_at = folder + strlen(folder) + 1;
		at += strlen(folder) + strlen(look_at) + 2;
		rc = watch_nearest(w, set, folder, look_at);
	}
	buf_deinit(&w->told);
	if (rc || w->fd < 0)
		return rc;
	drop_old(w, set);
	if (w->unheard & bit && !(w->polled & bit))
		start_polling(w);
	w->polled = (w->polled & ~bit) | (w->unheard & bit);
	if (w->polled == 0)
		(void)uv_timer_stop(&w->poll_timer);
	w->whole |= bit;
	return 0;
}

int watch_more(struct watch *w, enum watch_set set, const char *folder, const char *look_at)
{
	unsigned bit = 1u << set;
	if (!(w->whole & bit))
		return 0; /* all is looked at next time */
	int rc = watch_nearest(w, set, folder, look_at);
	if (w->unheard & bit && !(w->polled & bit)) {
		w->polled |= bit;
		start_polling(w);
	}
	return rc;
}

#include "limits_watch.h"

#include "../../base/err.h"
#include "../../config/settings_table.h"
#include "view.h"

enum { STORED_MAX_BYTES = 1 << 20 }; /* apply.c's */

/* take: a stored form that differs from the one before. */
static bool take(struct limits_watch *w, struct span stored)
{
	struct settings settings;
	buf_reset(&w->seen);
	bool is_good = buf_add_span(&w->seen, stored) == 0;
	is_good = settings_decode(stored, &settings) == 0 && is_good;
	if (is_good)
		limits_share(&settings, w->worker_count, w->fd_max_count, &w->limits);
	settings_deinit(&settings);
	return is_good;
}

bool limits_watch_look(struct limits_watch *w, uint64_t now_ms)
{
	struct span stored;
	if (now_ms == w->looked_ms)
		return false;
	w->looked_ms = now_ms;
	if (view_begin(w->view) != VIEW_FOUND)
		return false;
	bool is_changed = view_find_settings(w->view, &stored) == VIEW_FOUND && !span_is(stored, buf_span(&w->seen)) &&
			  take(w, stored);
	view_end(w->view);
	return is_changed;
}

int limits_watch_init(struct limits_watch *w, struct view *view, size_t worker_count, size_t fd_max_count,
		      struct err *err)
{
	struct settings settings;
	*w = (struct limits_watch){
		.view = view,
		.worker_count = worker_count,
		.fd_max_count = fd_max_count,
		.looked_ms = UINT64_MAX,
	};
	buf_init(&w->seen, STORED_MAX_BYTES);
	int rc = settings_init(&settings);
	if (rc == 0)
		limits_share(&settings, worker_count, fd_max_count, &w->limits);
	settings_deinit(&settings);
	if (rc)
		return err_set(err, rc, "limits: out of memory");
	(void)limits_watch_look(w, 0);
	return 0;
}

void limits_watch_deinit(struct limits_watch *w)
{
	buf_deinit(&w->seen);
}

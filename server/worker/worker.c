#include "worker.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../certs/mbed.h"
#include "conn.h"
#include "limits_watch.h"
#include "listener.h"
#include "sandbox.h"
#include "tls.h"
#include "view.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RESERVED_FD_COUNT = 64 + WORKER_LISTEN_MAX }; /* the store's, the loop's, standard ones, listeners */

_Static_assert((int)WORKER_LISTEN_MAX <= (int)LISTENERS_MAX_COUNT, "all that the keeper may hand down");

struct worker {
	uv_loop_t loop;
	bool has_loop, has_mbed, is_stopping;
	uv_signal_t term, interrupt;
	uv_timer_t drain;
	struct metric_page *page;
	struct view view;
	struct tls_config *tls;
	size_t fd_max_count; /* that connections may have */
	struct limits_watch limits;
	struct listeners listeners;
	struct conn_env conns;
	uv_tcp_t first;
};

static void set_state(enum worker_state state)
{
	__atomic_store_n(&metric_mine()->state, (uint64_t)state, __ATOMIC_RELEASE);
}

/* stop_with_keeper: the kernel will tell us; if the keeper died before we asked for that, we see it now. */
static int stop_with_keeper(pid_t keeper_pid, struct err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
		return err_errno(err, errno, "PR_SET_PDEATHSIG");
	if (keeper_pid != 0 && getppid() != keeper_pid)
		return err_set(err, ERR_IO, "the keeper is gone");
	return 0;
}

/* raise_fd_limit: as far as the administrator allows; what is left is a ceiling for limits.connections. */
static int raise_fd_limit(size_t *out_max_count, struct err *err)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return err_errno(err, errno, "RLIMIT_NOFILE");
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0)
			return err_errno(err, errno, "RLIMIT_NOFILE");
	}
	if (r.rlim_cur < 2 * RESERVED_FD_COUNT)
		return err_set(err, ERR_RANGE, "RLIMIT_NOFILE: %llu descriptors are too few",
			       (unsigned long long)r.rlim_cur);
	*out_max_count = (size_t)r.rlim_cur - RESERVED_FD_COUNT;
	return 0;
}

static int open_metrics(struct worker *w, const struct worker_args *args, struct err *err)
{
	char *path = file_join(args->state_dir, "metrics");
	if (!path)
		return err_set(err, ERR_NOMEM, "metrics: out of memory");
	int rc = metric_page_open(path, true, &w->page, err);
	free(path);
	if (rc)
		return rc;
	if (args->slot >= w->page->slot_count)
		return err_set(err, ERR_RANGE, "slot %zu: the metrics page has %llu", args->slot,
			       (unsigned long long)w->page->slot_count);
	metric_attach(w->page, args->slot);
	metric_set(M_CONNECTIONS_OPEN, 0); /* the one before us in this slot may have died with some */
	metric_mine()->pid = (uint64_t)getpid();
	metric_mine()->started_unix_s = clock_unix_s();
	set_state(WORKER_STARTING);
	return 0;
}

static void on_drain_timeout(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	conn_close_all(&w->conns);
}

/* on_stop: nothing keeps the loop running but connections afterwards. */
static void on_stop(uv_signal_t *signal, int signum)
{
	struct worker *w = signal->data;
	if (w->is_stopping)
		return;
	w->is_stopping = true;
	set_state(WORKER_STOPPING);
	listeners_drain(&w->listeners);
	listeners_close(&w->listeners);
	log_info("worker.stopping", "signal=%d connections=%zu", signum, crowd_count(&w->conns.crowd));
	conn_stop_all(&w->conns);
	(void)uv_timer_start(&w->drain, on_drain_timeout, w->limits.limits.drain_timeout_ms, 0);
	uv_unref((uv_handle_t *)&w->drain);
}

static int start_signal(struct worker *w, uv_signal_t *signal, int signum, struct err *err)
{
	int rc = uv_signal_init(&w->loop, signal);
	if (rc == 0) {
		signal->data = w;
		rc = uv_signal_start(signal, on_stop, signum);
		uv_unref((uv_handle_t *)signal);
	}
	return rc == 0 ? 0 : err_set(err, ERR_IO, "signal %d: %s", signum, uv_strerror(rc));
}

static int open_loop(struct worker *w, struct err *err)
{
	int rc = uv_loop_init(&w->loop);
	if (rc != 0)
		return err_set(err, rc == UV_ENOMEM ? ERR_NOMEM : ERR_IO, "event loop: %s", uv_strerror(rc));
	w->has_loop = true;
	(void)uv_timer_init(&w->loop, &w->drain); /* cannot fail */
	w->drain.data = w;
	/* With its first socket a loop opens a spare descriptor, and where it cannot it tries again with each. */
	(void)uv_tcp_init(&w->loop, &w->first); /* cannot fail without a socket */
	uv_close((uv_handle_t *)&w->first, NULL);
	rc = start_signal(w, &w->term, SIGTERM, err);
	return rc ? rc : start_signal(w, &w->interrupt, SIGINT, err);
}

static void take_limits(struct worker *w)
{
	conn_set_limits(&w->conns, &w->limits.limits);
	w->listeners.accepts_per_turn = w->limits.limits.accepts_per_turn;
}

static void on_accept(void *ctx, int take_fd, const struct sockaddr *peer)
{
	struct worker *w = ctx;
	if (limits_watch_look(&w->limits, uv_now(&w->loop)))
		take_limits(w);
	conn_accept(&w->conns, take_fd, peer);
}

/* start: everything that a worker ever opens. */
static int start(struct worker *w, const struct worker_args *args, struct err *err)
{
	(void)signal(SIGPIPE, SIG_IGN); /* a write to a closed socket is an error of that write */
	int rc = sandbox_prepare(err);
	if (rc == 0)
		rc = raise_fd_limit(&w->fd_max_count, err);
	if (rc == 0)
		rc = open_metrics(w, args, err);
	if (rc == 0)
		rc = view_open(&w->view, args->state_dir, err);
	if (rc == 0)
		rc = limits_watch_init(&w->limits, &w->view, w->page->slot_count - 1, w->fd_max_count, err);
	if (rc == 0)
		rc = mbed_start(err);
	if (rc)
		return rc;
	w->has_mbed = true;
	rc = tls_config_new(&w->tls, err);
	if (rc == 0)
		rc = open_loop(w, err);
	if (rc)
		return rc;
	conn_env_init(&w->conns, &w->loop, &w->view, w->tls, &w->limits.limits);
	take_limits(w);
	/* last before the sockets: from here on a signal finds its handler */
	rc = stop_with_keeper(args->keeper_pid, err);
	if (rc)
		return rc;
	rc = listeners_open(&w->listeners, &w->loop, WORKER_FIRST_FD, args->listen_count, on_accept, w, err);
	return rc ? rc : sandbox_enter(err);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_loop(struct worker *w)
{
	if (!w->has_loop)
		return;
	listeners_close(&w->listeners);
	uv_walk(&w->loop, close_handle, NULL); /* signals and the drain timer; no connection is left */
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&w->loop);
	assert(rc == 0);
}

static void stop(struct worker *w)
{
	close_loop(w);
	conn_env_deinit(&w->conns);
	limits_watch_deinit(&w->limits);
	tls_config_free(w->tls);
	if (w->has_mbed)
		mbed_stop();
	view_close(&w->view);
	set_state(WORKER_NONE);
	metric_attach(NULL, 0);
	metric_page_close(w->page);
}

int worker_run(const struct worker_args *args, struct err *err)
{
	struct worker *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(err, ERR_NOMEM, "worker: out of memory");
	static char who[32]; /* the log keeps it */
	(void)snprintf(who, sizeof who, "worker %zu", args->slot);
	log_init(who, LOG_LEVEL_INFO);
	int rc = start(w, args, err);
	if (rc == 0) {
		set_state(WORKER_SERVING);
		log_info("worker.serving", "sockets=%zu max_connections=%zu", args->listen_count,
			 w->limits.limits.connections);
		(void)uv_run(&w->loop, UV_RUN_DEFAULT);
		log_info("worker.stopped", NULL);
	}
	stop(w);
	free(w);
	return rc;
}

#include "keeper.h"

#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "notify.h"

#include <signal.h>

enum {
	SWEEP_MS = 60000, /* withdrawn domains whose date has passed, expiring certificates, and what no event told */
};

static void reload_all(struct keeper *k, enum reload_scope scope);

static void on_retry(uv_timer_t *timer)
{
	reload_all(timer->data, RELOAD_DUE);
}

static void reload_config_now(struct keeper *k, enum reload_scope scope)
{
	uint64_t retry_ms = 0;
	if (reload_config(&k->reload, scope, &retry_ms) != 0)
		retry_ms = SWEEP_MS / 12; /* a full disk, say: come again soon, whatever happens to the files */
	if (retry_ms && !k->is_stopping)
		(void)uv_timer_start(&k->retry_timer, on_retry, retry_ms, 0);
	publish_kick(&k->publish);
}

static void reload_certs_now(struct keeper *k, enum reload_scope scope)
{
	if (!k->reload.dev_ca)                         /* that one makes its own */
		(void)reload_certs(&k->reload, scope); /* logged; the sweep tries again */
	publish_kick(&k->publish);
	expiry_run(&k->expiry, k->reload.domain_count);
}

/* Configuration first: it says where certificates are. */
static void reload_all(struct keeper *k, enum reload_scope scope)
{
	reload_config_now(k, scope);
	reload_certs_now(k, scope);
}

static void on_change(void *ctx, unsigned changed)
{
	struct keeper *k = ctx;
	if (k->is_stopping)
		return;
	if (changed >> WATCH_CONFIG & 1)
		reload_config_now(k, RELOAD_CHANGED);
	if (changed >> WATCH_CERTS & 1 || k->reload.is_cert_pass_due)
		reload_certs_now(k, RELOAD_CHANGED);
	else
		expiry_run(&k->expiry, k->reload.domain_count);
}

static void on_sweep(uv_timer_t *timer)
{
	reload_all(timer->data, RELOAD_DUE);
}

static void on_hup(uv_signal_t *signal, int number)
{
	struct keeper *k = signal->data;
	(void)number;
	log_info("reload.asked", "by=SIGHUP");
	if (k->is_stopping)
		return;
	reload_all(k, RELOAD_ASKED);
	publish_hurry(&k->publish);
}

static void close_all(struct keeper *k)
{
	if (!k->has_handles)
		return;
	k->has_handles = false;
	uv_close((uv_handle_t *)&k->term_signal, NULL);
	uv_close((uv_handle_t *)&k->int_signal, NULL);
	uv_close((uv_handle_t *)&k->hup_signal, NULL);
	uv_close((uv_handle_t *)&k->retry_timer, NULL);
	uv_close((uv_handle_t *)&k->sweep_timer, NULL);
	expiry_close(&k->expiry);
	publish_close(&k->publish);
	watch_close(&k->watch);
	monitor_close(&k->monitor);
}

static void on_workers_stopped(void *ctx)
{
	close_all(ctx);
}

static void stop(struct keeper *k)
{
	if (k->is_stopping)
		return;
	k->is_stopping = true;
	notify_send("STOPPING=1");
	publish_close(&k->publish);
	workers_stop(&k->workers);
}

static void on_term(uv_signal_t *signal, int number)
{
	struct keeper *k = signal->data;
	if (!k->is_stopping)
		log_info("serve.stopping", "signal=%d", number);
	stop(k);
}

static void on_workers_ready(void *ctx)
{
	struct keeper *k = ctx;
	k->on_ready(k->ctx);
	publish_kick(&k->publish);
	notify_send("READY=1");
}

static int open_handles(struct keeper *k, struct err *err)
{
	if (uv_loop_init(&k->loop) != 0)
		return err_set(err, ERR_NOMEM, "cannot make an event loop");
	k->has_loop = true;
	/* these fail only for want of descriptors, which shows in the loop's own */
	(void)uv_signal_init(&k->loop, &k->term_signal);
	(void)uv_signal_init(&k->loop, &k->int_signal);
	(void)uv_signal_init(&k->loop, &k->hup_signal);
	(void)uv_timer_init(&k->loop, &k->retry_timer);
	(void)uv_timer_init(&k->loop, &k->sweep_timer);
	expiry_open(&k->expiry, &k->loop, k->reload.store);
	k->term_signal.data = k->int_signal.data = k->hup_signal.data = k->retry_timer.data = k->sweep_timer.data = k;
	k->has_handles = true;
	if (uv_signal_start(&k->term_signal, on_term, SIGTERM) != 0 ||
	    uv_signal_start(&k->int_signal, on_term, SIGINT) != 0 ||
	    uv_signal_start(&k->hup_signal, on_hup, SIGHUP) != 0 ||
	    uv_timer_start(&k->sweep_timer, on_sweep, SWEEP_MS, SWEEP_MS) != 0)
		return err_set(err, ERR_IO, "cannot handle signals");
	int rc = watch_open(&k->watch, &k->loop, on_change, k, err);
	k->reload.watch = &k->watch;
	k->publish = (struct publish){.store = k->reload.store,
				      .state_dir = k->state_dir,
				      .page = k->page,
				      .is_off = k->reload.dev_ca != NULL};
	if (rc == 0)
		rc = publish_open(&k->publish, &k->loop, err);
	if (rc == 0 && k->metrics)
		rc = monitor_open(&k->monitor, &k->loop, k->metrics, k->page, err);
	return rc;
}

static int start_workers(struct keeper *k, struct err *err)
{
	k->workers = (struct workers){
		.loop = &k->loop,
		.state_dir = k->state_dir,
		.sockets = k->sockets,
		.page = k->page,
		.store = k->reload.store,
		.on_ready = on_workers_ready,
		.on_stopped = on_workers_stopped,
		.ctx = k,
	};
	return workers_start(&k->workers, err);
}

int keeper_run(struct keeper *k, struct err *err)
{
	metric_attach(k->page, METRIC_KEEPER_SLOT);
	int rc = open_handles(k, err);
	/* workers first: a restart goes on serving what is in the store while files are read. Ready is said by the
	 * loop, and so after both. */
	if (rc == 0)
		rc = start_workers(k, err);
	if (rc == 0)
		reload_all(k, RELOAD_ALL);
	if (rc && k->has_handles) {
		k->is_stopping = true;
		if (k->workers.has_timers)
			workers_stop(&k->workers); /* ends in close_all */
		else
			close_all(k);
	}
	if (k->has_loop) {
		(void)uv_run(&k->loop, UV_RUN_DEFAULT);
		(void)uv_loop_close(&k->loop);
	}
	publish_deinit(&k->publish);
	workers_deinit(&k->workers);
	watch_deinit(&k->watch);
	reload_deinit(&k->reload);
	metric_attach(NULL, 0);
	return rc;
}

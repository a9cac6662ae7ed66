#include "workers.h"

#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "priority.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	FIRST_FD = 3, /* what worker.h says */
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 5000, /* its sockets' queues fill meanwhile: not longer */
	STEADY_MS = 10000,     /* a worker that lived so long died of something rare: back at once */
	STOP_MS = 8000,        /* a worker's own deadlines are shorter; systemd's is 90 s */
	READY_POLL_MS = 5,
};

struct worker_process {
	struct workers *all;
	size_t slot; /* of the metrics page, from 1 */
	uv_process_t process;
	uv_timer_t restart_timer;
	bool is_alive;
	uint64_t started_ms, backoff_ms;
};

static void on_exit_worker(uv_process_t *process, int64_t status, int term_signal);
static void on_process_closed(uv_handle_t *handle);
static void schedule(struct worker_process *p);

/* When it fails, the next try is on its way. */
static int spawn(struct worker_process *p, struct err *err)
{
	struct workers *w = p->all;
	size_t listen_count = w->sockets->address_count;
	const int *fds = sockets_of(w->sockets, p->slot - 1);
	uv_stdio_container_t *stdio = calloc(FIRST_FD + listen_count, sizeof *stdio);
	if (!stdio) {
		schedule(p);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	stdio[0].flags = UV_IGNORE;
	for (int fd = 1; fd < FIRST_FD; fd++)
		stdio[fd] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fd};
	for (size_t i = 0; i < listen_count; i++)
		stdio[FIRST_FD + i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fds[i]};
	char slot[24], count[24], keeper[24];
	(void)snprintf(slot, sizeof slot, "%zu", p->slot);
	(void)snprintf(count, sizeof count, "%zu", listen_count);
	(void)snprintf(keeper, sizeof keeper, "%ld", (long)getpid());
	char *args[] = {"mta-sts-server", "worker", (char *)(uintptr_t)w->state_dir, slot, count, keeper, NULL};
	uv_process_options_t options = {
		.exit_cb = on_exit_worker,
		.file = "/proc/self/exe", /* this very program, also when an upgrade has replaced the file */
		.args = args,
		.stdio = stdio,
		.stdio_count = FIRST_FD + (int)listen_count,
	};
	metric_page_reset_slot(w->page, p->slot, WORKER_STARTING);
	priority_restore(); /* it is the keeper's reloads that can wait, not the worker */
	int rc = uv_spawn(w->loop, &p->process, &options);
	priority_lower();
	free(stdio);
	if (rc) {
		uv_close((uv_handle_t *)&p->process, on_process_closed); /* libuv has it in its list already */
		return err_set(err, ERR_IO, "cannot start a worker: %s", uv_strerror(rc));
	}
	p->is_alive = true;
	p->started_ms = clock_mono_ms();
	w->alive_count++;
	log_info("worker.started", "slot=%zu pid=%d", p->slot, p->process.pid);
	return 0;
}

static void on_restart(uv_timer_t *timer)
{
	struct worker_process *p = timer->data;
	struct err err;
	if (p->all->is_stopping)
		return;
	metric_add(M_WORKER_RESTARTS, 1);
	if (spawn(p, &err) != 0)
		log_error("worker.start_failed", "slot=%zu text=%s", p->slot, LOG_QUOTE(span_of(err.text)));
}

static void schedule(struct worker_process *p)
{
	uint64_t lived_ms = clock_mono_ms() - p->started_ms;
	uint64_t delay_ms = 0;
	if (lived_ms >= STEADY_MS) {
		p->backoff_ms = 0;
	} else {
		delay_ms = p->backoff_ms;
		p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : BACKOFF_FIRST_MS;
		if (p->backoff_ms > BACKOFF_MAX_MS)
			p->backoff_ms = BACKOFF_MAX_MS;
	}
	(void)uv_timer_start(&p->restart_timer, on_restart, delay_ms, 0); /* fails only on a closing handle */
}

static void finish_stop(struct workers *w)
{
	if (!w->is_stopping || w->alive_count > 0 || !w->has_timers)
		return;
	w->has_timers = false;
	uv_close((uv_handle_t *)&w->ready_timer, NULL);
	uv_close((uv_handle_t *)&w->stop_timer, NULL);
	for (size_t i = 0; i < w->count; i++)
		uv_close((uv_handle_t *)&w->processes[i].restart_timer, NULL);
	w->on_stopped(w->ctx);
}

static void on_process_closed(uv_handle_t *handle)
{
	struct worker_process *p = handle->data;
	if (p->all->is_stopping)
		finish_stop(p->all);
	else
		schedule(p);
}

static void on_exit_worker(uv_process_t *process, int64_t status, int term_signal)
{
	struct worker_process *p = process->data;
	struct workers *w = p->all;
	p->is_alive = false;
	w->alive_count--;
	if (!w->is_stopping || status != 0 || term_signal != 0)
		log_error("worker.died", "slot=%zu pid=%d status=%d signal=%d", p->slot, process->pid, (int)status,
			  term_signal);
	metric_page_reset_slot(w->page, p->slot, WORKER_NONE);
	if (db_clear_stale_readers(w->store) < 0)
		log_warn("worker.stale_readers", "text=\"stale readers could not be cleared\"");
	uv_close((uv_handle_t *)process, on_process_closed);
}

bool workers_all_serving(const struct metric_page *page)
{
	for (size_t i = 1; i < page->slot_count; i++)
		if (__atomic_load_n(&page->slot[i].state, __ATOMIC_ACQUIRE) != WORKER_SERVING)
			return false;
	return page->slot_count > 1;
}

static void on_ready_poll(uv_timer_t *timer)
{
	struct workers *w = timer->data;
	if (w->is_stopping || !workers_all_serving(w->page))
		return;
	(void)uv_timer_stop(timer);
	w->is_ready = true;
	w->on_ready(w->ctx);
}

int workers_start(struct workers *w, struct err *err)
{
	w->count = w->sockets->worker_count;
	w->processes = calloc(w->count, sizeof *w->processes);
	if (!w->processes)
		return err_set(err, ERR_NOMEM, "out of memory");
	(void)uv_timer_init(w->loop, &w->ready_timer); /* cannot fail: libuv's manual */
	(void)uv_timer_init(w->loop, &w->stop_timer);
	w->has_timers = true;
	w->ready_timer.data = w->stop_timer.data = w;
	for (size_t i = 0; i < w->count; i++) {
		struct worker_process *p = &w->processes[i];
		p->all = w;
		p->slot = i + 1;
		p->process.data = p;
		(void)uv_timer_init(w->loop, &p->restart_timer);
		p->restart_timer.data = p;
	}
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < w->count; i++)
		rc = spawn(&w->processes[i], err);
	(void)uv_timer_start(&w->ready_timer, on_ready_poll, READY_POLL_MS, READY_POLL_MS);
	return rc;
}

static void on_stop_deadline(uv_timer_t *timer)
{
	struct workers *w = timer->data;
	for (size_t i = 0; i < w->count; i++) {
		if (!w->processes[i].is_alive)
			continue;
		log_error("worker.killed", "slot=%zu text=\"it did not stop in time\"", w->processes[i].slot);
		(void)uv_process_kill(&w->processes[i].process, SIGKILL);
	}
}

void workers_stop(struct workers *w)
{
	if (w->is_stopping || !w->has_timers)
		return;
	w->is_stopping = true;
	(void)uv_timer_stop(&w->ready_timer);
	for (size_t i = 0; i < w->count; i++) {
		(void)uv_timer_stop(&w->processes[i].restart_timer);
		if (w->processes[i].is_alive)
			(void)uv_process_kill(&w->processes[i].process,
					      SIGTERM); /* gone already: its exit is on the way */
	}
	(void)uv_timer_start(&w->stop_timer, on_stop_deadline, STOP_MS, 0);
	finish_stop(w);
}

void workers_deinit(struct workers *w)
{
	free(w->processes);
	w->processes = NULL;
}

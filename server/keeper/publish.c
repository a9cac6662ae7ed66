#include "publish.h"

#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../config/formats.h"
#include "../../config/settings_table.h"
#include "../../config/stored.h"
#include "workers.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

enum {
	SLICE_COUNT = 2000, /* some 10 ms, with a look at the certificates of each */
	SLICE_PAUSE_MS = 1,
	SOON_MS = 200, /* workers that start, a former hook that ends */
	SHORT_MS = 5000,
};

/* --- what it is about ------------------------------------------------------------------------------------------- */

static uint32_t some_random(void)
{
	uint32_t r = 0;
	(void)!getrandom(&r, sizeof r, GRND_NONBLOCK); /* without it several machines come back together, no more */
	return r;
}

static void note_next(struct publish *p, uint64_t ms)
{
	if (ms < p->next_ms)
		p->next_ms = ms;
}

/* is_due: a date that lies further ahead than any that is ever set comes from a clock that was put back since. */
static bool is_due(struct publish *p, const struct outbox_entry *e, int64_t now_unix_s)
{
	const int64_t furthest_s = BATCH_DELAY_MAX_S + BATCH_DELAY_MAX_S / 4;
	if (e->due_unix_s <= now_unix_s || e->due_unix_s > now_unix_s + furthest_s)
		return true;
	note_next(p, (uint64_t)(e->due_unix_s - now_unix_s) * 1000);
	return false;
}

static uint64_t pause_left_ms(const struct publish *p)
{
	uint64_t now_ms = clock_mono_ms();
	return p->paused_until_ms > now_ms ? p->paused_until_ms - now_ms : 0;
}

static void on_timer(uv_timer_t *timer);

static void come_again(struct publish *p, uint64_t ms)
{
	(void)uv_timer_start(&p->timer, on_timer, ms, 0); /* fails only on a closing handle */
}

/* --- a run ------------------------------------------------------------------------------------------------------- */

/* In words, for log and status. */
static void render_failure(struct runs *r, const struct child_result *result, uint64_t timeout_ms)
{
	char why[96];
	switch (result->end) {
	case CHILD_EXITED: (void)snprintf(why, sizeof why, "exit status %d", result->status); break;
	case CHILD_KILLED: (void)snprintf(why, sizeof why, "killed by signal %d", result->signal); break;
	case CHILD_LATE:
		(void)snprintf(why, sizeof why, "no end within %" PRIu64 " ms, and so it was ended", timeout_ms);
		break;
	case CHILD_NOT_RUN: (void)snprintf(why, sizeof why, "it cannot be run"); break;
	}
	size_t room = sizeof r->text - strlen(why) - 2;
	struct span said = result->text;
	while (said.len && (said.p[said.len - 1] == '\n' || said.p[said.len - 1] == ' '))
		said.len--;
	if (said.len > room) /* the end of it says more than the beginning */
		said = (struct span){said.p + said.len - room, room};
	int n = snprintf(r->text, sizeof r->text, "%s%s%.*s", why, said.len ? ": " : "", SPAN_ARG(said));
	r->text_len = n < 0 ? 0 : (size_t)n < sizeof r->text ? (size_t)n : sizeof r->text - 1;
}

static int store_result(struct publish *p, bool is_published, int64_t now_unix_s, struct err *err)
{
	struct db_txn *txn;
	int rc = db_begin_write(p->store, &txn, err);
	if (rc)
		return rc;
	rc = batch_settle(&p->batch, txn, is_published, now_unix_s, some_random(), err);
	if (rc == 0 && p->batch.record_count)
		rc = runs_store(txn, &p->runs, err);
	metric_set(M_DNS_OWED, db_count(txn, DB_OUTBOX));
	if (rc == 0)
		return db_commit(txn, err);
	db_end(txn);
	return rc;
}

static void note_failure(struct publish *p, int64_t now_unix_s)
{
	struct runs *r = &p->runs;
	r->failure_count += r->failure_count < UINT32_MAX;
	r->failed_unix_s = now_unix_s;
	uint32_t pause_s = batch_delay_s(r->failure_count, PUBLISH_PAUSE_MAX_S, some_random());
	p->paused_until_ms = clock_mono_ms() + (uint64_t)pause_s * 1000;
	metric_add(M_DNS_RUNS_FAILED, 1);
	log_warn("publish.failed", "domains=%zu failures=%" PRIu32 " again_s=%" PRIu32 " text=%s", p->batch.count,
		 r->failure_count, pause_s, LOG_QUOTE(((struct span){r->text, r->text_len})));
}

static void note_success(struct publish *p, int64_t now_unix_s)
{
	p->runs.failure_count = 0;
	p->runs.done_unix_s = now_unix_s;
	p->paused_until_ms = 0;
	metric_add(M_DNS_RUNS_DONE, 1);
	metric_add(M_DNS_PUBLISHED, (int64_t)p->batch.count);
	log_info("publish.done", "domains=%zu records=%zu took_ms=%" PRIu64, p->batch.count, p->batch.record_count,
		 clock_mono_ms() - p->run_began_ms);
}

/* What cannot be written down will be published once more: later, as if it had failed. */
static void settle(struct publish *p, bool is_published)
{
	struct err err = {0};
	int64_t now_unix_s = clock_unix_s();
	if (p->batch.record_count && is_published)
		note_success(p, now_unix_s);
	else if (p->batch.record_count)
		note_failure(p, now_unix_s);
	if (!is_published)
		note_next(p, 0);
	if (store_result(p, is_published, now_unix_s, &err) == 0)
		return;
	note_next(p, 0);
	p->paused_until_ms = clock_mono_ms() + (uint64_t)PUBLISH_PAUSE_MAX_S * 1000 / 10;
	log_error("publish.not_noted", "text=%s", LOG_QUOTE(span_of(err.text)));
}

static void walk_on(struct publish *p);

static void on_done(void *ctx, const struct child_result *result)
{
	struct publish *p = ctx;
	bool is_published = result->end == CHILD_EXITED && result->status == 0;
	if (p->is_closing && !is_published)
		return; /* we ended it: that is no failure of its own */
	if (!is_published)
		render_failure(&p->runs, result, p->settings.dns_publish_timeout_ms);
	settle(p, is_published);
	if (!p->is_closing)
		walk_on(p);
}

static void run_hook(struct publish *p)
{
	const char *argv[SETTINGS_COMMAND_MAX_WORDS + 1] = {NULL};
	const struct text_list *command = &p->settings.dns_publish_command;
	for (size_t i = 0; i < command->count && i < SETTINGS_COMMAND_MAX_WORDS; i++)
		argv[i] = command->items[i];
	struct child_args args = {
		.argv = argv,
		.input = buf_span(&p->batch.input),
		.deadline_ms = p->settings.dns_publish_timeout_ms,
		.kept_fd = p->lock.fd,
	};
	p->run_began_ms = clock_mono_ms();
	child_start(&p->child, p->timer.loop, &args, on_done, p);
	hook_lock_note(&p->lock, p->child.process.pid);
}

/* --- the walk ---------------------------------------------------------------------------------------------------- */

/* from the entry behind p->at on. 0: the slice is over; BATCH_FULL; ERR_NOENT: that was the last entry. */
static int look_at_some(struct publish *p, const struct offer_world *w)
{
	struct db_cursor *cur;
	struct outbox_entry entry;
	struct span at = {p->at, p->at_len}, domain, value;
	int rc = db_cursor_open(w->txn, DB_OUTBOX, &cur, NULL);
	if (rc)
		return rc;
	rc = db_seek(cur, at, &domain, &value);
	if (rc == 0 && at.len && span_is(domain, at))
		rc = db_next(cur, &domain, &value);
	for (size_t i = 0; rc == 0 && i < SLICE_COUNT; i++, rc = db_next(cur, &domain, &value)) {
		if (domain.len > sizeof p->at || outbox_decode(value, &entry) != 0)
			continue; /* a damaged store, as other errors of batch_add: all others are published */
		int result = is_due(p, &entry, w->now_unix_s) ? batch_add(&p->batch, w, domain, &entry) : BATCH_ADDED;
		if (result == BATCH_FULL || result == ERR_NOMEM) {
			rc = result;
			break;
		}
		p->is_asked_again = p->is_asked_again || result == BATCH_OTHER;
		p->withheld_count += result == BATCH_WITHHELD || result == BATCH_EARLY;
		if (result == BATCH_EARLY)
			note_next(p, SOON_MS);
		memcpy(p->at, domain.p, domain.len);
		p->at_len = domain.len;
	}
	db_cursor_close(cur);
	return rc;
}

static int look(struct publish *p)
{
	const struct gate_server server = {
		.state_dir = p->state_dir, .is_running = true, .is_serving = workers_all_serving(p->page)};
	struct offer_world w = {
		.server = &server, .settings = &p->settings, .now_unix_s = clock_unix_s(), .is_keepers = true};
	int rc = db_begin_read(p->store, &w.txn, NULL);
	if (rc)
		return rc;
	rc = look_at_some(p, &w);
	db_end(w.txn);
	return rc;
}

static void begin_batch(struct publish *p)
{
	batch_begin(&p->batch, formats_find(span_of(p->settings.dns_publish_format)), p->settings.dns_publish_batch);
}

static void end_walk(struct publish *p)
{
	p->is_walking = false;
	metric_set(M_DNS_OWED_WITHHELD, p->withheld_count);
	if (p->is_asked_again || !p->is_at_end)
		note_next(p, p->is_short ? SHORT_MS : 0);
	p->is_asked_again = false;
	if (p->next_ms == UINT64_MAX)
		return; /* until somebody kicks */
	uint64_t pause_ms = pause_left_ms(p);
	come_again(p, p->next_ms > pause_ms ? p->next_ms : pause_ms);
}

/* What is in the batch goes out; walk_on when that is over. */
static void send_batch(struct publish *p)
{
	if (batch_end(&p->batch) == 0 && p->batch.record_count) {
		run_hook(p);
		return;
	}
	p->is_short = p->batch.record_count > 0;
	if (!p->is_short) /* there is nothing to do for these: they were forgotten */
		settle(p, true);
	walk_on(p);
}

static void step(struct publish *p)
{
	int rc = look(p);
	p->is_at_end = rc == ERR_NOENT;
	p->is_short = rc < 0 && !p->is_at_end;
	if (rc == 0)
		come_again(p, SLICE_PAUSE_MS);
	else if (p->batch.count && !p->is_short)
		send_batch(p);
	else
		end_walk(p);
}

/* While the hook fails there is no point in giving it the next batch. */
static void walk_on(struct publish *p)
{
	if (p->is_at_end || p->is_short || pause_left_ms(p)) {
		end_walk(p);
		return;
	}
	begin_batch(p);
	come_again(p, 0);
}

/* take_settings: those in force; false: nothing is published. */
static bool take_settings(struct publish *p)
{
	struct settings now;
	int rc = stored_load_settings(p->store, &now, NULL);
	if (rc) {
		settings_deinit(&now);
		return false;
	}
	settings_deinit(&p->settings);
	p->settings = now;
	return p->settings.dns_publish_command.count && p->settings.dns_publish_format &&
	       formats_find(span_of(p->settings.dns_publish_format));
}

static void begin_walk(struct publish *p)
{
	if (!take_settings(p))
		return;
	if (!hook_lock_take(&p->lock, p->settings.dns_publish_timeout_ms)) {
		come_again(p, SOON_MS);
		return;
	}
	p->is_walking = true;
	p->is_asked_again = false;
	p->at_len = 0;
	p->withheld_count = 0;
	p->next_ms = UINT64_MAX;
	begin_batch(p);
	step(p);
}

static void on_timer(uv_timer_t *timer)
{
	struct publish *p = timer->data;
	if (p->is_closing)
		return;
	if (p->is_walking)
		step(p);
	else if (pause_left_ms(p))
		come_again(p, pause_left_ms(p));
	else
		begin_walk(p);
}

void publish_kick(struct publish *p)
{
	if (p->is_off || !p->has_handle || p->is_closing)
		return;
	if (p->is_walking)
		p->is_asked_again = true;
	else
		come_again(p, 0);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

/* As if the keeper had never stopped: a restart is no reason to run a hook that fails. */
static int load_runs(struct publish *p, struct err *err)
{
	struct db_txn *txn;
	int rc = db_begin_read(p->store, &txn, err);
	if (rc)
		return rc;
	rc = runs_load(txn, &p->runs);
	metric_set(M_DNS_OWED, db_count(txn, DB_OUTBOX));
	db_end(txn);
	if (rc)
		return err_set(err, rc, "store: how publishing fared cannot be read");
	if (p->runs.failure_count == 0)
		return 0;
	int64_t pause_s = batch_delay_s(p->runs.failure_count, PUBLISH_PAUSE_MAX_S, some_random());
	int64_t left_s = p->runs.failed_unix_s + pause_s - clock_unix_s();
	if (left_s > pause_s) /* the clock was put back */
		left_s = pause_s;
	p->paused_until_ms = left_s > 0 ? clock_mono_ms() + (uint64_t)left_s * 1000 : 0;
	return 0;
}

int publish_open(struct publish *p, uv_loop_t *loop, struct err *err)
{
	batch_init(&p->batch);
	(void)uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	p->has_handle = true;
	p->lock.fd = -1;
	if (p->is_off)
		return 0;
	int rc = hook_lock_open(&p->lock, p->state_dir, err);
	return rc ? rc : load_runs(p, err);
}

void publish_close(struct publish *p)
{
	if (!p->has_handle || p->is_closing)
		return;
	p->is_closing = true;
	child_stop(&p->child);
	uv_close((uv_handle_t *)&p->timer, NULL);
}

void publish_deinit(struct publish *p)
{
	if (!p->has_handle)
		return;
	batch_deinit(&p->batch);
	settings_deinit(&p->settings);
	hook_lock_close(&p->lock);
}

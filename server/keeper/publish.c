#include "publish.h"

#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../config/formats.h"
#include "../../config/keys.h"
#include "../../config/settings_table.h"
#include "../../config/stored.h"
#include "workers.h"

#include <inttypes.h>
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

static void pause_for(struct publish *p, uint32_t s)
{
	uint64_t until_ms = clock_mono_ms() + (uint64_t)s * 1000;
	if (until_ms > p->paused_until_ms)
		p->paused_until_ms = until_ms;
}

static void note_failure(struct publish *p, int64_t now_unix_s)
{
	struct runs *r = &p->runs;
	runs_count_failure(r, walk_is_last_level(&p->walk));
	uint32_t pause_s = runs_pause_s(r, some_random());
	r->failed_unix_s = now_unix_s;
	pause_for(p, pause_s);
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
	if (store_result(p, is_published, now_unix_s, &err) == 0)
		return;
	pause_for(p, RUNS_PAUSE_MAX_S / 10);
	log_error("publish.not_noted", "text=%s", LOG_QUOTE(span_of(err.text)));
}

/* go_on: with the walk, once the pause is over. */
static void go_on(struct publish *p)
{
	p->is_asked_again = true; /* what failed, or came meanwhile, may be of a level that is done */
	come_again(p, pause_left_ms(p));
}

static void on_done(void *ctx, const struct child_result *result)
{
	struct publish *p = ctx;
	bool is_published = result->end == CHILD_EXITED && result->status == 0;
	if (p->is_closing && !is_published)
		return; /* we ended it: that is no failure of its own */
	if (!is_published)
		runs_render_failure(&p->runs, result, p->settings.dns_publish_timeout_ms);
	hook_lock_note(&p->lock, 0);
	settle(p, is_published);
	if (!p->is_closing)
		go_on(p);
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
	hook_lock_note(&p->lock, 0);
	child_start(&p->child, p->timer.loop, &args, on_done, p);
	hook_lock_note(&p->lock, p->child.process.pid);
}

/* --- the walk ---------------------------------------------------------------------------------------------------- */

/* enum walk_result, or an ERR_; ERR_CONFLICT: the settings are others by now. */
static int look(struct publish *p)
{
	const struct gate_server server = {
		.state_dir = p->state_dir, .is_running = true, .is_serving = workers_all_serving(p->page)};
	struct offer_world w = {
		.server = &server, .settings = &p->settings, .now_unix_s = clock_unix_s(), .is_keepers = true};
	const struct format *format = formats_find(span_of(p->settings.dns_publish_format));
	int rc = db_begin_read(p->store, &w.txn, NULL);
	if (rc)
		return rc;
	metric_set(M_DNS_OWED, db_count(w.txn, DB_OUTBOX));
	bool is_same = stored_is(w.txn, STORED_SETTINGS, buf_span(&p->settings_stored));
	rc = is_same ? walk_look(&p->walk, &w, format, &p->batch, SLICE_COUNT) : ERR_CONFLICT;
	db_end(w.txn);
	return rc;
}

static void end_walk(struct publish *p)
{
	uint64_t next_ms = p->is_asked_again ? 0 : p->walk.next_ms;
	p->is_walking = p->is_asked_again = false;
	metric_set(M_DNS_OWED_WITHHELD, p->walk.withheld_count);
	if (next_ms != UINT64_MAX) /* else somebody kicks */
		come_again(p, next_ms);
}

static void send_batch(struct publish *p)
{
	if (batch_end(&p->batch) != 0) {
		come_again(p, SHORT_MS);
	} else if (p->batch.record_count) {
		run_hook(p);
	} else { /* there is nothing to do for these: they were forgotten */
		settle(p, true);
		go_on(p);
	}
}

static void begin_walk(struct publish *p);

static void step(struct publish *p)
{
	switch (look(p)) {
	case WALK_MORE: come_again(p, SLICE_PAUSE_MS); break;
	case WALK_BATCH: send_batch(p); break;
	case WALK_END: end_walk(p); break;
	case ERR_CONFLICT: begin_walk(p); break;
	default: come_again(p, SHORT_MS); /* of memory; or reloads say what is wrong with the store */
	}
}

static bool is_same_command(const struct settings *a, const struct settings *b)
{
	static const char *const keys[] = {"dns.publish.command", "dns.publish.format", "dns.publish.timeout_ms"};
	bool is_same = true;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		is_same = is_same && settings_is_same(a, b, keys_find(span_of(keys[i]), KEY_SERVER));
	return is_same;
}

/* 0: the settings in force. ERR_NOENT: nothing is published. */
static int take_settings(struct publish *p, struct db_txn *txn)
{
	struct span stored;
	struct settings now = {0};
	buf_reset(&p->settings_stored);
	int rc = stored_find(txn, STORED_SETTINGS, &stored);
	if (rc == 0)
		rc = buf_add_span(&p->settings_stored, stored);
	if (rc == 0)
		rc = settings_decode(stored, &now);
	if (rc) {
		settings_deinit(&now);
		return rc;
	}
	if (p->settings.dns_publish_command.count && !is_same_command(&p->settings, &now))
		p->is_hurried = true; /* perhaps it works now */
	settings_deinit(&p->settings);
	p->settings = now;
	return now.dns_publish_command.count && now.dns_publish_format ? 0 : ERR_NOENT;
}

static int find_settings(struct publish *p)
{
	struct db_txn *txn;
	int rc = db_begin_read(p->store, &txn, NULL);
	if (rc)
		return rc;
	rc = take_settings(p, txn);
	db_end(txn);
	return rc;
}

static void hurry(struct publish *p)
{
	struct db_txn *txn;
	p->is_hurried = false; /* once, also on a full disk: then only the pause is over */
	p->paused_until_ms = 0;
	if (db_begin_write(p->store, &txn, NULL) != 0)
		return;
	if (outbox_hurry(txn, NULL) == 0)
		(void)db_commit(txn, NULL);
	else
		db_end(txn);
}

/* Nobody publishes: nothing is owed. */
static void rest(struct publish *p)
{
	p->is_walking = false;
	metric_set(M_DNS_OWED, 0);
	metric_set(M_DNS_OWED_WITHHELD, 0);
}

static void begin_walk(struct publish *p)
{
	int rc = find_settings(p);
	if (rc == ERR_NOENT) {
		rest(p);
		return;
	}
	p->is_walking = rc == 0;
	if (p->is_hurried)
		hurry(p);
	walk_begin(&p->walk, p->settings.dns_publish_batch);
	batch_begin(&p->batch, NULL, 0);
	come_again(p, rc ? SHORT_MS : pause_left_ms(p));
}

/* Until when a run has to wait: 0, it need not. */
static uint64_t wait_ms(struct publish *p)
{
	if (pause_left_ms(p))
		return pause_left_ms(p);
	if (!workers_all_serving(p->page)) /* the gate is shut for everybody */
		return SOON_MS;
	if (!hook_lock_take(&p->lock, p->settings.dns_publish_timeout_ms))
		return SOON_MS;
	return child_is_left(&p->child) ? SHORT_MS : 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct publish *p = timer->data;
	if (p->is_closing || p->child.is_running)
		return;
	if (!p->is_walking || p->is_hurried) {
		begin_walk(p);
		return;
	}
	uint64_t ms = wait_ms(p);
	if (ms)
		come_again(p, ms);
	else
		step(p);
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

void publish_hurry(struct publish *p)
{
	p->is_hurried = true;
	publish_kick(p);
	if (p->has_handle && !p->is_off && !p->is_closing && !p->child.is_running)
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
	int64_t pause_s = runs_pause_s(&p->runs, some_random());
	int64_t left_s = p->runs.failed_unix_s + pause_s - clock_unix_s();
	if (left_s > pause_s) /* the clock was put back */
		left_s = pause_s;
	p->paused_until_ms = left_s > 0 ? clock_mono_ms() + (uint64_t)left_s * 1000 : 0;
	return 0;
}

int publish_open(struct publish *p, uv_loop_t *loop, struct err *err)
{
	batch_init(&p->batch);
	buf_init(&p->settings_stored, STORED_MAX_BYTES);
	(void)uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	p->has_handle = true;
	p->lock.fd = p->lock.note_fd = -1;
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
	buf_deinit(&p->settings_stored);
	hook_lock_close(&p->lock);
}

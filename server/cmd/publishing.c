#include "publishing.h"

#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../base/log.h"
#include "../../config/outbox.h"
#include "../keeper/runs.h"
#include "context.h"

#include <inttypes.h>

/* The outbox, added up. */
struct owed {
	size_t count, failed_count, begun_count;
	int64_t oldest_unix_s; /* 0: none */
	struct runs runs;
};

static void add_up(struct owed *o, const struct outbox_entry *e)
{
	o->count++;
	o->failed_count += e->failure_count > 0;
	o->begun_count += e->is_begun;
	if (o->oldest_unix_s == 0 || e->since_unix_s < o->oldest_unix_s)
		o->oldest_unix_s = e->since_unix_s;
}

static int find_owed(const struct context *c, struct owed *out)
{
	struct db_cursor *cur;
	struct span domain, value;
	struct outbox_entry entry;
	*out = (struct owed){0};
	int rc = db_cursor_open(c->txn, DB_OUTBOX, &cur, NULL);
	if (rc)
		return rc;
	for (rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0; rc = db_next(cur, &domain, &value))
		if (outbox_decode(value, &entry) == 0)
			add_up(out, &entry);
	db_cursor_close(cur);
	return rc == ERR_NOENT ? runs_load(c->txn, &out->runs) : rc;
}

static void add_failure(struct buf *out, const struct runs *r)
{
	char date[CLOCK_ISO_BYTES];
	clock_render_iso(r->failed_unix_s, date);
	(void)buf_printf(out, "publishing   FAILS: %" PRIu32 " run%s in a row, the last at %s: %s\n", r->failure_count,
			 r->failure_count == 1 ? "" : "s", date, LOG_QUOTE(((struct span){r->text, r->text_len})));
}

int publishing_add_text(struct buf *out, const struct context *c)
{
	struct owed o;
	char date[CLOCK_ISO_BYTES];
	if (!c->is_publishing)
		return 0;
	int rc = find_owed(c, &o);
	if (rc)
		return rc;
	(void)buf_printf(out, "dns outbox   %zu", o.count);
	if (o.count) {
		clock_render_iso(o.oldest_unix_s, date);
		(void)buf_printf(out, ", the oldest since %s; %zu failed, %zu lack only their _mta-sts record", date,
				 o.failed_count, o.begun_count);
	}
	if (o.runs.done_unix_s) {
		clock_render_iso(o.runs.done_unix_s, date);
		(void)buf_printf(out, "; last published at %s", date);
	}
	(void)buf_add_char(out, '\n');
	if (o.runs.failure_count)
		add_failure(out, &o.runs);
	return 0;
}

int publishing_add_json(struct json *j, const struct context *c)
{
	struct owed o = {0};
	int rc = c->is_publishing ? find_owed(c, &o) : 0;
	if (!c->is_publishing || rc) {
		json_null(j);
		return rc;
	}
	json_open(j, '{');
	json_put_number(j, "owed", (int64_t)o.count);
	json_put_number(j, "failed", (int64_t)o.failed_count);
	json_put_number(j, "lacking_policy_record", (int64_t)o.begun_count);
	json_put_time(j, "oldest", o.oldest_unix_s);
	json_put_time(j, "last_done", o.runs.done_unix_s);
	json_put_time(j, "last_failed", o.runs.failed_unix_s);
	json_put_number(j, "failures", o.runs.failure_count);
	json_put_text(j, "last_failure", (struct span){o.runs.text, o.runs.text_len});
	json_close(j, '}');
	return 0;
}

void publishing_add_domain_text(struct buf *out, const struct context *c, struct span domain, int64_t now_unix_s)
{
	struct outbox_entry entry;
	struct published published;
	char date[CLOCK_ISO_BYTES];
	if (!c->is_publishing)
		return;
	if (published_get(c->txn, domain, &published) == 0 && published.has_policy) {
		clock_render_iso(published.at_unix_s, date);
		(void)buf_printf(out, "  published    %s%s, at %s\n", published.id[0] ? "id " : "CNAME", published.id,
				 date);
	}
	if (outbox_get(c->txn, domain, &entry) != 0)
		return;
	clock_render_iso(entry.since_unix_s, date);
	(void)buf_printf(out, "  dns outbox   since %s", date);
	if (entry.failure_count)
		(void)buf_printf(out, ", failed %" PRIu32 " times", entry.failure_count);
	if (entry.due_unix_s > now_unix_s) {
		clock_render_iso(entry.due_unix_s, date);
		(void)buf_printf(out, ", again from %s", date);
	}
	(void)buf_add_char(out, '\n');
}

void publishing_add_domain_json(struct json *j, const struct context *c, struct span domain)
{
	struct outbox_entry entry;
	struct published published = {.id = ""};
	bool is_out = c->is_publishing && published_get(c->txn, domain, &published) == 0 && published.has_policy;
	bool is_owed = c->is_publishing && outbox_get(c->txn, domain, &entry) == 0;
	json_key(j, "published");
	if (is_out) {
		json_open(j, '{');
		json_key(j, "id");
		if (published.id[0])
			json_text(j, span_of(published.id));
		else
			json_null(j);
		json_put_time(j, "at", published.at_unix_s);
		json_close(j, '}');
	} else {
		json_null(j);
	}
	json_key(j, "owed");
	if (is_owed) {
		json_open(j, '{');
		json_put_time(j, "since", entry.since_unix_s);
		json_put_number(j, "failures", entry.failure_count);
		json_put_time(j, "not_before", entry.due_unix_s);
		json_close(j, '}');
	} else {
		json_null(j);
	}
}

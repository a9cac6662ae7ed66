/* status: what is served, until when, and what wants attention. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../base/metric.h"
#include "../../base/name.h"
#include "../../config/advice.h"
#include "../../config/domains.h"
#include "../../config/gone.h"
#include "../../config/trouble.h"
#include "../keeper/gate.h"
#include "cmd.h"
#include "context.h"
#include "publishing.h"
#include "seen.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	OUT_MAX_BYTES = 1 << 30,
	CHUNK_BYTES = 1 << 20,
	LISTED_MAX = 50,     /* domains told one by one when nobody asked for one; --json tells all */
	SOON_S = 14 * 86400, /* W09 */
};

struct report {
	const struct context *context;
	const struct cmd_options *options;
	int64_t now_unix_s;
	struct buf out;
	struct json json;
	size_t domain_count, withheld_count, withdrawn_count, soon_count, listed_count, error_count;
	int status;
};

static void flush_if(struct report *r, size_t more_than_bytes)
{
	if (r->out.failed) {
		cmd_say("out of memory");
		r->status = EXIT_SYSTEM;
	} else if (r->out.len > more_than_bytes) {
		r->status = cmd_print(r->out.p, r->out.len);
		buf_reset(&r->out);
	}
}

static void fail(struct report *r)
{
	cmd_say("the store cannot be read");
	r->status = EXIT_SYSTEM;
}

static const char *state_name(const struct domain_row *row)
{
	return row->state == DOMAIN_WITHDRAWN ? "withdrawn" : "live";
}

/* From when on nobody can hold an older policy: what a domain in mode none, or a withdrawn one, waits for. */
static int64_t free_from(const struct domain_row *row)
{
	return row->mode == POLICY_NONE ? row->cached_until_unix_s : 0;
}

static const struct pair *best_pair(const struct gate *g)
{
	return g->choice.has_ec ? &g->choice.ec : &g->choice.rsa;
}

static void add_advice_json(struct json *j, const struct domain_row *row, int64_t now_unix_s)
{
	struct advice advice[ADVICE_MAX];
	size_t count = advice_find(row, now_unix_s, advice);
	json_key(j, "advice");
	json_open(j, '[');
	for (size_t i = 0; i < count; i++) {
		json_open(j, '{');
		json_put_text(j, "code", span_of(advice[i].code));
		json_put_text(j, "text", span_of(advice[i].text));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void add_json(struct report *r, struct span domain, const struct domain_row *row, const struct seen *seen,
		     const struct gate *gate)
{
	struct json *j = &r->json;
	json_open(j, '{');
	json_put_text(j, "domain", domain);
	json_put_text(j, "state", span_of(state_name(row)));
	json_put_text(j, "mode", span_of(policy_mode_name(row->mode)));
	json_put_number(j, "max_age", row->max_age_s);
	json_put_text(j, "id", span_of(seen->id));
	json_key(j, "delegated_to");
	if (seen->is_delegated)
		json_text(j, buf_span(&seen->record));
	else
		json_null(j);
	json_put_time(j, "changed", row->changed_unix_s);
	json_put_time(j, "mode_since", row->mode_since_unix_s);
	json_put_time(j, "first_published", row->first_unix_s);
	json_put_time(j, "cached_until", row->cached_until_unix_s);
	json_put_time(j, "removable_from", free_from(row));
	json_key(j, "withheld");
	if (gate->is_open)
		json_null(j);
	else
		json_text(j, span_of(gate->reason));
	json_key(j, "certificate");
	if (gate->has_pair) {
		json_open(j, '{');
		json_put_time(j, "not_before", best_pair(gate)->not_before_unix_s);
		json_put_time(j, "not_after", gate_not_after(gate));
		json_put_text(j, "source", best_pair(gate)->source);
		json_close(j, '}');
	} else {
		json_null(j);
	}
	publishing_add_domain_json(j, r->context, domain);
	add_advice_json(j, row, r->now_unix_s);
	json_close(j, '}');
	(void)buf_add_char(&r->out, '\n');
}

static void add_line(struct report *r, struct span domain, const struct domain_row *row, const struct seen *seen,
		     const struct gate *gate)
{
	char date[CLOCK_ISO_BYTES];
	struct advice advice[ADVICE_MAX];
	size_t count = advice_find(row, r->now_unix_s, advice);
	(void)buf_printf(&r->out, "%-40.*s %-8s id %s", SPAN_ARG(domain), policy_mode_name(row->mode), seen->id);
	if (seen->is_delegated)
		(void)buf_printf(&r->out, "  by %.*s", SPAN_ARG(buf_span(&seen->record)));
	for (size_t i = 0; i < count; i++)
		(void)buf_printf(&r->out, "  %s", advice[i].code);
	if (row->state == DOMAIN_WITHDRAWN) {
		clock_render_iso(row->cached_until_unix_s, date);
		(void)buf_printf(&r->out, "  withdrawn until %s", date);
	}
	if (!gate->is_open)
		(void)buf_printf(&r->out, "  WITHHELD: %s", gate->reason);
	(void)buf_add_char(&r->out, '\n');
}

static void add_detail(struct report *r, struct span domain, const struct domain_row *row, const struct seen *seen,
		       const struct gate *gate)
{
	struct buf *out = &r->out;
	char date[CLOCK_ISO_BYTES];
	(void)buf_printf(out, "%.*s\n", SPAN_ARG(domain));
	(void)buf_printf(out, "  state        %s\n", state_name(row));
	clock_render_iso(row->mode_since_unix_s, date);
	(void)buf_printf(out, "  mode         %s, since %s\n", policy_mode_name(row->mode), date);
	(void)buf_printf(out, "  max_age      %" PRIu32 "\n", row->max_age_s);
	clock_render_iso(seen->since_unix_s, date);
	(void)buf_printf(out, "  id           %s, since %s\n", seen->id, date);
	if (seen->is_delegated)
		(void)buf_printf(out, "  delegated    to %.*s\n", SPAN_ARG(buf_span(&seen->record)));
	if (row->cached_until_unix_s > r->now_unix_s) {
		clock_render_iso(row->cached_until_unix_s, date);
		(void)buf_printf(out, "  older policy may be cached until %s\n", date);
	}
	if (free_from(row)) {
		clock_render_iso(free_from(row), date);
		(void)buf_printf(out, "  removable    from %s\n", date);
	}
	if (gate->has_pair) {
		clock_render_iso(gate_not_after(gate), date);
		struct span source = best_pair(gate)->source;
		(void)buf_printf(out, "  certificate  until %s, from %.*s\n", date,
				 SPAN_ARG(source.len ? source : SPAN_LIT("this server itself")));
	}
	struct advice advice[ADVICE_MAX];
	size_t count = advice_find(row, r->now_unix_s, advice);
	for (size_t i = 0; i < count; i++)
		(void)buf_printf(out, "  advice       %s: %s\n", advice[i].code, advice[i].text);
	(void)buf_printf(out, "  %s %s%s\n", seen->is_delegated ? "CNAME record" : "TXT record  ",
			 gate->is_open ? "may be published" : "withheld: ", gate->is_open ? "" : gate->reason);
	publishing_add_domain_text(out, r->context, domain, r->now_unix_s);
}

static void add_domain(struct report *r, struct span domain, const struct domain_row *row, bool is_asked_for)
{
	struct gate gate;
	struct seen seen;
	if (seen_look(r->context, row, &seen) != 0) {
		seen_deinit(&seen);
		fail(r);
		return;
	}
	gate_look_closely(r->context->txn, &r->context->server, r->context->settings.dns_delegate, domain,
			  r->now_unix_s, &gate);
	bool is_soon = gate.is_open && gate_not_after(&gate) - r->now_unix_s < SOON_S;
	r->domain_count++;
	r->withheld_count += !gate.is_open;
	r->soon_count += is_soon;
	r->withdrawn_count += row->state == DOMAIN_WITHDRAWN;
	if (r->options->is_json)
		add_json(r, domain, row, &seen, &gate);
	else if (is_asked_for)
		add_detail(r, domain, row, &seen, &gate);
	else if (r->listed_count++ < LISTED_MAX)
		add_line(r, domain, row, &seen, &gate);
	seen_deinit(&seen);
	flush_if(r, CHUNK_BYTES);
}

static void add_all(struct report *r)
{
	struct db_cursor *cur;
	struct span domain, value;
	struct domain_row row;
	int rc = db_cursor_open(r->context->txn, DB_DOMAINS, &cur, NULL);
	if (rc == 0) {
		rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value);
		while (rc == 0 && r->status == EXIT_DONE && (rc = domains_decode(value, &row)) == 0) {
			add_domain(r, domain, &row, false);
			rc = db_next(cur, &domain, &value);
		}
		db_cursor_close(cur);
	}
	if (rc && rc != ERR_NOENT)
		fail(r);
}

static int on_trouble(void *ctx, const struct trouble *t)
{
	struct report *r = ctx;
	r->error_count++;
	if (r->options->is_json) {
		struct json *j = &r->json;
		json_open(j, '{');
		json_put_text(j, "code", span_of(t->code));
		json_put_text(j, "file", t->file);
		json_put_number(j, "line", t->line);
		json_put_number(j, "column", t->column);
		json_put_text(j, "domain", t->domain);
		json_put_text(j, "text", t->text);
		json_close(j, '}');
	} else if (r->error_count <= LISTED_MAX) {
		(void)buf_printf(&r->out, "%.*s:%u:%u: error %s: %.*s\n", SPAN_ARG(t->file), (unsigned)t->line,
				 (unsigned)t->column, t->code, SPAN_ARG(t->text));
	}
	return r->out.failed;
}

static void add_server_text(struct report *r)
{
	const struct context *c = r->context;
	if (!c->server.is_running) {
		(void)buf_printf(&r->out, "server       not running on %s\n", c->state_dir);
		return;
	}
	char date[CLOCK_ISO_BYTES];
	clock_render_iso(c->page->slot[METRIC_KEEPER_SLOT].started_unix_s, date);
	(void)buf_printf(&r->out, "server       pid %" PRIu64 ", since %s, %" PRIu64 " worker%s, %s\n",
			 c->page->slot[METRIC_KEEPER_SLOT].pid, date, c->page->slot_count - 1,
			 c->page->slot_count == 2 ? "" : "s",
			 c->server.is_serving ? "serving" : "not all of them serving");
	uint64_t kept = metric_sum(c->page, M_DOMAINS_KEPT);
	if (kept)
		(void)buf_printf(&r->out,
				 "KEPT         %" PRIu64
				 " domains whose files are gone, more than half of all; they are withdrawn "
				 "after 10 minutes, or at SIGHUP\n",
				 kept);
	(void)buf_printf(&r->out, "requests     %" PRIu64 " policies sent, %" PRIu64 " connections\n",
			 metric_sum(c->page, M_RESPONSES_200), metric_sum(c->page, M_CONNECTIONS));
}

static void report_text(struct report *r)
{
	add_server_text(r);
	if (seen_add_policies(r->context, LISTED_MAX, &r->out) != 0)
		fail(r);
	add_all(r);
	if (r->listed_count > LISTED_MAX)
		(void)buf_printf(&r->out, "… and %zu more; `status DOMAIN` tells of one, `status --json` of all\n",
				 r->listed_count - LISTED_MAX);
	(void)buf_printf(
		&r->out,
		"domains      %zu, %zu withheld, %zu withdrawn, %zu with a certificate that expires within 14 days\n",
		r->domain_count, r->withheld_count, r->withdrawn_count, r->soon_count);
	if (publishing_add_text(&r->out, r->context) != 0 || trouble_each(r->context->txn, on_trouble, r, NULL) != 0)
		r->status = EXIT_SYSTEM;
	(void)buf_printf(&r->out, "errors       %zu%s\n", r->error_count,
			 r->error_count ? "; what was good before is served" : "");
}

static void report_json(struct report *r)
{
	const struct context *c = r->context;
	struct json *j = &r->json;
	json_begin(j, &r->out);
	json_open(j, '{');
	json_key(j, "server");
	if (c->server.is_running) {
		json_open(j, '{');
		json_put_number(j, "pid", (int64_t)c->page->slot[METRIC_KEEPER_SLOT].pid);
		json_put_time(j, "since", c->page->slot[METRIC_KEEPER_SLOT].started_unix_s);
		json_put_number(j, "workers", (int64_t)c->page->slot_count - 1);
		json_put_bool(j, "serving", c->server.is_serving);
		json_put_number(j, "kept_without_file", (int64_t)metric_sum(c->page, M_DOMAINS_KEPT));
		json_close(j, '}');
	} else {
		json_null(j);
	}
	json_key(j, "publishing");
	if (publishing_add_json(j, c) != 0)
		r->status = EXIT_SYSTEM;
	json_key(j, "policies");
	json_open(j, '[');
	if (seen_put_policies(c, j) != 0)
		fail(r);
	json_close(j, ']');
	json_key(j, "domains");
	json_open(j, '[');
	add_all(r);
	json_close(j, ']');
	json_key(j, "errors");
	json_open(j, '[');
	if (trouble_each(c->txn, on_trouble, r, NULL) != 0)
		r->status = EXIT_SYSTEM;
	json_close(j, ']');
	json_close(j, '}');
	(void)buf_add_char(&r->out, '\n');
}

struct asked {
	struct report *report;
	struct span domain;
	bool is_found;
};

static int on_trouble_of(void *ctx, const struct trouble *t)
{
	struct asked *a = ctx;
	if (!span_is(t->domain, a->domain))
		return 0;
	a->is_found = true;
	(void)buf_printf(&a->report->out, "  refused      %.*s:%u:%u: error %s: %.*s\n", SPAN_ARG(t->file),
			 (unsigned)t->line, (unsigned)t->column, t->code, SPAN_ARG(t->text));
	return a->report->out.failed;
}

static void say_unserved(const struct context *c, const struct name *name)
{
	struct domain_row row;
	char date[CLOCK_ISO_BYTES];
	if (gone_get(c->txn, name_span(name), &row) != 0) {
		cmd_say("%s is not served and not refused: it is not in the configuration", name->text);
		return;
	}
	clock_render_iso(row.cached_until_unix_s, date);
	cmd_say("%s is gone since %s: its DNS records can be deleted (`records` prints how)", name->text, date);
}

static void report_domain(struct report *r, const char *word)
{
	struct name name;
	struct domain_row row;
	struct err err = {0};
	if (name_parse(span_of(word), &name, &err) != 0) {
		cmd_say("%s", err.text);
		r->status = EXIT_USAGE;
		return;
	}
	struct asked asked = {r, name_span(&name), false};
	bool is_served = domains_get(r->context->txn, asked.domain, &row) == 0;
	json_begin(&r->json, &r->out);
	if (is_served)
		add_domain(r, asked.domain, &row, true);
	if (!r->options->is_json && trouble_each(r->context->txn, on_trouble_of, &asked, NULL) != 0)
		r->status = EXIT_SYSTEM;
	if (r->status == EXIT_DONE && !is_served) {
		if (!asked.is_found)
			say_unserved(r->context, &name);
		r->status = EXIT_PROBLEMS;
	}
}

static int run(const struct cmd_options *o)
{
	struct context c;
	int status = context_open(&c, o);
	struct report r = {.context = &c, .options = o, .now_unix_s = clock_unix_s(), .status = status};
	buf_init(&r.out, OUT_MAX_BYTES);
	if (status == EXIT_DONE && !c.txn) {
		cmd_say("nothing was ever served from %s", c.state_dir);
		r.status = EXIT_PROBLEMS;
	} else if (status == EXIT_DONE && o->word_count) {
		report_domain(&r, o->words[0]);
	} else if (status == EXIT_DONE && o->is_json) {
		report_json(&r);
	} else if (status == EXIT_DONE) {
		report_text(&r);
	}
	if (r.status == EXIT_DONE || (r.status == EXIT_PROBLEMS && r.out.len)) {
		int wanted = r.status;
		r.status = EXIT_DONE;
		flush_if(&r, 0);
		r.status = r.status == EXIT_DONE ? wanted : r.status;
	}
	buf_deinit(&r.out);
	context_close(&c);
	return r.status;
}

const struct cmd cmd_status = {
	.name = "status",
	.usage = "[DOMAIN] [--json]",
	.options = "j",
	.summary = "says what is served, until when, and what wants attention",
	.max_words = 1,
	.run = run,
};

#include "diff.h"

#include "../../base/addr.h"
#include "../../base/buf.h"
#include "../../base/err.h"
#include "../verify/lookup.h"
#include "cmd.h"
#include "pending.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	REASONS_MAX = 20, /* the rest is counted: a resolver that is down fails every domain */
	RESOLVERS_MAX_BYTES = 1 << 16,
	DNS_PORT = 53,
};

struct diff {
	struct diff_plan plan;
	struct lookup *lookup;
	struct pending *first, *last, *unasked; /* in the order in which they came */
	struct pending *policies;               /* the delegate's, done, where it has failed; NULL otherwise */
	size_t waiting_count, waiting_bytes, done_count, told_count;
	struct diff_result result;
	struct progress progress;
	bool shares_terminal;     /* what is printed appears where the progress does */
	struct record_set picked; /* what is printed of a domain; its text is not used */
};

static int add_resolver(struct buf *list, const char *word, struct err *err)
{
	struct span text = span_of(word);
	struct sockaddr_storage address;
	char canonical[ADDR_TEXT_BYTES];
	bool is_v6 = false;
	bool is_bracketed = text.len > 2 && text.p[0] == '[' && text.p[text.len - 1] == ']';
	struct span bare = is_bracketed ? (struct span){text.p + 1, text.len - 2} : text;
	const char *comma = list->len ? "," : "";
	if (addr_parse_ip(bare, canonical, &is_v6, NULL) == 0 && is_v6 >= is_bracketed)
		return buf_printf(list, is_v6 ? "%s[%s]:%d" : "%s%s:%d", comma, canonical, DNS_PORT);
	if (addr_parse(text, &address, NULL) != 0 || addr_port((struct sockaddr *)&address) == 0)
		return err_set(err, ERR_PARSE,
			       "--resolver %s: wanted is an address, such as 192.0.2.1 or [2001:db8::1]:53", word);
	addr_render((struct sockaddr *)&address, canonical);
	return buf_printf(list, "%s%s", comma, canonical);
}

static int open_lookup(struct diff *d, struct err *err)
{
	struct buf list;
	int rc = 0;
	buf_init(&list, RESOLVERS_MAX_BYTES);
	for (size_t i = 0; i < d->plan.resolver_count && rc == 0; i++)
		rc = add_resolver(&list, d->plan.resolvers[i], err);
	(void)buf_add_char(&list, '\0');
	if (rc == 0 && list.failed)
		rc = err_set(err, list.failed, list.failed == ERR_NOMEM ? "out of memory" : "too many resolvers");
	if (rc == 0)
		rc = lookup_open(&d->lookup, d->plan.resolver_count ? list.p : NULL, err);
	buf_deinit(&list);
	return rc;
}

int diff_open(struct diff **out, const struct diff_plan *plan, struct err *err)
{
	struct diff *d = calloc(1, sizeof *d);
	*out = NULL;
	if (!d)
		return err_set(err, ERR_NOMEM, "out of memory");
	d->plan = *plan;
	d->shares_terminal = isatty(STDOUT_FILENO) == 1;
	progress_begin(&d->progress);
	int rc = open_lookup(d, err);
	if (rc)
		diff_close(d);
	else
		*out = d;
	return rc;
}

static void take_out(struct diff *d, struct pending *p)
{
	*(p->prev ? &p->prev->next : &d->first) = p->next;
	*(p->next ? &p->next->prev : &d->last) = p->prev;
	d->waiting_count--;
	d->waiting_bytes -= p->bytes;
	d->done_count++;
}

static void drop(struct diff *d, struct pending *take_p)
{
	take_out(d, take_p);
	free(take_p);
}

void diff_close(struct diff *d)
{
	if (!d)
		return;
	progress_clear(&d->progress);
	lookup_close(d->lookup); /* whose last callbacks may drop some */
	while (d->first)
		drop(d, d->first);
	free(d->policies);
	free(d->picked.items);
	free(d);
}

/* All has been asked and answered. What neither differs nor failed waits for nobody. */
static void let_go(struct diff *d, struct pending *p)
{
	if (--p->open_count)
		return;
	p->is_done = true;
	p->differs = compare_differs(&p->set, p->questions, p->question_count);
	if (!p->differs && !p->reason)
		drop(d, p);
}

static void on_reply(void *ctx, const struct reply *r)
{
	const struct pending_ask *ask = ctx;
	struct pending *p = ask->pending;
	struct diff *d = p->owner;
	pending_take(p, ask->index, r);
	let_go(d, p);
}

int diff_add(struct diff *d, const struct record_set *s, struct err *err)
{
	struct pending *p = pending_new(s);
	if (!p)
		return err_set(err, ERR_NOMEM, "out of memory");
	p->owner = d;
	p->open_count = 1; /* the one that says that all has been asked */
	p->prev = d->last;
	*(d->last ? &d->last->next : &d->first) = p;
	d->last = p;
	d->waiting_count++;
	d->waiting_bytes += p->bytes;
	if (!d->unasked)
		d->unasked = p;
	return 0;
}

static int ask_next(struct diff *d, struct pending *p, struct err *err)
{
	size_t i = p->asked_count++;
	p->asks[i] = (struct pending_ask){p, i};
	p->open_count++;
	int rc = lookup_ask(d->lookup, p->questions[i].name.p, p->questions[i].type, on_reply, &p->asks[i], err);
	if (rc)
		p->open_count--;
	return rc;
}

static int ask_more(struct diff *d, struct err *err)
{
	int rc = 0;
	while (rc == 0 && d->unasked) {
		struct pending *p = d->unasked;
		if (p->asked_count == p->question_count) {
			d->unasked = p->next;
			let_go(d, p);
		} else if (lookup_has_room(d->lookup)) {
			rc = ask_next(d, p, err);
		} else {
			break;
		}
	}
	return rc;
}

static const char *type_name(enum reply_type t)
{
	switch (t) {
	case REPLY_A: return "A";
	case REPLY_AAAA: return "AAAA";
	case REPLY_CNAME: return "CNAME";
	case REPLY_TXT: break;
	}
	return "TXT";
}

static void say_failed(struct diff *d, const struct pending *p)
{
	if (d->told_count++ >= REASONS_MAX)
		return;
	progress_clear(&d->progress);
	if (p->failed.name.len)
		cmd_say("%.*s: cannot be compared: %.*s %s: %s", SPAN_ARG(p->set.domain), SPAN_ARG(p->failed.name),
			type_name(p->failed.type), p->reason);
	else
		cmd_say("%.*s: cannot be compared: %s", SPAN_ARG(p->set.domain), p->reason);
}

static int print_difference(struct diff *d, const struct pending *p, struct err *err)
{
	if (d->picked.capacity < p->set.count) {
		struct record *items = reallocarray(d->picked.items, p->set.count, sizeof *items);
		if (!items)
			return err_set(err, ERR_NOMEM, "out of memory");
		d->picked.items = items;
		d->picked.capacity = p->set.count;
	}
	compare_pick(&p->set, p->questions, p->question_count, d->plan.is_one_piece, &d->picked);
	if (d->shares_terminal)
		progress_clear(&d->progress);
	return d->plan.fn(d->plan.ctx, &p->set, &d->picked, err);
}

/* A CNAME is printed behind the record that it leads to, or while that is there: not where that was not printed because
 * nobody knows. */
static void hold_back(struct diff *d, struct pending *p)
{
	if (d->policies && p->differs && pending_hold_back(p, d->policies))
		p->differs = !d->plan.is_one_piece && compare_differs(&p->set, p->questions, p->question_count);
}

static int settle(struct diff *d, struct pending *p, struct err *err)
{
	hold_back(d, p);
	int rc = p->differs ? print_difference(d, p, err) : 0;
	if (rc == ERR_NOENT) {
		pending_give_up(p, "it changed meanwhile");
		rc = 0;
	}
	if (p->reason)
		say_failed(d, p);
	d->result.differing_count += p->differs;
	d->result.failed_count += p->reason != NULL;
	return rc;
}

static bool is_policies(const struct diff *d, const struct pending *p)
{
	return d->plan.delegate && !d->policies && p->reason && span_is(p->set.domain, span_of(d->plan.delegate));
}

static int print_done(struct diff *d, struct err *err)
{
	int rc = 0;
	for (struct pending *p = d->first; rc == 0 && p && p->is_done; p = d->first) {
		rc = settle(d, p, err);
		take_out(d, p);
		if (is_policies(d, p))
			d->policies = p;
		else
			free(p);
	}
	return rc;
}

static void show_progress(struct diff *d)
{
	char rest[64];
	(void)snprintf(rest, sizeof rest, "; %zu differ, %zu failed", d->result.differing_count,
		       d->result.failed_count);
	progress_show(&d->progress, d->done_count, d->plan.domain_count, rest);
}

static int step(struct diff *d, struct err *err)
{
	int rc = ask_more(d, err);
	if (rc == 0)
		rc = lookup_run(d->lookup, err);
	if (rc == 0)
		rc = print_done(d, err);
	show_progress(d);
	return rc;
}

int diff_wait(struct diff *d, struct err *err)
{
	int rc = 0;
	while (rc == 0 && (d->unasked || d->waiting_count + DIFF_TURN_COUNT > DIFF_WAITING_MAX ||
			   d->waiting_bytes > DIFF_WAITING_MAX_BYTES))
		rc = step(d, err);
	return rc;
}

void diff_clear_line(struct diff *d)
{
	progress_clear(&d->progress);
}

int diff_finish(struct diff *d, struct diff_result *out, struct err *err)
{
	int rc = 0;
	while (rc == 0 && d->first)
		rc = step(d, err);
	progress_clear(&d->progress);
	if (d->told_count > REASONS_MAX)
		cmd_say("and %zu more cannot be compared", d->told_count - REASONS_MAX);
	*out = d->result;
	return rc;
}

#include "recheck.h"

#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../config/stored.h"
#include "context.h"

enum { SERVER_EVERY_MS = 100 }; /* a look at it is some system calls */

int recheck_init(struct recheck *r, struct context *context, struct err *err)
{
	struct span stored;
	*r = (struct recheck){.context = context, .looked_ms = clock_mono_ms()};
	offer_init(&r->offer);
	buf_init(&r->settings, STORED_MAX_BYTES);
	int rc = stored_find(context->txn, STORED_SETTINGS, &stored);
	if (rc == ERR_NOENT)
		return 0;
	if (rc == 0)
		rc = buf_add_span(&r->settings, stored);
	return rc ? err_set(err, rc, rc == ERR_NOMEM ? "out of memory" : "the store cannot be read") : 0;
}

void recheck_deinit(struct recheck *r)
{
	offer_deinit(&r->offer);
	buf_deinit(&r->settings);
}

static int look_at_server(struct recheck *r, struct err *err)
{
	bool was_running = r->context->server.is_running;
	if (clock_mono_ms() - r->looked_ms < SERVER_EVERY_MS)
		return 0;
	int rc = context_look_again(r->context, err);
	r->looked_ms = clock_mono_ms();
	if (rc == 0 && !was_running && r->context->server.is_running) /* whose settings need not be the file's */
		rc = err_set(err, ERR_CONFLICT, "a server was started meanwhile: run this again");
	return rc;
}

int recheck_renew(struct recheck *r, struct offer_world *w, struct err *err)
{
	int rc = db_renew(w->txn);
	if (rc)
		return err_set(err, rc, rc == ERR_NOMEM ? "out of memory" : "the store cannot be read");
	w->now_unix_s = clock_unix_s();
	if (!stored_is(w->txn, STORED_SETTINGS, buf_span(&r->settings)))
		return err_set(err, ERR_CONFLICT, "the settings were changed meanwhile: run this again");
	return look_at_server(r, err);
}

static bool is_same_record(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->ttl_s == b->ttl_s && a->state == b->state && span_is(a->name, b->name) &&
	       span_is(a->data, b->data);
}

static bool is_same_set(const struct record_set *a, const struct record_set *b)
{
	bool is_same = a->count == b->count;
	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = is_same_record(&a->items[i], &b->items[i]);
	return is_same;
}

int recheck_set(struct recheck *r, const struct offer_world *w, const struct record_set *s, struct err *err)
{
	struct domain_row row;
	enum record_state state;
	bool is_anything;
	int rc;
	if (offer_is_delegate(w, s->domain))
		rc = offer_make_policies(&r->offer, w, &is_anything);
	else if ((rc = offer_find_row(w, s->domain, &row, &state)) == 0)
		rc = offer_make(&r->offer, w, s->domain, &row, state);
	if (rc == 0)
		return is_same_set(s, &r->offer.set) ? 0 : ERR_NOENT;
	if (rc != ERR_NOENT)
		(void)err_set(err, rc, rc == ERR_IO ? "the store cannot be read" : "out of memory");
	return rc;
}

#include "offer.h"

#include "../../base/err.h"
#include "../../config/delegated.h"
#include "../../config/gone.h"
#include "../../config/outbox.h"
#include "../../config/settings.h"

void offer_init(struct offer *o)
{
	*o = (struct offer){0};
	record_set_init(&o->set);
}

void offer_deinit(struct offer *o)
{
	record_set_deinit(&o->set);
}

int offer_find_row(const struct offer_world *w, struct span domain, struct domain_row *out,
		   enum record_state *out_state)
{
	int rc = domains_get(w->txn, domain, out);
	if (rc == 0)
		*out_state = record_state_of(out, w->is_keepers ? 0 : w->now_unix_s);
	if (rc != ERR_NOENT)
		return rc;
	*out_state = RECORD_GONE;
	return gone_get(w->txn, domain, out);
}

/* Behind what the set holds. */
static int add_domain(struct offer *o, const struct offer_world *w, struct span domain, const struct domain_row *row,
		      enum record_state state)
{
	o->state = state;
	memset(o->id, 0, sizeof o->id);
	if (!delegated_speaks(row, w->settings))
		memcpy(o->id, row->id, sizeof o->id);
	if (state == RECORD_GONE) { /* a deletion needs no policy */
		o->gate.is_open = true;
		o->gate.has_pair = o->gate.is_early = false;
	} else {
		gate_look(w->txn, w->server, w->settings->dns_delegate, domain, w->now_unix_s, &o->gate);
	}
	struct published published;
	if (w->settings->dns_publish_command.count && published_get(w->txn, domain, &published) == 0) {
		o->set.is_host_out = published.has_host;
		o->set.is_report_out = published.has_report;
	}
	/* what is there now may be the record of a policy, for all its domains */
	bool is_another = state == RECORD_GONE && delegated_is_below(domain, w->settings->dns_delegate);
	int rc = record_add_domain(&o->set, row, w->settings, o->gate.is_open ? state : RECORD_WITHHELD);
	if (rc == 0 && ((!o->gate.is_open && !w->wants_withheld) || is_another))
		o->set.count--; /* it comes last; host and report records can stand without it */
	return rc;
}

int offer_make(struct offer *o, const struct offer_world *w, struct span domain, const struct domain_row *row,
	       enum record_state state)
{
	int rc = record_set_begin(&o->set, domain, 0);
	return rc ? rc : add_domain(o, w, domain, row, state);
}

/* --- the records of policies ------------------------------------------------------------------------------------- */

bool offer_is_delegate(const struct offer_world *w, struct span domain)
{
	const char *delegate = w->settings->dns_delegate;
	return delegate && span_is(domain, span_of(delegate));
}

struct adding {
	struct offer *offer;
	const struct offer_world *world;
	size_t count; /* of what there is to say, said or not */
};

static int on_policy(void *ctx, struct span policy, const struct delegated *d)
{
	struct adding *a = ctx;
	const struct offer_world *w = a->world;
	bool is_there = w->is_keepers && !d->is_gone;
	enum record_state state = record_state_of_policy(d, is_there ? 0 : w->now_unix_s);
	if (!is_there && delegated_is_over(d, w->now_unix_s))
		return 0;
	a->count++;
	bool is_held = state != RECORD_GONE && !a->offer->policies_gate.is_open;
	a->offer->policies_held_count += is_held;
	if (is_held && !w->wants_withheld)
		return 0;
	return record_add_policy(&a->offer->set, policy, d, w->settings->dns_ttl_s, is_held ? RECORD_WITHHELD : state);
}

int offer_make_policies(struct offer *o, const struct offer_world *w, bool *out_is_anything)
{
	struct span delegate = span_of(w->settings->dns_delegate);
	struct domain_row row;
	enum record_state state;
	struct adding a = {.offer = o, .world = w};
	struct published published;
	o->policies_held_count = 0;
	o->state = RECORD_GONE;
	memset(o->id, 0, sizeof o->id);
	o->gate = (struct gate){.is_open = true};
	gate_look_at_policies(w->server, &o->policies_gate);
	int rc = record_set_begin(&o->set, delegate, db_count(w->txn, DB_DELEGATED));
	if (rc == 0)
		rc = delegated_each(w->txn, on_policy, &a, NULL);
	if (rc)
		return rc;
	rc = offer_find_row(w, delegate, &row, &state);
	if (rc == 0 && state == RECORD_GONE && w->is_keepers &&
	    published_get(w->txn, delegate, &published) == ERR_NOENT)
		rc = ERR_NOENT; /* it is deleted already, or was never ours to delete */
	*out_is_anything = a.count || rc == 0;
	if (rc == ERR_NOENT)
		return 0;
	return rc ? rc : add_domain(o, w, delegate, &row, state);
}

#include "offer.h"

#include "../../base/err.h"
#include "../../config/gone.h"
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

int offer_make(struct offer *o, const struct offer_world *w, struct span domain, const struct domain_row *row,
	       enum record_state state)
{
	o->state = state;
	if (state == RECORD_GONE) { /* a deletion needs no policy */
		o->gate.is_open = true;
		o->gate.has_pair = o->gate.is_early = false;
	} else {
		gate_look(w->txn, w->server, domain, w->now_unix_s, &o->gate);
	}
	int rc = record_make(&o->set, domain, row, w->settings, o->gate.is_open ? state : RECORD_WITHHELD);
	if (rc == 0 && !o->gate.is_open && !w->wants_withheld)
		o->set.count--; /* it comes last; host and report records can stand without it */
	return rc;
}

/* offer: the DNS records of a domain as they may be published now: its _mta-sts record only while the gate is open
 * (DESIGN.md 6.3). What `records` prints and what the hook is given comes from here. */
#ifndef KEEPER_OFFER_H
#define KEEPER_OFFER_H

#include "../../config/domains.h"
#include "../../config/record.h"
#include "gate.h"

#include <stdbool.h>
#include <stdint.h>

struct settings;

struct offer_world {
	struct db_txn *txn;
	const struct gate_server *server;
	const struct settings *settings;
	int64_t now_unix_s;
	bool wants_withheld; /* the _mta-sts record also where the gate is shut, in state withheld */
	bool is_keepers;     /* a row that is there is not gone before the keeper says so, whatever our clock does */
};

struct offer {
	struct record_set set;
	enum record_state state;          /* of the _mta-sts record, when the gate is open */
	char id[DOMAIN_ID_MAX_BYTES + 1]; /* in it, NUL behind; empty: it points to that of a policy */
	struct gate gate;                 /* open for deletions */
	struct gate policies_gate;        /* of offer_make_policies: that of the records of policies */
	size_t policies_held_count;       /* … and how many of these wait for it */
};

void offer_init(struct offer *o);
void offer_deinit(struct offer *o);

/* offer_is_delegate: is domain that of dns.delegate? Its records are those of policies and its own, if it has any, in
 * one set: a document or an object of a format is all that there is of a zone. */
bool offer_is_delegate(const struct offer_world *w, struct span domain);

/* offer_find_row: of a domain that is served, withdrawn or gone. 0, ERR_NOENT, ERR_IO. Spans point into the map. */
int offer_find_row(const struct offer_world *w, struct span domain, struct domain_row *out,
		   enum record_state *out_state);

/* offer_make: replaces what o holds. domain and row must outlive it. 0, ERR_NOMEM, ERR_RANGE. */
int offer_make(struct offer *o, const struct offer_world *w, struct span domain, const struct domain_row *row,
	       enum record_state state);

/* offer_make_policies: the same of dns.delegate, which must be set. state and gate are those of its own _mta-sts
 * record; open, when it is no domain of ours. ERR_IO, too. out_is_anything: false: neither policies nor the domain
 * have, or had, records. */
int offer_make_policies(struct offer *o, const struct offer_world *w, bool *out_is_anything);

#endif

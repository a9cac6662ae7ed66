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
	bool is_keepers; /* a row that is still there is not gone, whatever its date and the clock say (caution.h) */
};

struct offer {
	struct record_set set;
	enum record_state state; /* of the _mta-sts record, when the gate is open */
	struct gate gate;        /* open for deletions */
};

void offer_init(struct offer *o);
void offer_deinit(struct offer *o);

/* offer_find_row: of a domain that is served, withdrawn or gone. 0, ERR_NOENT, ERR_IO. Spans point into the map. */
int offer_find_row(const struct offer_world *w, struct span domain, struct domain_row *out,
		   enum record_state *out_state);

/* offer_make: replaces what o holds. domain and row must outlive it. 0, ERR_NOMEM, ERR_RANGE. */
int offer_make(struct offer *o, const struct offer_world *w, struct span domain, const struct domain_row *row,
	       enum record_state state);

#endif

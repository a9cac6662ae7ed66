/* gate: may a domain's _mta-sts record be published now? Only while the policy with that id is served under a
 * certificate that is valid for the host (DESIGN.md 6.3). */
#ifndef KEEPER_GATE_H
#define KEEPER_GATE_H

#include "../../base/span.h"
#include "../../certs/pairs.h"

#include <stdbool.h>
#include <stdint.h>

struct db_txn;

enum { GATE_REASON_BYTES = 400 };

/* The server that is to serve: as its keeper or a command sees it. */
struct gate_server {
	const char *state_dir;
	bool is_running;          /* a keeper holds the lock */
	bool is_serving;          /* … and all its workers answer */
	struct pairs_memo *pairs; /* certificates that were looked at before; NULL: none are remembered */
};

struct gate {
	bool is_open;
	bool is_early;                  /* shut only because not every worker is serving yet */
	char reason[GATE_REASON_BYTES]; /* why not; "" when it is open */
	bool has_pair;                  /* choice is filled in: */
	struct pair_choice choice;      /* valid while the snapshot is */
};

/* gate_look: for a domain that has a row in the snapshot. has_pair only where the pairs are why it is shut. Quick for
 * who asks for many domains in the order of their names. delegate: dns.delegate, or NULL. */
void gate_look(struct db_txn *txn, const struct gate_server *server, const char *delegate, struct span domain,
	       int64_t now_unix_s, struct gate *out);

/* gate_look_at_policies: for the records of named policies (dns.delegate), all alike: it is open while they are served
 * at all, for each domain's record that points to one of them has its own gate. */
void gate_look_at_policies(const struct gate_server *server, struct gate *out);

/* gate_look_closely: as gate_look, and has_pair wherever there is one. */
void gate_look_closely(struct db_txn *txn, const struct gate_server *server, const char *delegate, struct span domain,
		       int64_t now_unix_s, struct gate *out);

/* gate_not_after: until when the host has a valid certificate; 0: it has none. */
int64_t gate_not_after(const struct gate *g);

#endif

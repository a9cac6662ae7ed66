/* gate: may a domain's _mta-sts record be published now? Only while the policy with that id is served under a
 * certificate that is valid for the host (DESIGN.md 6.3). */
#ifndef CMD_GATE_H
#define CMD_GATE_H

#include "../../base/span.h"
#include "../../certs/pairs.h"
#include "context.h"

#include <stdbool.h>
#include <stdint.h>

enum { GATE_REASON_BYTES = 400 };

struct gate {
	bool is_open;
	char reason[GATE_REASON_BYTES]; /* why not; "" when it is open */
	bool has_pair;
	struct pair_choice choice; /* valid while the context's snapshot is */
};

/* gate_look: for a domain that has a row in the context's store. */
void gate_look(const struct context *c, struct span domain, int64_t now_unix_s, struct gate *out);

/* gate_not_after: until when the host has a valid certificate; 0: it has none. */
int64_t gate_not_after(const struct gate *g);

#endif

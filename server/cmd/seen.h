/* seen: what senders see of a domain in the DNS, its own record or that of its policy (dns.delegate), and of policies;
 * for `status`. */
#ifndef CMD_SEEN_H
#define CMD_SEEN_H

#include "../../base/buf.h"
#include "../../config/domains.h"
#include "context.h"

#include <stdbool.h>
#include <stdint.h>

struct json;

struct seen {
	char id[DOMAIN_ID_MAX_BYTES + 1];
	int64_t since_unix_s;
	bool is_delegated;
	struct buf record; /* the name of the policy's record that speaks for it; empty: its own does */
};

/* seen_look: 0, or an ERR_: the store is damaged, or there is no memory. seen_deinit it in any case. */
int seen_look(const struct context *c, const struct domain_row *row, struct seen *out);
void seen_deinit(struct seen *s);

/* seen_add_policies: a line for each record of a policy, at most max_count; nothing without dns.delegate. 0 or an
 * ERR_. */
int seen_add_policies(const struct context *c, size_t max_count, struct buf *out);

/* seen_put_policies: the same as an array, of all. */
int seen_put_policies(const struct context *c, struct json *j);

#endif

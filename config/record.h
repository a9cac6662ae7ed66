/* record: the DNS records of a domain (RFC 8461 3.1, RFC 8460 3), and the formats they are printed in. */
#ifndef CONFIG_RECORD_H
#define CONFIG_RECORD_H

#include "../base/buf.h"
#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain_row;
struct settings;

enum record_type { RECORD_CNAME, RECORD_A, RECORD_AAAA, RECORD_TXT };

enum record_state {
	RECORD_LIVE,        /* safe to publish now */
	RECORD_WITHHELD,    /* not yet: printed on demand only */
	RECORD_WITHDRAWING, /* of a domain that is gone from the configuration; keep it published until its date */
};

struct record {
	struct span domain; /* the policy domain */
	struct span name;   /* owner, with its final dot */
	enum record_type type;
	uint32_t ttl_s;
	struct span data; /* bare: no quotes; a name with its final dot */
	enum record_state state;
};

enum { RECORD_ADDRESSES_MAX = 64, RECORDS_MAX = RECORD_ADDRESSES_MAX + 2, RECORD_DATA_MAX_BYTES = 2048 };

/* The records of one domain, in the order in which they are to be published: host, _smtp._tls, _mta-sts. */
struct record_set {
	struct record items[RECORDS_MAX];
	size_t count;
	struct buf text; /* what the records' spans point into */
};

void record_set_init(struct record_set *s);
void record_set_deinit(struct record_set *s);

/* record_make: replaces what s holds. row, domain and settings must outlive s. state is that of the _mta-sts record;
 * host and report records can always be published. 0, ERR_NOMEM, ERR_RANGE. */
int record_make(struct record_set *s, struct span domain, const struct domain_row *row, const struct settings *settings,
		enum record_state state);

const char *record_type_name(enum record_type t);   /* "TXT" */
const char *record_state_name(enum record_state s); /* "live" */

#endif

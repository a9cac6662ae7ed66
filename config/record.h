/* record: the DNS records of a domain (RFC 8461 3.1, RFC 8460 3) and of named policies (dns.delegate); what the formats
 * print. */
#ifndef CONFIG_RECORD_H
#define CONFIG_RECORD_H

#include "../base/buf.h"
#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delegated;
struct domain_row;
struct settings;

enum record_type { RECORD_CNAME, RECORD_A, RECORD_AAAA, RECORD_TXT, RECORD_TYPE_COUNT };

enum record_state {
	RECORD_LIVE,        /* safe to publish now */
	RECORD_WITHHELD,    /* not yet: printed on demand only */
	RECORD_WITHDRAWING, /* of a domain or policy that was taken out of use: keep it published until its date */
	RECORD_GONE,        /* that date has passed: printed as a deletion */
};

struct record {
	struct span domain; /* the policy domain */
	struct span name;   /* owner, with its final dot */
	enum record_type type;
	uint32_t ttl_s;
	struct span data; /* bare: no quotes; a name with its final dot */
	enum record_state state;
	int64_t until_unix_s; /* RECORD_WITHDRAWING: when it can be deleted; RECORD_GONE: since when; else 0 */
};

enum { RECORD_ADDRESSES_MAX = 64, RECORDS_MAX = RECORD_ADDRESSES_MAX + 5, RECORD_DATA_MAX_BYTES = 2048 };

/* The records of one domain, in the order in which they are to be published: those of policies, host, _smtp._tls,
 * _mta-sts. Those of one name stand together, and among them those of one type. */
struct record_set {
	struct record *items;
	size_t count, capacity;
	struct span domain;
	/* set by the caller after record_set_begin, if he knows: what of the domain is in the DNS, and is to be deleted
	 * where the settings have no such record any more */
	bool is_host_out, is_report_out;
	struct buf text; /* what the records' spans point into */
};

void record_set_init(struct record_set *s);
void record_set_deinit(struct record_set *s);

/* record_set_begin: replaces what s holds by nothing; there is room for the records of the domain, which must outlive
 * s, and for those of policy_count policies below it. 0, ERR_NOMEM, ERR_RANGE; so the others. */
int record_set_begin(struct record_set *s, struct span domain, size_t policy_count);

/* record_add_policy: the TXT record that speaks for the domains of a named policy. s is that of dns.delegate. */
int record_add_policy(struct record_set *s, struct span policy, const struct delegated *d, uint32_t ttl_s,
		      enum record_state state);

/* record_add_domain: row and settings must outlive s. state is that of the _mta-sts record, a CNAME where that of its
 * policy speaks for the domain; host and report records can always be published, and go only when it is RECORD_GONE. */
int record_add_domain(struct record_set *s, const struct domain_row *row, const struct settings *settings,
		      enum record_state state);

/* record_add_published: the domain's own _mta-sts record as it is out: with that id, or, when it is empty, as a CNAME
 * to that of the row's policy. */
int record_add_published(struct record_set *s, const char *id, const struct domain_row *row,
			 const struct settings *settings);

/* record_make: both for a domain without policies. */
int record_make(struct record_set *s, struct span domain, const struct domain_row *row, const struct settings *settings,
		enum record_state state);

/* record_state_of: live, withdrawing or gone. Whether a live one is to be withheld is not asked here. */
enum record_state record_state_of(const struct domain_row *row, int64_t now_unix_s);
enum record_state record_state_of_policy(const struct delegated *d, int64_t now_unix_s);

const char *record_type_name(enum record_type t);   /* "TXT" */
const char *record_state_name(enum record_state s); /* "live" */

#endif

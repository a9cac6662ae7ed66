/* domains: what is served for a domain: the row with body, id and dates. Readers' half: see apply.h for the writer's.
 *
 * A row says what has been committed; every worker's next look-up answers from it (DESIGN.md 2). */
#ifndef CONFIG_DOMAINS_H
#define CONFIG_DOMAINS_H

#include "../base/db.h"
#include "../base/sha256.h"
#include "../base/span.h"
#include "policy.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;

enum { DOMAIN_ID_MAX_BYTES = 32 }; /* RFC 8461 3.1 */

#define DOMAIN_DATE_MAX_UNIX_S INT64_C(253402300799) /* the end of year 9999, as far as clock.h prints */

enum domain_state {
	DOMAIN_LIVE,
	DOMAIN_WITHDRAWN, /* gone from the YAML; answered with mode none until cached_until_unix_s (RFC 8461 8.3) */
};

struct domain_row {
	enum domain_state state;
	enum policy_mode mode;
	uint32_t max_age_s;
	uint32_t ttl_s;                   /* of its DNS records */
	uint8_t body[SHA256_BYTES];       /* key into DB_BODIES */
	char id[DOMAIN_ID_MAX_BYTES + 1]; /* NUL behind */
	int64_t changed_unix_s;           /* when the served bytes last changed */
	int64_t mode_since_unix_s;        /* since when in this mode */
	int64_t first_unix_s;             /* first publication */
	int64_t cached_until_unix_s; /* ledger: until when an earlier enforce or testing policy may be cached; 0: none
				      */
	int64_t stamp_unix_s;        /* the latest timestamp id that was used; 0: none */
	uint64_t serial;             /* the latest serial id that was used; 0: none */
	struct span tls_rpt;         /* value of the _smtp._tls TXT ("v=TLSRPTv1; rua=…"), empty: no record */
	struct span policy; /* the named policy whose record speaks for it (delegated.h), empty: its own does */
};

/* domains_get: the row of a policy domain (not of its host). 0, ERR_NOENT, ERR_IO. Spans point into the map. */
int domains_get(struct db_txn *txn, struct span domain, struct domain_row *out);

/* domains_get_in_turn: the same, quicker for who goes through many in the order of their names. */
int domains_get_in_turn(struct db_txn *txn, struct span domain, struct domain_row *out);

/* domains_get_from: the same out of another table of rows. */
int domains_get_from(struct db_txn *txn, enum db_table table, struct span domain, struct domain_row *out);

/* domains_put_into: a row into a table of rows. */
int domains_put_into(struct db_txn *txn, enum db_table table, struct span domain, const struct domain_row *row,
		     struct err *err);

/* domains_get_by_host: of a policy host, "mta-sts." + domain; ERR_NOENT also when host is no such name. */
int domains_get_by_host(struct db_txn *txn, struct span host, struct domain_row *out);

/* domains_body: the bytes to serve. 0, ERR_NOENT, ERR_IO. */
int domains_body(struct db_txn *txn, const struct domain_row *row, struct span *out);

/* domains_decode: decodes what a cursor on DB_DOMAINS stands on. ERR_PARSE when it is not a row. */
int domains_decode(struct span value, struct domain_row *out);

/* domains_cached_until: until when senders may hold what the row serves, or served before, in mode enforce or testing
 * (RFC 8461 3.2, 5.1); 0: they hold nothing of the kind. */
int64_t domains_cached_until(const struct domain_row *row, int64_t now_unix_s);

/* domains_encode: appends the stored form. */
int domains_encode(const struct domain_row *row, struct buf *out);

#endif

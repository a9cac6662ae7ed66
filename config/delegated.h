/* delegated: the records of named policies, which the records of many domains point to (dns.delegate): readers' half.
 *
 * One row for each policy that a domain was ever delegated to. A domain's row says in `policy` which one speaks for it;
 * see delegation.h for who writes them. */
#ifndef CONFIG_DELEGATED_H
#define CONFIG_DELEGATED_H

#include "../base/span.h"
#include "domains.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct db_txn;
struct err;
struct settings;

/* How long a record stays once its last domain has left it, so that every record that points to it can be replaced; as
 * long again it is printed as a deletion, and then forgotten. */
enum { DELEGATED_KEEP_S = 30 * 86400 };

struct delegated {
	uint8_t body[SHA256_BYTES]; /* what its domains are served with; key into DB_BODIES as long as there are any */
	char id[DOMAIN_ID_MAX_BYTES + 1]; /* NUL behind */
	int64_t changed_unix_s;           /* when the id last changed */
	int64_t left_unix_s;              /* when the last domain left; 0: some are there */
	uint64_t turn;                    /* see ids_next_shared */
	uint64_t turn_max;                /* the highest that was used */
	int64_t turned_unix_s;            /* when it was raised last */
	uint64_t domain_count;
	bool is_gone;      /* its date has passed, and that was noted: delegated_expire */
	bool has_laggards; /* when the body changed last, some stayed with an older one: see delegation.h */
};

/* delegated_get: 0, ERR_NOENT, ERR_IO. */
int delegated_get(struct db_txn *txn, struct span policy, struct delegated *out);

/* delegated_each: in the order of the names, until fn returns other than 0, which is returned. 0, ERR_IO, ERR_NOMEM. */
typedef int delegated_fn(void *ctx, struct span policy, const struct delegated *d);
int delegated_each(struct db_txn *txn, delegated_fn *fn, void *ctx, struct err *err);

/* delegated_until: until when the record has to stay published; 0: as long as there are domains. */
int64_t delegated_until(const struct delegated *d);

/* delegated_is_over: it need not even be printed as a deletion any more. */
bool delegated_is_over(const struct delegated *d, int64_t now_unix_s);

/* delegated_speaks: does the record of a named policy speak for that row's domain, and not its own? */
bool delegated_speaks(const struct domain_row *row, const struct settings *settings);

/* delegated_find_id: THE id that senders see for a domain: its row's own or that of its policy's record.
 * out        NUL-terminated
 * out_since_unix_s  when it came to that; NULL: not wanted
 * returns    0, ERR_NOENT or ERR_IO: the store is damaged */
int delegated_find_id(struct db_txn *txn, const struct domain_row *row, const struct settings *settings,
		      char out[DOMAIN_ID_MAX_BYTES + 1], int64_t *out_since_unix_s);

/* delegated_is_label: can that name of a policy stand in the DNS as it is? */
bool delegated_is_label(struct span policy);

/* delegated_is_below: is domain where the records of a policy of some name are, or would be? */
bool delegated_is_below(struct span domain, const char *delegate);

/* delegated_add_name: the owner of a policy's record, without its final dot: "_mta-sts.standard.sts.example.com". */
int delegated_add_name(struct span policy, const char *delegate, struct buf *out);
size_t delegated_name_len(struct span policy, const char *delegate);

bool delegated_is_same(const struct delegated *a, const struct delegated *b);

/* delegated_put, delegated_expire, delegated_prune: the writer's. Expire notes those whose date has passed. Prune
 * forgets what is over, unless it could then repeat a turn too early. */
int delegated_put(struct db_txn *txn, struct span policy, const struct delegated *d, struct err *err);
int delegated_expire(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err);
int delegated_prune(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err);

#endif

/* candidates: which pairs bear a name, and which of them is the best to show.
 *
 * A row holds what the choice needs, so that a handshake fetches no more pairs than it shows. */
#ifndef CERTS_CANDIDATES_H
#define CERTS_CANDIDATES_H

#include "../base/sha256.h"
#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;

/* of one name; the ones that expire first give way. Renewals leave one or two; only a name that every certificate
 * of a provider bears comes here, and must not make the look-up slow */
enum { CANDIDATES_MAX = 256 };

/* As stored: fixed layout, host order, no padding. */
struct candidate {
	uint8_t id[SHA256_BYTES]; /* of the pair */
	int64_t not_before_unix_s, not_after_unix_s;
	uint32_t cert_count;
	uint8_t is_rsa, is_self_signed, is_for_servers, unused;
};

/* candidates_put: pattern: a name as in a certificate, "*." included. Replaces the one of the same pair. */
int candidates_put(struct db_txn *txn, struct span pattern, const struct candidate *c, struct err *err);

/* candidates_delete: 0 also when there was none. */
int candidates_delete(struct db_txn *txn, struct span pattern, const uint8_t id[SHA256_BYTES], struct err *err);

/* candidates_each: calls fn for all that a client asking for host accepts, by exact name, then by wildcard, until
 * fn returns false. A wildcard stands for exactly one label. fn must not write.
 * host     in the form of name.h; may itself begin with "*."
 * returns  0 or ERR_IO; allocates nothing        source  RFC 9525 6.3 */
typedef bool candidate_fn(void *ctx, const struct candidate *c, bool is_exact);
int candidates_each(struct db_txn *txn, struct span host, candidate_fn *fn, void *ctx);

/* candidates_each_in_turn: the same, quick for who asks for many hosts in the order of their names (db.h). */
int candidates_each_in_turn(struct db_txn *txn, struct span host, candidate_fn *fn, void *ctx);

bool candidate_is_valid(const struct candidate *c, int64_t now_unix_s);

/* candidate_is_better: a before b? Valid now before not, a CA's before self-signed, exact name before wildcard, with
 * issuers before leaf alone, then the later not_after, then more certificates. */
bool candidate_is_better(const struct candidate *a, bool a_is_exact, const struct candidate *b, bool b_is_exact,
			 int64_t now_unix_s);

#endif

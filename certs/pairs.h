/* pairs: which certificate and key belong to a host: the rows in the store and the choice among candidates.
 *
 * A row is written only for a chain whose key is in the keyring: a mismatched pair cannot exist. */
#ifndef CERTS_PAIRS_H
#define CERTS_PAIRS_H

#include "../base/sha256.h"
#include "../base/span.h"
#include "pkey.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct chain;
struct err;

/* A pair as the store holds it. Spans point into the map: see db.h for how long. */
struct pair {
	uint8_t id[SHA256_BYTES];
	uint8_t spki[SHA256_BYTES];
	int64_t not_before_unix_s, not_after_unix_s;
	enum pkey_type key_type;
	unsigned key_bits;
	bool is_self_signed, has_must_staple, has_server_auth;
	size_t cert_count;
	struct span der;   /* as in chain */
	struct span names; /* as in chain: see chain_next_name and pairs_name_each */
	struct span issuer;
	struct span source; /* path of the file it came from; "" for one that we made ourselves */
};

/* pairs_put: stores the chain; the caller has put the key with the same spki into the keyring and commits it first.
 * A chain whose leaf is already there replaces it only when it holds more certificates, or another choice of them
 * from the same file.
 * *out_changed  whether a row was written */
int pairs_put(struct db_txn *txn, const struct chain *chain, struct span source, bool *out_changed, struct err *err);

/* pairs_delete: the row and its names; ERR_NOENT. */
int pairs_delete(struct db_txn *txn, const uint8_t id[SHA256_BYTES], struct err *err);

/* pairs_get: 0, ERR_NOENT, ERR_IO (also for a row that cannot be read). */
int pairs_get(struct db_txn *txn, const uint8_t id[SHA256_BYTES], struct pair *out);

/* pairs_next: all pairs in order of id. after_id: NULL begins; afterwards the id of the last one. ERR_NOENT at the
 * end, ERR_IO, ERR_NOMEM. */
int pairs_next(struct db_txn *txn, const uint8_t *after_id, struct pair *out);

/* The pairs that a host is served with: at most one per family of key, so that RSA-only clients get theirs. */
struct pair_choice {
	bool has_ec, has_rsa;
	struct pair ec, rsa;
	bool is_valid; /* valid at the time asked for: then all that is in here is */
};

/* pairs_find: the best pairs for host at now: see candidate_is_better. A pair that is not valid is chosen only when
 * none of either family is. Pairs without serverAuth never. A wildcard matches exactly one label.
 * host     in the form of name.h
 * returns  0, ERR_NOENT (none at all), ERR_IO
 * allocates nothing        source RFC 9525 6.3, RFC 6066 3 */
int pairs_find(struct db_txn *txn, struct span host, int64_t now_unix_s, struct pair_choice *out);

/* pairs_find_end: until when pairs_find will find something valid for host, if no other pair comes. Reads names only;
 * quick for who asks for many hosts in the order of their names.
 * returns  0, ERR_NOENT (nothing is valid now), ERR_IO */
int pairs_find_end(struct db_txn *txn, struct span host, int64_t now_unix_s, int64_t *out_unix_s);

/* pairs_has_valid: would pairs_find find something valid for host? Quick for who asks for many hosts in the order of
 * their names, in a transaction that only reads.
 * memo     pairs that were fetched before and are not fetched again; NULL: fetch all
 * returns  1, 0, ERR_IO */
struct pairs_memo;
int pairs_has_valid(struct db_txn *txn, struct span host, int64_t now_unix_s, struct pairs_memo *memo);

/* pairs_memo_new: a megabyte, of which only what is used is touched. NULL: no memory. */
struct pairs_memo *pairs_memo_new(void);
void pairs_memo_free(struct pairs_memo *memo); /* accepts NULL */

/* pairs_is_covered: can p go without loss: is there for every one of its names another pair that is valid now, no
 * worse signed (a CA's for a CA's), and that is held or expires later?
 * is_held  does a file hold the pair of that id?
 * returns  1, 0, or ERR_IO */
typedef bool pairs_held_fn(void *ctx, const uint8_t id[SHA256_BYTES]);
int pairs_is_covered(struct db_txn *txn, const struct pair *p, int64_t now_unix_s, pairs_held_fn *is_held, void *ctx);

/* pairs_name_each: calls fn for every name in names (of a pair or chain). */
typedef void pairs_name_fn(void *ctx, struct span name);
void pairs_name_each(struct span names, pairs_name_fn *fn, void *ctx);

/* keyring: private keys by the digest of their public key; in the environment of kind DB_KEYRING. */

enum keyring_origin {
	KEYRING_IMPORTED, /* from a file: goes when no pair needs it any more */
	KEYRING_MADE,     /* our own: its certificate may be still to come; never swept */
};

/* keyring_put: a key that is there stays as it is, save that an imported one becomes our own when it is put again as
 * such. */
int keyring_put(struct db_txn *txn, const struct pkey *key, enum keyring_origin origin, struct err *err);
int keyring_get(struct db_txn *txn, const uint8_t spki[SHA256_BYTES], struct span *out_der);
int keyring_delete(struct db_txn *txn, const uint8_t spki[SHA256_BYTES], struct err *err);

/* keyring_next: like pairs_next. */
int keyring_next(struct db_txn *txn, const uint8_t *after_spki, uint8_t out_spki[SHA256_BYTES],
		 enum keyring_origin *out_origin);

#endif

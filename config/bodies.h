/* bodies: the policy bodies in the store, each once, however many domains are served with it. Writer's half. */
#ifndef CONFIG_BODIES_H
#define CONFIG_BODIES_H

#include "../base/sha256.h"
#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_txn;
struct err;

/* bodies_take: one more row refers to body, whose digest is given; stores it when it is the first. */
int bodies_take(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], struct span body, struct err *err);

/* A transaction's worth of one more and one less; the last one less removes the body. Many rows tend to share a policy,
 * so the counts of bodies are kept back until another body wants the place, or until bodies_tally_end. */
enum { BODIES_TALLY_COUNT = 256 }; /* a provider's few dozen policies, the old body and the new one of each */

struct bodies_tally {
	struct db_txn *txn;
	struct bodies_count {
		bool is_used;
		uint8_t digest[SHA256_BYTES];
		int64_t change;       /* not in the store yet */
	} counts[BODIES_TALLY_COUNT]; /* the place of each is told by its digest */
};

void bodies_tally_begin(struct bodies_tally *t, struct db_txn *txn);
int bodies_tally_take(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES], struct span body, struct err *err);
int bodies_tally_drop(struct bodies_tally *t, const uint8_t digest[SHA256_BYTES], struct err *err);

/* bodies_tally_end: writes what was kept back. To be called before the commit. */
int bodies_tally_end(struct bodies_tally *t, struct err *err);

#endif

/* bodies: the policy bodies in the store, each once, however many domains are served with it. Writer's half. */
#ifndef CONFIG_BODIES_H
#define CONFIG_BODIES_H

#include "../base/sha256.h"
#include "../base/span.h"

struct db_txn;
struct err;

/* bodies_take: one more row refers to body, whose digest is given; stores it when it is the first. */
int bodies_take(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], struct span body, struct err *err);

/* bodies_drop: one less; the last one removes it. */
int bodies_drop(struct db_txn *txn, const uint8_t digest[SHA256_BYTES], struct err *err);

#endif

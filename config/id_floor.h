/* id_floor: the highest ids that were ever used, under a name in the store: what comes back once it was forgotten must not
 * repeat one. */
#ifndef CONFIG_ID_FLOOR_H
#define CONFIG_ID_FLOOR_H

#include "../base/span.h"
#include "ids.h"

struct db_txn;
struct err;

/* id_floor_load: zeroed when there is none, or what is there is no floor. */
struct ids_used id_floor_load(struct db_txn *txn, struct span name);

int id_floor_store(struct db_txn *txn, struct span name, const struct ids_used *used, struct err *err);

#endif

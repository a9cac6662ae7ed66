#include "id_floor.h"

#include "../base/db.h"
#include "../base/err.h"

struct ids_used id_floor_load(struct db_txn *txn, struct span name)
{
	struct ids_used used = {0};
	struct span value;
	if (db_get(txn, DB_META, name, &value) == 0 && value.len == sizeof used)
		memcpy(&used, value.p, sizeof used);
	return used;
}

int id_floor_store(struct db_txn *txn, struct span name, const struct ids_used *used, struct err *err)
{
	return db_put(txn, DB_META, name, (struct span){(const char *)used, sizeof *used}, err);
}

/* db_turn: a way through a table of a snapshot, which does not change, for who asks for keys in their order. db.c's
 * inner room: codes are LMDB's. */
#ifndef BASE_DB_TURN_H
#define BASE_DB_TURN_H

struct MDB_txn;
struct MDB_val;
struct db_turn;

enum { DB_TURN_KEY_MAX_BYTES = 511 }; /* db.h's */

int db_turn_open(struct db_turn **out, struct MDB_txn *txn, unsigned table);
void db_turn_close(struct db_turn *t); /* accepts NULL; before its transaction ends or is reset */

/* db_turn_get: the row of any key of at most DB_TURN_KEY_MAX_BYTES. 0, MDB_NOTFOUND, or another of LMDB's. */
int db_turn_get(struct db_turn *t, const struct MDB_val *key, struct MDB_val *out);

#endif

/* state_dir: the folder of the store: made, owned by the server's user, locked by the one keeper that runs on it. */
#ifndef KEEPER_STATE_DIR_H
#define KEEPER_STATE_DIR_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* state_dir_prepare: makes path with store/ and keyring/ below, and gives them to uid and gid when we are root and they
 * are another's. ERR_PERM, ERR_IO with a sentence that says what to do. */
int state_dir_prepare(const char *path, uid_t uid, gid_t gid, struct err *err);

/* state_dir_lock: for the life of the process. ERR_CONFLICT when another keeper has it. *out_fd: keep it open. */
int state_dir_lock(const char *path, int *out_fd, struct err *err);

/* state_dir_is_locked: does a keeper run on it? */
bool state_dir_is_locked(const char *path);

#endif

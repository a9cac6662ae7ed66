/* privileges: from root to `user`. The keeper keeps CAP_DAC_READ_SEARCH alone, because ACME clients leave keys readable
 * by root only; a worker is another program image (exec) and so keeps nothing. */
#ifndef KEEPER_PRIVILEGES_H
#define KEEPER_PRIVILEGES_H

#include <sys/types.h>

struct err;

struct identity {
	uid_t uid;
	gid_t gid;
};

/* privileges_find: who we shall be: `user` when started as root, else who we are. ERR_NOENT with a sentence. */
int privileges_find(const char *user, struct identity *out, struct err *err);

/* privileges_drop: becomes id for good, and leaves no core from here on: keys pass through. Nothing else to do when we
 * are it already. Capabilities that other programs may get stay as they are: a hook may need sudo. */
int privileges_drop(const char *user, const struct identity *id, struct err *err);

#endif

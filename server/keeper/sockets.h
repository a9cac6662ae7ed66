/* sockets: the listening sockets: bound by the keeper and kept for its whole life, so that a worker that dies loses no
 * connection that is queued. One per address and worker (SO_REUSEPORT), or those that systemd handed over, shared. */
#ifndef KEEPER_SOCKETS_H
#define KEEPER_SOCKETS_H

#include "../../config/settings.h"

#include <stddef.h>

struct buf;
struct err;

struct sockets {
	int *fds; /* [worker * address_count + address] */
	size_t address_count;
	size_t worker_count;
	int is_inherited; /* the same ones for every worker */
};

/* sockets_open: binds and listens. ERR_PERM, ERR_CONFLICT (in use), ERR_IO, with a sentence that says what to do. */
int sockets_open(struct sockets *s, const struct text_list *listen, size_t worker_count, struct err *err);
void sockets_close(struct sockets *s); /* accepts a zeroed one */

/* sockets_of: the address_count descriptors of a worker. */
const int *sockets_of(const struct sockets *s, size_t worker);

/* sockets_render: the addresses they are bound to, with commas between; appended. */
int sockets_render(const struct sockets *s, struct buf *out);

#endif

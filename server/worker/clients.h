/* clients: how many connections each client has: one IPv4 address, or one IPv6 /64, the least that a
 * network gets (RFC 6177) and within which addresses are free to choose.
 *
 * A table of a fixed size, in rows that are searched whole: nothing is allocated, nothing grows, and no
 * choice of addresses makes a look-up long. A client whose row is full of others is let in uncounted: the
 * ceiling over all connections holds for it anyway. */
#ifndef WORKER_CLIENTS_H
#define WORKER_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* 16384 clients with connections at once; 256 KiB, of which the system provides the pages that are touched.
 * With half of the places taken, one row in twenty is full. */
enum { CLIENTS_ROW_COUNT = 2048, CLIENTS_PER_ROW_COUNT = 8 };

struct client {
	uint64_t network; /* the bytes of the address that count */
	uint32_t count;   /* of connections; 0: a free place */
	bool is_ipv6;
};

struct clients {
	uint64_t seed[2]; /* nobody outside can tell which clients share a row */
	struct client rows[CLIENTS_ROW_COUNT][CLIENTS_PER_ROW_COUNT];
};

/* clients_init: a fresh seed; the rest is zeroed by the caller. */
void clients_init(struct clients *cs);

/* clients_enter: one more connection from there. false: the client has max_count (0: no limit) already,
 * nothing changes.
 * peer   an address of another family is let in uncounted
 * *out   to be given to clients_leave; NULL: not counted */
bool clients_enter(struct clients *cs, const struct sockaddr *peer, size_t max_count, struct client **out);

void clients_leave(struct client *c); /* accepts NULL */

#endif

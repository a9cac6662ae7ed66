#include "clients.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

void clients_init(struct clients *cs)
{
	if (getrandom(cs->seed, sizeof cs->seed, 0) != (ssize_t)sizeof cs->seed)
		cs->seed[1] = (uintptr_t)cs; /* guessable: rows may be filled, which makes no look-up longer */
	cs->seed[0] |= 1;
}

/* is_known: what of the address counts. An IPv4 address in IPv6 clothes (RFC 4291 2.5.5.2) is that IPv4
 * address. */
static bool is_known(const struct sockaddr *peer, struct client *out)
{
	*out = (struct client){.count = 1};
	if (peer->sa_family == AF_INET) {
		out->network = ((const struct sockaddr_in *)(const void *)peer)->sin_addr.s_addr;
		return true;
	}
	if (peer->sa_family != AF_INET6)
		return false;
	const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
	out->is_ipv6 = !IN6_IS_ADDR_V4MAPPED(a);
	memcpy(&out->network, a->s6_addr + (out->is_ipv6 ? 0 : 12), out->is_ipv6 ? 8 : 4);
	return true;
}

/* The upper half of a product with a secret odd number spreads what differs anywhere; the folding in
 * between keeps differences in the upper bits from being shifted out. */
static struct client *row_of(struct clients *cs, const struct client *c)
{
	uint64_t x = (c->network + c->is_ipv6) ^ cs->seed[1];
	x = (x ^ x >> 32) * cs->seed[0];
	x = (x ^ x >> 29) * cs->seed[0];
	return cs->rows[(x >> 40) % CLIENTS_ROW_COUNT];
}

bool clients_enter(struct clients *cs, const struct sockaddr *peer, size_t max_count, struct client **out)
{
	struct client asked, *free_place = NULL;
	*out = NULL;
	if (!is_known(peer, &asked))
		return true;
	struct client *row = row_of(cs, &asked);
	for (size_t i = 0; i < CLIENTS_PER_ROW_COUNT; i++) {
		struct client *c = &row[i];
		if (c->count == 0) {
			free_place = c;
		} else if (c->network == asked.network && c->is_ipv6 == asked.is_ipv6) {
			if (max_count && c->count >= max_count)
				return false;
			c->count++;
			*out = c;
			return true;
		}
	}
	if (free_place)
		*free_place = asked;
	*out = free_place;
	return true;
}

void clients_leave(struct client *c)
{
	if (!c)
		return;
	assert(c->count > 0);
	c->count--;
}

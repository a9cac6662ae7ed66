/* addr: "192.0.2.1:443", "[2001:db8::1]:443": socket addresses as written in the YAML and printed in logs. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "span.h"

#include <stdbool.h>
#include <sys/socket.h>

struct err;

enum { ADDR_TEXT_BYTES = 64 };

/* addr_parse: numeric address and port (0..65535). ERR_PARSE with a sentence. */
int addr_parse(struct span text, struct sockaddr_storage *out, struct err *err);

/* addr_render: the same form. */
void addr_render(const struct sockaddr *sa, char out[ADDR_TEXT_BYTES]);

/* addr_parse_ip: an IPv4 or IPv6 address without port; canonical text into out. */
int addr_parse_ip(struct span text, char out[ADDR_TEXT_BYTES], bool *out_is_v6, struct err *err);

static inline socklen_t addr_len(const struct sockaddr_storage *sa)
{
	return sa->ss_family == AF_INET6 ? 28 : 16; /* sizeof sockaddr_in6, sockaddr_in */
}

unsigned addr_port(const struct sockaddr *sa);
void addr_set_port(struct sockaddr_storage *sa, unsigned port);

#endif

#include "addr.h"

#include "err.h"
#include "log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static int parse_port(struct span s, unsigned *out)
{
	unsigned port = 0;
	if (s.len == 0 || s.len > 5)
		return ERR_PARSE;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_PARSE;
		port = port * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = port;
	return port <= 65535 ? 0 : ERR_PARSE;
}

static bool copy_text(struct span s, char *out, size_t cap)
{
	if (s.len >= cap || memchr(s.p ? s.p : "", '\0', s.len))
		return false;
	memcpy(out, s.p ? s.p : "", s.len);
	out[s.len] = '\0';
	return true;
}

static bool parse_parts(struct span host, bool is_v6, unsigned port, struct sockaddr_storage *out)
{
	char text[ADDR_TEXT_BYTES];
	*out = (struct sockaddr_storage){0};
	if (!copy_text(host, text, sizeof text))
		return false;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	out->ss_family = is_v6 ? AF_INET6 : AF_INET;
	addr_set_port(out, port);
	return inet_pton(out->ss_family, text, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) == 1;
}

int addr_parse(struct span text, struct sockaddr_storage *out, struct err *err)
{
	const char *colon = text.len ? memrchr(text.p, ':', text.len) : NULL;
	unsigned port = 0;
	if (colon && parse_port((struct span){colon + 1, text.len - (size_t)(colon + 1 - text.p)}, &port) == 0) {
		struct span host = {text.p, (size_t)(colon - text.p)};
		bool is_v6 = host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
		if (is_v6)
			host = (struct span){host.p + 1, host.len - 2};
		if (parse_parts(host, is_v6, port, out))
			return 0;
	}
	return err_set(err, ERR_PARSE, "%s is no address with port, such as \"0.0.0.0:443\" or \"[::]:443\"",
		       LOG_QUOTE(text));
}

void addr_render(const struct sockaddr *sa, char out[ADDR_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (sa->sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, host,
				sizeof host);
		(void)snprintf(out, ADDR_TEXT_BYTES, "[%s]:%u", host, addr_port(sa));
	} else {
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, host, sizeof host);
		(void)snprintf(out, ADDR_TEXT_BYTES, "%s:%u", host, addr_port(sa));
	}
}

int addr_parse_ip(struct span text, char out[ADDR_TEXT_BYTES], bool *out_is_v6, struct err *err)
{
	char copy[ADDR_TEXT_BYTES];
	unsigned char bytes[16];
	if (copy_text(text, copy, sizeof copy)) {
		for (int family = AF_INET;; family = AF_INET6) {
			if (inet_pton(family, copy, bytes) == 1 && inet_ntop(family, bytes, out, ADDR_TEXT_BYTES)) {
				*out_is_v6 = family == AF_INET6;
				return 0;
			}
			if (family == AF_INET6)
				break;
		}
	}
	return err_set(err, ERR_PARSE, "%s is no IPv4 or IPv6 address", LOG_QUOTE(text));
}

unsigned addr_port(const struct sockaddr *sa)
{
	/* sin_port and sin6_port lie at the same offset, as POSIX systems have it */
	return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
}

void addr_set_port(struct sockaddr_storage *sa, unsigned port)
{
	((struct sockaddr_in *)sa)->sin_port = htons((uint16_t)port);
}

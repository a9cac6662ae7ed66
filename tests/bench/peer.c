#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t peer_now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

unsigned long peer_number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max) {
		(void)fprintf(stderr, "%s: not a number from %lu to %lu\n", text, min, max);
		exit(2);
	}
	return n;
}

SSL_CTX *peer_tls(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx) {
		(void)fprintf(stderr, "no TLS context\n");
		exit(1);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* ten thousand of them */
	return ctx;
}

static struct sockaddr_in loopback(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl((127u << 24) + host),
	};
}

int peer_socket(uint32_t source, int type_flags)
{
	int on = 1;
	struct sockaddr_in from = loopback(source, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
	if (fd < 0)
		return -1;
	/* the port is chosen when it connects: otherwise each address has only one of each number for all peers */
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	    bind(fd, (struct sockaddr *)&from, sizeof from) == 0)
		return fd;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

int peer_connect(int fd, uint16_t port)
{
	struct sockaddr_in to = loopback(1, port);
	return connect(fd, (struct sockaddr *)&to, sizeof to);
}

void peer_host(char out[PEER_HOST_BYTES], unsigned tenant)
{
	(void)snprintf(out, PEER_HOST_BYTES, "mta-sts.t%04u.example", tenant);
}

int peer_request(char out[PEER_REQUEST_BYTES], const char *host)
{
	return snprintf(
		out, PEER_REQUEST_BYTES,
		"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nConnection: close\r\n\r\n",
		host);
}

/* bare: what a connection costs a server that does nothing: accept, one read, one write of a policy, close. No TLS.
 *
 * usage: bare PORT HOST
 * One thread, blocking. Ends with SIGTERM. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, HEAD_MAX_BYTES = 1024, ANSWER_MAX_BYTES = 512 };

static int open_listener(uint16_t port)
{
	int on = 1;
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void answer(int fd, const char *text, size_t len)
{
	char head[HEAD_MAX_BYTES];
	if (read(fd, head, sizeof head) > 0 && write(fd, text, len) != (ssize_t)len)
		(void)fprintf(stderr, "bare: a short write\n"); /* the client counts it as failed */
	(void)close(fd);
}

int main(int argc, char **argv)
{
	char text[ANSWER_MAX_BYTES], body[ANSWER_MAX_BYTES / 2];
	if (argc != 3 || strncmp(argv[2], "mta-sts.", 8) != 0 || strlen(argv[2]) >= PEER_HOST_BYTES) {
		(void)fprintf(stderr, "usage: bare PORT HOST\n");
		return 2;
	}
	int body_len = snprintf(body, sizeof body,
				"version: STSv1\r\nmode: enforce\r\nmx: mail.%s\r\nmax_age: 604800\r\n", argv[2] + 8);
	int len = snprintf(
		text, sizeof text,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		body_len, body);
	int listener = open_listener((uint16_t)peer_number(argv[1], 1, 65535));
	if (listener < 0) {
		(void)fprintf(stderr, "bare: listen: errno %d\n", errno);
		return 1;
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			answer(fd, text, (size_t)len);
		else if (errno != EINTR && errno != ECONNABORTED)
			return 1;
	}
}

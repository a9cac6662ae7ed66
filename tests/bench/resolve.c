/* resolve: a resolver on 127.0.0.1 that has an answer to everything: TXT at _mta-sts and _smtp._tls, CNAME at mta-sts.
 * One in a hundred domains has an old id.
 *
 * usage: resolve PORT DELAY_MS LOST_PER_MILLE ROOM
 * Each answer goes out DELAY_MS after its question; so many of a thousand questions are never answered, nor are those
 * that find ROOM others waiting. Prints "ready" once it takes questions, and on SIGTERM "asked=N waiting=N": all
 * questions, and how many were waiting for their answers at once. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES = 12, MESSAGE_BYTES = 512, QUEUE_COUNT = 1 << 16, OPT_BYTES = 11 };

struct delayed {
	uint64_t due_us;
	struct sockaddr_in to;
	unsigned len;
	unsigned char message[MESSAGE_BYTES];
};

static struct delayed queue[QUEUE_COUNT];
static size_t queue_head, queue_tail, asked_count, most_waiting;
static volatile sig_atomic_t is_over;

static void on_signal(int signal)
{
	(void)signal;
	is_over = 1;
}

/* The end of the name in the question; 0: none. A checksum of it into *sum. */
static size_t skip_name(const unsigned char *m, size_t len, uint32_t *sum)
{
	size_t at = HEADER_BYTES;
	while (at < len && m[at] != 0) {
		/* the first label says which of a domain's records it is: not part of the sum */
		for (size_t i = 1; i <= m[at] && at > HEADER_BYTES && at + i < len; i++)
			*sum = (*sum ^ m[at + i]) * 16777619u;
		at += 1u + m[at];
	}
	return at + 5 <= len ? at + 1 : 0;
}

static size_t put_text(unsigned char *m, size_t at, const char *text)
{
	size_t len = strlen(text);
	unsigned char head[] = {
		0xC0, HEADER_BYTES, 0, 16, 0, 1, 0, 0, 1, 44, 0, (unsigned char)(len + 1), (unsigned char)len};
	memcpy(m + at, head, sizeof head);
	memcpy(m + at + sizeof head, text, len);
	return at + sizeof head + len;
}

static size_t put_alias(unsigned char *m, size_t at)
{
	static const char target[] = "\6policy\10provider\7example"; /* and the root's empty label: the NUL */
	unsigned char head[] = {0xC0, HEADER_BYTES, 0, 5, 0, 1, 0, 0, 1, 44, 0, sizeof target};
	memcpy(m + at, head, sizeof head);
	memcpy(m + at + sizeof head, target, sizeof target);
	return at + sizeof head + sizeof target;
}

/* The question becomes its answer, in place; 0: not a question for us. */
static size_t answer(unsigned char *m, size_t len)
{
	uint32_t sum = 2166136261u;
	size_t end = len > HEADER_BYTES ? skip_name(m, len, &sum) : 0;
	if (!end || end + 4 + 64 > MESSAGE_BYTES)
		return 0;
	m[2] = 0x81, m[3] = 0x80;                 /* QR, RD, RA */
	m[6] = 0, m[7] = 1, m[10] = 0, m[11] = 0; /* one answer, no OPT */
	if (m[HEADER_BYTES + 1] != '_')
		return put_alias(m, end + 4);
	if (m[HEADER_BYTES + 2] == 's')
		return put_text(m, end + 4, "v=TLSRPTv1; rua=mailto:tls@provider.example");
	return put_text(m, end + 4, sum % 100 ? "v=STSv1; id=bench1;" : "v=STSv1; id=bench0;");
}

static void take(int fd, uint64_t delay_us, unsigned lost_per_mille, size_t room)
{
	struct delayed *d = &queue[queue_tail % QUEUE_COUNT];
	for (socklen_t size = sizeof d->to; queue_tail - queue_head < QUEUE_COUNT; size = sizeof d->to) {
		d = &queue[queue_tail % QUEUE_COUNT];
		ssize_t len = recvfrom(fd, d->message, sizeof d->message, MSG_DONTWAIT, (struct sockaddr *)&d->to,
				       &size);
		if (len < 0)
			return;
		asked_count++;
		d->len = (unsigned)answer(d->message, (size_t)len);
		d->due_us = peer_now_us() + delay_us;
		if (d->len && (unsigned)(rand() % 1000) >= lost_per_mille && queue_tail - queue_head < room)
			queue_tail++;
		if (queue_tail - queue_head > most_waiting)
			most_waiting = queue_tail - queue_head;
	}
}

/* Returns how long to wait for the next one; -1: there is none. */
static int send_due(int fd)
{
	while (queue_head != queue_tail) {
		struct delayed *d = &queue[queue_head % QUEUE_COUNT];
		uint64_t now_us = peer_now_us();
		if (d->due_us > now_us)
			return (int)((d->due_us - now_us + 999) / 1000);
		(void)sendto(fd, d->message, d->len, 0, (struct sockaddr *)&d->to, sizeof d->to);
		queue_head++;
	}
	return -1;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		(void)fputs("usage: resolve PORT DELAY_MS LOST_PER_MILLE ROOM\n", stderr);
		return 2;
	}
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	own.sin_port = htons((uint16_t)peer_number(argv[1], 1, 65535));
	uint64_t delay_us = 1000 * peer_number(argv[2], 0, 10000);
	unsigned lost_per_mille = (unsigned)peer_number(argv[3], 0, 1000);
	size_t queue_room = peer_number(argv[4], 1, QUEUE_COUNT);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 1 << 22;
	struct sigaction action = {.sa_handler = on_signal};
	(void)sigaction(SIGTERM, &action, NULL);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) {
		perror("resolve: bind");
		return 1;
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (!is_over) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		(void)poll(&p, 1, send_due(fd));
		take(fd, delay_us, lost_per_mille, queue_room);
	}
	(void)printf("asked=%zu waiting=%zu\n", asked_count, most_waiting);
	return 0;
}

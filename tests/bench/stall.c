/* stall: thousands of clients that hold connections and do not go on, in every state where one can stop.
 *
 * usage: stall PORT COUNT UNREAD SECONDS HOLD TENANT_HOST BIG_HOST [KIND]
 * COUNT connections, UNREAD of them asking BIG_HOST for its policy and never reading it; the others in equal parts:
 * nothing sent; half a ClientHello; handshake done; half a request. KIND: all of that kind instead, for which there is
 * half_handshake, too: a ClientHello, and the answer to it neither read nor answered. Whoever is closed by the server
 * comes back, but not before HOLD seconds have passed since it came last: evenly, not in waves. One line of JSON a
 * second. */
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* up to UNREAD they share a crowd; the last comes only by its name */
enum kind { NOTHING, HALF_HELLO, HANDSHAKE_ONLY, HALF_REQUEST, UNREAD, HALF_HANDSHAKE, KIND_COUNT };
static const char *const kind_names[] = {"nothing",      "half_hello", "handshake_only",
					 "half_request", "unread",     "half_handshake"};

enum phase { CLOSED, CONNECTING, SHAKING, HOLDING };

enum {
	SOURCE_FIRST = 0x010000, /* 127.1.0.0 */
	SOURCE_COUNT = 2000,
	EVENTS_PER_TURN_MAX = 256,
	TURN_MS = 50,
	PACE_PERCENT = 120, /* of what keeps all there: faster would come in waves, one a deadline */
	HELLO_MAX_BYTES = 4096,
	UNREAD_WINDOW_BYTES = 4096,
	UNREAD_SEGMENT_BYTES = 536, /* loopback's are 64 KiB, and the server's system would take megabytes for us */
};

struct slot {
	enum kind kind;
	enum phase phase;
	int fd;
	uint32_t source;
	SSL *ssl;
	uint64_t opened_us;
};

struct crowd {
	int epoll;
	uint16_t port;
	SSL_CTX *tls;
	const char *hosts[KIND_COUNT];
	uint64_t hold_us;
	char hello[HELLO_MAX_BYTES];
	size_t hello_len;
	struct slot *slots;
	size_t count;
	size_t scan; /* where to look next for a closed one */
	size_t holding[KIND_COUNT], opened[KIND_COUNT], refused_count;
};

static void drop(struct crowd *c, struct slot *s)
{
	if (s->phase == HOLDING)
		c->holding[s->kind]--;
	else
		c->refused_count++; /* turned away, or no handshake */
	SSL_free(s->ssl);
	(void)close(s->fd);
	*s = (struct slot){.kind = s->kind, .source = s->source, .fd = -1, .opened_us = s->opened_us};
}

static bool watch(struct crowd *c, struct slot *s, uint32_t events, int op)
{
	struct epoll_event e = {.events = events, .data.ptr = s};
	return epoll_ctl(c->epoll, op, s->fd, &e) == 0;
}

/* hold: from now on any event is the server's end of it; nothing is read where that is the point. */
static bool hold(struct crowd *c, struct slot *s)
{
	uint32_t events = EPOLLIN | EPOLLRDHUP;
	if (s->kind == UNREAD)
		events = 0;
	else if (s->kind == HALF_HANDSHAKE)
		events = EPOLLRDHUP;
	s->phase = HOLDING;
	c->holding[s->kind]++;
	return watch(c, s, events, EPOLL_CTL_MOD);
}

/* send_hello: the whole of it, or half. */
static bool send_hello(struct crowd *c, struct slot *s)
{
	size_t len = s->kind == HALF_HELLO ? c->hello_len / 2 : c->hello_len;
	return write(s->fd, c->hello, len) == (ssize_t)len && hold(c, s);
}

static bool speak(struct crowd *c, struct slot *s)
{
	char request[PEER_REQUEST_BYTES];
	int len = peer_request(request, c->hosts[s->kind]);
	if (s->kind == HALF_REQUEST)
		len /= 2;
	if (s->kind != HANDSHAKE_ONLY && SSL_write(s->ssl, request, len) != len)
		return false;
	return hold(c, s);
}

static bool shake(struct crowd *c, struct slot *s)
{
	int rc = SSL_connect(s->ssl);
	if (rc == 1)
		return speak(c, s);
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ: return watch(c, s, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_MOD);
	case SSL_ERROR_WANT_WRITE: return watch(c, s, EPOLLOUT | EPOLLRDHUP, EPOLL_CTL_MOD);
	default: return false;
	}
}

static SSL *new_tls(struct crowd *c, enum kind kind)
{
	SSL *ssl = SSL_new(c->tls);
	if (!ssl || SSL_set_tlsext_host_name(ssl, c->hosts[kind]) != 1) {
		(void)fprintf(stderr, "no memory for a TLS client\n");
		exit(1);
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

static bool begin(struct crowd *c, struct slot *s)
{
	int error;
	socklen_t len = sizeof error;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)
		return false;
	if (s->kind == NOTHING)
		return hold(c, s);
	if (s->kind == HALF_HELLO || s->kind == HALF_HANDSHAKE)
		return send_hello(c, s);
	s->ssl = new_tls(c, s->kind);
	s->phase = SHAKING;
	return SSL_set_fd(s->ssl, s->fd) == 1 && shake(c, s);
}

static void on_event(struct crowd *c, struct slot *s)
{
	bool is_well = false;
	if (s->phase == CONNECTING)
		is_well = begin(c, s);
	else if (s->phase == SHAKING)
		is_well = shake(c, s);
	if (!is_well)
		drop(c, s);
}

static void open_slot(struct crowd *c, struct slot *s)
{
	int window = UNREAD_WINDOW_BYTES, segment = UNREAD_SEGMENT_BYTES;
	s->fd = peer_socket(s->source, SOCK_NONBLOCK);
	if (s->fd < 0) {
		(void)fprintf(stderr, "socket: errno %d\n", errno);
		exit(1);
	}
	s->phase = CONNECTING;
	s->opened_us = peer_now_us();
	c->opened[s->kind]++;
	if (s->kind == UNREAD) {
		(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
	}
	if (!watch(c, s, EPOLLOUT, EPOLL_CTL_ADD) || (peer_connect(s->fd, c->port) != 0 && errno != EINPROGRESS))
		drop(c, s);
}

static bool is_due(const struct crowd *c, const struct slot *s, uint64_t now_us)
{
	return s->phase == CLOSED && (!s->opened_us || now_us - s->opened_us >= c->hold_us);
}

/* tend: gives up unread connections that have held long enough, for a client that reads nothing hears nothing; and
 * opens some of those that are due, in turn. */
static void tend(struct crowd *c, uint64_t now, uint64_t last)
{
	size_t first = c->scan, opened = 0;
	size_t max = c->count * (now - last) * PACE_PERCENT / 100 / c->hold_us + 1;
	for (size_t i = 0; i < c->count && opened < max; i++) {
		struct slot *s = &c->slots[c->scan = (first + i) % c->count];
		if (s->phase == HOLDING && s->kind == UNREAD && now - s->opened_us > c->hold_us)
			drop(c, s);
		if (!is_due(c, s, now))
			continue;
		open_slot(c, s);
		opened++;
	}
}

static void turn(struct crowd *c)
{
	struct epoll_event events[EVENTS_PER_TURN_MAX];
	int n = epoll_wait(c->epoll, events, EVENTS_PER_TURN_MAX, TURN_MS);
	for (int i = 0; i < n; i++)
		on_event(c, events[i].data.ptr);
}

static void report(const struct crowd *c)
{
	(void)printf("{\"refused\": %zu", c->refused_count);
	for (int k = 0; k < KIND_COUNT; k++)
		(void)printf(", \"%s\": [%zu, %zu]", kind_names[k], c->holding[k], c->opened[k]);
	(void)puts("}");
	(void)fflush(stdout);
}

static void run(struct crowd *c, uint64_t seconds)
{
	uint64_t start = peer_now_us(), tended = start, reported = start;
	for (uint64_t now = start; now - start < seconds * 1000000; now = peer_now_us()) {
		if (now - tended >= (uint64_t)TURN_MS * 1000) {
			tend(c, now, tended);
			tended = now;
		}
		turn(c);
		if (now - reported >= 1000000) {
			report(c);
			reported = now;
		}
	}
}

/* learn_hello: what OpenSSL would begin with. */
static void learn_hello(struct crowd *c)
{
	SSL *ssl = new_tls(c, HALF_HELLO);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	if (!in || !out)
		exit(1);
	SSL_set_bio(ssl, in, out);
	(void)SSL_do_handshake(ssl);
	int len = BIO_read(out, c->hello, sizeof c->hello);
	c->hello_len = len > 0 ? (size_t)len : 0;
	SSL_free(ssl);
}

static void allow_descriptors(size_t count)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max >= count + 64) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) == 0)
			return;
	}
	(void)fprintf(stderr, "%zu descriptors are needed: raise the hard limit (ulimit -Hn)\n", count + 64);
	exit(1);
}

/* kind_of: by its name, or the program ends with status 2. */
static enum kind kind_of(const char *name)
{
	for (int k = 0; k < KIND_COUNT; k++) {
		if (strcmp(kind_names[k], name) == 0)
			return (enum kind)k;
	}
	(void)fprintf(stderr, "%s: no such kind\n", name);
	exit(2);
}

/* share_out: only: the kind of all; KIND_COUNT: mixed. */
static void share_out(struct crowd *c, size_t unread, enum kind only)
{
	for (size_t i = 0; i < c->count; i++) {
		enum kind kind = i < unread ? UNREAD : (enum kind)(i % UNREAD);
		if (only != KIND_COUNT)
			kind = only;
		c->slots[i] = (struct slot){
			.kind = kind, .fd = -1, .source = SOURCE_FIRST + (uint32_t)(i % SOURCE_COUNT)};
	}
}

int main(int argc, char **argv)
{
	if (argc != 8 && argc != 9) {
		(void)fprintf(stderr, "usage: stall PORT COUNT UNREAD SECONDS HOLD TENANT_HOST BIG_HOST [KIND]\n");
		return 2;
	}
	struct crowd c = {
		.port = (uint16_t)peer_number(argv[1], 1, 65535),
		.count = peer_number(argv[2], 1, 100000),
		.hold_us = peer_number(argv[5], 1, 3600) * 1000000,
		.tls = peer_tls(),
		.epoll = epoll_create1(EPOLL_CLOEXEC),
	};
	for (int k = 0; k < KIND_COUNT; k++)
		c.hosts[k] = argv[k == UNREAD ? 7 : 6];
	allow_descriptors(c.count);
	c.slots = calloc(c.count, sizeof *c.slots);
	if (!c.slots || c.epoll < 0)
		return 1;
	share_out(&c, peer_number(argv[3], 0, c.count), argc == 9 ? kind_of(argv[8]) : KIND_COUNT);
	learn_hello(&c);
	run(&c, peer_number(argv[4], 1, 3600));
	return 0; /* the system closes what is open */
}

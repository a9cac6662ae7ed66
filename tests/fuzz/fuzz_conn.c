/* Whole connections: any script of what up to four peers do to a worker (segments, stalls, half-closed and reset
 * connections, writes that do not fit), against conn.c and all that is above it. The wire and the clock are ours; the
 * clients are the TLS library's, and what they send can be altered on its way.
 *
 * A script is text, an order a letter with its parameters, a parameter one byte; SLOT is which of the peers.
 *   o SLOT NAME FLAVOUR  opens a connection: see names, flavours; one address per name
 *   h SLOT               the client takes what it got and goes on with its handshake; what it sends waits in a queue
 *   d SLOT N             so much of the queue arrives: see amounts; * all
 *   H SLOT               h and d* until neither moves anything
 *   s SLOT "TEXT"        the client sends text (after the handshake); g SLOT: the request that is answered with 200
 *   n SLOT KIND          the client sends close_notify, a warning, a fatal alert, an empty record
 *   b SLOT "BYTES"       these bytes join the queue as they are
 *   x SLOT HI LO MASK    a byte of the queue is altered; k SLOT N: it loses its last bytes; r SLOT: it is doubled
 *   e SLOT KIND          the peer's end: 0 closed, else an error
 *   t N                  time passes: see pauses
 *   p SLOT KIND          what becomes of the next write: 0 done, 1 pending, 2 failed, 3 no memory
 *   w SLOT KIND          the pending write ends: 0 well, else not
 *   f SLOT               our half-close will fail
 *   q, Q                 the worker stops: gently, at once
 * All else is passed over. */
#include "../../base/metric.h"
#include "../../server/worker/conn.h"
#include "../../server/worker/wire.h"
#include "world.h"

#include <mbedtls/ssl.h>
#include <netinet/in.h>

enum {
	SLOT_COUNT = 4,
	ORDERS_MAX_COUNT = 300,
	HANDSHAKES_MAX_COUNT = 12, /* a millisecond or more each */
	QUEUE_MAX_BYTES = 1 << 20,
	FIRST_FD = 1 << 20, /* no descriptor of this process */
};

static const struct limits limits = {
	.connections = 3,
	.connections_per_client = 2,
	.handshakes = 2,
	.accepts_per_turn = 1,
	.handshake_timeout_ms = 10000,
	.request_timeout_ms = 7000,
	.write_timeout_ms = 5000,
	.linger_timeout_ms = 2000,
	.hello_max_bytes = 16384,
	.head_max_bytes = 16384,
	.linger_max_bytes = 4000,
	.drain_timeout_ms = 5000,
	.drain_idle_ms = 1000,
};
enum { LIFE_MAX_MS = 10000 + 7000 + 5000 + 2000 };

static const struct {
	const char *name;
	int domain; /* whose policy it may get; -1: none */
} names[] = {
	{"mta-sts.a.example", WORLD_A},
	{"mta-sts.b.example", WORLD_B},
	{"MTA-STS.A.Example", WORLD_A},
	{"mta-sts.bare.example", -1},
	{"mta-sts.nobody.example", -1},
	{"a.example", -1},
	{NULL, -1},
};
static const size_t amounts[] = {1, 2, 5, 16, 64, 200, 500, 1000, 5000, 16384};
static const uint64_t pauses_ms[] = {0, 1, 10, 100, 500, 1000, 2000, 5000, 7000, 10000};

struct peer {
	struct wire *wire;               /* NULL: not connected, or gone */
	uint64_t opened_ms, deadline_ms; /* 0: no deadline */
	bool is_closing, is_half_closed, will_fail_half_close, has_heard;
	enum wire_result next_write;
	struct buf rest; /* a pending write */
	bool is_client;
	int domain;
	mbedtls_ssl_context ssl;
	bool is_shaken;
	struct buf queue; /* from the client, not there yet */
	struct buf got;   /* from the server */
	size_t got_at;
	char text[8192];
	size_t text_len;
};

static struct {
	struct conn_env *env;
	struct peer peers[SLOT_COUNT];
	uint64_t now_ms;
	size_t handshake_count;
	uint64_t closed_before, opened_before;
} stage;

/* --- the wire --- */

static struct peer *peer_of(const struct wire *w)
{
	for (size_t i = 0; i < SLOT_COUNT; i++)
		if (stage.peers[i].wire == w)
			return &stage.peers[i];
	abort();
}

bool wire_open(struct wire *w, struct uv_loop_s *loop, int take_fd, const struct wire_events *events,
	       uv_buf_t read_into)
{
	(void)loop;
	insist(take_fd >= FIRST_FD && take_fd < FIRST_FD + SLOT_COUNT);
	struct peer *p = &stage.peers[take_fd - FIRST_FD];
	*w = (struct wire){.events = events, .read_into = read_into};
	p->wire = w;
	return p->next_write != WIRE_FAILED;
}

void wire_start_deadline(struct wire *w, uint64_t timeout_ms)
{
	struct peer *p = peer_of(w);
	insist(!p->is_closing && timeout_ms > 0);
	p->deadline_ms = stage.now_ms + timeout_ms;
}

enum wire_result wire_write(struct wire *w, struct span bytes, bool is_last)
{
	(void)is_last;
	struct peer *p = peer_of(w);
	enum wire_result rc = p->next_write;
	insist(!p->is_closing && !p->is_half_closed && p->rest.len == 0 && bytes.len > 0);
	/* an alert or a ServerHello: never anything but TLS */
	insist(p->has_heard || bytes.p[0] == 21 || bytes.p[0] == 22);
	p->has_heard = true;
	p->next_write = WIRE_DONE;
	if (rc == WIRE_DONE || rc == WIRE_PENDING)
		insist(buf_add_span(rc == WIRE_DONE ? &p->got : &p->rest, bytes) == 0);
	return rc;
}

bool wire_is_pending(const struct wire *w)
{
	return peer_of(w)->rest.len > 0;
}

/* What arrives is heard at once here. */
bool wire_has_bytes(const struct wire *w)
{
	insist(!peer_of(w)->is_closing);
	return false;
}

bool wire_half_close(struct wire *w)
{
	struct peer *p = peer_of(w);
	insist(!p->is_closing && !p->is_half_closed && p->rest.len == 0);
	p->is_half_closed = true;
	return !p->will_fail_half_close;
}

void wire_look(struct wire *w)
{
	insist(peer_of(w)->is_half_closed && !peer_of(w)->is_closing);
}

void wire_close(struct wire *w)
{
	struct peer *p = peer_of(w);
	insist(!p->is_closing);
	insist(stage.now_ms - p->opened_ms <= LIFE_MAX_MS); /* whatever the peer does: limits.h */
	p->is_closing = true;
	p->deadline_ms = 0;
	buf_reset(&p->rest);
}

/* settle: what the loop does at the end of a turn. */
static void settle(void)
{
	insist(stage.env->out.len == 0); /* lent: or the next connection would send it */
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		struct peer *p = &stage.peers[i];
		if (!p->wire || !p->is_closing)
			continue;
		p->wire->events->on_gone(p->wire);
		p->wire = NULL;
	}
}

static bool is_open(const struct peer *p)
{
	return p->wire && !p->is_closing;
}

static void arrive(struct peer *p, struct span bytes)
{
	for (size_t n; bytes.len && is_open(p) && p->rest.len == 0; bytes = (struct span){bytes.p + n, bytes.len - n}) {
		n = bytes.len < SESSION_IN_MAX_BYTES ? bytes.len : SESSION_IN_MAX_BYTES;
		char *copy = malloc(n); /* of just that size: whoever keeps a pointer to it is found out */
		insist(copy);
		memcpy(copy, bytes.p, n);
		p->wire->events->on_bytes(p->wire, (struct span){copy, n});
		free(copy);
		settle();
	}
}

static struct peer *next_due(uint64_t until_ms)
{
	struct peer *due = NULL;
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		struct peer *p = &stage.peers[i];
		if (p->deadline_ms && p->deadline_ms <= until_ms && (!due || p->deadline_ms < due->deadline_ms))
			due = p;
	}
	return due;
}

static void pass(uint64_t ms)
{
	uint64_t until_ms = stage.now_ms + ms;
	for (struct peer *p; (p = next_due(until_ms));) {
		stage.now_ms = p->deadline_ms;
		p->deadline_ms = 0;
		clock_set_fake(stage.now_ms, WORLD_NOW_UNIX_S + (int64_t)stage.now_ms / 1000);
		p->wire->events->on_deadline(p->wire);
		settle();
	}
	stage.now_ms = until_ms;
	clock_set_fake(stage.now_ms, WORLD_NOW_UNIX_S + (int64_t)stage.now_ms / 1000);
}

/* --- the clients --- */

static const uint16_t retry_groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};
static const uint16_t no_groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const char *h2_only[] = {"h2", NULL}, *http11[] = {"http/1.1", "h2", NULL};

static const struct {
	mbedtls_ssl_protocol_version version;
	const uint16_t *groups; /* NULL: the library's */
	const char **alpn;
} flavours[] = {
	{MBEDTLS_SSL_VERSION_TLS1_3, NULL, NULL},           {MBEDTLS_SSL_VERSION_TLS1_2, NULL, NULL},
	{MBEDTLS_SSL_VERSION_TLS1_3, retry_groups, http11}, /* HelloRetryRequest */
	{MBEDTLS_SSL_VERSION_TLS1_3, no_groups, NULL},      {MBEDTLS_SSL_VERSION_TLS1_2, NULL, h2_only},
	{MBEDTLS_SSL_VERSION_TLS1_2, NULL, http11},
};
enum { FLAVOUR_COUNT = sizeof flavours / sizeof *flavours };

static mbedtls_ssl_config configs[FLAVOUR_COUNT];

static void configs_deinit(void)
{
	for (size_t i = 0; i < FLAVOUR_COUNT; i++)
		mbedtls_ssl_config_free(&configs[i]);
}

static void configs_init(void)
{
	for (size_t i = 0; i < FLAVOUR_COUNT; i++) {
		mbedtls_ssl_config *c = &configs[i];
		mbedtls_ssl_config_init(c);
		insist(mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
						   MBEDTLS_SSL_PRESET_DEFAULT) == 0);
		mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_NONE);
		mbedtls_ssl_conf_rng(c, mbed_random, NULL);
		mbedtls_ssl_conf_min_tls_version(c, flavours[i].version);
		mbedtls_ssl_conf_max_tls_version(c, flavours[i].version);
		if (flavours[i].groups)
			mbedtls_ssl_conf_groups(c, flavours[i].groups);
		insist(!flavours[i].alpn || mbedtls_ssl_conf_alpn_protocols(c, flavours[i].alpn) == 0);
	}
	(void)atexit(configs_deinit);
}

static int on_send(void *ctx, const unsigned char *p, size_t len)
{
	struct peer *peer = ctx;
	return buf_add(&peer->queue, p, len) == 0 ? (int)len : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

static int on_recv(void *ctx, unsigned char *into, size_t cap)
{
	struct peer *p = ctx;
	size_t n = p->got.len - p->got_at < cap ? p->got.len - p->got_at : cap;
	if (n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	memcpy(into, p->got.p + p->got_at, n);
	p->got_at += n;
	return (int)n;
}

/* check_text: what a client was told is an answer to it, and no other tenant's. */
static void check_text(const struct peer *p)
{
	static const char end[] = "\r\n\r\n";
	insist(memcmp(p->text, "HTTP/1.1 ", p->text_len < 9 ? p->text_len : 9) == 0);
	const char *content = memmem(p->text, p->text_len, end, 4);
	insist(!memmem(p->text, p->text_len, "CANARY", 6)); /* nothing that was sent comes back */
	if (!content)
		return;
	struct span body = {content + 4, p->text_len - (size_t)(content + 4 - p->text)};
	if (memcmp(p->text + 9, "200", 3) != 0) {
		insist(body.len < 64 && !memmem(body.p, body.len, "STSv1", 5));
		return;
	}
	const char *expected = world_domains[p->domain].body;
	insist(body.len <= strlen(expected) && memcmp(body.p, expected, body.len) == 0);
}

static void hear(struct peer *p)
{
	int n;
	unsigned char *into = (unsigned char *)p->text;
	while (p->is_shaken && sizeof p->text > p->text_len &&
	       (n = mbedtls_ssl_read(&p->ssl, into + p->text_len, sizeof p->text - p->text_len)) > 0)
		p->text_len += (size_t)n;
	if (p->text_len)
		check_text(p);
}

static void check_certificate(const struct peer *p)
{
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&p->ssl);
	insist(p->domain >= 0 && crt);
	insist(span_is((struct span){(const char *)crt->raw.p, crt->raw.len}, buf_span(&world.leaf[p->domain])));
}

static void shake(struct peer *p)
{
	if (!p->is_client || p->is_shaken)
		return;
	if (mbedtls_ssl_handshake(&p->ssl) != 0)
		return;
	p->is_shaken = true;
	check_certificate(p);
}

static void client_init(struct peer *p, size_t name, size_t flavour)
{
	p->is_client = true;
	p->domain = names[name].domain;
	mbedtls_ssl_init(&p->ssl);
	insist(mbedtls_ssl_setup(&p->ssl, &configs[flavour]) == 0);
	insist(mbedtls_ssl_set_hostname(&p->ssl, names[name].name) == 0);
	mbedtls_ssl_set_bio(&p->ssl, p, on_send, on_recv, NULL);
}

static void peer_deinit(struct peer *p)
{
	hear(p);
	if (p->is_client)
		mbedtls_ssl_free(&p->ssl);
	buf_deinit(&p->queue);
	buf_deinit(&p->got);
	buf_deinit(&p->rest);
	*p = (struct peer){0};
}

/* --- the script --- */

static size_t take(struct span *script, size_t count)
{
	if (script->len == 0)
		return 0;
	unsigned char c = (unsigned char)*script->p;
	*script = (struct span){script->p + 1, script->len - 1};
	return (unsigned char)(c - '0') % count;
}

static size_t take_byte(struct span *script)
{
	return take(script, 256);
}

/* take_text: between quotes. */
static struct span take_text(struct span *script)
{
	if (script->len && *script->p == '"')
		*script = (struct span){script->p + 1, script->len - 1};
	const char *end = script->len ? memchr(script->p, '"', script->len) : NULL;
	struct span text = {script->p, end ? (size_t)(end - script->p) : script->len};
	size_t taken = text.len + (end ? 1 : 0);
	*script = (struct span){script->p + taken, script->len - taken};
	return text;
}

static void order_open(struct peer *p, struct span *script)
{
	size_t name = take(script, sizeof names / sizeof *names), flavour = take(script, FLAVOUR_COUNT);
	if (p->wire)
		return;
	enum wire_result first_write = p->next_write;
	peer_deinit(p);
	p->next_write = first_write;
	p->opened_ms = stage.now_ms;
	buf_init(&p->queue, QUEUE_MAX_BYTES);
	buf_init(&p->got, QUEUE_MAX_BYTES);
	buf_init(&p->rest, QUEUE_MAX_BYTES);
	if (stage.handshake_count++ < HANDSHAKES_MAX_COUNT)
		client_init(p, name, flavour);
	/* whoever asks for the same name comes from the same address */
	const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = (in_addr_t)name};
	conn_accept(stage.env, FIRST_FD + (int)(p - stage.peers), (const struct sockaddr *)&from);
	settle();
}

static void deliver(struct peer *p, size_t max)
{
	size_t n = p->queue.len < max ? p->queue.len : max;
	if (n == 0 || p->rest.len) /* nothing is read while a write is pending */
		return;
	arrive(p, (struct span){p->queue.p, n});
	memmove(p->queue.p, p->queue.p + n, p->queue.len - n);
	p->queue.len -= n;
}

static void order_deliver(struct peer *p, struct span *script)
{
	bool is_all = script->len && *script->p == '*';
	size_t n = take(script, sizeof amounts / sizeof *amounts);
	deliver(p, is_all ? SIZE_MAX : amounts[n]);
}

static void order_shake_hands(struct peer *p)
{
	size_t heard;
	do {
		heard = p->got.len;
		shake(p);
		deliver(p, SIZE_MAX);
	} while (p->got.len > heard);
}

static void say(struct peer *p, struct span text)
{
	while (p->is_shaken && text.len) {
		int n = mbedtls_ssl_write(&p->ssl, (const unsigned char *)text.p, text.len);
		if (n <= 0)
			return;
		text = (struct span){text.p + n, text.len - (size_t)n};
	}
}

static void order_get(struct peer *p)
{
	char text[128];
	if (p->domain < 0)
		return;
	(void)snprintf(text, sizeof text, "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\nX: CANARY\r\n\r\n",
		       world_domains[p->domain].host);
	say(p, span_of(text));
}

static void order_alert(struct peer *p, size_t kind)
{
	if (!p->is_client)
		return;
	switch (kind) {
	case 0: (void)mbedtls_ssl_close_notify(&p->ssl); break;
	case 1:
		(void)mbedtls_ssl_send_alert_message(&p->ssl, MBEDTLS_SSL_ALERT_LEVEL_WARNING,
						     MBEDTLS_SSL_ALERT_MSG_USER_CANCELED);
		break;
	case 2:
		(void)mbedtls_ssl_send_alert_message(&p->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
						     MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR);
		break;
	default:
		if (p->is_shaken)
			(void)mbedtls_ssl_write(&p->ssl, NULL, 0);
		break;
	}
}

static void order_alter(struct peer *p, struct span *script)
{
	size_t at = take_byte(script) << 8 | take_byte(script), mask = take_byte(script);
	if (p->queue.len)
		p->queue.p[at % p->queue.len] ^= (char)mask;
}

static void order_cut(struct peer *p, size_t n)
{
	p->queue.len -= amounts[n] < p->queue.len ? amounts[n] : p->queue.len;
}

static void order_double(struct peer *p)
{
	struct span all = buf_span(&p->queue);
	if (all.len && all.len <= QUEUE_MAX_BYTES / 16 && buf_reserve(&p->queue, all.len) == 0)
		(void)buf_add(&p->queue, p->queue.p, all.len);
}

static void order_end(struct peer *p, bool is_error)
{
	if (!is_open(p) || p->rest.len)
		return;
	p->wire->events->on_end(p->wire, is_error);
	settle();
}

static void order_written(struct peer *p, bool is_ok)
{
	if (!is_open(p) || p->rest.len == 0)
		return;
	if (is_ok)
		insist(buf_add_span(&p->got, buf_span(&p->rest)) == 0);
	buf_reset(&p->rest);
	p->wire->events->on_written(p->wire, is_ok);
	settle();
}

static void order_stop(bool is_at_once)
{
	if (is_at_once)
		conn_close_all(stage.env);
	else
		conn_stop_all(stage.env);
	settle();
}

static void obey(char order, struct peer *p, struct span *script)
{
	switch (order) {
	case 'o': order_open(p, script); break;
	case 'h':
		shake(p);
		hear(p);
		break;
	case 'd': order_deliver(p, script); break;
	case 'H': order_shake_hands(p); break;
	case 's': say(p, take_text(script)); break;
	case 'g': order_get(p); break;
	case 'n': order_alert(p, take(script, 4)); break;
	case 'b': (void)buf_add_span(&p->queue, take_text(script)); break;
	case 'x': order_alter(p, script); break;
	case 'k': order_cut(p, take(script, sizeof amounts / sizeof *amounts)); break;
	case 'r': order_double(p); break;
	case 'e': order_end(p, take(script, 2)); break;
	case 'p': p->next_write = (enum wire_result)take(script, 4); break;
	case 'w': order_written(p, take(script, 2) == 0); break;
	case 'f': p->will_fail_half_close = true; break;
	default: break;
	}
}

static void play(struct span script)
{
	for (size_t n = 0; script.len && n < ORDERS_MAX_COUNT; n++) {
		char order = *script.p;
		script = (struct span){script.p + 1, script.len - 1};
		if (order == 't')
			pass(pauses_ms[take(&script, sizeof pauses_ms / sizeof *pauses_ms)]);
		else if (order == 'q' || order == 'Q')
			order_stop(order == 'Q');
		else if (strchr("ohdHsgnbxkrepwf", order))
			obey(order, &stage.peers[take(&script, SLOT_COUNT)], &script);
	}
}

/* --- all together --- */

static uint64_t closed_count(void)
{
	uint64_t sum = 0;
	for (size_t m = M_CLOSE_DONE; m <= M_CLOSE_STOPPING; m++)
		sum += metric_mine()->value[m];
	return sum;
}

static void check_nobody_is_left(void)
{
	pass(LIFE_MAX_MS);
	for (size_t i = 0; i < SLOT_COUNT; i++)
		insist(!stage.peers[i].wire);
	insist(crowd_count(&stage.env->crowd) == 0);
	insist(metric_mine()->value[M_CONNECTIONS_OPEN] == 0);
	/* each one was closed for one reason */
	insist(closed_count() - stage.closed_before == metric_mine()->value[M_CONNECTIONS] - stage.opened_before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_started;
	if (!is_started) {
		world_init();
		configs_init();
	}
	is_started = true;
	world_begin();
	memset(&stage, 0, sizeof stage);
	stage.closed_before = closed_count();
	stage.opened_before = metric_mine()->value[M_CONNECTIONS];
	stage.env = calloc(1, sizeof *stage.env);
	insist(stage.env);
	conn_env_init(stage.env, NULL, &world.view, world.tls, &limits);
	play((struct span){(const char *)data, size});
	check_nobody_is_left();
	for (size_t i = 0; i < SLOT_COUNT; i++)
		peer_deinit(&stage.peers[i]);
	conn_env_deinit(stage.env);
	free(stage.env);
	return 0;
}

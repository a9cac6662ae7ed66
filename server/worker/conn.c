#include "conn.h"

#include "../../base/clock.h"
#include "../../base/metric.h"
#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	CONN_MAGIC = 0x434f4e4e, /* "CONN" */
	/* the flight with a chain as long as pem.h allows, or the largest policy in records */
	OUT_MAX_BYTES = 262144,
	/* A ClientHello follows the last packet of TCP's handshake at once, unless that packet or the
	 * client is slow. */
	FRESH_MS = 500,
	/* A look at a lingering one takes 0.3 us; where there are many, out of turn, no more than a twentieth of
	 * the time goes into looking. */
	LOOKS_PER_MS = 128,
};

enum conn_state {
	CONN_TALKING,  /* the session wants bytes */
	CONN_RESPONSE, /* until the last that it produced is written */
	CONN_LINGER,   /* until the client closes too; what it still sends is dropped */
	CONN_CLOSING,  /* until the loop gives the memory back */
};

struct conn {
	uint32_t magic;
	enum conn_state state;
	uint64_t accepted_ms;
	size_t lingered_bytes;
	struct conn_env *env;
	struct client *client;
	struct crowd_member member;
	struct session session;
	struct wire wire;
};

static struct conn *check(struct conn *c)
{
	assert(c->magic == CONN_MAGIC);
	return c;
}

static struct conn *conn_of_wire(struct wire *w)
{
	return check((struct conn *)(void *)((char *)w - offsetof(struct conn, wire)));
}

static struct conn *conn_of_member(struct crowd_member *m)
{
	return check((struct conn *)(void *)((char *)m - offsetof(struct conn, member)));
}

static void conn_close(struct conn *c, enum close_reason reason)
{
	if (c->state == CONN_LINGER) /* it has its answer: whatever ends it now, that is why it was closed */
		reason = c->session.reason;
	c->state = CONN_CLOSING;
	metric_add((enum metric)reason, 1);
	metric_add(M_CONNECTIONS_OPEN, -1);
	crowd_move(&c->env->crowd, &c->member, CROWD_NONE);
	clients_leave(c->client);
	session_deinit(&c->session);
	wire_close(&c->wire);
}

/* settle: who was fresh and has not used its time is idle. */
static void settle(struct conn_env *env)
{
	uint64_t now_ms = clock_mono_ms();
	struct crowd_member *m;
	while ((m = env->crowd.oldest[CROWD_FRESH]) && now_ms - conn_of_member(m)->accepted_ms >= FRESH_MS)
		crowd_move(&env->crowd, m, CROWD_IDLE);
}

/* next_surplus: who seems silent may have spoken while we were busy. */
static struct crowd_member *next_surplus(struct conn_env *env)
{
	settle(env);
	struct crowd_member *m = crowd_surplus(&env->crowd);
	while (m && crowd_is_silent(m) && wire_has_bytes(&conn_of_member(m)->wire)) {
		crowd_move(&env->crowd, m, CROWD_TALKING);
		m = crowd_surplus(&env->crowd);
	}
	return m;
}

/* look_at_lingering: at so many, the oldest first. Those whose clients have closed go now, not when the wire would
 * tell. Of the others all is read: else their close would be a reset, which destroys the answer (RFC 9112 9.6). */
static void look_at_lingering(struct conn_env *env, size_t max_count)
{
	struct crowd_member *next;
	for (struct crowd_member *m = env->crowd.oldest[CROWD_LINGERING]; m && max_count; m = next, max_count--) {
		next = m->newer;
		wire_look(&conn_of_member(m)->wire);
	}
}

/* look_out_of_turn: at all of them, or at the oldest alone where the last look was too short a time ago. */
static void look_out_of_turn(struct conn_env *env)
{
	uint64_t now_ms = clock_mono_ms();
	bool is_due = now_ms - env->looked_ms >= env->crowd.count[CROWD_LINGERING] / LOOKS_PER_MS;
	if (is_due)
		env->looked_ms = now_ms;
	look_at_lingering(env, is_due ? SIZE_MAX : 1);
}

/* enter: false: the client has as many connections as it may have. */
static bool enter(struct conn_env *env, const struct sockaddr *peer, struct client **out)
{
	size_t max_count = env->limits.connections_per_client;
	if (clients_enter(&env->clients, peer, max_count, out))
		return true;
	look_out_of_turn(env);
	return clients_enter(&env->clients, peer, max_count, out);
}

/* make_room: for one more. false: there is none to be had. The lingering one that may have to go has been looked at. */
static bool make_room(struct conn_env *env)
{
	if (crowd_is_full(&env->crowd))
		look_out_of_turn(env);
	if (!crowd_is_full(&env->crowd))
		return true;
	struct crowd_member *surplus = next_surplus(env);
	if (surplus)
		conn_close(conn_of_member(surplus), CLOSE_CROWDED);
	return surplus;
}

/* join_engines: another one goes where there are too many engines, never the one that joins. */
static void join_engines(struct conn *c)
{
	struct crowd *crowd = &c->env->crowd;
	if (c->member.queue == CROWD_ENGINE)
		return;
	if (crowd_is_full_of_engines(crowd))
		conn_close(conn_of_member(crowd_surplus_engine(crowd)), CLOSE_HANDSHAKE_LIMIT);
	crowd_move(crowd, &c->member, CROWD_ENGINE);
}

/* flush: sends what was produced. Afterwards the shared buffer is empty, whatever happened. */
static enum wire_result flush(struct conn *c, bool is_last)
{
	struct buf *out = &c->env->out;
	enum wire_result rc = out->len ? wire_write(&c->wire, buf_span(out), is_last) : WIRE_DONE;
	buf_reset(out);
	if (rc == WIRE_FAILED || rc == WIRE_NOMEM)
		conn_close(c, rc == WIRE_NOMEM ? CLOSE_NOMEM : CLOSE_IO);
	return rc;
}

/* linger: all is written. Our side closes. */
static void linger(struct conn *c)
{
	crowd_move(&c->env->crowd, &c->member, CROWD_LINGERING);
	c->state = CONN_LINGER;
	if (wire_half_close(&c->wire))
		wire_start_deadline(&c->wire, c->env->limits.linger_timeout_ms);
	else /* the client was faster */
		conn_close(c, c->session.reason);
}

/* answer: with the last that the session produced; what the engine holds is free from here on. */
static void answer(struct conn *c)
{
	enum wire_result rc = flush(c, true);
	if (rc == WIRE_DONE)
		linger(c);
	session_deinit(&c->session);
}

/* conn_advance: the only place where what a session wants becomes a write, a deadline or a close; the wire
 * goes on reading by itself as long as nothing is pending. before: its state when it was asked. */
static void conn_advance(struct conn *c, enum session_state before, enum step step)
{
	switch (step) {
	case STEP_READ:
		if (before != SESSION_REQUEST && c->session.state == SESSION_REQUEST)
			wire_start_deadline(&c->wire, c->env->limits.request_timeout_ms);
		if (c->session.tls)
			join_engines(c);
		(void)flush(c, false);
		break;
	case STEP_WRITE:
		c->state = CONN_RESPONSE;
		crowd_move(&c->env->crowd, &c->member, CROWD_ANSWERING);
		wire_start_deadline(&c->wire, c->env->limits.write_timeout_ms);
		answer(c);
		break;
	default: buf_reset(&c->env->out); conn_close(c, c->session.reason);
	}
}

static void on_bytes(struct wire *w, struct span bytes)
{
	struct conn *c = conn_of_wire(w);
	if (c->state == CONN_LINGER) {
		c->lingered_bytes += bytes.len;
		if (c->lingered_bytes > c->env->limits.linger_max_bytes)
			conn_close(c, c->session.reason);
		return;
	}
	assert(c->state == CONN_TALKING);
	if (crowd_is_silent(&c->member))
		crowd_move(&c->env->crowd, &c->member, CROWD_TALKING);
	enum session_state before = c->session.state;
	conn_advance(c, before, session_take(&c->session, bytes));
}

static void on_end(struct wire *w, bool is_error)
{
	struct conn *c = conn_of_wire(w);
	conn_close(c, is_error ? CLOSE_IO : CLOSE_PEER);
}

static void on_written(struct wire *w, bool is_ok)
{
	struct conn *c = conn_of_wire(w);
	if (!is_ok)
		conn_close(c, CLOSE_IO);
	else if (c->state == CONN_RESPONSE)
		linger(c);
}

/* request_is_late: RFC 9112 9.8 asks for close_notify also here. */
static void request_is_late(struct conn *c)
{
	if (wire_is_pending(&c->wire))
		conn_close(c, CLOSE_REQUEST_TIMEOUT);
	else
		conn_advance(c, c->session.state, session_end(&c->session, CLOSE_REQUEST_TIMEOUT));
}

static bool is_idle_at_stop(const struct conn *c)
{
	return c->env->is_stopping && crowd_is_silent(&c->member);
}

static void on_deadline(struct wire *w)
{
	struct conn *c = conn_of_wire(w);
	if (c->state == CONN_LINGER)
		conn_close(c, c->session.reason);
	else if (c->state == CONN_RESPONSE)
		conn_close(c, CLOSE_WRITE_TIMEOUT);
	else if (c->session.state == SESSION_REQUEST)
		request_is_late(c);
	else
		conn_close(c, is_idle_at_stop(c) ? CLOSE_STOPPING : CLOSE_HANDSHAKE_TIMEOUT);
}

/* busy_count: those that take more than the few that are always lingering where clients come all the time. */
static size_t busy_count(const struct conn_env *env)
{
	return crowd_count(&env->crowd) - env->crowd.count[CROWD_LINGERING];
}

static void on_gone(struct wire *w)
{
	struct conn *c = conn_of_wire(w);
	struct conn_env *env = c->env;
	c->magic = 0;
	free(c);
	flood_fall(&env->flood, busy_count(env));
}

static const struct wire_events events = {
	.on_bytes = on_bytes,
	.on_end = on_end,
	.on_written = on_written,
	.on_deadline = on_deadline,
	.on_gone = on_gone,
};

/* turn_away: costs microseconds, and is counted only. */
static void turn_away(int take_fd, enum close_reason reason)
{
	metric_add((enum metric)reason, 1);
	(void)close(take_fd);
}

/* conn_new: NULL: out of memory. */
static struct conn *conn_new(struct conn_env *env)
{
	struct conn *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->magic = CONN_MAGIC;
	c->state = CONN_TALKING;
	c->env = env;
	session_init(&c->session, &env->session);
	return c;
}

static void start(struct conn *c, int take_fd)
{
	struct conn_env *env = c->env;
	metric_add(M_CONNECTIONS_OPEN, 1);
	c->accepted_ms = clock_mono_ms();
	crowd_move(&env->crowd, &c->member, CROWD_FRESH);
	flood_rise(&env->flood, busy_count(env));
	uv_buf_t read_into = uv_buf_init(env->read_bytes, sizeof env->read_bytes);
	if (wire_open(&c->wire, env->loop, take_fd, &events, read_into))
		wire_start_deadline(&c->wire, env->limits.handshake_timeout_ms);
	else
		conn_close(c, CLOSE_IO);
}

void conn_accept(struct conn_env *env, int take_fd, const struct sockaddr *peer)
{
	struct client *client;
	metric_add(M_CONNECTIONS, 1);
	if (!enter(env, peer, &client)) {
		turn_away(take_fd, CLOSE_CLIENT_LIMIT);
		return;
	}
	bool has_room = make_room(env);
	struct conn *c = has_room && flood_has_engine(&env->flood) ? conn_new(env) : NULL;
	if (!c) {
		clients_leave(client);
		turn_away(take_fd, has_room ? CLOSE_NOMEM : CLOSE_CROWDED);
		return;
	}
	c->client = client;
	start(c, take_fd);
}

static void hurry(struct conn_env *env, struct crowd_member *first)
{
	for (struct crowd_member *m = first; m; m = m->newer)
		wire_start_deadline(&conn_of_member(m)->wire, env->limits.drain_idle_ms);
}

void conn_stop_all(struct conn_env *env)
{
	env->is_stopping = true;
	hurry(env, env->crowd.oldest[CROWD_FRESH]);
	hurry(env, env->crowd.oldest[CROWD_IDLE]);
}

void conn_close_all(struct conn_env *env)
{
	look_at_lingering(env, SIZE_MAX);
	for (int queue = CROWD_FRESH; queue < CROWD_QUEUE_COUNT; queue++) {
		while (env->crowd.oldest[queue])
			conn_close(conn_of_member(env->crowd.oldest[queue]), CLOSE_STOPPING);
	}
}

void conn_set_limits(struct conn_env *env, const struct limits *limits)
{
	env->limits = *limits;
	env->crowd.max_count = limits->connections;
	env->crowd.engine_max_count = limits->handshakes;
	env->session.hello_max_bytes = limits->hello_max_bytes;
	env->session.head_max_bytes = limits->head_max_bytes;
}

void conn_env_init(struct conn_env *env, struct uv_loop_s *loop, struct view *view, const struct tls_config *tls,
		   const struct limits *limits)
{
	env->loop = loop;
	buf_init(&env->out, OUT_MAX_BYTES);
	session_env_init(&env->session, view, tls, &env->out);
	clients_init(&env->clients);
	conn_set_limits(env, limits);
}

void conn_env_deinit(struct conn_env *env)
{
	buf_deinit(&env->out);
	session_env_deinit(&env->session);
}

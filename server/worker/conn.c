#include "conn.h"

#include "../../base/metric.h"
#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	CONN_MAGIC = 0x434f4e4e, /* "CONN" */
	/* the flight with a chain as long as pem.h allows, or the largest policy in records */
	OUT_MAX_BYTES = 262144,
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
	bool has_spoken; /* the client has sent a byte */
	size_t lingered_bytes;
	struct conn_env *env;
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
	session_deinit(&c->session);
	wire_close(&c->wire);
}

/* join: where the crowd is too large somebody goes, but never the one that joins. */
static void join(struct conn *c, enum crowd_queue queue)
{
	if (c->member.queue == queue)
		return;
	struct crowd_member *surplus = crowd_surplus(&c->env->crowd, queue);
	if (surplus)
		conn_close(conn_of_member(surplus), CLOSE_CROWDED);
	crowd_move(&c->env->crowd, &c->member, queue);
}

/* flush: sends what was produced. Afterwards the shared buffer is empty, whatever happened. */
static enum wire_result flush(struct conn *c)
{
	struct buf *out = &c->env->out;
	enum wire_result rc = out->len ? wire_write(&c->wire, buf_span(out)) : WIRE_DONE;
	buf_reset(out);
	if (rc == WIRE_FAILED || rc == WIRE_NOMEM)
		conn_close(c, rc == WIRE_NOMEM ? CLOSE_NOMEM : CLOSE_IO);
	return rc;
}

/* linger: all is written. Our side closes; the engine has done its work. */
static void linger(struct conn *c)
{
	session_deinit(&c->session);
	crowd_move(&c->env->crowd, &c->member, CROWD_LIGHT);
	c->state = CONN_LINGER;
	if (wire_half_close(&c->wire))
		wire_start_deadline(&c->wire, c->env->limits.linger_timeout_ms);
	else /* the client was faster */
		conn_close(c, c->session.reason);
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
			join(c, CROWD_HEAVY);
		(void)flush(c);
		break;
	case STEP_WRITE:
		c->state = CONN_RESPONSE;
		wire_start_deadline(&c->wire, c->env->limits.write_timeout_ms);
		if (flush(c) == WIRE_DONE)
			linger(c);
		break;
	default:
		buf_reset(&c->env->out);
		conn_close(c, c->session.reason);
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
	c->has_spoken = true;
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
	return c->env->is_stopping && !c->has_spoken;
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

static void on_gone(struct wire *w)
{
	struct conn *c = conn_of_wire(w);
	c->magic = 0;
	free(c);
}

static const struct wire_events events = {
	.on_bytes = on_bytes,
	.on_end = on_end,
	.on_written = on_written,
	.on_deadline = on_deadline,
	.on_gone = on_gone,
};

void conn_accept(struct conn_env *env, int take_fd)
{
	metric_add(M_CONNECTIONS, 1);
	struct conn *c = calloc(1, sizeof *c);
	if (!c) {
		metric_add(M_CLOSE_NOMEM, 1);
		(void)close(take_fd);
		return;
	}
	metric_add(M_CONNECTIONS_OPEN, 1);
	c->magic = CONN_MAGIC;
	c->state = CONN_TALKING;
	c->env = env;
	session_init(&c->session, &env->session);
	join(c, CROWD_LIGHT);
	uv_buf_t read_into = uv_buf_init(env->read_bytes, sizeof env->read_bytes);
	if (wire_open(&c->wire, env->loop, take_fd, &events, read_into))
		wire_start_deadline(&c->wire, env->limits.handshake_timeout_ms);
	else
		conn_close(c, CLOSE_IO);
}

void conn_stop_all(struct conn_env *env)
{
	env->is_stopping = true;
	for (struct crowd_member *m = env->crowd.oldest[CROWD_LIGHT]; m; m = m->newer) {
		struct conn *c = conn_of_member(m);
		if (!c->has_spoken)
			wire_start_deadline(&c->wire, env->limits.drain_idle_ms);
	}
}

void conn_close_all(struct conn_env *env)
{
	for (int queue = CROWD_LIGHT; queue < CROWD_QUEUE_COUNT; queue++) {
		while (env->crowd.oldest[queue])
			conn_close(conn_of_member(env->crowd.oldest[queue]), CLOSE_STOPPING);
	}
}

void conn_env_init(struct conn_env *env, struct uv_loop_s *loop, struct view *view,
		   const struct tls_config *tls, const struct limits *limits)
{
	env->loop = loop;
	env->limits = *limits;
	env->crowd.max_count = limits->conn_max_count;
	env->crowd.heavy_max_count = limits->engine_max_count;
	buf_init(&env->out, OUT_MAX_BYTES);
	session_env_init(&env->session, view, tls, &env->out);
}

void conn_env_deinit(struct conn_env *env)
{
	buf_deinit(&env->out);
	session_env_deinit(&env->session);
}

#include "session.h"

#include "../../base/clock.h"
#include "answer.h"
#include "hello.h"
#include "tls.h"
#include "view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Only what a step leaves in out, and the state, is looked at by the next one: no step calls another. */

static enum step close_for(struct session *s, enum close_reason reason)
{
	s->state = SESSION_OVER;
	s->reason = reason;
	return STEP_CLOSE;
}

/* finish: what was produced is the last that this client gets. */
static enum step finish(struct session *s, enum close_reason reason)
{
	s->state = SESSION_OVER;
	s->reason = reason;
	return STEP_WRITE;
}

/* gather: what was kept and the new bytes behind it; where nothing was kept, the new bytes, uncopied. */
static int gather(struct session *s, struct span new_bytes, struct span *out)
{
	*out = new_bytes;
	if (s->kept.len == 0)
		return 0;
	int rc = buf_add_span(&s->kept, new_bytes);
	*out = buf_span(&s->kept);
	return rc;
}

/* keep: what gather gave, for the next time. */
static int keep(struct session *s, struct span all)
{
	return s->kept.len ? 0 : buf_add_span(&s->kept, all);
}

/* refuse: before there is an engine. An answer in TLS where the client speaks it. */
static enum step refuse(struct session *s, struct hello *hello, enum hello_alert alert, enum close_reason reason)
{
	uint8_t record[HELLO_ALERT_BYTES];
	hello->alert = alert;
	hello_render_alert(hello, record);
	if (buf_add(s->env->out, record, sizeof record) != 0)
		return close_for(s, CLOSE_NOMEM);
	return finish(s, reason);
}

static enum step refuse_bad_hello(struct session *s, struct hello *hello)
{
	switch (hello->alert) {
	case ALERT_NONE: return close_for(s, CLOSE_NOT_TLS);
	case ALERT_UNRECOGNIZED_NAME: return refuse(s, hello, hello->alert, CLOSE_UNKNOWN_NAME);
	default: return refuse(s, hello, hello->alert, CLOSE_BAD_HELLO);
	}
}

/* unsplit: in as the engine can take it; in s->kept where it is not what it was. */
static int unsplit(struct session *s, const struct hello *hello, struct span *in)
{
	if (!hello->is_split)
		return 0;
	struct buf whole;
	buf_init(&whole, s->kept.max);
	int rc = hello_unsplit((const uint8_t *)in->p, in->len, &whole);
	buf_deinit(&s->kept);
	s->kept = whole;
	*in = buf_span(&whole);
	return rc;
}

/* start_engine: with the pairs of a host that is served, on the bytes of its ClientHello. */
static enum step start_engine(struct session *s, const struct hello *hello, struct mbed_pair *take_ec,
			      struct mbed_pair *take_rsa, struct span in)
{
	struct tls_args args = {
		.config = s->env->tls,
		.take_ec = take_ec,
		.take_rsa = take_rsa,
		.prefers_aes128 = hello->offers_aes128_gcm,
		.out = s->env->out,
	};
	if (tls_new(&s->tls, &args) != 0)
		return close_for(s, CLOSE_NOMEM);
	s->host = strdup(hello->name);
	if (!s->host || unsplit(s, hello, &in) != 0)
		return close_for(s, CLOSE_NOMEM);
	tls_feed(s->tls, in);
	s->state = SESSION_HANDSHAKE;
	return STEP_NEXT;
}

/* look_up: RFC 8461 7.1: a certificate that matches the host or none at all; RFC 6066 3 names the alert. */
static enum step look_up(struct session *s, struct hello *hello, struct span in)
{
	if (hello->name_len == 0)
		return refuse(s, hello, ALERT_UNRECOGNIZED_NAME, CLOSE_NO_NAME);
	struct mbed_pair *ec, *rsa;
	struct span host = {hello->name, hello->name_len};
	switch (view_find_pairs(s->env->view, host, clock_unix_s(), &ec, &rsa)) {
	case VIEW_FOUND: return start_engine(s, hello, ec, rsa, in);
	case VIEW_NO_DOMAIN: return refuse(s, hello, ALERT_UNRECOGNIZED_NAME, CLOSE_UNKNOWN_NAME);
	case VIEW_NO_PAIR: return refuse(s, hello, ALERT_UNRECOGNIZED_NAME, CLOSE_NO_CERTIFICATE);
	case VIEW_NOMEM: return refuse(s, hello, ALERT_INTERNAL_ERROR, CLOSE_NOMEM);
	case VIEW_FAILED: break;
	}
	return refuse(s, hello, ALERT_INTERNAL_ERROR, CLOSE_STORE);
}

static enum step step_hello(struct session *s)
{
	struct span in;
	struct hello hello;
	if (gather(s, s->in, &in) != 0)
		return close_for(s, CLOSE_NOMEM);
	switch (hello_parse((const uint8_t *)in.p, in.len, &hello)) {
	case HELLO_DONE: return look_up(s, &hello, in);
	case HELLO_MORE:
		if (in.len >= s->env->hello_max_bytes)
			return refuse(s, &hello, ALERT_ILLEGAL_PARAMETER, CLOSE_BAD_HELLO);
		return keep(s, in) == 0 ? STEP_READ : close_for(s, CLOSE_NOMEM);
	case HELLO_BAD: break;
	}
	return refuse_bad_hello(s, &hello);
}

/* give_up: the engine will not go on. */
static enum step give_up(struct session *s, enum tls_result why)
{
	switch (why) {
	case TLS_PEER_CLOSED: return session_end(s, CLOSE_PEER);
	case TLS_PEER_ALERT: return close_for(s, CLOSE_PEER_ALERT);
	case TLS_NOMEM: return close_for(s, CLOSE_NOMEM);
	default: return finish(s, CLOSE_TLS); /* its alert has to go out */
	}
}

static enum step step_handshake(struct session *s)
{
	enum tls_result rc = tls_handshake(s->tls);
	if (rc == TLS_MORE) {
		buf_deinit(&s->kept); /* the ClientHello, which the engine has taken */
		return STEP_READ;
	}
	if (rc != TLS_DONE)
		return give_up(s, rc);
	metric_add(M_HANDSHAKES, 1);
	buf_init(&s->kept, (size_t)2 * HTTP_HEAD_MAX_BYTES); /* less than a head, and a record behind it */
	s->state = SESSION_REQUEST;
	return STEP_NEXT;
}

/* respond: the answer and close_notify as one run of records. */
static enum step respond(struct session *s, int status, enum http_method method, struct span body)
{
	struct buf *plain = &s->env->response;
	buf_reset(plain);
	if (answer_render(status, method, body, clock_unix_s(), plain) != 0)
		return close_for(s, CLOSE_NOMEM);
	enum tls_result rc = tls_write(s->tls, buf_span(plain));
	if (rc == TLS_DONE)
		rc = tls_close_notify(s->tls); /* RFC 9112 9.8 */
	if (rc != TLS_DONE)
		return give_up(s, rc);
	metric_add(answer_metric(status), 1);
	return finish(s, CLOSE_DONE);
}

/* answer_policy: the row as it is at this moment, which may be newer than the one that the handshake saw. */
static enum step answer_policy(struct session *s, enum http_method method)
{
	struct view *view = s->env->view;
	struct span body = {0};
	enum view_result found = view_begin(view);
	if (found == VIEW_FOUND)
		found = view_find_body(view, span_of(s->host), &body);
	int status = found == VIEW_FOUND ? 200 : found == VIEW_NO_DOMAIN ? 404 : 503;
	enum step step = respond(s, status, method, body);
	view_end(view);
	return step;
}

static enum step answer(struct session *s, const struct http_request *r)
{
	int status = answer_judge(r, span_of(s->host));
	return status == 200 ? answer_policy(s, r->method) : respond(s, status, r->method, (struct span){0});
}

static enum step step_request(struct session *s)
{
	struct http_request r;
	struct span in = {s->env->head_bytes, 0};
	enum tls_result rc = tls_read(s->tls, s->env->head_bytes, sizeof s->env->head_bytes, &in.len);
	if (rc == TLS_MORE)
		return STEP_READ;
	if (rc != TLS_DONE)
		return give_up(s, rc);
	if (gather(s, in, &in) != 0)
		return close_for(s, CLOSE_NOMEM);
	enum http_result parsed = http_parse_request(in.p, in.len, &r);
	if (parsed == HTTP_BAD)
		return respond(s, r.status, r.method, (struct span){0});
	if ((parsed == HTTP_DONE ? r.head_len : in.len) > s->env->head_max_bytes) /* RFC 6585 5 */
		return respond(s, 431, r.method, (struct span){0});
	if (parsed == HTTP_DONE)
		return answer(s, &r);
	return keep(s, in) == 0 ? STEP_NEXT : close_for(s, CLOSE_NOMEM);
}

enum step session_take(struct session *s, struct span in)
{
	static enum step (*const steps[])(struct session *) = {
		[SESSION_HELLO] = step_hello,
		[SESSION_HANDSHAKE] = step_handshake,
		[SESSION_REQUEST] = step_request,
	};
	assert(s->state != SESSION_OVER);
	enum step step;
	s->in = in;
	if (s->tls)
		tls_feed(s->tls, in);
	do
		step = steps[s->state](s);
	while (step == STEP_NEXT);
	return step;
}

enum step session_end(struct session *s, enum close_reason reason)
{
	/* RFC 8446 6.1: close_notify is owed on every side that closes */
	if (s->tls && tls_close_notify(s->tls) == TLS_DONE)
		return finish(s, reason);
	return close_for(s, reason);
}

void session_init(struct session *s, struct session_env *env)
{
	*s = (struct session){.state = SESSION_HELLO, .env = env};
	/* less than a ClientHello, and a read behind it */
	buf_init(&s->kept, HELLO_MAX_BYTES + SESSION_IN_MAX_BYTES);
}

void session_deinit(struct session *s)
{
	tls_free(s->tls);
	s->tls = NULL;
	free(s->host);
	s->host = NULL;
	buf_deinit(&s->kept);
}

void session_env_init(struct session_env *env, struct view *view, const struct tls_config *tls, struct buf *out)
{
	env->view = view;
	env->tls = tls;
	env->out = out;
	env->hello_max_bytes = HELLO_MAX_BYTES;
	env->head_max_bytes = HTTP_HEAD_MAX_BYTES;
	/* the largest policy, which check refuses to exceed, and more than any head */
	buf_init(&env->response, (size_t)2 * 65536);
}

void session_env_deinit(struct session_env *env)
{
	buf_deinit(&env->response);
}

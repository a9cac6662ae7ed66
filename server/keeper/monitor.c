#include "monitor.h"

#include "../../base/addr.h"
#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/http.h"
#include "../../base/metric.h"
#include "workers.h"

#include <stdlib.h>
#include <string.h>

enum {
	HEAD_BYTES = 4096, /* a scraper sends a few hundred */
	ANSWER_BYTES = 1 << 20,
	OPEN_MAX = 32, /* scrapers are few */
	TIMEOUT_MS = 5000,
	BACKLOG = 16,
};

struct client {
	struct client *next, **link; /* in monitor.clients */
	struct monitor *monitor;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	int open_handles;
	size_t len;
	char head[HEAD_BYTES];
	struct buf answer;
};

static void on_client_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	if (--c->open_handles > 0)
		return;
	c->monitor->open_count--;
	buf_deinit(&c->answer);
	free(c);
}

static void close_client(struct client *c)
{
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	uv_close((uv_handle_t *)&c->tcp, on_client_closed);
	uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	close_client(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status; /* it is over either way */
	close_client(write->data);
}

/* What is at path: its status; the body into body. */
static int render_body(const struct monitor *m, struct span path, struct buf *body)
{
	if (span_is(path, SPAN_LIT("/metrics"))) {
		metric_render(m->page, body);
		return 200;
	}
	if (span_is(path, SPAN_LIT("/healthz"))) {
		bool is_well = workers_all_serving(m->page);
		(void)buf_add_text(body, is_well ? "ok\n" : "not all workers are serving\n");
		return is_well ? 200 : 503;
	}
	(void)buf_add_text(body, "not here: try /metrics or /healthz\n");
	return 404;
}

static int render_answer(struct client *c, int status, const struct http_request *request)
{
	struct buf body;
	char head[HTTP_RESPONSE_HEAD_MAX_BYTES];
	buf_init(&body, ANSWER_BYTES);
	struct http_response r = {.status = status, .date_unix_s = clock_unix_s()};
	bool is_readable = request && (request->method == HTTP_GET || request->method == HTTP_HEAD);
	if (request && !is_readable) {
		r.status = 405;
		r.allow = "GET, HEAD";
	}
	if (is_readable)
		r.status = render_body(c->monitor, request->path, &body);
	else
		(void)buf_printf(&body, "%s\n", http_reason(r.status));
	if (is_readable && r.status == 200)
		r.content_type = "text/plain; version=0.0.4; charset=utf-8";
	r.content_len = body.len;
	size_t head_len = http_render_head(&r, head, sizeof head);
	(void)buf_add(&c->answer, head, head_len);
	if (!request || request->method != HTTP_HEAD)
		(void)buf_add_span(&c->answer, buf_span(&body));
	int rc = body.failed ? body.failed : c->answer.failed;
	buf_deinit(&body);
	return rc;
}

static void answer(struct client *c, int status, const struct http_request *request)
{
	(void)uv_read_stop((uv_stream_t *)&c->tcp);
	if (render_answer(c, status, request) != 0) {
		close_client(c);
		return;
	}
	uv_buf_t out = uv_buf_init(c->answer.p, (unsigned)c->answer.len);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &out, 1, on_written) != 0)
		close_client(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct client *c = handle->data;
	(void)suggested;
	*out = uv_buf_init(c->head + c->len, (unsigned)(sizeof c->head - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct client *c = stream->data;
	struct http_request request;
	(void)bytes;
	if (n < 0) {
		close_client(c);
		return;
	}
	c->len += (size_t)n;
	switch (http_parse_request(c->head, c->len, &request)) {
	case HTTP_DONE: answer(c, 200, &request); break;
	case HTTP_BAD: answer(c, request.status, NULL); break;
	case HTTP_MORE:
		if (c->len == sizeof c->head)
			answer(c, 431, NULL);
		break;
	}
}

static struct client *oldest(const struct monitor *m)
{
	struct client *c = m->clients;
	while (c->next)
		c = c->next;
	return c;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct monitor *m = listener->data;
	if (status != 0)
		return;
	struct client *c = calloc(1, sizeof *c);
	if (!c)
		return; /* the connection waits: libuv asks again when the next one comes */
	c->monitor = m;
	c->open_handles = 2;
	buf_init(&c->answer, ANSWER_BYTES);
	m->open_count++;
	c->next = m->clients;
	c->link = &m->clients;
	if (c->next)
		c->next->link = &c->next;
	m->clients = c;
	(void)uv_tcp_init(listener->loop, &c->tcp);
	(void)uv_timer_init(listener->loop, &c->timer);
	c->tcp.data = c->timer.data = c;
	if (m->open_count > OPEN_MAX)
		close_client(oldest(m)); /* silent ones must not keep a probe out */
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
	    uv_timer_start(&c->timer, on_timeout, TIMEOUT_MS, 0) != 0 ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
		close_client(c);
}

int monitor_open(struct monitor *m, uv_loop_t *loop, const char *address, const struct metric_page *page,
		 struct err *err)
{
	struct sockaddr_storage sa;
	int rc = addr_parse(span_of(address), &sa, err);
	if (rc)
		return rc;
	m->page = page;
	rc = uv_tcp_init(loop, &m->listener);
	if (rc == 0) {
		m->is_open = 1;
		m->listener.data = m;
		rc = uv_tcp_bind(&m->listener, (const struct sockaddr *)&sa, 0);
	}
	/* libuv tells only here that the port is taken */
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&m->listener, BACKLOG, on_connection);
	if (rc == 0)
		return 0;
	return err_set(err, rc == UV_EADDRINUSE ? ERR_CONFLICT : ERR_IO,
		       "metrics: cannot listen on %s: %s; change `metrics` or take it out", address, uv_strerror(rc));
}

void monitor_close(struct monitor *m)
{
	if (m->is_open)
		uv_close((uv_handle_t *)&m->listener, NULL);
	m->is_open = 0;
	while (m->clients)
		close_client(m->clients);
}

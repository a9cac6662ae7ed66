#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_MAGIC = 0x57495245 }; /* "WIRE" */

static struct wire *wire_of(void *data)
{
	struct wire *w = data;
	assert(w && w->magic == WIRE_MAGIC);
	return w;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)suggested;
	*buf = wire_of(handle->data)->read_into;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct wire *w = wire_of(stream->data);
	if (n > 0)
		w->events->on_bytes(w, (struct span){buf->base, (size_t)n});
	else if (n < 0) /* 0 is libuv's EAGAIN */
		w->events->on_end(w, n != UV_EOF && n != UV_ECONNRESET);
}

static bool start_reading(struct wire *w)
{
	return uv_read_start((uv_stream_t *)&w->tcp, on_alloc, on_read) == 0;
}

bool wire_open(struct wire *w, uv_loop_t *loop, int take_fd, const struct wire_events *events, uv_buf_t read_into)
{
	*w = (struct wire){.magic = WIRE_MAGIC, .handle_count = 2, .events = events, .read_into = read_into};
	(void)uv_tcp_init(loop, &w->tcp); /* without a socket these two cannot fail */
	(void)uv_timer_init(loop, &w->timer);
	w->tcp.data = w->timer.data = w->write.data = w;
	if (uv_tcp_open(&w->tcp, take_fd) != 0) {
		(void)close(take_fd);
		return false;
	}
	return start_reading(w);
}

static void on_timer(uv_timer_t *timer)
{
	struct wire *w = wire_of(timer->data);
	w->events->on_deadline(w);
}

void wire_start_deadline(struct wire *w, uint64_t timeout_ms)
{
	int rc = uv_timer_start(&w->timer, on_timer, timeout_ms, 0);
	assert(rc == 0); /* it refuses closing handles only */
}

static void on_write(uv_write_t *write, int status)
{
	struct wire *w = wire_of(write->data);
	free(w->rest);
	w->rest = NULL;
	if (!w->is_closing)
		w->events->on_written(w, status == 0 && start_reading(w));
}

static enum wire_result write_rest(struct wire *w, struct span rest)
{
	w->rest = malloc(rest.len);
	if (!w->rest)
		return WIRE_NOMEM;
	memcpy(w->rest, rest.p, rest.len);
	uv_buf_t b = uv_buf_init(w->rest, (unsigned)rest.len);
	if (uv_write(&w->write, (uv_stream_t *)&w->tcp, &b, 1, on_write) != 0) {
		free(w->rest);
		w->rest = NULL;
		return WIRE_FAILED;
	}
	(void)uv_read_stop((uv_stream_t *)&w->tcp);
	return WIRE_PENDING;
}

enum wire_result wire_write(struct wire *w, struct span bytes)
{
	assert(!w->rest);
	uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.len); /* it is only read from */
	int n = uv_try_write((uv_stream_t *)&w->tcp, &b, 1);
	if (n == UV_EAGAIN)
		n = 0;
	if (n < 0)
		return WIRE_FAILED;
	if ((size_t)n == bytes.len)
		return WIRE_DONE;
	return write_rest(w, (struct span){bytes.p + n, bytes.len - (size_t)n});
}

bool wire_has_bytes(const struct wire *w)
{
	uv_os_fd_t fd;
	char byte;
	return uv_fileno((const uv_handle_t *)&w->tcp, &fd) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool wire_is_pending(const struct wire *w)
{
	return w->rest;
}

bool wire_half_close(struct wire *w)
{
	uv_os_fd_t fd;
	/* not uv_shutdown: with nothing queued this needs neither a request nor another turn of the loop */
	return uv_fileno((uv_handle_t *)&w->tcp, &fd) == 0 && shutdown(fd, SHUT_WR) == 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct wire *w = wire_of(handle->data);
	if (--w->handle_count > 0)
		return;
	w->magic = 0;
	w->events->on_gone(w);
}

void wire_close(struct wire *w)
{
	assert(!w->is_closing);
	w->is_closing = true;
	uv_close((uv_handle_t *)&w->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&w->timer, on_handle_closed);
}

#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* No send(2), no recv(2): on some architectures they are system calls of their own, which sandbox.c does not allow. */

enum {
	WIRE_MAGIC = 0x57495245, /* "WIRE" */
	LOOK_MS = 100,           /* half-closed wires: at even times, so that the loop wakes up once for all of them */
};

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

static void on_timer(uv_timer_t *timer);

static void start_timer(struct wire *w, uint64_t timeout_ms)
{
	int rc = uv_timer_start(&w->timer, on_timer, timeout_ms, 0);
	assert(rc == 0); /* it refuses closing handles only */
}

/* start_waiting: for the next look, no sooner than the peer may have done something; or for the deadline. */
static void start_waiting(struct wire *w)
{
	uint64_t now_ms = uv_now(w->timer.loop), soonest_ms = now_ms + LOOK_MS / 2;
	uint64_t look_ms = soonest_ms + LOOK_MS - soonest_ms % LOOK_MS;
	start_timer(w, (look_ms < w->deadline_ms ? look_ms : w->deadline_ms) - now_ms);
}

static void on_timer(uv_timer_t *timer)
{
	struct wire *w = wire_of(timer->data);
	if (w->is_half_closed)
		wire_look(w);
	if (w->is_closing)
		return;
	if (w->is_half_closed && uv_now(w->timer.loop) < w->deadline_ms)
		start_waiting(w);
	else
		w->events->on_deadline(w);
}

void wire_start_deadline(struct wire *w, uint64_t timeout_ms)
{
	w->deadline_ms = uv_now(w->timer.loop) + timeout_ms;
	if (w->is_half_closed)
		start_waiting(w);
	else
		start_timer(w, timeout_ms);
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

static int fd_of(const struct wire *w)
{
	uv_os_fd_t fd;
	return uv_fileno((const uv_handle_t *)&w->tcp, &fd) == 0 ? fd : -1;
}

enum wire_result wire_write(struct wire *w, struct span bytes, bool is_last)
{
	assert(!w->rest);
	/* MSG_MORE: what does not fill a segment waits for the FIN of wire_half_close */
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (is_last ? MSG_MORE : 0);
	ssize_t n = sendto(fd_of(w), bytes.p, bytes.len, flags, NULL, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return WIRE_FAILED;
	if (n < 0)
		n = 0;
	if ((size_t)n == bytes.len)
		return WIRE_DONE;
	return write_rest(w, (struct span){bytes.p + n, bytes.len - (size_t)n});
}

bool wire_has_bytes(const struct wire *w)
{
	char byte;
	return recvfrom(fd_of(w), &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) > 0;
}

bool wire_is_pending(const struct wire *w)
{
	return w->rest;
}

bool wire_half_close(struct wire *w)
{
	int fd = fd_of(w);
	/* not uv_shutdown: with nothing queued this needs neither a request nor another turn of the loop */
	if (shutdown(fd, SHUT_WR) != 0)
		return false;
	/* libuv alone would let the peer's FIN wake the loop up, and only then take the socket out. It does not mind
	 * that we were faster: not within on_write either, where it still waits to write, for with an empty queue it
	 * stops that after the callback, and without a call to epoll. */
	(void)uv_read_stop((uv_stream_t *)&w->tcp);
	(void)epoll_ctl(uv_backend_fd(w->tcp.loop), EPOLL_CTL_DEL, fd, NULL);
	w->is_half_closed = true;
	return true;
}

void wire_look(struct wire *w)
{
	assert(w->is_half_closed);
	ssize_t n = 1;
	while (n > 0 && !w->is_closing) {
		n = recvfrom(fd_of(w), w->read_into.base, w->read_into.len, MSG_DONTWAIT, NULL, NULL);
		if (n > 0)
			w->events->on_bytes(w, (struct span){w->read_into.base, (size_t)n});
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			w->events->on_end(w, n < 0 && errno != ECONNRESET);
	}
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

#include "listener.h"

#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,  /* queued by the kernel while we are busy, if somaxconn allows it */
	PAUSE_MS = 100,  /* until the next try for want of descriptors or memory */
	TELL_MS = 60000, /* that is logged no oftener: clients can bring it about again and again */
};

enum accepted { ACCEPTED_ONE, ACCEPTED_GONE, ACCEPTED_NONE, ACCEPTED_FAILED };

static enum accepted accept_one(struct listener *li)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof peer;
	int fd = accept4(li->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		li->all->on_accept(li->all->ctx, fd, (const struct sockaddr *)&peer);
		return ACCEPTED_ONE;
	}
	switch (errno) {
	case EAGAIN: return ACCEPTED_NONE;
	case EINTR:
	case EPERM: /* the firewall's word */
	case ECONNABORTED:
	case ECONNRESET:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH: return ACCEPTED_GONE; /* accept(2): errors of that connection, now unqueued */
	default: return ACCEPTED_FAILED;        /* above all EMFILE, ENFILE, ENOBUFS, ENOMEM */
	}
}

/* accept_queued: until none is left, or max have been looked at. */
static enum accepted accept_queued(struct listener *li, int max)
{
	enum accepted got = ACCEPTED_ONE;
	for (int i = 0; (got == ACCEPTED_ONE || got == ACCEPTED_GONE) && i < max; i++)
		got = accept_one(li);
	return got;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void set_polling(struct listeners *l, bool is_on)
{
	for (size_t i = 0; i < l->count; i++) {
		uv_poll_t *poll = &l->items[i].poll;
		int rc = is_on ? uv_poll_start(poll, UV_READABLE, on_poll) : uv_poll_stop(poll);
		if (rc != 0)
			log_error("worker.listener", "fd=%d error=%s", l->items[i].fd,
				  LOG_QUOTE(span_of(uv_strerror(rc))));
	}
}

static void on_pause_over(uv_timer_t *timer)
{
	set_polling(timer->data, true);
}

/* rest_for_a_while: error is libuv's code. */
static void rest_for_a_while(struct listeners *l, int error)
{
	metric_add(M_ACCEPT_FAILURES, 1);
	uint64_t now_ms = uv_now(l->pause.loop);
	if (l->told_ms == 0 || now_ms - l->told_ms >= TELL_MS) {
		l->told_ms = now_ms;
		log_warn("worker.accept", "error=%s retry_ms=%d", LOG_QUOTE(span_of(uv_strerror(error))), PAUSE_MS);
	}
	set_polling(l, false);
	(void)uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct listener *li = poll->data;
	(void)events;
	if (status != 0)
		rest_for_a_while(li->all, status);
	else if (accept_queued(li, li->all->accepts_per_turn) == ACCEPTED_FAILED)
		rest_for_a_while(li->all, uv_translate_sys_error(errno));
}

static int listener_open(struct listener *li, uv_loop_t *loop, int fd, struct err *err)
{
	int on = 1;
	/* Accepted sockets inherit it: an answer's last segment must not wait for an acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (listen(fd, BACKLOG) != 0)
		return err_errno(err, errno, "listening socket %d", fd);
	int rc = uv_poll_init(loop, &li->poll, fd); /* makes it non-blocking */
	if (rc != 0)
		return err_set(err, ERR_IO, "listening socket %d: %s", fd, uv_strerror(rc));
	li->fd = fd;
	li->poll.data = li;
	return 0;
}

int listeners_open(struct listeners *l, uv_loop_t *loop, int first_fd, size_t count, listener_accept_fn *on_accept,
		   void *ctx, struct err *err)
{
	if (count > LISTENERS_MAX_COUNT)
		return err_set(err, ERR_RANGE, "%zu listening sockets: at most %d", count, LISTENERS_MAX_COUNT);
	l->on_accept = on_accept;
	l->ctx = ctx;
	(void)uv_timer_init(loop, &l->pause); /* cannot fail */
	l->pause.data = l;
	for (size_t i = 0; i < count; i++) {
		l->items[i].all = l;
		int rc = listener_open(&l->items[i], loop, first_fd + (int)i, err);
		if (rc)
			return rc;
		l->count++;
	}
	set_polling(l, true);
	return 0;
}

void listeners_drain(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		(void)accept_queued(&l->items[i], BACKLOG);
}

void listeners_close(struct listeners *l)
{
	if (!l->on_accept) /* never opened, or closed */
		return;
	l->on_accept = NULL;
	for (size_t i = 0; i < l->count; i++) {
		uv_close((uv_handle_t *)&l->items[i].poll, NULL);
		(void)close(l->items[i].fd);
	}
	uv_close((uv_handle_t *)&l->pause, NULL);
}

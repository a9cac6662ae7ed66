/* Newer c-ares has other names for what 1.18 (Debian 12) calls these, and warns of the old ones. */
#define CARES_NO_DEPRECATED
#include "lookup.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "pace.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	LINE_QUESTIONS_MAX = 256, /* their answers fit into a socket's receive buffer of the usual 208 KiB */
	/* then a line is opened anew: from another port, and without the answers that newer c-ares keeps */
	LINE_LIFE_COUNT = 8192,
	UDP_LINES = PACE_MAX / LINE_QUESTIONS_MAX + 4, /* some may be waiting for their last answers */
	TCP_LINES =
		64, /* a question each: servers that close a connection behind an answer must not cost others theirs */
	LINES = UDP_LINES + TCP_LINES,
	UDP_TIMEOUT_MS = 1500, /* doubled twice: 10.5 seconds with three tries */
	UDP_TRIES = 3,
	TCP_TIMEOUT_MS = 5000,
	TCP_TRIES = 1,
	TICK_MS = 20,
	EVENTS = 64,
	CLASS_IN = 1,
};

/* A channel of c-ares. Opened when there is something to ask, closed when it has nothing to wait for. */
struct line {
	struct lookup *lookup;
	ares_channel channel; /* NULL: closed */
	size_t open_count, asked_count;
	bool is_tcp;
};

struct question {
	struct lookup *lookup;
	struct line *line;
	struct question *next; /* in the queue for TCP */
	const char *name;
	enum reply_type type;
	bool is_second;     /* over TCP */
	bool was_truncated; /* the first time */
	const char *reason; /* of the first time */
	unsigned epoch;     /* of the pace, when it was asked */
	lookup_fn *fn;
	void *ctx;
};

struct lookup {
	int epoll_fd;
	int failed_errno; /* epoll refused a socket */
	char *resolvers;  /* NULL: the system's */
	bool is_silent;
	size_t open_count;
	struct pace pace;
	uint64_t heard_ms, tick_ms;
	struct question *queue, **queue_end;
	struct reply reply;
	struct line lines[LINES];
};

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct line *line = data;
	struct lookup *l = line->lookup;
	struct epoll_event e = {.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u)};
	e.data.u64 = (uint64_t)(line - l->lines) << 32 | (uint32_t)fd;
	if (!readable && !writable)
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, &e);
	else if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &e) != 0 &&
		 epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		l->failed_errno = errno;
}

static int cannot(int status, struct err *err)
{
	return err_set(err, status == ARES_ENOMEM ? ERR_NOMEM : ERR_IO, "DNS: %s", ares_strerror(status));
}

static int line_open(struct line *line, struct err *err)
{
	struct ares_options o = {
		/* over UDP every answer is wanted as it is: what to do about it is decided in on_answer */
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS |
			 (line->is_tcp ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC | ARES_FLAG_NOCHECKRESP),
		.timeout = line->is_tcp ? TCP_TIMEOUT_MS : UDP_TIMEOUT_MS,
		.tries = line->is_tcp ? TCP_TRIES : UDP_TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = line,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
	int status = ares_init_options(&line->channel, &o, mask);
	if (status != ARES_SUCCESS) {
		line->channel = NULL;
		return cannot(status, err);
	}
	line->asked_count = 0;
	if (line->lookup->resolvers)
		status = ares_set_servers_ports_csv(line->channel, line->lookup->resolvers);
	if (status == ARES_SUCCESS)
		return 0;
	ares_destroy(line->channel);
	line->channel = NULL;
	return cannot(status, err);
}

static bool line_is_worn(const struct line *line)
{
	return line->asked_count >= (line->is_tcp ? 1 : LINE_LIFE_COUNT);
}

/* Not out of a callback of c-ares. */
static void line_close_if_worn(struct line *line)
{
	if (!line->channel || line->open_count || !line_is_worn(line))
		return;
	ares_destroy(line->channel);
	line->channel = NULL;
}

static bool line_has_room(const struct line *line)
{
	return line->open_count == 0 ||
	       (line->open_count < (line->is_tcp ? 1 : LINE_QUESTIONS_MAX) && !line_is_worn(line));
}

/* NULL: all are busy. */
static struct line *find_line(const struct lookup *l, bool is_tcp)
{
	for (size_t i = is_tcp ? UDP_LINES : 0; i < (is_tcp ? LINES : UDP_LINES); i++)
		if (line_has_room(&l->lines[i]))
			return (struct line *)&l->lines[i];
	return NULL;
}

static int line_make_ready(struct line *line, struct err *err)
{
	line_close_if_worn(line);
	return line->channel ? 0 : line_open(line, err);
}

static void tell(struct question *take_q)
{
	struct lookup *l = take_q->lookup;
	if (l->reply.kind == REPLY_FAILED && take_q->reason)
		l->reply.reason = take_q->reason;
	l->open_count--;
	take_q->fn(take_q->ctx, &l->reply);
	free(take_q);
}

static void ask_again_later(struct question *q)
{
	struct lookup *l = q->lookup;
	q->was_truncated = l->reply.is_truncated;
	q->reason = q->was_truncated ? "the answer is truncated, and not to be had over TCP" : l->reply.reason;
	q->is_second = true;
	q->next = NULL;
	*l->queue_end = q;
	l->queue_end = &q->next;
}

static const char *reason_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT: return "no answer in time";
	case ARES_ECONNREFUSED: return "no resolver can be reached";
	case ARES_EBADNAME: return "there can be no such name";
	case ARES_EBADRESP: return "the answer is garbled";
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION: return "no resolver answers";
	default: return ares_strerror(status);
	}
}

static void take_message(struct question *q, struct span message, int timeouts)
{
	struct lookup *l = q->lookup;
	l->heard_ms = clock_mono_ms();
	reply_parse(message, q->name, q->type, &l->reply);
	if (l->reply.kind != REPLY_FAILED) /* otherwise it may be the domain's own name servers */
		pace_take(&l->pace, q->epoch, timeouts > 0 || (q->is_second && !q->was_truncated), l->heard_ms);
	if (l->reply.is_truncated && q->is_second)
		reply_fail(&l->reply, reason_of(ARES_EBADRESP));
}

/* What UDP did not give, though somebody is there: cut, refused, or lost with the connection that somebody else's
 * garbled answer made c-ares close. Not what nobody answered: that takes long enough. */
static bool deserves_tcp(const struct question *q, int status)
{
	const struct reply *r = &q->lookup->reply;
	return !q->is_second &&
	       (r->is_truncated || r->is_refusal || status == ARES_EBADRESP || status == ARES_ECONNREFUSED);
}

static void on_answer(void *ctx, int status, int timeouts, unsigned char *bytes, int len)
{
	struct question *q = ctx;
	struct reply *r = &q->lookup->reply;
	q->line->open_count--;
	if (bytes)
		take_message(q, (struct span){(const char *)bytes, (size_t)len}, timeouts);
	else
		reply_fail(r, reason_of(status));
	if (status == ARES_ENOTFOUND && !bytes)
		r->kind = REPLY_NONE; /* a name that c-ares does not ask for (RFC 7686) */
	if (deserves_tcp(q, status))
		ask_again_later(q);
	else
		tell(q);
}

static int send_question(struct question *q, struct line *line, struct err *err)
{
	int rc = line_make_ready(line, err);
	if (rc)
		return rc;
	q->line = line;
	line->open_count++;
	line->asked_count++;
	ares_query(line->channel, q->name, CLASS_IN, (int)q->type, on_answer, q);
	return 0;
}

bool lookup_has_room(const struct lookup *l)
{
	return l->open_count < l->pace.window && find_line(l, false);
}

int lookup_ask(struct lookup *l, const char *name, enum reply_type type, lookup_fn *fn, void *ctx, struct err *err)
{
	struct line *line = find_line(l, false);
	assert(line);
	struct question *q = malloc(sizeof *q);
	if (!q)
		return err_set(err, ERR_NOMEM, "out of memory");
	*q = (struct question){.lookup = l, .name = name, .type = type, .fn = fn, .ctx = ctx, .epoch = l->pace.epoch};
	if (l->open_count++ == 0)
		l->heard_ms = clock_mono_ms();
	if (l->is_silent) {
		reply_fail(&l->reply, reason_of(ARES_ECANCELLED));
		tell(q);
		return 0;
	}
	int rc = send_question(q, line, err);
	if (rc) {
		l->open_count--;
		free(q);
	}
	return rc;
}

static int send_queue(struct lookup *l, struct err *err)
{
	struct line *line;
	while (l->queue && (line = find_line(l, true)) != NULL) {
		struct question *q = l->queue;
		l->queue = q->next;
		if (!l->queue)
			l->queue_end = &l->queue;
		int rc = send_question(q, line, err);
		if (rc) {
			reply_fail(&l->reply, reason_of(ARES_ECANCELLED));
			tell(q);
			return rc;
		}
	}
	return 0;
}

static void fail_queue(struct lookup *l)
{
	while (l->queue) {
		struct question *q = l->queue;
		l->queue = q->next;
		reply_fail(&l->reply, reason_of(ARES_ECANCELLED));
		tell(q);
	}
	l->queue_end = &l->queue;
}

static void be_silent(struct lookup *l)
{
	l->is_silent = true;
	for (size_t i = 0; i < LINES; i++)
		if (l->lines[i].channel)
			ares_cancel(l->lines[i].channel);
	fail_queue(l);
}

/* ares_timeout would tell when it is due, but goes through all questions each time. */
static void tick(struct lookup *l, uint64_t now_ms)
{
	l->tick_ms = now_ms;
	for (size_t i = 0; i < LINES; i++)
		if (l->lines[i].open_count)
			ares_process_fd(l->lines[i].channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (l->open_count && !l->is_silent && now_ms - l->heard_ms >= LOOKUP_SILENCE_MAX_MS)
		be_silent(l);
}

static void take_event(struct lookup *l, const struct epoll_event *e)
{
	struct line *line = &l->lines[e->data.u64 >> 32];
	ares_socket_t fd = (ares_socket_t)(uint32_t)e->data.u64;
	bool is_broken = e->events & (EPOLLERR | EPOLLHUP); /* reading tells c-ares why */
	if (line->channel)
		ares_process_fd(line->channel, is_broken || e->events & EPOLLIN ? fd : ARES_SOCKET_BAD,
				e->events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
}

int lookup_run(struct lookup *l, struct err *err)
{
	struct epoll_event events[EVENTS];
	int rc = send_queue(l, err);
	if (rc)
		return rc;
	int count = epoll_wait(l->epoll_fd, events, EVENTS, l->open_count ? TICK_MS : 0);
	if (count < 0 && errno != EINTR)
		return err_errno(err, errno, "DNS: epoll");
	for (int i = 0; i < count; i++)
		take_event(l, &events[i]);
	uint64_t now_ms = clock_mono_ms();
	if (count == 0 || now_ms - l->tick_ms >= TICK_MS)
		tick(l, now_ms);
	return l->failed_errno ? err_errno(err, l->failed_errno, "DNS: epoll") : 0;
}

static void set_up(struct lookup *l)
{
	l->epoll_fd = -1;
	pace_init(&l->pace, clock_mono_ms());
	l->queue_end = &l->queue;
	reply_init(&l->reply);
	for (size_t i = 0; i < LINES; i++)
		l->lines[i] = (struct line){.lookup = l, .is_tcp = i >= UDP_LINES};
}

/* The first line is opened at once, so that what is wrong with the resolvers is said before anything is asked. */
int lookup_open(struct lookup **out, const char *resolvers, struct err *err)
{
	struct lookup *l = calloc(1, sizeof *l);
	*out = NULL;
	if (!l)
		return err_set(err, ERR_NOMEM, "out of memory");
	set_up(l);
	int rc = 0;
	if (resolvers && !(l->resolvers = strdup(resolvers)))
		rc = err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0 && (l->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		rc = err_errno(err, errno, "DNS: epoll");
	if (rc == 0)
		rc = line_open(&l->lines[0], err);
	if (rc) {
		lookup_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void lookup_close(struct lookup *l)
{
	if (!l)
		return;
	l->is_silent = true;
	for (size_t i = 0; i < LINES; i++)
		if (l->lines[i].channel)
			ares_destroy(l->lines[i].channel);
	fail_queue(l);
	if (l->epoll_fd >= 0)
		(void)close(l->epoll_fd);
	reply_deinit(&l->reply);
	free(l->resolvers);
	free(l);
}

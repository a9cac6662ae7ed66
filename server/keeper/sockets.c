#include "sockets.h"

#include "../../base/addr.h"
#include "../../base/buf.h"
#include "../../base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,         /* bursts: a sender with many domains of ours comes for all of them at once */
	INHERITED_FIRST_FD = 3, /* sd_listen_fds(3) */
	ADDRESSES_MAX = 64,     /* what a worker takes: worker.h */
};

/* Descriptors handed over by systemd for this very process. */
static size_t inherited_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	long n = strtol(count, NULL, 10);
	return n > 0 && n <= ADDRESSES_MAX ? (size_t)n : 0;
}

static int allocate(struct sockets *s, size_t address_count, size_t worker_count, struct err *err)
{
	*s = (struct sockets){.address_count = address_count, .worker_count = worker_count};
	s->fds = reallocarray(NULL, address_count * worker_count + 1, sizeof *s->fds);
	if (!s->fds)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < address_count * worker_count; i++)
		s->fds[i] = -1;
	return 0;
}

static int take_inherited(struct sockets *s, size_t count, size_t worker_count, struct err *err)
{
	int rc = allocate(s, count, worker_count, err);
	s->is_inherited = 1;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		int fd = INHERITED_FIRST_FD + (int)i;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
		    listen(fd, BACKLOG) != 0)
			rc = err_errno(err, errno, "inherited socket %d", fd);
		for (size_t w = 0; w < worker_count; w++)
			s->fds[w * count + i] = fd;
	}
	/* the workers must not take them for theirs */
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return rc;
}

static int bind_failed(int errnum, const char *address, struct err *err)
{
	if (errnum == EADDRINUSE)
		return err_set(
			err, ERR_CONFLICT,
			"cannot listen on %s: the port is in use; stop the other server there (`ss -ltnp` names it) "
			"or change `listen`",
			address);
	if (errnum == EACCES)
		return err_set(
			err, ERR_PERM,
			"cannot listen on %s: ports below 1024 want root or CAP_NET_BIND_SERVICE; start as root (the "
			"server then runs as `user`), use the systemd unit, or change `listen`",
			address);
	if (errnum == EADDRNOTAVAIL)
		return err_set(err, ERR_IO, "cannot listen on %s: this machine has no such address; change `listen`",
			       address);
	return err_errno(err, errnum, "cannot listen on %s", address);
}

static int open_one(const char *address, const struct sockaddr_storage *sa, int *out, struct err *err)
{
	const int on = 1;
	*out = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*out < 0)
		return err_errno(err, errno, "cannot open a socket for %s", address);
	/* each family by itself, so that "[::]:443" and "0.0.0.0:443" stand beside each other */
	if (sa->ss_family == AF_INET6 && setsockopt(*out, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
		return err_errno(err, errno, "cannot set up a socket for %s", address);
	if (setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    setsockopt(*out, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
	    setsockopt(*out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		return err_errno(err, errno, "cannot set up a socket for %s", address);
	if (bind(*out, (const struct sockaddr *)sa, addr_len(sa)) != 0)
		return bind_failed(errno, address, err);
	if (listen(*out, BACKLOG) != 0)
		return bind_failed(errno, address, err);
	return 0;
}

/* Is somebody else's socket there already? Another server of the same user could share a port with us (SO_REUSEPORT)
 * and take half of the connections, so ask without it first. */
static int probe(const char *address, const struct sockaddr_storage *sa, struct err *err)
{
	const int on = 1;
	int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "cannot open a socket for %s", address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (sa->ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	int rc = bind(fd, (const struct sockaddr *)sa, addr_len(sa)) != 0 ? bind_failed(errno, address, err) : 0;
	(void)close(fd);
	return rc;
}

static int open_address(struct sockets *s, size_t at, const char *address, struct err *err)
{
	struct sockaddr_storage sa;
	int rc = addr_parse(span_of(address), &sa, err);
	if (rc == 0)
		rc = probe(address, &sa, err);
	for (size_t w = 0; rc == 0 && w < s->worker_count; w++) {
		int *fd = &s->fds[w * s->address_count + at];
		socklen_t len = sizeof sa;
		rc = open_one(address, &sa, fd, err);
		/* port 0: the first socket finds a free one, the others join it */
		if (rc == 0 && addr_port((const struct sockaddr *)&sa) == 0 &&
		    getsockname(*fd, (struct sockaddr *)&sa, &len))
			rc = err_errno(err, errno, "cannot listen on %s", address);
	}
	return rc;
}

int sockets_open(struct sockets *s, const struct text_list *listen_list, size_t worker_count, struct err *err)
{
	size_t inherited = inherited_count();
	if (inherited)
		return take_inherited(s, inherited, worker_count, err);
	if (listen_list->count == 0 || listen_list->count > ADDRESSES_MAX)
		return err_set(err, ERR_RANGE, "listen has %zu addresses; 1 to %d are possible", listen_list->count,
			       ADDRESSES_MAX);
	int rc = allocate(s, listen_list->count, worker_count, err);
	for (size_t i = 0; rc == 0 && i < listen_list->count; i++)
		rc = open_address(s, i, listen_list->items[i], err);
	return rc;
}

void sockets_close(struct sockets *s)
{
	size_t count = s->is_inherited ? s->address_count : s->address_count * s->worker_count;
	for (size_t i = 0; s->fds && i < count; i++)
		if (s->fds[i] >= 0)
			(void)close(s->fds[i]);
	free(s->fds);
	*s = (struct sockets){0};
}

const int *sockets_of(const struct sockets *s, size_t worker)
{
	return s->fds + worker * s->address_count;
}

int sockets_render(const struct sockets *s, struct buf *out)
{
	for (size_t i = 0; i < s->address_count; i++) {
		struct sockaddr_storage sa = {0};
		socklen_t len = sizeof sa;
		char text[ADDR_TEXT_BYTES];
		if (getsockname(s->fds[i], (struct sockaddr *)&sa, &len) != 0)
			continue;
		addr_render((const struct sockaddr *)&sa, text);
		(void)buf_printf(out, "%s%s", i ? "," : "", text);
	}
	return out->failed;
}

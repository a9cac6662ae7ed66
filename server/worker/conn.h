/* conn: one connection from accept to close: a session's bytes carried over a wire, with deadlines, and the
 * order in which it ends: answer and close_notify written, our side closed, the client's close awaited
 * (RFC 9112 9.6), memory given back. */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include "clients.h"
#include "crowd.h"
#include "flood.h"
#include "limits.h"
#include "session.h"

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;
struct uv_loop_s;

/* What the connections of one worker share. Large: keep it on the heap, zeroed. */
struct conn_env {
	struct uv_loop_s *loop;
	struct limits limits;
	struct crowd crowd;
	uint64_t looked_ms; /* when at all lingering ones, out of turn */
	struct clients clients;
	struct flood flood;
	bool is_stopping;
	struct buf out; /* records on their way to the socket; empty between callbacks */
	struct session_env session;
	char read_bytes[SESSION_IN_MAX_BYTES]; /* one read takes all that is there */
};

/* conn_env_init: borrows all it is given. */
void conn_env_init(struct conn_env *env, struct uv_loop_s *loop, struct view *view, const struct tls_config *tls,
		   const struct limits *limits);
void conn_env_deinit(struct conn_env *env); /* when no connection is left; accepts a zeroed one */

/* conn_set_limits: from now on, also for the connections that are open; none of them goes for it. */
void conn_set_limits(struct conn_env *env, const struct limits *limits);

/* conn_accept: serves a connected, non-blocking socket, or closes it at once where there is no room for it.
 * It closes and frees itself, through the loop.
 * peer  the client's address, by which connections_per_client counts */
void conn_accept(struct conn_env *env, int take_fd, const struct sockaddr *peer);

/* conn_stop_all: no more than limits.drain_idle_ms for those that have not sent a byte; the others go on. */
void conn_stop_all(struct conn_env *env);

/* conn_close_all: at once. */
void conn_close_all(struct conn_env *env);

#endif

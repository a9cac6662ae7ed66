/* session: what is said on one connection: ClientHello, handshake, request, answer; bytes in, bytes out.
 *
 * It knows no sockets and waits for nothing; conn.c carries its bytes and keeps its deadlines. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "../../base/buf.h"
#include "../../base/http.h"
#include "../../base/metric.h"
#include "../../base/span.h"

#include <stddef.h>

struct tls;
struct tls_config;
struct view;

/* Every way out of a connection, as the counter that it goes into. */
enum close_reason {
	CLOSE_DONE = M_CLOSE_DONE,
	CLOSE_PEER = M_CLOSE_PEER,
	CLOSE_PEER_ALERT = M_CLOSE_PEER_ALERT,
	CLOSE_NOT_TLS = M_CLOSE_NOT_TLS,
	CLOSE_BAD_HELLO = M_CLOSE_BAD_HELLO,
	CLOSE_NO_NAME = M_CLOSE_NO_NAME,
	CLOSE_UNKNOWN_NAME = M_CLOSE_UNKNOWN_NAME,
	CLOSE_NO_CERTIFICATE = M_CLOSE_NO_CERTIFICATE,
	CLOSE_TLS = M_CLOSE_TLS,
	CLOSE_HANDSHAKE_TIMEOUT = M_CLOSE_HANDSHAKE_TIMEOUT,
	CLOSE_REQUEST_TIMEOUT = M_CLOSE_REQUEST_TIMEOUT,
	CLOSE_WRITE_TIMEOUT = M_CLOSE_WRITE_TIMEOUT,
	CLOSE_IO = M_CLOSE_IO,
	CLOSE_NOMEM = M_CLOSE_NOMEM,
	CLOSE_STORE = M_CLOSE_STORE,
	CLOSE_CROWDED = M_CLOSE_CROWDED,
	CLOSE_CLIENT_LIMIT = M_CLOSE_CLIENT_LIMIT,
	CLOSE_HANDSHAKE_LIMIT = M_CLOSE_HANDSHAKE_LIMIT,
	CLOSE_STOPPING = M_CLOSE_STOPPING,
};

enum { SESSION_IN_MAX_BYTES = 65536 };

/* What the sessions of a worker share: one runs at a time, so they take turns with the buffers. */
struct session_env {
	struct view *view;
	const struct tls_config *tls;
	size_t hello_max_bytes;               /* kept of an incomplete ClientHello */
	size_t head_max_bytes;                /* of a request; HTTP_HEAD_MAX_BYTES at most */
	struct buf *out;                      /* records on their way to the client */
	struct buf response;                  /* plain text on its way into records */
	char head_bytes[HTTP_HEAD_MAX_BYTES]; /* plain text out of records */
};

/* session_env_init: with the largest ceilings. */
void session_env_init(struct session_env *env, struct view *view, const struct tls_config *tls, struct buf *out);
void session_env_deinit(struct session_env *env); /* accepts a zeroed one */

enum session_state {
	SESSION_HELLO,     /* until hello_parse says done; owns at most a buffer */
	SESSION_HANDSHAKE, /* owns a TLS engine, as the next */
	SESSION_REQUEST,   /* until http_parse_request says done */
	SESSION_OVER,
};

struct session {
	enum session_state state;
	enum close_reason reason; /* once it is over */
	struct session_env *env;
	struct span in;  /* the bytes of this call */
	struct buf kept; /* an incomplete ClientHello, later an incomplete head */
	char *host;      /* the server name, once there is an engine */
	struct tls *tls;
};

enum step {
	STEP_NEXT,  /* between steps only: the state changed, go on with its function */
	STEP_READ,  /* send what was produced, come again with more bytes */
	STEP_WRITE, /* over: send what was produced, then close in order; the reason counts then */
	STEP_CLOSE, /* over: close at once */
};

void session_init(struct session *s, struct session_env *env);
void session_deinit(struct session *s); /* may be called twice */

/* session_take: the next bytes, 1..SESSION_IN_MAX_BYTES, not kept. Never STEP_NEXT. Not once it is over. */
enum step session_take(struct session *s, struct span in);

/* session_end: from our side, where no answer is due any more: close_notify, if anybody can hear it. */
enum step session_end(struct session *s, enum close_reason reason);

#endif

#include "limits.h"

#include "../../config/settings.h"

enum {
	/* A restart should be quick, and quicker than the keeper's patience (8 s). */
	DRAIN_TIMEOUT_MS = 5000,
	/* A connection waits a round trip for its first bytes, not a second. */
	DRAIN_IDLE_MS = 1000,
};

/* share: rounded up, so that nobody is left with none. */
static size_t share(size_t all, size_t worker_count)
{
	size_t each = (all + worker_count - 1) / worker_count;
	return each ? each : 1;
}

void limits_share(const struct settings *s, size_t worker_count, size_t fd_max_count, struct limits *out)
{
	*out = (struct limits){
		.connections = share(s->limits_connections, worker_count),
		.connections_per_client = s->limits_connections_per_client,
		.handshakes = share(s->limits_handshakes, worker_count),
		.accepts_per_turn = s->limits_accepts_per_turn ? (int)s->limits_accepts_per_turn : 1,
		.handshake_timeout_ms = s->limits_handshake_timeout_ms,
		.request_timeout_ms = s->limits_request_timeout_ms,
		.write_timeout_ms = s->limits_write_timeout_ms,
		.linger_timeout_ms = s->limits_linger_timeout_ms,
		.hello_max_bytes = s->limits_hello_max_bytes,
		.head_max_bytes = s->limits_head_max_bytes,
		.linger_max_bytes = s->limits_linger_max_bytes,
		.drain_timeout_ms = DRAIN_TIMEOUT_MS,
		.drain_idle_ms = DRAIN_IDLE_MS,
	};
	if (out->connections > fd_max_count)
		out->connections = fd_max_count;
}

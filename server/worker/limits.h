/* limits: every deadline and ceiling of a worker's connections. Values only; the operator's are the
 * `limits` keys of config/keys.c, where each default has its reason.
 *
 * A deadline runs from the moment its phase begins and no progress moves it: a client that sends a byte at
 * a time gets no more time than one that sends nothing, and no connection lives longer than the sum of the
 * four. */
#ifndef WORKER_LIMITS_H
#define WORKER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct settings;

struct limits {
	size_t connections;            /* of this worker, as the next two */
	size_t connections_per_client; /* 0: no limit */
	size_t handshakes;             /* connections with a TLS engine */
	int accepts_per_turn;
	uint64_t handshake_timeout_ms; /* from accept until the TLS handshake is done */
	uint64_t request_timeout_ms;   /* from there until the request's head is complete */
	uint64_t write_timeout_ms;     /* until the system has taken all of the response */
	uint64_t linger_timeout_ms;    /* until the client has closed as well (RFC 9112 9.6) */
	size_t hello_max_bytes;        /* kept of an incomplete ClientHello */
	size_t head_max_bytes;
	size_t linger_max_bytes;   /* read and dropped meanwhile */
	uint64_t drain_timeout_ms; /* after SIGTERM, for all connections together */
	uint64_t drain_idle_ms;    /* after SIGTERM, for one that has not sent a byte */
};

/* limits_share: what each of worker_count workers may do, so that all of them keep to the settings.
 * fd_max_count: as many descriptors can connections have at most. */
void limits_share(const struct settings *settings, size_t worker_count, size_t fd_max_count, struct limits *out);

#endif

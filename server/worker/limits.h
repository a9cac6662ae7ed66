/* limits: every deadline and ceiling of a worker's connections, with its reason. Values only.
 *
 * A deadline runs from the moment its phase begins and no progress moves it: a client that sends a byte at a
 * time gets no more time than one that sends nothing, and no connection lives longer than the sum of the
 * four. */
#ifndef WORKER_LIMITS_H
#define WORKER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct limits {
	uint64_t handshake_timeout_ms; /* from accept until the TLS handshake is done */
	uint64_t request_timeout_ms;   /* from there until the request's head is complete */
	uint64_t write_timeout_ms;     /* until the system has taken all of the response */
	uint64_t linger_timeout_ms;    /* until the client has closed as well (RFC 9112 9.6) */
	size_t linger_max_bytes;       /* read and dropped meanwhile */
	uint64_t drain_timeout_ms;     /* after SIGTERM, for all connections together */
	uint64_t drain_idle_ms;        /* after SIGTERM, for one that has not sent a byte */
	size_t conn_max_count;         /* open at once; above it the oldest one goes */
	size_t engine_max_count;       /* of these, with a TLS engine */
};

/* 10 s: senders allow 2 to 60 s for everything, most of them 60; a satellite link needs about 3 for a
 * handshake. The four together stay below the 60 s after which any sender has given up.
 * 2 s, 256 KiB: a few round trips for what the client sends on while we have answered already, so that our
 * closing does not destroy the answer: a request of 100 KB is refused after its first 16.
 * 5 s, 1 s: a restart should be quick; a connection waits for its first bytes a round trip, not a second.
 * 16384, 4096: 16 MiB of silent connections, 160 MiB of engines at about 40 KiB. An honest client is gone
 * within a second: at the limit, the oldest connection is the least likely one to be honest. */
#define LIMITS_DEFAULT \
	((struct limits){ \
		.handshake_timeout_ms = 10000, \
		.request_timeout_ms = 10000, \
		.write_timeout_ms = 10000, \
		.linger_timeout_ms = 2000, \
		.linger_max_bytes = 262144, \
		.drain_timeout_ms = 5000, \
		.drain_idle_ms = 1000, \
		.conn_max_count = 16384, \
		.engine_max_count = 4096, \
	})

#endif

/* tls: a TLS server engine between two pieces of memory: input that the caller points it to, output that it
 * appends to a buffer. It knows no sockets and no time; certificates come from outside.
 *
 * TLS 1.2 and 1.3, ECDHE and AEAD only, ALPN "http/1.1"; no tickets, no renegotiation, no client
 * certificates. */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include "../../base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct mbed_pair;
struct tls;
struct tls_config; /* what all engines of a process share */

enum tls_result {
	TLS_DONE,
	TLS_MORE,        /* all input was taken and more is needed */
	TLS_PEER_CLOSED, /* the peer's close_notify */
	TLS_PEER_ALERT,  /* the peer's fatal alert */
	TLS_FAILED,      /* nothing fits both sides, or broken protocol: the output holds our alert */
	TLS_NOMEM,
};

int tls_config_new(struct tls_config **out, struct err *err);
void tls_config_free(struct tls_config *config); /* accepts NULL; after all its engines */

/* What an engine is made of. */
struct tls_args {
	const struct tls_config *config;
	struct mbed_pair *take_ec, *take_rsa; /* either may be NULL */
	bool prefers_aes128;                  /* the client offers TLS_AES_128_GCM_SHA256 */
	struct buf *out;                      /* where records go; may be one that several engines take turns with */
};

/* tls_new: 0, ERR_NOMEM. */
int tls_new(struct tls **out, const struct tls_args *args);
void tls_free(struct tls *t); /* accepts NULL */

/* tls_feed: the bytes that the next calls read from; kept by reference until one returns TLS_MORE or fails.
 * What was left of the bytes before is forgotten. */
void tls_feed(struct tls *t, struct span in);

/* tls_handshake: TLS_DONE once it is over; input may be left, which tls_read takes up. */
enum tls_result tls_handshake(struct tls *t);

/* tls_read: TLS_DONE with 1..cap bytes in into. */
enum tls_result tls_read(struct tls *t, char *into, size_t cap, size_t *out_len);

/* tls_write: all of plain, in as few records as it fits. TLS_DONE, TLS_NOMEM or TLS_FAILED. */
enum tls_result tls_write(struct tls *t, struct span plain);

/* tls_close_notify: nothing may be written afterwards (RFC 8446 6.1). */
enum tls_result tls_close_notify(struct tls *t);

#endif

/* lookup: the door to c-ares: many questions to the DNS at once, each answer by a callback.
 *
 * Over UDP with EDNS; what comes truncated or garbled, and what a resolver would not answer, is asked once more over
 * TCP, of every resolver in turn. No search domains. A question ends within some 10 seconds for each resolver; when
 * nothing at all was heard for LOOKUP_SILENCE_MAX_MS, all that are open end, and all later ones at once.
 *
 * How many are in flight at most, pace.h says. */
#ifndef VERIFY_LOOKUP_H
#define VERIFY_LOOKUP_H

#include "reply.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct lookup;

enum { LOOKUP_SILENCE_MAX_MS = 30000 };

/* lookup_open: resolvers: "192.0.2.1:53,[2001:db8::1]:53"; NULL: the system's. ERR_PARSE, ERR_NOMEM, ERR_IO. */
int lookup_open(struct lookup **out, const char *resolvers, struct err *err);

/* lookup_close: accepts NULL. Questions that are open get their callback, with REPLY_FAILED. */
void lookup_close(struct lookup *l);

/* The reply is valid during the call. May be called out of lookup_ask, lookup_run and lookup_close; may not call them.
 */
typedef void lookup_fn(void *ctx, const struct reply *r);

/* lookup_has_room: can one more be asked now? */
bool lookup_has_room(const struct lookup *l);

/* lookup_ask: while there is room. fn will be called once, also for what cannot be asked. name: a domain name, with a
 * NUL behind; kept until then. 0; ERR_NOMEM, ERR_IO: fn will not be called. */
int lookup_ask(struct lookup *l, const char *name, enum reply_type type, lookup_fn *fn, void *ctx, struct err *err);

/* lookup_run: waits for something to happen, at most a fiftieth of a second. ERR_NOMEM, ERR_IO: no use to go on. */
int lookup_run(struct lookup *l, struct err *err);

#endif

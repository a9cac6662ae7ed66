/* verdict: may a certificate be served, and what should its owner know? Facts in, sentences out; pure.
 *
 * An error (E13 of `check`) means that senders will not accept it, a warning (W09) that it should be mended. */
#ifndef CERTS_VERDICT_H
#define CERTS_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct chain;
struct pair;

enum { VERDICT_TEXT_BYTES = 384 };

/* text: NUL-terminated, not kept */
typedef void verdict_fn(void *ctx, bool is_error, const char *text);

/* verdict_refuses: true when the chain must not be stored, whatever its dates: no client could use it, it is
 * longer than the TLS library can send, or serving it would hurt others. Then text says why and what to do.
 * source  RFC 9525 6, RFC 5280 4.2.1.3 and 4.2.1.12, RFC 8446 4.4.2, CA/Browser Forum BR 6.1.5 */
bool verdict_refuses(const struct chain *c, char text[VERDICT_TEXT_BYTES]);

/* verdict_of_pair: what is to be said now about a pair that is stored: expired, not yet valid, expires soon,
 * self-signed, without issuers, must-staple. fn is called for each; at most once for its dates. */
void verdict_of_pair(const struct pair *p, int64_t now_unix_s, verdict_fn *fn, void *ctx);

#endif

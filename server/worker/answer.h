/* answer: which status a request deserves, and the bytes of the response.
 *
 * Pure: no store, no connection. The policy itself is the caller's to look up. */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include "../../base/http.h"
#include "../../base/metric.h"
#include "../../base/span.h"

#include <stdint.h>

struct buf;

#define ANSWER_PATH "/.well-known/mta-sts.txt" /* RFC 8461 3.2, RFC 8615 3 */

enum {
	ANSWER_CACHE_MAX_AGE_S = 60, /* for reverse proxies only: senders must not cache (RFC 8461 3.3) */
};

/* answer_judge: 200 when r asks for the policy of host (in the form of name.h; the TLS server name),
 * otherwise the status of the refusal. r was parsed with HTTP_DONE. The first that fits, as RFC 9110 orders
 * them: a server that is not the target's (7.4: 421) cannot know the resource, and what does not exist (404)
 * allows no method (405). */
int answer_judge(const struct http_request *r, struct span host);

/* answer_render: the response, appended to out. body is used with status 200 only; other bodies are ours: a
 * word or two that no client can take for a policy. method HEAD: the same head without content. Returns 0 or
 * out's failure. */
int answer_render(int status, enum http_method method, struct span body, int64_t now_unix_s, struct buf *out);

/* answer_metric: the counter of responses with that status, which is one of ours. */
enum metric answer_metric(int status);

#endif

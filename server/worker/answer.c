#include "answer.h"

#include "../../base/buf.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

static bool is_text_of(struct span s, struct span text)
{
	return s.len == text.len && strncasecmp(s.p, text.p, s.len) == 0;
}

/* RFC 9110 4.2.3: case does not count; a name with its final dot is the same name. */
static bool is_same_host(struct span asked, struct span host)
{
	if (asked.len && asked.p[asked.len - 1] == '.')
		asked.len--;
	return is_text_of(asked, host);
}

int answer_judge(const struct http_request *r, struct span host)
{
	/* RFC 9110 15.5.20: also a scheme that this connection is not for */
	if (r->scheme.len && !is_text_of(r->scheme, SPAN_LIT("https")))
		return 421;
	/* HTTP/1.0 may come without Host: then the server name is all that the client said */
	if (r->host.len && !is_same_host(r->host, host))
		return 421;
	bool is_whole_server = span_is(r->path, SPAN_LIT("*")); /* OPTIONS *, RFC 9112 3.2.4 */
	if (!is_whole_server && !span_is(r->path, SPAN_LIT(ANSWER_PATH)))
		return 404; /* with a query too: a resource of that name was never there */
	if (r->method != HTTP_GET && r->method != HTTP_HEAD)
		return 405;
	return 200;
}

int answer_render(int status, enum http_method method, struct span body, int64_t now_unix_s, struct buf *out)
{
	char text[64];
	if (status != 200) {
		int n = snprintf(text, sizeof text, "%s\r\n", http_reason(status));
		assert(n > 0 && (size_t)n < sizeof text);
		body = (struct span){text, (size_t)n};
	}
	struct http_response r = {
		.status = status,
		.allow = status == 405 ? "GET, HEAD" : NULL, /* RFC 9110 15.5.6 */
		.cache_max_age_s = status == 200 ? ANSWER_CACHE_MAX_AGE_S : 0,
		.content_len = body.len,
		.date_unix_s = now_unix_s,
	};
	if (buf_reserve(out, HTTP_RESPONSE_HEAD_MAX_BYTES) != 0)
		return out->failed;
	out->len += http_render_head(&r, out->p + out->len, HTTP_RESPONSE_HEAD_MAX_BYTES);
	return method == HTTP_HEAD ? 0 : buf_add_span(out, body); /* RFC 9110 9.3.2 */
}

enum metric answer_metric(int status)
{
	switch (status) {
	case 200: return M_RESPONSES_200;
	case 400: return M_RESPONSES_400;
	case 404: return M_RESPONSES_404;
	case 405: return M_RESPONSES_405;
	case 414: return M_RESPONSES_414;
	case 421: return M_RESPONSES_421;
	case 431: return M_RESPONSES_431;
	case 501: return M_RESPONSES_501;
	case 505: return M_RESPONSES_505;
	default: assert(status == 503); return M_RESPONSES_503;
	}
}

/* Any bytes as a request head. Besides memory: what is promised of the three results. */
#include "../../base/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_within(struct span s, const char *in, size_t len)
{
	return s.len == 0 || (s.p >= in && s.p + s.len <= in + len) || span_is(s, SPAN_LIT("/"));
}

static void check_done(const struct http_request *r, const char *in, size_t len)
{
	if (r->head_len == 0 || r->head_len > len || r->head_len > HTTP_HEAD_MAX_BYTES ||
	    in[r->head_len - 1] != '\n')
		abort();
	if (!is_within(r->scheme, in, len) || !is_within(r->path, in, len) || !is_within(r->host, in, len))
		abort();
	if (r->path.len == 0 || (r->path.p[0] != '/' && !span_is(r->path, SPAN_LIT("*"))))
		abort();
	if (r->host.len == 0 && (r->minor_version > 0 || r->scheme.len))
		abort();
}

static void check_bad(const struct http_request *r)
{
	switch (r->status) {
	case 400:
	case 414:
	case 431:
	case 501:
	case 505: return;
	default: abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole, part;
	const char *in = (const char *)data;
	enum http_result rc = http_parse_request(in, size, &whole);
	if (rc == HTTP_DONE)
		check_done(&whole, in, size);
	if (rc == HTTP_BAD)
		check_bad(&whole);
	if (rc == HTTP_MORE && size >= HTTP_HEAD_MAX_BYTES)
		abort();
	/* more bytes never change what was certain */
	enum http_result before = http_parse_request(in, size / 2, &part);
	if (before == HTTP_BAD && (rc != HTTP_BAD || part.status != whole.status))
		abort();
	if (before == HTTP_DONE && (rc != HTTP_DONE || part.head_len != whole.head_len))
		abort();
	return 0;
}

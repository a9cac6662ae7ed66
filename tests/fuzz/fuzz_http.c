/* Any bytes as a request head. Besides memory: what is promised of the three results.
 * The mutator changes a line and leaves the others: bytes that are changed blindly mostly end at the request line. */
#include "../../base/http.h"
#include "fuzz.h"

#include <string.h>

static bool is_within(struct span s, const char *in, size_t len)
{
	return s.len == 0 || (s.p >= in && s.p + s.len <= in + len) || span_is(s, SPAN_LIT("/"));
}

static void check_done(const struct http_request *r, const char *in, size_t len)
{
	insist(r->head_len > 0 && r->head_len <= len && r->head_len <= HTTP_HEAD_MAX_BYTES);
	insist(in[r->head_len - 1] == '\n');
	insist(is_within(r->scheme, in, len) && is_within(r->path, in, len) && is_within(r->host, in, len));
	insist(r->path.len > 0 && (r->path.p[0] == '/' || span_is(r->path, SPAN_LIT("*"))));
	insist(r->host.len > 0 || (r->minor_version == 0 && r->scheme.len == 0));
	insist(!memchr(in, '\0', r->head_len));
}

static void check_bad(const struct http_request *r)
{
	switch (r->status) {
	case 400:
	case 414:
	case 431:
	case 501:
	case 505: return;
	default: insist(false);
	}
}

/* check_head: what would be answered is a head, with nothing of the request in it. */
static void check_head(const struct http_request *r, int status)
{
	char out[HTTP_RESPONSE_HEAD_MAX_BYTES];
	struct http_response response = {
		.status = status, .content_len = r->head_len, .date_unix_s = (int64_t)r->head_len};
	response.allow = status == 405 ? "GET, HEAD" : NULL;
	response.cache_max_age_s = status == 200 ? 60 : 0;
	size_t len = http_render_head(&response, out, sizeof out);
	insist(len > 0 && len <= sizeof out && memcmp(out, "HTTP/1.1 ", 9) == 0 &&
	       memcmp(out + len - 4, "\r\n\r\n", 4) == 0);
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
	if (rc != HTTP_MORE)
		check_head(&whole, rc == HTTP_BAD ? whole.status : whole.method == HTTP_OTHER_KNOWN ? 405 : 200);
	insist(rc != HTTP_MORE || size < HTTP_HEAD_MAX_BYTES);
	/* more bytes never change what was certain */
	enum http_result before = http_parse_request(in, size / 2, &part);
	insist(before != HTTP_BAD || (rc == HTTP_BAD && part.status == whole.status));
	insist(before != HTTP_DONE || (rc == HTTP_DONE && part.head_len == whole.head_len));
	return 0;
}

/* --- the mutator --- */

static uint32_t seed;
static uint8_t scratch[1 << 16];

static size_t below(size_t n)
{
	return fuzz_random(&seed) % n;
}

/* A line with its end, at a random place. */
static void find_line(const uint8_t *p, size_t len, size_t *from, size_t *to)
{
	size_t at = below(len);
	for (*from = at; *from > 0 && p[*from - 1] != '\n';)
		(*from)--;
	for (*to = at; *to < len && p[*to] != '\n';)
		(*to)++;
	*to += *to < len;
}

/* replace: p[from..to) by n bytes of with; what does not fit is cut off. */
static size_t replace(uint8_t *p, size_t len, size_t max, size_t from, size_t to, const void *with, size_t n)
{
	n = n < max - from ? n : max - from;
	size_t rest = len - to < max - from - n ? len - to : max - from - n;
	memmove(p + from + n, p + to, rest);
	if (n)
		memcpy(p + from, with, n);
	return from + n + rest;
}

static size_t add_known_line(uint8_t *p, size_t len, size_t max, size_t at)
{
	static const char *const lines[] = {
		"Host: mta-sts.example.com\r\n",
		"Host: [2001:db8::1]:443\r\n",
		"Host: a@b\r\n",
		"HOST:\r\n",
		"Content-Length: 5\r\n",
		"Content-Length: 5, 5\r\n",
		"Content-Length: +1\r\n",
		"Transfer-Encoding: chunked\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: chunked, gzip\r\n",
		"X: \x80\xff\r\n",
		" folded\r\n",
		"\r\n",
		"\n",
		"X : y\r\n",
		"Expect: 100-continue\r\n",
		"GET / HTTP/1.1\r\n",
		"HEAD https://mta-sts.example.com:443/?q HTTP/1.0\r\n",
		"OPTIONS * HTTP/1.1\r\n",
		"CONNECT a:443 HTTP/1.1\r\n",
		"PRI * HTTP/2.0\r\n",
		"GET urn:x HTTP/1.1\r\n",
	};
	const char *line = lines[below(sizeof lines / sizeof *lines)];
	return replace(p, len, max, at, at, line, strlen(line));
}

static size_t change_line(uint8_t *p, size_t len, size_t max, size_t from, size_t to)
{
	size_t n = to - from < sizeof scratch ? to - from : sizeof scratch;
	memcpy(scratch, p + from, n);
	n = LLVMFuzzerMutate(scratch, n, sizeof scratch);
	return replace(p, len, max, from, to, scratch, n);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned new_seed)
{
	size_t from, to;
	seed = new_seed | 1;
	if (len == 0 || below(4) == 0)
		return LLVMFuzzerMutate(bytes, len, max);
	find_line(bytes, len, &from, &to);
	switch (below(5)) {
	case 0: return add_known_line(bytes, len, max, from);
	case 1: return replace(bytes, len, max, from, to, NULL, 0); /* one line less */
	case 2:                                                     /* twice */
		to = to - from < sizeof scratch ? to : from + sizeof scratch;
		memcpy(scratch, bytes + from, to - from);
		return replace(bytes, len, max, from, from, scratch, to - from);
	default: return change_line(bytes, len, max, from, to);
	}
}

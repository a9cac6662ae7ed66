#include "../../base/clock.h"
#include "../../base/http.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define HOST "Host: h.example\r\n"
#define END " HTTP/1.1\r\n" HOST "\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define PATH "/.well-known/mta-sts.txt"

static const char *result_name(enum http_result r)
{
	return r == HTTP_DONE ? "done" : r == HTTP_MORE ? "more" : "bad";
}

static enum http_result parse(const char *text, size_t len, struct http_request *out)
{
	enum http_result rc = http_parse_request(guard_copy(text, len), len, out);
	guard_free_all();
	return rc;
}

/* Whatever has been said about the beginning must hold for the whole: nothing is done too early, nothing bad
 * is forgiven. */
static void check_prefixes(int line, const char *text, size_t head_len, enum http_result want, int status)
{
	struct http_request r;
	for (size_t n = 0; n < head_len; n++) {
		enum http_result got = parse(text, n, &r);
		if (got == HTTP_DONE || (got == HTTP_BAD && (want != HTTP_BAD || r.status != status)))
			fail_msg("line %d: after %zu bytes: %s %d", line, n, result_name(got), r.status);
	}
}

static bool is_text(struct span s, const char *text)
{
	return span_is(s, span_of(text));
}

static void test_http_request_is_understood(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *in;
		enum http_method method;
		int minor;
		const char *scheme, *path, *host;
	} cases[] = {
		/* A-H1, A-H2, A-H4, A-H5 */
		{__LINE__, "GET " PATH " HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, 1, "", PATH, "h.example"},
		{__LINE__, "HEAD " PATH " HTTP/1.1\r\n" HOST "\r\n", HTTP_HEAD, 1, "", PATH, "h.example"},
		{__LINE__, "GET " PATH " HTTP/1.0\r\n" HOST "\r\n", HTTP_GET, 0, "", PATH, "h.example"},
		{__LINE__, "GET " PATH " HTTP/1.0\r\n\r\n", HTTP_GET, 0, "", PATH, ""},
		{__LINE__, "GET / HTTP/1.9\r\n" HOST "\r\n", HTTP_GET, 9, "", "/", "h.example"},
		{__LINE__, "POST /" END, HTTP_OTHER_KNOWN, 1, "", "/", "h.example"},
		{__LINE__, "PUT /" END, HTTP_OTHER_KNOWN, 1, "", "/", "h.example"},
		{__LINE__, "DELETE /" END, HTTP_OTHER_KNOWN, 1, "", "/", "h.example"},
		{__LINE__, "PATCH /" END, HTTP_OTHER_KNOWN, 1, "", "/", "h.example"},
		{__LINE__, "TRACE /" END, HTTP_OTHER_KNOWN, 1, "", "/", "h.example"},
		{__LINE__, "OPTIONS *" END, HTTP_OTHER_KNOWN, 1, "", "*", "h.example"},
		/* A-H7, A-H8: a path is what the client sent, and nothing is made of it */
		{__LINE__, "GET /../a/%2e%2e//?q=/" END, HTTP_GET, 1, "", "/../a/%2e%2e//?q=/", "h.example"},
		/* A-H12 */
		{__LINE__, "GET https://a.example" PATH END, HTTP_GET, 1, "https", PATH, "a.example"},
		{__LINE__, "GET https://a.example:443" PATH END, HTTP_GET, 1, "https", PATH, "a.example"},
		{__LINE__, "GET HTTP://a.example" END, HTTP_GET, 1, "HTTP", "/", "a.example"},
		{__LINE__, "GET https://a.example?q" END, HTTP_GET, 1, "https", "/", "a.example"},
		{__LINE__, "GET https://a.example/ HTTP/1.0\r\n\r\n", HTTP_GET, 0, "https", "/", "a.example"},
		/* A-H21 */
		{__LINE__, GET "Host: H.Example\r\n\r\n", HTTP_GET, 1, "", "/", "H.Example"},
		{__LINE__, GET "Host: a.example:443\r\n\r\n", HTTP_GET, 1, "", "/", "a.example"},
		{__LINE__, GET "Host: a.example:\r\n\r\n", HTTP_GET, 1, "", "/", "a.example"},
		{__LINE__, GET "Host: a.example.\r\n\r\n", HTTP_GET, 1, "", "/", "a.example."},
		{__LINE__, GET "Host: [::1]:9106\r\n\r\n", HTTP_GET, 1, "", "/", "[::1]"},
		{__LINE__, GET "Host: 127.0.0.1:9106\r\n\r\n", HTTP_GET, 1, "", "/", "127.0.0.1"},
		/* A-H23 */
		{__LINE__, GET "host:a\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		{__LINE__, GET "X: y\r\nHOST: \t a \t \r\nZ:\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		/* A-H15, A-H18 and other fields that do not concern us */
		{__LINE__, GET HOST "Range: bytes=0-9\r\nAccept-Encoding: gzip, br\r\n\r\n", HTTP_GET, 1, "", "/",
		 "h.example"},
		{__LINE__, GET "Host: a\r\nExpect: 100-continue\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		{__LINE__, GET "Host: a\r\nX: \x80\xff\ty\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		/* empty lines in front (RFC 9112 2.2) */
		{__LINE__, "\r\n" GET "Host: a\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		{__LINE__, "\r\n\r\n" GET "Host: a\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		/* framing of a content that nobody will read */
		{__LINE__, GET "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		{__LINE__, GET "Host: a\r\nTransfer-Encoding:, Chunked,\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
		{__LINE__, GET "Host: a\r\nContent-Length: 18446744073709551616\r\n\r\n", HTTP_GET, 1, "", "/", "a"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request r;
		size_t len = strlen(cases[i].in);
		enum http_result rc = parse(cases[i].in, len, &r);
		if (rc != HTTP_DONE)
			fail_msg("line %d: %s %d", cases[i].line, result_name(rc), r.status);
		/* spans point into a copy that is gone: parse again where the text stays */
		rc = http_parse_request(cases[i].in, len, &r);
		if (r.method != cases[i].method || r.minor_version != cases[i].minor || r.head_len != len ||
		    !is_text(r.scheme, cases[i].scheme) || !is_text(r.path, cases[i].path) ||
		    !is_text(r.host, cases[i].host))
			fail_msg("line %d: method %d minor %d scheme \"%.*s\" path \"%.*s\" host \"%.*s\"",
				 cases[i].line, (int)r.method, r.minor_version, SPAN_ARG(r.scheme), SPAN_ARG(r.path),
				 SPAN_ARG(r.host));
		check_prefixes(cases[i].line, cases[i].in, len, HTTP_DONE, 0);
	}
}

static void test_http_bad_request_is_refused(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *in;
		int status;
	} cases[] = {
		/* A-H6; RFC 9110 9.1: methods are case-sensitive */
		{__LINE__, "BREW " PATH " HTTP/1.1\r\n" HOST "\r\n", 501},
		{__LINE__, "get / HTTP/1.1\r\n" HOST "\r\n", 501},
		{__LINE__, "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", 501},
		{__LINE__, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 501},
		/* A-H10 */
		{__LINE__, GET "\r\n", 400},
		{__LINE__, GET "Host: a\r\nHost: a\r\n\r\n", 400},
		{__LINE__, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{__LINE__, GET "Host: a b\r\n\r\n", 400},
		{__LINE__, GET "Host: u@h.example\r\n\r\n", 400},
		{__LINE__, GET "Host: h.example/x\r\n\r\n", 400},
		{__LINE__, GET "Host: a:b\r\n\r\n", 400},
		{__LINE__, GET "Host: a:1:2\r\n\r\n", 400},
		{__LINE__, GET "Host: :443\r\n\r\n", 400},
		{__LINE__, GET "Host:\r\n\r\n", 400},
		{__LINE__, GET "Host: []\r\n\r\n", 400},
		{__LINE__, GET "Host: [::1\r\n\r\n", 400},
		{__LINE__, GET "Host: [::1]x\r\n\r\n", 400},
		{__LINE__, GET "Host: a\x80\r\n\r\n", 400},
		{__LINE__, GET "Host: a, b\r\n\r\n", 400},
		{__LINE__, "GET https://a.example/ HTTP/1.1\r\n\r\n", 400},
		{__LINE__, "GET https://a.example/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		/* A-H16 */
		{__LINE__, "\x16\x03\x01", 400},
		{__LINE__, "GET\r\n\r\n", 400},
		{__LINE__, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{__LINE__, "GET / HTTP/2.0\r\n" HOST "\r\n", 505},
		{__LINE__, "GET / HTTP/0.9\r\n" HOST "\r\n", 505},
		{__LINE__, "GET /\r\n", 400},
		{__LINE__, "GET  / HTTP/1.1\r\n", 400},
		{__LINE__, "GET /  HTTP/1.1\r\n", 400},
		{__LINE__, "GET /\tHTTP/1.1\r\n", 400},
		{__LINE__, "GET / HTTP/1.1 \r\n", 400},
		{__LINE__, "GET / http/1.1\r\n", 400},
		{__LINE__, "GET / HTTP/1.10\r\n", 400},
		{__LINE__, "GET / HTTP/11\r\n", 400},
		{__LINE__, " GET / HTTP/1.1\r\n", 400},
		{__LINE__, "\r\n\r\n\r\n", 400},
		{__LINE__, "\r\r\n", 400},
		{__LINE__, "GET /\x7f HTTP/1.1\r\n", 400},
		{__LINE__, "GET /\xc3\xa4 HTTP/1.1\r\n", 400},
		/* forms of a target that are nobody's (C70) */
		{__LINE__, "GET * HTTP/1.1\r\n", 400},
		{__LINE__, "GET a.example:443 HTTP/1.1\r\n", 400},
		{__LINE__, "GET index.html HTTP/1.1\r\n", 400},
		{__LINE__, "GET urn:x:y HTTP/1.1\r\n", 400},
		{__LINE__, "GET :// HTTP/1.1\r\n", 400},
		{__LINE__, "GET https:///x HTTP/1.1\r\n", 400},
		{__LINE__, "GET https://u:p@a.example/ HTTP/1.1\r\n", 400},
		{__LINE__, "GET https://a.example:x/ HTTP/1.1\r\n", 400},
		/* lines and fields */
		{__LINE__, "GET / HTTP/1.1\n", 400},
		{__LINE__, "\n", 400},
		{__LINE__, "\r\n\n", 400},
		{__LINE__, GET "Host: a\n", 400},
		{__LINE__, GET "Host: a\r\n\n", 400},
		{__LINE__, GET "Host: a\nX: y\r\n\r\n", 400},
		{__LINE__, GET "Host: a\rX: y\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\r\n\r\n", 400},
		{__LINE__, GET "Host : a\r\n\r\n", 400},
		{__LINE__, GET "Host\r\n\r\n", 400},
		{__LINE__, GET ": a\r\n\r\n", 400},
		{__LINE__, GET " Host: a\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\n folded\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nX: y\x01\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nX: y\x7f\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nX(y): z\r\n\r\n", 400},
		/* A-H17 */
		{__LINE__, GET "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nContent-Length: abc\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nContent-Length: 1, 2\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nContent-Length: -1\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nContent-Length: +1\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nContent-Length:\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
		{__LINE__, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{__LINE__, GET HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
		{__LINE__, GET "Host: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
		{__LINE__, GET "Host: a\r\nTransfer-Encoding:\r\n\r\n", 400},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request r;
		size_t len = strlen(cases[i].in);
		enum http_result rc = parse(cases[i].in, len, &r);
		if (rc != HTTP_BAD || r.status != cases[i].status)
			fail_msg("line %d: %s %d", cases[i].line, result_name(rc), r.status);
		check_prefixes(cases[i].line, cases[i].in, len, HTTP_BAD, cases[i].status);
	}
}

static void test_http_nul_is_bad_wherever_it_stands(void **state)
{
	(void)state;
	static const char good[] = "GET /a HTTP/1.1\r\nHost: a.b\r\nX: y\r\n\r\n";
	for (size_t i = 0; i < sizeof good - 1; i++) {
		char in[sizeof good];
		struct http_request r;
		memcpy(in, good, sizeof good);
		in[i] = '\0';
		enum http_result rc = parse(in, sizeof good - 1, &r);
		if (rc != HTTP_BAD || r.status != 400)
			fail_msg("NUL at %zu: %s %d", i, result_name(rc), r.status);
	}
}

static void test_http_bytes_behind_the_head_are_left_alone(void **state)
{
	(void)state;
	static const char in[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n";
	struct http_request r;
	assert_int_equal(parse(in, sizeof in - 1, &r), HTTP_DONE);
	assert_int_equal(r.head_len, strlen("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void test_http_method_is_known_when_the_rest_is_bad(void **state)
{
	(void)state;
	static const char in[] = "HEAD / HTTP/1.1\r\n\r\n";
	struct http_request r;
	assert_int_equal(parse(in, sizeof in - 1, &r), HTTP_BAD);
	assert_int_equal(r.method, HTTP_HEAD); /* so that the answer has no content */
}

/* fill: pattern with its one '#' stretched until the whole has len bytes. */
static size_t fill(char *out, const char *pattern, size_t len)
{
	const char *mark = strchr(pattern, '#');
	size_t before = (size_t)(mark - pattern), behind = strlen(mark + 1);
	memcpy(out, pattern, before);
	memset(out + before, 'a', len - before - behind);
	memcpy(out + len - behind, mark + 1, behind);
	return len;
}

static void test_http_limits_are_exact(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *pattern;
		size_t len;
		enum http_result rc;
		int status;
	} cases[] = {
		/* A-H13: a target of 7900 bytes, of as many as there may be, of one more, of 100000 */
		{__LINE__, "GET /# HTTP/1.0\r\n\r\n", 7900 + 17, HTTP_DONE, 0},
		{__LINE__, "GET /# HTTP/1.0\r\n\r\n", HTTP_TARGET_MAX_BYTES + 17, HTTP_DONE, 0},
		{__LINE__, "GET /# HTTP/1.0\r\n\r\n", HTTP_TARGET_MAX_BYTES + 18, HTTP_BAD, 414},
		{__LINE__, "GET /#", HTTP_TARGET_MAX_BYTES + 4, HTTP_MORE, 0},
		{__LINE__, "GET /#", HTTP_TARGET_MAX_BYTES + 5, HTTP_BAD, 414},
		{__LINE__, "GET /# HTTP/1.0\r\n\r\n", 100000, HTTP_BAD, 414},
		/* A-H14: one field of 64 KiB, a head that just fits, one that does not, one that cannot any
		 * more */
		{__LINE__, "GET / HTTP/1.0\r\nX: #\r\n\r\n", 65536, HTTP_BAD, 431},
		{__LINE__, "GET / HTTP/1.0\r\nX: #\r\n\r\n", HTTP_HEAD_MAX_BYTES, HTTP_DONE, 0},
		{__LINE__, "GET / HTTP/1.0\r\nX: #\r\n\r\n", HTTP_HEAD_MAX_BYTES + 1, HTTP_BAD, 431},
		{__LINE__, "GET / HTTP/1.0\r\nX: #", HTTP_HEAD_MAX_BYTES - 1, HTTP_MORE, 0},
		{__LINE__, "GET / HTTP/1.0\r\nX: #", HTTP_HEAD_MAX_BYTES, HTTP_BAD, 431},
		{__LINE__, "GET / HTTP/1.0\r\n#", HTTP_HEAD_MAX_BYTES, HTTP_BAD, 431},
	};
	static char in[131072];
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request r;
		enum http_result rc = parse(in, fill(in, cases[i].pattern, cases[i].len), &r);
		if (rc != cases[i].rc || r.status != cases[i].status)
			fail_msg("line %d: %s %d", cases[i].line, result_name(rc), r.status);
	}
}

static void test_http_fields_are_counted(void **state)
{
	(void)state;
	static char in[HTTP_HEAD_MAX_BYTES];
	for (int count = HTTP_FIELDS_MAX_COUNT - 1; count <= HTTP_FIELDS_MAX_COUNT + 1; count++) {
		struct http_request r;
		size_t len = (size_t)snprintf(in, sizeof in, "GET / HTTP/1.0\r\n");
		for (int i = 0; i < count; i++)
			len += (size_t)snprintf(in + len, sizeof in - len, "X-%d: y\r\n", i);
		len += (size_t)snprintf(in + len, sizeof in - len, "\r\n");
		enum http_result rc = parse(in, len, &r);
		assert_int_equal(rc, count > HTTP_FIELDS_MAX_COUNT ? HTTP_BAD : HTTP_DONE);
		assert_int_equal(r.status, count > HTTP_FIELDS_MAX_COUNT ? 431 : 0); /* A-H14 */
	}
}

static void test_http_response_head_is_golden(void **state)
{
	(void)state;
	enum { date = 784111777 };
	static const struct {
		int line;
		struct http_response r;
		const char *text;
	} cases[] = {
		{__LINE__,
		 {.status = 200, .cache_max_age_s = 60, .content_len = 70, .date_unix_s = date},
		 "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
		 "Content-Length: 70\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\n"},
		{__LINE__,
		 {.status = 405, .allow = "GET, HEAD", .content_len = 20, .date_unix_s = date},
		 "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		 "Content-Type: text/plain\r\nContent-Length: 20\r\nAllow: GET, HEAD\r\n"
		 "Connection: close\r\n\r\n"},
		{__LINE__,
		 {.status = 299, .content_type = "text/x", .date_unix_s = date},
		 "HTTP/1.1 299 Error\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/x\r\n"
		 "Content-Length: 0\r\nConnection: close\r\n\r\n"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[HTTP_RESPONSE_HEAD_MAX_BYTES];
		size_t len = http_render_head(&cases[i].r, out, sizeof out);
		if (!span_is((struct span){out, len}, span_of(cases[i].text)))
			fail_msg("line %d: %.*s", cases[i].line, (int)len, out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_request_is_understood),
		cmocka_unit_test(test_http_bad_request_is_refused),
		cmocka_unit_test(test_http_nul_is_bad_wherever_it_stands),
		cmocka_unit_test(test_http_bytes_behind_the_head_are_left_alone),
		cmocka_unit_test(test_http_method_is_known_when_the_rest_is_bad),
		cmocka_unit_test(test_http_limits_are_exact),
		cmocka_unit_test(test_http_fields_are_counted),
		cmocka_unit_test(test_http_response_head_is_golden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

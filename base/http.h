/* http: parse request heads and render response heads of HTTP/1.0 and 1.1, for an origin of GET and HEAD.
 *
 * Pure: no sockets, no allocation, no state. What a path or a host means is the caller's business.
 * It lives on the ground floor because workers (policies) and the keeper (metrics) both speak it. */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "span.h"

#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_HEAD_MAX_BYTES = 16384,  /* request line and fields; more: 431 */
	HTTP_TARGET_MAX_BYTES = 8192, /* more: 414; RFC 9112 3: request lines of 8000 at least */
	HTTP_FIELDS_MAX_COUNT = 100,  /* more: 431 */
	HTTP_RESPONSE_HEAD_MAX_BYTES = 512,
};

enum http_result {
	HTTP_DONE, /* out is filled in, out->head_len bytes belong to the head */
	HTTP_MORE, /* come again with more bytes behind the same ones */
	HTTP_BAD,  /* answer with out->status and close */
};

/* HTTP_OTHER_KNOWN: POST, PUT, DELETE, OPTIONS, TRACE (RFC 9110 9.3), PATCH (RFC 5789); 405 where they are
 * not welcome. */
enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER_KNOWN };

struct http_request {
	enum http_method method; /* if it was read, with HTTP_BAD too: no answer to HEAD has content */
	int minor_version;       /* HTTP/1.x */
	struct span scheme;      /* of an absolute-form target, as sent; otherwise empty */
	struct span path;        /* starts with '/', with any query; or "*", for OPTIONS only */
	struct span host;        /* without port, else as sent; empty only for HTTP/1.0 without Host */
	size_t head_len;
	int status; /* HTTP_BAD: 400, 414, 431, 501 or 505 */
};

/* http_parse_request: a request head out of in[0..len).
 * Leading empty lines (at most two) are skipped (RFC 9112 2.2). Every line ends in CRLF.
 * 400      a bare CR or LF, NUL or other control character; obs-fold; white space before the colon; no Host in
 *          HTTP/1.1, two of them, an empty or invalid one (also beside an absolute-form, which otherwise
 *          overrides it); user information in an authority; Content-Length that is doubled or no number;
 *          Transfer-Encoding beside Content-Length, in HTTP/1.0, or not ending in chunked
 * 501      a method or a transfer coding that we do not know
 * 414/431  a target, a head or a number of fields above the limits
 * 505      not HTTP/1.x
 * A port after the host must be decimal digits (or empty) and is dropped. A trailing dot of the host is kept.
 * HTTP_BAD as soon as it is certain; HTTP_MORE only while a correct head may still come, and never when len
 * is HTTP_HEAD_MAX_BYTES or more.
 * allocates nothing; spans point into in (path may be a literal)
 * source   RFC 9112 2-6, RFC 9110 4.2 and 7.2, RFC 6585 5 */
enum http_result http_parse_request(const char *in, size_t len, struct http_request *out);

/* What a response says besides its status: see http_render_head. */
struct http_response {
	int status;
	const char *content_type; /* NULL: "text/plain" */
	const char *allow;        /* NULL: none */
	uint32_t cache_max_age_s; /* 0: no Cache-Control */
	size_t content_len;       /* of the body a GET would get (RFC 9110 9.3.2) */
	int64_t date_unix_s;
};

/* http_render_head: "HTTP/1.1 200 OK" … empty line, into out (cap: HTTP_RESPONSE_HEAD_MAX_BYTES at least;
 * content_type and allow, which are ours, must leave it enough). Always with Date, Content-Type,
 * Content-Length and Connection: close. Returns the length, never 0; no NUL behind. */
size_t http_render_head(const struct http_response *r, char *out, size_t cap);

/* http_reason: "Not Found" for 404; "Error" for a code it does not know. */
const char *http_reason(int status);

#endif

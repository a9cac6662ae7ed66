#include "http.h"

#include "clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

enum {
	METHOD_MAX_BYTES = 32,     /* the longest registered one has 17 */
	EMPTY_LINES_MAX_COUNT = 2, /* RFC 9112 2.2: one at least */
};

/* A head while it is being read: p moves on, everything before it was right. */
struct head {
	const char *p;
	const char *end;
	struct http_request *out;
	size_t field_count;
	bool has_host, has_length, has_codings;
	bool is_chunked_last, has_unknown_coding; /* of all transfer codings so far */
	struct span host;                         /* of the Host field */
};

static enum http_result bad(struct head *h, int status)
{
	h->out->status = status;
	return HTTP_BAD;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c);
}

/* tchar of RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
	return is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

static bool is_target_char(char c)
{
	return c > 0x20 && c < 0x7f;
}

/* field-vchar, obs-text, SP and HTAB of RFC 9110 5.5; plain char may be signed */
static bool is_value_char(char c)
{
	unsigned char u = (unsigned char)c;
	return (u >= 0x20 && u != 0x7f) || u == '\t';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_text(struct span s, const char *lower_case)
{
	return s.len == strlen(lower_case) && strncasecmp(s.p, lower_case, s.len) == 0;
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* take: the run of bytes of one class; HTTP_DONE only when the byte behind it is there as well. */
static enum http_result take(struct head *h, bool (*is_of_class)(char), struct span *out)
{
	const char *p = h->p;
	while (p < h->end && is_of_class(*p))
		p++;
	*out = (struct span){h->p, (size_t)(p - h->p)};
	h->p = p;
	return p < h->end ? HTTP_DONE : HTTP_MORE;
}

/* RFC 9112 2.2: a bare CR ends no line, and a bare LF need not be taken for an end: what two parsers see
 * two ways is how requests are smuggled. */
static enum http_result take_line_end(struct head *h)
{
	if (h->p == h->end)
		return HTTP_MORE;
	if (*h->p != '\r')
		return bad(h, 400);
	if (h->p + 1 == h->end)
		return HTTP_MORE;
	if (h->p[1] != '\n')
		return bad(h, 400);
	h->p += 2;
	return HTTP_DONE;
}

static enum http_result skip_empty_lines(struct head *h)
{
	for (int i = 0; i < EMPTY_LINES_MAX_COUNT; i++) {
		if (h->p == h->end)
			return HTTP_MORE;
		if (*h->p != '\r' && *h->p != '\n')
			return HTTP_DONE;
		enum http_result rc = take_line_end(h);
		if (rc != HTTP_DONE)
			return rc;
	}
	return HTTP_DONE;
}

static bool find_method(struct span s, enum http_method *out)
{
	static const struct {
		const char *name;
		enum http_method method;
	} known[] = {
		{"GET", HTTP_GET},           {"HEAD", HTTP_HEAD},          {"POST", HTTP_OTHER_KNOWN},
		{"PUT", HTTP_OTHER_KNOWN},   {"DELETE", HTTP_OTHER_KNOWN}, {"OPTIONS", HTTP_OTHER_KNOWN},
		{"TRACE", HTTP_OTHER_KNOWN}, {"PATCH", HTTP_OTHER_KNOWN},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (span_is(s, span_of(known[i].name))) {
			*out = known[i].method;
			return true;
		}
	}
	return false;
}

static bool is_host_char(char c)
{
	/* reg-name of RFC 3986 3.2.2; "%" is checked no further: no name of ours has one */
	return is_alnum(c) || is_one_of(c, "-._~%!$&'()*+,;=");
}

static bool is_literal_char(char c)
{
	return is_alnum(c) || is_one_of(c, ":.");
}

/* host [":" port] of RFC 9110 7.2; neither user information (4.2.4) nor an empty host (4.2.2) */
static bool parse_authority(struct span s, struct span *host)
{
	size_t n = 0;
	if (s.len && s.p[0] == '[') {
		for (n = 1; n < s.len && is_literal_char(s.p[n]);)
			n++;
		if (n == 1 || n == s.len || s.p[n] != ']')
			return false;
		n++;
	} else {
		while (n < s.len && is_host_char(s.p[n]))
			n++;
	}
	*host = (struct span){s.p, n};
	if (n == 0)
		return false;
	if (n < s.len && s.p[n++] != ':')
		return false;
	while (n < s.len && is_digit(s.p[n]))
		n++;
	return n == s.len;
}

/* scheme "://" authority [path] of RFC 9112 3.2.2 */
static bool parse_absolute_form(struct span target, struct http_request *out)
{
	size_t n = 0;
	while (n < target.len && (is_alnum(target.p[n]) || is_one_of(target.p[n], "+-.")))
		n++;
	out->scheme = (struct span){target.p, n};
	if (n == 0 || target.len - n < 3 || memcmp(target.p + n, "://", 3) != 0)
		return false;
	struct span rest = {target.p + n + 3, target.len - n - 3};
	for (n = 0; n < rest.len && rest.p[n] != '/' && rest.p[n] != '?';)
		n++;
	/* an empty path is "/" (RFC 9110 4.2.3); no resource of ours is told apart by a query behind it */
	bool has_path = n < rest.len && rest.p[n] == '/';
	out->path = has_path ? (struct span){rest.p + n, rest.len - n} : SPAN_LIT("/");
	return parse_authority((struct span){rest.p, n}, &out->host);
}

static bool parse_target(struct span method, struct span target, struct http_request *out)
{
	if (target.p[0] == '/' || (span_is(target, SPAN_LIT("*")) && span_is(method, SPAN_LIT("OPTIONS")))) {
		out->path = target;
		return true;
	}
	return parse_absolute_form(target, out);
}

/* "HTTP/1.1": case counts (RFC 9112 2.3) */
static enum http_result take_version(struct head *h, int *major, int *minor)
{
	static const char form[] = "HTTP/d.d";
	for (size_t i = 0; i < sizeof form - 1; i++) {
		if (h->p + i == h->end)
			return HTTP_MORE;
		if (form[i] == 'd' ? !is_digit(h->p[i]) : h->p[i] != form[i])
			return bad(h, 400);
	}
	*major = h->p[5] - '0';
	*minor = h->p[7] - '0';
	h->p += sizeof form - 1;
	return HTTP_DONE;
}

/* take_word: bytes of one class and the single blank behind them (RFC 9112 3). */
static enum http_result take_word(struct head *h, bool (*is_of_class)(char), size_t max, int too_long_status,
				  struct span *out)
{
	enum http_result rc = take(h, is_of_class, out);
	if (out->len > max)
		return bad(h, too_long_status);
	if (rc != HTTP_DONE)
		return rc;
	if (out->len == 0 || *h->p != ' ')
		return bad(h, 400);
	h->p++;
	return HTTP_DONE;
}

static enum http_result parse_request_line(struct head *h)
{
	struct span method, target;
	int major;
	/* RFC 9112 3: a method longer than any that is known is 501 */
	enum http_result rc = take_word(h, is_token_char, METHOD_MAX_BYTES, 501, &method);
	if (rc != HTTP_DONE)
		return rc;
	bool is_known = find_method(method, &h->out->method);
	rc = take_word(h, is_target_char, HTTP_TARGET_MAX_BYTES, 414, &target);
	if (rc == HTTP_DONE)
		rc = take_version(h, &major, &h->out->minor_version);
	if (rc == HTTP_DONE)
		rc = take_line_end(h);
	if (rc != HTTP_DONE)
		return rc;
	if (major != 1)
		return bad(h, 505);
	if (!is_known) /* RFC 9110 9.1: whatever the target, so its form is not looked at */
		return bad(h, 501);
	return parse_target(method, target, h->out) ? HTTP_DONE : bad(h, 400);
}

/* note_codings: one line of the list of transfer codings; empty elements count for nothing (RFC 9110
 * 5.6.1.2). */
static void note_codings(struct head *h, struct span list)
{
	h->has_codings = true;
	while (list.len) {
		const char *comma = memchr(list.p, ',', list.len);
		size_t n = comma ? (size_t)(comma - list.p) : list.len;
		struct span coding = trim((struct span){list.p, n});
		list.p += comma ? n + 1 : n;
		list.len -= comma ? n + 1 : n;
		if (coding.len == 0)
			continue;
		bool was_chunked = h->is_chunked_last;
		h->is_chunked_last = is_text(coding, "chunked") && !was_chunked;
		if (!is_text(coding, "chunked"))
			h->has_unknown_coding = true;
	}
}

static bool is_number(struct span s)
{
	size_t n = 0;
	while (n < s.len && is_digit(s.p[n]))
		n++;
	return n && n == s.len;
}

/* note_field: the three fields that decide whether a request is well-formed. */
static enum http_result note_field(struct head *h, struct span name, struct span value)
{
	if (is_text(name, "host")) {
		if (h->has_host || !parse_authority(value, &h->host)) /* RFC 9112 3.2 */
			return bad(h, 400);
		h->has_host = true;
	} else if (is_text(name, "content-length")) {
		if (h->has_length || !is_number(value)) /* RFC 9112 6.3 */
			return bad(h, 400);
		h->has_length = true;
	} else if (is_text(name, "transfer-encoding")) {
		note_codings(h, value);
	}
	return HTTP_DONE;
}

static enum http_result parse_field(struct head *h)
{
	struct span name, value;
	enum http_result rc = take(h, is_token_char, &name);
	if (rc != HTTP_DONE)
		return rc;
	/* RFC 9112 5.1: no white space before the colon; 5.2: no folded line, which begins with a blank */
	if (name.len == 0 || *h->p != ':')
		return bad(h, 400);
	h->p++;
	rc = take(h, is_value_char, &value);
	if (rc == HTTP_DONE)
		rc = take_line_end(h);
	if (rc != HTTP_DONE)
		return rc;
	if (++h->field_count > HTTP_FIELDS_MAX_COUNT)
		return bad(h, 431);
	return note_field(h, name, trim(value));
}

/* What only the whole head can tell. */
static enum http_result finish(struct head *h)
{
	bool is_1_0 = h->out->minor_version == 0;
	if (!h->has_host && !is_1_0) /* RFC 9112 3.2, also beside an absolute-form */
		return bad(h, 400);
	if (h->has_codings) {
		/* RFC 9112 6.1 for the first two; 6.3: without chunked at the end the length is unknown */
		if (h->has_length || is_1_0 || !h->is_chunked_last)
			return bad(h, 400);
		if (h->has_unknown_coding)
			return bad(h, 501);
	}
	if (h->out->scheme.len == 0) /* RFC 9112 3.2.2: the authority of an absolute-form overrides Host */
		h->out->host = h->host;
	return HTTP_DONE;
}

static enum http_result parse_head(struct head *h)
{
	enum http_result rc = skip_empty_lines(h);
	if (rc == HTTP_DONE)
		rc = parse_request_line(h);
	while (rc == HTTP_DONE) {
		if (h->p == h->end)
			return HTTP_MORE;
		if (*h->p == '\r' || *h->p == '\n') {
			rc = take_line_end(h);
			return rc == HTTP_DONE ? finish(h) : rc;
		}
		rc = parse_field(h);
	}
	return rc;
}

enum http_result http_parse_request(const char *in, size_t len, struct http_request *out)
{
	*out = (struct http_request){0};
	size_t used = len < HTTP_HEAD_MAX_BYTES ? len : HTTP_HEAD_MAX_BYTES;
	struct head h = {.p = in, .end = in + used, .out = out};
	enum http_result rc = parse_head(&h);
	if (rc == HTTP_MORE && used == HTTP_HEAD_MAX_BYTES)
		return bad(&h, 431); /* the request line alone cannot fill it: its parts have their limits */
	out->head_len = (size_t)(h.p - in);
	return rc;
}

size_t http_render_head(const struct http_response *r, char *out, size_t cap)
{
	char date[CLOCK_HTTP_BYTES];
	char cache[48] = "";
	clock_render_http(r->date_unix_s, date);
	if (r->cache_max_age_s)
		(void)snprintf(cache, sizeof cache, "Cache-Control: max-age=%" PRIu32 "\r\n", r->cache_max_age_s);
	int n = snprintf(out, cap,
			 "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s%s%s"
			 "Connection: close\r\n\r\n",
			 r->status, http_reason(r->status), date, r->content_type ? r->content_type : "text/plain",
			 r->content_len, cache, r->allow ? "Allow: " : "", r->allow ? r->allow : "",
			 r->allow ? "\r\n" : "");
	assert(n > 0 && (size_t)n < cap);
	return (size_t)n;
}

const char *http_reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 414: return "URI Too Long";
	case 421: return "Misdirected Request";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Error";
	}
}

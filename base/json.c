#include "json.h"

#include "clock.h"

#include <inttypes.h>

void json_begin(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

static void separate(struct json *j)
{
	if (j->wants_comma)
		(void)buf_add_char(j->out, ',');
	j->wants_comma = true;
}

void json_open(struct json *j, char bracket)
{
	separate(j);
	(void)buf_add_char(j->out, bracket);
	j->wants_comma = false;
}

void json_close(struct json *j, char bracket)
{
	(void)buf_add_char(j->out, bracket);
	j->wants_comma = true;
}

/* Length of the UTF-8 sequence that s begins with; 0: none (RFC 3629 4). */
static size_t sequence_len(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
	if (len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	bool is_bad = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
		      (p[0] == 0xF4 && p[1] > 0x8F);
	return is_bad ? 0 : len;
}

/* Length of what s begins with that is ASCII and wants no escape: nearly always all of it. */
static size_t plain_len(struct span s)
{
	size_t n = 0;
	while (n < s.len && s.p[n] >= 0x20 && s.p[n] < 0x7F && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

static void add_quoted(struct buf *out, struct span s)
{
	(void)buf_add_char(out, '"');
	while (s.len) {
		size_t plain = plain_len(s);
		(void)buf_add(out, s.p, plain);
		s = (struct span){s.p + plain, s.len - plain};
		if (s.len == 0)
			break;
		unsigned char c = (unsigned char)s.p[0];
		size_t len = sequence_len(s);
		if (len == 0)
			(void)buf_add_text(out, "\\ufffd");
		else if (c < 0x20 || c == 0x7F)
			(void)buf_printf(out, "\\u%04x", (unsigned)c);
		else if (c == '"' || c == '\\')
			(void)buf_printf(out, "\\%c", c);
		else
			(void)buf_add(out, s.p, len);
		len = len ? len : 1;
		s = (struct span){s.p + len, s.len - len};
	}
	(void)buf_add_char(out, '"');
}

void json_key(struct json *j, const char *key)
{
	separate(j);
	add_quoted(j->out, span_of(key));
	(void)buf_add_char(j->out, ':');
	j->wants_comma = false;
}

void json_text(struct json *j, struct span s)
{
	separate(j);
	add_quoted(j->out, s);
}

void json_number(struct json *j, int64_t n)
{
	separate(j);
	(void)buf_printf(j->out, "%" PRId64, n);
}

void json_bool(struct json *j, bool b)
{
	separate(j);
	(void)buf_add_text(j->out, b ? "true" : "false");
}

void json_null(struct json *j)
{
	separate(j);
	(void)buf_add_text(j->out, "null");
}

void json_put_text(struct json *j, const char *key, struct span s)
{
	json_key(j, key);
	json_text(j, s);
}

void json_put_number(struct json *j, const char *key, int64_t n)
{
	json_key(j, key);
	json_number(j, n);
}

void json_put_bool(struct json *j, const char *key, bool b)
{
	json_key(j, key);
	json_bool(j, b);
}

void json_put_time(struct json *j, const char *key, int64_t unix_s)
{
	char text[CLOCK_ISO_BYTES];
	json_key(j, key);
	if (unix_s == 0) {
		json_null(j);
		return;
	}
	clock_render_iso(unix_s, text);
	json_text(j, span_of(text));
}

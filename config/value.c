#include "value.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "../base/log.h"
#include "../base/name.h"
#include "policy.h"
#include "spec.h"

#include <stdarg.h>
#include <stdio.h>

int value_wrong(struct value_error *e, const char *code, const char *hint, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	(void)snprintf(e->code, sizeof e->code, "%s", code);
	e->hint = hint;
	return ERR_PARSE;
}

int value_no_memory(struct value_error *e)
{
	(void)value_wrong(e, "E16", NULL, "out of memory");
	return ERR_NOMEM;
}

bool value_has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c < 0x20 || c == 0x7F)
			return true;
	}
	return false;
}

int value_check_control(struct span text, const char *what, struct value_error *e)
{
	if (!value_has_control(text))
		return 0;
	return value_wrong(e, "E06", "write it on one line, without escapes", "%s holds a control character: %s", what,
			   LOG_QUOTE(text));
}

int value_parse_number(struct span text, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;
	if (text.len == 0 || (text.len > 1 && text.p[0] == '0'))
		return ERR_PARSE;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return ERR_PARSE;
		if (n <= UINT32_MAX) /* far enough: any number of digits */
			n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (n < min || n > max)
		return ERR_RANGE;
	*out = (uint32_t)n;
	return 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *mode_hint(struct span text)
{
	static const char *const likely[][2] = {
		{"none", "did you mean `none`? modes are lower case"},
		{"testing", "did you mean `testing`? modes are lower case"},
		{"enforce", "did you mean `enforce`? modes are lower case"},
		{"enforced", "did you mean `enforce`?"},
		{"test", "did you mean `testing`?"},
		{"report", "did you mean `testing`?"},
		{"off", "did you mean `none`?"},
	};
	for (size_t i = 0; i < sizeof likely / sizeof *likely; i++) {
		size_t len = strlen(likely[i][0]), n = 0;
		while (n < len && n < text.len && lower(text.p[n]) == likely[i][0][n])
			n++;
		if (n == len && n == text.len)
			return likely[i][1];
	}
	return "write `none`, `testing` or `enforce`";
}

int value_parse_mode(struct span text, uint32_t *out_mode, struct value_error *e)
{
	enum policy_mode mode;
	int rc = value_check_control(text, "mode", e);
	if (rc)
		return rc;
	if (policy_parse_mode(text, &mode) != 0)
		return value_wrong(e, "E01", mode_hint(text), "%s is no mode", LOG_QUOTE(text));
	*out_mode = mode;
	return 0;
}

int value_parse_max_age(struct span text, uint32_t *out_s, struct value_error *e)
{
	int rc = value_check_control(text, "max_age", e);
	if (rc)
		return rc;
	rc = value_parse_number(text, 0, POLICY_MAX_AGE_MAX_S, out_s);
	if (rc == ERR_RANGE)
		return value_wrong(e, "E02", "a year is 31536000", "max_age %s is more than 31557600", LOG_QUOTE(text));
	if (rc)
		return value_wrong(e, "E02", "a week is 604800: digits only, no unit, sign, blank or leading zero",
				   "max_age %s is no plain number of seconds", LOG_QUOTE(text));
	return 0;
}

static bool has_char(struct span s, char c)
{
	return s.len && memchr(s.p, c, s.len);
}

static const char *mx_hint(struct span text)
{
	if (has_char(text, ','))
		return "one host per item: mx: [mx1.example.com, mx2.example.com]";
	if (text.len && (has_char(text, '[') || (text.p[text.len - 1] >= '0' && text.p[text.len - 1] <= '9' &&
						 !has_char(text, ':') && !has_char(text, '_'))))
		return "senders compare the certificate with a host name: write the MX host's name";
	if (has_char(text, '/'))
		return "write the bare host name";
	if (has_char(text, ' '))
		return "write the bare host name, without a priority";
	if (has_char(text, ':'))
		return "write the bare host name, without a port";
	if (has_char(text, '*'))
		return "a wildcard stands for one whole left-most label: \"*.mx.example.com\"";
	return NULL;
}

int value_add_mx(struct span text, struct buf *packed, enum value_note *note, struct value_error *e)
{
	struct name n;
	struct err err = {0};
	*note = VALUE_FINE;
	int rc = value_check_control(text, "mx", e);
	if (rc)
		return rc;
	rc = name_parse_mx(text, &n, &err);
	if (rc == ERR_NOMEM)
		return value_no_memory(e);
	if (rc) /* E05 is about lengths and empty labels, E04 about everything else that is no pattern */
		return value_wrong(e, rc == ERR_RANGE ? "E05" : "E04", mx_hint(text), "mx %s", err.text);
	struct span s = name_span(&n);
	if (n.was_changed)
		*note = VALUE_NORMALISED;
	if (name_label_count(s) == 1)
		*note = VALUE_SINGLE_LABEL;
	if (pack_has(buf_span(packed), s)) {
		*note = VALUE_DUPLICATE;
		return 0;
	}
	if (packed->len + s.len + 1 > packed->max) {
		*note = VALUE_TOO_MANY;
		return 0;
	}
	rc = pack_add(packed, s);
	return rc ? value_no_memory(e) : 0;
}

int value_check_id(struct span text, struct value_error *e)
{
	const char *hint = "1 to 32 letters or digits, such as a date: 20260205120000";
	int rc = value_check_control(text, "id", e);
	if (rc)
		return rc;
	bool is_good = text.len >= 1 && text.len <= 32;
	for (size_t i = 0; i < text.len && is_good; i++) {
		char c = lower(text.p[i]);
		is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
	}
	return is_good ? 0 : value_wrong(e, "E09", hint, "%s is no id", LOG_QUOTE(text));
}

static bool is_hex(char c)
{
	c = lower(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* RFC 3986 2: the characters that a URI is made of */
static bool is_uri_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= 0x20 || c >= 0x7F || strchr("\"<>\\^`{|}", c))
			return false;
		if (c == '%' && !(i + 2 < s.len && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2])))
			return false;
	}
	return true;
}

static bool begins(struct span s, const char *prefix, struct span *rest)
{
	size_t n = strlen(prefix);
	if (s.len < n || memcmp(s.p, prefix, n) != 0)
		return false;
	*rest = (struct span){s.p + n, s.len - n};
	return true;
}

static size_t span_until(struct span s, const char *ends)
{
	size_t len = 0;
	while (len < s.len && !strchr(ends, s.p[len]))
		len++;
	return len;
}

static bool is_mailbox(struct span s)
{
	s.len = span_until(s, "?#"); /* RFC 6068 2: what follows are header fields */
	const char *at = s.len ? memrchr(s.p, '@', s.len) : NULL;
	if (!at || at == s.p)
		return false;
	struct name n;
	return name_parse((struct span){at + 1, s.len - (size_t)(at + 1 - s.p)}, &n, NULL) == 0;
}

static bool is_https_rest(struct span s)
{
	struct span authority = {s.p, span_until(s, "/?#")};
	struct span host = {s.p, span_until(authority, ":")};
	for (size_t i = host.len + 1; i < authority.len; i++) /* RFC 3986 3.2.3: a port is digits, or nothing */
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	struct name n;
	return name_parse(host, &n, NULL) == 0;
}

int value_add_rua(struct span text, struct buf *value, struct value_error *e)
{
	const char *hint = "such as mailto:tls-reports@example.com or https://reports.example.com/v1";
	struct span rest;
	int rc = value_check_control(text, "tls_rpt", e);
	if (rc)
		return rc;
	bool is_mail = begins(text, "mailto:", &rest);
	bool is_https = !is_mail && begins(text, "https://", &rest);
	if (!is_mail && !is_https)
		return value_wrong(e, "E10", hint, "%s is no mailto: or https: URI", LOG_QUOTE(text));
	if (!is_uri_text(text))
		return value_wrong(e, "E10", "percent-encode what is no plain ASCII", "%s holds what no URI may hold",
				   LOG_QUOTE(text));
	if (is_mail ? !is_mailbox(rest) : !is_https_rest(rest))
		return value_wrong(e, "E10", hint, "%s has no %s", LOG_QUOTE(text), is_mail ? "mailbox" : "host");
	(void)buf_add_text(value, value->len ? "," : "v=TLSRPTv1; rua=");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == ',' || c == '!' || c == ';') /* RFC 8460 3: they would end the URI */
			(void)buf_printf(value, "%%%02X", (unsigned)c);
		else
			(void)buf_add_char(value, c);
	}
	if (value->failed == ERR_NOMEM)
		return value_no_memory(e);
	return value->failed ? value_wrong(e, "E10", NULL, "the list of report addresses is too long") : 0;
}

int value_parse_domain(struct span text, struct name *out, struct value_error *e)
{
	struct err err = {0};
	struct span rest;
	int rc = value_check_control(text, "the domain name", e);
	if (rc)
		return rc;
	if (has_char(text, '*'))
		return value_wrong(e, "E07", "a subdomain never inherits a policy: list each mail domain",
				   "%s: a domain cannot be a wildcard", LOG_QUOTE(text));
	if (begins(text, "_mta-sts.", &rest) || begins(text, "_smtp._tls.", &rest))
		return value_wrong(e, "E07", "write the mail domain itself",
				   "%s is the name of a record, not a mail domain", LOG_QUOTE(text));
	rc = name_parse(text, out, &err);
	if (rc)
		return rc == ERR_NOMEM ? value_no_memory(e) : value_wrong(e, "E07", NULL, "domain %s", err.text);
	if (begins(name_span(out), "mta-sts.", &rest))
		return value_wrong(e, "E07", "write the mail domain itself, without `mta-sts.`",
				   "%s is the name of a policy host, not a mail domain", LOG_QUOTE(text));
	if (name_label_count(name_span(out)) < 2)
		return value_wrong(e, "E07", NULL, "domain %s has only one label", LOG_QUOTE(text));
	if (out->len + sizeof "_smtp._tls" > NAME_MAX_BYTES)
		return value_wrong(e, "E07", NULL, "domain %s is too long for the records in front of it",
				   LOG_QUOTE(text));
	return 0;
}

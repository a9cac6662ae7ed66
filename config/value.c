#include "value.h"

#include "../base/addr.h"
#include "../base/buf.h"
#include "../base/err.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/name.h"
#include "keys.h"
#include "policy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORD_MAX_BYTES = 255 }; /* a user or group name, and more */

__attribute__((format(printf, 4, 5))) static int wrong(struct value_error *e, const char *code, const char *hint,
						       const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	(void)snprintf(e->code, sizeof e->code, "%s", code);
	e->hint = hint;
	return ERR_PARSE;
}

/* Nothing is wrong with the value: whoever reads it must stop, or a file that is good would be taken for a bad one. */
static int no_memory(struct value_error *e)
{
	(void)wrong(e, "E16", NULL, "out of memory");
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

static int check_control(struct span text, const char *what, struct value_error *e)
{
	if (!value_has_control(text))
		return 0;
	return wrong(e, "E06", "write it on one line, without escapes", "%s holds a control character: %s", what,
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
	int rc = check_control(text, "mode", e);
	if (rc)
		return rc;
	if (policy_parse_mode(text, &mode) != 0)
		return wrong(e, "E01", mode_hint(text), "%s is no mode", LOG_QUOTE(text));
	*out_mode = mode;
	return 0;
}

int value_parse_max_age(struct span text, uint32_t *out_s, struct value_error *e)
{
	int rc = check_control(text, "max_age", e);
	if (rc)
		return rc;
	rc = value_parse_number(text, 0, POLICY_MAX_AGE_MAX_S, out_s);
	if (rc == ERR_RANGE)
		return wrong(e, "E02", "a year is 31536000", "max_age %s is more than 31557600", LOG_QUOTE(text));
	if (rc)
		return wrong(e, "E02", "a week is 604800: digits only, no unit, sign, blank or leading zero",
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
	int rc = check_control(text, "mx", e);
	if (rc)
		return rc;
	rc = name_parse_mx(text, &n, &err);
	if (rc == ERR_NOMEM)
		return no_memory(e);
	if (rc) /* E05 is about lengths and empty labels, E04 about everything else that is no pattern */
		return wrong(e, rc == ERR_RANGE ? "E05" : "E04", mx_hint(text), "mx %s", err.text);
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
	return rc ? no_memory(e) : 0;
}

int value_check_id(struct span text, struct value_error *e)
{
	const char *hint = "1 to 32 letters or digits, such as a date: 20260205120000";
	int rc = check_control(text, "id", e);
	if (rc)
		return rc;
	bool is_good = text.len >= 1 && text.len <= 32;
	for (size_t i = 0; i < text.len && is_good; i++) {
		char c = lower(text.p[i]);
		is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
	}
	return is_good ? 0 : wrong(e, "E09", hint, "%s is no id", LOG_QUOTE(text));
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
	int rc = check_control(text, "tls_rpt", e);
	if (rc)
		return rc;
	bool is_mail = begins(text, "mailto:", &rest);
	bool is_https = !is_mail && begins(text, "https://", &rest);
	if (!is_mail && !is_https)
		return wrong(e, "E10", hint, "%s is no mailto: or https: URI", LOG_QUOTE(text));
	if (!is_uri_text(text))
		return wrong(e, "E10", "percent-encode what is no plain ASCII", "%s holds what no URI may hold",
			     LOG_QUOTE(text));
	if (is_mail ? !is_mailbox(rest) : !is_https_rest(rest))
		return wrong(e, "E10", hint, "%s has no %s", LOG_QUOTE(text), is_mail ? "mailbox" : "host");
	(void)buf_add_text(value, value->len ? "," : "v=TLSRPTv1; rua=");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == ',' || c == '!' || c == ';') /* RFC 8460 3: they would end the URI */
			(void)buf_printf(value, "%%%02X", (unsigned)c);
		else
			(void)buf_add_char(value, c);
	}
	if (value->failed == ERR_NOMEM)
		return no_memory(e);
	return value->failed ? wrong(e, "E10", NULL, "the list of report addresses is too long") : 0;
}

int value_parse_domain(struct span text, struct name *out, struct value_error *e)
{
	struct err err = {0};
	struct span rest;
	int rc = check_control(text, "the domain name", e);
	if (rc)
		return rc;
	if (has_char(text, '*'))
		return wrong(e, "E07", "a subdomain never inherits a policy: list each mail domain",
			     "%s: a domain cannot be a wildcard", LOG_QUOTE(text));
	if (begins(text, "_mta-sts.", &rest) || begins(text, "_smtp._tls.", &rest))
		return wrong(e, "E07", "write the mail domain itself", "%s is the name of a record, not a mail domain",
			     LOG_QUOTE(text));
	rc = name_parse(text, out, &err);
	if (rc)
		return rc == ERR_NOMEM ? no_memory(e) : wrong(e, "E07", NULL, "domain %s", err.text);
	if (begins(name_span(out), "mta-sts.", &rest))
		return wrong(e, "E07", "write the mail domain itself, without `mta-sts.`",
			     "%s is the name of a policy host, not a mail domain", LOG_QUOTE(text));
	if (name_label_count(name_span(out)) < 2)
		return wrong(e, "E07", NULL, "domain %s has only one label", LOG_QUOTE(text));
	if (out->len + sizeof "_smtp._tls" > NAME_MAX_BYTES)
		return wrong(e, "E07", NULL, "domain %s is too long for the records in front of it", LOG_QUOTE(text));
	return 0;
}

bool value_is_list(const struct key *k)
{
	switch (k->type) {
	case KEY_ADDRESSES:
	case KEY_PATHS:
	case KEY_IPS:
	case KEY_MX:
	case KEY_RUA: return true;
	default: return false;
	}
}

static void *field_of(struct settings *s, const struct key *k)
{
	return (char *)s + k->field;
}

void value_clear_list(struct settings *s, const struct key *k)
{
	if (k->type == KEY_RUA) {
		free(*(char **)field_of(s, k));
		*(char **)field_of(s, k) = NULL;
	} else {
		text_list_deinit(field_of(s, k));
	}
}

static int set_number(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	int rc = value_parse_number(text, (uint32_t)k->min, (uint32_t)k->max, field_of(s, k));
	if (rc == 0)
		return 0;
	return wrong(e, "E17", NULL, "%s %s is no number from %" PRId64 " to %" PRId64, k->path, LOG_QUOTE(text),
		     k->min, k->max);
}

static int set_id_scheme(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	static const char *const names[] = {"timestamp", "serial", "digest"};
	for (uint32_t i = 0; i < 3; i++) {
		if (span_is(text, span_of(names[i]))) {
			*(uint32_t *)field_of(s, k) = i;
			return 0;
		}
	}
	return wrong(e, "E17", "write `timestamp`, `serial` or `digest`", "%s is no way to make ids", LOG_QUOTE(text));
}

static int set_address(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct sockaddr_storage sa;
	struct err err = {0};
	char canonical[ADDR_TEXT_BYTES];
	if (addr_parse(text, &sa, &err) != 0)
		return wrong(e, "E17", NULL, "%s: %s", k->path, err.text);
	addr_render((const struct sockaddr *)&sa, canonical);
	int rc = k->type == KEY_ADDRESSES ? text_list_add(field_of(s, k), span_of(canonical))
					  : text_set(field_of(s, k), span_of(canonical));
	return rc ? no_memory(e) : 0;
}

static int set_ip(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct err err = {0};
	char canonical[ADDR_TEXT_BYTES];
	bool is_v6;
	if (addr_parse_ip(text, canonical, &is_v6, &err) != 0)
		return wrong(e, "E17", NULL, "%s: %s", k->path, err.text);
	return text_list_add(field_of(s, k), span_of(canonical)) ? no_memory(e) : 0;
}

static int set_path(struct settings *s, const struct key *k, struct span text, const char *base_dir,
		    struct value_error *e)
{
	struct buf copy;
	buf_init(&copy, 4096); /* PATH_MAX */
	(void)buf_add_span(&copy, text);
	const char *name = buf_text(&copy);
	int rc;
	if (copy.failed == ERR_NOMEM) {
		rc = no_memory(e);
	} else if (text.len == 0 || copy.failed) {
		rc = wrong(e, "E17", NULL, "%s is no path", LOG_QUOTE(text));
	} else {
		char *path = file_join(base_dir, name);
		if (!path)
			rc = ERR_NOMEM;
		else
			rc = k->type == KEY_PATHS ? text_list_add(field_of(s, k), span_of(path))
						  : text_set(field_of(s, k), span_of(path));
		free(path);
		if (rc)
			rc = no_memory(e);
	}
	buf_deinit(&copy);
	return rc;
}

static int set_word(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	if (text.len == 0 || text.len > WORD_MAX_BYTES || has_char(text, ' '))
		return wrong(e, "E17", NULL, "%s: %s is no single word", k->path, LOG_QUOTE(text));
	return text_set(field_of(s, k), text) ? no_memory(e) : 0;
}

static int set_name(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct name n;
	struct err err = {0};
	int rc = name_parse(text, &n, &err);
	if (rc == ERR_NOMEM)
		return no_memory(e);
	if (rc)
		return wrong(e, "E17", "a host name, such as policy.example.com", "%s: %s", k->path, err.text);
	return text_set(field_of(s, k), name_span(&n)) ? no_memory(e) : 0;
}

enum { RUA_MAX_BYTES = 2000 }; /* a TXT record that still fits one UDP answer with room to spare */

static int add_rua(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	char **field = field_of(s, k);
	struct buf value;
	buf_init(&value, RUA_MAX_BYTES);
	if (*field)
		(void)buf_add_text(&value, *field);
	int rc = value_add_rua(text, &value, e);
	if (rc == 0 && text_set(field, buf_span(&value)) != 0)
		rc = no_memory(e);
	buf_deinit(&value);
	return rc;
}

int value_set(struct settings *s, const struct key *k, struct span text, const char *base_dir, struct value_error *e)
{
	int rc = check_control(text, k->path, e);
	if (rc)
		return rc;
	switch (k->type) {
	case KEY_ADDRESS:
	case KEY_ADDRESSES: return set_address(s, k, text, e);
	case KEY_PATH:
	case KEY_PATHS: return set_path(s, k, text, base_dir, e);
	case KEY_WORD: return set_word(s, k, text, e);
	case KEY_NUMBER: return set_number(s, k, text, e);
	case KEY_ID_SCHEME: return set_id_scheme(s, k, text, e);
	case KEY_RUA: return add_rua(s, k, text, e);
	case KEY_NAME: return set_name(s, k, text, e);
	case KEY_IPS: return set_ip(s, k, text, e);
	case KEY_MODE:
	case KEY_MX:
	case KEY_ID: break; /* no server key has these */
	}
	return wrong(e, "E16", NULL, "%s cannot stand here", k->path);
}

int value_set_default(struct settings *s, const struct key *k)
{
	struct value_error e;
	const char *p = k->def;
	for (;;) { /* items of a list stand side by side */
		p += strspn(p, " ");
		size_t len = strcspn(p, " ");
		if (len == 0)
			return 0;
		if (value_set(s, k, (struct span){p, len}, "/", &e) != 0)
			return ERR_NOMEM;
		p += len;
	}
}

#include "name.h"

#include "err.h"
#include "log.h"

#include <idn2.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	UNICODE_MAX_BYTES = 1024, /* 253 letters of four bytes */
	QUOTED_MAX_BYTES = 320,   /* of a struct err's text: the reason stands behind it */
};

static struct log_quoted quote(struct span s)
{
	struct log_quoted q = log_quote(s);
	if (strlen(q.text) > QUOTED_MAX_BYTES)
		memcpy(q.text + QUOTED_MAX_BYTES, "…\"", sizeof "…\"");
	return q;
}

#define QUOTE(s) (quote(s).text)

static bool is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int check_label(struct span label, struct span whole, struct err *err)
{
	if (label.len == 0)
		return err_set(err, ERR_RANGE, "%s has an empty label", QUOTE(whole));
	if (label.len > NAME_LABEL_MAX_BYTES)
		return err_set(err, ERR_RANGE, "%s has a label of %zu bytes, at most %d are allowed", QUOTE(whole),
			       label.len, NAME_LABEL_MAX_BYTES);
	for (size_t i = 0; i < label.len; i++) {
		unsigned char c = (unsigned char)label.p[i];
		if (is_alnum(c) || c == '-')
			continue;
		return err_set(err, ERR_PARSE, "%s holds %s; a host name has only letters, digits, hyphens and dots",
			       QUOTE(whole), c == '_' ? "an underscore" : QUOTE(((struct span){label.p + i, 1})));
	}
	if (label.p[0] == '-' || label.p[label.len - 1] == '-')
		return err_set(err, ERR_PARSE, "%s has a label that begins or ends with a hyphen", QUOTE(whole));
	return 0;
}

static bool is_all_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

/* n->text: lower case, without trailing dot */
static int check_labels(const struct name *n, struct span whole, struct err *err)
{
	struct span rest = name_span(n), label = rest;
	for (;;) {
		const char *dot = memchr(rest.p, '.', rest.len);
		label = (struct span){rest.p, dot ? (size_t)(dot - rest.p) : rest.len};
		int rc = check_label(label, whole, err);
		if (rc)
			return rc;
		if (!dot)
			break;
		rest = (struct span){dot + 1, rest.len - label.len - 1};
	}
	/* RFC 3696 2: no top-level domain is all digits, so this is an IPv4 address or a slip of the pen */
	if (is_all_digits(label))
		return err_set(err, ERR_PARSE, "%s is an IP address or ends in a number, not a host name",
			       QUOTE(whole));
	return 0;
}

static int fold_ascii(struct span in, struct name *out, struct span whole, struct err *err)
{
	if (in.len && in.p[in.len - 1] == '.') {
		in.len--;
		out->was_changed = true;
	}
	if (in.len == 0)
		return err_set(err, ERR_PARSE, "%s is no host name", QUOTE(whole));
	if (in.len > NAME_MAX_BYTES)
		return err_set(err, ERR_RANGE, "the name has %zu bytes, at most %d are allowed", in.len,
			       NAME_MAX_BYTES);
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];
		bool is_upper = c >= 'A' && c <= 'Z';
		out->text[i] = is_upper ? (char)(c - 'A' + 'a') : c;
		out->was_changed = out->was_changed || is_upper;
	}
	out->text[in.len] = '\0';
	out->len = in.len;
	return check_labels(out, whole, err);
}

static int code_of_idn(int rc)
{
	switch (rc) {
	case IDN2_MALLOC: return ERR_NOMEM;
	case IDN2_PUNYCODE_BIG_OUTPUT:
	case IDN2_TOO_BIG_LABEL:
	case IDN2_TOO_BIG_DOMAIN: return ERR_RANGE;
	default: return ERR_PARSE;
	}
}

static int fold_unicode(struct span in, struct name *out, struct err *err)
{
	char text[UNICODE_MAX_BYTES + 1];
	if (in.len > UNICODE_MAX_BYTES)
		return err_set(err, ERR_RANGE, "the name has %zu bytes, too many for a host name", in.len);
	memcpy(text, in.p, in.len);
	text[in.len] = '\0';
	uint8_t *alabels = NULL;
	int rc = idn2_lookup_u8((const uint8_t *)text, &alabels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return err_set(err, code_of_idn(rc), "%s cannot be written as A-labels: %s", QUOTE(in),
			       idn2_strerror(rc));
	rc = fold_ascii(span_of((const char *)alabels), out, in, err);
	idn2_free(alabels);
	return rc;
}

int name_parse(struct span in, struct name *out, struct err *err)
{
	out->was_changed = false;
	bool is_ascii = true;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];
		if (c <= 0x20 || c == 0x7F)
			return err_set(err, ERR_PARSE, "%s holds a %s", QUOTE(in),
				       c == ' ' || c == '\t' ? "blank" : "control character");
		is_ascii = is_ascii && c < 0x80;
	}
	return is_ascii ? fold_ascii(in, out, in, err) : fold_unicode(in, out, err);
}

int name_parse_mx(struct span in, struct name *out, struct err *err)
{
	bool is_wildcard = in.len >= 2 && in.p[0] == '*' && in.p[1] == '.';
	if (!is_wildcard) {
		if (memchr(in.p ? in.p : "", '*', in.len))
			return err_set(err, ERR_PARSE, "%s: a wildcard is \"*.\" in front of a whole name", QUOTE(in));
		return name_parse(in, out, err);
	}
	struct name rest;
	struct span behind = {in.p + 2, in.len - 2};
	if (memchr(behind.p, '*', behind.len))
		return err_set(err, ERR_PARSE, "%s has more than one wildcard", QUOTE(in));
	int rc = name_parse(behind, &rest, err);
	if (rc)
		return rc;
	if (rest.len + 2 > NAME_MAX_BYTES)
		return err_set(err, ERR_RANGE, "the pattern is longer than %d bytes", NAME_MAX_BYTES);
	memcpy(out->text, "*.", 2);
	memcpy(out->text + 2, rest.text, rest.len + 1);
	out->len = rest.len + 2;
	out->was_changed = rest.was_changed;
	return 0;
}

bool name_matches_mx(struct span pattern, struct span host)
{
	if (pattern.len < 2 || pattern.p[0] != '*')
		return span_is(pattern, host);
	/* RFC 8461 4.1: the wildcard is one whole left-most label */
	return host.len > 0 && host.p[0] != '.' &&
	       span_is((struct span){pattern.p + 2, pattern.len - 2}, name_parent(host));
}

size_t name_label_count(struct span name)
{
	size_t n = name.len ? 1 : 0;
	for (size_t i = 0; i < name.len; i++)
		n += name.p[i] == '.';
	return n;
}

struct span name_parent(struct span name)
{
	const char *dot = name.len ? memchr(name.p, '.', name.len) : NULL;
	if (!dot)
		return (struct span){NULL, 0};
	return (struct span){dot + 1, name.len - (size_t)(dot + 1 - name.p)};
}

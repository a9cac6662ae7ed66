#include "armor.h"

#include "../base/err.h"

#include <mbedtls/base64.h>

#define DASHES "-----"
#define BEGIN "-----BEGIN "
#define END "-----END "

enum { LABEL_MAX_BYTES = 64 }; /* the longest in use has 21 */

static struct span find(struct span in, struct span what)
{
	const char *p = in.len ? memmem(in.p, in.len, what.p, what.len) : NULL;
	return p ? (struct span){p, in.len - (size_t)(p - in.p)} : (struct span){NULL, 0};
}

static struct span cut(struct span s, size_t n)
{
	return (struct span){s.p + n, s.len - n};
}

static bool starts_with(struct span s, struct span with)
{
	return s.len >= with.len && memcmp(s.p, with.p, with.len) == 0;
}

bool armor_is_in(struct span bytes)
{
	return find(bytes, SPAN_LIT(BEGIN)).len > 0;
}

/* rest: behind "-----BEGIN "; the label, with rest moved behind its dashes. Empty when there is none. */
static struct span take_label(struct span *rest)
{
	struct span head = {rest->p, rest->len < LABEL_MAX_BYTES + 5 ? rest->len : LABEL_MAX_BYTES + 5};
	struct span behind = find(head, SPAN_LIT(DASHES));
	struct span label = {rest->p, behind.len ? (size_t)(behind.p - rest->p) : 0};
	if (label.len == 0 || memchr(label.p, '\n', label.len))
		return (struct span){NULL, 0};
	*rest = cut(*rest, label.len + 5);
	return label;
}

/* at: the next dashes behind a block's text; how long the line is that ends a block of this label, or 0 */
static size_t end_line_len(struct span at, struct span label)
{
	if (!starts_with(at, SPAN_LIT(END)))
		return 0;
	at = cut(at, sizeof END - 1);
	if (!starts_with(at, label))
		return 0;
	return starts_with(cut(at, label.len), SPAN_LIT(DASHES)) ? sizeof END - 1 + label.len + 5 : 0;
}

enum armor_result armor_next(struct span *rest, struct armor_block *out)
{
	*out = (struct armor_block){0};
	do {
		*rest = find(*rest, SPAN_LIT(BEGIN));
		if (rest->len == 0)
			return ARMOR_END;
		*rest = cut(*rest, sizeof BEGIN - 1);
		out->label = take_label(rest);
	} while (out->label.len == 0);

	struct span text = *rest;
	*rest = find(text, SPAN_LIT(DASHES));
	size_t line_len = end_line_len(*rest, out->label);
	if (line_len == 0)
		return ARMOR_BAD;
	out->text = (struct span){text.p, (size_t)(rest->p - text.p)};
	*rest = cut(*rest, line_len);
	out->is_encrypted = starts_with(out->label, SPAN_LIT("ENCRYPTED ")) ||
			    find(out->text, SPAN_LIT("Proc-Type: 4,ENCRYPTED")).len > 0;
	return ARMOR_BLOCK;
}

int armor_decode(struct span text, uint8_t *out, size_t *out_len)
{
	int rc = mbedtls_base64_decode(out, text.len, out_len, (const unsigned char *)text.p, text.len);
	return rc || *out_len == 0 ? ERR_PARSE : 0;
}

/* ---- base64 of what is public ---- */

/* 64 and the digit's value; 0: no digit        source  RFC 4648 4 */
static const uint8_t digits[256] = {
	['A'] = 64,  65,  66,  67,  68,  69,  70,  71,  72,  73,  74,          75,          76,
	77,          78,  79,  80,  81,  82,  83,  84,  85,  86,  87,          88,          89,
	['a'] = 90,  91,  92,  93,  94,  95,  96,  97,  98,  99,  100,         101,         102,
	103,         104, 105, 106, 107, 108, 109, 110, 111, 112, 113,         114,         115,
	['0'] = 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, ['+'] = 126, ['/'] = 127,
};

static uint8_t digit(struct span s, size_t i)
{
	return digits[(unsigned char)s.p[i]];
}

struct decoder {
	uint8_t *out;
	uint32_t bits;
	size_t digit_count, pad_count; /* since the last whole group of four; all */
};

/* groups of four digits, as many as follow each other */
static struct span take_groups(struct decoder *d, struct span rest)
{
	for (; rest.len >= 4; rest = cut(rest, 4)) {
		uint8_t a = digit(rest, 0), b = digit(rest, 1), c = digit(rest, 2), e = digit(rest, 3);
		if (!(a & b & c & e & 64))
			break;
		*d->out++ = (uint8_t)(a << 2 | (b & 63) >> 4);
		*d->out++ = (uint8_t)(b << 4 | (c & 63) >> 2);
		*d->out++ = (uint8_t)(c << 6 | (e & 63));
	}
	return rest;
}

/* how many bytes may be passed over: a line's end, or that of all, and blanks before it */
static size_t line_end_bytes(struct span rest)
{
	size_t n = 0;
	while (n < rest.len && rest.p[n] == ' ')
		n++;
	if (n == rest.len || rest.p[n] == '\n')
		return n + (n < rest.len);
	return starts_with(cut(rest, n), SPAN_LIT("\r\n")) ? n + 2 : 0;
}

/* a digit or "=", which only others may follow */
static int take_one(struct decoder *d, struct span rest)
{
	uint8_t value = digit(rest, 0);
	if (rest.p[0] == '=') {
		d->pad_count++;
		return 0;
	}
	if (value == 0 || d->pad_count)
		return ERR_PARSE;
	d->bits = d->bits << 6 | (value & 63);
	if (++d->digit_count == 4) {
		*d->out++ = (uint8_t)(d->bits >> 16);
		*d->out++ = (uint8_t)(d->bits >> 8);
		*d->out++ = (uint8_t)d->bits;
		d->digit_count = 0;
	}
	return 0;
}

static int take_tail(struct decoder *d)
{
	if (d->pad_count > 2 || (d->digit_count + d->pad_count) % 4)
		return ERR_PARSE;
	if (d->digit_count == 3) {
		*d->out++ = (uint8_t)(d->bits >> 10);
		*d->out++ = (uint8_t)(d->bits >> 2);
	} else if (d->digit_count == 2) {
		*d->out++ = (uint8_t)(d->bits >> 4);
	}
	return 0;
}

int armor_decode_public(struct span text, uint8_t *out, size_t *out_len)
{
	struct decoder d = {.out = out};
	while (text.len) {
		if (d.digit_count == 0 && d.pad_count == 0)
			text = take_groups(&d, text);
		size_t skipped = line_end_bytes(text);
		if (skipped == 0 && text.len) {
			if (take_one(&d, text) != 0)
				return ERR_PARSE;
			skipped = 1;
		}
		text = cut(text, skipped);
	}
	if (take_tail(&d) != 0)
		return ERR_PARSE;
	*out_len = (size_t)(d.out - out);
	return *out_len == 0 ? ERR_PARSE : 0;
}

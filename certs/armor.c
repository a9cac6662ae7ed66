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

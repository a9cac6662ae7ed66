#include "text.h"

#include "../../base/clock.h"
#include "../../base/json.h"

enum { STRING_MAX_BYTES = 255 }; /* RFC 1035 3.3: a character-string */

/* RFC 1035 5.1: what is not plain text, and what would end the string. */
static void add_octet(struct buf *out, unsigned char c)
{
	if (c < 0x20 || c >= 0x7F)
		(void)buf_printf(out, "\\%03u", (unsigned)c);
	else if (c == '"' || c == '\\')
		(void)buf_printf(out, "\\%c", c);
	else
		(void)buf_add_char(out, (char)c);
}

/* Readers join the strings without a blank (RFC 8461 3.1, RFC 8460 3). */
void text_add_strings(struct buf *out, struct span data)
{
	(void)buf_add_char(out, '"');
	for (size_t i = 0; i < data.len; i++) {
		if (i && i % STRING_MAX_BYTES == 0)
			(void)buf_add_text(out, "\" \"");
		add_octet(out, (unsigned char)data.p[i]);
	}
	(void)buf_add_char(out, '"');
}

void text_add_data(struct buf *out, const struct record *r)
{
	if (r->type == RECORD_TXT)
		text_add_strings(out, r->data);
	else
		(void)buf_add_span(out, r->data);
}

void text_add_quoted(struct buf *out, struct span s)
{
	struct json j;
	json_begin(&j, out);
	json_text(&j, s);
}

void text_add_state(struct buf *out, const struct record_set *s, const struct record *r)
{
	char date[CLOCK_ISO_BYTES];
	(void)buf_add_text(out, record_state_name(r->state));
	if (r->state != RECORD_WITHDRAWING && r->state != RECORD_GONE)
		return;
	clock_render_iso(s->until_unix_s, date);
	(void)buf_add_text(out, r->state == RECORD_GONE ? " since " : " until ");
	(void)buf_add_text(out, date);
}

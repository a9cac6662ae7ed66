#include "text.h"

#include "../../base/clock.h"
#include "../../base/json.h"

enum { STRING_MAX_BYTES = 255 }; /* RFC 1035 3.3: a character-string */

/* RFC 1035 5.1: what is not plain text, and what would end the string, wants a backslash. */
static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void add_string(struct buf *out, struct span s)
{
	while (s.len) {
		size_t n = 0;
		while (n < s.len && is_plain(s.p[n]))
			n++;
		(void)buf_add(out, s.p, n);
		if (n < s.len) {
			unsigned char c = (unsigned char)s.p[n];
			(void)buf_printf(out, c == '"' || c == '\\' ? "\\%c" : "\\%03u", (unsigned)c);
			n++;
		}
		s = (struct span){s.p + n, s.len - n};
	}
}

/* Readers join the strings without a blank (RFC 8461 3.1, RFC 8460 3). */
void text_add_strings(struct buf *out, struct span data)
{
	(void)buf_add_char(out, '"');
	while (data.len > STRING_MAX_BYTES) {
		add_string(out, (struct span){data.p, STRING_MAX_BYTES});
		(void)buf_add_text(out, "\" \"");
		data = (struct span){data.p + STRING_MAX_BYTES, data.len - STRING_MAX_BYTES};
	}
	add_string(out, data);
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

void text_add_state(struct buf *out, const struct record *r)
{
	char date[CLOCK_ISO_BYTES];
	(void)buf_add_text(out, record_state_name(r->state));
	if ((r->state != RECORD_WITHDRAWING && r->state != RECORD_GONE) || r->until_unix_s == 0)
		return;
	clock_render_iso(r->until_unix_s, date);
	(void)buf_add_text(out, r->state == RECORD_GONE ? " since " : " until ");
	(void)buf_add_text(out, date);
}

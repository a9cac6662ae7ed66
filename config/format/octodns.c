#include "octodns.h"

#include "format.h"
#include "rrset.h"
#include "text.h"

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

/* Single quotes, in which YAML knows one escape alone. octoDNS wants every semicolon of a text behind a backslash, and
 * splits long texts itself. */
static void add_text(struct buf *out, struct span data)
{
	size_t done = 0;
	(void)buf_add_char(out, '\'');
	for (size_t i = 0; i < data.len; i++) {
		if (data.p[i] != ';' && data.p[i] != '\'')
			continue;
		(void)buf_add(out, data.p + done, i - done);
		(void)buf_add_char(out, data.p[i] == ';' ? '\\' : '\'');
		done = i; /* the character itself goes with what follows */
	}
	(void)buf_add(out, data.p + done, data.len - done);
	(void)buf_add_char(out, '\'');
}

static void add_value(struct buf *out, const struct record *r)
{
	if (r->type == RECORD_TXT)
		add_text(out, r->data);
	else
		text_add_quoted(out, r->data); /* an IPv6 address could be a mapping or a number of YAML 1.1 */
	(void)buf_add_char(out, '\n');
}

/* One rrset as an item of its owner's list; octoDNS demands keys in order. */
static void add_rrset(struct buf *out, const struct record_set *s, const struct rrset *r)
{
	const struct record *first = &r->items[0];
	(void)buf_printf(out, "  - ttl: %u", (unsigned)first->ttl_s);
	if (first->state != RECORD_LIVE) {
		(void)buf_add_text(out, " # ");
		text_add_state(out, s, first);
	}
	(void)buf_printf(out, "\n    type: %s\n    value%s", record_type_name(first->type),
			 r->count > 1 ? "s:\n" : ": ");
	for (size_t i = 0; i < r->count; i++) {
		if (r->count > 1)
			(void)buf_add_text(out, "      - ");
		add_value(out, &r->items[i]);
	}
}

static void add_gone(struct buf *out, const struct record_set *s, const struct rrset *r)
{
	(void)buf_add_text(out, "# ");
	(void)buf_add_span(out, rrset_label(r));
	(void)buf_printf(out, " %s: ", record_type_name(r->items[0].type));
	text_add_state(out, s, &r->items[0]);
	(void)buf_add_char(out, '\n');
}

/* The rrsets of one label. Sets *next to the label that follows in octoDNS's order, if there is one. */
static bool add_label(struct buf *out, const struct record_set *s, struct span label, struct span *next)
{
	struct rrset r;
	bool has_next = false, is_open = false;
	for (size_t at = 0; rrset_next(s, &at, &r);) {
		struct span other = rrset_label(&r);
		int order = span_compare(other, label);
		if (order > 0 && (!has_next || span_compare(other, *next) < 0)) {
			*next = other;
			has_next = true;
		}
		if (order != 0)
			continue;
		if (r.items[0].state == RECORD_GONE) {
			add_gone(out, s, &r);
			continue;
		}
		if (!is_open)
			(void)buf_printf(out, "%.*s:\n", SPAN_ARG(label));
		is_open = true;
		add_rrset(out, s, &r);
	}
	return has_next;
}

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	struct span label = {"", 0}, next = label;
	(void)is_first;
	if (s->count)
		(void)buf_printf(out, "--- # %.*s.\n", SPAN_ARG(s->domain));
	while (add_label(out, s, label, &next))
		label = next;
	return out->failed;
}

const struct format format_octodns = {"octodns", "YAML for octoDNS, a document per domain", begin, add, begin, true};

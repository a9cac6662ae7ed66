#include "octodns.h"

#include "../../base/err.h"
#include "format.h"
#include "rrset.h"
#include "text.h"

#include <stdlib.h>

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
static void add_rrset(struct buf *out, const struct rrset *r)
{
	const struct record *first = &r->items[0];
	(void)buf_printf(out, "  - ttl: %u", (unsigned)first->ttl_s);
	if (first->state != RECORD_LIVE) {
		(void)buf_add_text(out, " # ");
		text_add_state(out, first);
	}
	(void)buf_printf(out, "\n    type: %s\n    value%s", record_type_name(first->type),
			 r->count > 1 ? "s:\n" : ": ");
	for (size_t i = 0; i < r->count; i++) {
		if (r->count > 1)
			(void)buf_add_text(out, "      - ");
		add_value(out, &r->items[i]);
	}
}

static void add_gone(struct buf *out, const struct rrset *r)
{
	(void)buf_add_text(out, "# ");
	(void)buf_add_span(out, rrset_label(r));
	(void)buf_printf(out, " %s: ", record_type_name(r->items[0].type));
	text_add_state(out, &r->items[0]);
	(void)buf_add_char(out, '\n');
}

/* --- the order that octoDNS demands of labels: natsort's, where runs of digits are numbers ------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct span take_run(struct span *rest, bool is_number)
{
	size_t n = 0;
	while (n < rest->len && is_digit(rest->p[n]) == is_number)
		n++;
	struct span run = {rest->p, n};
	*rest = (struct span){rest->p + n, rest->len - n};
	return run;
}

static struct span without_zeros(struct span number)
{
	while (number.len > 1 && number.p[0] == '0')
		number = (struct span){number.p + 1, number.len - 1};
	return number;
}

/* An empty one is the end of its label, and comes first. */
static int compare_numbers(struct span a, struct span b)
{
	a = without_zeros(a);
	b = without_zeros(b);
	return a.len == b.len ? span_compare(a, b) : a.len < b.len ? -1 : 1;
}

static int compare_labels(struct span a, struct span b)
{
	int c = 0;
	for (bool is_number = false; c == 0 && (a.len || b.len); is_number = !is_number) {
		struct span x = take_run(&a, is_number), y = take_run(&b, is_number);
		c = is_number ? compare_numbers(x, y) : span_compare(x, y);
	}
	return c;
}

static int compare(const void *va, const void *vb)
{
	const struct rrset *a = va, *b = vb;
	int c = compare_labels(rrset_label(a), rrset_label(b));
	return c ? c : (a->items > b->items) - (a->items < b->items);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void add_rrsets(struct buf *out, const struct rrset *r, size_t count)
{
	struct span open = {"", 0}; /* the label that rrsets are being added to */
	for (size_t i = 0; i < count; i++) {
		struct span label = rrset_label(&r[i]);
		if (r[i].items[0].state == RECORD_GONE) {
			add_gone(out, &r[i]);
			continue;
		}
		if (!span_is(open, label))
			(void)buf_printf(out, "%.*s:\n", SPAN_ARG(label));
		open = label;
		add_rrset(out, &r[i]);
	}
}

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	(void)is_first;
	if (s->count == 0)
		return out->failed;
	struct rrset *rrsets = calloc(s->count, sizeof *rrsets);
	size_t count = 0, at = 0;
	if (!rrsets) {
		out->failed = out->failed ? out->failed : ERR_NOMEM;
		return out->failed;
	}
	while (rrset_next(s, &at, &rrsets[count]))
		count++;
	qsort(rrsets, count, sizeof *rrsets, compare);
	(void)buf_printf(out, "--- # %.*s.\n", SPAN_ARG(s->domain));
	add_rrsets(out, rrsets, count);
	free(rrsets);
	return out->failed;
}

const struct format format_octodns = {"octodns", "YAML for octoDNS, a document per domain", begin, add, begin, true,
				      true};

#include "dnscontrol.h"

#include "format.h"
#include "rrset.h"
#include "text.h"

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

static void add_gone(struct buf *out, const struct rrset *r)
{
	(void)buf_add_text(out, "// ");
	(void)buf_add_span(out, r->items[0].name);
	(void)buf_printf(out, " %s: ", record_type_name(r->items[0].type));
	text_add_state(out, &r->items[0]);
	(void)buf_add_char(out, '\n');
}

/* DNSControl splits long texts itself. No comma behind the last argument: ECMAScript 5 has none there. */
static void add_record(struct buf *out, struct span label, const struct record *r)
{
	if (r->state != RECORD_LIVE) {
		(void)buf_add_text(out, ",\n  // ");
		text_add_state(out, r);
		(void)buf_add_text(out, "\n  ");
	} else {
		(void)buf_add_text(out, ",\n  ");
	}
	(void)buf_printf(out, "%s(", record_type_name(r->type));
	text_add_quoted(out, label);
	(void)buf_add_text(out, ", ");
	text_add_quoted(out, r->data);
	(void)buf_printf(out, ", TTL(%u))", (unsigned)r->ttl_s);
}

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	struct rrset r;
	bool is_open = false;
	(void)is_first;
	for (size_t at = 0; rrset_next(s, &at, &r);)
		if (r.items[0].state == RECORD_GONE)
			add_gone(out, &r);
	for (size_t at = 0; rrset_next(s, &at, &r);) {
		if (r.items[0].state == RECORD_GONE)
			continue;
		if (!is_open) {
			(void)buf_add_text(out, "D_EXTEND(");
			text_add_quoted(out, s->domain);
		}
		is_open = true;
		for (size_t i = 0; i < r.count; i++)
			add_record(out, rrset_label(&r), &r.items[i]);
	}
	if (is_open)
		(void)buf_add_text(out, "\n);\n");
	return out->failed;
}

const struct format format_dnscontrol = {
	"dnscontrol", "D_EXTEND statements for DNSControl's dnsconfig.js", begin, add, begin, true, true};

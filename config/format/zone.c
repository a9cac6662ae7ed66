#include "zone.h"

#include "format.h"
#include "text.h"

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

static void add_record(struct buf *out, const struct record *r)
{
	(void)buf_add_span(out, r->name);
	(void)buf_add_char(out, ' ');
	(void)buf_add_number(out, r->ttl_s);
	(void)buf_add_text(out, " IN ");
	(void)buf_add_text(out, record_type_name(r->type));
	(void)buf_add_char(out, ' ');
	text_add_data(out, r);
}

/* A zone file says what there is: that something is to be deleted can only be a comment. */
static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	(void)is_first;
	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = &s->items[i];
		if (r->state == RECORD_GONE) {
			(void)buf_add_text(out, "; ");
			text_add_state(out, r);
			(void)buf_add_text(out, ": ");
		}
		add_record(out, r);
		if (r->state != RECORD_LIVE && r->state != RECORD_GONE) {
			(void)buf_add_text(out, " ; ");
			text_add_state(out, r);
		}
		(void)buf_add_char(out, '\n');
	}
	return out->failed;
}

const struct format format_zone = {"zone", "lines of a zone file", begin, add, begin, true, false};

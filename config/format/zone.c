#include "zone.h"

#include "format.h"

enum { STRING_MAX_BYTES = 255 }; /* RFC 1035 3.3: a character-string */

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

/* Long texts as several strings, which readers join without a blank (RFC 8460 3, RFC 7208 3.3). */
static void add_strings(struct buf *out, struct span data)
{
	do {
		struct span part = {data.p, data.len < STRING_MAX_BYTES ? data.len : STRING_MAX_BYTES};
		/* nothing in it wants an escape: ids and URIs hold neither quotes nor backslashes */
		(void)buf_printf(out, " \"%.*s\"", SPAN_ARG(part));
		data = (struct span){data.p + part.len, data.len - part.len};
	} while (data.len);
}

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	(void)is_first;
	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = &s->items[i];
		(void)buf_printf(out, "%.*s %u IN %s", SPAN_ARG(r->name), (unsigned)r->ttl_s,
				 record_type_name(r->type));
		if (r->type == RECORD_TXT)
			add_strings(out, r->data);
		else
			(void)buf_printf(out, " %.*s", SPAN_ARG(r->data));
		(void)buf_add_char(out, '\n');
	}
	return out->failed;
}

const struct format format_zone = {"zone", "lines of a zone file", begin, add, begin};

#include "json.h"

#include "../../base/json.h"
#include "format.h"

static int begin(struct buf *out)
{
	return buf_add_text(out, "[");
}

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = &s->items[i];
		struct json j;
		(void)buf_add_text(out, is_first && i == 0 ? "\n  " : ",\n  ");
		json_begin(&j, out);
		json_open(&j, '{');
		json_put_text(&j, "domain", r->domain);
		json_put_text(&j, "name", r->name);
		json_put_text(&j, "type", span_of(record_type_name(r->type)));
		json_put_number(&j, "ttl", r->ttl_s);
		json_put_text(&j, "data", r->data);
		json_put_text(&j, "state", span_of(record_state_name(r->state)));
		json_close(&j, '}');
	}
	return out->failed;
}

static int end(struct buf *out)
{
	return buf_add_text(out, "\n]\n");
}

const struct format format_json = {"json", "an array of {domain, name, type, ttl, data, state}", begin, add, end, false,
				   false};

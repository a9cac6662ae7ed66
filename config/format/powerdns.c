#include "powerdns.h"

#include "../../base/json.h"
#include "format.h"
#include "rrset.h"
#include "text.h"

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

static void open_rrset(struct json *j, const struct rrset *r, enum record_type type, const char *changetype)
{
	json_open(j, '{');
	json_put_text(j, "name", r->items[0].name);
	json_put_text(j, "type", span_of(record_type_name(type)));
	json_put_text(j, "changetype", span_of(changetype));
}

/* What of ours is at the owner and not wanted there; before the replacements, for PowerDNS refuses a CNAME beside
 * anything else. Deleting what is not there is no error. */
static void add_deletions(struct json *j, const struct record_set *s, const struct rrset *r)
{
	for (int i = 0; i < RECORD_TYPE_COUNT; i++) {
		enum record_type type = (enum record_type)i;
		if (!rrset_is_ours(r, type) || rrset_is_wanted(s, r, type))
			continue;
		open_rrset(j, r, type, "DELETE");
		json_close(j, '}');
	}
}

static void add_replacement(struct json *j, const struct rrset *r, struct buf *content)
{
	open_rrset(j, r, r->items[0].type, "REPLACE");
	json_put_number(j, "ttl", r->items[0].ttl_s);
	json_key(j, "records");
	json_open(j, '[');
	for (size_t i = 0; i < r->count && !content->failed; i++) {
		buf_reset(content);
		text_add_data(content, &r->items[i]);
		json_open(j, '{');
		json_put_text(j, "content", buf_span(content));
		json_put_bool(j, "disabled", false);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

/* PowerDNS takes bodies of 2 MB unless told otherwise; two changes of a name each have some 700 bytes at worst. */
enum { RRSETS_PER_LINE_MAX = 1000 };

/* A line from *at on. "name" is the zone that the rrsets belong to if the domain is a zone; PATCH itself does not look
 * at it. */
static void add_line(struct buf *out, const struct record_set *s, size_t *at, struct buf *content)
{
	struct json j;
	struct rrset r;
	(void)buf_printf(out, "{\"name\":\"%.*s.\",\"rrsets\":", SPAN_ARG(s->domain));
	json_begin(&j, out);
	json_open(&j, '[');
	for (size_t n = 0; n < RRSETS_PER_LINE_MAX && rrset_next(s, at, &r); n++) {
		if (r.begins_owner)
			add_deletions(&j, s, &r);
		if (r.items[0].state != RECORD_GONE)
			add_replacement(&j, &r, content);
	}
	json_close(&j, ']');
	(void)buf_add_text(out, "}\n");
}

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	struct buf content;
	(void)is_first;
	buf_init(&content, out->max);
	for (size_t at = 0; at < s->count;)
		add_line(out, s, &at, &content);
	if (content.failed && !out->failed)
		out->failed = content.failed;
	buf_deinit(&content);
	return out->failed;
}

const struct format format_powerdns = {
	"powerdns", "bodies for PATCH of PowerDNS's HTTP API, a line per domain", begin, add, begin, false, false};

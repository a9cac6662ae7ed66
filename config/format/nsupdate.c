#include "nsupdate.h"

#include "format.h"
#include "rrset.h"
#include "text.h"

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

static void add_comment(struct buf *out, const struct record *r)
{
	(void)buf_add_text(out, "; ");
	(void)buf_add_span(out, r->name);
	(void)buf_printf(out, " %s: ", record_type_name(r->type));
	text_add_state(out, r);
	(void)buf_add_char(out, '\n');
}

/* Whatever of ours is at the owner goes, in the same transaction. A CNAME that stayed would swallow the TXT that is
 * added, and any other record the CNAME, without an error (RFC 2136 3.4.2.2). */
static void add_deletions(struct buf *out, const struct rrset *r)
{
	for (int type = 0; type < RECORD_TYPE_COUNT; type++) {
		if (!rrset_is_ours(r, (enum record_type)type))
			continue;
		(void)buf_add_text(out, "update delete ");
		(void)buf_add_span(out, r->items[0].name);
		(void)buf_printf(out, " %s\n", record_type_name((enum record_type)type));
	}
}

static void add_addition(struct buf *out, const struct record *r)
{
	(void)buf_add_text(out, "update add ");
	(void)buf_add_span(out, r->name);
	(void)buf_printf(out, " %u %s ", (unsigned)r->ttl_s, record_type_name(r->type));
	text_add_data(out, r);
	(void)buf_add_char(out, '\n');
}

static void add_rrset(struct buf *out, const struct rrset *r)
{
	const struct record *first = &r->items[0];
	if (first->state != RECORD_LIVE)
		add_comment(out, first);
	if (r->begins_owner)
		add_deletions(out, r);
	for (size_t i = 0; i < r->count && first->state != RECORD_GONE; i++)
		add_addition(out, &r->items[i]);
}

/* An update is one message, of at most 64 KiB, and the names of thousands of policies would not fit: those are not
 * needed together as the three of a domain are, and each takes some 600 bytes at worst. */
enum { OWNERS_PER_SEND_MAX = 100 };

static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	struct rrset r;
	size_t owner_count = 0;
	(void)is_first;
	for (size_t at = 0; rrset_next(s, &at, &r);) {
		if (r.begins_owner && ++owner_count > OWNERS_PER_SEND_MAX) {
			(void)buf_add_text(out, "send\n");
			owner_count = 1;
		}
		add_rrset(out, &r);
	}
	if (s->count)
		(void)buf_add_text(out, "send\n");
	return out->failed;
}

const struct format format_nsupdate = {
	"nsupdate", "dynamic updates, one transaction per domain", begin, add, begin, false, false};

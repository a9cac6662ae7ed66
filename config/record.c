#include "record.h"

#include "../base/err.h"
#include "../base/name.h"
#include "delegated.h"
#include "domains.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *record_type_name(enum record_type t)
{
	static const char *const names[] = {"CNAME", "A", "AAAA", "TXT"};
	return names[t];
}

const char *record_state_name(enum record_state s)
{
	static const char *const names[] = {"live", "withheld", "withdrawing", "gone"};
	return names[s];
}

/* name and data of a record, where that is a name, too; a TLSRPT value is longer, and one alone */
enum {
	RECORD_TEXT_MAX_BYTES = 2 * 256,
	DOMAIN_TEXT_MAX_BYTES = RECORDS_MAX * RECORD_TEXT_MAX_BYTES + RECORD_DATA_MAX_BYTES
};

void record_set_init(struct record_set *s)
{
	*s = (struct record_set){0};
	buf_init(&s->text, SIZE_MAX / 2);
}

void record_set_deinit(struct record_set *s)
{
	buf_deinit(&s->text);
	free(s->items);
	*s = (struct record_set){0};
}

int record_set_begin(struct record_set *s, struct span domain, size_t policy_count)
{
	enum { POLICIES_MAX = 1 << 24 }; /* nothing overflows */
	buf_reset(&s->text);
	s->count = 0;
	s->domain = domain;
	s->is_host_out = s->is_report_out = false;
	if (policy_count > POLICIES_MAX)
		return ERR_RANGE;
	/* so that spans into it stay */
	int rc = buf_reserve(&s->text, DOMAIN_TEXT_MAX_BYTES + policy_count * RECORD_TEXT_MAX_BYTES);
	if (rc || s->capacity >= RECORDS_MAX + policy_count)
		return rc;
	struct record *items = reallocarray(s->items, RECORDS_MAX + policy_count, sizeof *items);
	if (!items)
		return ERR_NOMEM;
	s->items = items;
	s->capacity = RECORDS_MAX + policy_count;
	return 0;
}

/* like: all but names and data, which go into text. */
static void add(struct record_set *s, const struct record *like, struct span prefix, struct span data,
		const char *data_end)
{
	size_t name_at = s->text.len, name_len = prefix.len + s->domain.len + 2, end_len = strlen(data_end);
	if (s->count == s->capacity || s->text.cap - name_at < name_len + data.len + end_len)
		s->text.failed = ERR_RANGE; /* never grown, so that spans into it stay */
	(void)buf_add_span(&s->text, prefix);
	(void)buf_add_char(&s->text, '.');
	(void)buf_add_span(&s->text, s->domain);
	(void)buf_add_char(&s->text, '.');
	(void)buf_add_span(&s->text, data);
	(void)buf_add(&s->text, data_end, end_len);
	if (s->text.failed)
		return;
	struct record *r = &s->items[s->count++];
	*r = *like;
	r->domain = s->domain;
	r->name = (struct span){s->text.p + name_at, name_len};
	r->data = (struct span){s->text.p + name_at + name_len, data.len + end_len};
}

static void add_addresses(struct record_set *s, struct record like, enum record_type type,
			  const struct settings *settings)
{
	like.type = type;
	for (size_t i = 0; i < settings->dns_addresses.count && i < RECORD_ADDRESSES_MAX; i++) {
		const char *address = settings->dns_addresses.items[i];
		if ((strchr(address, ':') != NULL) == (type == RECORD_AAAA))
			add(s, &like, SPAN_LIT("mta-sts"), span_of(address), "");
	}
}

static void add_host(struct record_set *s, struct record like, const struct settings *settings)
{
	like.type = RECORD_CNAME;
	if (settings->dns_host) {
		add(s, &like, SPAN_LIT("mta-sts"), span_of(settings->dns_host), ".");
		return;
	}
	add_addresses(s, like, RECORD_A, settings);
	add_addresses(s, like, RECORD_AAAA, settings);
}

/* What was there is not known any more, only that there was something. */
static void add_deletions(struct record_set *s, struct record like, struct span prefix, enum record_type from,
			  enum record_type to)
{
	like.state = RECORD_GONE;
	like.until_unix_s = 0;
	for (int type = (int)from; type <= (int)to; type++) {
		like.type = (enum record_type)type;
		add(s, &like, prefix, (struct span){"", 0}, "");
	}
}

/* RFC 8461 3.1; exactly this form is accepted by all senders that we know */
static void add_id(struct record_set *s, struct record like, struct span prefix, const char *id)
{
	char txt[64];
	int n = snprintf(txt, sizeof txt, "v=STSv1; id=%s;", id);
	like.type = RECORD_TXT;
	add(s, &like, prefix, (struct span){txt, (size_t)n}, "");
}

/* RFC 8461 3.1: senders follow a CNAME to the TXT record. */
static void add_pointer(struct record_set *s, struct record like, struct span policy, const char *delegate)
{
	struct buf target;
	buf_init(&target, RECORD_TEXT_MAX_BYTES);
	like.type = RECORD_CNAME;
	if (delegated_add_name(policy, delegate, &target) == 0)
		add(s, &like, SPAN_LIT("_mta-sts"), buf_span(&target), ".");
	else
		s->text.failed = target.failed;
	buf_deinit(&target);
}

enum record_state record_state_of(const struct domain_row *row, int64_t now_unix_s)
{
	if (row->state != DOMAIN_WITHDRAWN)
		return RECORD_LIVE;
	return row->cached_until_unix_s > now_unix_s ? RECORD_WITHDRAWING : RECORD_GONE;
}

enum record_state record_state_of_policy(const struct delegated *d, int64_t now_unix_s)
{
	int64_t until_unix_s = delegated_until(d);
	if (until_unix_s == 0)
		return RECORD_LIVE;
	return until_unix_s > now_unix_s ? RECORD_WITHDRAWING : RECORD_GONE;
}

int record_add_policy(struct record_set *s, struct span policy, const struct delegated *d, uint32_t ttl_s,
		      enum record_state state)
{
	struct record like = {.ttl_s = ttl_s, .state = state, .until_unix_s = delegated_until(d)};
	char prefix[NAME_LABEL_MAX_BYTES + 16];
	int n = snprintf(prefix, sizeof prefix, "_mta-sts.%.*s", SPAN_ARG(policy));
	add_id(s, like, (struct span){prefix, (size_t)n}, d->id);
	return s->text.failed;
}

int record_add_domain(struct record_set *s, const struct domain_row *row, const struct settings *settings,
		      enum record_state state)
{
	bool is_withdrawn = row->state == DOMAIN_WITHDRAWN;
	struct record like = {.ttl_s = row->ttl_s, .until_unix_s = is_withdrawn ? row->cached_until_unix_s : 0};
	like.state = state == RECORD_GONE ? state : is_withdrawn ? RECORD_WITHDRAWING : RECORD_LIVE;
	size_t count_before = s->count;
	add_host(s, like, settings);
	if (s->is_host_out && s->count == count_before)
		add_deletions(s, like, SPAN_LIT("mta-sts"), RECORD_CNAME, RECORD_AAAA);
	/* RFC 8460 3; before the policy's record, so that the first failures are reported */
	like.type = RECORD_TXT;
	if (row->tls_rpt.len)
		add(s, &like, SPAN_LIT("_smtp._tls"), row->tls_rpt, "");
	else if (s->is_report_out)
		add_deletions(s, like, SPAN_LIT("_smtp._tls"), RECORD_TXT, RECORD_TXT);
	like.state = state;
	if (delegated_speaks(row, settings))
		add_pointer(s, like, row->policy, settings->dns_delegate);
	else
		add_id(s, like, SPAN_LIT("_mta-sts"), row->id);
	return s->text.failed;
}

int record_add_published(struct record_set *s, const char *id, const struct domain_row *row,
			 const struct settings *settings)
{
	struct record like = {.ttl_s = row->ttl_s, .state = RECORD_LIVE};
	if (id[0])
		add_id(s, like, SPAN_LIT("_mta-sts"), id);
	else
		add_pointer(s, like, row->policy, settings->dns_delegate);
	return s->text.failed;
}

int record_make(struct record_set *s, struct span domain, const struct domain_row *row, const struct settings *settings,
		enum record_state state)
{
	int rc = record_set_begin(s, domain, 0);
	return rc ? rc : record_add_domain(s, row, settings, state);
}

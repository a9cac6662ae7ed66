#include "record.h"

#include "../base/err.h"
#include "domains.h"
#include "settings.h"

#include <stdio.h>
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

enum { TEXT_MAX_BYTES = RECORDS_MAX * (256 + 64) + RECORD_DATA_MAX_BYTES };

void record_set_init(struct record_set *s)
{
	*s = (struct record_set){0};
	buf_init(&s->text, TEXT_MAX_BYTES);
}

void record_set_deinit(struct record_set *s)
{
	buf_deinit(&s->text);
	*s = (struct record_set){0};
}

/* Name and data go into text, which was reserved whole. */
static void add(struct record_set *s, struct span domain, const char *prefix, enum record_type type, uint32_t ttl_s,
		struct span data, const char *data_end, enum record_state state)
{
	size_t name_at = s->text.len;
	(void)buf_add_text(&s->text, prefix);
	(void)buf_add_char(&s->text, '.');
	(void)buf_add_span(&s->text, domain);
	(void)buf_add_char(&s->text, '.');
	size_t data_at = s->text.len;
	(void)buf_add_span(&s->text, data);
	(void)buf_add_text(&s->text, data_end);
	if (s->text.failed)
		return;
	s->items[s->count++] = (struct record){
		.domain = domain,
		.name = {s->text.p + name_at, data_at - name_at},
		.type = type,
		.ttl_s = ttl_s,
		.data = {s->text.p + data_at, s->text.len - data_at},
		.state = state,
	};
}

static void add_addresses(struct record_set *s, struct span domain, enum record_type type, uint32_t ttl_s,
			  const struct settings *settings, enum record_state state)
{
	for (size_t i = 0; i < settings->dns_addresses.count && i < RECORD_ADDRESSES_MAX; i++) {
		const char *address = settings->dns_addresses.items[i];
		if ((strchr(address, ':') != NULL) == (type == RECORD_AAAA))
			add(s, domain, "mta-sts", type, ttl_s, span_of(address), "", state);
	}
}

static void add_host(struct record_set *s, struct span domain, uint32_t ttl_s, const struct settings *settings,
		     enum record_state state)
{
	if (settings->dns_host) {
		add(s, domain, "mta-sts", RECORD_CNAME, ttl_s, span_of(settings->dns_host), ".", state);
		return;
	}
	add_addresses(s, domain, RECORD_A, ttl_s, settings, state);
	add_addresses(s, domain, RECORD_AAAA, ttl_s, settings, state);
}

enum record_state record_state_of(const struct domain_row *row, int64_t now_unix_s)
{
	if (row->state != DOMAIN_WITHDRAWN)
		return RECORD_LIVE;
	return row->cached_until_unix_s > now_unix_s ? RECORD_WITHDRAWING : RECORD_GONE;
}

int record_make(struct record_set *s, struct span domain, const struct domain_row *row, const struct settings *settings,
		enum record_state state)
{
	bool is_withdrawn = row->state == DOMAIN_WITHDRAWN;
	enum record_state others = state == RECORD_GONE ? state : is_withdrawn ? RECORD_WITHDRAWING : RECORD_LIVE;
	char txt[64];
	buf_reset(&s->text);
	s->count = 0;
	s->domain = domain;
	s->until_unix_s = is_withdrawn ? row->cached_until_unix_s : 0;
	if (buf_reserve(&s->text, TEXT_MAX_BYTES) != 0) /* so that spans into it stay */
		return ERR_NOMEM;
	add_host(s, domain, row->ttl_s, settings, others);
	/* RFC 8460 3; before the policy's record, so that the first failures are reported */
	if (row->tls_rpt.len)
		add(s, domain, "_smtp._tls", RECORD_TXT, row->ttl_s, row->tls_rpt, "", others);
	/* RFC 8461 3.1; exactly this form is accepted by all senders that we know */
	int n = snprintf(txt, sizeof txt, "v=STSv1; id=%s;", row->id);
	add(s, domain, "_mta-sts", RECORD_TXT, row->ttl_s, (struct span){txt, (size_t)n}, "", state);
	return s->text.failed;
}

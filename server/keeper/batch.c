#include "batch.h"

#include "../../base/db.h"
#include "../../base/err.h"
#include "../../config/delegated.h"
#include "../../config/formats.h"
#include "../../config/gone.h"
#include "../../config/settings.h"

#include <stdlib.h>
#include <string.h>

enum {
	INPUT_MAX_BYTES = 1 << 26,
	INPUT_ENOUGH_BYTES = 1 << 20, /* more domains would only make a failure dearer */
};

size_t batch_limit(size_t max_count, uint32_t level)
{
	size_t limit = level < BATCH_LEVELS ? max_count >> (2 * level) : 0;
	return limit ? limit : 1;
}

uint32_t batch_level(size_t max_count, uint32_t failure_count)
{
	uint32_t level = 0;
	while (level < failure_count && level < BATCH_LEVELS - 1 && (level == 0 || batch_limit(max_count, level) > 1))
		level++;
	return level;
}

uint32_t batch_delay_s(uint32_t n, uint32_t max_s, uint32_t random)
{
	uint32_t s = n <= 12 ? UINT32_C(1) << (n ? n - 1 : 0) : max_s;
	if (s > max_s)
		s = max_s;
	uint32_t spread = s / 2;
	return s - spread / 2 + (spread ? random % (spread + 1) : 0);
}

void batch_init(struct batch *b)
{
	*b = (struct batch){0};
	offer_init(&b->offer);
	buf_init(&b->input, INPUT_MAX_BYTES);
	buf_init(&b->names, INPUT_MAX_BYTES);
}

void batch_deinit(struct batch *b)
{
	offer_deinit(&b->offer);
	buf_deinit(&b->input);
	buf_deinit(&b->names);
	free(b->items);
	*b = (struct batch){0};
}

void batch_begin(struct batch *b, const struct format *format, size_t limit)
{
	b->format = format;
	b->limit = limit;
	b->count = b->record_count = 0;
	buf_reset(&b->input);
	buf_reset(&b->names);
}

static int make_room(struct batch *b)
{
	if (b->count < b->capacity)
		return 0;
	size_t capacity = b->capacity ? 2 * b->capacity : 64;
	struct batch_item *items = reallocarray(b->items, capacity, sizeof *items);
	if (!items)
		return ERR_NOMEM;
	b->items = items;
	b->capacity = capacity;
	return 0;
}

static bool has_live(const struct record_set *s, struct span prefix)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = &s->items[i];
		if (r->state != RECORD_GONE && r->name.len > prefix.len && memcmp(r->name.p, prefix.p, prefix.len) == 0)
			return true;
	}
	return false;
}

/* An item for domain, whose records, if any, are in the offer. */
static int add_item(struct batch *b, struct span domain, const struct outbox_entry *entry, struct batch_item item)
{
	if (make_room(b) != 0)
		return ERR_NOMEM;
	item.name_at = b->names.len;
	item.name_len = domain.len;
	item.version = entry->version;
	item.has_host = has_live(&b->offer.set, SPAN_LIT("mta-sts."));
	item.has_report = has_live(&b->offer.set, SPAN_LIT("_smtp._tls."));
	if (b->record_count == 0 && b->offer.set.count)
		(void)b->format->begin(&b->input);
	if (b->offer.set.count)
		(void)b->format->add(&b->input, &b->offer.set, b->record_count == 0);
	b->record_count += b->offer.set.count;
	if (buf_add_span(&b->names, domain) != 0 || b->input.failed)
		return ERR_NOMEM;
	b->items[b->count++] = item;
	return BATCH_ADDED;
}

/* Where the gate is shut: the records that can stand without the last one, once; unless what is published would go with
 * them. */
static int add_rest(struct batch *b, const struct offer_world *w, struct span domain, const struct outbox_entry *entry)
{
	struct published published;
	if (b->offer.gate.is_early)
		return BATCH_EARLY;
	if (entry->is_begun || b->offer.set.count == 0)
		return BATCH_WITHHELD;
	if (b->format->says_all && entry->failure_count)
		return BATCH_WITHHELD; /* a run that failed may have published it all the same */
	int rc = b->format->says_all ? published_get(w->txn, domain, &published) : ERR_NOENT;
	if (rc == 0 && published.has_policy)
		return BATCH_WITHHELD;
	return rc == 0 || rc == ERR_NOENT ? add_item(b, domain, entry, (struct batch_item){.is_whole = false}) : rc;
}

static struct batch_item whole_item(const struct offer *o)
{
	struct batch_item item = {.is_whole = true, .is_gone = o->state == RECORD_GONE};
	memcpy(item.id, o->id, sizeof item.id);
	return item;
}

/* A record that points to that of a policy waits until that one is out. Not in one run with it: a hook may go on where
 * it failed. */
static bool waits_for_policies(const struct offer_world *w, const struct domain_row *row)
{
	struct outbox_entry policies;
	return delegated_speaks(row, w->settings) &&
	       outbox_get(w->txn, span_of(w->settings->dns_delegate), &policies) == 0 && !policies.is_begun;
}

/* The domain's own record, which is withheld, must not go for not being named; nor can the others wait for it. 0,
 * BATCH_WITHHELD: it is not known what it is; ERR_NOMEM, ERR_RANGE. */
static int keep_published(struct batch *b, const struct offer_world *w, struct span domain)
{
	struct published published;
	struct domain_row row;
	int rc = published_get(w->txn, domain, &published);
	if (rc == ERR_NOENT || (rc == 0 && !published.has_policy))
		return 0;
	if (rc || domains_get(w->txn, domain, &row) != 0 || (!published.id[0] && row.policy.len == 0))
		return BATCH_WITHHELD;
	return record_add_published(&b->offer.set, published.id, &row, w->settings);
}

/* The records of policies, and those of the domain that they are below. */
static int add_policies(struct batch *b, const struct offer_world *w, struct span domain,
			const struct outbox_entry *entry)
{
	bool is_anything;
	int rc = offer_make_policies(&b->offer, w, &is_anything);
	if (rc)
		return rc;
	if (b->offer.policies_held_count)
		return BATCH_EARLY;
	bool is_whole = b->offer.gate.is_open;
	if (!is_whole && entry->is_begun)
		return BATCH_WITHHELD;
	if (!is_whole && b->format->says_all) {
		rc = keep_published(b, w, domain);
		if (rc)
			return rc;
	}
	return add_item(b, domain, entry, is_whole ? whole_item(&b->offer) : (struct batch_item){.is_whole = false});
}

static int add_offer(struct batch *b, const struct offer_world *w, struct span domain, const struct outbox_entry *entry,
		     const struct domain_row *row, enum record_state state)
{
	int rc = offer_make(&b->offer, w, domain, row, state);
	if (rc)
		return rc;
	if (!b->offer.gate.is_open)
		return add_rest(b, w, domain, entry);
	if (state != RECORD_GONE && waits_for_policies(w, row))
		return BATCH_WITHHELD;
	return add_item(b, domain, entry, whole_item(&b->offer));
}

static int add_domain(struct batch *b, const struct offer_world *w, struct span domain,
		      const struct outbox_entry *entry)
{
	struct domain_row row;
	enum record_state state;
	int rc = offer_find_row(w, domain, &row, &state);
	if (rc != ERR_NOENT)
		return rc ? rc : add_offer(b, w, domain, entry, &row, state);
	b->offer.set.count = 0; /* forgotten */
	return add_item(b, domain, entry, (struct batch_item){.is_whole = true, .is_gone = true});
}

int batch_add(struct batch *b, const struct offer_world *w, struct span domain, const struct outbox_entry *entry)
{
	if (b->count >= b->limit || b->input.len >= INPUT_ENOUGH_BYTES)
		return BATCH_FULL;
	return offer_is_delegate(w, domain) ? add_policies(b, w, domain, entry) : add_domain(b, w, domain, entry);
}

int batch_end(struct batch *b)
{
	if (b->record_count)
		(void)b->format->end(&b->input);
	return b->input.failed ? ERR_NOMEM : 0;
}

/* is_known: it was not forgotten during the run. */
static bool is_known(struct db_txn *txn, struct span domain)
{
	struct domain_row row;
	return domains_get(txn, domain, &row) != ERR_NOENT || gone_get(txn, domain, &row) != ERR_NOENT;
}

static int note_published(const struct batch_item *item, struct db_txn *txn, struct span domain, int64_t now_unix_s,
			  struct err *err)
{
	struct published p = {.id = ""};
	if (item->is_whole && item->is_gone)
		return published_drop(txn, domain, err);
	if (!is_known(txn, domain))
		return 0;
	/* nothing was; or that is damaged, and what is known now replaces it */
	if (published_get(txn, domain, &p) != 0)
		p = (struct published){.id = ""};
	p.has_host = item->has_host;
	p.has_report = item->has_report;
	p.at_unix_s = now_unix_s;
	if (item->is_whole) {
		p.has_policy = true;
		memcpy(p.id, item->id, sizeof p.id);
	}
	return published_put(txn, domain, &p, err);
}

static int settle_done(const struct batch_item *item, struct db_txn *txn, struct span domain,
		       struct outbox_entry *entry, bool is_newest, int64_t now_unix_s, struct err *err)
{
	int rc = note_published(item, txn, domain, now_unix_s, err);
	if (rc || !is_newest)
		return rc;
	if (item->is_whole)
		return outbox_drop(txn, domain, err);
	entry->is_begun = true;
	entry->failure_count = 0;
	entry->due_unix_s = 0;
	return outbox_replace(txn, domain, entry, err);
}

static int settle_failed(struct db_txn *txn, struct span domain, struct outbox_entry *entry, int64_t now_unix_s,
			 uint32_t random, struct err *err)
{
	entry->failure_count += entry->failure_count < UINT32_MAX;
	entry->due_unix_s = now_unix_s + batch_delay_s(entry->failure_count, BATCH_DELAY_MAX_S, random);
	return outbox_replace(txn, domain, entry, err);
}

static int settle(const struct batch *b, const struct batch_item *item, struct db_txn *txn, bool is_published,
		  int64_t now_unix_s, uint32_t random, struct err *err)
{
	struct span domain = {b->names.p + item->name_at, item->name_len};
	struct outbox_entry entry = {0};
	int rc = outbox_get(txn, domain, &entry);
	if (rc && rc != ERR_NOENT)
		return err_set(err, rc, "store: the outbox is damaged");
	bool is_newest = rc == 0 && entry.version == item->version;
	if (is_published)
		return settle_done(item, txn, domain, &entry, is_newest, now_unix_s, err);
	return is_newest ? settle_failed(txn, domain, &entry, now_unix_s, random, err) : 0;
}

int batch_settle(const struct batch *b, struct db_txn *txn, bool is_published, int64_t now_unix_s, uint32_t random,
		 struct err *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < b->count; i++)
		rc = settle(b, &b->items[i], txn, is_published, now_unix_s, random, err);
	return rc;
}

#include "seen.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../base/name.h"
#include "../../config/delegated.h"

#include <inttypes.h>

enum { RECORD_NAME_MAX_BYTES = NAME_MAX_BYTES + NAME_LABEL_MAX_BYTES + 16 };

int seen_look(const struct context *c, const struct domain_row *row, struct seen *out)
{
	*out = (struct seen){.is_delegated = delegated_speaks(row, &c->settings)};
	buf_init(&out->record, RECORD_NAME_MAX_BYTES);
	if (out->is_delegated)
		(void)delegated_add_name(row->policy, c->settings.dns_delegate, &out->record);
	int rc = delegated_find_id(c->txn, row, &c->settings, out->id, &out->since_unix_s);
	return rc ? rc : out->record.failed;
}

void seen_deinit(struct seen *s)
{
	buf_deinit(&s->record);
}

/* --- policies --------------------------------------------------------------------------------------------------- */

struct listing {
	const char *delegate;
	int64_t now_unix_s;
	struct buf *out;   /* for lines */
	struct json *json; /* or for objects */
	size_t count, max_count;
	struct buf name;
};

static void add_line(struct listing *l, const struct delegated *d)
{
	char date[CLOCK_ISO_BYTES];
	(void)buf_printf(l->out, "%-40s %-8s id %s  %" PRIu64 " domain%s", buf_text(&l->name), "policy", d->id,
			 d->domain_count, d->domain_count == 1 ? "" : "s");
	if (delegated_until(d)) {
		clock_render_iso(delegated_until(d), date);
		(void)buf_printf(l->out, ", removable from %s", date);
	}
	(void)buf_add_char(l->out, '\n');
}

static void put_object(struct listing *l, struct span policy, const struct delegated *d)
{
	json_open(l->json, '{');
	json_put_text(l->json, "policy", policy);
	json_put_text(l->json, "record", buf_span(&l->name));
	json_put_text(l->json, "id", span_of(d->id));
	json_put_time(l->json, "changed", d->changed_unix_s);
	json_put_number(l->json, "domains", (int64_t)d->domain_count);
	json_put_time(l->json, "removable_from", delegated_until(d));
	json_close(l->json, '}');
}

static int on_policy(void *ctx, struct span policy, const struct delegated *d)
{
	struct listing *l = ctx;
	if (delegated_is_over(d, l->now_unix_s))
		return 0;
	buf_reset(&l->name);
	int rc = delegated_add_name(policy, l->delegate, &l->name);
	if (rc == 0 && l->json)
		put_object(l, policy, d);
	else if (rc == 0 && l->count++ < l->max_count)
		add_line(l, d);
	return rc;
}

static int list(const struct context *c, struct listing *l)
{
	l->delegate = c->settings.dns_delegate;
	buf_init(&l->name, RECORD_NAME_MAX_BYTES);
	int rc = l->delegate ? delegated_each(c->txn, on_policy, l, NULL) : 0;
	buf_deinit(&l->name);
	return rc;
}

int seen_add_policies(const struct context *c, size_t max_count, struct buf *out)
{
	struct listing l = {.now_unix_s = clock_unix_s(), .out = out, .max_count = max_count};
	int rc = list(c, &l);
	if (rc == 0 && l.count > max_count)
		(void)buf_printf(out, "… and %zu more records of policies; `status --json` tells all\n",
				 l.count - max_count);
	return rc;
}

int seen_put_policies(const struct context *c, struct json *j)
{
	struct listing l = {.now_unix_s = clock_unix_s(), .json = j};
	return list(c, &l);
}

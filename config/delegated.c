#include "delegated.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "../base/name.h"
#include "gone.h"
#include "settings.h"

/* Host order: the store does not travel. */
struct stored_delegated {
	uint8_t body[SHA256_BYTES];
	char id[DOMAIN_ID_MAX_BYTES];
	int64_t changed_unix_s, left_unix_s, turned_unix_s;
	uint64_t turn, turn_max, domain_count;
	uint8_t is_gone, has_laggards, reserved[6];
};

static bool is_good(const struct stored_delegated *s)
{
	const int64_t dates[] = {s->changed_unix_s, s->left_unix_s, s->turned_unix_s};
	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
		if (dates[i] < 0 || dates[i] > DOMAIN_DATE_MAX_UNIX_S)
			return false; /* nothing that is reckoned with them may overflow */
	return true;
}

static int decode(struct span value, struct delegated *out)
{
	struct stored_delegated s;
	if (value.len != sizeof s)
		return ERR_IO;
	memcpy(&s, value.p, sizeof s); /* the map promises no alignment */
	if (!is_good(&s))
		return ERR_IO;
	*out = (struct delegated){
		.changed_unix_s = s.changed_unix_s,
		.left_unix_s = s.left_unix_s,
		.turned_unix_s = s.turned_unix_s,
		.turn = s.turn,
		.turn_max = s.turn_max,
		.domain_count = s.domain_count,
		.is_gone = s.is_gone != 0,
		.has_laggards = s.has_laggards != 0,
	};
	memcpy(out->body, s.body, sizeof out->body);
	memcpy(out->id, s.id, sizeof s.id);
	return 0;
}

int delegated_put(struct db_txn *txn, struct span policy, const struct delegated *d, struct err *err)
{
	struct stored_delegated s = {
		.changed_unix_s = d->changed_unix_s,
		.left_unix_s = d->left_unix_s,
		.turned_unix_s = d->turned_unix_s,
		.turn = d->turn,
		.turn_max = d->turn_max,
		.domain_count = d->domain_count,
		.is_gone = d->is_gone,
		.has_laggards = d->has_laggards,
	};
	memcpy(s.body, d->body, sizeof s.body);
	memcpy(s.id, d->id, strnlen(d->id, sizeof s.id));
	return db_put(txn, DB_DELEGATED, policy, (struct span){(const char *)&s, sizeof s}, err);
}

int delegated_get(struct db_txn *txn, struct span policy, struct delegated *out)
{
	struct span value;
	int rc = db_get(txn, DB_DELEGATED, policy, &value);
	return rc ? rc : decode(value, out);
}

bool delegated_is_same(const struct delegated *a, const struct delegated *b)
{
	return memcmp(a->body, b->body, sizeof a->body) == 0 && memcmp(a->id, b->id, sizeof a->id) == 0 &&
	       a->changed_unix_s == b->changed_unix_s && a->left_unix_s == b->left_unix_s &&
	       a->turned_unix_s == b->turned_unix_s && a->turn == b->turn && a->turn_max == b->turn_max &&
	       a->domain_count == b->domain_count && a->is_gone == b->is_gone && a->has_laggards == b->has_laggards;
}

/* walk: delegated_each from the first policy that is not before from. */
static int walk(struct db_txn *txn, struct span from, delegated_fn *fn, void *ctx, struct err *err)
{
	struct db_cursor *cur;
	struct span policy, value;
	struct delegated d;
	int told = 0, rc = db_cursor_open(txn, DB_DELEGATED, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, from, &policy, &value);
	while (rc == 0) {
		rc = policy.len <= NAME_LABEL_MAX_BYTES ? decode(value, &d) : ERR_IO;
		told = rc == 0 ? fn(ctx, policy, &d) : 0;
		if (rc || told)
			break;
		rc = db_next(cur, &policy, &value);
	}
	db_cursor_close(cur);
	if (rc == 0 || rc == ERR_NOENT)
		return told;
	return err_set(err, ERR_IO, "store: the records of policies cannot be read");
}

int delegated_each(struct db_txn *txn, delegated_fn *fn, void *ctx, struct err *err)
{
	return walk(txn, (struct span){NULL, 0}, fn, ctx, err);
}

int64_t delegated_until(const struct delegated *d)
{
	return d->left_unix_s ? d->left_unix_s + DELEGATED_KEEP_S : 0;
}

bool delegated_is_over(const struct delegated *d, int64_t now_unix_s)
{
	int64_t until_unix_s = delegated_until(d);
	return until_unix_s && until_unix_s + GONE_KEEP_S < now_unix_s;
}

/* One that a walk looks for: what is done about it is done once the walk is over, and the next one is behind it. */
struct search {
	int64_t now_unix_s;
	char policy[NAME_LABEL_MAX_BYTES];
	size_t len;
	struct delegated found;
};

static struct span name_of(const struct search *s)
{
	return (struct span){s->policy, s->len};
}

static int found(struct search *s, struct span policy, const struct delegated *d)
{
	memcpy(s->policy, policy.p, policy.len);
	s->len = policy.len;
	s->found = *d;
	return 1;
}

static int find_passed(void *ctx, struct span policy, const struct delegated *d)
{
	struct search *s = ctx;
	int64_t until_unix_s = delegated_until(d);
	return until_unix_s && until_unix_s <= s->now_unix_s && !d->is_gone ? found(s, policy, d) : 0;
}

int delegated_expire(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err)
{
	struct search s = {.now_unix_s = now_unix_s};
	int rc;
	*out_count = 0;
	while ((rc = walk(txn, name_of(&s), find_passed, &s, err)) == 1) {
		s.found.is_gone = true;
		rc = delegated_put(txn, name_of(&s), &s.found, err);
		if (rc)
			return rc;
		(*out_count)++;
	}
	return rc;
}

static int find_old(void *ctx, struct span policy, const struct delegated *d)
{
	struct search *s = ctx;
	bool is_turn_over = d->turn_max == 0 || d->turned_unix_s + POLICY_MAX_AGE_MAX_S < s->now_unix_s;
	return delegated_is_over(d, s->now_unix_s) && is_turn_over ? found(s, policy, d) : 0;
}

int delegated_prune(struct db_txn *txn, int64_t now_unix_s, size_t *out_count, struct err *err)
{
	struct search s = {.now_unix_s = now_unix_s};
	int rc;
	*out_count = 0;
	while ((rc = walk(txn, name_of(&s), find_old, &s, err)) == 1) {
		rc = db_delete(txn, DB_DELEGATED, name_of(&s), err);
		if (rc)
			return rc;
		(*out_count)++;
	}
	return rc;
}

/* --- what senders see ------------------------------------------------------------------------------------------- */

bool delegated_speaks(const struct domain_row *row, const struct settings *settings)
{
	return row->policy.len && settings->dns_delegate;
}

int delegated_find_id(struct db_txn *txn, const struct domain_row *row, const struct settings *settings,
		      char out[DOMAIN_ID_MAX_BYTES + 1], int64_t *out_since_unix_s)
{
	struct delegated d;
	bool is_own = !delegated_speaks(row, settings);
	int rc = is_own ? 0 : delegated_get(txn, row->policy, &d);
	if (rc)
		return rc;
	memcpy(out, is_own ? row->id : d.id, DOMAIN_ID_MAX_BYTES + 1);
	if (out_since_unix_s)
		*out_since_unix_s = is_own ? row->changed_unix_s : d.changed_unix_s;
	return 0;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static const char prefix[] = "_mta-sts."; /* RFC 8461 3.1 */

bool delegated_is_label(struct span policy)
{
	if (policy.len == 0 || policy.len > NAME_LABEL_MAX_BYTES || policy.p[0] == '-' ||
	    policy.p[policy.len - 1] == '-')
		return false;
	for (size_t i = 0; i < policy.len; i++) {
		char c = policy.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

bool delegated_is_below(struct span domain, const char *delegate)
{
	return delegate && span_is(name_parent(domain), span_of(delegate));
}

size_t delegated_name_len(struct span policy, const char *delegate)
{
	return sizeof prefix - 1 + policy.len + 1 + strlen(delegate);
}

int delegated_add_name(struct span policy, const char *delegate, struct buf *out)
{
	(void)buf_add_text(out, prefix);
	(void)buf_add_span(out, policy);
	(void)buf_add_char(out, '.');
	return buf_add_text(out, delegate);
}

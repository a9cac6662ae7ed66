#include "rows.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "bodies.h"
#include "delegated.h"
#include "delegation.h"
#include "domains.h"
#include "gone.h"
#include "id_floor.h"
#include "ids.h"
#include "outbox.h"
#include "outcome.h"
#include "spec.h"
#include "stored.h"

#include <stdlib.h>

/* The highest ids of rows that are gone: a domain that comes back must not repeat one. */
static const struct span floor_key = {"id_floor", 8};

static int raise_floor(struct db_txn *txn, const struct domain_row *row, struct err *err)
{
	struct ids_used floor = id_floor_load(txn, floor_key), was = floor;
	if (row->stamp_unix_s > floor.stamp_unix_s)
		floor.stamp_unix_s = row->stamp_unix_s;
	if (row->serial > floor.serial)
		floor.serial = row->serial;
	if (memcmp(&floor, &was, sizeof floor) == 0)
		return 0;
	return id_floor_store(txn, floor_key, &floor, err);
}

/* --- the index of withdrawn rows: date, then domain -----------------------------------------------------------------
 */

enum { DATE_BYTES = 8, INDEX_KEY_BYTES = DATE_BYTES + 255 };

static struct span index_key(int64_t until_unix_s, struct span domain, char out[INDEX_KEY_BYTES])
{
	uint64_t date = until_unix_s < 0 ? 0 : (uint64_t)until_unix_s;
	for (int i = 0; i < DATE_BYTES; i++)
		out[i] = (char)(date >> (8 * (DATE_BYTES - 1 - i))); /* big end first: keys sort by date */
	memcpy(out + DATE_BYTES, domain.p, domain.len);
	return (struct span){out, DATE_BYTES + domain.len};
}

static int drop_index(struct db_txn *txn, struct span domain, const struct domain_row *row, struct err *err)
{
	char key[INDEX_KEY_BYTES];
	if (row->state != DOMAIN_WITHDRAWN)
		return 0;
	int rc = db_delete(txn, DB_WITHDRAWN, index_key(row->cached_until_unix_s, domain, key), err);
	return rc == ERR_NOENT ? 0 : rc;
}

/* --- changes ---------------------------------------------------------------------------------------------------------
 */

static void take_used(struct domain_row *row, struct ids_used used)
{
	row->stamp_unix_s = used.stamp_unix_s;
	row->serial = used.serial;
}

/* Until when what has been served so far may be cached. A date that has passed stays: the clock may be wrong today. */
static int64_t ledger_date(const struct rows *r, const struct domain_row *row)
{
	int64_t late_unix_s = row->changed_unix_s > r->late_unix_s ? row->changed_unix_s : r->late_unix_s;
	int64_t until = domains_cached_until(row, late_unix_s);
	return until > row->cached_until_unix_s ? until : row->cached_until_unix_s;
}

/* The new body and everything that changes with it. old: NULL for a first publication. */
static void change_body(const struct rows *r, struct domain_row *row, const struct domain_row *old,
			const uint8_t digest[SHA256_BYTES], enum policy_mode mode, uint32_t max_age_s)
{
	memcpy(row->body, digest, SHA256_BYTES);
	row->changed_unix_s = r->now_unix_s;
	row->cached_until_unix_s = old ? ledger_date(r, old) : 0;
	if (!old || old->mode != mode || old->state != row->state)
		row->mode_since_unix_s = r->now_unix_s;
	if (!old)
		row->first_unix_s = r->now_unix_s;
	row->mode = mode;
	row->max_age_s = max_age_s;
}

static void next_id(const struct rows *r, struct domain_row *row, struct ids_used used)
{
	if (r->scheme == ID_SERIAL && used.serial < r->serial_floor)
		used.serial = r->serial_floor;
	ids_next(r->scheme, row->body, r->now_unix_s, &used, row->id);
	take_used(row, used);
}

static void choose_id(const struct rows *r, struct domain_row *row, const struct domain_row *old,
		      const struct spec *values, bool is_changed)
{
	struct ids_used used = old ? (struct ids_used){old->stamp_unix_s, old->serial}
				   : id_floor_load(r->txn, floor_key);
	take_used(row, used);
	if (spec_has(values, SPEC_ID)) {
		memset(row->id, 0, sizeof row->id);
		memcpy(row->id, values->id.p, values->id.len);
	} else if (is_changed || r->scheme == ID_DIGEST) {
		next_id(r, row, used);
	}
}

/* put: the row, and with it that its records have changed. */
static int put(struct rows *r, struct span domain, const struct domain_row *row, bool has_same_records, struct err *err)
{
	int rc = domains_put_into(r->txn, DB_DOMAINS, domain, row, err);
	bool is_owed = rc == 0 && r->is_publishing && !has_same_records;
	return is_owed ? outbox_put(r->txn, domain, r->now_unix_s, err) : rc;
}

static bool is_same_row(const struct domain_row *a, const struct domain_row *b)
{
	return a->state == b->state && a->ttl_s == b->ttl_s && memcmp(a->body, b->body, sizeof a->body) == 0 &&
	       memcmp(a->id, b->id, sizeof a->id) == 0 && span_is(a->tls_rpt, b->tls_rpt) &&
	       span_is(a->policy, b->policy);
}

/* The records of policies are published together, as those of the domain that they are below. */
static int owe_policies(struct rows *r, struct err *err)
{
	bool is_owed = r->is_publishing && r->delegate;
	return is_owed ? outbox_put(r->txn, span_of(r->delegate), r->now_unix_s, err) : 0;
}

/* Where the record of a policy speaks for the domain, its own records say nothing about body and id. */
static bool has_same_records(const struct domain_row *a, const struct domain_row *b)
{
	return a->policy.len && span_is(a->policy, b->policy) && a->state == b->state && a->ttl_s == b->ttl_s &&
	       span_is(a->tls_rpt, b->tls_rpt);
}

static int swap_body(struct rows *r, const struct domain_row *old, const uint8_t digest[SHA256_BYTES], struct span body,
		     struct err *err)
{
	int rc = bodies_tally_take(&r->bodies, digest, body, err);
	return rc == 0 && old ? bodies_tally_drop(&r->bodies, old->body, err) : rc;
}

void rows_begin(struct rows *r, struct db_txn *txn, enum id_scheme scheme, int64_t now_unix_s)
{
	int64_t seen_unix_s = stored_find_time(txn);
	*r = (struct rows){.txn = txn, .scheme = scheme, .now_unix_s = now_unix_s};
	r->late_unix_s = seen_unix_s > now_unix_s ? seen_unix_s : now_unix_s;
	bodies_tally_begin(&r->bodies, txn);
	delegation_begin(&r->delegation, txn, scheme, now_unix_s, r->late_unix_s);
}

int rows_end(struct rows *r, struct err *err)
{
	bool is_changed = false;
	r->delegation.serial_floor = r->serial_floor;
	r->delegation.is_clock_unsure = r->is_clock_unsure;
	int rc = bodies_tally_end(&r->bodies, err);
	if (rc == 0)
		rc = delegation_end(&r->delegation, &is_changed, err);
	return rc == 0 && is_changed ? owe_policies(r, err) : rc;
}

void rows_deinit(struct rows *r)
{
	delegation_deinit(&r->delegation);
}

/* Before anything is written: old's texts point into the store. */
static int move(struct rows *r, const struct domain_row *old, const struct domain_row *row, struct err *err)
{
	int rc = old ? delegation_leave(&r->delegation, old, err) : 0;
	return rc ? rc : delegation_join(&r->delegation, row, err);
}

int rows_put(struct rows *r, struct span domain, const struct outcome *v, const struct domain_row *old,
	     bool *out_changed, struct err *err)
{
	const struct spec *values = &v->resolved.values;
	struct domain_row row = old ? *old : (struct domain_row){0};
	bool is_changed = !old || memcmp(old->body, v->digest, sizeof v->digest) != 0;
	bool is_back = old && old->state == DOMAIN_WITHDRAWN;
	row.state = DOMAIN_LIVE;
	row.ttl_s = v->ttl_s;
	row.tls_rpt = v->tls_rpt;
	row.policy = v->policy;
	if (is_changed || is_back)
		change_body(r, &row, old, v->digest, values->mode, values->max_age_s);
	choose_id(r, &row, old, values, is_changed);
	*out_changed = !old || !is_same_row(&row, old);
	if (!*out_changed)
		return 0;
	bool is_same = old && has_same_records(&row, old); /* as long as old's texts can be read */
	int rc = move(r, old, &row, err);
	if (rc == 0 && is_back)
		rc = drop_index(r->txn, domain, old, err);
	if (rc == 0 && is_changed)
		rc = swap_body(r, old, v->digest, v->body, err);
	if (rc == 0 && !old)
		rc = gone_drop(r->txn, domain, err);
	return rc ? rc : put(r, domain, &row, is_same, err);
}

/* Mode none with the mx of the body that was served until now: into out. */
static int render_withdrawn(struct db_txn *txn, const struct domain_row *row, struct buf *out)
{
	struct span body, item;
	size_t pos = 0, count = 0, n = 0;
	int rc = domains_body(txn, row, &body);
	if (rc)
		return rc;
	while (policy_next_mx(body, &pos, &item) == 0)
		count++;
	struct span *mx = count ? calloc(count, sizeof *mx) : NULL;
	if (count && !mx)
		return ERR_NOMEM;
	pos = 0;
	while (n < count && policy_next_mx(body, &pos, &mx[n]) == 0)
		n++;
	struct policy p = {.mode = POLICY_NONE, .max_age_s = POLICY_WITHDRAWN_MAX_AGE_S, .mx = mx, .mx_count = n};
	rc = policy_render(&p, out);
	free(mx);
	return rc;
}

static int remove_row(struct rows *r, struct span domain, const struct domain_row *row, struct err *err)
{
	int rc = raise_floor(r->txn, row, err);
	if (rc == 0)
		rc = bodies_tally_drop(&r->bodies, row->body, err);
	if (rc == 0)
		rc = drop_index(r->txn, domain, row, err);
	return rc ? rc : db_delete(r->txn, DB_DOMAINS, domain, err);
}

/* retire: it is served no more; its records are still to be deleted. */
static int retire(struct rows *r, struct span domain, const struct domain_row *row, struct err *err)
{
	int rc = delegation_leave(&r->delegation, row, err);
	if (rc == 0) /* first: the row's texts point into the store */
		rc = gone_put(r->txn, domain, row, r->now_unix_s, err);
	if (rc == 0)
		rc = remove_row(r, domain, row, err);
	return rc == 0 && r->is_publishing ? outbox_put(r->txn, domain, r->now_unix_s, err) : rc;
}

static int put_withdrawn(struct rows *r, struct span domain, const struct domain_row *old, struct span body,
			 struct err *err)
{
	struct domain_row row = *old;
	uint8_t digest[SHA256_BYTES];
	char key[INDEX_KEY_BYTES];
	sha256_of(body, digest);
	row.state = DOMAIN_WITHDRAWN;
	row.policy = (struct span){NULL, 0}; /* the policy's record does not speak of mode none */
	change_body(r, &row, old, digest, POLICY_NONE, POLICY_WITHDRAWN_MAX_AGE_S);
	if (memcmp(digest, old->body, sizeof digest) != 0)
		next_id(r, &row, (struct ids_used){old->stamp_unix_s, old->serial});
	int rc = move(r, old, &row, err);
	if (rc == 0)
		rc = put(r, domain, &row, false, err); /* first: old's text still points into the store */
	if (rc == 0)
		rc = swap_body(r, old, digest, body, err);
	if (rc == 0)
		rc = db_put(r->txn, DB_WITHDRAWN, index_key(row.cached_until_unix_s, domain, key), (struct span){"", 0},
			    err);
	return rc;
}

int rows_withdraw(struct rows *r, struct span domain, bool *out_changed, struct err *err)
{
	struct domain_row old;
	*out_changed = false;
	int rc = domains_get(r->txn, domain, &old);
	if (rc == ERR_NOENT || (rc == 0 && old.state == DOMAIN_WITHDRAWN))
		return 0;
	if (rc)
		return err_set(err, rc, "store: a row cannot be read");
	*out_changed = true;
	if (ledger_date(r, &old) <= (r->is_clock_unsure ? 0 : r->now_unix_s))
		return retire(r, domain, &old, err);
	struct buf body;
	buf_init(&body, 2 * POLICY_BODY_MAX_BYTES);
	rc = render_withdrawn(r->txn, &old, &body);
	if (rc)
		rc = err_set(err, rc, "%.*s cannot be withdrawn: its policy cannot be read", SPAN_ARG(domain));
	else
		rc = put_withdrawn(r, domain, &old, buf_span(&body), err);
	buf_deinit(&body);
	return rc;
}

static int next_expired(struct db_txn *txn, int64_t now_unix_s, char domain[256], size_t *len, struct err *err)
{
	struct db_cursor *cur;
	struct span key, value;
	char last[INDEX_KEY_BYTES];
	int rc = db_cursor_open(txn, DB_WITHDRAWN, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, (struct span){NULL, 0}, &key, &value);
	/* a key of date now + 1 and nothing behind is greater than every key of now and before */
	struct span bound = index_key(now_unix_s + 1, (struct span){"", 0}, last);
	if (rc == 0 && (key.len <= DATE_BYTES || key.len > DATE_BYTES + 255))
		rc = err_set(err, ERR_IO, "store: the list of withdrawn domains is damaged");
	else if (rc == 0 && span_compare(key, bound) >= 0)
		rc = ERR_NOENT;
	if (rc == 0) {
		*len = key.len - DATE_BYTES;
		memcpy(domain, key.p + DATE_BYTES, *len);
	}
	db_cursor_close(cur);
	return rc;
}

static int expire_policies(struct rows *r, size_t *count, struct err *err)
{
	size_t passed_count = 0, pruned_count = 0;
	int rc = delegated_expire(r->txn, r->now_unix_s, &passed_count, err);
	if (rc == 0 && passed_count)
		rc = owe_policies(r, err);
	if (rc == 0)
		rc = delegated_prune(r->txn, r->now_unix_s, &pruned_count, err);
	*count += passed_count + pruned_count;
	return rc;
}

int rows_expire(struct rows *r, size_t *out_count, struct err *err)
{
	char domain[256];
	size_t len;
	*out_count = 0;
	if (r->is_clock_unsure)
		return 0;
	for (;;) {
		struct domain_row row;
		int rc = next_expired(r->txn, r->now_unix_s, domain, &len, err);
		if (rc == ERR_NOENT)
			break;
		if (rc)
			return rc;
		rc = domains_get(r->txn, (struct span){domain, len}, &row);
		if (rc == 0)
			rc = retire(r, (struct span){domain, len}, &row, err);
		if (rc)
			return err_set(err, rc, "store: a withdrawn row cannot be removed");
		(*out_count)++;
	}
	size_t pruned_count = 0;
	int rc = gone_prune(r->txn, r->now_unix_s, &pruned_count, err);
	*out_count += pruned_count;
	return rc ? rc : expire_policies(r, out_count, err);
}

/* drop_rest: what may be left of a domain without a row. */
static int drop_rest(struct rows *r, struct span domain, struct err *err)
{
	bool is_of_policies = r->delegate && span_is(domain, span_of(r->delegate));
	int rc = gone_drop(r->txn, domain, err);
	if (rc == 0 && !is_of_policies) /* theirs are owed under that name, too */
		rc = outbox_drop(r->txn, domain, err);
	return rc ? rc : published_drop(r->txn, domain, err);
}

int rows_forget(struct rows *r, struct span domain, struct err *err)
{
	struct domain_row row;
	int rc = domains_get(r->txn, domain, &row);
	bool is_served = rc == 0;
	if (is_served && row.state == DOMAIN_LIVE)
		return err_set(err, ERR_CONFLICT, "%.*s is in the configuration; take it out there first",
			       SPAN_ARG(domain));
	if (is_served &&
	    r->is_publishing) /* whether its record is out nobody knows for sure: a run may have just ended */
		return retire(r, domain, &row, err);
	if (is_served)
		rc = remove_row(r, domain, &row, err);
	else if (rc == ERR_NOENT)
		rc = gone_get(r->txn, domain, &row);
	if (rc == ERR_NOENT)
		return err_set(err, rc, "%.*s is not being withdrawn", SPAN_ARG(domain));
	return rc ? err_set(err, rc, "store: the row of %.*s cannot be removed", SPAN_ARG(domain))
		  : drop_rest(r, domain, err);
}

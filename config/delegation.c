#include "delegation.h"

#include "../base/db.h"
#include "../base/err.h"
#include "../base/name.h"
#include "delegated.h"
#include "id_floor.h"
#include "ids.h"
#include "policy.h"

#include <stdlib.h>

struct delegation_policy {
	char name[NAME_LABEL_MAX_BYTES];
	size_t len;
	bool is_stored;
	bool is_turned; /* a domain stops lagging behind */
	uint64_t joined_count;
	struct delegated was, now; /* was: zeroed when it is not stored */
};

void delegation_begin(struct delegation *d, struct db_txn *txn, enum id_scheme scheme, int64_t now_unix_s,
		      int64_t late_unix_s)
{
	*d = (struct delegation){.txn = txn, .scheme = scheme, .now_unix_s = now_unix_s, .late_unix_s = late_unix_s};
}

void delegation_deinit(struct delegation *d)
{
	for (size_t i = 0; i < d->policy_count; i++)
		free(d->policies[i]);
	free(d->policies);
	*d = (struct delegation){0};
}

static struct span name_of(const struct delegation_policy *p)
{
	return (struct span){p->name, p->len};
}

/* The index of the first policy that is not before name. */
static size_t lower_bound(const struct delegation *d, struct span name)
{
	size_t low = 0, high = d->policy_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (span_compare(name_of(d->policies[mid]), name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int load(struct delegation *d, struct span name, struct delegation_policy *p)
{
	*p = (struct delegation_policy){.len = name.len};
	memcpy(p->name, name.p, name.len);
	int rc = delegated_get(d->txn, name, &p->was);
	p->is_stored = rc == 0;
	p->now = p->was;
	return rc == ERR_NOENT ? 0 : rc;
}

static int insert(struct delegation *d, size_t at, struct span name, struct err *err)
{
	struct delegation_policy **policies = reallocarray(d->policies, d->policy_count + 1, sizeof *policies);
	if (!policies)
		return err_set(err, ERR_NOMEM, "out of memory");
	d->policies = policies;
	struct delegation_policy *p = malloc(sizeof *p);
	if (!p)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (load(d, name, p) != 0) {
		free(p);
		return err_set(err, ERR_IO, "store: the record of policy %.*s cannot be read", SPAN_ARG(name));
	}
	memmove(&policies[at + 1], &policies[at], (d->policy_count - at) * sizeof *policies);
	policies[at] = p;
	d->policy_count++;
	return 0;
}

/* find: makes d->last the policy of that name. */
static int find(struct delegation *d, struct span name, struct err *err)
{
	if (d->last && span_is(name_of(d->last), name))
		return 0;
	if (name.len > NAME_LABEL_MAX_BYTES)
		return err_set(err, ERR_RANGE, "the name of a policy is too long");
	size_t at = lower_bound(d, name);
	bool is_here = at < d->policy_count && span_is(name_of(d->policies[at]), name);
	int rc = is_here ? 0 : insert(d, at, name, err);
	d->last = rc ? NULL : d->policies[at];
	return rc;
}

int delegation_leave(struct delegation *d, const struct domain_row *old, struct err *err)
{
	int rc = old->policy.len ? find(d, old->policy, err) : 0;
	if (rc || old->policy.len == 0)
		return rc;
	struct delegation_policy *p = d->last;
	p->now.domain_count -= p->now.domain_count > 0; /* it is there unless the store is damaged */
	/* its senders have seen the others' id with older bytes: they must not take it for that of newer ones */
	p->is_turned = p->is_turned || (p->is_stored && memcmp(p->was.body, old->body, sizeof old->body) != 0);
	return 0;
}

int delegation_join(struct delegation *d, const struct domain_row *row, struct err *err)
{
	int rc = row->policy.len ? find(d, row->policy, err) : 0;
	if (rc || row->policy.len == 0)
		return rc;
	d->last->now.domain_count++;
	d->last->joined_count++;
	memcpy(d->last->now.body, row->body, sizeof row->body); /* that of all that are good: see E20 */
	return 0;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

/* The highest ids of all policies, those that were forgotten included: a domain that moves from one to the other must
 * see another id, and a policy that comes back must not repeat one. */
static const struct span floor_key = {"delegated_floor", 15};

static bool is_new_body(const struct delegation_policy *p)
{
	return !p->is_stored || memcmp(p->was.body, p->now.body, sizeof p->was.body) != 0;
}

/* With digests the id of a body is the same on all machines, but where a domain lags behind: then the id of some bytes
 * is seen with others, and must neither have been seen before, nor come again until nobody can hold them. */
static void choose_turn(const struct delegation *d, struct delegation_policy *p)
{
	if (is_new_body(p))
		p->now.has_laggards = p->joined_count < p->now.domain_count;
	if (p->is_turned || (is_new_body(p) && (p->was.has_laggards || p->now.has_laggards))) {
		p->now.turn = ++p->now.turn_max;
		p->now.turned_unix_s = d->late_unix_s;
	} else if (is_new_body(p) && !d->is_clock_unsure &&
		   d->now_unix_s - p->now.turned_unix_s > POLICY_MAX_AGE_MAX_S) {
		p->now.turn = 0;
	}
}

static void choose_id(const struct delegation *d, struct delegation_policy *p, struct ids_used *used)
{
	choose_turn(d, p); /* whatever the scheme is now: it may be digest again */
	if (d->scheme != ID_DIGEST && !is_new_body(p) && !p->is_turned)
		return;
	if (d->scheme == ID_SERIAL && used->serial < d->serial_floor)
		used->serial = d->serial_floor;
	ids_next_shared(d->scheme, p->now.body, name_of(p), p->now.turn, d->now_unix_s, used, p->now.id);
	if (memcmp(p->now.id, p->was.id, sizeof p->now.id) != 0)
		p->now.changed_unix_s = d->now_unix_s;
}

static void note_departure(const struct delegation *d, struct delegation_policy *p)
{
	if (p->now.domain_count) {
		p->now.left_unix_s = 0;
		p->now.is_gone = false;
	} else if (p->now.left_unix_s == 0) {
		p->now.left_unix_s = d->late_unix_s > 0 ? d->late_unix_s : 1;
	}
}

/* publish: THE place where the record of a policy changes: it is new or needed again, has another id, or is needed no
 * more from delegated_until on. */
static int publish(struct delegation *d, const struct delegation_policy *p, bool *out_changed, struct err *err)
{
	bool was_needed = p->is_stored && p->was.left_unix_s == 0, is_needed = p->now.left_unix_s == 0;
	bool is_same = was_needed == is_needed && memcmp(p->was.id, p->now.id, sizeof p->was.id) == 0;
	*out_changed = *out_changed || !is_same;
	if (p->is_stored && delegated_is_same(&p->was, &p->now))
		return 0;
	return delegated_put(d->txn, name_of(p), &p->now, err);
}

int delegation_end(struct delegation *d, bool *out_changed, struct err *err)
{
	*out_changed = false;
	if (d->policy_count == 0)
		return 0;
	struct ids_used was = id_floor_load(d->txn, floor_key), used = was;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < d->policy_count; i++) {
		choose_id(d, d->policies[i], &used);
		note_departure(d, d->policies[i]);
		rc = publish(d, d->policies[i], out_changed, err);
	}
	if (rc == 0 && memcmp(&used, &was, sizeof used) != 0)
		rc = id_floor_store(d->txn, floor_key, &used, err);
	struct delegation begun = *d;
	delegation_deinit(d);
	delegation_begin(d, begun.txn, begun.scheme, begun.now_unix_s, begun.late_unix_s);
	return rc;
}

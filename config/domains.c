#include "domains.h"

#include "../base/buf.h"
#include "../base/db.h"
#include "../base/err.h"
#include "../base/name.h"

/* The fixed part of a stored row; the name of the policy and the text of the TLSRPT record follow. Host order: the
 * store does not travel. */
struct stored_row {
	uint8_t state, mode, policy_len, reserved;
	uint32_t max_age_s, ttl_s;
	uint8_t body[SHA256_BYTES];
	char id[DOMAIN_ID_MAX_BYTES];
	int64_t changed_unix_s, mode_since_unix_s, first_unix_s, cached_until_unix_s, stamp_unix_s;
	uint64_t serial;
};

int domains_encode(const struct domain_row *row, struct buf *out)
{
	struct stored_row s = {
		.state = (uint8_t)row->state,
		.mode = (uint8_t)row->mode,
		.policy_len = (uint8_t)row->policy.len,
		.max_age_s = row->max_age_s,
		.ttl_s = row->ttl_s,
		.changed_unix_s = row->changed_unix_s,
		.mode_since_unix_s = row->mode_since_unix_s,
		.first_unix_s = row->first_unix_s,
		.cached_until_unix_s = row->cached_until_unix_s,
		.stamp_unix_s = row->stamp_unix_s,
		.serial = row->serial,
	};
	memcpy(s.body, row->body, sizeof s.body);
	memcpy(s.id, row->id, strnlen(row->id, sizeof s.id));
	if (row->policy.len > NAME_LABEL_MAX_BYTES)
		return ERR_RANGE;
	(void)buf_add(out, &s, sizeof s);
	(void)buf_add_span(out, row->policy);
	return buf_add_span(out, row->tls_rpt);
}

static bool is_good(const struct stored_row *s)
{
	const int64_t dates[] = {s->changed_unix_s, s->mode_since_unix_s, s->first_unix_s, s->cached_until_unix_s,
				 s->stamp_unix_s};
	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
		if (dates[i] < 0 || dates[i] > DOMAIN_DATE_MAX_UNIX_S)
			return false; /* nothing that is reckoned with them may overflow */
	return s->state <= DOMAIN_WITHDRAWN && s->mode <= POLICY_ENFORCE && s->policy_len <= NAME_LABEL_MAX_BYTES;
}

int domains_decode(struct span value, struct domain_row *out)
{
	struct stored_row s;
	if (value.len < sizeof s)
		return ERR_PARSE;
	memcpy(&s, value.p, sizeof s); /* the map promises no alignment */
	struct span texts = {value.p + sizeof s, value.len - sizeof s};
	if (!is_good(&s) || s.policy_len > texts.len)
		return ERR_PARSE;
	*out = (struct domain_row){
		.state = (enum domain_state)s.state,
		.mode = (enum policy_mode)s.mode,
		.max_age_s = s.max_age_s,
		.ttl_s = s.ttl_s,
		.changed_unix_s = s.changed_unix_s,
		.mode_since_unix_s = s.mode_since_unix_s,
		.first_unix_s = s.first_unix_s,
		.cached_until_unix_s = s.cached_until_unix_s,
		.stamp_unix_s = s.stamp_unix_s,
		.serial = s.serial,
		.tls_rpt = {texts.p + s.policy_len, texts.len - s.policy_len},
		.policy = {texts.p, s.policy_len},
	};
	memcpy(out->body, s.body, sizeof out->body);
	memcpy(out->id, s.id, sizeof s.id);
	return 0;
}

int domains_get_from(struct db_txn *txn, enum db_table table, struct span domain, struct domain_row *out)
{
	struct span value;
	int rc = db_get(txn, table, domain, &value);
	if (rc)
		return rc;
	return domains_decode(value, out) == 0 ? 0 : ERR_IO;
}

int domains_get(struct db_txn *txn, struct span domain, struct domain_row *out)
{
	return domains_get_from(txn, DB_DOMAINS, domain, out);
}

int domains_get_in_turn(struct db_txn *txn, struct span domain, struct domain_row *out)
{
	struct span value;
	int rc = db_get_in_turn(txn, DB_DOMAINS, 0, domain, &value);
	if (rc)
		return rc;
	return domains_decode(value, out) == 0 ? 0 : ERR_IO;
}

enum { ROW_MAX_BYTES = 4096 }; /* the fixed part and a TLSRPT value */

int domains_put_into(struct db_txn *txn, enum db_table table, struct span domain, const struct domain_row *row,
		     struct err *err)
{
	struct buf value;
	buf_init(&value, ROW_MAX_BYTES);
	int rc = domains_encode(row, &value);
	if (rc)
		rc = err_set(err, rc, "a row is too large");
	else
		rc = db_put(txn, table, domain, buf_span(&value), err);
	buf_deinit(&value);
	return rc;
}

int domains_get_by_host(struct db_txn *txn, struct span host, struct domain_row *out)
{
	static const struct span prefix = {"mta-sts.", 8}; /* RFC 8461 3.2 */
	if (host.len <= prefix.len || memcmp(host.p, prefix.p, prefix.len) != 0)
		return ERR_NOENT;
	return domains_get(txn, (struct span){host.p + prefix.len, host.len - prefix.len}, out);
}

enum { BODY_HEAD_BYTES = sizeof(uint64_t) }; /* the reference count, see bodies.c */

int domains_body(struct db_txn *txn, const struct domain_row *row, struct span *out)
{
	struct span value, key = {(const char *)row->body, sizeof row->body};
	int rc = db_get(txn, DB_BODIES, key, &value);
	if (rc)
		return rc;
	if (value.len < BODY_HEAD_BYTES)
		return ERR_IO;
	*out = (struct span){value.p + BODY_HEAD_BYTES, value.len - BODY_HEAD_BYTES};
	return 0;
}

int64_t domains_cached_until(const struct domain_row *row, int64_t now_unix_s)
{
	int64_t until = row->cached_until_unix_s > now_unix_s ? row->cached_until_unix_s : 0;
	if (row->mode == POLICY_NONE)
		return until;
	int64_t current = now_unix_s + (int64_t)row->max_age_s;
	if (current > DOMAIN_DATE_MAX_UNIX_S)
		current = DOMAIN_DATE_MAX_UNIX_S;
	return current > until ? current : until;
}

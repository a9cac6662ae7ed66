#include "outbox.h"

#include "../base/db.h"
#include "../base/err.h"
#include "../base/name.h"
#include "keys.h"
#include "settings_table.h"

/* Host order, as all of the store. */
struct stored_entry {
	uint64_t version;
	int64_t since_unix_s, due_unix_s;
	uint32_t failure_count;
	uint8_t is_begun, reserved[3];
};

int outbox_replace(struct db_txn *txn, struct span domain, const struct outbox_entry *e, struct err *err)
{
	const struct stored_entry s = {
		.version = e->version,
		.since_unix_s = e->since_unix_s,
		.due_unix_s = e->due_unix_s,
		.failure_count = e->failure_count,
		.is_begun = e->is_begun,
	};
	return db_put(txn, DB_OUTBOX, domain, (struct span){(const char *)&s, sizeof s}, err);
}

int outbox_put(struct db_txn *txn, struct span domain, int64_t now_unix_s, struct err *err)
{
	const struct outbox_entry e = {.version = db_txn_number(txn), .since_unix_s = now_unix_s};
	return outbox_replace(txn, domain, &e, err);
}

int outbox_decode(struct span value, struct outbox_entry *out)
{
	struct stored_entry s;
	if (value.len != sizeof s)
		return ERR_PARSE;
	memcpy(&s, value.p, sizeof s); /* the map promises no alignment */
	*out = (struct outbox_entry){
		.version = s.version,
		.since_unix_s = s.since_unix_s,
		.due_unix_s = s.due_unix_s,
		.failure_count = s.failure_count,
		.is_begun = s.is_begun,
	};
	return 0;
}

int outbox_get(struct db_txn *txn, struct span domain, struct outbox_entry *out)
{
	struct span value;
	int rc = db_get(txn, DB_OUTBOX, domain, &value);
	if (rc)
		return rc;
	return outbox_decode(value, out) == 0 ? 0 : ERR_IO;
}

static int drop(struct db_txn *txn, enum db_table table, struct span domain, struct err *err)
{
	int rc = db_delete(txn, table, domain, err);
	return rc == ERR_NOENT ? 0 : rc;
}

int outbox_drop(struct db_txn *txn, struct span domain, struct err *err)
{
	return drop(txn, DB_OUTBOX, domain, err);
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

/* put_copy: what a cursor handed out does not outlive a put, not even as its key. */
static int put_copy(struct db_txn *txn, struct span domain, int64_t now_unix_s, struct err *err)
{
	char name[NAME_MAX_BYTES];
	struct span copy = {name, domain.len < sizeof name ? domain.len : sizeof name};
	memcpy(name, domain.p, copy.len);
	return outbox_put(txn, copy, now_unix_s, err);
}

int outbox_fill(struct db_txn *txn, int64_t now_unix_s, struct err *err)
{
	struct db_cursor *cur;
	struct span domain, value;
	int rc = db_cursor_open(txn, DB_DOMAINS, &cur, err);
	if (rc)
		return rc;
	rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value);
	while (rc == 0) {
		rc = put_copy(txn, domain, now_unix_s, err);
		if (rc == 0)
			rc = db_next(cur, &domain, &value);
	}
	db_cursor_close(cur);
	return rc == ERR_NOENT ? 0 : rc;
}

int outbox_hurry(struct db_txn *txn, struct err *err)
{
	struct db_cursor *cur;
	struct outbox_entry e;
	struct span domain, value;
	char name[NAME_MAX_BYTES];
	int rc = db_cursor_open(txn, DB_OUTBOX, &cur, err);
	if (rc)
		return rc;
	for (rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0; rc = db_next(cur, &domain, &value)) {
		if (domain.len > sizeof name || outbox_decode(value, &e) != 0 || e.due_unix_s == 0)
			continue;
		memcpy(name, domain.p, domain.len);
		e.due_unix_s = 0;
		rc = outbox_replace(txn, (struct span){name, domain.len}, &e, err);
		if (rc)
			break;
	}
	db_cursor_close(cur);
	return rc == ERR_NOENT ? 0 : rc;
}

bool outbox_is_to_be_filled(const struct settings *was, const struct settings *now)
{
	static const char *const of_all[] = {"dns.host", "dns.addresses", "dns.delegate"};
	if (now->dns_publish_command.count == 0)
		return false;
	if (!was || was->dns_publish_command.count == 0)
		return true;
	for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)
		if (!settings_is_same(was, now, keys_find(span_of(of_all[i]), KEY_SERVER)))
			return true;
	/* the TTL of all others is in their rows */
	return now->dns_delegate && was->dns_ttl_s != now->dns_ttl_s;
}

/* --- what is out -------------------------------------------------------------------------------------------------- */

struct stored_published {
	uint8_t has_host, has_report, has_policy, reserved[5];
	char id[DOMAIN_ID_MAX_BYTES];
	int64_t at_unix_s;
};

int published_put(struct db_txn *txn, struct span domain, const struct published *p, struct err *err)
{
	struct stored_published s = {
		.has_host = p->has_host,
		.has_report = p->has_report,
		.has_policy = p->has_policy,
		.at_unix_s = p->at_unix_s,
	};
	memcpy(s.id, p->id, strnlen(p->id, sizeof s.id));
	return db_put(txn, DB_PUBLISHED, domain, (struct span){(const char *)&s, sizeof s}, err);
}

int published_get(struct db_txn *txn, struct span domain, struct published *out)
{
	struct stored_published s;
	struct span value;
	int rc = db_get(txn, DB_PUBLISHED, domain, &value);
	if (rc)
		return rc;
	if (value.len != sizeof s)
		return ERR_IO;
	memcpy(&s, value.p, sizeof s);
	*out = (struct published){
		.has_host = s.has_host,
		.has_report = s.has_report,
		.has_policy = s.has_policy,
		.at_unix_s = s.at_unix_s,
	};
	memcpy(out->id, s.id, sizeof s.id);
	return 0;
}

int published_drop(struct db_txn *txn, struct span domain, struct err *err)
{
	return drop(txn, DB_PUBLISHED, domain, err);
}

#include "expiry.h"

#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../base/name.h"
#include "../../certs/pairs.h"

#include <stdio.h>

enum {
	SMALL_COUNT = 20000,
	LARGE_INTERVAL_MS = 600000,
	WARN_INTERVAL_S = 86400,
	SOON_S = 14 * 86400, /* W09: clients renew at 30 days of 90, so this one is late */
};

struct tally {
	size_t withheld_count, soon_count;
	int64_t min_not_after_unix_s; /* 0: none */
	char withheld_example[NAME_MAX_BYTES + 1], soon_example[NAME_MAX_BYTES + 1];
};

/* The later one: a host is served as long as one of its pairs is valid. */
static int64_t not_after(const struct pair_choice *c)
{
	int64_t ec = c->has_ec ? c->ec.not_after_unix_s : 0, rsa = c->has_rsa ? c->rsa.not_after_unix_s : 0;
	return ec > rsa ? ec : rsa;
}

static void keep_example(char out[NAME_MAX_BYTES + 1], size_t count, struct span domain)
{
	if (count == 1)
		(void)snprintf(out, NAME_MAX_BYTES + 1, "%.*s", SPAN_ARG(domain));
}

static void look_at(struct tally *t, struct db_txn *txn, struct span domain, int64_t now_unix_s)
{
	char host[NAME_MAX_BYTES + 16];
	struct pair_choice choice;
	int n = snprintf(host, sizeof host, "mta-sts.%.*s", SPAN_ARG(domain));
	int rc = pairs_find(txn, (struct span){host, (size_t)n}, now_unix_s, &choice);
	if (rc != 0 || !choice.is_valid) {
		keep_example(t->withheld_example, ++t->withheld_count, domain);
		return;
	}
	int64_t end = not_after(&choice);
	if (t->min_not_after_unix_s == 0 || end < t->min_not_after_unix_s)
		t->min_not_after_unix_s = end;
	if (end - now_unix_s < SOON_S)
		keep_example(t->soon_example, ++t->soon_count, domain);
}

static int look_at_all(struct tally *t, struct db *store, int64_t now_unix_s)
{
	struct db_txn *txn;
	struct db_cursor *cur;
	struct span key, value;
	int rc = db_begin_read(store, &txn, NULL);
	if (rc)
		return rc;
	rc = db_cursor_open(txn, DB_DOMAINS, &cur, NULL);
	if (rc == 0) {
		for (rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value))
			look_at(t, txn, key, now_unix_s);
		db_cursor_close(cur);
	}
	db_end(txn);
	return rc == ERR_NOENT ? 0 : rc;
}

static void warn(struct expiry *s, const struct tally *t, int64_t now_unix_s)
{
	bool is_news = t->withheld_count != s->withheld_count;
	if (!is_news && now_unix_s - s->warned_unix_s < WARN_INTERVAL_S)
		return;
	if (t->withheld_count)
		log_warn("certs.missing",
			 "domains=%zu example=%s text=\"no valid certificate: their records are withheld\"",
			 t->withheld_count, t->withheld_example);
	if (t->soon_count)
		log_warn("certs.expiring",
			 "domains=%zu example=%s text=\"the certificate expires in less than 14 days\"", t->soon_count,
			 t->soon_example);
	s->withheld_count = t->withheld_count;
	s->warned_unix_s = now_unix_s;
}

void expiry_run(struct expiry *s, struct db *store, size_t domain_count)
{
	struct tally t = {0};
	uint64_t now_ms = clock_mono_ms();
	int64_t now_unix_s = clock_unix_s();
	if (s->last_ms && domain_count > SMALL_COUNT && now_ms - s->last_ms < LARGE_INTERVAL_MS)
		return;
	s->last_ms = now_ms;
	if (look_at_all(&t, store, now_unix_s) != 0)
		return; /* the next reload says what is wrong with the store */
	metric_set(M_DOMAINS_WITHHELD, t.withheld_count);
	metric_set(M_CERT_MIN_NOT_AFTER, (uint64_t)t.min_not_after_unix_s);
	warn(s, &t, now_unix_s);
}

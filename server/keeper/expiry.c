#include "expiry.h"

#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../certs/pairs.h"
#include "../../config/advice.h"

#include <stdio.h>
#include <string.h>

enum {
	SLICE_COUNT = 4000, /* so long may the loop stand still for it */
	PAUSE_MS = 10,
	SMALL_COUNT = 20000,
	LARGE_INTERVAL_MS = 600000, /* of what is worth slicing */
	WARN_INTERVAL_S = 86400,
	SOON_S = 14 * 86400, /* W09: clients renew at 30 days of 90, so this one is late */
};

static void keep_example(char out[NAME_MAX_BYTES + 1], size_t count, struct span domain)
{
	if (count == 1)
		(void)snprintf(out, NAME_MAX_BYTES + 1, "%.*s", SPAN_ARG(domain));
}

static void look_at(struct expiry_tally *t, struct db_txn *txn, struct span domain, int64_t now_unix_s)
{
	static const struct span prefix = {"mta-sts.", 8}; /* RFC 8461 3.3 */
	char host[NAME_MAX_BYTES + 16];
	int64_t end;
	memcpy(host, prefix.p, prefix.len);
	memcpy(host + prefix.len, domain.p, domain.len); /* as much as s->at has room for */
	if (pairs_find_end(txn, (struct span){host, prefix.len + domain.len}, now_unix_s, &end) != 0) {
		keep_example(t->withheld_example, ++t->withheld_count, domain);
		return;
	}
	if (t->min_not_after_unix_s == 0 || end < t->min_not_after_unix_s)
		t->min_not_after_unix_s = end;
	if (end - now_unix_s < SOON_S)
		keep_example(t->soon_example, ++t->soon_count, domain);
}

static void look_at_mode(struct expiry_tally *t, struct span domain, struct span value, int64_t now_unix_s)
{
	struct domain_row row;
	if (domains_decode(value, &row) == 0 && advice_is_testing_long(&row, now_unix_s))
		keep_example(t->testing_example, ++t->testing_count, domain);
}

/* from the domain behind s->at on; ERR_NOENT: all have been looked at */
static int look_at_some(struct expiry *s, struct db_txn *txn)
{
	struct db_cursor *cur;
	struct span at = {s->at, s->at_len}, key, value;
	int rc = db_cursor_open(txn, DB_DOMAINS, &cur, NULL);
	if (rc)
		return rc;
	rc = db_seek(cur, at, &key, &value);
	if (rc == 0 && span_is(key, at))
		rc = db_next(cur, &key, &value);
	for (size_t i = 0; rc == 0 && i < SLICE_COUNT; i++, rc = db_next(cur, &key, &value)) {
		if (key.len > sizeof s->at)
			continue; /* a damaged store: no domain has such a name */
		look_at(&s->tally, txn, key, s->now_unix_s);
		look_at_mode(&s->tally, key, value, s->now_unix_s);
		memcpy(s->at, key.p, key.len);
		s->at_len = key.len;
	}
	db_cursor_close(cur);
	return rc;
}

static void warn(struct expiry *s, int64_t now_unix_s)
{
	const struct expiry_tally *t = &s->tally;
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

/* Only when there are more: who means to stay in mode testing need not hear it every day. */
static void warn_testing(struct expiry *s)
{
	if (s->tally.testing_count > s->testing_count)
		log_warn("domains.testing",
			 "domains=%zu example=%s text=\"in mode testing for more than 90 days (W12)\"",
			 s->tally.testing_count, s->tally.testing_example);
	s->testing_count = s->tally.testing_count;
}

static void tell(struct expiry *s)
{
	metric_set(M_DOMAINS_WITHHELD, s->tally.withheld_count);
	metric_set(M_CERT_MIN_NOT_AFTER, (uint64_t)s->tally.min_not_after_unix_s);
	warn(s, s->now_unix_s);
	warn_testing(s);
}

static void on_slice(uv_timer_t *timer);

static void run_slice(struct expiry *s)
{
	struct db_txn *txn;
	int rc = db_begin_read(s->store, &txn, NULL);
	if (rc == 0) {
		rc = look_at_some(s, txn);
		db_end(txn);
	}
	if (rc == 0 && uv_timer_start(&s->slice_timer, on_slice, PAUSE_MS, 0) == 0)
		return;
	s->is_under_way = false;
	if (rc == ERR_NOENT)
		tell(s); /* else the next reload says what is wrong with the store */
	if (s->is_asked_again)
		expiry_run(s, s->domain_count);
}

static void on_slice(uv_timer_t *timer)
{
	run_slice(timer->data);
}

void expiry_open(struct expiry *s, uv_loop_t *loop, struct db *store)
{
	*s = (struct expiry){.store = store, .has_handle = true};
	(void)uv_timer_init(loop, &s->slice_timer);
	s->slice_timer.data = s;
}

void expiry_close(struct expiry *s)
{
	if (s->has_handle)
		uv_close((uv_handle_t *)&s->slice_timer, NULL);
	s->has_handle = false;
}

void expiry_run(struct expiry *s, size_t domain_count)
{
	uint64_t now_ms = clock_mono_ms();
	s->domain_count = domain_count;
	s->is_asked_again = s->is_under_way;
	if (s->is_under_way || !s->has_handle)
		return;
	if (s->last_ms && domain_count > SMALL_COUNT && now_ms - s->last_ms < LARGE_INTERVAL_MS)
		return;
	s->last_ms = now_ms;
	s->now_unix_s = clock_unix_s();
	s->tally = (struct expiry_tally){0};
	s->at_len = 0;
	s->is_under_way = true;
	run_slice(s);
}

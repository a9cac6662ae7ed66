/* delegation, delegated: the records of named policies that those of domains point to: what becomes of a configuration
 * with dns.delegate, in a store. */
#include "../../config/delegated.h"
#include "../../config/gone.h"
#include "../../config/outbox.h"
#include "../../config/settings_table.h"
#include "site.h"

#include <stdlib.h>

static struct site s;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

enum { DAY_S = 86400 };

#define HOSTS ", mx: m.example}\n"
#define POLICIES \
	"policies:\n" \
	"  one: {mode: enforce, max_age: 604800" HOSTS "  two: {mode: testing, max_age: 86400" HOSTS
#define OFF POLICIES "domains: {a.example: one, b.example: one, c.example: two}\n"
#define ON "dns: {delegate: sts.example}\n" OFF

/* The id that senders see for a domain: through the settings in force. */
static const char *id_of(const char *domain)
{
	static char ids[4][DOMAIN_ID_MAX_BYTES + 1];
	static size_t next;
	struct settings settings;
	struct domain_row row;
	struct db_txn *txn = site_begin(&s);
	char *id = ids[next++ % COUNT(ids)];
	assert_int_equal(stored_load_settings(s.dir.store, &settings, NULL), 0);
	assert_int_equal(domains_get(txn, span_of(domain), &row), 0);
	assert_int_equal(delegated_find_id(txn, &row, &settings, id, NULL), 0);
	settings_deinit(&settings);
	db_end(txn);
	return id;
}

static struct delegated record_of(const char *policy)
{
	struct delegated d;
	struct db_txn *txn = site_begin(&s);
	if (delegated_get(txn, span_of(policy), &d) != 0)
		fail_msg("there is no record of policy %s", policy);
	db_end(txn);
	return d;
}

static bool has_record(const char *policy)
{
	struct delegated d;
	struct db_txn *txn = site_begin(&s);
	int rc = delegated_get(txn, span_of(policy), &d);
	db_end(txn);
	assert_true(rc == 0 || rc == ERR_NOENT);
	return rc == 0;
}

/* Each record counts the rows that it speaks for, and has the body of one of them at least. */
static void check_counts(void)
{
	struct db_txn *txn = site_begin(&s);
	struct db_cursor *cur, *rows;
	struct span policy, value, domain, stored;
	assert_int_equal(db_cursor_open(txn, DB_DELEGATED, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &policy, &value); rc == 0;
	     rc = db_next(cur, &policy, &value)) {
		struct delegated d;
		struct domain_row row;
		uint64_t count = 0;
		assert_int_equal(delegated_get(txn, policy, &d), 0);
		assert_int_equal(db_cursor_open(txn, DB_DOMAINS, &rows, NULL), 0);
		for (int r = db_seek(rows, (struct span){NULL, 0}, &domain, &stored); r == 0;
		     r = db_next(rows, &domain, &stored))
			count += domains_decode(stored, &row) == 0 && span_is(row.policy, policy);
		db_cursor_close(rows);
		assert_int_equal(count, d.domain_count);
		assert_int_equal(count == 0, d.left_unix_s != 0);
	}
	db_cursor_close(cur);
	db_end(txn);
}

static void apply(const char *text)
{
	site_apply_main(&s, text);
	check_counts();
}

static void test_delegation_changes_no_body_and_no_id_of_a_domain(void **state)
{
	(void)state;
	apply(OFF);
	struct site_row before = site_row(&s, "a.example");
	assert_string_equal(before.policy, "");
	assert_false(has_record("one"));
	s.now_unix_s += 10;
	apply(ON);
	struct site_row after = site_row(&s, "a.example");
	assert_string_equal(after.policy, "one");
	assert_memory_equal(&before.row, &after.row, sizeof before.row);
	assert_string_equal(before.body, after.body);
	struct delegated one = record_of("one"), two = record_of("two");
	assert_memory_equal(one.body, after.row.body, sizeof one.body);
	assert_int_equal(one.domain_count, 2);
	assert_int_equal(two.domain_count, 1);
	assert_string_equal(one.id, "p20260601000010");
	assert_string_equal(two.id, "p20260601000011"); /* a domain may move from one to the other */
	assert_string_equal(id_of("a.example"), one.id);
	assert_string_equal(id_of("b.example"), one.id);
	assert_string_equal(id_of("c.example"), two.id);
	apply(ON);
	assert_int_equal(s.result.changed_count, 0);
	apply("dns: {delegate: sts.example}\n" POLICIES
	      "domains: {a.example: one, b.example: one, c.example: two, d.example: one}\n");
	assert_string_equal(record_of("one").id, one.id); /* one more is no reason to ask all others again */
	apply(OFF);
	assert_string_equal(id_of("a.example"), before.row.id);
	assert_int_equal(record_of("one").domain_count, 0);
	s.now_unix_s += 5;
	apply(ON);
	assert_string_equal(record_of("one").id, one.id); /* off and on */
	assert_int_equal(record_of("one").domain_count, 2);
}

static void test_delegation_of_a_policy_that_changes_changes_one_record(void **state)
{
	(void)state;
	apply(ON);
	struct delegated one = record_of("one"), two = record_of("two");
	s.now_unix_s += 100;
	apply("dns: {delegate: sts.example}\n"
	      "policies:\n  one: {mode: testing, max_age: 604800" HOSTS "  two: {mode: testing, max_age: 86400" HOSTS
	      "domains: {a.example: one, b.example: one, c.example: two}\n");
	assert_int_equal(s.result.changed_count, 2);
	assert_string_equal(record_of("one").id, "p20260601000140");
	assert_true(record_of("one").changed_unix_s == s.now_unix_s);
	assert_string_not_equal(record_of("one").id, one.id);
	struct delegated now = record_of("two");
	assert_true(delegated_is_same(&now, &two));
	db_close(s.dir.store); /* and nothing after a restart */
	assert_int_equal(db_open(&s.dir.store, s.dir.store_path, DB_STORE, true, NULL), 0);
	site_apply(&s);
	assert_false(s.result.is_committed);
}

static void test_delegation_a_domain_that_moves_sees_another_id(void **state)
{
	(void)state;
	static const char *const schemes[] = {"timestamp", "serial", "digest"};
	for (size_t i = 0; i < COUNT(schemes); i++) {
		char text[1024];
		site_close(&s);
		site_open(&s);
		for (int turn = 0; turn < 4; turn++) {
			static char last[DOMAIN_ID_MAX_BYTES + 1];
			(void)snprintf(text, sizeof text,
				       "dns: {delegate: sts.example, id: %s}\n" POLICIES "domains: {a.example: %s}\n",
				       schemes[i], turn % 2 ? "two" : "one");
			apply(text);
			assert_string_equal(site_row(&s, "a.example").policy, turn % 2 ? "two" : "one");
			if (turn)
				assert_string_not_equal(id_of("a.example"), last);
			(void)snprintf(last, sizeof last, "%s", id_of("a.example"));
		}
	}
}

static void expect_refused(int line, const char *text, const char *said, const char *domain)
{
	const struct problem *p = site_find_problem(&s.result.fresh, "E20");
	if (!p || p->severity != PROBLEM_ERROR || !strstr(p->text, said) || !p->hint || !*p->hint)
		fail_msg("line %d: %s: %s", line, text, p ? p->text : "no E20");
	if (domain && (!p->domain || strcmp(p->domain, domain) != 0))
		fail_msg("line %d: of %s", line, p->domain ? p->domain : "all");
}

static void test_delegation_refuses_what_would_not_fit_and_serves_what_was(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *policies, *domain, *said, *of;
	} cases[] = {
		{__LINE__, "", "{policy: one, mode: testing}", "mode", "a.example"},
		{__LINE__, "", "{policy: one, max_age: 86401}", "max_age", "a.example"},
		{__LINE__, "", "{policy: one, mx: x.example}", "mx", "a.example"},
		{__LINE__, "", "{policy: one, id: x}", "id", "a.example"},
		{__LINE__, "", "{policy: one, mode: testing, mx: x.example}", "mode, mx", "a.example"},
		{__LINE__, "", "{mode: none, max_age: 1, mx: x.example}", "mode, max_age, mx", "a.example"},
		{__LINE__, "", "{policy: proton, mode: testing, max_age: 1}", "mode, max_age", "a.example"},
		{__LINE__, "", "{ttl: 60}", "no named policy", "a.example"},
		{__LINE__, "  O: {mode: none" HOSTS, "O", "label", NULL},
		{__LINE__, "  -o: {mode: none" HOSTS, "-o", "label", NULL},
		{__LINE__, "  'o ': {mode: none" HOSTS, "'o '", "label", NULL},
		{__LINE__, "  o_o: {mode: none" HOSTS, "o_o", "label", NULL},
		{__LINE__, "  x: {mode: none, id: fixed" HOSTS, "x", "id fixed by hand", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[1024];
		site_close(&s);
		site_open(&s);
		static const char form[] = "%sdefaults: {mode: enforce, max_age: 86400, mx: d.example}\n" POLICIES
					   "%sdomains: {a.example: %s, b.example: one}\n";
		(void)snprintf(text, sizeof text, form, "", cases[i].policies, cases[i].domain);
		apply(text);
		assert_int_equal(s.result.error_count, 0);
		struct site_row before = site_row(&s, "a.example");
		(void)snprintf(text, sizeof text, form, "dns: {delegate: sts.example}\n", cases[i].policies,
			       cases[i].domain);
		apply(text);
		expect_refused(cases[i].line, text, cases[i].said, cases[i].of);
		struct site_row after = site_row(&s, "a.example");
		assert_memory_equal(&before, &after, sizeof before);
		assert_string_equal(id_of("a.example"), before.row.id);
		assert_string_equal(site_row(&s, "b.example").policy, "one");
	}
}

static void test_delegation_allows_what_is_no_part_of_the_policy(void **state)
{
	(void)state;
	apply("dns: {delegate: sts.example}\ndefaults: {policy: proton, mode: testing, max_age: 86400}\n"
	      "domains:\n  a.example:\n  b.example: {ttl: 60, cert: /srv/x, tls_rpt: 'mailto:t@b.example'}\n");
	assert_int_equal(s.result.error_count, 0);
	assert_string_equal(site_row(&s, "a.example").policy,
			    "proton"); /* a preset with mode and max_age from defaults */
	assert_string_equal(site_row(&s, "b.example").policy, "proton");
	assert_string_equal(site_row(&s, "b.example").tls_rpt, "v=TLSRPTv1; rua=mailto:t@b.example");
	assert_string_equal(id_of("a.example"), id_of("b.example"));
	assert_int_equal(record_of("proton").domain_count, 2);
}

static void test_delegation_refuses_a_domain_where_records_of_policies_are(void **state)
{
	(void)state;
	apply("dns: {delegate: sts.example}\n" POLICIES
	      "domains: {x.sts.example: one, a.x.sts.example: one, sts.example: one}\n");
	expect_refused(__LINE__, "", "x.sts.example is where", "x.sts.example");
	assert_false(site_row(&s, "x.sts.example").is_there);
	assert_string_equal(site_row(&s, "a.x.sts.example").policy, "one");
	assert_string_equal(site_row(&s, "sts.example").policy, "one");
}

static void test_delegation_refuses_names_that_are_too_long_together(void **state)
{
	(void)state;
	char text[1500], delegate[250] = "", policy[64];
	memset(policy, 'p', 63);
	policy[63] = '\0';
	for (int i = 0; i < 3; i++)
		(void)snprintf(delegate + strlen(delegate), sizeof delegate - strlen(delegate), "%s%.*s", i ? "." : "",
			       i < 2 ? 63 : 52, "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd");
	for (int more = 0; more < 2; more++) { /* 253 bytes, and one too many */
		(void)snprintf(text, sizeof text,
			       "dns: {delegate: %s%s}\npolicies: {%s: {mode: none, max_age: 1, mx: m.example}}\n"
			       "domains: {a.example: %s}\n",
			       delegate, more ? "d" : "", policy, policy);
		apply(text);
		assert_int_equal(s.result.error_count, more);
	}
	expect_refused(__LINE__, text, "253", NULL);
}

#define LAGGING \
	"dns: {delegate: sts.example, id: %s}\npolicies:\n  one: {mode: %s, max_age: 604800" HOSTS \
	"domains:\n  a.example: one\n  b.example: {policy: one%s}\n"

static void apply_lagging(const char *scheme, const char *mode, const char *own)
{
	char text[512];
	(void)snprintf(text, sizeof text, LAGGING, scheme, mode, own);
	apply(text);
}

static void test_delegation_a_domain_that_catches_up_sees_another_id(void **state)
{
	(void)state;
	static const char *const schemes[] = {"timestamp", "serial", "digest"};
	for (size_t i = 0; i < COUNT(schemes); i++) {
		char first[DOMAIN_ID_MAX_BYTES + 1], second[DOMAIN_ID_MAX_BYTES + 1];
		site_close(&s);
		site_open(&s);
		apply_lagging(schemes[i], "testing", "");
		(void)snprintf(first, sizeof first, "%s", id_of("b.example"));
		apply_lagging(schemes[i], "enforce", ", max_age: 1"); /* refused: served as before under the new id */
		assert_non_null(site_find_problem(&s.result.fresh, "E20"));
		(void)snprintf(second, sizeof second, "%s", id_of("b.example"));
		assert_string_equal(second, id_of("a.example"));
		assert_string_not_equal(second, first);
		assert_non_null(strstr(site_row(&s, "b.example").body, "mode: testing"));
		apply_lagging(schemes[i], "enforce", "");
		assert_non_null(strstr(site_row(&s, "b.example").body, "mode: enforce"));
		assert_string_not_equal(id_of("b.example"), second);
		assert_string_not_equal(id_of("b.example"), first);
		struct delegated d = record_of("one");
		apply_lagging(schemes[i], "enforce", ", ttl: 5"); /* nor any more after that */
		struct delegated after = record_of("one");
		assert_true(delegated_is_same(&d, &after));
	}
}

static void test_delegation_of_a_withdrawn_domain_ends(void **state)
{
	(void)state;
	apply(ON);
	const char *before = id_of("c.example");
	s.now_unix_s += DAY_S;
	apply("dns: {delegate: sts.example}\n" POLICIES "domains: {a.example: one, b.example: one}\n");
	struct site_row row = site_row(&s, "c.example");
	assert_int_equal(row.row.state, DOMAIN_WITHDRAWN);
	assert_string_equal(row.policy, "");
	assert_string_equal(id_of("c.example"), row.row.id);
	assert_string_not_equal(row.row.id, before);
	struct delegated two = record_of("two");
	assert_int_equal(two.domain_count, 0);
	assert_true(two.left_unix_s == s.now_unix_s);
	assert_string_equal(two.id, before); /* nobody asks */
	assert_true(delegated_until(&two) == s.now_unix_s + DELEGATED_KEEP_S);
	s.now_unix_s += 10;
	apply(ON); /* and back, under an id that nobody has seen with mode none */
	assert_string_equal(id_of("c.example"), before);
	assert_int_equal(record_of("two").left_unix_s, 0);
}

static void test_delegation_a_policy_that_is_left_is_forgotten_and_repeats_no_id(void **state)
{
	(void)state;
	apply("dns: {delegate: sts.example, id: serial}\n" OFF);
	assert_string_equal(record_of("one").id, "p1");
	assert_string_equal(record_of("two").id, "p2");
	static const char left[] = "dns: {delegate: sts.example, id: serial}\n" POLICIES
				   "domains: {a.example: one, b.example: one, c.example: one}\n";
	apply(left);
	int64_t left_unix_s = s.now_unix_s;
	struct delegated two = record_of("two");
	s.now_unix_s = left_unix_s + DELEGATED_KEEP_S + GONE_KEEP_S;
	assert_false(delegated_is_over(&two, s.now_unix_s));
	apply(left);
	assert_true(has_record("two"));
	s.now_unix_s++;
	assert_true(delegated_is_over(&two, s.now_unix_s));
	apply(left);
	assert_true(s.result.is_committed);
	assert_false(has_record("two"));
	assert_true(has_record("one"));
	apply("dns: {delegate: sts.example, id: serial}\n" OFF);
	assert_string_equal(record_of("two").id, "p3");
}

static void test_delegation_no_date_passes_while_the_clock_is_unsure(void **state)
{
	(void)state;
	static const char left[] = "dns: {delegate: sts.example}\n" POLICIES
				   "domains: {a.example: one, b.example: one, c.example: one}\n";
	apply(ON);
	assert_int_equal(stored_note_time(s.dir.store, SITE_NOW + 10 * DAY_S, NULL), 0);
	s.now_unix_s = 86400; /* as after a start without a battery */
	s.how.is_clock_unsure = true;
	apply(left);
	assert_true(record_of("two").left_unix_s == SITE_NOW + 10 * DAY_S);
	s.now_unix_s = SITE_NOW + 1000 * DAY_S;
	apply(left);
	assert_false(record_of("two").is_gone);
	s.how.is_clock_unsure = false;
	s.now_unix_s = SITE_NOW + 10 * DAY_S + DELEGATED_KEEP_S;
	apply(left);
	assert_true(record_of("two").is_gone); /* to be deleted from now on, and that is owed once */
	struct delegated two = record_of("two");
	s.now_unix_s += DAY_S;
	apply(left);
	struct delegated later = record_of("two");
	assert_true(delegated_is_same(&two, &later));
	apply(ON);
	assert_false(record_of("two").is_gone);
}

static void test_delegation_serials_of_a_store_from_a_backup_repeat_none(void **state)
{
	(void)state;
	s.how.start_unix_s = SITE_NOW;
	apply("dns: {delegate: sts.example, id: serial}\n" OFF);
	uint64_t first = strtoull(record_of("one").id + 1, NULL, 10);
	site_close(&s); /* what was there is lost */
	site_open(&s);
	s.how.start_unix_s = SITE_NOW + 3600;
	apply("dns: {delegate: sts.example, id: serial}\n" OFF);
	assert_true(strtoull(record_of("one").id + 1, NULL, 10) >= first + 3600);
	assert_string_not_equal(record_of("one").id, record_of("two").id);
}

static void owed(struct db_txn *txn, const char *domain, bool is_owed, int line)
{
	struct outbox_entry e;
	if ((outbox_get(txn, span_of(domain), &e) == 0) != is_owed)
		fail_msg("line %d: %s is %sowed", line, domain, is_owed ? "not " : "");
}

/* What is owed for the domains a, b, c and sts.example; and then nothing is any more. */
static void expect_owed(int line, bool a, bool b, bool c, bool sts)
{
	struct db_txn *txn;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	owed(txn, "a.example", a, line);
	owed(txn, "b.example", b, line);
	owed(txn, "c.example", c, line);
	owed(txn, "sts.example", sts, line);
	assert_int_equal(db_clear(txn, DB_OUTBOX, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
}

static void test_delegation_owes_what_changes_in_the_dns_and_nothing_else(void **state)
{
	(void)state;
#define PUBLISHING(more) "dns: {publish: {command: [/bin/true]}" more "}\n"
#define TO_STS ", delegate: sts.example"
	apply(PUBLISHING("") OFF);
	expect_owed(__LINE__, true, true, true, false);
	apply(PUBLISHING(TO_STS) OFF);
	expect_owed(__LINE__, true, true, true, true);
	apply(PUBLISHING(TO_STS) "policies:\n"
				 "  one: {mode: testing, max_age: 604800" HOSTS
				 "  two: {mode: testing, max_age: 86400" HOSTS
				 "domains: {a.example: one, b.example: one, c.example: two}\n");
	expect_owed(__LINE__, false, false, false, true);
	apply(PUBLISHING(TO_STS) OFF);
	expect_owed(__LINE__, false, false, false, true);
	apply(PUBLISHING(TO_STS) POLICIES "domains: {a.example: one, b.example: two, c.example: two}\n");
	expect_owed(__LINE__, false, true, false, false);
	apply(PUBLISHING(TO_STS) POLICIES
	      "domains: {a.example: one, b.example: one, c.example: {policy: two, ttl: 60}}\n");
	expect_owed(__LINE__, false, true, true, false);
	apply(PUBLISHING(TO_STS) POLICIES "domains: {a.example: one, b.example: one}\n");
	expect_owed(__LINE__, false, false, true, true); /* a text of its own; and that of two is needed no more */
	s.now_unix_s += DELEGATED_KEEP_S;
	site_apply(&s);
	expect_owed(__LINE__, false, false, true, true); /* and both go */
	apply(PUBLISHING(TO_STS ", ttl: 77") POLICIES "domains: {a.example: one, b.example: one}\n");
	expect_owed(__LINE__, true, true, false, true);
	apply(PUBLISHING("") POLICIES "domains: {a.example: one, b.example: one}\n");
	expect_owed(__LINE__, true, true, false, false);
}

static void test_delegation_digests_are_the_same_on_all_machines(void **state)
{
	(void)state;
	struct delegated one, two;
	for (int i = 0; i < 2; i++) {
		site_close(&s);
		site_open(&s);
		s.now_unix_s += i * 1000;
		if (i) /* it has seen something else before, under another scheme */
			apply("dns: {delegate: sts.example}\npolicies: {one: {mode: none, max_age: 5, mx: x.example}}\n"
			      "domains: {z.example: one}\n");
		apply("dns: {delegate: sts.example, id: digest}\n" OFF);
		if (i == 0) {
			one = record_of("one");
			two = record_of("two");
		}
	}
	assert_string_equal(one.id, record_of("one").id);
	assert_string_equal(two.id, record_of("two").id);
	assert_string_not_equal(one.id, two.id);
	assert_int_equal(strlen(one.id), 32);
}

static void test_delegation_switched_off_leaves_every_row_its_own_id(void **state)
{
	(void)state;
	apply(ON);
	/* refused for another reason, so that its row still has the policy's name */
	apply("policies:\n  two: {mode: testing, max_age: 86400" HOSTS "domains: {a.example: one, c.example: two}\n");
	assert_non_null(site_find_problem(&s.result.fresh, "E19"));
	struct site_row row = site_row(&s, "a.example");
	assert_string_equal(row.policy, "one");
	assert_string_equal(id_of("a.example"), row.row.id);
}

/* --- THE promise ------------------------------------------------------------------------------------------------ */

/* What the senders of a domain have seen: an id, and with it a body. */
struct sight {
	char domain[16], id[DOMAIN_ID_MAX_BYTES + 1], body[sizeof((struct site_row *)0)->body];
};

static struct sight sights[2000];
static size_t sight_count;

static void look(unsigned seed, const char *text, const char *domain)
{
	struct site_row row = site_row(&s, domain);
	const char *id = row.is_there ? id_of(domain) : NULL;
	for (size_t i = 0; id && i < sight_count; i++) {
		if (strcmp(sights[i].domain, domain) != 0 || strcmp(sights[i].id, id) != 0)
			continue;
		if (strcmp(sights[i].body, row.body) != 0)
			fail_msg("seed %u: %s was seen under id %s with other bytes\n%s", seed, domain, id, text);
		return;
	}
	if (!id)
		return;
	assert_true(sight_count < COUNT(sights));
	struct sight *new = &sights[sight_count++];
	(void)snprintf(new->domain, sizeof new->domain, "%s", domain);
	(void)snprintf(new->id, sizeof new->id, "%s", id);
	(void)snprintf(new->body, sizeof new->body, "%s", row.body);
}

static unsigned pick(unsigned *seed, unsigned count)
{
	return (unsigned)rand_r(seed) % count;
}

static void add_policies(struct buf *out, unsigned *seed)
{
	static const char *const names[] = {"p", "q", "r"};
	(void)buf_add_text(out, "policies:\n");
	for (size_t i = 0; i < COUNT(names); i++)
		if (pick(seed, 8))
			(void)buf_printf(out, "  %s: {mode: testing, max_age: %u, mx: m.example}\n", names[i],
					 pick(seed, 3) + 1);
	(void)buf_add_text(out, "  z: {mode: testing, max_age: 1, mx: m.example}\n");
}

static const char *const domains[] = {"a.example", "b.example", "c.example", "d.example"};

static void add_domains(struct buf *out, unsigned *seed)
{
	(void)buf_add_text(out, "domains:\n  z.example: z\n");
	for (size_t i = 0; i < COUNT(domains); i++) {
		unsigned kind = pick(seed, 10);
		if (kind == 0)
			continue;
		if (kind <= 2)
			(void)buf_printf(out, "  %s: {policy: p, max_age: %u}\n", domains[i], pick(seed, 3) + 1);
		else
			(void)buf_printf(out, "  %s: %c\n", domains[i], "pqr"[pick(seed, 3)]);
	}
}

static void change(unsigned *seed, struct buf *text)
{
	static const char *const schemes[] = {"timestamp", "serial", "digest"};
	static const unsigned steps_s[] = {0, 0, 1, 2, 3600, 40 * DAY_S};
	buf_reset(text);
	(void)buf_printf(text, "dns: {id: %s%s}\n", schemes[pick(seed, 3)],
			 pick(seed, 4) ? ", delegate: sts.example" : "");
	add_policies(text, seed);
	add_domains(text, seed);
	unsigned step = pick(seed, 40);
	if (s.now_unix_s < SITE_NOW + 250 * DAY_S || step != 5) /* turns are repeated after a year */
		s.now_unix_s += step < COUNT(steps_s) ? steps_s[step] : 1;
}

static void test_delegation_never_do_bytes_change_while_the_id_stays(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 10000);
	for (unsigned start = 1; start <= 8; start++) {
		unsigned seed = start;
		site_close(&s);
		site_open(&s);
		sight_count = 0;
		for (int i = 0; i < 120; i++) {
			change(&seed, &text);
			apply(buf_text(&text));
			for (size_t n = 0; n < COUNT(domains); n++)
				look(start, buf_text(&text), domains[n]);
		}
		assert_true(sight_count > 100);
	}
	buf_deinit(&text);
}

static void test_delegated_damaged_is_told(void **state)
{
	(void)state;
	struct db_txn *txn;
	struct delegated d = {.id = "p1"};
	struct err err = {.text = ""};
	size_t count;
	assert_int_equal(db_begin_write(s.dir.store, &txn, NULL), 0);
	assert_int_equal(delegated_put(txn, SPAN_LIT("one"), &d, NULL), 0);
	assert_int_equal(delegated_get(txn, SPAN_LIT("one"), &d), 0);
	d.left_unix_s = INT64_MAX;
	assert_int_equal(delegated_put(txn, SPAN_LIT("one"), &d, NULL), 0);
	assert_int_equal(delegated_get(txn, SPAN_LIT("one"), &d), ERR_IO);
	assert_int_equal(db_put(txn, DB_DELEGATED, SPAN_LIT("one"), SPAN_LIT("short"), NULL), 0);
	assert_int_equal(delegated_get(txn, SPAN_LIT("one"), &d), ERR_IO);
	assert_int_equal(delegated_prune(txn, s.now_unix_s, &count, &err), ERR_IO);
	assert_string_equal(err.text, "store: the records of policies cannot be read");
	db_end(txn);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_delegation_changes_no_body_and_no_id_of_a_domain),
		TEST(test_delegation_of_a_policy_that_changes_changes_one_record),
		TEST(test_delegation_a_domain_that_moves_sees_another_id),
		TEST(test_delegation_refuses_what_would_not_fit_and_serves_what_was),
		TEST(test_delegation_allows_what_is_no_part_of_the_policy),
		TEST(test_delegation_refuses_a_domain_where_records_of_policies_are),
		TEST(test_delegation_refuses_names_that_are_too_long_together),
		TEST(test_delegation_a_domain_that_catches_up_sees_another_id),
		TEST(test_delegation_of_a_withdrawn_domain_ends),
		TEST(test_delegation_a_policy_that_is_left_is_forgotten_and_repeats_no_id),
		TEST(test_delegation_no_date_passes_while_the_clock_is_unsure),
		TEST(test_delegation_serials_of_a_store_from_a_backup_repeat_none),
		TEST(test_delegation_owes_what_changes_in_the_dns_and_nothing_else),
		TEST(test_delegation_digests_are_the_same_on_all_machines),
		TEST(test_delegation_switched_off_leaves_every_row_its_own_id),
		TEST(test_delegation_never_do_bytes_change_while_the_id_stays),
		TEST(test_delegated_damaged_is_told),
	};
	return cmocka_run_group_tests_name("delegation", tests, NULL, NULL);
}

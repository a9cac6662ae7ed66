#include "../../server/verify/compare.h"
#include "unit.h"

#include <string.h>

static struct record_set set, picked;
static struct record wanted_items[16], picked_items[16];
static struct compare_question questions[16 * COMPARE_QUESTIONS_PER_RECORD];
static size_t question_count;
static struct reply reply;

#define HOST "mta-sts.example.com."
#define REPORT "_smtp._tls.example.com."
#define POLICY "_mta-sts.example.com."
#define OURS "v=STSv1; id=2;"
#define ONE "\300\0\2\1" /* 192.0.2.1 */
#define TWO "\300\0\2\2"
#define SIX "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" /* 2001:db8::1 */

static int set_up(void **state)
{
	(void)state;
	set = (struct record_set){.items = wanted_items, .domain = SPAN_LIT("example.com")};
	picked = (struct record_set){.items = picked_items};
	reply_init(&reply);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	reply_deinit(&reply);
	return 0;
}

static void have_in(enum record_state state, const char *name, enum record_type type, const char *data)
{
	set.items[set.count++] = (struct record){
		.domain = set.domain,
		.name = span_of(name),
		.type = type,
		.ttl_s = 300,
		.data = span_of(data),
		.state = state,
	};
}

static void have(const char *name, enum record_type type, const char *data)
{
	have_in(RECORD_LIVE, name, type, data);
}

static void ask(void)
{
	question_count = compare_ask(&set, questions);
}

static size_t find(const char *name, enum reply_type type)
{
	for (size_t i = 0; i < question_count; i++)
		if (span_is(questions[i].name, span_of(name)) && questions[i].type == type)
			return i;
	fail_msg("%s %d is not asked", name, (int)type);
	return 0;
}

/* The finding about what the DNS says. */
static enum compare_finding look(const char *name, enum reply_type type, size_t count, const struct span *items)
{
	size_t i = find(name, type);
	reply.kind = count ? REPLY_FOUND : REPLY_NONE;
	reply.count = count;
	for (size_t n = 0; n < count; n++)
		reply.items[n] = items[n];
	questions[i].finding = compare_look(&set, &questions[i], &reply);
	return questions[i].finding;
}

#define LOOK(name, type, ...) \
	look(name, type, sizeof((struct span[]){__VA_ARGS__}) / sizeof(struct span), (struct span[]){__VA_ARGS__})
#define IS(s) SPAN_LIT(s)

static void expect_names(bool whole, size_t count, const char *const names[])
{
	assert_int_equal(compare_differs(&set, questions, question_count), count > 0);
	compare_pick(&set, questions, question_count, whole, &picked);
	assert_int_equal(picked.count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(span_is(picked.items[i].name, span_of(names[i])));
	assert_true(span_is(picked.domain, set.domain));
}

#define EXPECT(...) \
	expect_names(false, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})
#define EXPECT_NOTHING() expect_names(false, 0, NULL)

static void test_compare_asks_each_question_once(void **state)
{
	(void)state;
	have(HOST, RECORD_A, "192.0.2.1");
	have(HOST, RECORD_A, "192.0.2.2");
	have(REPORT, RECORD_TXT, "v=TLSRPTv1; rua=mailto:a@example.com");
	have(POLICY, RECORD_TXT, OURS);
	ask();
	assert_int_equal(question_count, 4); /* AAAA is asked for as well */
	(void)find(HOST, REPLY_A), (void)find(HOST, REPLY_AAAA), (void)find(REPORT, REPLY_TXT),
		(void)find(POLICY, REPLY_TXT);
	set.count = 0;
	have(HOST, RECORD_CNAME, "policy.example.");
	have(POLICY, RECORD_CNAME, "_mta-sts.p.example.");
	ask();
	assert_int_equal(question_count, 2);
	(void)find(HOST, REPLY_CNAME), (void)find(POLICY, REPLY_CNAME);
	set.count = 0;
	ask();
	assert_int_equal(question_count, 0);
	EXPECT_NOTHING();
}

static void test_compare_policy_texts(void **state)
{
	(void)state;
	have(POLICY, RECORD_TXT, OURS);
	ask();
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS(OURS)), COMPARE_EQUAL);
	EXPECT_NOTHING();
	assert_int_equal(look(POLICY, REPLY_TXT, 0, NULL), COMPARE_NOTHING);
	EXPECT(POLICY);
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=1;")), COMPARE_OTHER);
	EXPECT(POLICY);
	/* RFC 8461 3.1: two are as good as none */
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS(OURS), IS("v=STSv1; id=1;")), COMPARE_OTHER);
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS(OURS), IS("v=STSv1")), COMPARE_OTHER);
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS(OURS), IS(OURS)), COMPARE_OTHER);
	/* and others do not count */
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS("v=spf1 -all"), IS(OURS), IS("")), COMPARE_EQUAL);
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS("v=spf1 -all"), IS("v=STSv12; id=1;"), IS(" " OURS)),
			 COMPARE_NOTHING);
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=2")), COMPARE_OTHER); /* to the letter */
}

static void test_compare_report_texts(void **state)
{
	(void)state;
	have(REPORT, RECORD_TXT, "v=TLSRPTv1; rua=mailto:a@example.com");
	ask();
	assert_int_equal(LOOK(REPORT, REPLY_TXT, IS("v=TLSRPTv1; rua=mailto:a@example.com"), IS("v=STSv1; id=1;")),
			 COMPARE_EQUAL);
	assert_int_equal(LOOK(REPORT, REPLY_TXT, IS("v=TLSRPTv1; rua=mailto:b@example.com")), COMPARE_OTHER);
	EXPECT(REPORT);
}

static void test_compare_aliases_without_regard_to_case(void **state)
{
	(void)state;
	have(HOST, RECORD_CNAME, "Policy.Example.");
	ask();
	assert_int_equal(LOOK(HOST, REPLY_CNAME, IS("policy.example.")), COMPARE_EQUAL);
	assert_int_equal(LOOK(HOST, REPLY_CNAME, IS("policy.example.net.")), COMPARE_OTHER);
	assert_int_equal(look(HOST, REPLY_CNAME, 0, NULL), COMPARE_NOTHING);
	EXPECT(HOST);
}

static void test_compare_addresses_as_sets_of_octets(void **state)
{
	(void)state;
	have(HOST, RECORD_A, "192.0.2.1");
	have(HOST, RECORD_A, "192.0.2.2");
	have(HOST, RECORD_AAAA, "2001:0DB8:0::1");
	ask();
	assert_int_equal(LOOK(HOST, REPLY_A, IS(TWO), IS(ONE)), COMPARE_EQUAL);
	assert_int_equal(LOOK(HOST, REPLY_AAAA, IS(SIX)), COMPARE_EQUAL);
	EXPECT_NOTHING();
	assert_int_equal(LOOK(HOST, REPLY_A, IS(TWO)), COMPARE_PART);
	EXPECT(HOST, HOST, HOST); /* all of the name: nsupdate replaces all */
	assert_int_equal(LOOK(HOST, REPLY_A, IS(TWO), IS(ONE), IS("\300\0\2\3")), COMPARE_OTHER);
	EXPECT(HOST, HOST, HOST);
}

static void test_compare_an_address_twice_among_ours_is_one(void **state)
{
	(void)state;
	have(HOST, RECORD_A, "192.0.2.1");
	have(HOST, RECORD_A, "192.0.2.1");
	ask();
	assert_int_equal(LOOK(HOST, REPLY_A, IS(ONE)), COMPARE_EQUAL);
}

static void test_compare_a_stray_family_differs(void **state)
{
	(void)state;
	have(HOST, RECORD_A, "192.0.2.1");
	have(POLICY, RECORD_TXT, OURS);
	ask();
	(void)LOOK(HOST, REPLY_A, IS(ONE));
	(void)LOOK(POLICY, REPLY_TXT, IS(OURS));
	(void)look(HOST, REPLY_AAAA, 0, NULL);
	EXPECT_NOTHING();
	assert_int_equal(LOOK(HOST, REPLY_AAAA, IS(SIX)), COMPARE_OTHER);
	EXPECT(HOST);
	expect_names(true, 2, (const char *const[]){HOST, POLICY});
}

static void test_compare_a_failed_question_is_no_difference(void **state)
{
	(void)state;
	have(HOST, RECORD_A, "192.0.2.1");
	have(POLICY, RECORD_TXT, OURS);
	ask();
	(void)LOOK(HOST, REPLY_A, IS(ONE));
	reply_fail(&reply, "no answer in time");
	assert_int_equal(compare_look(&set, &questions[find(POLICY, REPLY_TXT)], &reply), COMPARE_UNKNOWN);
	EXPECT_NOTHING(); /* AAAA and TXT are unknown */
	(void)LOOK(HOST, REPLY_A, IS(TWO));
	EXPECT(HOST); /* which is certain whatever the AAAA are */
}

/* --- domains that are gone --- */

static void have_gone(void)
{
	have_in(RECORD_GONE, HOST, RECORD_A, "192.0.2.1");
	have_in(RECORD_GONE, HOST, RECORD_A, "192.0.2.2");
	have_in(RECORD_GONE, REPORT, RECORD_TXT, "v=TLSRPTv1; rua=mailto:a@example.com");
	have_in(RECORD_GONE, POLICY, RECORD_TXT, OURS);
	ask();
	(void)look(HOST, REPLY_A, 0, NULL);
	(void)look(HOST, REPLY_AAAA, 0, NULL);
	(void)look(REPORT, REPLY_TXT, 0, NULL);
	(void)look(POLICY, REPLY_TXT, 0, NULL);
}

static void test_compare_gone_and_deleted_is_no_difference(void **state)
{
	(void)state;
	have_gone();
	EXPECT_NOTHING();
}

static void test_compare_gone_takes_out_what_is_ours(void **state)
{
	(void)state;
	have_gone();
	(void)LOOK(HOST, REPLY_A, IS(TWO)); /* one of two is ours as well */
	EXPECT(HOST, HOST);
	(void)LOOK(REPORT, REPLY_TXT, IS("v=TLSRPTv1; rua=mailto:a@example.com"));
	(void)LOOK(POLICY, REPLY_TXT, IS(OURS));
	EXPECT(HOST, HOST, REPORT, POLICY);
}

static void test_compare_gone_leaves_a_host_that_is_not_ours_alone(void **state)
{
	(void)state;
	have_gone();
	(void)LOOK(HOST, REPLY_A, IS(ONE), IS("\300\0\2\3"));
	EXPECT_NOTHING();
	(void)LOOK(HOST, REPLY_A, IS(ONE));
	(void)LOOK(HOST, REPLY_AAAA, IS(SIX));
	EXPECT_NOTHING();
	(void)look(HOST, REPLY_AAAA, 0, NULL);
	(void)LOOK(REPORT, REPLY_TXT, IS("v=TLSRPTv1; rua=mailto:b@example.com"));
	EXPECT(HOST, HOST);
}

static void test_compare_gone_takes_out_an_older_id_while_the_host_is_ours(void **state)
{
	(void)state;
	have_gone();
	(void)LOOK(HOST, REPLY_A, IS(ONE), IS(TWO));
	assert_int_equal(LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=1;")), COMPARE_OTHER);
	EXPECT(HOST, HOST, POLICY);
	(void)LOOK(HOST, REPLY_A, IS(ONE));
	EXPECT(HOST, HOST, POLICY);
	(void)LOOK(HOST, REPLY_A, IS("\300\0\2\3"));
	EXPECT_NOTHING();
	(void)LOOK(POLICY, REPLY_TXT, IS(OURS));
	EXPECT(POLICY); /* that one is ours for certain */
	(void)LOOK(POLICY, REPLY_TXT, IS("v=spf1 -all"));
	EXPECT_NOTHING();
}

/* Ours may be deleted already and the new provider's not there yet; or there as a CNAME that nobody followed. */
static void test_compare_gone_without_a_host_takes_out_the_last_id_only(void **state)
{
	(void)state;
	have_gone();
	(void)LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=theirs;"));
	EXPECT_NOTHING();
	(void)LOOK(POLICY, REPLY_TXT, IS(OURS));
	EXPECT(POLICY);
}

static void test_compare_gone_with_a_cname_takes_out_another_id_while_it_is_there(void **state)
{
	(void)state;
	have_in(RECORD_GONE, HOST, RECORD_CNAME, "policy.example.");
	have_in(RECORD_GONE, POLICY, RECORD_TXT, OURS);
	ask();
	(void)look(HOST, REPLY_CNAME, 0, NULL); /* another provider has addresses there */
	(void)LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=theirs;"));
	EXPECT_NOTHING();
	(void)LOOK(HOST, REPLY_CNAME, IS("policy.example."));
	EXPECT(HOST, POLICY);
}

static void test_compare_gone_without_a_host_question_takes_out_the_last_id_only(void **state)
{
	(void)state;
	have_in(RECORD_GONE, POLICY, RECORD_TXT, OURS);
	ask();
	(void)LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=theirs;"));
	EXPECT_NOTHING();
	(void)LOOK(POLICY, REPLY_TXT, IS(OURS));
	EXPECT(POLICY);
}

static void test_compare_gone_and_a_failed_question_is_no_deletion(void **state)
{
	(void)state;
	have_gone();
	(void)LOOK(POLICY, REPLY_TXT, IS("v=STSv1; id=1;"));
	questions[find(HOST, REPLY_AAAA)].finding = COMPARE_UNKNOWN;
	(void)LOOK(HOST, REPLY_A, IS(ONE), IS(TWO));
	EXPECT_NOTHING(); /* the AAAA could be somebody else's, and so the policy */
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_compare_asks_each_question_once),
		TEST(test_compare_policy_texts),
		TEST(test_compare_report_texts),
		TEST(test_compare_aliases_without_regard_to_case),
		TEST(test_compare_addresses_as_sets_of_octets),
		TEST(test_compare_an_address_twice_among_ours_is_one),
		TEST(test_compare_a_stray_family_differs),
		TEST(test_compare_a_failed_question_is_no_difference),
		TEST(test_compare_gone_and_deleted_is_no_difference),
		TEST(test_compare_gone_takes_out_what_is_ours),
		TEST(test_compare_gone_leaves_a_host_that_is_not_ours_alone),
		TEST(test_compare_gone_takes_out_an_older_id_while_the_host_is_ours),
		TEST(test_compare_gone_without_a_host_takes_out_the_last_id_only),
		TEST(test_compare_gone_with_a_cname_takes_out_another_id_while_it_is_there),
		TEST(test_compare_gone_without_a_host_question_takes_out_the_last_id_only),
		TEST(test_compare_gone_and_a_failed_question_is_no_deletion),
	};
	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}

#include "../../server/verify/reply.h"
#include "guard.h"
#include "unit.h"

#include <string.h>

enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5, CLASS_IN = 1, CLASS_CH = 3 };
enum { RA = 0x0080, AA = 0x0400, TC = 0x0200, QR = 0x8000 };

/* A message as it is built up; guard_copy puts it before an unreadable page. */
static unsigned char message[4096];
static size_t len;
static struct reply reply;

static int set_up(void **state)
{
	(void)state;
	reply_init(&reply);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	reply_deinit(&reply);
	guard_free_all();
	return 0;
}

static void put16(unsigned v)
{
	message[len++] = (unsigned char)(v >> 8);
	message[len++] = (unsigned char)v;
}

static void put_name(const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		message[len++] = (unsigned char)n;
		memcpy(message + len, name, n);
		len += n;
		name += n + (name[n] == '.');
	}
	message[len++] = 0;
}

static void begin(unsigned flags, unsigned answers, const char *name, enum reply_type type)
{
	len = 0;
	put16(4711);
	put16(QR | flags);
	put16(1);
	put16(answers);
	put16(0);
	put16(0);
	put_name(name);
	put16(type);
	put16(CLASS_IN);
}

static void put_record(const char *owner, unsigned type, unsigned class, const void *data, size_t data_len)
{
	put_name(owner);
	put16(type);
	put16(class);
	put16(0);
	put16(300);
	put16((unsigned)data_len);
	memcpy(message + len, data, data_len);
	len += data_len;
}

static void put_text(const char *owner, const char *text)
{
	char data[256];
	data[0] = (char)strlen(text);
	memcpy(data + 1, text, strlen(text));
	put_record(owner, REPLY_TXT, CLASS_IN, data, strlen(text) + 1);
}

static void put_alias(const char *owner, const char *target)
{
	size_t at;
	put_record(owner, REPLY_CNAME, CLASS_IN, "", 0);
	at = len;
	put_name(target);
	message[at - 1] = (unsigned char)(len - at);
}

static void parse(const char *name, enum reply_type type)
{
	reply_parse((struct span){guard_copy(message, len), len}, name, type, &reply);
}

static void expect(enum reply_kind kind, size_t count)
{
	assert_int_equal(reply.kind, kind);
	assert_int_equal(reply.count, count);
	assert_int_equal(reply.kind == REPLY_FAILED, reply.reason != NULL);
}

static void expect_item(size_t i, const char *text)
{
	assert_true(i < reply.count);
	assert_int_equal(reply.items[i].len, strlen(text));
	assert_memory_equal(reply.items[i].p, text, strlen(text));
}

static void test_reply_strings_of_a_text_are_joined(void **state)
{
	(void)state; /* RFC 8461 3.1 */
	begin(RA, 2, "_mta-sts.example.com", REPLY_TXT);
	put_record("_mta-sts.example.com", REPLY_TXT, CLASS_IN, "\5v=STS\0\3v1;", 11);
	put_text("_mta-sts.EXAMPLE.com", "other");
	parse("_mta-sts.example.com.", REPLY_TXT);
	expect(REPLY_FOUND, 2);
	expect_item(0, "v=STSv1;");
	expect_item(1, "other");
}

static void test_reply_addresses_are_octets(void **state)
{
	(void)state;
	begin(RA, 2, "a.example", REPLY_A);
	put_record("a.example", REPLY_A, CLASS_IN, "\300\0\2\1", 4);
	put_record("a.example", REPLY_A, CLASS_IN, "\300\0\2\2", 4);
	parse("a.example", REPLY_A);
	expect(REPLY_FOUND, 2);
	assert_memory_equal(reply.items[1].p, "\300\0\2\2", 4);
	begin(RA, 1, "a.example", REPLY_AAAA);
	put_record("a.example", REPLY_AAAA, CLASS_IN, "0123456789abcdef", 16);
	parse("a.example", REPLY_AAAA);
	expect(REPLY_FOUND, 1);
	expect_item(0, "0123456789abcdef");
}

static void test_reply_address_of_another_length_is_garbled(void **state)
{
	(void)state;
	static const size_t lengths[] = {0, 3, 5, 16};
	for (size_t i = 0; i < COUNT(lengths); i++) {
		begin(RA, 1, "a.example", REPLY_A);
		put_record("a.example", REPLY_A, CLASS_IN, "0123456789abcdef", lengths[i]);
		parse("a.example", REPLY_A);
		assert_int_equal(reply.kind, REPLY_FAILED);
	}
}

static void test_reply_alias_is_a_name_in_lower_case_with_its_dot(void **state)
{
	(void)state;
	begin(RA, 1, "mta-sts.example.com", REPLY_CNAME);
	put_alias("mta-sts.example.com", "Policy.Provider.EXAMPLE");
	parse("mta-sts.example.com.", REPLY_CNAME);
	expect(REPLY_FOUND, 1);
	expect_item(0, "policy.provider.example.");
	begin(RA, 1, "mta-sts.example.com", REPLY_CNAME);
	put_alias("mta-sts.example.com", "");
	parse("mta-sts.example.com.", REPLY_CNAME);
	expect_item(0, ".");
}

static void test_reply_two_aliases_of_one_name_say_nothing(void **state)
{
	(void)state; /* RFC 2181 10.1 */
	begin(RA, 2, "a.example", REPLY_CNAME);
	put_alias("a.example", "b.example");
	put_alias("a.example", "c.example");
	parse("a.example", REPLY_CNAME);
	assert_int_equal(reply.kind, REPLY_FAILED);
}

static void test_reply_what_is_at_the_end_of_the_aliases_counts_in_any_order(void **state)
{
	(void)state;
	begin(RA, 4, "a.example", REPLY_TXT);
	put_text("c.example", "ours");
	put_alias("B.example", "c.example");
	put_alias("a.example", "b.example");
	put_text("d.example", "somebody else's");
	parse("a.example", REPLY_TXT);
	expect(REPLY_FOUND, 1);
	expect_item(0, "ours");
}

static void test_reply_aliases_in_a_circle_say_nothing(void **state)
{
	(void)state;
	begin(RA, 2, "a.example", REPLY_TXT);
	put_alias("a.example", "b.example");
	put_alias("b.example", "a.example");
	parse("a.example", REPLY_TXT);
	assert_int_equal(reply.kind, REPLY_FAILED);
}

static void test_reply_aliases_that_lead_nowhere_are_none(void **state)
{
	(void)state;
	begin(RA | NXDOMAIN, 1, "a.example", REPLY_TXT);
	put_alias("a.example", "b.example");
	parse("a.example", REPLY_TXT);
	expect(REPLY_NONE, 0);
	begin(RA | NXDOMAIN, 1, "a.example", REPLY_CNAME);
	put_alias("a.example", "b.example");
	parse("a.example", REPLY_CNAME); /* RFC 6604 3: the first name is there */
	expect(REPLY_FOUND, 1);
}

static void test_reply_another_name_or_class_or_type_is_not_taken(void **state)
{
	(void)state;
	begin(RA, 1, "a.example", REPLY_TXT);
	put_text("b.example", "v=STSv1; id=1;");
	parse("a.example", REPLY_TXT);
	expect(REPLY_FAILED, 0); /* nor is it proof that there is nothing */
	begin(RA, 2, "a.example", REPLY_TXT);
	put_record("a.example", REPLY_A, CLASS_IN, "1234", 4);
	put_record("a.example", REPLY_TXT, CLASS_CH, "\1x", 2);
	parse("a.example", REPLY_TXT);
	expect(REPLY_NONE, 0);
}

static void test_reply_none_wants_somebody_who_knows(void **state)
{
	(void)state;
	static const struct {
		unsigned flags;
		enum reply_kind kind;
	} cases[] = {
		{RA, REPLY_NONE},
		{AA, REPLY_NONE},
		{RA | NXDOMAIN, REPLY_NONE},
		{AA | NXDOMAIN, REPLY_NONE},
		{0, REPLY_FAILED} /* a referral */,
		{NXDOMAIN, REPLY_FAILED},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin(cases[i].flags, 0, "a.example", REPLY_TXT);
		parse("a.example", REPLY_TXT);
		expect(cases[i].kind, 0);
		assert_false(reply.is_refusal);
	}
}

static void test_reply_errors_say_nothing_of_what_there_is(void **state)
{
	(void)state;
	for (unsigned code = 1; code < 16; code++) {
		if (code == NXDOMAIN)
			continue;
		begin(RA | AA | code, 1, "a.example", REPLY_TXT);
		put_text("a.example", "v=STSv1; id=1;");
		parse("a.example", REPLY_TXT);
		expect(REPLY_FAILED, 0);
		assert_true(reply.is_refusal);
	}
	begin(RA | SERVFAIL, 0, "a.example", REPLY_TXT);
	parse("a.example", REPLY_TXT);
	assert_string_equal(reply.reason, "the resolver says SERVFAIL");
	begin(REFUSED, 0, "a.example", REPLY_TXT);
	parse("a.example", REPLY_TXT);
	assert_string_equal(reply.reason, "the resolver says REFUSED");
}

static void test_reply_truncation_is_told(void **state)
{
	(void)state;
	begin(RA | TC, 0, "a.example", REPLY_TXT);
	parse("a.example", REPLY_TXT);
	assert_true(reply.is_truncated);
	begin(RA, 0, "a.example", REPLY_TXT);
	parse("a.example", REPLY_TXT);
	assert_false(reply.is_truncated);
}

static void test_reply_cut_anywhere_is_garbled(void **state)
{
	(void)state;
	begin(RA, 2, "a.example", REPLY_TXT);
	put_alias("a.example", "b.example");
	put_text("b.example", "v=STSv1; id=1;");
	size_t whole = len;
	for (len = 0; len < whole; len++) {
		parse("a.example", REPLY_TXT);
		expect(REPLY_FAILED, 0);
		guard_free_all();
	}
	parse("a.example", REPLY_TXT);
	expect(REPLY_FOUND, 1);
}

static void test_reply_text_has_at_least_one_string_and_they_fill_it(void **state)
{
	(void)state;
	static const struct span datas[] = {{"", 0}, {"\2x", 2}, {"\1xx", 3}, {"\1x\5", 3}};
	for (size_t i = 0; i < COUNT(datas); i++) {
		begin(RA, 1, "a.example", REPLY_TXT);
		put_record("a.example", REPLY_TXT, CLASS_IN, datas[i].p, datas[i].len);
		parse("a.example", REPLY_TXT);
		assert_int_equal(reply.kind, REPLY_FAILED);
	}
	begin(RA, 1, "a.example", REPLY_TXT);
	put_record("a.example", REPLY_TXT, CLASS_IN, "\0", 1);
	parse("a.example", REPLY_TXT);
	expect(REPLY_FOUND, 1);
	expect_item(0, "");
}

static void test_reply_name_that_points_at_itself_is_garbled(void **state)
{
	(void)state;
	begin(RA, 1, "a.example", REPLY_TXT);
	put16(0xC000 | (unsigned)len);
	put16(REPLY_TXT);
	len += 8;
	parse("a.example", REPLY_TXT);
	expect(REPLY_FAILED, 0);
}

static void test_reply_with_no_or_two_questions_is_garbled(void **state)
{
	(void)state;
	for (unsigned questions = 0; questions <= 2; questions += 2) {
		begin(RA, 0, "a.example", REPLY_TXT);
		message[5] = (unsigned char)questions;
		parse("a.example", REPLY_TXT);
		expect(REPLY_FAILED, 0);
	}
}

static void test_reply_more_records_than_can_be_looked_at(void **state)
{
	(void)state;
	static unsigned char large[20000];
	begin(RA, REPLY_ITEMS_MAX + 1, "a", REPLY_A);
	memcpy(large, message, len);
	size_t at = len;
	for (int i = 0; i < REPLY_ITEMS_MAX + 1; i++) {
		len = 0;
		put_record("a", REPLY_A, CLASS_IN, "1234", 4);
		memcpy(large + at, message, len);
		at += len;
	}
	reply_parse((struct span){guard_copy(large, at), at}, "a", REPLY_A, &reply);
	assert_int_equal(reply.kind, REPLY_FAILED);
	large[6] = REPLY_ITEMS_MAX >> 8;
	large[7] = REPLY_ITEMS_MAX & 0xFF;
	reply_parse((struct span){guard_copy(large, at), at}, "a", REPLY_A, &reply);
	expect(REPLY_FOUND, REPLY_ITEMS_MAX);
}

static void test_reply_is_forgotten_by_the_next(void **state)
{
	(void)state;
	begin(RA | TC, 1, "a.example", REPLY_TXT);
	put_text("a.example", "v=STSv1; id=1;");
	parse("a.example", REPLY_TXT);
	expect(REPLY_FOUND, 1);
	reply_fail(&reply, "no answer in time");
	expect(REPLY_FAILED, 0);
	assert_false(reply.is_truncated);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_reply_strings_of_a_text_are_joined),
		T(test_reply_addresses_are_octets),
		T(test_reply_address_of_another_length_is_garbled),
		T(test_reply_alias_is_a_name_in_lower_case_with_its_dot),
		T(test_reply_two_aliases_of_one_name_say_nothing),
		T(test_reply_what_is_at_the_end_of_the_aliases_counts_in_any_order),
		T(test_reply_aliases_in_a_circle_say_nothing),
		T(test_reply_aliases_that_lead_nowhere_are_none),
		T(test_reply_another_name_or_class_or_type_is_not_taken),
		T(test_reply_none_wants_somebody_who_knows),
		T(test_reply_errors_say_nothing_of_what_there_is),
		T(test_reply_truncation_is_told),
		T(test_reply_cut_anywhere_is_garbled),
		T(test_reply_text_has_at_least_one_string_and_they_fill_it),
		T(test_reply_name_that_points_at_itself_is_garbled),
		T(test_reply_with_no_or_two_questions_is_garbled),
		T(test_reply_more_records_than_can_be_looked_at),
		T(test_reply_is_forgotten_by_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

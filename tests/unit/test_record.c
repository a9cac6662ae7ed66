#include "../../base/err.h"
#include "../../config/domains.h"
#include "../../config/formats.h"
#include "../../config/record.h"
#include "../../config/settings_table.h"
#include "unit.h"

#include <stdlib.h>

static struct settings settings;
static struct domain_row row;

static int set_up(void **state)
{
	(void)state;
	row = (struct domain_row){.ttl_s = 300, .id = "20260601000000"};
	return settings_init(&settings);
}

static int tear_down(void **state)
{
	(void)state;
	settings_deinit(&settings);
	return 0;
}

static char *print(const char *format, enum record_state record_state)
{
	const struct format *f = formats_find(span_of(format));
	struct record_set set;
	struct buf out;
	buf_init(&out, 100000);
	record_set_init(&set);
	assert_non_null(f);
	assert_int_equal(record_make(&set, SPAN_LIT("example.com"), &row, &settings, record_state), 0);
	assert_int_equal(f->begin(&out), 0);
	assert_int_equal(f->add(&out, &set, true), 0);
	assert_int_equal(f->end(&out), 0);
	char *text = strdup(buf_text(&out));
	record_set_deinit(&set);
	buf_deinit(&out);
	return text;
}

static void expect_text(const char *format, enum record_state record_state, const char *wanted)
{
	char *text = print(format, record_state);
	assert_string_equal(text, wanted);
	free(text);
}

static void test_record_zone_line_of_a_policy(void **state)
{
	(void)state; /* A-T1, A-T10: one string, one record */
	expect_text("zone", RECORD_LIVE, "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
}

static void test_record_report_address_stands_before_the_policy(void **state)
{
	(void)state; /* A-R1, A-R6 */
	row.tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=mailto:tls@example.com");
	expect_text("zone", RECORD_LIVE,
		    "_smtp._tls.example.com. 300 IN TXT \"v=TLSRPTv1; rua=mailto:tls@example.com\"\n"
		    "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
}

static void test_record_host_stands_first(void **state)
{
	(void)state;
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	expect_text("zone", RECORD_LIVE,
		    "mta-sts.example.com. 300 IN CNAME policy.example.\n"
		    "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
	free(settings.dns_host);
	settings.dns_host = NULL;
	assert_int_equal(text_list_add(&settings.dns_addresses, SPAN_LIT("192.0.2.1")), 0);
	assert_int_equal(text_list_add(&settings.dns_addresses, SPAN_LIT("2001:db8::1")), 0);
	expect_text("zone", RECORD_LIVE,
		    "mta-sts.example.com. 300 IN A 192.0.2.1\n"
		    "mta-sts.example.com. 300 IN AAAA 2001:db8::1\n"
		    "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
}

static void test_record_long_value_is_several_strings_that_join_without_a_blank(void **state)
{
	(void)state; /* A-R5 */
	static const size_t lengths[] = {1, 254, 255, 256, 510, 511, 2000};
	char value[2001], joined[2100];
	for (size_t i = 0; i < COUNT(lengths); i++) {
		for (size_t n = 0; n < lengths[i]; n++)
			value[n] = (char)('a' + n % 26);
		row.tls_rpt = (struct span){value, lengths[i]};
		char *text = print("zone", RECORD_LIVE), *end = strchr(text, '\n');
		size_t len = 0, strings = 0;
		*end = '\0';
		for (char *at = strchr(text, '"'); at; at = strchr(at, '"')) {
			size_t part = strcspn(at + 1, "\"");
			assert_true(part <= 255 && at[part + 1] == '"');
			memcpy(joined + len, at + 1, part);
			len += part;
			at += part + 2;
			strings++;
		}
		assert_int_equal(len, lengths[i]);
		assert_memory_equal(joined, value, len);
		assert_int_equal(strings, (lengths[i] + 254) / 255);
		free(text);
	}
}

static void test_record_json_carries_the_same_facts(void **state)
{
	(void)state;
	row.tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=mailto:tls@example.com");
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	expect_text("json", RECORD_WITHHELD,
		    "[\n"
		    "  {\"domain\":\"example.com\",\"name\":\"mta-sts.example.com.\",\"type\":\"CNAME\",\"ttl\":300,"
		    "\"data\":\"policy.example.\",\"state\":\"live\"},\n"
		    "  {\"domain\":\"example.com\",\"name\":\"_smtp._tls.example.com.\",\"type\":\"TXT\",\"ttl\":300,"
		    "\"data\":\"v=TLSRPTv1; rua=mailto:tls@example.com\",\"state\":\"live\"},\n"
		    "  {\"domain\":\"example.com\",\"name\":\"_mta-sts.example.com.\",\"type\":\"TXT\",\"ttl\":300,"
		    "\"data\":\"v=STSv1; id=20260601000000;\",\"state\":\"withheld\"}\n]\n");
}

static void test_record_of_a_withdrawn_domain_says_so(void **state)
{
	(void)state;
	row.state = DOMAIN_WITHDRAWN;
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	char *text = print("json", RECORD_WITHDRAWING);
	assert_null(strstr(text, "live"));
	assert_non_null(strstr(text, "\"state\":\"withdrawing\"},"));
	free(text);
}

static void test_record_as_many_addresses_as_fit_and_never_more(void **state)
{
	(void)state;
	struct record_set set;
	char domain[243];
	memset(domain, 'd', sizeof domain);
	for (int i = 0; i < RECORD_ADDRESSES_MAX + 5; i++)
		assert_int_equal(
			text_list_add(&settings.dns_addresses, SPAN_LIT("2001:db8:1111:2222:3333:4444:5555:6666")), 0);
	row.tls_rpt = (struct span){domain, sizeof domain};
	record_set_init(&set);
	assert_int_equal(record_make(&set, (struct span){domain, 242}, &row, &settings, RECORD_LIVE), 0);
	assert_int_equal(set.count, RECORDS_MAX);
	for (size_t i = 0; i < set.count; i++) /* all point into one piece that did not move */
		assert_true(set.items[i].name.p >= set.text.p && set.items[i].data.p < set.text.p + set.text.len);
	assert_int_equal(record_make(&set, SPAN_LIT("b.example"), &row, &settings, RECORD_LIVE), 0);
	assert_true(span_is(set.items[0].name, SPAN_LIT("mta-sts.b.example.")));
	record_set_deinit(&set);
	record_set_deinit(&set);
}

static void test_record_formats_are_found_by_name(void **state)
{
	(void)state;
	struct record_set none;
	assert_string_equal(formats_table[0]->name, "zone");
	record_set_init(&none);
	for (size_t i = 0; formats_table[i]; i++) {
		const struct format *f = formats_table[i];
		struct buf out;
		buf_init(&out, 100);
		assert_ptr_equal(formats_find(span_of(f->name)), f);
		assert_true(f->help && *f->help);
		assert_true(f->begin(&out) == 0 && f->add(&out, &none, true) == 0 && f->end(&out) == 0);
		buf_deinit(&out);
	}
	record_set_deinit(&none);
	assert_null(formats_find(SPAN_LIT("zon")));
	assert_null(formats_find((struct span){NULL, 0}));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_record_zone_line_of_a_policy),
		TEST(test_record_report_address_stands_before_the_policy),
		TEST(test_record_host_stands_first),
		TEST(test_record_long_value_is_several_strings_that_join_without_a_blank),
		TEST(test_record_json_carries_the_same_facts),
		TEST(test_record_of_a_withdrawn_domain_says_so),
		TEST(test_record_as_many_addresses_as_fit_and_never_more),
		TEST(test_record_formats_are_found_by_name),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

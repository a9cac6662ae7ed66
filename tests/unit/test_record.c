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

static void use_both_families(void)
{
	static const char *const addresses[] = {"2001:db8::1", "192.0.2.1", "2001:db8::", "192.0.2.2"};
	for (size_t i = 0; i < COUNT(addresses); i++)
		assert_int_equal(text_list_add(&settings.dns_addresses, span_of(addresses[i])), 0);
}

static void test_record_addresses_of_one_family_stand_together(void **state)
{
	(void)state; /* formats print them as one rrset */
	use_both_families();
	expect_text("zone", RECORD_LIVE,
		    "mta-sts.example.com. 300 IN A 192.0.2.1\n"
		    "mta-sts.example.com. 300 IN A 192.0.2.2\n"
		    "mta-sts.example.com. 300 IN AAAA 2001:db8::1\n"
		    "mta-sts.example.com. 300 IN AAAA 2001:db8::\n"
		    "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
}

static void test_record_nsupdate_deletes_what_may_be_there_before_it_adds(void **state)
{
	(void)state;
	use_both_families();
	expect_text("nsupdate", RECORD_WITHHELD,
		    "update delete mta-sts.example.com. CNAME\n"
		    "update delete mta-sts.example.com. A\n"
		    "update delete mta-sts.example.com. AAAA\n"
		    "update add mta-sts.example.com. 300 A 192.0.2.1\n"
		    "update add mta-sts.example.com. 300 A 192.0.2.2\n"
		    "update add mta-sts.example.com. 300 AAAA 2001:db8::1\n"
		    "update add mta-sts.example.com. 300 AAAA 2001:db8::\n"
		    "; _mta-sts.example.com. TXT: withheld\n"
		    "update delete _mta-sts.example.com. CNAME\n"
		    "update delete _mta-sts.example.com. TXT\n"
		    "update add _mta-sts.example.com. 300 TXT \"v=STSv1; id=20260601000000;\"\n"
		    "send\n");
}

static void test_record_octodns_keys_are_in_order_and_semicolons_escaped(void **state)
{
	(void)state;
	use_both_families();
	row.tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=https://r.example/it's");
	expect_text("octodns", RECORD_LIVE,
		    "--- # example.com.\n"
		    "_mta-sts:\n"
		    "  - ttl: 300\n    type: TXT\n    value: 'v=STSv1\\; id=20260601000000\\;'\n"
		    "_smtp._tls:\n"
		    "  - ttl: 300\n    type: TXT\n    value: 'v=TLSRPTv1\\; rua=https://r.example/it''s'\n"
		    "mta-sts:\n"
		    "  - ttl: 300\n    type: A\n    values:\n      - \"192.0.2.1\"\n      - \"192.0.2.2\"\n"
		    "  - ttl: 300\n    type: AAAA\n    values:\n      - \"2001:db8::1\"\n      - \"2001:db8::\"\n");
}

static void test_record_dnscontrol_is_one_statement_per_domain(void **state)
{
	(void)state;
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	expect_text("dnscontrol", RECORD_WITHHELD,
		    "D_EXTEND(\"example.com\",\n"
		    "  CNAME(\"mta-sts\", \"policy.example.\", TTL(300)),\n"
		    "  // withheld\n"
		    "  TXT(\"_mta-sts\", \"v=STSv1; id=20260601000000;\", TTL(300))\n"
		    ");\n");
}

static void test_record_external_dns_names_have_no_final_dot_and_texts_have_quotes(void **state)
{
	(void)state;
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	expect_text("external-dns", RECORD_LIVE,
		    "---\n"
		    "apiVersion: externaldns.k8s.io/v1alpha1\n"
		    "kind: DNSEndpoint\n"
		    "metadata:\n"
		    "  name: mta-sts.example.com\n"
		    "  labels:\n"
		    "    app.kubernetes.io/managed-by: mta-sts-server\n"
		    "spec:\n"
		    "  endpoints:\n"
		    "    - dnsName: \"mta-sts.example.com\"\n"
		    "      recordTTL: 300\n"
		    "      recordType: CNAME\n"
		    "      targets:\n"
		    "        - \"policy.example\"\n"
		    "    - dnsName: \"_mta-sts.example.com\"\n"
		    "      recordTTL: 300\n"
		    "      recordType: TXT\n"
		    "      targets:\n"
		    "        - \"\\\"v=STSv1; id=20260601000000;\\\"\"\n");
}

static void test_record_powerdns_deletes_what_may_stand_in_the_way(void **state)
{
	(void)state;
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	expect_text("powerdns", RECORD_LIVE,
		    "{\"name\":\"example.com.\",\"rrsets\":["
		    "{\"name\":\"mta-sts.example.com.\",\"type\":\"A\",\"changetype\":\"DELETE\"},"
		    "{\"name\":\"mta-sts.example.com.\",\"type\":\"AAAA\",\"changetype\":\"DELETE\"},"
		    "{\"name\":\"mta-sts.example.com.\",\"type\":\"CNAME\",\"changetype\":\"REPLACE\",\"ttl\":300,"
		    "\"records\":[{\"content\":\"policy.example.\",\"disabled\":false}]},"
		    "{\"name\":\"_mta-sts.example.com.\",\"type\":\"CNAME\",\"changetype\":\"DELETE\"},"
		    "{\"name\":\"_mta-sts.example.com.\",\"type\":\"TXT\",\"changetype\":\"REPLACE\",\"ttl\":300,"
		    "\"records\":[{\"content\":\"\\\"v=STSv1; id=20260601000000;\\\"\",\"disabled\":false}]}]}\n");
}

static void test_record_state_of_a_row_follows_the_ledger(void **state)
{
	(void)state;
	row.cached_until_unix_s = 1000;
	assert_int_equal(record_state_of(&row, 2000), RECORD_LIVE);
	row.state = DOMAIN_WITHDRAWN;
	assert_int_equal(record_state_of(&row, 999), RECORD_WITHDRAWING);
	assert_int_equal(record_state_of(&row, 1000), RECORD_GONE); /* as rows_expire has it */
}

static void test_record_that_is_gone_is_a_deletion_in_every_format(void **state)
{
	(void)state;
	row.state = DOMAIN_WITHDRAWN;
	row.cached_until_unix_s = 784111777;
	expect_text("zone", RECORD_GONE,
		    "; gone since 1994-11-06T08:49:37Z: _mta-sts.example.com. 300 IN TXT "
		    "\"v=STSv1; id=20260601000000;\"\n");
	expect_text("json", RECORD_GONE,
		    "[\n  {\"domain\":\"example.com\",\"name\":\"_mta-sts.example.com.\",\"type\":\"TXT\",\"ttl\":300,"
		    "\"data\":\"v=STSv1; id=20260601000000;\",\"state\":\"gone\"}\n]\n");
	expect_text("nsupdate", RECORD_GONE,
		    "; _mta-sts.example.com. TXT: gone since 1994-11-06T08:49:37Z\n"
		    "update delete _mta-sts.example.com. CNAME\n"
		    "update delete _mta-sts.example.com. TXT\n"
		    "send\n");
	expect_text("octodns", RECORD_GONE, "--- # example.com.\n# _mta-sts TXT: gone since 1994-11-06T08:49:37Z\n");
	expect_text("dnscontrol", RECORD_GONE, "// _mta-sts.example.com. TXT: gone since 1994-11-06T08:49:37Z\n");
	expect_text("powerdns", RECORD_GONE,
		    "{\"name\":\"example.com.\",\"rrsets\":["
		    "{\"name\":\"_mta-sts.example.com.\",\"type\":\"CNAME\",\"changetype\":\"DELETE\"},"
		    "{\"name\":\"_mta-sts.example.com.\",\"type\":\"TXT\",\"changetype\":\"DELETE\"}]}\n");
	char *text = print("external-dns", RECORD_GONE);
	assert_non_null(strstr(text, "  endpoints: []\n    # _mta-sts.example.com TXT: gone since "));
	free(text);
}

static void test_record_until_when_a_withdrawn_one_stays_is_a_comment(void **state)
{
	(void)state;
	row.state = DOMAIN_WITHDRAWN;
	row.cached_until_unix_s = 784111777;
	expect_text("zone", RECORD_WITHDRAWING,
		    "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\" "
		    "; withdrawing until 1994-11-06T08:49:37Z\n");
}

/* No value that is taken in holds such octets; the formats do not rely on it. */
static void test_record_octets_that_would_end_a_string_are_escaped(void **state)
{
	(void)state;
	row.tls_rpt = SPAN_LIT("a\"b\\c\n\x7f");
	char *text = print("zone", RECORD_LIVE);
	assert_non_null(strstr(text, " IN TXT \"a\\\"b\\\\c\\010\\127\"\n"));
	free(text);
	text = print("powerdns", RECORD_LIVE);
	assert_non_null(strstr(text, "\"content\":\"\\\"a\\\\\\\"b\\\\\\\\c\\\\010\\\\127\\\"\""));
	free(text);
	text = print("dnscontrol", RECORD_LIVE);
	assert_non_null(strstr(text, "\"a\\\"b\\\\c\\u000a\\u007f\""));
	free(text);
}

static void test_record_that_does_not_fit_is_told_by_every_format(void **state)
{
	(void)state;
	struct record_set set;
	record_set_init(&set);
	assert_int_equal(record_make(&set, SPAN_LIT("example.com"), &row, &settings, RECORD_LIVE), 0);
	for (size_t i = 0; formats_table[i]; i++) {
		for (size_t max = 1; max < 60; max++) {
			struct buf out;
			buf_init(&out, max);
			(void)formats_table[i]->begin(&out);
			assert_int_equal(formats_table[i]->add(&out, &set, true), ERR_RANGE);
			assert_true(out.len <= max);
			buf_deinit(&out);
		}
	}
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
		TEST(test_record_addresses_of_one_family_stand_together),
		TEST(test_record_nsupdate_deletes_what_may_be_there_before_it_adds),
		TEST(test_record_octodns_keys_are_in_order_and_semicolons_escaped),
		TEST(test_record_dnscontrol_is_one_statement_per_domain),
		TEST(test_record_external_dns_names_have_no_final_dot_and_texts_have_quotes),
		TEST(test_record_powerdns_deletes_what_may_stand_in_the_way),
		TEST(test_record_state_of_a_row_follows_the_ledger),
		TEST(test_record_that_is_gone_is_a_deletion_in_every_format),
		TEST(test_record_until_when_a_withdrawn_one_stays_is_a_comment),
		TEST(test_record_octets_that_would_end_a_string_are_escaped),
		TEST(test_record_that_does_not_fit_is_told_by_every_format),
		TEST(test_record_formats_are_found_by_name),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

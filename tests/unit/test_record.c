#include "../../base/err.h"
#include "../../config/delegated.h"
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
	assert_int_equal(set.count, RECORD_ADDRESSES_MAX + 2);
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

/* --- policies --------------------------------------------------------------------------------------------------- */

static void delegate_to(const char *policy)
{
	row.policy = span_of(policy);
	assert_int_equal(text_set(&settings.dns_delegate, SPAN_LIT("sts.example")), 0);
}

static void test_record_of_a_delegated_domain_points_to_its_policys(void **state)
{
	(void)state;
	row.policy = SPAN_LIT("standard"); /* from before dns.delegate was taken out */
	expect_text("zone", RECORD_LIVE, "_mta-sts.example.com. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
	delegate_to("standard");
	row.tls_rpt = SPAN_LIT("v=TLSRPTv1; rua=mailto:tls@example.com");
	assert_int_equal(text_set(&settings.dns_host, SPAN_LIT("policy.example")), 0);
	expect_text("zone", RECORD_LIVE,
		    "mta-sts.example.com. 300 IN CNAME policy.example.\n"
		    "_smtp._tls.example.com. 300 IN TXT \"v=TLSRPTv1; rua=mailto:tls@example.com\"\n"
		    "_mta-sts.example.com. 300 IN CNAME _mta-sts.standard.sts.example.\n");
	row.tls_rpt = (struct span){NULL, 0};
	free(settings.dns_host);
	settings.dns_host = NULL;
	expect_text(
		"json", RECORD_WITHHELD,
		"[\n  {\"domain\":\"example.com\",\"name\":\"_mta-sts.example.com.\",\"type\":\"CNAME\",\"ttl\":300,"
		"\"data\":\"_mta-sts.standard.sts.example.\",\"state\":\"withheld\"}\n]\n");
	expect_text("nsupdate", RECORD_LIVE,
		    "update delete _mta-sts.example.com. CNAME\n"
		    "update delete _mta-sts.example.com. TXT\n"
		    "update add _mta-sts.example.com. 300 CNAME _mta-sts.standard.sts.example.\n"
		    "send\n");
	expect_text("octodns", RECORD_LIVE,
		    "--- # example.com.\n_mta-sts:\n  - ttl: 300\n    type: CNAME\n"
		    "    value: \"_mta-sts.standard.sts.example.\"\n");
	expect_text("dnscontrol", RECORD_LIVE,
		    "D_EXTEND(\"example.com\",\n"
		    "  CNAME(\"_mta-sts\", \"_mta-sts.standard.sts.example.\", TTL(300))\n);\n");
	expect_text("powerdns", RECORD_LIVE,
		    "{\"name\":\"example.com.\",\"rrsets\":["
		    "{\"name\":\"_mta-sts.example.com.\",\"type\":\"TXT\",\"changetype\":\"DELETE\"},"
		    "{\"name\":\"_mta-sts.example.com.\",\"type\":\"CNAME\",\"changetype\":\"REPLACE\",\"ttl\":300,"
		    "\"records\":[{\"content\":\"_mta-sts.standard.sts.example.\",\"disabled\":false}]}]}\n");
	char *text = print("external-dns", RECORD_LIVE);
	assert_non_null(
		strstr(text, "      recordType: CNAME\n      targets:\n        - \"_mta-sts.standard.sts.example\"\n"));
	free(text);
}

static void test_record_longest_names_point_to_each_other(void **state)
{
	(void)state;
	char label[64] = "", delegate[182] = "";
	memset(label, 'x', 63);
	memset(delegate, 'd', 180);
	row.policy = (struct span){label, 63};
	assert_int_equal(text_set(&settings.dns_delegate, span_of(delegate)), 0); /* 253 bytes in all, and their dot */
	char *text = print("zone", RECORD_LIVE);
	assert_int_equal(strlen(strstr(text, " CNAME ") + 7), 255);
	free(text);
}

/* Those of some policies and behind them those of the domain that the name is, too. */
static char *print_policies(const char *format, const char *const *names, size_t count, enum record_state policies,
			    bool has_domain)
{
	const struct format *f = formats_find(span_of(format));
	struct delegated d = {.id = "p7", .left_unix_s = policies == RECORD_LIVE ? 0 : 784111777 - DELEGATED_KEEP_S};
	struct record_set set;
	struct buf out;
	record_set_init(&set);
	buf_init(&out, 100000000);
	assert_int_equal(record_set_begin(&set, SPAN_LIT("sts.example"), count), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(record_add_policy(&set, span_of(names[i]), &d, 60, policies), 0);
	if (has_domain)
		assert_int_equal(record_add_domain(&set, &row, &settings, RECORD_LIVE), 0);
	assert_int_equal(f->begin(&out), 0);
	assert_int_equal(f->add(&out, &set, true), 0);
	assert_int_equal(f->end(&out), 0);
	char *text = strdup(buf_text(&out));
	record_set_deinit(&set);
	buf_deinit(&out);
	return text;
}

static const char *const two[] = {"one", "two"};

static void expect_policies(const char *format, enum record_state state, bool has_domain, const char *wanted)
{
	char *text = print_policies(format, two, 2, state, has_domain);
	assert_string_equal(text, wanted);
	free(text);
}

static void test_record_of_policies_and_of_the_domain_itself_are_one_set(void **state)
{
	(void)state;
	delegate_to("one");
	expect_policies("zone", RECORD_LIVE, true,
			"_mta-sts.one.sts.example. 60 IN TXT \"v=STSv1; id=p7;\"\n"
			"_mta-sts.two.sts.example. 60 IN TXT \"v=STSv1; id=p7;\"\n"
			"_mta-sts.sts.example. 300 IN CNAME _mta-sts.one.sts.example.\n");
	expect_policies("nsupdate", RECORD_LIVE, false,
			"update delete _mta-sts.one.sts.example. CNAME\n"
			"update delete _mta-sts.one.sts.example. TXT\n"
			"update add _mta-sts.one.sts.example. 60 TXT \"v=STSv1; id=p7;\"\n"
			"update delete _mta-sts.two.sts.example. CNAME\n"
			"update delete _mta-sts.two.sts.example. TXT\n"
			"update add _mta-sts.two.sts.example. 60 TXT \"v=STSv1; id=p7;\"\n"
			"send\n");
	expect_policies("octodns", RECORD_LIVE, true,
			"--- # sts.example.\n"
			"_mta-sts:\n  - ttl: 300\n    type: CNAME\n    value: \"_mta-sts.one.sts.example.\"\n"
			"_mta-sts.one:\n  - ttl: 60\n    type: TXT\n    value: 'v=STSv1\\; id=p7\\;'\n"
			"_mta-sts.two:\n  - ttl: 60\n    type: TXT\n    value: 'v=STSv1\\; id=p7\\;'\n");
	expect_policies("dnscontrol", RECORD_LIVE, false,
			"D_EXTEND(\"sts.example\",\n"
			"  TXT(\"_mta-sts.one\", \"v=STSv1; id=p7;\", TTL(60)),\n"
			"  TXT(\"_mta-sts.two\", \"v=STSv1; id=p7;\", TTL(60))\n);\n");
	char *text = print_policies("external-dns", two, 2, RECORD_LIVE, true);
	assert_null(strstr(strstr(text, "kind:") + 1, "kind:"));
	free(text);
}

static void test_record_of_a_policy_that_was_left_stays_and_then_goes(void **state)
{
	(void)state;
	struct delegated d = {.left_unix_s = 1000};
	assert_int_equal(record_state_of_policy(&d, 1000 + DELEGATED_KEEP_S - 1), RECORD_WITHDRAWING);
	assert_int_equal(record_state_of_policy(&d, 1000 + DELEGATED_KEEP_S), RECORD_GONE);
	d.left_unix_s = 0;
	assert_int_equal(record_state_of_policy(&d, 1000), RECORD_LIVE);
	expect_policies(
		"zone", RECORD_WITHDRAWING, false,
		"_mta-sts.one.sts.example. 60 IN TXT \"v=STSv1; id=p7;\" ; withdrawing until 1994-11-06T08:49:37Z\n"
		"_mta-sts.two.sts.example. 60 IN TXT \"v=STSv1; id=p7;\" ; withdrawing until 1994-11-06T08:49:37Z\n");
	expect_policies("zone", RECORD_GONE, true,
			"; gone since 1994-11-06T08:49:37Z: _mta-sts.one.sts.example. 60 IN TXT \"v=STSv1; id=p7;\"\n"
			"; gone since 1994-11-06T08:49:37Z: _mta-sts.two.sts.example. 60 IN TXT \"v=STSv1; id=p7;\"\n"
			"_mta-sts.sts.example. 300 IN TXT \"v=STSv1; id=20260601000000;\"\n");
	expect_policies("powerdns", RECORD_GONE, false,
			"{\"name\":\"sts.example.\",\"rrsets\":["
			"{\"name\":\"_mta-sts.one.sts.example.\",\"type\":\"CNAME\",\"changetype\":\"DELETE\"},"
			"{\"name\":\"_mta-sts.one.sts.example.\",\"type\":\"TXT\",\"changetype\":\"DELETE\"},"
			"{\"name\":\"_mta-sts.two.sts.example.\",\"type\":\"CNAME\",\"changetype\":\"DELETE\"},"
			"{\"name\":\"_mta-sts.two.sts.example.\",\"type\":\"TXT\",\"changetype\":\"DELETE\"}]}\n");
	expect_policies("octodns", RECORD_GONE, false,
			"--- # sts.example.\n# _mta-sts.one TXT: gone since 1994-11-06T08:49:37Z\n"
			"# _mta-sts.two TXT: gone since 1994-11-06T08:49:37Z\n");
}

static void test_record_octodns_wants_numbers_in_labels_in_their_order(void **state)
{
	(void)state;
	static const char *const names[] = {"0",
					    "10",
					    "2",
					    "a",
					    "a-",
					    "a0",
					    "a01b",
					    "a10",
					    "a1c",
					    "a2",
					    "ab",
					    "p9999999999999999999",
					    "p99999999999999999991"};
	static const char *const wanted[] = {"0",
					     "2",
					     "10",
					     "a",
					     "a0",
					     "a01b",
					     "a1c",
					     "a2",
					     "a10",
					     "a-",
					     "ab",
					     "p9999999999999999999",
					     "p99999999999999999991"};
	char *text = print_policies("octodns", names, COUNT(names), RECORD_LIVE, false), *at = text;
	for (size_t i = 0; i < COUNT(wanted); i++) {
		char label[64];
		(void)snprintf(label, sizeof label, "\n_mta-sts.%s:\n", wanted[i]);
		char *next = strstr(at, label);
		if (!next)
			fail_msg("%s is not behind the one before:\n%s", wanted[i], text);
		at = next;
	}
	free(text);
}

static size_t count_lines(const char *text, const char *line)
{
	size_t n = 0, len = strlen(line);
	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		n += strncmp(at, line, len) == 0;
	return n;
}

static void test_record_of_thousands_of_policies_fit_and_no_update_is_too_large(void **state)
{
	(void)state;
	enum { POLICIES = 2500 };
	static char texts[POLICIES][8];
	static const char *names[POLICIES];
	for (size_t i = 0; i < POLICIES; i++) {
		(void)snprintf(texts[i], sizeof texts[i], "p%04zu", i);
		names[i] = texts[i];
	}
	for (size_t i = 0; formats_table[i]; i++) {
		char *text = print_policies(formats_table[i]->name, names, POLICIES, RECORD_LIVE, true);
		for (size_t n = 0; n < POLICIES; n += 499)
			assert_non_null(strstr(text, texts[n]));
		free(text);
	}
	char *text = print_policies("nsupdate", names, POLICIES, RECORD_LIVE, false);
	assert_int_equal(count_lines(text, "send"), POLICIES / 100); /* a message has 64 KiB */
	assert_int_equal(count_lines(text, "update add"), POLICIES);
	assert_string_equal(text + strlen(text) - 5, "send\n");
	free(text);
	text = print_policies("powerdns", names, POLICIES, RECORD_LIVE, false);
	assert_int_equal(count_lines(text, "{"), 3); /* a body has 2 MB */
	free(text);
}

static void test_record_set_never_grows_behind_its_records(void **state)
{
	(void)state;
	struct record_set set;
	struct delegated d = {.id = "p7"};
	int rc = 0;
	record_set_init(&set);
	assert_int_equal(record_set_begin(&set, SPAN_LIT("sts.example"), 1), 0);
	for (int i = 0; rc == 0 && i < 2 * RECORDS_MAX; i++)
		rc = record_add_policy(&set, SPAN_LIT("one"), &d, 60, RECORD_LIVE);
	assert_int_equal(rc, ERR_RANGE);
	assert_int_equal(set.count, RECORDS_MAX + 1);
	assert_int_equal(record_set_begin(&set, SPAN_LIT("sts.example"), SIZE_MAX), ERR_RANGE);
	record_set_deinit(&set);
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
		TEST(test_record_of_a_delegated_domain_points_to_its_policys),
		TEST(test_record_longest_names_point_to_each_other),
		TEST(test_record_of_policies_and_of_the_domain_itself_are_one_set),
		TEST(test_record_of_a_policy_that_was_left_stays_and_then_goes),
		TEST(test_record_octodns_wants_numbers_in_labels_in_their_order),
		TEST(test_record_of_thousands_of_policies_fit_and_no_update_is_too_large),
		TEST(test_record_set_never_grows_behind_its_records),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

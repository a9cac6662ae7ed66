#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../config/keys.h"
#include "../../config/settings_table.h"
#include "guard.h"
#include "unit.h"

#include <stdlib.h>

static struct settings full(void)
{
	struct settings s;
	assert_int_equal(settings_init(&s), 0);
	assert_int_equal(text_set(&s.metrics, SPAN_LIT("127.0.0.1:9106")), 0);
	assert_int_equal(text_set(&s.dns_host, SPAN_LIT("policy.example")), 0);
	assert_int_equal(text_set(&s.dns_tls_rpt, SPAN_LIT("v=TLSRPTv1; rua=mailto:a@b.example")), 0);
	assert_int_equal(text_list_add(&s.cert_paths, SPAN_LIT("/a")), 0);
	assert_int_equal(text_list_add(&s.cert_paths, SPAN_LIT("/b c")), 0);
	assert_int_equal(text_list_add(&s.dns_addresses, SPAN_LIT("192.0.2.1")), 0);
	assert_int_equal(text_list_add(&s.dns_publish_command, SPAN_LIT("/usr/bin/env")), 0);
	assert_int_equal(text_list_add(&s.dns_publish_command, SPAN_LIT("")), 0);
	s.workers = 7;
	s.dns_ttl_s = 2147483647;
	s.dns_id = ID_DIGEST;
	return s;
}

static void test_settings_stored_form_gives_them_back(void **state)
{
	(void)state;
	struct settings s = full(), back;
	struct buf one, two;
	buf_init(&one, 10000);
	buf_init(&two, 10000);
	assert_int_equal(settings_encode(&s, &one), 0);
	assert_int_equal(settings_decode((struct span){guard_copy(one.p, one.len), one.len}, &back), 0);
	assert_int_equal(settings_encode(&back, &two), 0);
	assert_true(span_is(buf_span(&one), buf_span(&two)));
	assert_string_equal(back.cert_paths.items[1], "/b c");
	assert_int_equal(back.listen.count, 2);
	assert_int_equal(back.dns_publish_command.count, 2);
	assert_string_equal(back.dns_publish_command.items[1], "");
	assert_string_equal(back.dns_publish_format, "nsupdate");
	assert_int_equal(back.workers, 7);
	assert_int_equal(back.dns_id, ID_DIGEST);
	settings_deinit(&s);
	settings_deinit(&back);
	buf_deinit(&one);
	buf_deinit(&two);
	guard_free_all();
}

static void test_settings_damaged_form_is_refused_wherever_it_ends(void **state)
{
	(void)state;
	struct settings s = full(), back;
	struct buf b;
	buf_init(&b, 10000);
	assert_int_equal(settings_encode(&s, &b), 0);
	for (size_t len = 0; len < b.len; len++) {
		int rc = settings_decode((struct span){guard_copy(b.p, len), len}, &back);
		bool is_whole = len == 0 || b.p[len - 1] == '\0'; /* ends behind a text */
		if (!is_whole && rc != ERR_PARSE)
			fail_msg("%zu bytes: %d", len, rc);
		settings_deinit(&back);
	}
	assert_int_equal(settings_decode((struct span)LIT("workers\0x\0"), &back), ERR_PARSE);
	settings_deinit(&back);
	assert_int_equal(settings_decode((struct span)LIT("of_a_later_version\0x\0workers\0"
							  "3\0"),
					 &back),
			 0);
	assert_int_equal(back.workers, 3);
	assert_int_equal(back.limits_connections, 4096); /* nor do they lack what an older version did not store */
	assert_int_equal(back.listen.count, 0);
	settings_deinit(&back);
	settings_deinit(&s);
	buf_deinit(&b);
	guard_free_all();
}

static void test_settings_that_differ_are_told_key_by_key(void **state)
{
	(void)state;
	struct settings a = full(), b = full();
	for (size_t i = 0; i < keys_count; i++)
		if (keys_table[i].scopes & KEY_SERVER)
			assert_true(settings_is_same(&a, &b, &keys_table[i]));
	b.workers = 8;
	b.cert_paths.items[1][0] = 'x';
	free(b.dns_host);
	b.dns_host = NULL;
	assert_int_equal(text_set(&b.user, SPAN_LIT("other")), 0);
	assert_int_equal(text_list_add(&b.listen, SPAN_LIT("127.0.0.1:1")), 0);
	for (size_t i = 0; i < keys_count; i++) {
		static const char differing[] = " workers certs.paths dns.host user listen ";
		char word[64];
		if (!(keys_table[i].scopes & KEY_SERVER))
			continue;
		(void)snprintf(word, sizeof word, " %s ", keys_table[i].path);
		if (settings_is_same(&a, &b, &keys_table[i]) != !strstr(differing, word) ||
		    settings_is_same(&b, &a, &keys_table[i]) != !strstr(differing, word))
			fail_msg("%s", keys_table[i].path);
	}
	settings_deinit(&a);
	settings_deinit(&b);
}

static void test_settings_texts_are_replaced_and_lists_grow(void **state)
{
	(void)state;
	char *text = NULL;
	struct text_list l = {0};
	assert_int_equal(text_set(&text, SPAN_LIT("one")), 0);
	assert_int_equal(text_set(&text, (struct span){NULL, 0}), 0);
	assert_string_equal(text, "");
	free(text);
	for (int i = 0; i < 100; i++)
		assert_int_equal(text_list_add(&l, SPAN_LIT("x")), 0);
	assert_int_equal(l.count, 100);
	text_list_deinit(&l);
	assert_int_equal(l.count, 0);
	text_list_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_stored_form_gives_them_back),
		cmocka_unit_test(test_settings_damaged_form_is_refused_wherever_it_ends),
		cmocka_unit_test(test_settings_that_differ_are_told_key_by_key),
		cmocka_unit_test(test_settings_texts_are_replaced_and_lists_grow),
	};
	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}

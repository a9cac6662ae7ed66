#include "../../base/buf.h"
#include "../../config/keys.h"
#include "../../config/setting.h"
#include "../../config/settings_table.h"
#include "../../config/value.h"
#include "guard.h"
#include "unit.h"

static void test_keys_rows_are_sound(void **state)
{
	(void)state;
	assert_in_range(keys_count, 1, 64); /* source.c keeps a bit for each */
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *k = &keys_table[i];
		if (!k->help || !*k->help || k->help[strlen(k->help) - 1] != '.')
			fail_msg("%s: help is no sentence", k->path);
		if (!k->sample || !*k->sample)
			fail_msg("%s: nothing for the sample file", k->path);
		if ((k->scopes & KEY_SERVER) && k->scopes != KEY_SERVER)
			fail_msg("%s: field is an offset or an enum spec_key, not both", k->path);
		if (!(k->scopes & KEY_SERVER) && k->field >= SPEC_KEY_COUNT)
			fail_msg("%s: no field", k->path);
		if (k->type == KEY_NUMBER && k->min > k->max)
			fail_msg("%s: no number fits", k->path);
		for (size_t j = 0; j < i; j++)
			if (strcmp(k->path, keys_table[j].path) == 0 && (k->scopes & keys_table[j].scopes))
				fail_msg("%s is there twice", k->path);
	}
	for (unsigned field = 0; field < SPEC_KEY_COUNT; field++) {
		bool is_named = false;
		for (size_t i = 0; i < keys_count; i++)
			is_named = is_named || (!(keys_table[i].scopes & KEY_SERVER) && keys_table[i].field == field);
		assert_true(is_named);
	}
}

static void test_keys_are_found_in_their_scope_only(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *path;
		unsigned scope;
		bool is_there;
	} cases[] = {
		{__LINE__, "listen", KEY_SERVER, true},
		{__LINE__, "listen", KEY_DOMAIN, false},
		{__LINE__, "dns.ttl", KEY_SERVER, true},
		{__LINE__, "ttl", KEY_SERVER, false},
		{__LINE__, "ttl", KEY_DOMAIN, true},
		{__LINE__, "mode", KEY_DEFAULTS, true},
		{__LINE__, "mode", KEY_POLICY, true},
		{__LINE__, "mode", KEY_DOMAIN, true},
		{__LINE__, "policy", KEY_POLICY, false},
		{__LINE__, "policy", KEY_DEFAULTS, true},
		{__LINE__, "id", KEY_DEFAULTS, false},
		{__LINE__, "id", KEY_DOMAIN, true},
		{__LINE__, "cert", KEY_DOMAIN, true},
		{__LINE__, "cert", KEY_POLICY, false},
		{__LINE__, "Mode", KEY_DOMAIN, false},
		{__LINE__, "mod", KEY_DOMAIN, false},
		{__LINE__, "", KEY_SERVER, false},
		{__LINE__, "dns", KEY_SERVER, false},
		{__LINE__, "dns.delegate", KEY_SERVER, true},
		{__LINE__, "delegate", KEY_POLICY, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].path);
		struct span path = {guard_copy(cases[i].path, len), len};
		if ((keys_find(path, cases[i].scope) != NULL) != cases[i].is_there)
			fail_msg("line %d", cases[i].line);
	}
	assert_true(keys_is_section(SPAN_LIT("dns"), KEY_SERVER));
	assert_true(keys_is_section(SPAN_LIT("certs"), KEY_SERVER));
	assert_false(keys_is_section(SPAN_LIT("dn"), KEY_SERVER));
	assert_false(keys_is_section(SPAN_LIT("dns"), KEY_DOMAIN));
	assert_false(keys_is_section(SPAN_LIT("listen"), KEY_SERVER));
	assert_true(keys_is_section(SPAN_LIT("dns.publish"), KEY_SERVER));
	assert_false(keys_is_section(SPAN_LIT("dns.publish.command"), KEY_SERVER));
	assert_false(keys_is_section(SPAN_LIT("dns.p"), KEY_SERVER));
	assert_false(keys_is_section(SPAN_LIT(""), KEY_SERVER));
	guard_free_all();
}

static void test_keys_a_typing_mistake_is_understood(void **state)
{
	(void)state;
	static const char *const extra[] = {"domains", "policies", NULL};
	static const struct {
		int line;
		const char *name, *section;
		unsigned scope;
		const char *const *extra;
		const char *meant; /* NULL: nothing is near */
	} cases[] = {
		/* A-C3 */
		{__LINE__, "max-age", "", KEY_DOMAIN, NULL, "max_age"},
		{__LINE__, "mxs", "", KEY_DOMAIN, NULL, "mx"},
		{__LINE__, "nmx", "", KEY_DOMAIN, NULL, "mx"},
		{__LINE__, "MAX_AGE", "", KEY_POLICY, NULL, "max_age"},
		{__LINE__, "tlsrpt", "", KEY_DOMAIN, NULL, "tls_rpt"},
		{__LINE__, "plicy", "", KEY_DOMAIN, NULL, "policy"},
		{__LINE__, "cerr", "", KEY_POLICY, NULL, NULL}, /* cert is not for policies */
		{__LINE__, "lisen", "", KEY_SERVER, NULL, "listen"},
		{__LINE__, "domain", "", KEY_SERVER, extra, "domains"},
		{__LINE__, "polices", "", KEY_SERVER, extra, "policies"},
		{__LINE__, "hosts", "dns", KEY_SERVER, NULL, "host"},
		{__LINE__, "comand", "dns.publish", KEY_SERVER, NULL, "command"},
		{__LINE__, "connection", "limits", KEY_SERVER, NULL, "connections"},
		{__LINE__, "handshake-timeout-ms", "limits", KEY_SERVER, NULL, "handshake_timeout_ms"},
		{__LINE__, "path", "certs", KEY_SERVER, NULL, "paths"},
		{__LINE__, "host", "certs", KEY_SERVER, NULL, NULL},
		{__LINE__, "xyz", "", KEY_DOMAIN, NULL, NULL},
		{__LINE__, "x", "", KEY_DOMAIN, NULL, "mx"},
		{__LINE__, "", "", KEY_DOMAIN, NULL, NULL},
		{__LINE__, "a-very-long-word-that-resembles-no-key-of-ours-at-all", "", KEY_DOMAIN, NULL, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].name);
		struct span name = {guard_copy(cases[i].name, len), len};
		const char *word = keys_suggest(name, cases[i].section, cases[i].scope, cases[i].extra);
		if (!word != !cases[i].meant || (word && strcmp(word, cases[i].meant) != 0))
			fail_msg("line %d: %s", cases[i].line, word ? word : "nothing");
	}
	guard_free_all();
}

static void test_keys_sample_and_manual_name_every_key(void **state)
{
	(void)state;
	struct buf sample, manual;
	char item[64];
	buf_init(&sample, 1 << 20);
	buf_init(&manual, 1 << 20);
	assert_int_equal(keys_render_sample(&sample), 0);
	assert_int_equal(keys_render_manual(&manual), 0);
	for (size_t i = 0; i < keys_count; i++) {
		const char *dot = strrchr(keys_table[i].path, '.');
		(void)snprintf(item, sizeof item, "\n.It Ic %s\n", keys_table[i].path);
		if (!strstr(buf_text(&manual), item))
			fail_msg("%s is not in the manual", keys_table[i].path);
		(void)snprintf(item, sizeof item, "%s:", dot ? dot + 1 : keys_table[i].path);
		if ((keys_table[i].scopes & KEY_SERVER) && !strstr(buf_text(&sample), item))
			fail_msg("%s is not in the sample", keys_table[i].path);
	}
	buf_deinit(&sample);
	buf_deinit(&manual);
}

static void test_keys_built_in_defaults_are_in_force_without_a_file(void **state)
{
	(void)state;
	struct settings s;
	assert_int_equal(settings_init(&s), 0);
	assert_int_equal(s.listen.count, 2);
	assert_string_equal(s.listen.items[0], "0.0.0.0:443");
	assert_string_equal(s.listen.items[1], "[::]:443");
	assert_string_equal(s.state_dir, "/var/lib/mta-sts-server");
	assert_string_equal(s.user, "mta-sts");
	assert_int_equal(s.workers, 0);
	assert_int_equal(s.dns_ttl_s, 300);
	assert_int_equal(s.dns_id, ID_TIMESTAMP);
	assert_null(s.metrics);
	assert_null(s.dns_tls_rpt);
	assert_null(s.dns_host);
	assert_null(s.dns_delegate);
	assert_int_equal(s.dns_addresses.count, 0);
	assert_int_equal(s.cert_paths.count, 0);
	assert_int_equal(s.limits_connections, 4096);
	assert_int_equal(s.limits_connections_per_client, 256);
	assert_int_equal(s.limits_handshakes, 1024);
	assert_int_equal(s.limits_accepts_per_turn, 64);
	assert_int_equal(s.limits_handshake_timeout_ms, 10000);
	assert_int_equal(s.limits_request_timeout_ms, 10000);
	assert_int_equal(s.limits_write_timeout_ms, 10000);
	assert_int_equal(s.limits_linger_timeout_ms, 2000);
	assert_int_equal(s.limits_hello_max_bytes, 16384);
	assert_int_equal(s.limits_head_max_bytes, 16384);
	assert_int_equal(s.limits_linger_max_bytes, 262144);
	settings_deinit(&s);
	settings_deinit(&s); /* a zeroed one, too */
}

static void test_keys_limits_have_bounds(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *path, *text;
		bool is_good;
	} cases[] = {
		{__LINE__, "limits.connections", "1", true},
		{__LINE__, "limits.connections", "0", false},
		{__LINE__, "limits.connections", "1000000", true},
		{__LINE__, "limits.connections", "1000001", false},
		{__LINE__, "limits.connections", "4294967297", false},
		{__LINE__, "limits.connections", "1e3", false},
		{__LINE__, "limits.connections_per_client", "0", true},
		{__LINE__, "limits.handshakes", "0", false},
		{__LINE__, "limits.accepts_per_turn", "0", false},
		{__LINE__, "limits.accepts_per_turn", "1024", true},
		{__LINE__, "limits.handshake_timeout_ms", "99", false},
		{__LINE__, "limits.handshake_timeout_ms", "60000", true},
		{__LINE__, "limits.request_timeout_ms", "60001", false},
		{__LINE__, "limits.write_timeout_ms", "10s", false},
		{__LINE__, "limits.linger_timeout_ms", "0", true},
		{__LINE__, "limits.hello_max_bytes", "1023", false},
		{__LINE__, "limits.hello_max_bytes", "16385", false},
		{__LINE__, "limits.head_max_bytes", "16384", true},
		{__LINE__, "limits.head_max_bytes", "16385", false},
		{__LINE__, "limits.linger_max_bytes", "0", true},
	};
	struct settings s = {0};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value_error e;
		const struct key *k = keys_find(span_of(cases[i].path), KEY_SERVER);
		if (!k || (setting_set(&s, k, span_of(cases[i].text), "/", &e) == 0) != cases[i].is_good)
			fail_msg("line %d", cases[i].line);
	}
	settings_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_rows_are_sound),
		cmocka_unit_test(test_keys_are_found_in_their_scope_only),
		cmocka_unit_test(test_keys_a_typing_mistake_is_understood),
		cmocka_unit_test(test_keys_sample_and_manual_name_every_key),
		cmocka_unit_test(test_keys_limits_have_bounds),
		cmocka_unit_test(test_keys_built_in_defaults_are_in_force_without_a_file),
	};
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}

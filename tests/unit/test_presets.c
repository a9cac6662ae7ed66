/* The built-in policies by themselves; that they are served, and give way to the YAML's: test_apply.c, test_whole.c. */
#include "../../base/buf.h"
#include "../../base/name.h"
#include "../../config/presets.h"
#include "../../config/spec.h"
#include "unit.h"

static char room[PRESET_MX_MAX_BYTES];

static struct spec filled(const char *name)
{
	struct spec policy = {0};
	assert_true(presets_has(span_of(name)));
	assert_true(presets_fill(span_of(name), &policy, room));
	assert_int_equal(policy.set, 1u << SPEC_MX); /* no mode: a domain must not go to enforce unasked */
	return policy;
}

static bool is_matched(struct span mx, const char *host)
{
	struct span item;
	while (pack_next(&mx, &item))
		if (name_matches_mx(item, span_of(host)))
			return true;
	return false;
}

static void test_presets_rows_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < presets_count; i++) {
		const struct preset *p = &presets_table[i];
		struct span rest = filled(p->name).mx, item;
		size_t used = 0;
		if (i && strcmp(presets_table[i - 1].name, p->name) >= 0)
			fail_msg("%s is not in its place", p->name);
		if (p->help[strlen(p->help) - 1] != '.')
			fail_msg("%s: help is no sentence", p->name);
		while (pack_next(&rest, &item)) {
			struct name name;
			struct span all = filled(p->name).mx, other;
			size_t same = 0;
			/* already in the form that a value of the YAML is brought into */
			if (name_parse_mx(item, &name, NULL) != 0 || !span_is(name_span(&name), item))
				fail_msg("%s: %.*s", p->name, SPAN_ARG(item));
			while (pack_next(&all, &other))
				same += name_matches_mx(other, item) || span_is(other, item);
			if (same != 1)
				fail_msg("%s: %.*s is said %zu times", p->name, SPAN_ARG(item), same);
			used += item.len + 2;
		}
		assert_int_equal(rest.len, 0);
		assert_int_equal(used, strlen(p->mx) + 2); /* nothing was lost on the way */
	}
}

static void test_presets_match_each_mx_host_of_the_provider(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *preset, *host;
		bool is_matched;
	} cases[] = {
		{__LINE__, "google-workspace", "smtp.google.com", true},
		{__LINE__, "google-workspace", "aspmx.l.google.com", true},
		{__LINE__, "google-workspace", "alt1.aspmx.l.google.com", true},
		{__LINE__, "google-workspace", "alt2.aspmx.l.google.com", true},
		{__LINE__, "google-workspace", "alt3.aspmx.l.google.com", true},
		{__LINE__, "google-workspace", "alt4.aspmx.l.google.com", true},
		{__LINE__, "google-workspace", "aspmx2.googlemail.com", true},
		{__LINE__, "google-workspace", "aspmx5.googlemail.com", true},
		{__LINE__, "google-workspace", "gmail-smtp-in.l.google.com", false},
		{__LINE__, "google-workspace", "google.com", false},
		{__LINE__, "microsoft-365", "example-com.mail.protection.outlook.com", true},
		{__LINE__, "microsoft-365", "mail.protection.outlook.com", false},
		{__LINE__, "microsoft-365", "a.b.mail.protection.outlook.com", false},
		{__LINE__, "microsoft-365", "example-com.a-v1.mx.microsoft", true},
		{__LINE__, "microsoft-365", "example-com.h-v1.mx.microsoft", true},
		{__LINE__, "microsoft-365", "contosotest-com.o-v1.mx.microsoft", true},
		{__LINE__, "microsoft-365", "example-com.z-v1.mx.microsoft", true},
		{__LINE__, "microsoft-365", "h-v1.mx.microsoft", false},
		{__LINE__, "microsoft-365", "example-com.h-v1.mx.microsoft.example", false},
		{__LINE__, "fastmail", "in1-smtp.messagingengine.com", true},
		{__LINE__, "fastmail", "in2-smtp.messagingengine.com", true},
		{__LINE__, "proton", "mail.protonmail.ch", true},
		{__LINE__, "proton", "mailsec.protonmail.ch", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		if (is_matched(filled(cases[i].preset).mx, cases[i].host) != cases[i].is_matched)
			fail_msg("line %d: %s", cases[i].line, cases[i].host);
	for (char letter = 'a'; letter <= 'z'; letter++) {
		char host[64];
		(void)snprintf(host, sizeof host, "example-com.%c-v1.mx.microsoft", letter);
		assert_true(is_matched(filled("microsoft-365").mx, host));
	}
}

static void test_presets_fill_only_what_is_lacking(void **state)
{
	(void)state;
	static const char own[] = "\x09m.example";
	struct spec policy = {.set = 1u << SPEC_MX | 1u << SPEC_MODE, .mx = LIT(own), .mode = POLICY_ENFORCE};
	assert_true(presets_fill(SPAN_LIT("proton"), &policy, room));
	assert_true(span_is(policy.mx, SPAN_LIT(own)));
	policy = (struct spec){.set = 1u << SPEC_MODE, .mode = POLICY_ENFORCE};
	assert_true(presets_fill(SPAN_LIT("proton"), &policy, room));
	assert_int_equal(policy.set, 1u << SPEC_MX | 1u << SPEC_MODE);
	assert_int_equal(policy.mode, POLICY_ENFORCE);
	assert_int_equal(pack_count(policy.mx), 2);
	policy = (struct spec){0};
	assert_false(presets_fill(SPAN_LIT("standard"), &policy, room));
	assert_false(presets_fill(SPAN_LIT("Proton"), &policy, room)); /* names of policies have a case */
	assert_false(presets_fill(SPAN_LIT(""), &policy, room));
	assert_int_equal(policy.set, 0);
}

static void test_presets_suggest_what_was_meant(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *word, *meant;
	} cases[] = {
		{__LINE__, "microsoft365", "microsoft-365"},
		{__LINE__, "microsoft_365", "microsoft-365"},
		{__LINE__, "Microsoft-365", "microsoft-365"},
		{__LINE__, "google_workspace", "google-workspace"},
		{__LINE__, "googleworkspace", "google-workspace"},
		{__LINE__, "fastmial", "fastmail"},
		{__LINE__, "standard", NULL},
		{__LINE__, "", NULL},
		{__LINE__, "mode", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *found = presets_suggest(span_of(cases[i].word));
		if (found ? !cases[i].meant || strcmp(found, cases[i].meant) != 0 : cases[i].meant != NULL)
			fail_msg("line %d: %s", cases[i].line, found ? found : "nothing");
	}
}

static void test_presets_are_printed_with_every_pattern(void **state)
{
	(void)state;
	struct buf manual, readme, stored;
	buf_init(&manual, 100000);
	buf_init(&readme, 100000);
	buf_init(&stored, 100000);
	assert_int_equal(presets_render_manual(&manual), 0);
	assert_int_equal(presets_render_readme(&readme), 0);
	assert_int_equal(presets_encode(&stored), 0);
	for (size_t i = 0; i < presets_count; i++) {
		assert_non_null(strstr(buf_text(&manual), presets_table[i].name));
		assert_non_null(strstr(buf_text(&readme), presets_table[i].name));
		assert_non_null(strstr(buf_text(&stored), presets_table[i].mx));
	}
	assert_non_null(strstr(buf_text(&manual), "*.z\\-v1.mx.microsoft\n"));
	buf_deinit(&manual);
	buf_deinit(&readme);
	buf_deinit(&stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets_rows_are_sound),
		cmocka_unit_test(test_presets_match_each_mx_host_of_the_provider),
		cmocka_unit_test(test_presets_fill_only_what_is_lacking),
		cmocka_unit_test(test_presets_suggest_what_was_meant),
		cmocka_unit_test(test_presets_are_printed_with_every_pattern),
	};
	return cmocka_run_group_tests_name("presets", tests, NULL, NULL);
}

#include "../../base/addr.h"
#include "../../base/err.h"
#include "guard.h"
#include "unit.h"

static struct span guarded(struct span s)
{
	return (struct span){guard_copy(s.p, s.len), s.len};
}

static void test_addr_parsed_is_rendered_in_one_form(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *in, *out;
		unsigned port;
		int family;
	} cases[] = {
		{__LINE__, "0.0.0.0:443", "0.0.0.0:443", 443, AF_INET},
		{__LINE__, "127.0.0.1:0", "127.0.0.1:0", 0, AF_INET},
		{__LINE__, "192.0.2.1:65535", "192.0.2.1:65535", 65535, AF_INET},
		{__LINE__, "192.0.2.1:00443", "192.0.2.1:443", 443, AF_INET},
		{__LINE__, "[::]:443", "[::]:443", 443, AF_INET6},
		{__LINE__, "[2001:DB8:0:0::1]:8443", "[2001:db8::1]:8443", 8443, AF_INET6},
		{__LINE__, "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1", 1, AF_INET6},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sockaddr_storage sa, again;
		struct err err = {0};
		char text[ADDR_TEXT_BYTES], twice[ADDR_TEXT_BYTES];
		if (addr_parse(guarded(span_of(cases[i].in)), &sa, &err) != 0)
			fail_msg("line %d: %s", cases[i].line, err.text);
		addr_render((const struct sockaddr *)&sa, text);
		if (strcmp(text, cases[i].out) != 0 || sa.ss_family != cases[i].family ||
		    addr_port((const struct sockaddr *)&sa) != cases[i].port)
			fail_msg("line %d: %s", cases[i].line, text);
		assert_int_equal(addr_parse(span_of(text), &again, NULL), 0);
		addr_render((const struct sockaddr *)&again, twice);
		assert_string_equal(twice, text);
		assert_memory_equal(&again, &sa, addr_len(&sa));
	}
	guard_free_all();
}

static void test_addr_what_is_none_is_refused_with_an_example(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
	} cases[] = {
		{__LINE__, LIT("")},
		{__LINE__, LIT(":")},
		{__LINE__, LIT(":443")},
		{__LINE__, LIT("443")},
		{__LINE__, LIT("0.0.0.0")},
		{__LINE__, LIT("0.0.0.0:")},
		{__LINE__, LIT("0.0.0.0:65536")},
		{__LINE__, LIT("0.0.0.0:100000")},
		{__LINE__, LIT("0.0.0.0:-1")},
		{__LINE__, LIT("0.0.0.0:+1")},
		{__LINE__, LIT("0.0.0.0: 1")},
		{__LINE__, LIT("0.0.0:443")},
		{__LINE__, LIT("256.0.0.1:443")},
		{__LINE__, LIT("::1:443")},
		{__LINE__, LIT("[]:443")},
		{__LINE__, LIT("[::1]443")},
		{__LINE__, LIT("[::1:443")},
		{__LINE__, LIT("[127.0.0.1]:443")},
		{__LINE__, LIT("[::1%lo]:443")},
		{__LINE__, LIT("localhost:443")},
		{__LINE__, LIT("127.0.0.1\0x:443")},
		{__LINE__, LIT("11111111111111111111111111111111111111111111111111111111111111111111:443")},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sockaddr_storage sa;
		struct err err = {0};
		if (addr_parse(guarded(cases[i].in), &sa, &err) != ERR_PARSE || !strstr(err.text, "\"0.0.0.0:443\""))
			fail_msg("line %d: %s", cases[i].line, err.text);
	}
	guard_free_all();
}

static void test_addr_ip_is_rendered_in_one_form(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
		const char *out; /* NULL: refused */
		bool is_v6;
	} cases[] = {
		{__LINE__, LIT("192.0.2.1"), "192.0.2.1", false},
		{__LINE__, LIT("2001:DB8:0::1"), "2001:db8::1", true},
		{__LINE__, LIT("::"), "::", true},
		{__LINE__, LIT(""), NULL, false},
		{__LINE__, LIT("192.0.2"), NULL, false},
		{__LINE__, LIT("192.0.2.01"), NULL, false},
		{__LINE__, LIT("192.0.2.1:1"), NULL, false},
		{__LINE__, LIT("[::1]"), NULL, false},
		{__LINE__, LIT("::1\0"), NULL, false},
		{__LINE__, LIT("example.com"), NULL, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[ADDR_TEXT_BYTES] = "";
		bool is_v6 = false;
		struct err err = {0};
		int rc = addr_parse_ip(guarded(cases[i].in), out, &is_v6, &err);
		if (rc != (cases[i].out ? 0 : ERR_PARSE) ||
		    (rc == 0 && (strcmp(out, cases[i].out) != 0 || is_v6 != cases[i].is_v6)))
			fail_msg("line %d: %d %s", cases[i].line, rc, rc ? err.text : out);
	}
	guard_free_all();
}

static void test_addr_port_can_be_set(void **state)
{
	(void)state;
	static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0"};
	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_storage sa;
		assert_int_equal(addr_parse(span_of(addresses[i]), &sa, NULL), 0);
		addr_set_port(&sa, 41234);
		assert_int_equal(addr_port((const struct sockaddr *)&sa), 41234);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_parsed_is_rendered_in_one_form),
		cmocka_unit_test(test_addr_what_is_none_is_refused_with_an_example),
		cmocka_unit_test(test_addr_ip_is_rendered_in_one_form),
		cmocka_unit_test(test_addr_port_can_be_set),
	};
	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}

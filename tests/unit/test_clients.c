#include "../../server/worker/clients.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

static struct clients *cs;

static int set_up(void **state)
{
	(void)state;
	cs = calloc(1, sizeof *cs);
	assert_non_null(cs);
	clients_init(cs);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(cs);
	return 0;
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage sa = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&sa;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		sa.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		sa.ss_family = AF_INET6;
	else
		fail_msg("%s", text);
	v4->sin_port = htons((uint16_t)rand()); /* of no importance */
	return sa;
}

static bool enter(const char *text, size_t max_count, struct client **out)
{
	struct sockaddr_storage sa = address(text);
	return clients_enter(cs, (struct sockaddr *)&sa, max_count, out);
}

static void test_clients_same_client_or_not(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *one, *other;
		bool is_same;
	} cases[] = {
		{__LINE__, "192.0.2.1", "192.0.2.1", true},
		{__LINE__, "192.0.2.1", "192.0.2.2", false},
		{__LINE__, "192.0.2.1", "::ffff:192.0.2.1", true},
		{__LINE__, "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{__LINE__, "2001:db8::1", "2001:db8::2", true},
		{__LINE__, "2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", true},
		{__LINE__, "2001:db8::1", "2001:db8:0:1::1", false},
		{__LINE__, "2001:db8::1", "2001:db9::1", false},
		{__LINE__, "::1", "0.0.0.0", false},
		{__LINE__, "::", "0.0.0.0", false},
		{__LINE__, "c000:201::", "192.0.2.1", false}, /* the same bytes in front */
		{__LINE__, "::c000:201", "192.0.2.1", false},
		{__LINE__, "0:0:0:0:0:ffff:c000:201", "192.0.2.1", true},
		{__LINE__, "::1:ffff:c000:201", "192.0.2.1", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct client *one, *other;
		assert_true(enter(cases[i].one, 1, &one));
		assert_non_null(one);
		if (enter(cases[i].other, 1, &other) == cases[i].is_same)
			fail_msg("line %d", cases[i].line);
		clients_leave(one);
		if (!cases[i].is_same)
			clients_leave(other);
	}
}

static void test_clients_limit_counts_those_that_are_there(void **state)
{
	(void)state;
	struct client *c[4], *none;
	for (int i = 0; i < 3; i++)
		assert_true(enter("192.0.2.1", 3, &c[i]));
	assert_false(enter("192.0.2.1", 3, &none));
	assert_null(none);
	assert_true(enter("192.0.2.1", 4, &c[3])); /* the limit may change at any time */
	assert_false(enter("192.0.2.1", 3, &none));
	assert_true(enter("192.0.2.1", 0, &none)); /* none at all */
	clients_leave(none);
	clients_leave(c[3]);
	clients_leave(c[0]);
	assert_true(enter("192.0.2.1", 3, &c[0]));
	for (int i = 0; i < 3; i++)
		clients_leave(c[i]);
	clients_leave(NULL);
}

static void test_clients_other_families_are_not_counted(void **state)
{
	(void)state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct client *c = (struct client *)1;
	for (int i = 0; i < 3; i++) {
		assert_true(clients_enter(cs, (struct sockaddr *)&sa, 1, &c));
		assert_null(c);
	}
}

/* More clients than there are places: each is let in, nobody else's count suffers, and all places become free. */
static void test_clients_table_that_is_full_refuses_nobody(void **state)
{
	(void)state;
	enum { MANY = 3 * CLIENTS_ROW_COUNT * CLIENTS_PER_ROW_COUNT / 2 };
	struct client **c = calloc(MANY, sizeof *c);
	assert_non_null(c);
	for (int round = 0; round < 2; round++) {
		size_t counted = 0;
		for (uint32_t i = 0; i < MANY; i++) {
			struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + i)};
			assert_true(clients_enter(cs, (struct sockaddr *)&sa, 1, &c[i]));
			counted += c[i] != NULL;
		}
		assert_in_range(counted, CLIENTS_ROW_COUNT * CLIENTS_PER_ROW_COUNT * 9 / 10,
				CLIENTS_ROW_COUNT * CLIENTS_PER_ROW_COUNT);
		for (size_t i = 0; i < MANY; i++)
			clients_leave(c[i]);
	}
	for (size_t r = 0; r < CLIENTS_ROW_COUNT; r++)
		for (size_t i = 0; i < CLIENTS_PER_ROW_COUNT; i++)
			assert_int_equal(cs->rows[r][i].count, 0);
	free(c);
}

/* Half full, as with 8192 clients at once: few rows are full, whatever the addresses have in common. */
static void test_clients_rows_fill_evenly(void **state)
{
	(void)state;
	static const struct {
		int line;
		bool is_ipv6;
		unsigned shift; /* of the counter within the address or network */
	} cases[] = {
		{__LINE__, false, 0}, {__LINE__, false, 8}, {__LINE__, false, 16}, {__LINE__, true, 0},
		{__LINE__, true, 16}, {__LINE__, true, 32}, {__LINE__, true, 48},
	};
	for (size_t n = 0; n < COUNT(cases); n++) {
		memset(cs, 0, sizeof *cs);
		clients_init(cs);
		size_t uncounted = 0;
		for (uint64_t i = 0; i < CLIENTS_ROW_COUNT * CLIENTS_PER_ROW_COUNT / 2; i++) {
			struct sockaddr_storage sa = {0};
			uint64_t bits = htobe64((cases[n].is_ipv6 ? 0x2001 : 0) ^ i << cases[n].shift);
			struct client *c;
			sa.ss_family = cases[n].is_ipv6 ? AF_INET6 : AF_INET;
			if (cases[n].is_ipv6)
				memcpy(((struct sockaddr_in6 *)(void *)&sa)->sin6_addr.s6_addr, &bits, 8);
			else
				memcpy(&((struct sockaddr_in *)(void *)&sa)->sin_addr, (char *)&bits + 4, 4);
			assert_true(clients_enter(cs, (struct sockaddr *)&sa, 0, &c));
			uncounted += c == NULL;
		}
		if (uncounted > CLIENTS_ROW_COUNT * CLIENTS_PER_ROW_COUNT / 2 / 50)
			fail_msg("line %d: %zu", cases[n].line, uncounted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_clients_same_client_or_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clients_limit_counts_those_that_are_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clients_other_families_are_not_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clients_table_that_is_full_refuses_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clients_rows_fill_evenly, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}

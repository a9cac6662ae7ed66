#include "../../server/verify/lookup.h"

#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../server/verify/pace.h"
#include "unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES = 12, QUESTIONS = 20000, FEW_QUESTIONS = 2000, MESSAGE_BYTES = 1500 };
enum manner { TRUE_TEXT, SILENT, STRAY_FIRST, TRUNCATED, ONE_OF_TEN_LOST_AT_FIRST };

/* A resolver on loopback, in a thread: one text for every name, in one of these manners. */
static struct {
	int fd;
	enum manner manner;
	struct sockaddr_in address;
	pthread_t thread;
	size_t asked_count, most_at_once;
	char option[32];
} server;

static struct lookup *lookup;
static size_t told_count, found_count, none_count;
static char reason[200];

static size_t answer(unsigned char *m, size_t len)
{
	static const unsigned char record[] = "\xC0\x0C\0\x10\0\1\0\0\1\x2C\0\x0F\x0Ev=STSv1; id=1;";
	size_t end = HEADER_BYTES;
	while (end < len && m[end])
		end += 1u + m[end];
	end += 5;
	m[2] = 0x81, m[3] = 0x80;
	m[6] = 0, m[7] = 1, m[11] = 0;
	memcpy(m + end, record, sizeof record - 1);
	return end + sizeof record - 1;
}

static void reply_to(unsigned char *m, size_t len, const struct sockaddr_in *peer)
{
	size_t reply_len = answer(m, len);
	if (server.manner == STRAY_FIRST) { /* with an id that was not asked with */
		m[0] ^= 0x55;
		m[reply_len - 2] = '9';
		(void)sendto(server.fd, m, reply_len, 0, (const struct sockaddr *)peer, sizeof *peer);
		m[0] ^= 0x55;
		m[reply_len - 2] = '1';
	}
	if (server.manner == TRUNCATED)
		m[2] |= 0x02;
	bool is_lost = server.manner == SILENT || (server.manner == ONE_OF_TEN_LOST_AT_FIRST &&
						   server.asked_count <= FEW_QUESTIONS && server.asked_count % 10 == 0);
	if (!is_lost)
		(void)sendto(server.fd, m, reply_len, 0, (const struct sockaddr *)peer, sizeof *peer);
}

static void *serve(void *ctx)
{
	unsigned char m[MESSAGE_BYTES];
	struct sockaddr_in peer;
	socklen_t size = sizeof peer;
	(void)ctx;
	for (ssize_t len; (len = recvfrom(server.fd, m, 512, 0, (struct sockaddr *)&peer, &size)) > 1;
	     size = sizeof peer) {
		server.asked_count++;
		reply_to(m, (size_t)len, &peer);
	}
	return NULL;
}

static int set_up(void **state)
{
	socklen_t size = sizeof server.address;
	int room = 1 << 22;
	(void)state;
	memset(&server, 0, sizeof server);
	server.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	server.fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&server.address, size), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&server.address, &size), 0);
	assert_int_equal(setsockopt(server.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
	(void)snprintf(server.option, sizeof server.option, "127.0.0.1:%u", ntohs(server.address.sin_port));
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
	told_count = found_count = none_count = 0;
	reason[0] = '\0';
	return lookup_open(&lookup, server.option, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	lookup_close(lookup);
	lookup = NULL;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	(void)sendto(fd, "", 1, 0, (struct sockaddr *)&server.address, sizeof server.address);
	(void)pthread_join(server.thread, NULL);
	(void)close(fd);
	(void)close(server.fd);
	return 0;
}

static void on_reply(void *ctx, const struct reply *r)
{
	unsigned char *times = ctx;
	(*times)++;
	told_count++;
	found_count += r->kind == REPLY_FOUND && r->count == 1 && span_is(r->items[0], SPAN_LIT("v=STSv1; id=1;"));
	none_count += r->kind == REPLY_NONE;
	if (r->kind == REPLY_FAILED)
		(void)snprintf(reason, sizeof reason, "%s", r->reason);
}

static void ask(const char *name, unsigned char *times)
{
	assert_int_equal(lookup_ask(lookup, name, REPLY_TXT, on_reply, times, NULL), 0);
}

static void run_until_told(size_t count)
{
	while (told_count < count)
		assert_int_equal(lookup_run(lookup, NULL), 0);
}

static void ask_one(const char *name)
{
	unsigned char times = 0;
	ask(name, &times);
	run_until_told(1);
	assert_int_equal(times, 1);
}

static void ask_many(size_t count)
{
	static char names[QUESTIONS][50];
	static unsigned char times[QUESTIONS];
	memset(times, 0, sizeof times);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof names[i], "_mta-sts.domain%zu.example.", i);
		while (!lookup_has_room(lookup))
			assert_int_equal(lookup_run(lookup, NULL), 0);
		ask(names[i], &times[i]);
		size_t at_once = i + 1 - told_count;
		server.most_at_once = at_once > server.most_at_once ? at_once : server.most_at_once;
	}
	run_until_told(count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(times[i], 1);
}

static void test_lookup_many_are_each_told_once(void **state)
{
	(void)state;
	ask_many(QUESTIONS);
	assert_int_equal(found_count, QUESTIONS);
	assert_true(server.most_at_once <= PACE_MAX && server.most_at_once >= PACE_FIRST);
}

static void test_lookup_lost_ones_are_asked_again(void **state)
{
	(void)state;
	server.manner = ONE_OF_TEN_LOST_AT_FIRST;
	ask_many(FEW_QUESTIONS);
	assert_int_equal(found_count, FEW_QUESTIONS);
	assert_int_equal(server.asked_count, FEW_QUESTIONS + FEW_QUESTIONS / 10);
}

static void test_lookup_takes_no_stray_message(void **state)
{
	(void)state;
	server.manner = STRAY_FIRST;
	ask_one("_mta-sts.example.com.");
	assert_int_equal(found_count, 1);
}

static void test_lookup_truncated_without_tcp_is_not_known(void **state)
{
	(void)state;
	server.manner = TRUNCATED;
	ask_one("_mta-sts.example.com.");
	assert_string_equal(reason, "the answer is truncated, and not to be had over TCP");
}

static void test_lookup_names_that_cannot_be_asked_for_are_told(void **state)
{
	(void)state;
	char label[80], name[300] = "";
	memset(label, 'a', 64);
	(void)snprintf(label + 64, sizeof label - 64, ".example.");
	ask_one(label);
	assert_true(reason[0] != '\0' && found_count == 0);
	told_count = 0;
	for (size_t i = 0; i < 26; i++)
		memcpy(name + 10 * i, "abcdefghi.", 10);
	ask_one(name);
	assert_int_equal(found_count + none_count, 0);
	told_count = 0;
	ask_one("_mta-sts.example.onion."); /* RFC 7686 */
	assert_int_equal(none_count, 1);
	assert_int_equal(server.asked_count, 0);
}

static void test_lookup_silence_ends_all_and_all_later_ones(void **state)
{
	(void)state;
	server.manner = SILENT;
	unsigned char times[3] = {0};
	clock_set_fake(1000, 1780272000);
	ask("a.example.", &times[0]);
	ask("b.example.", &times[1]);
	assert_int_equal(lookup_run(lookup, NULL), 0);
	assert_int_equal(told_count, 0);
	clock_set_fake(1000 + LOOKUP_SILENCE_MAX_MS, 1780272030);
	run_until_told(2);
	assert_string_equal(reason, "no resolver answers");
	ask("c.example.", &times[2]);
	assert_int_equal(told_count, 3);
	assert_true(times[0] == 1 && times[1] == 1 && times[2] == 1);
}

static void test_lookup_closed_with_open_questions_tells_them(void **state)
{
	(void)state;
	server.manner = SILENT;
	unsigned char times[10] = {0};
	for (size_t i = 0; i < COUNT(times); i++)
		ask("a.example.", &times[i]);
	lookup_close(lookup);
	lookup = NULL;
	for (size_t i = 0; i < COUNT(times); i++)
		assert_int_equal(times[i], 1);
}

static void test_lookup_nobody_listening_is_told_at_once(void **state)
{
	(void)state;
	struct lookup *other = lookup;
	assert_int_equal(lookup_open(&lookup, "127.0.0.1:1", NULL), 0);
	ask_one("a.example.");
	assert_string_equal(reason, "no resolver can be reached");
	lookup_close(lookup);
	lookup = other;
}

static void test_lookup_close_takes_null(void **state)
{
	(void)state;
	lookup_close(NULL);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lookup_many_are_each_told_once),
		TEST(test_lookup_lost_ones_are_asked_again),
		TEST(test_lookup_takes_no_stray_message),
		TEST(test_lookup_truncated_without_tcp_is_not_known),
		TEST(test_lookup_names_that_cannot_be_asked_for_are_told),
		TEST(test_lookup_closed_with_open_questions_tells_them),
		TEST(test_lookup_nobody_listening_is_told_at_once),
		cmocka_unit_test(test_lookup_close_takes_null),
		TEST(test_lookup_silence_ends_all_and_all_later_ones), /* the clock stays as it is set */
	};
	return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}

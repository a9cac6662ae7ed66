/* Connections on a loop of their own, with limits short enough to reach. What TLS says is test_session's
 * affair. */
#include "../../base/clock.h"
#include "../../base/metric.h"
#include "../../server/worker/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

/* A ClientHello without a name: answered without any look into the store. */
static const char hello[] = "\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x03"
			    "01234567890123456789012345678901\0\0\x02\x13\x01\x01\0\0\0";
static const char alert[] = "\x15\x03\x03\0\x02\x02\x70";

static const struct limits short_limits = {
	.handshake_timeout_ms = 30,
	.request_timeout_ms = 30,
	.write_timeout_ms = 30,
	.linger_timeout_ms = 30,
	.linger_max_bytes = 1000,
	.drain_timeout_ms = 100,
	.drain_idle_ms = 10,
	.connections = 3,
	.connections_per_client = 2,
	.handshakes = 2,
	.hello_max_bytes = 1024,
	.head_max_bytes = 16384,
};

static uv_loop_t loop;
static struct conn_env *env;

static void set_up(const struct limits *limits)
{
	assert_int_equal(uv_loop_init(&loop), 0);
	env = calloc(1, sizeof *env);
	assert_non_null(env);
	conn_env_init(env, &loop, NULL, NULL, limits);
}

/* tear_down: by now all connections are closed: nothing is left for the loop to wait for. */
static void tear_down(void)
{
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(crowd_count(&env->crowd), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	conn_env_deinit(env);
	free(env);
}

static uint64_t count(enum metric m)
{
	return metric_mine()->value[m];
}

static int client_from(const struct sockaddr *peer)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	conn_accept(env, fds[0], peer);
	return fds[1];
}

/* client: the other end of a connection that was just accepted. */
static int client(void)
{
	const struct sockaddr_un nobody = {.sun_family = AF_UNIX};
	return client_from((const struct sockaddr *)&nobody);
}

static bool is_closed(int fd)
{
	char c;
	return recv(fd, &c, 1, MSG_PEEK) == 0;
}

static void say(int fd, const char *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* hear: lets the loop run until something can be read: its length, 0 at the end. */
static ssize_t hear(int fd, char *into, size_t cap)
{
	for (int turns = 0; turns < 1000000; turns++) {
		ssize_t n = recv(fd, into, cap, 0);
		if (n >= 0 || errno != EAGAIN)
			return n;
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	fail_msg("nothing to be heard");
	return -1;
}

static void check_alert_and_end(int fd)
{
	char got[100];
	assert_int_equal(hear(fd, got, sizeof got), sizeof alert - 1);
	assert_memory_equal(got, alert, sizeof alert - 1);
	assert_int_equal(hear(fd, got, sizeof got), 0); /* our side is closed, the client's is not yet */
}

static void test_conn_silent_client_is_closed(void **state) /* A-H19 */
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_HANDSHAKE_TIMEOUT);
	char got[10];
	int fd = client();
	assert_int_equal(hear(fd, got, sizeof got), 0);
	assert_true(count(M_CLOSE_HANDSHAKE_TIMEOUT) == before + 1);
	(void)close(fd);
	tear_down();
}

static void test_conn_drop_by_drop_gains_no_time(void **state) /* A-H19 */
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_HANDSHAKE_TIMEOUT), began = uv_hrtime();
	int fd = client();
	for (size_t i = 0; send(fd, &hello[i % 40], 1, MSG_NOSIGNAL) == 1; i++) {
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		(void)usleep(1000);
	}
	assert_true(uv_hrtime() - began < 1000000000);
	assert_true(count(M_CLOSE_HANDSHAKE_TIMEOUT) == before + 1);
	(void)close(fd);
	tear_down();
}

static void test_conn_answer_is_followed_by_lingering(void **state)
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_NO_NAME);
	int fd = client();
	say(fd, hello, sizeof hello - 1);
	check_alert_and_end(fd);
	say(fd, "more", 4); /* RFC 9112 9.6: is read, so that it does not destroy the answer */
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(crowd_count(&env->crowd), 1);
	assert_true(count(M_CLOSE_NO_NAME) == before);
	(void)close(fd);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(count(M_CLOSE_NO_NAME) == before + 1);
	tear_down();
}

static void test_conn_lingering_ends_by_itself(void **state)
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_NO_NAME);
	int fd = client();
	say(fd, hello, sizeof hello - 1);
	check_alert_and_end(fd);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(count(M_CLOSE_NO_NAME) == before + 1);
	(void)close(fd);
	tear_down();
}

static void test_conn_lingering_drops_so_much_and_no_more(void **state)
{
	(void)state;
	struct limits limits = short_limits;
	limits.linger_timeout_ms = 60000;
	set_up(&limits);
	int fd = client();
	char much[1001] = {0};
	say(fd, hello, sizeof hello - 1);
	check_alert_and_end(fd);
	say(fd, much, 1000);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(crowd_count(&env->crowd), 1);
	say(fd, much, 1);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(crowd_count(&env->crowd), 0);
	(void)close(fd);
	tear_down();
}

static void test_conn_plain_text_is_cut_off(void **state) /* A-H16 */
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_NOT_TLS);
	int fd = client();
	char got[10];
	say(fd, "GET /", 5);
	assert_int_equal(hear(fd, got, sizeof got), 0);
	assert_true(count(M_CLOSE_NOT_TLS) == before + 1);
	(void)close(fd);
	tear_down();
}

static void test_conn_client_that_goes_is_counted(void **state)
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_PEER), open = count(M_CONNECTIONS_OPEN);
	int fd = client();
	assert_true(count(M_CONNECTIONS_OPEN) == open + 1);
	(void)close(fd);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(count(M_CLOSE_PEER) == before + 1);
	assert_true(count(M_CONNECTIONS_OPEN) == open);
	tear_down();
}

static void close_clients(const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		(void)close(fds[i]);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	tear_down();
}

static void set_up_without_hurry(void)
{
	struct limits limits = short_limits;
	limits.handshake_timeout_ms = limits.linger_timeout_ms = 60000;
	set_up(&limits);
}

/* pass: lets so much time go by. */
static void pass(uint64_t ms)
{
	uint64_t end = uv_hrtime() + ms * 1000000;
	do
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	while (uv_hrtime() < end);
	uv_update_time(&loop);
}

static void test_conn_newest_idle_one_makes_room(void **state)
{
	(void)state;
	set_up_without_hurry();
	uint64_t before = count(M_CLOSE_CROWDED);
	int fd[7];
	for (int i = 0; i < 5; i++)
		fd[i] = client();
	assert_true(is_closed(fd[2]) && is_closed(fd[3])); /* all are fresh */
	assert_false(is_closed(fd[0]) || is_closed(fd[1]) || is_closed(fd[4]));
	pass(510);
	fd[5] = client();
	assert_true(is_closed(fd[4]));
	fd[6] = client(); /* 5 may have something to say */
	assert_true(is_closed(fd[1]));
	assert_false(is_closed(fd[0]) || is_closed(fd[5]) || is_closed(fd[6]));
	assert_int_equal(crowd_count(&env->crowd), 3);
	assert_true(count(M_CLOSE_CROWDED) == before + 4);
	close_clients(fd, 7);
}

static void test_conn_who_has_spoken_is_not_idle(void **state)
{
	(void)state;
	set_up_without_hurry();
	int fd[6];
	for (int i = 0; i < 3; i++)
		fd[i] = client();
	pass(510);
	say(fd[1], hello, 5);
	(void)uv_run(&loop, UV_RUN_NOWAIT); /* this one was heard */
	say(fd[2], hello, 5);               /* this one not yet */
	fd[3] = client();
	assert_true(is_closed(fd[0]));
	assert_false(is_closed(fd[1]) || is_closed(fd[2]));
	say(fd[3], hello, 5);
	fd[4] = client(); /* none is idle: the one that has waited longest goes */
	assert_true(is_closed(fd[1]));
	say(fd[2], hello + 5, sizeof hello - 1 - 5);
	check_alert_and_end(fd[2]); /* lingers from now on: goes before those that are not answered yet */
	say(fd[4], hello, 5);
	fd[5] = client();
	assert_int_equal(crowd_count(&env->crowd), 3);
	assert_int_equal(env->crowd.count[CROWD_LINGERING], 0);
	assert_false(is_closed(fd[3]) || is_closed(fd[4]) || is_closed(fd[5]));
	close_clients(fd, 6);
}

static struct sockaddr_in ipv4(uint32_t address)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
}

static void test_conn_client_has_its_limit(void **state)
{
	(void)state;
	set_up_without_hurry();
	uint64_t before = count(M_CLOSE_CLIENT_LIMIT), crowded = count(M_CLOSE_CROWDED);
	struct sockaddr_in one = ipv4(0xc0000201), other = ipv4(0xc0000202);
	int fd[6];
	for (int i = 0; i < 3; i++)
		fd[i] = client_from((struct sockaddr *)&one);
	assert_true(is_closed(fd[2]));
	assert_false(is_closed(fd[0]) || is_closed(fd[1]));
	assert_true(count(M_CLOSE_CLIENT_LIMIT) == before + 1);
	assert_true(count(M_CLOSE_CROWDED) == crowded); /* nobody goes for one that may not come */
	fd[3] = client_from((struct sockaddr *)&other);
	assert_false(is_closed(fd[3]));
	(void)close(fd[0]);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	fd[0] = client_from((struct sockaddr *)&one); /* a place is free again */
	assert_false(is_closed(fd[0]));
	fd[4] = client_from((struct sockaddr *)&one);
	assert_true(is_closed(fd[4]));
	struct limits none = short_limits;
	none.connections_per_client = 0;
	none.connections = 100;
	conn_set_limits(env, &none);
	fd[5] = client_from((struct sockaddr *)&one);
	assert_false(is_closed(fd[5]));
	close_clients(fd, 6);
}

/* finish_with: the client has its answer, and closes: nobody has looked yet. */
static int finish_with(int fd)
{
	say(fd, hello, sizeof hello - 1);
	check_alert_and_end(fd);
	return close(fd);
}

static void test_conn_who_has_closed_is_not_in_the_way(void **state)
{
	(void)state;
	set_up_without_hurry();
	uint64_t answered = count(M_CLOSE_NO_NAME), crowded = count(M_CLOSE_CROWDED);
	struct sockaddr_in one = ipv4(0xc0000201);
	struct sockaddr *peer = (struct sockaddr *)&one;
	assert_int_equal(finish_with(client_from(peer)) | finish_with(client_from(peer)), 0);
	assert_int_equal(env->crowd.count[CROWD_LINGERING], 2);
	int fd[4] = {client_from(peer), client()}; /* the first two count for the client no more */
	assert_false(is_closed(fd[0]) || is_closed(fd[1]));
	assert_int_equal(env->crowd.count[CROWD_LINGERING], 0);
	assert_int_equal(finish_with(client_from(peer)), 0);
	fd[2] = client_from(peer); /* nor does one that closed a moment later; nor for the crowd, which was full */
	assert_false(is_closed(fd[0]) || is_closed(fd[1]) || is_closed(fd[2]));
	assert_int_equal(crowd_count(&env->crowd), 3);
	assert_true(count(M_CLOSE_NO_NAME) == answered + 3);
	assert_true(count(M_CLOSE_CROWDED) == crowded);
	close_clients(fd, 3);
}

static void test_conn_hello_without_end_is_refused(void **state)
{
	(void)state;
	set_up_without_hurry();
	uint64_t before = count(M_CLOSE_BAD_HELLO);
	char endless[1024] = "\x16\x03\x01\x3f\xff\x01\0\x3f\xfb\x03\x03", got[10];
	int fd = client();
	say(fd, endless, sizeof endless - 1);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_false(is_closed(fd));
	assert_int_equal(recv(fd, got, sizeof got, 0), -1);
	say(fd, endless + 1023, 1);
	assert_int_equal(hear(fd, got, sizeof got), 7);
	assert_memory_equal(got, "\x15\x03\x03\0\x02\x02\x2f", 7); /* illegal_parameter */
	assert_int_equal(hear(fd, got, sizeof got), 0);
	(void)close(fd);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(count(M_CLOSE_BAD_HELLO) == before + 1);
	tear_down();
}

static void test_conn_stop_lets_the_silent_go_first(void **state) /* A-L9 */
{
	(void)state;
	struct limits limits = short_limits;
	limits.handshake_timeout_ms = 60000;
	set_up(&limits);
	uint64_t before = count(M_CLOSE_STOPPING);
	char got[10];
	int silent = client(), talking = client();
	say(talking, hello, 20);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	conn_stop_all(env);
	assert_int_equal(hear(silent, got, sizeof got), 0);
	assert_true(count(M_CLOSE_STOPPING) == before + 1);
	assert_int_equal(crowd_count(&env->crowd), 1);
	say(talking, hello + 20, sizeof hello - 1 - 20); /* and is answered as ever */
	check_alert_and_end(talking);
	conn_close_all(env);
	(void)close(silent);
	(void)close(talking);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	tear_down();
}

static void test_conn_close_all_leaves_none(void **state)
{
	(void)state;
	set_up(&short_limits);
	uint64_t before = count(M_CLOSE_STOPPING);
	int fd[3];
	for (int i = 0; i < 3; i++)
		fd[i] = client();
	conn_close_all(env);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(count(M_CLOSE_STOPPING) == before + 3);
	for (int i = 0; i < 3; i++)
		(void)close(fd[i]);
	tear_down();
}

static void test_conn_close_all_leaves_answers_whole(void **state)
{
	(void)state;
	set_up_without_hurry();
	char got[10];
	int fd = client();
	say(fd, hello, sizeof hello - 1);
	check_alert_and_end(fd);
	say(fd, "more", 4); /* unread it would make the close a reset */
	conn_close_all(env);
	assert_int_equal(recv(fd, got, sizeof got, 0), 0);
	(void)close(fd);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	tear_down();
}

/* The last test: time stands still from here on. */
static void test_conn_idle_one_stays_where_a_lingering_one_of_many_has_closed(void **state)
{
	(void)state;
	enum { MANY = 129 }; /* as many as are not looked at all at once, more than once in a millisecond */
	struct limits limits = short_limits;
	limits.handshake_timeout_ms = limits.linger_timeout_ms = 60000;
	limits.connections = MANY + 1;
	set_up(&limits);
	uint64_t crowded = count(M_CLOSE_CROWDED);
	int fd[MANY + 2];
	clock_set_fake(1000, 0);
	for (int i = 0; i < MANY; i++) {
		fd[i] = client();
		say(fd[i], hello, sizeof hello - 1);
		check_alert_and_end(fd[i]);
	}
	fd[MANY] = client();
	clock_set_fake(2000, 0);
	env->looked_ms = clock_mono_ms();
	(void)close(fd[0]);
	fd[0] = client();
	assert_false(is_closed(fd[0]) || is_closed(fd[MANY]));
	say(fd[1], "more", 4);
	say(fd[0], hello, 5), say(fd[MANY], hello, 5);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_true(count(M_CLOSE_CROWDED) == crowded);
	fd[MANY + 1] = client(); /* nobody has closed, nobody is silent: the oldest that has its answer goes */
	assert_false(is_closed(fd[0]) || is_closed(fd[MANY]) || is_closed(fd[MANY + 1]));
	assert_true(is_closed(fd[1]));
	assert_true(count(M_CLOSE_CROWDED) == crowded);
	assert_int_equal(env->crowd.count[CROWD_LINGERING], MANY - 2);
	close_clients(fd, MANY + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conn_silent_client_is_closed),
		cmocka_unit_test(test_conn_drop_by_drop_gains_no_time),
		cmocka_unit_test(test_conn_answer_is_followed_by_lingering),
		cmocka_unit_test(test_conn_lingering_ends_by_itself),
		cmocka_unit_test(test_conn_lingering_drops_so_much_and_no_more),
		cmocka_unit_test(test_conn_plain_text_is_cut_off),
		cmocka_unit_test(test_conn_client_that_goes_is_counted),
		cmocka_unit_test(test_conn_newest_idle_one_makes_room),
		cmocka_unit_test(test_conn_who_has_spoken_is_not_idle),
		cmocka_unit_test(test_conn_client_has_its_limit),
		cmocka_unit_test(test_conn_who_has_closed_is_not_in_the_way),
		cmocka_unit_test(test_conn_hello_without_end_is_refused),
		cmocka_unit_test(test_conn_stop_lets_the_silent_go_first),
		cmocka_unit_test(test_conn_close_all_leaves_none),
		cmocka_unit_test(test_conn_close_all_leaves_answers_whole),
		cmocka_unit_test(test_conn_idle_one_stays_where_a_lingering_one_of_many_has_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

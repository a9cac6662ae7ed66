#include "../../server/worker/wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LARGE = 1 << 20 }; /* more than any socket takes at once */

static struct {
	uv_loop_t loop;
	struct wire wire;
	char read_bytes[1000];
	char *large;
	int fd; /* the other end */
	size_t got_bytes;
	int ends, errors, written, failed, deadlines, gone;
} t;

static void on_bytes(struct wire *w, struct span bytes)
{
	assert_ptr_equal(w, &t.wire);
	assert_ptr_equal(bytes.p, t.read_bytes);
	t.got_bytes += bytes.len;
}

static void on_end(struct wire *w, bool is_error)
{
	t.ends++;
	t.errors += is_error;
	wire_close(w);
}

static void on_written(struct wire *w, bool is_ok)
{
	(void)w;
	t.written += is_ok;
	t.failed += !is_ok;
}

static void on_deadline(struct wire *w)
{
	(void)w;
	t.deadlines++;
}

static void on_gone(struct wire *w)
{
	(void)w;
	t.gone++;
}

static const struct wire_events events = {on_bytes, on_end, on_written, on_deadline, on_gone};

static int set_up(void **state)
{
	(void)state;
	int fds[2];
	memset(&t, 0, sizeof t);
	assert_int_equal(uv_loop_init(&t.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	t.fd = fds[1];
	t.large = malloc(LARGE);
	assert_non_null(t.large);
	for (size_t i = 0; i < LARGE; i++)
		t.large[i] = (char)(i % 251);
	uv_buf_t read_into = uv_buf_init(t.read_bytes, sizeof t.read_bytes);
	assert_true(wire_open(&t.wire, &t.loop, fds[0], &events, read_into));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!t.wire.is_closing)
		wire_close(&t.wire);
	(void)close(t.fd);
	(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(t.gone, 1);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	free(t.large);
	return 0;
}

static void turn(void)
{
	(void)uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void test_wire_reads_whatever_comes(void **state)
{
	(void)state;
	assert_int_equal(send(t.fd, t.large, 2500, 0), 2500);
	turn();
	turn();
	turn();
	assert_int_equal(t.got_bytes, 2500);
	assert_int_equal(shutdown(t.fd, SHUT_WR), 0);
	turn();
	assert_int_equal(t.ends, 1);
	assert_int_equal(t.errors, 0);
}

static void test_wire_short_write_is_done_at_once(void **state)
{
	(void)state;
	char got[4];
	assert_int_equal(wire_write(&t.wire, SPAN_LIT("abc"), false), WIRE_DONE);
	assert_int_equal(recv(t.fd, got, sizeof got, 0), 3);
	assert_false(wire_is_pending(&t.wire));
	turn();
	assert_int_equal(t.written, 0); /* nobody is told what he knows already */
}

static void test_wire_long_write_arrives_whole(void **state)
{
	(void)state;
	static char got[LARGE];
	size_t n = 0;
	char *lent = malloc(LARGE);
	assert_non_null(lent);
	memcpy(lent, t.large, LARGE);
	assert_int_equal(wire_write(&t.wire, (struct span){lent, LARGE}, false), WIRE_PENDING);
	free(lent); /* the wire has a copy of what is left */
	assert_true(wire_is_pending(&t.wire));
	assert_int_equal(send(t.fd, "x", 1, 0), 1);
	turn();
	assert_int_equal(t.got_bytes, 0); /* nothing is read meanwhile */
	for (int turns = 0; n < LARGE && turns < 100000; turns++) {
		ssize_t len = recv(t.fd, got + n, sizeof got - n, 0);
		if (len > 0)
			n += (size_t)len;
		turn();
	}
	assert_int_equal(n, LARGE);
	assert_memory_equal(got, t.large, LARGE);
	turn();
	assert_int_equal(t.written, 1);
	assert_int_equal(t.got_bytes, 1); /* and it goes on */
	assert_true(wire_half_close(&t.wire));
	assert_int_equal(recv(t.fd, got, sizeof got, 0), 0);
}

static void test_wire_write_to_one_who_left_fails(void **state)
{
	(void)state;
	assert_int_equal(wire_write(&t.wire, (struct span){t.large, LARGE}, false), WIRE_PENDING);
	(void)shutdown(t.fd, SHUT_RDWR);
	turn();
	turn();
	assert_int_equal(t.failed, 1);
	assert_int_equal(wire_write(&t.wire, SPAN_LIT("abc"), false), WIRE_FAILED);
	assert_false(wire_is_pending(&t.wire));
}

static void test_wire_closed_while_writing_frees_all(void **state)
{
	(void)state;
	assert_int_equal(wire_write(&t.wire, (struct span){t.large, LARGE}, false), WIRE_PENDING);
	wire_close(&t.wire);
	turn();
	assert_int_equal(t.written + t.failed, 0);
	assert_int_equal(t.gone, 1);
}

/* wakes: would the loop, with nothing but descriptors to wait for? */
static bool wakes(void)
{
	struct pollfd p = {.fd = uv_backend_fd(&t.loop), .events = POLLIN};
	return poll(&p, 1, 0) != 0;
}

static void test_wire_half_closed_hears_of_the_end_later(void **state)
{
	(void)state;
	turn();
	assert_true(wire_half_close(&t.wire));
	wire_start_deadline(&t.wire, 60000);
	assert_int_equal(send(t.fd, "abc", 3, 0), 3);
	assert_int_equal(shutdown(t.fd, SHUT_WR), 0);
	turn();
	assert_false(wakes());
	assert_int_equal(t.got_bytes + t.ends, 0);
	(void)uv_run(&t.loop, UV_RUN_DEFAULT); /* the timer holds it */
	assert_int_equal(t.got_bytes, 3);
	assert_int_equal(t.ends, 1);
	assert_int_equal(t.errors + t.deadlines, 0);
}

static void test_wire_half_closed_is_looked_at_again_and_again(void **state)
{
	(void)state;
	assert_true(wire_half_close(&t.wire));
	wire_start_deadline(&t.wire, 60000);
	for (size_t i = 1; i <= 3; i++) {
		assert_int_equal(send(t.fd, "a", 1, 0), 1);
		for (int turns = 0; t.got_bytes < i && turns < 100; turns++)
			(void)uv_run(&t.loop, UV_RUN_ONCE);
		assert_int_equal(t.got_bytes, i);
	}
	assert_int_equal(t.ends + t.deadlines, 0);
}

static void test_wire_half_closed_is_looked_at_when_asked(void **state)
{
	(void)state;
	assert_true(wire_half_close(&t.wire));
	wire_start_deadline(&t.wire, 60000);
	wire_look(&t.wire);
	assert_int_equal(t.ends, 0);
	assert_int_equal(send(t.fd, t.large, 2500, 0), 2500);
	wire_look(&t.wire);
	assert_int_equal(t.got_bytes, 2500);
	assert_int_equal(shutdown(t.fd, SHUT_WR), 0);
	wire_look(&t.wire);
	assert_int_equal(t.ends, 1);
}

static void test_wire_half_closed_keeps_its_deadline(void **state)
{
	(void)state;
	assert_true(wire_half_close(&t.wire));
	uv_update_time(&t.loop);
	uint64_t began = uv_hrtime();
	wire_start_deadline(&t.wire, 10); /* sooner than any look */
	while (t.deadlines == 0)
		(void)uv_run(&t.loop, UV_RUN_ONCE);
	assert_true(uv_hrtime() - began >= 9000000);
	wire_start_deadline(&t.wire, 320); /* later than the first looks */
	began = uv_hrtime();
	while (t.deadlines == 1)
		(void)uv_run(&t.loop, UV_RUN_ONCE);
	assert_true(uv_hrtime() - began >= 310000000);
}

/* connect_by_tcp: instead of the pair of sockets that set_up made. */
static void connect_by_tcp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, len) | listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	wire_close(&t.wire);
	(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	(void)close(t.fd);
	t.gone = 0;
	t.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(t.fd, (struct sockaddr *)&a, len), 0);
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0); /* as listener.c */
	(void)close(listener);
	assert_true(wire_open(&t.wire, &t.loop, fd, &events, uv_buf_init(t.read_bytes, sizeof t.read_bytes)));
}

static void test_wire_last_write_waits_for_the_half_close(void **state)
{
	(void)state;
	char got[10];
	connect_by_tcp();
	assert_int_equal(wire_write(&t.wire, SPAN_LIT("abc"), false), WIRE_DONE);
	assert_int_equal(recv(t.fd, got, sizeof got, MSG_DONTWAIT), 3);
	assert_int_equal(wire_write(&t.wire, SPAN_LIT("defg"), true), WIRE_DONE);
	assert_int_equal(recv(t.fd, got, sizeof got, MSG_DONTWAIT), -1);
	assert_true(wire_half_close(&t.wire));
	assert_int_equal(recv(t.fd, got, sizeof got, MSG_DONTWAIT), 4);
	assert_int_equal(recv(t.fd, got, sizeof got, MSG_DONTWAIT), 0);
}

static void test_wire_has_one_deadline(void **state)
{
	(void)state;
	wire_start_deadline(&t.wire, 1000000);
	wire_start_deadline(&t.wire, 1);
	for (int turns = 0; t.deadlines == 0 && turns < 1000000; turns++)
		turn();
	assert_int_equal(t.deadlines, 1);
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as worker_run does */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wire_reads_whatever_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_short_write_is_done_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_long_write_arrives_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_write_to_one_who_left_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_closed_while_writing_frees_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_half_closed_hears_of_the_end_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_half_closed_is_looked_at_again_and_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_half_closed_is_looked_at_when_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_half_closed_keeps_its_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_last_write_waits_for_the_half_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_has_one_deadline, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../../server/worker/wire.h"

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
	assert_int_equal(wire_write(&t.wire, SPAN_LIT("abc")), WIRE_DONE);
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
	assert_int_equal(wire_write(&t.wire, (struct span){lent, LARGE}), WIRE_PENDING);
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
	assert_int_equal(wire_write(&t.wire, (struct span){t.large, LARGE}), WIRE_PENDING);
	(void)shutdown(t.fd, SHUT_RDWR);
	turn();
	turn();
	assert_int_equal(t.failed, 1);
	assert_int_equal(wire_write(&t.wire, SPAN_LIT("abc")), WIRE_FAILED);
	assert_false(wire_is_pending(&t.wire));
}

static void test_wire_closed_while_writing_frees_all(void **state)
{
	(void)state;
	assert_int_equal(wire_write(&t.wire, (struct span){t.large, LARGE}), WIRE_PENDING);
	wire_close(&t.wire);
	turn();
	assert_int_equal(t.written + t.failed, 0);
	assert_int_equal(t.gone, 1);
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
		cmocka_unit_test_setup_teardown(test_wire_has_one_deadline, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

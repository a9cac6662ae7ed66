/* A worker's half: opens its view of the store, listens, and answers. The client is ours and never fails.
 *
 * Whatever went wrong with one client, the next one is answered by the same worker. */
#include "../../base/clock.h"
#include "../../base/file.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/pem.h"
#include "../../certs/selfca.h"
#include "../../config/settings_table.h"
#include "../../server/worker/conn.h"
#include "../../server/worker/listener.h"
#include "../../server/worker/tls.h"
#include "../../server/worker/view.h"
#include "failing.h"
#include "fault.h"
#include "stores.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOST "mta-sts.example.com"
#define GET "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: " HOST "\r\n\r\n"
#define POLICY "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"

enum { NOW_UNIX_S = 1780272000 };

/* --- what is served --- */

static void put_domain(void)
{
	struct err err;
	struct db_txn *txn;
	struct domain_row row = {.mode = POLICY_ENFORCE, .max_age_s = 604800, .id = "1"};
	struct buf stored;
	sha256_of(SPAN_LIT(POLICY), row.body);
	buf_init(&stored, 4096);
	fault_must(domains_encode(&row, &stored), &err);
	fault_must(db_begin_write(store, &txn, &err), &err);
	fault_must(bodies_take(txn, row.body, SPAN_LIT(POLICY), &err), &err);
	fault_must(db_put(txn, DB_DOMAINS, SPAN_LIT("example.com"), buf_span(&stored), &err), &err);
	fault_must(db_commit(txn, &err), &err);
	buf_deinit(&stored);
}

static void put_pair(void)
{
	const struct span name = SPAN_LIT(HOST);
	struct err err;
	struct db_txn *txn;
	struct pem_file file;
	struct selfca *ca;
	struct buf pem;
	bool is_new;
	buf_init(&pem, 65536);
	fault_must(selfca_new(&ca, NOW_UNIX_S, &err), &err);
	fault_must(selfca_issue(ca, &name, 1, NOW_UNIX_S, &pem, &err), &err);
	fault_must(pem_parse(buf_span(&pem), &file, &err), &err);
	fault_must(db_begin_write(keyring, &txn, &err), &err);
	fault_must(keyring_put(txn, &file.keys[0], KEYRING_IMPORTED, &err), &err);
	fault_must(db_commit(txn, &err), &err);
	fault_must(db_begin_write(store, &txn, &err), &err);
	fault_must(pairs_put(txn, &file.chains[0], SPAN_LIT("test"), &is_new, &err), &err);
	fault_must(db_commit(txn, &err), &err);
	pem_deinit(&file);
	buf_deinit(&pem);
	selfca_free(ca);
}

static void prepare(void)
{
	struct err err;
	clock_set_fake(1000, NOW_UNIX_S);
	fault_must(mbed_start(&err), &err);
	stores_open();
	put_domain();
	put_pair();
	stores_close();
}

/* --- the worker --- */

static struct server {
	uv_loop_t loop;
	bool has_loop;
	int listen_fd;
	struct sockaddr_in address;
	struct view view;
	struct tls_config *tls;
	struct listeners listeners;
	struct limits limits;
	struct conn_env conns;
} server;

static struct buf answer; /* of the last act */
static bool is_calm;      /* nothing fails any more */

static void on_accept(void *ctx, int take_fd, const struct sockaddr *peer)
{
	(void)ctx;
	conn_accept(&server.conns, take_fd, peer);
}

static int start(struct err *err)
{
	int rc = view_open(&server.view, fault_dir, err);
	if (rc == 0)
		rc = tls_config_new(&server.tls, err);
	if (rc == 0 && uv_loop_init(&server.loop) != 0)
		rc = err_set(err, ERR_NOMEM, "event loop");
	if (rc)
		return rc;
	server.has_loop = true;
	int fd = fcntl(server.listen_fd, F_DUPFD_CLOEXEC, 3); /* listeners_close closes it */
	if (fd < 0)
		fault_fail("no descriptor");
	conn_env_init(&server.conns, &server.loop, &server.view, server.tls, &server.limits);
	server.listeners.accepts_per_turn = server.limits.accepts_per_turn;
	return listeners_open(&server.listeners, &server.loop, fd, 1, on_accept, NULL, err);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void stop(void)
{
	if (server.has_loop) {
		listeners_close(&server.listeners);
		conn_close_all(&server.conns);
		(void)uv_run(&server.loop, UV_RUN_DEFAULT);
		uv_walk(&server.loop, close_handle, NULL);
		(void)uv_run(&server.loop, UV_RUN_DEFAULT);
		if (uv_loop_close(&server.loop) != 0)
			fault_fail("a handle is left in the loop");
		conn_env_deinit(&server.conns);
	}
	tls_config_free(server.tls);
	view_close(&server.view);
	server.tls = NULL;
	server.has_loop = false;
	memset(&server.listeners, 0, sizeof server.listeners);
	memset(&server.view, 0, sizeof server.view);
}

static void turn(void)
{
	const struct timespec moment = {.tv_nsec = 200000};
	failing_pause(is_calm);
	(void)uv_run(&server.loop, UV_RUN_NOWAIT);
	failing_pause(true);
	(void)nanosleep(&moment, NULL);
}

/* --- the client --- */

static int client_send(void *ctx, const unsigned char *p, size_t len)
{
	ssize_t n = send(*(int *)ctx, p, len, MSG_NOSIGNAL);
	return n >= 0 ? (int)n : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int client_recv(void *ctx, unsigned char *p, size_t cap)
{
	ssize_t n = recv(*(int *)ctx, p, cap, 0);
	if (n > 0)
		return (int)n;
	return n < 0 && errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static bool is_waiting(int rc)
{
	return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE ||
	       rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

/* The whole exchange: 0, or the library's word on why not. */
static int converse(mbedtls_ssl_context *ssl, struct buf *out)
{
	unsigned char bytes[4096];
	int rc;
	while (is_waiting(rc = mbedtls_ssl_handshake(ssl)))
		turn();
	if (rc == 0)
		while (is_waiting(rc = mbedtls_ssl_write(ssl, (const unsigned char *)GET, sizeof GET - 1)))
			turn();
	if (rc < 0)
		return rc;
	for (;;) {
		rc = mbedtls_ssl_read(ssl, bytes, sizeof bytes);
		if (rc > 0)
			(void)buf_add(out, bytes, (size_t)rc);
		else if (is_waiting(rc))
			turn();
		else
			return rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : rc;
	}
}

static int ask(mbedtls_ssl_protocol_version version, struct buf *out)
{
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&server.address, sizeof server.address) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		fault_fail("the client cannot connect: errno %d", errno);
	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&conf);
	if (mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		fault_fail("the client cannot be set up");
	mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_rng(&conf, mbed_random, NULL);
	mbedtls_ssl_conf_min_tls_version(&conf, version);
	mbedtls_ssl_conf_max_tls_version(&conf, version);
	if (mbedtls_ssl_setup(&ssl, &conf) != 0 || mbedtls_ssl_set_hostname(&ssl, HOST) != 0)
		fault_fail("the client cannot be set up");
	mbedtls_ssl_set_bio(&ssl, &fd, client_send, client_recv, NULL);
	int rc = converse(&ssl, out);
	mbedtls_ssl_free(&ssl);
	mbedtls_ssl_config_free(&conf);
	(void)close(fd);
	while (crowd_count(&server.conns.crowd))
		turn();
	return rc;
}

static bool has_policy(struct buf *got)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n";
	return got->len > sizeof head && memcmp(got->p, head, sizeof head - 1) == 0 &&
	       strstr(buf_text(got), "\r\n\r\n" POLICY);
}

static void ask_again(mbedtls_ssl_protocol_version version)
{
	struct buf got;
	buf_init(&got, 65536);
	is_calm = true;
	int rc = ask(version, &got);
	if (rc || !has_policy(&got))
		fault_fail("the next client gets no policy: -0x%x, %zu bytes", (unsigned)-rc, got.len);
	is_calm = false;
	buf_deinit(&got);
}

static int serve(mbedtls_ssl_protocol_version version, struct err *err)
{
	buf_reset(&answer);
	int rc = start(err);
	failing_pause(true);
	if (rc == 0) {
		int tls_rc = ask(version, &answer);
		bool is_answered = tls_rc == 0 && has_policy(&answer);
		/* refused in order, or cut off */
		if (!is_answered)
			rc = err_set(err, ERR_IO, "the client got -0x%x and %zu bytes", (unsigned)-tls_rc, answer.len);
		if (failing_where())
			ask_again(version);
	}
	if (rc)
		buf_reset(&answer);
	stop();
	failing_pause(false);
	return rc;
}

static int serve_tls12(struct err *err)
{
	return serve(MBEDTLS_SSL_VERSION_TLS1_2, err);
}

static int serve_tls13(struct err *err)
{
	return serve(MBEDTLS_SSL_VERSION_TLS1_3, err);
}

static void open_socket(void)
{
	struct err err;
	struct settings settings;
	socklen_t len = sizeof server.address;
	clock_set_fake(1000, NOW_UNIX_S);
	fault_must(mbed_start(&err), &err);
	buf_init(&answer, 65536);
	if (settings_init(&settings) != 0)
		fault_fail("no settings");
	limits_share(&settings, 1, 1000, &server.limits);
	server.limits.linger_timeout_ms = 5; /* hundreds of times it is waited for */
	settings_deinit(&settings);
	/* what libuv does once in a process: it aborts where there is no pipe for its signals */
	if (uv_loop_init(&server.loop) != 0 || uv_loop_close(&server.loop) != 0)
		fault_fail("no loop");
	server.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	server.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server.listen_fd < 0 || bind(server.listen_fd, (struct sockaddr *)&server.address, len) != 0 ||
	    listen(server.listen_fd, 16) != 0 ||
	    getsockname(server.listen_fd, (struct sockaddr *)&server.address, &len) != 0)
		fault_fail("no socket to listen on");
}

static void close_socket(void)
{
	(void)close(server.listen_fd);
	buf_deinit(&answer);
	mbed_stop();
}

static void served(struct buf *out)
{
	(void)buf_add_span(out, buf_span(&answer));
}

#define SERVE(id) \
	static const struct fault fault_##id = { \
		.name = #id, \
		.run_max = 25, \
		.prepare = prepare, \
		.open = open_socket, \
		.act = id, \
		.served = served, \
		.close = close_socket, \
	}

SERVE(serve_tls12);
SERVE(serve_tls13);

/* mbedTLS 3.6: where memory runs out in the middle of mbedtls_ssl_tls13_compute_handshake_transform or
 * …_application_transform, it frees the transform but not the two cipher contexts in it: 400 bytes each, and what they
 * hold. The pointer through which it allocates hides everything further up the stack. */
const char *__lsan_default_suppressions(void)
{
	return "leak:gcm_ctx_alloc\n";
}

int main(int argc, char **argv)
{
	static const struct fault *const faults[] = {&fault_serve_tls12, &fault_serve_tls13};
	return fault_main(faults, sizeof faults / sizeof *faults, argc, argv);
}

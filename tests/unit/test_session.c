/* A session with a client of the same library, in memory, on a store of its own. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/pem.h"
#include "../../certs/selfca.h"
#include "../../config/bodies.h"
#include "../../config/domains.h"
#include "../../server/worker/session.h"
#include "../../server/worker/tls.h"
#include "../../server/worker/view.h"

#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define HOST "mta-sts.example.com"
#define GET "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: " HOST "\r\n\r\n"
#define POLICY "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"

enum { NOW_UNIX_S = 1780272000, YEAR_S = 31536000 };

/* --- the store that the server reads, and the hand that writes it --- */

static struct {
	char dir[64];
	struct db *store, *keyring;
	struct view view;
	struct tls_config *tls;
	struct session_env *env;
	struct buf out;
} world;

static void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%s", err->text);
}

static void put_domain(const char *name, const char *body)
{
	struct err err;
	struct db_txn *txn;
	struct domain_row row = {.mode = POLICY_ENFORCE, .max_age_s = 604800, .id = "1"};
	struct buf stored;
	sha256_of(span_of(body), row.body);
	buf_init(&stored, 4096);
	must(domains_encode(&row, &stored), &err);
	must(db_begin_write(world.store, &txn, &err), &err);
	must(bodies_take(txn, row.body, span_of(body), &err), &err);
	must(db_put(txn, DB_DOMAINS, span_of(name), buf_span(&stored), &err), &err);
	must(db_commit(txn, &err), &err);
	buf_deinit(&stored);
}

static void drop_domain(const char *name)
{
	struct err err;
	struct db_txn *txn;
	must(db_begin_write(world.store, &txn, &err), &err);
	must(db_delete(txn, DB_DOMAINS, span_of(name), &err), &err);
	must(db_commit(txn, &err), &err);
}

static void put_pair(struct selfca *ca, const char *host, int64_t issued_unix_s, bool with_key)
{
	struct err err;
	struct db_txn *txn;
	struct pem_file file;
	struct buf pem;
	struct span name = span_of(host);
	bool is_new;
	buf_init(&pem, 65536);
	must(selfca_issue(ca, &name, 1, issued_unix_s, &pem, &err), &err);
	must(pem_parse(buf_span(&pem), &file, &err), &err);
	must(db_begin_write(world.keyring, &txn, &err), &err);
	if (with_key)
		must(keyring_put(txn, &file.keys[0], KEYRING_IMPORTED, &err), &err);
	must(db_commit(txn, &err), &err);
	must(db_begin_write(world.store, &txn, &err), &err);
	must(pairs_put(txn, &file.chains[0], SPAN_LIT("test"), &is_new, &err), &err);
	must(db_commit(txn, &err), &err);
	pem_deinit(&file);
	buf_deinit(&pem);
}

static int set_up(void **state)
{
	(void)state;
	struct err err;
	char path[128];
	clock_set_fake(0, NOW_UNIX_S);
	(void)snprintf(world.dir, sizeof world.dir, "/tmp/test_session.XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	must(mbed_start(&err), &err);
	(void)snprintf(path, sizeof path, "%s/store", world.dir);
	must(file_make_dirs(path, 0700, &err), &err);
	must(db_open(&world.store, path, DB_STORE, true, &err), &err);
	(void)snprintf(path, sizeof path, "%s/keyring", world.dir);
	must(file_make_dirs(path, 0700, &err), &err);
	must(db_open(&world.keyring, path, DB_KEYRING, true, &err), &err);
	struct selfca *ca, *other_ca; /* each has one key for all that it issues */
	must(selfca_new(&ca, NOW_UNIX_S, &err), &err);
	must(selfca_new(&other_ca, NOW_UNIX_S, &err), &err);
	put_domain("example.com", POLICY);
	put_domain("bare.example", POLICY);
	put_domain("old.example", POLICY);
	put_domain("keyless.example", POLICY);
	put_pair(ca, HOST, NOW_UNIX_S, true);
	put_pair(ca, "mta-sts.old.example", NOW_UNIX_S - YEAR_S, true);
	put_pair(ca, "mta-sts.gone.example", NOW_UNIX_S, true);
	put_pair(other_ca, "mta-sts.keyless.example", NOW_UNIX_S, false);
	selfca_free(ca);
	selfca_free(other_ca);

	/* an environment is opened once per process: the reader's own is a second look at the same one */
	world.view = (struct view){.store = world.store, .keyring = world.keyring};
	must(db_begin_read(world.store, &world.view.store_txn, &err), &err);
	must(db_begin_read(world.keyring, &world.view.keyring_txn, &err), &err);
	db_reset(world.view.store_txn);
	db_reset(world.view.keyring_txn);
	must(tls_config_new(&world.tls, &err), &err);
	buf_init(&world.out, 262144);
	world.env = calloc(1, sizeof *world.env);
	session_env_init(world.env, &world.view, world.tls, &world.out);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	session_env_deinit(world.env);
	free(world.env);
	buf_deinit(&world.out);
	tls_config_free(world.tls);
	view_close(&world.view);
	mbed_stop();
	char command[128];
	(void)snprintf(command, sizeof command, "rm -r %s", world.dir);
	return system(command);
}

/* --- a client --- */

struct client {
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	struct buf sent; /* on its way to the server */
	struct buf got;  /* from the server, as far as it was not read */
	size_t got_at;
	size_t max_bytes; /* how much travels at a time */
	struct session session;
	enum step step;
	char text[4096]; /* what the server said in the end */
	size_t text_len;
	int rc; /* the library's word on the end */
};

static int client_send(void *ctx, const unsigned char *p, size_t len)
{
	struct client *c = ctx;
	assert_int_equal(buf_add(&c->sent, p, len), 0);
	return (int)len;
}

static int client_recv(void *ctx, unsigned char *p, size_t cap)
{
	struct client *c = ctx;
	size_t n = c->got.len - c->got_at < cap ? c->got.len - c->got_at : cap;
	if (n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	memcpy(p, c->got.p + c->got_at, n);
	c->got_at += n;
	return (int)n;
}

static struct client *client_new(const char *name)
{
	struct client *c = calloc(1, sizeof *c);
	assert_non_null(c);
	mbedtls_ssl_init(&c->ssl);
	mbedtls_ssl_config_init(&c->conf);
	buf_init(&c->sent, 1 << 20);
	buf_init(&c->got, 1 << 20);
	c->max_bytes = SESSION_IN_MAX_BYTES;
	c->step = STEP_READ;
	int rc = mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					     MBEDTLS_SSL_PRESET_DEFAULT);
	assert_int_equal(rc, 0);
	mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_rng(&c->conf, mbed_random, NULL);
	assert_int_equal(mbedtls_ssl_setup(&c->ssl, &c->conf), 0);
	assert_int_equal(mbedtls_ssl_set_hostname(&c->ssl, name), 0);
	mbedtls_ssl_set_bio(&c->ssl, c, client_send, client_recv, NULL);
	session_init(&c->session, world.env);
	return c;
}

static void client_free(struct client *c)
{
	mbedtls_ssl_free(&c->ssl);
	mbedtls_ssl_config_free(&c->conf);
	buf_deinit(&c->sent);
	buf_deinit(&c->got);
	session_deinit(&c->session);
	free(c);
}

/* carry: what the client has sent to the session, and what that has produced back. */
static void carry(struct client *c)
{
	for (size_t at = 0; at < c->sent.len && c->step == STEP_READ; at += c->max_bytes) {
		size_t n = c->sent.len - at < c->max_bytes ? c->sent.len - at : c->max_bytes;
		void *bytes = malloc(n); /* of just that size: whoever keeps a pointer to it is found out */
		memcpy(bytes, c->sent.p + at, n);
		c->step = session_take(&c->session, (struct span){bytes, n});
		free(bytes);
		assert_int_not_equal(c->step, STEP_NEXT);
		if (c->step != STEP_CLOSE)
			assert_int_equal(buf_add_span(&c->got, buf_span(&world.out)), 0);
		buf_reset(&world.out);
	}
	buf_reset(&c->sent);
}

/* shake_hands: true when both sides are content. */
static bool shake_hands(struct client *c)
{
	do {
		c->rc = mbedtls_ssl_handshake(&c->ssl);
		carry(c);
	} while (c->rc == MBEDTLS_ERR_SSL_WANT_READ && (c->step == STEP_READ || c->got_at < c->got.len));
	return c->rc == 0;
}

static void say(struct client *c, const char *text)
{
	size_t len = strlen(text);
	assert_int_equal(mbedtls_ssl_write(&c->ssl, (const unsigned char *)text, len), (int)len);
}

/* hear: everything up to the end of what the server says. */
static const char *hear(struct client *c)
{
	carry(c);
	do {
		c->rc = mbedtls_ssl_read(&c->ssl, (unsigned char *)c->text + c->text_len,
					 sizeof c->text - 1 - c->text_len);
		if (c->rc > 0)
			c->text_len += (size_t)c->rc;
	} while (c->rc > 0);
	c->text[c->text_len] = '\0';
	return c->text;
}

static void check_over(struct client *c, enum step step, enum close_reason reason)
{
	if (c->step != step || c->session.state != SESSION_OVER || c->session.reason != reason)
		fail_msg("step %d, state %d, %s", (int)c->step, (int)c->session.state,
			 metric_name((enum metric)c->session.reason));
}

/* check_policy: one answer with the policy, close_notify, and no more (A-S10). */
static void check_policy(struct client *c, const char *body)
{
	const char *text = hear(c), *content = strstr(text, "\r\n\r\n");
	if (strncmp(text, "HTTP/1.1 200 OK\r\n", 17) != 0 || !content || strcmp(content + 4, body) != 0)
		fail_msg("%s", text);
	assert_int_equal(c->rc, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	assert_int_equal(c->got_at, c->got.len);
	check_over(c, STEP_WRITE, CLOSE_DONE);
}

static const mbedtls_ssl_protocol_version versions[] = {
	MBEDTLS_SSL_VERSION_TLS1_2,
	MBEDTLS_SSL_VERSION_TLS1_3,
};

static struct client *client_of_version(const char *name, size_t i)
{
	struct client *c = client_new(name);
	mbedtls_ssl_conf_min_tls_version(&c->conf, versions[i]);
	mbedtls_ssl_conf_max_tls_version(&c->conf, versions[i]);
	return c;
}

/* --- promises --- */

static void test_session_policy_is_served(void **state) /* A-H1, A-H22, A-S5 */
{
	(void)state;
	static const size_t max_bytes[] = {SESSION_IN_MAX_BYTES, 100, 7, 1};
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (size_t i = 0; i < COUNT(max_bytes); i++) {
			struct client *c = client_of_version(HOST, v);
			c->max_bytes = max_bytes[i];
			assert_true(shake_hands(c));
			say(c, GET);
			check_policy(c, POLICY);
			client_free(c);
		}
	}
}

static void test_session_small_records_make_one_request(void **state) /* A-H22 */
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct client *c = client_of_version(HOST, v);
		assert_true(shake_hands(c));
		for (const char *p = GET; *p; p++)
			say(c, (char[]){*p, '\0'});
		check_policy(c, POLICY);
		client_free(c);
	}
}

static void test_session_answers_once(void **state) /* A-H17 */
{
	(void)state;
	struct client *c = client_new(HOST);
	assert_true(shake_hands(c));
	say(c, GET GET);
	say(c, GET);
	check_policy(c, POLICY);
	client_free(c);
}

static void test_session_head_too_large_is_431(void **state) /* A-H14 */
{
	(void)state;
	static char line[4000];
	struct client *c = client_new(HOST);
	memset(line, 'x', sizeof line - 1);
	assert_true(shake_hands(c));
	say(c, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 10; i++)
		say(c, line);
	assert_non_null(strstr(hear(c), "HTTP/1.1 431 "));
	check_over(c, STEP_WRITE, CLOSE_DONE);
	client_free(c);
}

static void test_session_warnings_and_empty_records_are_passed_over(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct client *c = client_of_version(HOST, v);
		assert_true(shake_hands(c));
		/* all in one read: the library asks for more in the middle of it */
		assert_int_equal(mbedtls_ssl_send_alert_message(&c->ssl, MBEDTLS_SSL_ALERT_LEVEL_WARNING,
								MBEDTLS_SSL_ALERT_MSG_USER_CANCELED),
				 0);
		for (int i = 0; i < 3; i++)
			(void)mbedtls_ssl_write(&c->ssl, NULL, 0);
		say(c, GET);
		check_policy(c, POLICY);
		client_free(c);
	}
}

static void test_session_retried_hello_gets_its_certificate(void **state)
{
	(void)state;
	/* a key share for a group that we lack, and a group that we have (RFC 8446 4.1.4) */
	static const uint16_t groups[] = {
		MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
		MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
		0,
	};
	struct client *c = client_of_version(HOST, 1);
	mbedtls_ssl_conf_groups(&c->conf, groups);
	assert_true(shake_hands(c));
	say(c, GET);
	check_policy(c, POLICY);
	client_free(c);
}

static void test_session_refusal_is_an_alert(void **state)
{
	(void)state;
	enum { /* RFC 8446 6, RFC 6066 3, RFC 7301 3.2 */
	       HANDSHAKE_FAILURE = 40,
	       INTERNAL_ERROR = 80,
	       UNRECOGNIZED_NAME = 112,
	       NO_APPLICATION_PROTOCOL = 120,
	};
	static const char *h2[] = {"h2", NULL};
	static const uint16_t p521[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, 0};
	static const struct {
		int line;
		const char *name;
		const char **alpn;
		const uint16_t *groups;
		enum close_reason reason;
		int alert;
	} cases[] = {
		/* A-S2, A-S3, A-S6 */
		{__LINE__, "mta-sts.nobody.example", NULL, NULL, CLOSE_UNKNOWN_NAME, UNRECOGNIZED_NAME},
		{__LINE__, "example.com", NULL, NULL, CLOSE_UNKNOWN_NAME, UNRECOGNIZED_NAME},
		{__LINE__, "mta-sts.", NULL, NULL, CLOSE_UNKNOWN_NAME, UNRECOGNIZED_NAME},
		{__LINE__, "mta-sts.gone.example", NULL, NULL, CLOSE_UNKNOWN_NAME, UNRECOGNIZED_NAME},
		{__LINE__, "mta-sts/example.com", NULL, NULL, CLOSE_UNKNOWN_NAME, UNRECOGNIZED_NAME},
		{__LINE__, "mta-sts.bare.example", NULL, NULL, CLOSE_NO_CERTIFICATE, UNRECOGNIZED_NAME},
		{__LINE__, "mta-sts.keyless.example", NULL, NULL, CLOSE_STORE, INTERNAL_ERROR},
		{__LINE__, NULL, NULL, NULL, CLOSE_NO_NAME, UNRECOGNIZED_NAME},
		{__LINE__, HOST, h2, NULL, CLOSE_TLS, NO_APPLICATION_PROTOCOL},
		{__LINE__, HOST, NULL, p521, CLOSE_TLS, HANDSHAKE_FAILURE},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t v = 0; v < COUNT(versions); v++) {
			struct client *c = client_of_version(cases[i].name, v);
			if (cases[i].alpn)
				assert_int_equal(mbedtls_ssl_conf_alpn_protocols(&c->conf, cases[i].alpn), 0);
			if (cases[i].groups)
				mbedtls_ssl_conf_groups(&c->conf, cases[i].groups);
			if (shake_hands(c) || c->step != STEP_WRITE || c->session.reason != cases[i].reason)
				fail_msg("line %d: step %d, %s", cases[i].line, (int)c->step,
					 metric_name((enum metric)c->session.reason));
			const uint8_t alert[] = {21, 3, 3, 0, 2, 2, (uint8_t)cases[i].alert};
			if (c->got.len != sizeof alert || memcmp(c->got.p, alert, sizeof alert) != 0)
				fail_msg("line %d: %zu bytes, last %d", cases[i].line, c->got.len,
					 c->got.p[c->got.len - 1]);
			client_free(c);
		}
	}
}

static void test_session_name_in_capitals_is_the_same(void **state) /* A-S11 */
{
	(void)state;
	struct client *c = client_new("MTA-STS.EXAMPLE.COM");
	assert_true(shake_hands(c));
	say(c, GET);
	check_policy(c, POLICY);
	client_free(c);
}

static void test_session_expired_certificate_is_served(void **state)
{
	(void)state;
	struct client *c = client_new("mta-sts.old.example");
	assert_true(shake_hands(c));
	say(c, "GET /.well-known/mta-sts.txt HTTP/1.0\r\n\r\n");
	check_policy(c, POLICY);
	client_free(c);
}

static void test_session_newest_policy_is_served(void **state) /* A-L6 */
{
	(void)state;
	struct client *c = client_new(HOST);
	assert_true(shake_hands(c));
	put_domain("example.com", "changed between handshake and request\r\n");
	say(c, GET);
	check_policy(c, "changed between handshake and request\r\n");
	client_free(c);
	put_domain("example.com", POLICY);
}

static void test_session_policy_that_went_is_404(void **state)
{
	(void)state;
	struct client *c = client_new(HOST);
	assert_true(shake_hands(c));
	drop_domain("example.com");
	say(c, GET);
	assert_non_null(strstr(hear(c), "HTTP/1.1 404 "));
	check_over(c, STEP_WRITE, CLOSE_DONE);
	client_free(c);
	put_domain("example.com", POLICY);
}

static void test_session_policy_that_cannot_be_read_is_503(void **state)
{
	(void)state;
	struct err err;
	struct db_txn *txn;
	uint64_t before = metric_mine()->value[M_STORE_ERRORS];
	struct client *c = client_new(HOST);
	assert_true(shake_hands(c));
	must(db_begin_write(world.store, &txn, &err), &err);
	must(db_put(txn, DB_DOMAINS, SPAN_LIT("example.com"), SPAN_LIT("no row"), &err), &err);
	must(db_commit(txn, &err), &err);
	say(c, GET);
	assert_non_null(strstr(hear(c), "HTTP/1.1 503 "));
	assert_true(metric_mine()->value[M_STORE_ERRORS] == before + 1);
	client_free(c);
	put_domain("example.com", POLICY);
}

static void test_session_client_that_goes_is_let_go(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct client *c = client_of_version(HOST, v);
		assert_true(shake_hands(c));
		assert_int_equal(mbedtls_ssl_close_notify(&c->ssl), 0);
		(void)hear(c);
		check_over(c, STEP_WRITE, CLOSE_PEER); /* with our own close_notify (RFC 8446 6.1) */
		assert_int_equal(c->rc, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
		client_free(c);

		c = client_of_version(HOST, v);
		assert_true(shake_hands(c));
		assert_int_equal(mbedtls_ssl_send_alert_message(&c->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
								MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA),
				 0);
		carry(c);
		check_over(c, STEP_CLOSE, CLOSE_PEER_ALERT);
		client_free(c);
	}
}

static size_t key_slot_count(void)
{
	mbedtls_psa_stats_t stats;
	mbedtls_psa_get_stats(&stats);
	return stats.MBEDTLS_PRIVATE(volatile_slots) + stats.MBEDTLS_PRIVATE(half_filled_slots) +
	       stats.MBEDTLS_PRIVATE(locked_slots);
}

/* A handshake of which the server gets so many bytes, the last one spoilt or not. true: it was over before. */
static bool shake_until(struct client *c, size_t bytes, bool is_spoilt)
{
	size_t sent = 0;
	do {
		c->rc = mbedtls_ssl_handshake(&c->ssl);
		if (sent + c->sent.len >= bytes) {
			c->sent.len = bytes - sent;
			c->sent.p[c->sent.len - 1] ^= (char)is_spoilt;
		}
		sent += c->sent.len;
		carry(c);
	} while (c->rc == MBEDTLS_ERR_SSL_WANT_READ && sent < bytes && c->step == STEP_READ);
	return sent < bytes;
}

/* wherever the client goes, or sends nonsense */
static void test_session_handshake_that_ends_early_leaves_no_keys(void **state)
{
	(void)state;
	size_t most = 0, before = key_slot_count(), at = 0;
	for (size_t v = 0; v < COUNT(versions); v++, at = 0) {
		for (bool is_over = false; !is_over; at++) {
			struct client *c = client_of_version(HOST, v);
			is_over = shake_until(c, 1 + at / 2 * 7, at % 2);
			most = key_slot_count() > most ? key_slot_count() : most;
			client_free(c);
			if (key_slot_count() != before)
				fail_msg("version %zu, step %zu: %zu keys", v, at, key_slot_count() - before);
		}
	}
	assert_true(most > before); /* they are counted */
}

static void test_session_end_from_our_side_is_close_notify(void **state) /* A-H19 */
{
	(void)state;
	struct client *c = client_new(HOST);
	assert_true(shake_hands(c));
	c->step = session_end(&c->session, CLOSE_REQUEST_TIMEOUT);
	check_over(c, STEP_WRITE, CLOSE_REQUEST_TIMEOUT);
	assert_int_equal(buf_add_span(&c->got, buf_span(&world.out)), 0);
	buf_reset(&world.out);
	assert_string_equal(hear(c), "");
	assert_int_equal(c->rc, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	client_free(c);
	c = client_new(HOST);
	assert_int_equal(session_end(&c->session, CLOSE_STOPPING), STEP_CLOSE);
	client_free(c);
}

static void test_session_broken_record_is_answered_with_an_alert(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct client *c = client_of_version(HOST, v);
		assert_true(shake_hands(c));
		say(c, GET);
		c->sent.p[c->sent.len - 1] ^= 1;
		(void)hear(c);
		check_over(c, STEP_WRITE, CLOSE_TLS);
		assert_int_equal(c->rc, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
		client_free(c);
	}
}

static void test_session_what_is_no_tls_gets_nothing(void **state) /* A-H16 */
{
	(void)state;
	struct client *c = client_new(HOST);
	assert_int_equal(buf_add_text(&c->sent, GET), 0);
	carry(c);
	check_over(c, STEP_CLOSE, CLOSE_NOT_TLS);
	assert_int_equal(c->got.len, 0);
	client_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_policy_is_served),
		cmocka_unit_test(test_session_small_records_make_one_request),
		cmocka_unit_test(test_session_answers_once),
		cmocka_unit_test(test_session_head_too_large_is_431),
		cmocka_unit_test(test_session_warnings_and_empty_records_are_passed_over),
		cmocka_unit_test(test_session_retried_hello_gets_its_certificate),
		cmocka_unit_test(test_session_refusal_is_an_alert),
		cmocka_unit_test(test_session_name_in_capitals_is_the_same),
		cmocka_unit_test(test_session_expired_certificate_is_served),
		cmocka_unit_test(test_session_newest_policy_is_served),
		cmocka_unit_test(test_session_policy_that_went_is_404),
		cmocka_unit_test(test_session_policy_that_cannot_be_read_is_503),
		cmocka_unit_test(test_session_client_that_goes_is_let_go),
		cmocka_unit_test(test_session_handshake_that_ends_early_leaves_no_keys),
		cmocka_unit_test(test_session_end_from_our_side_is_close_notify),
		cmocka_unit_test(test_session_broken_record_is_answered_with_an_alert),
		cmocka_unit_test(test_session_what_is_no_tls_gets_nothing),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

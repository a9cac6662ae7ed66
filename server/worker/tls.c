#include "tls.h"

#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/mbed.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_HEADER_BYTES = 5 }; /* RFC 8446 5.1 */

struct tls_config {
	mbedtls_ssl_config all;
	mbedtls_ssl_config aes128; /* as all, with TLS_AES_128_GCM_SHA256 as TLS 1.3's only suite */
};

struct tls {
	mbedtls_ssl_context ssl;
	struct span in;
	size_t last_read_bytes; /* the library asks for a record's header, then for the rest */
	struct buf *out;
	struct mbed_pair *ec, *rsa;
};

/* ECDSA before RSA, or a client that speaks both would get the dearer one. AES-128 before AES-256: as strong
 * as the rest of the handshake, and its SHA-256 is the faster hash. All with forward secrecy and AEAD
 * (RFC 9325 4.2). */
#define SUITES_TLS12 \
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
		MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \
		MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256

static const int suites_all[] = {
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	SUITES_TLS12,
	0,
};

/* The library follows the client's order in TLS 1.3 whatever ours is, and OpenSSL's begins with AES-256. */
static const int suites_aes128[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256, SUITES_TLS12, 0};

/* Nothing that costs much, for whoever connects may insist on it: a key exchange takes 0.05 ms with these, with
 * P-384 2.9, and 1 by libcrypto 3.0. A client that has that one alone is refused; certificates may have it. */
static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

static const char *protocols[] = {"http/1.1", NULL};

static int add_pair(mbedtls_ssl_context *ssl, struct mbed_pair *pair)
{
	return pair ? mbedtls_ssl_set_hs_own_cert(ssl, mbed_pair_chain(pair), mbed_pair_key(pair)) : 0;
}

/* Called once the ClientHello is read; twice when a HelloRetryRequest was sent, hence the clearing. */
static int on_cert(mbedtls_ssl_context *ssl)
{
	struct tls *t = mbedtls_ssl_get_user_data_p(ssl);
	int rc = mbedtls_ssl_set_hs_own_cert(ssl, NULL, NULL);
	if (rc == 0)
		rc = add_pair(ssl, t->ec);
	return rc ? rc : add_pair(ssl, t->rsa);
}

static int config_init(mbedtls_ssl_config *conf, const int *suites, struct err *err)
{
	int rc = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
					     MBEDTLS_SSL_PRESET_DEFAULT);
	if (rc)
		return mbed_err(err, rc, "TLS configuration");
	rc = mbedtls_ssl_conf_alpn_protocols(conf, protocols);
	if (rc)
		return mbed_err(err, rc, "ALPN");
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2); /* RFC 8461 7.2 */
	mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(conf, suites);
	mbedtls_ssl_conf_groups(conf, groups);
	mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_rng(conf, mbed_random, NULL);
	mbedtls_ssl_conf_cert_cb(conf, on_cert);
	return 0;
}

int tls_config_new(struct tls_config **out, struct err *err)
{
	struct tls_config *config = calloc(1, sizeof *config);
	if (!config)
		return err_set(err, ERR_NOMEM, "TLS configuration: out of memory");
	mbedtls_ssl_config_init(&config->all);
	mbedtls_ssl_config_init(&config->aes128);
	int rc = config_init(&config->all, suites_all, err);
	if (rc == 0)
		rc = config_init(&config->aes128, suites_aes128, err);
	if (rc) {
		tls_config_free(config);
		return rc;
	}
	*out = config;
	return 0;
}

void tls_config_free(struct tls_config *config)
{
	if (!config)
		return;
	mbedtls_ssl_config_free(&config->all);
	mbedtls_ssl_config_free(&config->aes128);
	free(config);
}

static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
	struct tls *t = ctx;
	return buf_add(t->out, bytes, len) == 0 ? (int)len : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

static int on_recv(void *ctx, unsigned char *into, size_t cap)
{
	struct tls *t = ctx;
	if (t->in.len == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	size_t n = t->in.len < cap ? t->in.len : cap;
	t->last_read_bytes = n;
	memcpy(into, t->in.p, n);
	t->in.p += n;
	t->in.len -= n;
	return (int)n;
}

int tls_new(struct tls **out, const struct tls_args *args)
{
	struct tls *t = calloc(1, sizeof *t);
	if (!t) {
		mbed_pair_free(args->take_ec);
		mbed_pair_free(args->take_rsa);
		return ERR_NOMEM;
	}
	*t = (struct tls){.out = args->out, .ec = args->take_ec, .rsa = args->take_rsa};
	mbedtls_ssl_init(&t->ssl);
	const struct tls_config *config = args->config;
	if (mbedtls_ssl_setup(&t->ssl, args->prefers_aes128 ? &config->aes128 : &config->all) != 0) {
		tls_free(t);
		return ERR_NOMEM; /* the two record buffers: nothing else can fail there */
	}
	mbedtls_ssl_set_user_data_p(&t->ssl, t);
	mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
	*out = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	mbedtls_ssl_free(&t->ssl);
	mbed_pair_free(t->ec);
	mbed_pair_free(t->rsa);
	free(t);
}

void tls_feed(struct tls *t, struct span in)
{
	t->in = in;
}

static enum tls_result result_of(int rc)
{
	switch (rc) {
	case 0: return TLS_DONE;
	case MBEDTLS_ERR_SSL_WANT_READ: return TLS_MORE;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return TLS_PEER_CLOSED;
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return TLS_PEER_ALERT;
	default: return mbed_is_nomem(rc) ? TLS_NOMEM : TLS_FAILED;
	}
}

/* alert_of: one code of the library means a record that its buffer does not hold, where a header was the last that it
 * read, and a public key that gives no secret or one of zeros (RFC 8446 7.4.2, RFC 8422 5.11), out of a record. */
static unsigned char alert_of(const struct tls *t, int rc, unsigned char otherwise)
{
	if (rc != MBEDTLS_ERR_SSL_BAD_INPUT_DATA)
		return otherwise;
	return t->last_read_bytes > RECORD_HEADER_BYTES ? MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER
							: MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW;
}

/* has_alerted: a message of the handshake is no alert. */
static bool has_alerted(const struct tls *t, size_t sent_before)
{
	return t->out->len > sent_before && t->out->p[sent_before] != MBEDTLS_SSL_MSG_HANDSHAKE;
}

/* fail_loudly: at times the library fails without an alert, as where no group fits both sides. */
static enum tls_result fail_loudly(struct tls *t, int rc, size_t sent_before, unsigned char alert)
{
	enum tls_result result = result_of(rc);
	/* twice where a ServerHello is not sent yet: the first call does only that */
	for (int calls = 0; calls < 2 && result == TLS_FAILED && !has_alerted(t, sent_before); calls++)
		(void)mbedtls_ssl_send_alert_message(&t->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert_of(t, rc, alert));
	return result;
}

/* wants_too_early: the library asks for more behind a warning alert, too, though there is more. */
static bool wants_too_early(const struct tls *t, int rc)
{
	return rc == MBEDTLS_ERR_SSL_WANT_READ && t->in.len;
}

enum tls_result tls_handshake(struct tls *t)
{
	int rc;
	size_t sent_before;
	do {
		sent_before = t->out->len;
		rc = mbedtls_ssl_handshake_step(&t->ssl);
		if (rc == 0 && mbedtls_ssl_is_handshake_over(&t->ssl))
			return TLS_DONE;
	} while (rc == 0 || wants_too_early(t, rc));
	return fail_loudly(t, rc, sent_before, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
}

enum tls_result tls_read(struct tls *t, char *into, size_t cap, size_t *out_len)
{
	int rc;
	size_t sent_before = t->out->len;
	do
		rc = mbedtls_ssl_read(&t->ssl, (unsigned char *)into, cap);
	while (rc == 0 || wants_too_early(t, rc)); /* 0: an empty record */
	if (rc < 0)
		return fail_loudly(t, rc, sent_before, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE);
	*out_len = (size_t)rc;
	return TLS_DONE;
}

enum tls_result tls_write(struct tls *t, struct span plain)
{
	while (plain.len) {
		int rc = mbedtls_ssl_write(&t->ssl, (const unsigned char *)plain.p, plain.len);
		if (rc <= 0)
			return mbed_is_nomem(rc) ? TLS_NOMEM : TLS_FAILED;
		plain.p += rc;
		plain.len -= (size_t)rc;
	}
	return TLS_DONE;
}

enum tls_result tls_close_notify(struct tls *t)
{
	return result_of(mbedtls_ssl_close_notify(&t->ssl));
}

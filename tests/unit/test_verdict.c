#include "../../base/buf.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pairs.h"
#include "../../certs/pem.h"
#include "../../certs/verdict.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static int start(void **state)
{
	(void)state;
	return mbed_start(NULL);
}

static int stop(void **state)
{
	(void)state;
	mbed_stop();
	return 0;
}

/* What may not be served at all, and what the operator reads. */
static const struct {
	int line;
	const char *file;
	const char *text; /* a part of the sentence; NULL: not refused */
} refusals[] = {
	{__LINE__, "leaf.pem", NULL},
	{__LINE__, "rsa2048.pem", NULL},
	{__LINE__, "p384.pem", NULL},
	{__LINE__, "wildcard.pem", NULL},
	{__LINE__, "must_staple.pem", NULL},
	{__LINE__, "self_signed.pem", NULL},
	{__LINE__, "self_signed_ca.pem", NULL},
	{__LINE__, "expired.pem", NULL}, /* it may be the only one */
	/* A-S8 */
	{__LINE__, "no_san.pem", "certificate for CN=mta-sts.example.com: it names no host in subjectAltName"},
	{__LINE__, "self_signed_ca_no_san.pem", "it names no host in subjectAltName"},
	/* C101 */
	{__LINE__, "no_server_auth.pem",
	 "certificate for mta-sts.example.com: its extended key usage lacks serverAuth"},
	{__LINE__, "no_signature_usage.pem", "its key usage lacks digitalSignature"},
	{__LINE__, "precertificate.pem", "a critical extension that clients do not know"},
	{__LINE__, "rsa1024.pem", "an RSA key of 1024 bits"},
	{__LINE__, "p521.pem", "a key of type P-521"},
};

static void test_verdict_refuses_what_nobody_can_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		char text[VERDICT_TEXT_BYTES] = "";
		struct buf b = fixture(refusals[i].file);
		struct pem_file f;
		assert_int_equal(pem_parse(buf_span(&b), &f, NULL), 0);
		assert_int_equal(f.chain_count, 1);
		bool is_refused = verdict_refuses(&f.chains[0], text);
		if (is_refused != (refusals[i].text != NULL) || (is_refused && !strstr(text, refusals[i].text)))
			fail_msg("line %d: %s", refusals[i].line, text);
		pem_deinit(&f);
		buf_deinit(&b);
	}
}

/* A handshake message: RFC 8446 4.4.2. Only the lengths are looked at. */
static void test_verdict_refuses_what_cannot_be_sent(void **state)
{
	(void)state;
	static const struct {
		size_t cert_count;
		int over;
		bool is_refused;
	} rows[] = {{1, 0, false}, {1, 1, true}, {3, 0, false}, {3, 1, true}};
	struct buf b = fixture("leaf.pem");
	struct pem_file f;
	assert_int_equal(pem_parse(buf_span(&b), &f, NULL), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[VERDICT_TEXT_BYTES] = "";
		struct chain c = f.chains[0];
		c.cert_count = rows[i].cert_count;
		/* stored with 4 bytes before each certificate, sent with 5 around it and 8 before all */
		size_t der_len = mbed_message_max_bytes() - 8 - 5 * c.cert_count + (size_t)rows[i].over;
		c.der.len = der_len + 4 * c.cert_count;
		assert_int_equal(verdict_refuses(&c, text), rows[i].is_refused);
		assert_int_equal(strstr(text, "of a handshake, and no more than") != NULL, rows[i].is_refused);
	}
	pem_deinit(&f);
	buf_deinit(&b);
}

enum { DAY_S = 86400 };

/* What is said about pairs that are served. Dates in days from now. */
static const struct {
	int line;
	int from_day, to_day;
	size_t cert_count;
	bool is_self_signed, has_must_staple;
	const char *said; /* "E:" or "W:" and the beginning of each sentence, "|" between them */
} verdicts[] = {
	{__LINE__, -30, 60, 3, false, false, ""},
	{__LINE__, -60, 29, 3, false, false, ""},              /* ACME clients renew now */
	{__LINE__, -77, 13, 3, false, false, "W:expires at "}, /* W09 */
	{__LINE__, -3, 3, 2, false, false, ""},                /* short-lived: half of its life is left */
	{__LINE__, -5, 1, 2, false, false, "W:expires at "},
	{__LINE__, -91, -1, 3, false, false, "E:expired at "},                             /* E13 */
	{__LINE__, 1, 91, 3, false, false, "E:not valid before "},                         /* E13 */
	{__LINE__, -30, 60, 1, false, false, "W:no intermediate certificate in the file"}, /* W09, A-S12 */
	{__LINE__, -30, 60, 1, true, false, "W:self-signed"},
	{__LINE__, -30, 60, 3, false, true, "W:asks for OCSP stapling"},
	{__LINE__, -91, -1, 1, false, true, "E:expired at |W:no intermediate|W:asks for OCSP"},
};

static void note(void *ctx, bool is_error, const char *text)
{
	struct buf *said = ctx;
	static const char who[] = "certificate for mta-sts.example.com: ";
	assert_memory_equal(text, who, sizeof who - 1);
	(void)buf_printf(said, "%s%c:%s", said->len ? "|" : "", is_error ? 'E' : 'W', text + sizeof who - 1);
}

/* each part of want, between "|", begins a sentence of said */
static bool is_said(const char *said, const char *want)
{
	while (*want) {
		size_t n = strcspn(want, "|");
		if (strncmp(said, want, n) != 0)
			return false;
		want += n + (want[n] == '|');
		said += strcspn(said, "|");
		said += *said == '|';
	}
	return *said == '\0';
}

static void test_verdict_of_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		struct buf said;
		struct pair p = {
			.not_before_unix_s = FIXTURE_NOW_UNIX_S + (int64_t)verdicts[i].from_day * DAY_S,
			.not_after_unix_s = FIXTURE_NOW_UNIX_S + (int64_t)verdicts[i].to_day * DAY_S,
			.cert_count = verdicts[i].cert_count,
			.is_self_signed = verdicts[i].is_self_signed,
			.has_must_staple = verdicts[i].has_must_staple,
			.names = SPAN_LIT("\x13mta-sts.example.com"),
		};
		buf_init(&said, 4096);
		verdict_of_pair(&p, FIXTURE_NOW_UNIX_S, note, &said);
		if (!is_said(buf_text(&said), verdicts[i].said))
			fail_msg("line %d: %s", verdicts[i].line, buf_text(&said));
		buf_deinit(&said);
	}
}

static void note_text(void *ctx, bool is_error, const char *text)
{
	(void)is_error;
	(void)buf_add_text(ctx, text);
}

static void test_verdict_says_how_many_names(void **state)
{
	(void)state;
	struct pair p = {.cert_count = 3,
			 .not_after_unix_s = 1,
			 .names = SPAN_LIT("\x03"
					   "a.b\x03"
					   "c.d\x03"
					   "e.f")};
	struct buf said;
	buf_init(&said, 4096);
	verdict_of_pair(&p, FIXTURE_NOW_UNIX_S, note_text, &said);
	assert_string_equal(buf_text(&said),
			    "certificate for a.b and 2 more: expired at 1970-01-01T00:00:01Z; renew it");
	buf_deinit(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdict_refuses_what_nobody_can_use),
		cmocka_unit_test(test_verdict_refuses_what_cannot_be_sent),
		cmocka_unit_test(test_verdict_of_pairs),
		cmocka_unit_test(test_verdict_says_how_many_names),
	};
	return cmocka_run_group_tests_name("verdict", tests, start, stop);
}

#include "../../base/buf.h"
#include "../../server/worker/hello.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define B(s) \
	{ \
		(s), sizeof(s) - 1 \
	}

/* Extensions as they stand on the wire. */
#define SNI(list_len, entries) "\0\0\0" list_len "\0" entries
#define SNI_EXAMPLE "\0\0\0\x0e\0\x0c\0\0\x09h.example"
#define ALPN_HTTP11 "\0\x10\0\x0b\0\x09\x08http/1.1"
#define GREASE "\x1a\x1a\0\0"

static void add_u8(struct buf *b, size_t v)
{
	(void)buf_add_char(b, (char)v);
}

static void add_u16(struct buf *b, size_t v)
{
	add_u8(b, v >> 8);
	add_u8(b, v & 0xff);
}

/* message: a ClientHello, without record headers. */
static void add_message(struct buf *b, unsigned version, struct span suites, struct span extensions)
{
	size_t len = 2 + 32 + 1 + 32 + 2 + suites.len + 2 + 2 + extensions.len;
	add_u8(b, 1);
	add_u8(b, 0);
	add_u16(b, len);
	add_u16(b, version);
	for (int i = 0; i < 32; i++)
		add_u8(b, 0xa5); /* random */
	add_u8(b, 32);
	for (int i = 0; i < 32; i++)
		add_u8(b, 0x5a); /* session id */
	add_u16(b, suites.len);
	(void)buf_add_span(b, suites);
	add_u16(b, 0x0100); /* no compression */
	add_u16(b, extensions.len);
	(void)buf_add_span(b, extensions);
}

/* records: message in handshake records of at most max bytes each. */
static void add_records(struct buf *b, struct span message, size_t max)
{
	for (size_t at = 0; at < message.len; at += max) {
		size_t n = message.len - at < max ? message.len - at : max;
		add_u8(b, 22);
		add_u16(b, 0x0301);
		add_u16(b, n);
		(void)buf_add(b, message.p + at, n);
	}
}

static enum hello_result parse(struct span in, struct hello *out)
{
	enum hello_result rc = hello_parse(guard_copy(in.p, in.len), in.len, out);
	guard_free_all();
	return rc;
}

static enum hello_result parse_extensions(struct span extensions, size_t record_max, struct hello *out)
{
	struct buf message, records;
	buf_init(&message, 65536);
	buf_init(&records, 65536 * 6);
	add_message(&message, 0x0303, SPAN_LIT("\x13\x02\x13\x01\xc0\x2b"), extensions);
	add_records(&records, buf_span(&message), record_max);
	enum hello_result rc = parse(buf_span(&records), out);
	buf_deinit(&message);
	buf_deinit(&records);
	return rc;
}

static void test_hello_names_and_offers_are_found(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span extensions;
		const char *name;
		bool has_alpn, http11, acme;
	} cases[] = {
		{__LINE__, B(SNI_EXAMPLE), "h.example", false, false, false},
		{__LINE__, B(GREASE SNI_EXAMPLE ALPN_HTTP11 GREASE), "h.example", true, true, false},
		{__LINE__, B(""), "", false, false, false}, /* A-S3 */
		{__LINE__, B(GREASE), "", false, false, false},
		/* A-S11 */
		{__LINE__, B(SNI("\x0e", "\x0c\0\0\x09H.EXAMPLE")), "h.example", false, false, false},
		{__LINE__,
		 B(SNI("\x0f", "\x0d\0\0\x0a"
			       "h.example.")),
		 "h.example", false, false, false},
		{__LINE__,
		 B(SNI("\x08", "\x06\0\0\x03"
			       "a_b")),
		 "a_b", false, false, false},
		{__LINE__,
		 B(SNI("\x06", "\x04\0\0\x01"
			       "a")),
		 "a", false, false, false},
		/* a name of a type yet to come, before and behind */
		{__LINE__,
		 B(SNI("\x0b", "\x09\x07\0\x02"
			       "zz\0\0\x01"
			       "a")),
		 "a", false, false, false},
		{__LINE__,
		 B(SNI("\x0b", "\x09\0\0\x01"
			       "a\x07\0\x02"
			       "zz")),
		 "a", false, false, false},
		{__LINE__,
		 B(SNI("\x07", "\x05\x07\0\x02"
			       "zz")),
		 "", false, false, false},
		/* A-S6 */
		{__LINE__, B("\0\x10\0\x05\0\x03\x02h2"), "", true, false, false},
		{__LINE__, B("\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1"), "", true, true, false},
		{__LINE__,
		 B("\0\x10\0\x0d\0\x0b\x0a"
		   "acme-tls/1"),
		 "", true, false, true},
		{__LINE__,
		 B("\0\x10\0\x16\0\x14\x08http/1.1\x0a"
		   "acme-tls/1"),
		 "", true, true, true},
		{__LINE__,
		 B("\0\x10\0\x0e\0\x0c\x0b"
		   "acme-tls/10"),
		 "", true, false, false},
		{__LINE__, B("\0\x10\0\x0b\0\x09\x08HTTP/1.1"), "", true, false, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t record_max = 16384; record_max; record_max /= 4) {
			struct hello h;
			enum hello_result rc = parse_extensions(cases[i].extensions, record_max, &h);
			if (rc != HELLO_DONE || strcmp(h.name, cases[i].name) != 0 ||
			    h.name_len != strlen(cases[i].name) || h.has_alpn != cases[i].has_alpn ||
			    h.offers_http11 != cases[i].http11 || h.offers_acme_tls != cases[i].acme ||
			    !h.offers_aes128_gcm || h.version != 0x0303)
				fail_msg("line %d, records of %zu: %d alert %d name \"%s\" alpn %d %d %d",
					 cases[i].line, record_max, (int)rc, (int)h.alert, h.name, h.has_alpn,
					 h.offers_http11, h.offers_acme_tls);
		}
	}
}

static void test_hello_bad_extensions_are_refused(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span extensions;
		enum hello_alert alert;
	} cases[] = {
		/* two names (RFC 6066 3), two extensions (RFC 8446 4.2) */
		{__LINE__,
		 B(SNI("\x0a", "\x08\0\0\x01"
			       "a\0\0\x01"
			       "b")),
		 ALERT_ILLEGAL_PARAMETER},
		{__LINE__, B(SNI_EXAMPLE SNI_EXAMPLE), ALERT_ILLEGAL_PARAMETER},
		{__LINE__, B(ALPN_HTTP11 SNI_EXAMPLE ALPN_HTTP11), ALERT_ILLEGAL_PARAMETER},
		/* C89: what is no host name */
		{__LINE__,
		 B(SNI("\x08", "\x06\0\0\x03"
			       "a\0b")),
		 ALERT_UNRECOGNIZED_NAME},
		{__LINE__,
		 B(SNI("\x08", "\x06\0\0\x03"
			       "a b")),
		 ALERT_UNRECOGNIZED_NAME},
		{__LINE__,
		 B(SNI("\x08", "\x06\0\0\x03"
			       "a/b")),
		 ALERT_UNRECOGNIZED_NAME},
		{__LINE__,
		 B(SNI("\x08", "\x06\0\0\x03"
			       "*.a")),
		 ALERT_UNRECOGNIZED_NAME},
		{__LINE__, B(SNI("\x07", "\x05\0\0\x02\xc3\xa4")), ALERT_UNRECOGNIZED_NAME},
		{__LINE__, B(SNI("\x06", "\x04\0\0\x01.")), ALERT_UNRECOGNIZED_NAME},
		/* lengths */
		{__LINE__, B("\0\0\0\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\0\0\0\x02\0\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\0\0\0\x01\0"), ALERT_DECODE_ERROR},
		{__LINE__, B(SNI("\x05", "\x03\0\0\0")), ALERT_DECODE_ERROR},
		{__LINE__,
		 B(SNI("\x06", "\x04\0\0\x02"
			       "a")),
		 ALERT_DECODE_ERROR},
		{__LINE__,
		 B(SNI("\x06", "\x05\0\0\x01"
			       "a")),
		 ALERT_DECODE_ERROR},
		{__LINE__,
		 B(SNI("\x07", "\x04\0\0\x01"
			       "ab")),
		 ALERT_DECODE_ERROR},
		{__LINE__, B(SNI("\x04", "\x02\0\0")), ALERT_DECODE_ERROR},
		{__LINE__, B("\0\x10\0\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\0\x10\0\x02\0\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\0\x10\0\x03\0\x01\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\0\x10\0\x04\0\x02\x02h"), ALERT_DECODE_ERROR},
		{__LINE__, B("\x1a"), ALERT_DECODE_ERROR},
		{__LINE__, B("\x1a\x1a\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\x1a\x1a\0\x01"), ALERT_DECODE_ERROR},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t record_max = 16384; record_max; record_max /= 4) {
			struct hello h;
			enum hello_result rc = parse_extensions(cases[i].extensions, record_max, &h);
			if (rc != HELLO_BAD || h.alert != cases[i].alert || h.name_len != 0)
				fail_msg("line %d, records of %zu: %d alert %d", cases[i].line, record_max, (int)rc,
					 (int)h.alert);
		}
	}
}

static void test_hello_bad_beginnings_are_refused(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span in;
		enum hello_alert alert;
	} cases[] = {
		/* A-H16: plain HTTP and others on our port get no TLS */
		{__LINE__, B("GET / HTTP/1.1\r\n"), ALERT_NONE},
		{__LINE__, B("G"), ALERT_NONE},
		{__LINE__, B("\0"), ALERT_NONE},
		{__LINE__, B("\x80\x2e\x01\0\x02"), ALERT_NONE}, /* SSL 2 */
		{__LINE__, B("\x15\x03\x01\0\x02\x02\x28"), ALERT_NONE},
		{__LINE__, B("\x16\x02"), ALERT_NONE},
		/* other messages, other records */
		{__LINE__, B("\x16\x03\x01\0\x04\x02"), ALERT_UNEXPECTED_MESSAGE},
		{__LINE__, B("\x16\x03\x01\0\x04\0\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
		{__LINE__, B("\x16\x03\x01\0\x01\x01\x17"), ALERT_UNEXPECTED_MESSAGE},
		{__LINE__, B("\x16\x03\x01\0\x01\x01\x14\x03\x03\0\x01\x01"), ALERT_UNEXPECTED_MESSAGE},
		{__LINE__, B("\x16\x03\x01\0\0"), ALERT_UNEXPECTED_MESSAGE},
		/* too long */
		{__LINE__, B("\x16\x03\x01\x40\x01"), ALERT_RECORD_OVERFLOW},
		{__LINE__, B("\x16\x03\x01\x40\0\x01\x01\0\0"), ALERT_ILLEGAL_PARAMETER},
		{__LINE__, B("\x16\x03\x01\x40\0\x01\0\x3f\xfd"), ALERT_ILLEGAL_PARAMETER},
		/* an empty message, or one that ends early */
		{__LINE__, B("\x16\x03\x01\0\x04\x01\0\0\0"), ALERT_DECODE_ERROR},
		{__LINE__, B("\x16\x03\x01\0\x06\x01\0\0\x02\x03\x03"), ALERT_DECODE_ERROR},
		/* A-S4 */
		{__LINE__, B("\x16\x03\x01\0\x06\x01\0\0\x02\x03\x02"), ALERT_PROTOCOL_VERSION},
		{__LINE__, B("\x16\x03\0\0\x06\x01\0\0\x02\x03\0"), ALERT_PROTOCOL_VERSION},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hello h;
		enum hello_result rc = parse(cases[i].in, &h);
		if (rc != HELLO_BAD || h.alert != cases[i].alert)
			fail_msg("line %d: %d alert %d", cases[i].line, (int)rc, (int)h.alert);
		for (size_t n = 0; n < cases[i].in.len; n++) {
			rc = parse((struct span){cases[i].in.p, n}, &h);
			if (rc == HELLO_DONE || (rc == HELLO_BAD && h.alert != cases[i].alert))
				fail_msg("line %d, %zu bytes: %d alert %d", cases[i].line, n, (int)rc, (int)h.alert);
		}
	}
}

static void test_hello_may_stop_anywhere(void **state)
{
	(void)state;
	static const size_t record_max[] = {16384, 100, 3, 1};
	struct buf message, records;
	buf_init(&message, 65536);
	add_message(&message, 0x0303, SPAN_LIT("\x13\x01"), SPAN_LIT(ALPN_HTTP11 SNI_EXAMPLE));
	for (size_t i = 0; i < COUNT(record_max); i++) {
		struct hello h;
		buf_init(&records, 65536);
		add_records(&records, buf_span(&message), record_max[i]);
		for (size_t n = 0; n < records.len; n++)
			assert_int_equal(parse((struct span){records.p, n}, &h), HELLO_MORE);
		assert_int_equal(parse(buf_span(&records), &h), HELLO_DONE);
		/* what follows is the engine's business */
		(void)buf_add_text(&records, "\x17\x03\x03 anything");
		assert_int_equal(parse(buf_span(&records), &h), HELLO_DONE);
		assert_string_equal(h.name, "h.example");
		buf_deinit(&records);
	}
	buf_deinit(&message);
}

/* What follows the hello in its last record, or behind it, all there or not, is another matter's beginning. */
static void test_hello_unsplit_is_the_same_in_one_record(void **state)
{
	(void)state;
	static const size_t record_max[] = {16384, 100, 3, 1};
	static const char *const behind[] = {"", "next message", "\x14\x03\x03"};
	for (size_t i = 0; i < COUNT(record_max) * COUNT(behind); i++) {
		struct hello h;
		struct buf message, records, whole;
		struct span rest = span_of(behind[i / COUNT(record_max)]);
		size_t record = record_max[i % COUNT(record_max)];
		bool is_inside = rest.len > 3;
		buf_init(&message, 65536);
		buf_init(&records, 65536);
		buf_init(&whole, 65536);
		add_message(&message, 0x0303, SPAN_LIT("\x13\x01"), SPAN_LIT(ALPN_HTTP11 SNI_EXAMPLE));
		size_t len = message.len;
		if (is_inside)
			(void)buf_add_span(&message, rest);
		add_records(&records, buf_span(&message), record);
		if (is_inside)
			records.len -= 2; /* of the last record, not all is there yet */
		else
			(void)buf_add_span(&records, rest);
		assert_int_equal(parse(buf_span(&records), &h), HELLO_DONE);
		assert_int_equal(h.is_split, record < len);
		assert_int_equal(hello_unsplit((const uint8_t *)records.p, records.len, &whole), 0);
		assert_memory_equal(whole.p, "\x16\x03", 2);
		assert_int_equal((uint8_t)whole.p[3] << 8 | (uint8_t)whole.p[4], len);
		assert_memory_equal(whole.p + 5, message.p, len);
		if (!is_inside)
			assert_memory_equal(whole.p + 5 + len, rest.p, rest.len);
		else if (record > len)
			assert_memory_equal(whole.p + 5 + len, "\x16\x03\x01\x00\x0cnext messa", 15);
		buf_deinit(&message);
		buf_deinit(&records);
		buf_deinit(&whole);
	}
}

/* hello_with_name: a name of len bytes that ends in end. */
static enum hello_result parse_name(size_t len, char end, struct hello *h)
{
	struct buf extensions;
	buf_init(&extensions, 65536);
	add_u16(&extensions, 0);
	add_u16(&extensions, len + 5);
	add_u16(&extensions, len + 3);
	add_u8(&extensions, 0);
	add_u16(&extensions, len);
	for (size_t i = 1; i < len; i++)
		add_u8(&extensions, 'a');
	add_u8(&extensions, (size_t)end);
	enum hello_result rc = parse_extensions(buf_span(&extensions), 16384, h);
	buf_deinit(&extensions);
	return rc;
}

static void test_hello_longest_name_has_253_bytes(void **state)
{
	(void)state;
	static const struct {
		int line;
		size_t len;
		char end;
		enum hello_result rc;
		size_t name_len;
	} cases[] = {
		{__LINE__, 253, 'a', HELLO_DONE, 253}, {__LINE__, 254, 'a', HELLO_BAD, 0},
		{__LINE__, 253, '.', HELLO_DONE, 252}, {__LINE__, 254, '.', HELLO_DONE, 253},
		{__LINE__, 255, '.', HELLO_BAD, 0},    {__LINE__, 10000, 'a', HELLO_BAD, 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hello h;
		enum hello_result rc = parse_name(cases[i].len, cases[i].end, &h);
		if (rc != cases[i].rc || h.name_len != cases[i].name_len ||
		    (rc == HELLO_BAD && h.alert != ALERT_UNRECOGNIZED_NAME))
			fail_msg("line %d: %d alert %d length %zu", cases[i].line, (int)rc, (int)h.alert, h.name_len);
	}
}

static void test_hello_size_has_a_limit(void **state)
{
	(void)state;
	struct hello h;
	struct buf extension, message, records;
	buf_init(&extension, 65536);
	buf_init(&message, 65536);
	buf_init(&records, 65536 * 6);
	add_u16(&extension, 0x1a1a);
	add_u16(&extension, 8000);
	for (int i = 0; i < 8000; i++)
		add_u8(&extension, 0);
	add_message(&message, 0x0303, SPAN_LIT("\x13\x02"), buf_span(&extension));
	add_records(&records, buf_span(&message), 16384);
	assert_int_equal(parse(buf_span(&records), &h), HELLO_DONE);
	assert_false(h.offers_aes128_gcm);
	/* the same in crumbs: patience ends with the bytes that it may have */
	buf_reset(&records);
	add_records(&records, buf_span(&message), 2);
	assert_int_equal(parse((struct span){records.p, HELLO_MAX_BYTES - 1}, &h), HELLO_MORE);
	assert_int_equal(parse((struct span){records.p, HELLO_MAX_BYTES}, &h), HELLO_BAD);
	assert_int_equal(h.alert, ALERT_ILLEGAL_PARAMETER);
	buf_deinit(&extension);
	buf_deinit(&message);
	buf_deinit(&records);
}

static void test_hello_alert_is_a_record_of_the_clients_version(void **state)
{
	(void)state;
	struct hello h;
	uint8_t record[HELLO_ALERT_BYTES];
	assert_int_equal(parse_extensions(SPAN_LIT(SNI("\x06", "\x04\0\0\x01!")), 16384, &h), HELLO_BAD);
	hello_render_alert(&h, record);
	assert_memory_equal(record, "\x15\x03\x03\0\x02\x02\x70", sizeof record); /* A-S2 */
	assert_int_equal(parse(SPAN_LIT("\x16\x03\x01\0\x06\x01\0\0\x02\x03\x01"), &h), HELLO_BAD);
	hello_render_alert(&h, record);
	assert_memory_equal(record, "\x15\x03\x01\0\x02\x02\x46", sizeof record); /* A-S4 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_names_and_offers_are_found),
		cmocka_unit_test(test_hello_bad_extensions_are_refused),
		cmocka_unit_test(test_hello_bad_beginnings_are_refused),
		cmocka_unit_test(test_hello_may_stop_anywhere),
		cmocka_unit_test(test_hello_unsplit_is_the_same_in_one_record),
		cmocka_unit_test(test_hello_longest_name_has_253_bytes),
		cmocka_unit_test(test_hello_size_has_a_limit),
		cmocka_unit_test(test_hello_alert_is_a_record_of_the_clients_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

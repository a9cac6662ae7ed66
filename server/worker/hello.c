#include "hello.h"

#include "../../base/buf.h"
#include "../../base/err.h"

#include <string.h>

enum {
	RECORD_HEADER_BYTES = 5,
	RECORD_HANDSHAKE = 22,
	RECORD_ALERT = 21,
	RECORD_MAX_BYTES = 16384, /* RFC 8446 5.1 */
	MESSAGE_HEADER_BYTES = 4,
	MESSAGE_CLIENT_HELLO = 1,
	RANDOM_BYTES = 32,
	VERSION_TLS12 = 0x0303,
	SUITE_AES_128_GCM_SHA256 = 0x1301,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	NAME_TYPE_HOST = 0,
};

/* Reads the bytes of one handshake message, stepping over the headers of the records that carry it.
 * left counts what remains of the vector that it stands in; the first failure sticks and empties it. */
struct reader {
	const uint8_t *p;
	size_t record_left;
	size_t left;
	enum hello_alert alert;
};

static void fail(struct reader *r, enum hello_alert alert)
{
	if (!r->alert)
		r->alert = alert;
	r->left = 0;
}

static size_t record_length(const uint8_t *header)
{
	return (size_t)header[3] << 8 | header[4];
}

/* step: n bytes on, all of them in this vector and in records that were checked before. */
static void step(struct reader *r, size_t n)
{
	r->left -= n;
	while (n > r->record_left) {
		n -= r->record_left;
		r->p += r->record_left;
		r->record_left = record_length(r->p);
		r->p += RECORD_HEADER_BYTES;
	}
	r->p += n;
	r->record_left -= n;
}

static uint8_t get_u8(struct reader *r)
{
	if (r->left == 0) {
		fail(r, ALERT_DECODE_ERROR);
		return 0;
	}
	step(r, 1);
	return r->p[-1];
}

static uint16_t get_u16(struct reader *r)
{
	unsigned high = get_u8(r);
	return (uint16_t)(high << 8 | get_u8(r));
}

static void skip(struct reader *r, size_t n)
{
	if (n > r->left)
		fail(r, ALERT_DECODE_ERROR);
	else
		step(r, n);
}

/* enter: into a vector with a length of one or two bytes. Returns what lies behind it, for leave. */
static size_t enter(struct reader *r, int length_bytes)
{
	size_t n = length_bytes == 1 ? get_u8(r) : get_u16(r);
	if (n > r->left) {
		fail(r, ALERT_DECODE_ERROR);
		return 0;
	}
	size_t behind = r->left - n;
	r->left = n;
	return behind;
}

static void leave(struct reader *r, size_t behind)
{
	if (r->left)
		fail(r, ALERT_DECODE_ERROR);
	if (!r->alert)
		r->left = behind;
}

/* Underscore is no letter of a host name, but some are called so, and they may ask. */
static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static void read_host_name(struct reader *r, struct hello *out)
{
	if (out->name_len) { /* RFC 6066 3: not more than one name of the same type */
		fail(r, ALERT_ILLEGAL_PARAMETER);
		return;
	}
	if (r->left == 0)
		fail(r, ALERT_DECODE_ERROR);
	while (r->left && out->name_len < sizeof out->name) {
		char c = (char)get_u8(r);
		if (c >= 'A' && c <= 'Z') /* RFC 6066 3: compared without regard to case */
			c = (char)(c - 'A' + 'a');
		if (!is_name_char(c))
			fail(r, ALERT_UNRECOGNIZED_NAME);
		out->name[out->name_len++] = c;
	}
	/* RFC 6066 3 says no trailing dot; who sends one means the same host */
	if (out->name_len && out->name[out->name_len - 1] == '.')
		out->name_len--;
	if (r->left || out->name_len == 0 || out->name_len > NAME_MAX_BYTES)
		fail(r, ALERT_UNRECOGNIZED_NAME);
	else
		out->name[out->name_len] = '\0';
}

static void read_server_name(struct reader *r, struct hello *out)
{
	size_t behind_list = enter(r, 2);
	if (r->left == 0)
		fail(r, ALERT_DECODE_ERROR);
	while (r->left) {
		uint8_t type = get_u8(r);
		size_t behind = enter(r, 2); /* RFC 6066 3: names of every type begin with their length */
		if (type == NAME_TYPE_HOST)
			read_host_name(r, out);
		else
			skip(r, r->left);
		leave(r, behind);
	}
	leave(r, behind_list);
}

static void read_alpn(struct reader *r, struct hello *out)
{
	out->has_alpn = true;
	size_t behind_list = enter(r, 2);
	if (r->left == 0)
		fail(r, ALERT_DECODE_ERROR);
	while (r->left) {
		size_t behind = enter(r, 1);
		char name[sizeof "acme-tls/1" - 1];
		size_t len = r->left, n = 0;
		if (len == 0) /* RFC 7301 3.1 */
			fail(r, ALERT_DECODE_ERROR);
		while (r->left && n < sizeof name)
			name[n++] = (char)get_u8(r);
		skip(r, r->left);
		out->offers_http11 |= len == 8 && memcmp(name, "http/1.1", 8) == 0;
		out->offers_acme_tls |= len == 10 && memcmp(name, "acme-tls/1", 10) == 0;
		leave(r, behind);
	}
	leave(r, behind_list);
}

/* is_first: RFC 8446 4.2: not more than one extension of the same type. */
static bool is_first(struct reader *r, bool *seen)
{
	bool was_seen = *seen;
	*seen = true;
	if (was_seen)
		fail(r, ALERT_ILLEGAL_PARAMETER);
	return !was_seen;
}

static void read_extensions(struct reader *r, struct hello *out)
{
	bool has_name = false, has_alpn = false;
	size_t behind_all = enter(r, 2);
	while (r->left) {
		uint16_t type = get_u16(r);
		size_t behind = enter(r, 2);
		if (type == EXTENSION_SERVER_NAME && is_first(r, &has_name))
			read_server_name(r, out);
		else if (type == EXTENSION_ALPN && is_first(r, &has_alpn))
			read_alpn(r, out);
		else
			skip(r, r->left);
		leave(r, behind);
	}
	leave(r, behind_all);
}

/* RFC 8446 4.1.2, RFC 5246 7.4.1.2 */
static void read_client_hello(struct reader *r, struct hello *out)
{
	uint16_t version = get_u16(r);
	if (version < VERSION_TLS12) {
		out->version = version;
		fail(r, ALERT_PROTOCOL_VERSION);
		return;
	}
	skip(r, RANDOM_BYTES);
	size_t behind = enter(r, 1);
	skip(r, r->left); /* session id */
	leave(r, behind);
	behind = enter(r, 2);
	while (r->left)
		out->offers_aes128_gcm |= get_u16(r) == SUITE_AES_128_GCM_SHA256;
	leave(r, behind);
	behind = enter(r, 1);
	skip(r, r->left); /* compression methods */
	leave(r, behind);
	if (r->left) /* a hello without any extension is one too */
		read_extensions(r, out);
	leave(r, 0);
}

static enum hello_result bad(struct hello *out, enum hello_alert alert)
{
	out->alert = alert;
	out->name[0] = '\0';
	out->name_len = 0;
	return HELLO_BAD;
}

/* check_record: the header of a record, or as much of it as is there. */
static enum hello_result check_record(const uint8_t *in, size_t len, bool is_first, struct hello *out)
{
	if (len >= 1 && in[0] != RECORD_HANDSHAKE)
		return bad(out, is_first ? ALERT_NONE : ALERT_UNEXPECTED_MESSAGE);
	if (len >= 2 && is_first && in[1] != 3) /* all of SSL 3 to TLS 1.3; else: no TLS */
		return bad(out, ALERT_NONE);
	if (len < RECORD_HEADER_BYTES)
		return HELLO_MORE;
	if (record_length(in) > RECORD_MAX_BYTES)
		return bad(out, ALERT_RECORD_OVERFLOW);
	if (record_length(in) == 0) /* RFC 8446 5.1: no empty handshake records */
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	return HELLO_DONE;
}

/* find_message: is the whole message there? Puts r before its header. */
static enum hello_result find_message(const uint8_t *in, size_t len, struct reader *r, struct hello *out)
{
	uint8_t header[MESSAGE_HEADER_BYTES];
	size_t pos = 0, have = 0, want = sizeof header;
	while (have < want) {
		enum hello_result rc = check_record(in + pos, len - pos, pos == 0, out);
		if (rc != HELLO_DONE)
			return rc;
		size_t record = record_length(in + pos);
		pos += RECORD_HEADER_BYTES;
		size_t there = record < len - pos ? record : len - pos;
		for (size_t i = 0; i < there && have + i < sizeof header; i++)
			header[have + i] = in[pos + i];
		have += there;
		if (have && header[0] != MESSAGE_CLIENT_HELLO)
			return bad(out, ALERT_UNEXPECTED_MESSAGE);
		if (have >= sizeof header)
			want = sizeof header + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
		if (want > HELLO_MAX_BYTES)
			return bad(out, ALERT_ILLEGAL_PARAMETER);
		if (there < record && have < want)
			return HELLO_MORE;
		pos += there;
	}
	*r = (struct reader){.p = in, .left = want};
	out->is_split = RECORD_HEADER_BYTES + record_length(in) < pos;
	return HELLO_DONE;
}

enum hello_result hello_parse(const uint8_t *in, size_t len, struct hello *out)
{
	*out = (struct hello){.version = VERSION_TLS12};
	struct reader r;
	if (len > HELLO_MAX_BYTES) /* or the result would depend on how much came in one read */
		len = HELLO_MAX_BYTES;
	enum hello_result rc = find_message(in, len, &r, out);
	if (rc == HELLO_MORE && len == HELLO_MAX_BYTES)
		return bad(out, ALERT_ILLEGAL_PARAMETER);
	if (rc != HELLO_DONE)
		return rc;
	step(&r, MESSAGE_HEADER_BYTES);
	read_client_hello(&r, out);
	return r.alert ? bad(out, r.alert) : HELLO_DONE;
}

/* add_header: of a handshake record, with the version of the one at in. */
static int add_header(struct buf *out, const uint8_t *in, size_t record)
{
	const uint8_t header[RECORD_HEADER_BYTES] = {
		RECORD_HANDSHAKE, in[1], in[2], (uint8_t)(record >> 8), (uint8_t)record,
	};
	return buf_add(out, header, sizeof header);
}

int hello_unsplit(const uint8_t *in, size_t len, struct buf *out)
{
	struct reader r;
	struct hello unwanted;
	if (find_message(in, len, &r, &unwanted) != HELLO_DONE)
		return ERR_RANGE;
	(void)add_header(out, in, r.left);
	while (r.left) {
		uint8_t byte = get_u8(&r);
		(void)buf_add(out, &byte, 1);
	}
	if (r.record_left) /* another message begins in its last record, which may not be all there */
		(void)add_header(out, in, r.record_left);
	return buf_add(out, r.p, (size_t)(in + len - r.p));
}

void hello_render_alert(const struct hello *h, uint8_t out[HELLO_ALERT_BYTES])
{
	/* level 2: fatal. OpenSSL takes an alert only under the version that it offered */
	const uint8_t record[HELLO_ALERT_BYTES] = {
		RECORD_ALERT, (uint8_t)(h->version >> 8), (uint8_t)h->version, 0, 2, 2, (uint8_t)h->alert,
	};
	memcpy(out, record, sizeof record);
}

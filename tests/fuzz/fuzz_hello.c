/* Any bytes as the beginning of a TLS connection. Besides memory: what is promised of the three results.
 * The mutator takes a ClientHello apart, changes a part, and puts it together with lengths that agree; bytes that are
 * changed blindly hardly get past the first length. */
#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../server/worker/hello.h"
#include "fuzz.h"

#include <string.h>

static void check_done(const struct hello *h)
{
	insist(h->name_len <= NAME_MAX_BYTES && strlen(h->name) == h->name_len && h->version == 0x0303);
	insist(strspn(h->name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == h->name_len);
	insist(h->has_alpn || (!h->offers_http11 && !h->offers_acme_tls));
}

/* check_unsplit: the same hello, in one record. */
static void check_unsplit(const uint8_t *data, size_t size, const struct hello *h)
{
	struct buf whole;
	struct hello again;
	buf_init(&whole, size + 10);
	insist(hello_unsplit(data, size, &whole) == 0 || whole.failed == ERR_NOMEM);
	if (!whole.failed) {
		insist(hello_parse((const uint8_t *)whole.p, whole.len, &again) == HELLO_DONE && !again.is_split);
		insist(strcmp(again.name, h->name) == 0 && again.offers_http11 == h->offers_http11);
		insist(again.offers_aes128_gcm == h->offers_aes128_gcm && whole.len <= size + 5);
	}
	buf_deinit(&whole);
}

static void check_bad(const struct hello *h)
{
	uint8_t record[HELLO_ALERT_BYTES];
	insist(h->name_len == 0 && h->version <= 0x0303);
	hello_render_alert(h, record);
	insist(record[0] == 21 && record[3] == 0 && record[4] == 2 && record[5] == 2 && record[6] == h->alert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello whole, part;
	enum hello_result rc = hello_parse(data, size, &whole);
	if (rc == HELLO_DONE) {
		check_done(&whole);
		check_unsplit(data, size, &whole);
	}
	if (rc == HELLO_BAD)
		check_bad(&whole);
	insist(rc != HELLO_MORE || size < HELLO_MAX_BYTES);
	/* more bytes never change what was certain */
	enum hello_result before = hello_parse(data, size > HELLO_MAX_BYTES ? HELLO_MAX_BYTES : size / 2, &part);
	if (before != HELLO_MORE)
		insist(rc == before && whole.alert == part.alert && strcmp(whole.name, part.name) == 0);
	return 0;
}

/* --- the mutator --- */

enum { PART_MAX_BYTES = 4096, PARTS_MAX_COUNT = 64, RECORD_HEAD_BYTES = 5, MESSAGE_HEAD_BYTES = 4 };

/* A stretch of bytes with its own memory. */
struct part {
	unsigned type; /* of an extension */
	size_t len;
	uint8_t bytes[PART_MAX_BYTES];
};

static struct part fixed; /* from version to compression methods, with their own lengths */
static struct part extensions[PARTS_MAX_COUNT];
static size_t extension_count;
static uint8_t message[1 << 16];
static uint32_t seed;

static size_t below(size_t n)
{
	return fuzz_random(&seed) % n;
}

static unsigned get_u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put_u16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void fill(struct part *to, const uint8_t *p, size_t len)
{
	to->len = len < PART_MAX_BYTES ? len : PART_MAX_BYTES;
	memcpy(to->bytes, p, to->len);
}

/* strip: what is in the handshake records, into message. */
static size_t strip(const uint8_t *p, size_t len)
{
	size_t out = 0;
	while (len > RECORD_HEAD_BYTES && p[0] == 22) {
		size_t n = get_u16(p + 3);
		p += RECORD_HEAD_BYTES;
		len -= RECORD_HEAD_BYTES;
		n = n < len ? n : len;
		n = n < sizeof message - out ? n : sizeof message - out;
		memcpy(message + out, p, n);
		out += n;
		p += n;
		len -= n;
	}
	return out;
}

/* skip: behind a vector whose length has so many bytes. 0: it is not all there. */
static size_t skip(size_t at, size_t len, size_t length_bytes)
{
	if (at == 0 || at + length_bytes > len)
		return 0;
	size_t n = length_bytes == 1 ? message[at] : get_u16(message + at);
	return at + length_bytes + n <= len ? at + length_bytes + n : 0;
}

static bool take_apart(const uint8_t *p, size_t p_len)
{
	size_t len = strip(p, p_len);
	size_t at = skip(MESSAGE_HEAD_BYTES + 2 + 32, len, 1); /* RFC 8446 4.1.2: version, random, session id, */
	at = skip(at, len, 2);                                 /* suites, */
	at = skip(at, len, 1);                                 /* compression methods */
	if (at == 0)
		return false;
	fill(&fixed, message + MESSAGE_HEAD_BYTES, at - MESSAGE_HEAD_BYTES);
	extension_count = 0;
	for (at += 2; at + 4 <= len && extension_count < PARTS_MAX_COUNT; extension_count++) {
		size_t n = get_u16(message + at + 2);
		n = n < len - at - 4 ? n : len - at - 4;
		extensions[extension_count].type = get_u16(message + at);
		fill(&extensions[extension_count], message + at + 4, n);
		at += 4 + n;
	}
	return true;
}

/* mend: the inner lengths of a server name and of a list of protocols with one entry. */
static void mend(struct part *e)
{
	if (e->type == 0 && e->len >= 5) { /* RFC 6066 3 */
		put_u16(e->bytes, e->len - 2);
		put_u16(e->bytes + 3, e->len - 5);
	} else if (e->type == 16 && e->len >= 3) { /* RFC 7301 3.1 */
		put_u16(e->bytes, e->len - 2);
		e->bytes[2] = (uint8_t)(e->len - 3);
	}
}

static void add_extension(void)
{
	static const uint16_t types[] = {0, 5, 10, 13, 16, 18, 21, 35, 42, 43, 44, 45, 51, 0x0a0a, 65281};
	if (extension_count == PARTS_MAX_COUNT)
		return;
	struct part *e = &extensions[extension_count++];
	if (below(2)) {
		*e = extensions[below(extension_count)];
		return;
	}
	*e = (struct part){.type = types[below(sizeof types / sizeof *types)]};
	e->len = LLVMFuzzerMutate(e->bytes, 0, PART_MAX_BYTES);
}

static void change_extension(struct part *e)
{
	switch (below(4)) {
	case 0: e->type = (unsigned)below(60); break;
	case 1: e->len = 0; break;
	default: e->len = LLVMFuzzerMutate(e->bytes, e->len, PART_MAX_BYTES); break;
	}
	if (below(4))
		mend(e);
}

static void change_a_part(void)
{
	size_t i = extension_count ? below(extension_count) : 0;
	switch (below(8)) {
	case 0: fixed.len = LLVMFuzzerMutate(fixed.bytes, fixed.len, PART_MAX_BYTES); break;
	case 1: add_extension(); break;
	case 2:
		if (extension_count)
			extensions[i] = extensions[--extension_count];
		break;
	case 3: break; /* other records only */
	default:
		if (extension_count)
			change_extension(&extensions[i]);
		break;
	}
}

static size_t put(size_t at, const uint8_t *p, size_t len)
{
	len = len < sizeof message - at ? len : sizeof message - at;
	memcpy(message + at, p, len);
	return at + len;
}

static size_t put_together(void)
{
	uint8_t head[4];
	size_t at = put(MESSAGE_HEAD_BYTES, fixed.bytes, fixed.len), list = at;
	at = put(at, (const uint8_t[2]){0}, 2);
	for (size_t i = 0; i < extension_count; i++) {
		put_u16(head, extensions[i].type);
		put_u16(head + 2, extensions[i].len);
		at = put(put(at, head, sizeof head), extensions[i].bytes, extensions[i].len);
	}
	if (list + 2 <= at)
		put_u16(message + list, at - list - 2);
	message[0] = 1;
	message[1] = 0;
	put_u16(message + 2, at - MESSAGE_HEAD_BYTES);
	return at;
}

/* wrap: message as records, all of about the same length. */
static size_t wrap(size_t len, uint8_t *out, size_t max)
{
	size_t record = below(2) ? 16384 : 1 + below(300), at = 0, done = 0;
	while (done < len && max - at > RECORD_HEAD_BYTES) {
		size_t n = record < len - done ? record : len - done;
		n = n < max - at - RECORD_HEAD_BYTES ? n : max - at - RECORD_HEAD_BYTES;
		memcpy(out + at, (const uint8_t[]){22, 3, 1}, 3);
		put_u16(out + at + 3, n);
		memcpy(out + at + RECORD_HEAD_BYTES, message + done, n);
		at += RECORD_HEAD_BYTES + n;
		done += n;
	}
	return at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned new_seed)
{
	seed = new_seed | 1;
	if (below(4) == 0 || !take_apart(bytes, len))
		return LLVMFuzzerMutate(bytes, len, max);
	change_a_part();
	return wrap(put_together(), bytes, max);
}

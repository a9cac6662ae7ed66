#include "reply.h"

#include "../../base/err.h"

#include <ares.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
	HEADER_BYTES = 12, /* RFC 1035 4.1.1 */
	MESSAGE_MAX_BYTES = 65535,
	NAME_TEXT_BYTES = 1024, /* 255 octets, each as \DDD at worst */
	CHAIN_MAX = 16,         /* CNAMEs: what common resolvers follow */
	RECORDS_MAX_COUNT = 1024,
	CLASS_IN = 1,
	RCODE_MASK = 0x0F,
	RCODE_NAME_ERROR = 3,
};

static const char garbled[] = "the answer is garbled";

/* The answer section, record by record; reply is where it is said that something is wrong. */
struct walk {
	const unsigned char *p;
	size_t len, at;
	unsigned left;
	struct reply *reply;
};

struct answer {
	char owner[NAME_TEXT_BYTES];
	unsigned type, class;
	size_t data_at, data_len;
};

void reply_init(struct reply *r)
{
	*r = (struct reply){0};
	buf_init(&r->text, MESSAGE_MAX_BYTES + NAME_TEXT_BYTES + 1);
}

void reply_deinit(struct reply *r)
{
	buf_deinit(&r->text);
	*r = (struct reply){0};
}

static void clear(struct reply *r, enum reply_kind kind, const char *reason)
{
	r->kind = kind;
	r->reason = reason;
	r->is_truncated = r->is_refusal = false;
	r->count = 0;
	buf_reset(&r->text);
}

void reply_fail(struct reply *r, const char *reason)
{
	clear(r, REPLY_FAILED, reason);
}

static bool fail(struct walk *w, const char *reason)
{
	w->reply->kind = REPLY_FAILED;
	w->reply->reason = reason;
	w->reply->count = 0;
	return false;
}

static unsigned u16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The name at w->p + at, compressed or not; *used: its octets there. */
static bool read_name(struct walk *w, size_t at, char out[NAME_TEXT_BYTES], size_t *used)
{
	char *name = NULL;
	long len = 0;
	int rc = at < w->len ? ares_expand_name(w->p + at, w->p, (int)w->len, &name, &len) : ARES_EBADNAME;
	if (rc != ARES_SUCCESS)
		return fail(w, rc == ARES_ENOMEM ? "out of memory" : garbled);
	size_t text_len = strlen(name);
	bool fits = text_len < NAME_TEXT_BYTES;
	if (fits)
		memcpy(out, name, text_len + 1);
	ares_free_string(name);
	*used = (size_t)len;
	return fits ? true : fail(w, garbled);
}

/* RFC 1035 4.1.3. False at the end, and where the message is broken. */
static bool next(struct walk *w, struct answer *a)
{
	size_t used;
	if (w->left == 0 || !read_name(w, w->at, a->owner, &used))
		return false;
	w->left--;
	w->at += used;
	if (w->at + 10 > w->len)
		return fail(w, garbled);
	a->type = u16(w->p + w->at);
	a->class = u16(w->p + w->at + 2);
	a->data_len = u16(w->p + w->at + 8);
	a->data_at = w->at + 10;
	w->at = a->data_at + a->data_len;
	return w->at <= w->len ? true : fail(w, garbled);
}

/* Behind header and question, which c-ares has compared: there is one. */
static bool begin(struct walk *w, struct span message, struct reply *r)
{
	char name[NAME_TEXT_BYTES];
	size_t used;
	*w = (struct walk){.p = (const unsigned char *)message.p, .len = message.len, .reply = r};
	if (w->len < HEADER_BYTES || w->len > MESSAGE_MAX_BYTES || u16(w->p + 4) != 1)
		return fail(w, garbled);
	if (!read_name(w, HEADER_BYTES, name, &used))
		return false;
	w->at = HEADER_BYTES + used + 4;
	w->left = u16(w->p + 6);
	return w->left <= RECORDS_MAX_COUNT ? true : fail(w, "the answer has more records than can be looked at");
}

static bool is_same_name(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	a_len -= a_len && a[a_len - 1] == '.';
	b_len -= b_len && b[b_len - 1] == '.';
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static bool read_target(struct walk *w, const struct answer *a, char out[NAME_TEXT_BYTES])
{
	size_t used;
	if (!read_name(w, a->data_at, out, &used))
		return false;
	return used == a->data_len ? true : fail(w, garbled);
}

/* One step along the chain of CNAMEs, in whatever order they stand: name becomes the target. */
static bool follow_one(struct walk w, char name[NAME_TEXT_BYTES])
{
	struct answer a;
	while (next(&w, &a))
		if (a.type == REPLY_CNAME && a.class == CLASS_IN && is_same_name(a.owner, name))
			return read_target(&w, &a, name);
	return false;
}

/* RFC 1034 3.6.2 */
static bool follow(struct walk *w, char name[NAME_TEXT_BYTES])
{
	for (int hops = 0; hops <= CHAIN_MAX; hops++)
		if (!follow_one(*w, name))
			return w->reply->kind != REPLY_FAILED;
	return fail(w, "its CNAMEs go in a circle, or too far");
}

static bool add_text(struct walk *w, const struct answer *a, struct span *out)
{
	struct buf *text = &w->reply->text;
	size_t from = text->len, at = a->data_at, end = a->data_at + a->data_len;
	if (at == end) /* RFC 1035 3.3.14: one string or more */
		return fail(w, garbled);
	for (size_t len; at < end; at += 1 + len) {
		len = w->p[at];
		if (at + 1 + len > end)
			return fail(w, garbled);
		(void)buf_add(text, w->p + at + 1, len);
	}
	*out = (struct span){text->p + from, text->len - from};
	return true;
}

static bool add_name(struct walk *w, const struct answer *a, struct span *out)
{
	char name[NAME_TEXT_BYTES];
	struct buf *text = &w->reply->text;
	size_t from = text->len;
	if (w->reply->count) /* RFC 2181 10.1 */
		return fail(w, "the answer has several CNAMEs for one name");
	if (!read_target(w, a, name))
		return false;
	for (char *c = name; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	(void)buf_add_text(text, name);
	(void)buf_add_char(text, '.');
	*out = (struct span){text->p + from, text->len - from};
	return true;
}

static bool add_address(struct walk *w, const struct answer *a, size_t len, struct span *out)
{
	*out = (struct span){(const char *)w->p + a->data_at, len};
	return a->data_len == len ? true : fail(w, garbled);
}

static bool add(struct walk *w, const struct answer *a)
{
	struct reply *r = w->reply;
	struct span item = {NULL, 0};
	if (r->count == REPLY_ITEMS_MAX)
		return fail(w, "the answer has more records than can be looked at");
	bool is_good = a->type == REPLY_TXT     ? add_text(w, a, &item)
		       : a->type == REPLY_CNAME ? add_name(w, a, &item)
						: add_address(w, a, a->type == REPLY_A ? 4 : 16, &item);
	if (is_good)
		r->items[r->count++] = item;
	return is_good;
}

static void collect(struct walk *w, const char *name, enum reply_type type)
{
	struct reply *r = w->reply;
	struct answer a;
	bool has_strangers = false;
	while (r->kind != REPLY_FAILED && next(w, &a)) {
		if (a.type != type || a.class != CLASS_IN)
			continue;
		if (!is_same_name(a.owner, name))
			has_strangers = true;
		else if (add(w, &a))
			r->kind = REPLY_FOUND;
	}
	if (r->kind == REPLY_NONE && has_strangers)
		(void)fail(w, "the answer says nothing, for it is about another name");
}

static void look_at_code(struct walk *w)
{
	static const char *const codes[16] = {
		[1] = "the resolver says FORMERR", [2] = "the resolver says SERVFAIL", [4] = "the resolver says NOTIMP",
		[5] = "the resolver says REFUSED", [9] = "the resolver says NOTAUTH",
	};
	unsigned code = w->p[3] & RCODE_MASK;
	if (code == 0 || code == RCODE_NAME_ERROR)
		return;
	w->reply->is_refusal = true;
	(void)fail(w, codes[code] ? codes[code] : "the resolver says an unknown error");
}

void reply_parse(struct span message, const char *name, enum reply_type type, struct reply *r)
{
	struct walk w;
	char at[NAME_TEXT_BYTES];
	size_t name_len = strlen(name);
	clear(r, REPLY_NONE, NULL);
	if (buf_reserve(&r->text, message.len + NAME_TEXT_BYTES + 1) != 0 || name_len >= sizeof at) {
		reply_fail(r, r->text.failed == ERR_NOMEM ? "out of memory" : garbled); /* so that spans into it stay */
		return;
	}
	if (!begin(&w, message, r))
		return;
	r->is_truncated = w.p[2] & 0x02;
	look_at_code(&w);
	memcpy(at, name, name_len + 1);
	/* NXDOMAIN is said of the end of the chain (RFC 6604 3): its beginning is there all the same */
	bool is_end_missing = (w.p[3] & RCODE_MASK) == RCODE_NAME_ERROR;
	if (r->kind != REPLY_FAILED && (type == REPLY_CNAME || (!is_end_missing && follow(&w, at))))
		collect(&w, at, type);
	/* a referral (RFC 1034 4.3.2) says nothing of what there is: neither AA nor RA */
	if (r->kind == REPLY_NONE && !(w.p[2] & 0x04) && !(w.p[3] & 0x80))
		(void)fail(&w, "the resolver neither knows nor asks others");
}

#include "compare.h"

#include "../../base/addr.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

enum { V4_BYTES = 4, V6_BYTES = 16 };

static const struct span policy_version = {"v=STSv1", 7};

static enum reply_type wire_type(enum record_type t)
{
	static const enum reply_type types[] = {REPLY_CNAME, REPLY_A, REPLY_AAAA, REPLY_TXT};
	return types[t];
}

/* Records of one name stand together: what has been asked already is among the last two. */
static void add_question(struct compare_question *out, size_t *count, struct span name, enum reply_type type)
{
	for (size_t i = *count > 2 ? *count - 2 : 0; i < *count; i++)
		if (out[i].type == type && span_is(out[i].name, name))
			return;
	out[(*count)++] = (struct compare_question){.name = name, .type = type};
}

size_t compare_ask(const struct record_set *s, struct compare_question *out)
{
	size_t count = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = &s->items[i];
		bool is_address = r->type == RECORD_A || r->type == RECORD_AAAA;
		add_question(out, &count, r->name, is_address ? REPLY_A : wire_type(r->type));
		if (is_address)
			add_question(out, &count, r->name, REPLY_AAAA);
	}
	return count;
}

/* What its kind is known by: "v=STSv1" of "v=STSv1; id=1;". */
static struct span version_of(struct span text)
{
	const char *end = text.len ? memchr(text.p, ';', text.len) : NULL;
	return end ? (struct span){text.p, (size_t)(end - text.p)} : text;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool has_version(struct span text, struct span version)
{
	return text.len >= version.len && memcmp(text.p, version.p, version.len) == 0 &&
	       (text.len == version.len || !is_alnum(text.p[version.len]));
}

static bool is_equal_name(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

static bool is_equal_address(struct span text, int family, struct span octets)
{
	char copy[ADDR_TEXT_BYTES];
	uint8_t ours[V6_BYTES];
	if (text.len >= sizeof copy)
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, ours) == 1 && memcmp(ours, octets.p, octets.len) == 0;
}

static bool is_equal(const struct record *ours, struct span item)
{
	switch (ours->type) {
	case RECORD_CNAME: return is_equal_name(ours->data, item);
	case RECORD_A: return item.len == V4_BYTES && is_equal_address(ours->data, AF_INET, item);
	case RECORD_AAAA: return item.len == V6_BYTES && is_equal_address(ours->data, AF_INET6, item);
	default: return span_is(ours->data, item);
	}
}

static bool is_asked(const struct compare_question *q, const struct record *r)
{
	return wire_type(r->type) == q->type && span_is(r->name, q->name);
}

/* Texts of another kind, such as those of a wildcard, are nobody's business here. */
static bool counts(const struct record_set *s, const struct compare_question *q, struct span item)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_asked(q, &s->items[i]) &&
		    (q->type != REPLY_TXT || has_version(item, version_of(s->items[i].data))))
			return true;
	return q->type != REPLY_TXT;
}

static bool is_ours(const struct record_set *s, const struct compare_question *q, struct span item)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_asked(q, &s->items[i]) && is_equal(&s->items[i], item))
			return true;
	return false;
}

static bool is_there(const struct record *ours, const struct reply *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_equal(ours, r->items[i]))
			return true;
	return false;
}

static bool is_repeated(const struct reply *r, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (span_is(r->items[before], r->items[i]))
			return true;
	return false;
}

static bool is_all_there(const struct record_set *s, const struct compare_question *q, const struct reply *r)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_asked(q, &s->items[i]) && !is_there(&s->items[i], r))
			return false;
	return true;
}

enum compare_finding compare_look(const struct record_set *s, const struct compare_question *q, const struct reply *r)
{
	bool is_any = false;
	if (r->kind == REPLY_FAILED)
		return COMPARE_UNKNOWN;
	for (size_t i = 0; i < r->count; i++) {
		if (!counts(s, q, r->items[i]))
			continue;
		if (!is_ours(s, q, r->items[i]) || is_repeated(r, i))
			return COMPARE_OTHER;
		is_any = true;
	}
	if (!is_any)
		return COMPARE_NOTHING;
	return is_all_there(s, q, r) ? COMPARE_EQUAL : COMPARE_PART;
}

static bool is_wanted(const struct record_set *s, const struct compare_question *q)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_asked(q, &s->items[i]))
			return true;
	return false;
}

static bool is_host(struct span name)
{
	return name.len && name.p[0] != '_';
}

/* Does the host answer with what is ours, and nothing else? Only then nobody else can have the domain, and its policy
 * record: that the host is not there proves nothing, for another provider may have a record of a type that was not
 * asked for, or not yet have any. */
static bool is_host_ours(const struct compare_question *q, size_t q_count)
{
	bool is_any = false;
	for (size_t i = 0; i < q_count; i++) {
		if (!is_host(q[i].name) || q[i].finding == COMPARE_NOTHING)
			continue;
		if (q[i].finding == COMPARE_OTHER || q[i].finding == COMPARE_UNKNOWN)
			return false;
		is_any = true;
	}
	return is_any;
}

static bool is_left_over(const struct record *r, const struct compare_question *q, size_t q_count)
{
	bool is_any = false;
	bool may_be_older = r->type == RECORD_TXT && has_version(r->data, policy_version) && is_host_ours(q, q_count);
	for (size_t i = 0; i < q_count; i++) {
		if (!span_is(q[i].name, r->name) || q[i].finding == COMPARE_NOTHING)
			continue;
		if (q[i].finding == COMPARE_UNKNOWN || (q[i].finding == COMPARE_OTHER && !may_be_older))
			return false;
		is_any = true;
	}
	return is_any;
}

static bool is_missing(const struct record_set *s, const struct record *r, const struct compare_question *q,
		       size_t q_count)
{
	for (size_t i = 0; i < q_count; i++)
		if (span_is(q[i].name, r->name) && q[i].finding != COMPARE_UNKNOWN &&
		    q[i].finding != (is_wanted(s, &q[i]) ? COMPARE_EQUAL : COMPARE_NOTHING))
			return true;
	return false;
}

static bool differs(const struct record_set *s, const struct record *r, const struct compare_question *q,
		    size_t q_count)
{
	return r->state == RECORD_GONE ? is_left_over(r, q, q_count) : is_missing(s, r, q, q_count);
}

bool compare_differs(const struct record_set *s, const struct compare_question *q, size_t q_count)
{
	for (size_t i = 0; i < s->count; i++)
		if (differs(s, &s->items[i], q, q_count))
			return true;
	return false;
}

void compare_pick(const struct record_set *s, const struct compare_question *q, size_t q_count, bool whole,
		  struct record_set *out)
{
	bool wants_all = whole && compare_differs(s, q, q_count);
	out->domain = s->domain;
	out->count = 0;
	for (size_t i = 0; i < s->count; i++)
		if (wants_all || differs(s, &s->items[i], q, q_count))
			out->items[out->count++] = s->items[i];
}

/* Any bytes as an answer of the DNS: what reply.h promises of what comes back, and compare.h of what is made of it.
 * Input: one octet that chooses the type, the rest is the message; asked was NAME. */
#include "../../server/verify/compare.h"
#include "../../server/verify/reply.h"
#include "fuzz.h"

#include <string.h>

#define NAME "_mta-sts.example.com."

static bool is_within(struct span item, struct span whole)
{
	return item.len == 0 || (item.p >= whole.p && item.p + item.len <= whole.p + whole.len);
}

static void check_item(const struct reply *r, struct span item, struct span message, enum reply_type type)
{
	insist(is_within(item, message) || is_within(item, buf_span(&r->text)));
	insist(type != REPLY_A || item.len == 4);
	insist(type != REPLY_AAAA || item.len == 16);
	insist(type != REPLY_CNAME || (item.len >= 1 && item.p[item.len - 1] == '.'));
	for (size_t i = 0; type == REPLY_CNAME && i < item.len; i++)
		insist(item.p[i] >= ' ' && item.p[i] < 0x7F && !(item.p[i] >= 'A' && item.p[i] <= 'Z'));
}

static void check_reply(const struct reply *r, struct span message, enum reply_type type)
{
	insist(r->count <= REPLY_ITEMS_MAX && (r->count > 0) == (r->kind == REPLY_FOUND));
	insist((r->reason != NULL) == (r->kind == REPLY_FAILED));
	insist(!r->is_refusal || r->kind == REPLY_FAILED);
	insist(type != REPLY_CNAME || r->count <= 1);
	for (size_t i = 0; i < r->count; i++)
		check_item(r, r->items[i], message, type);
}

static void check_compare(const struct reply *r, enum reply_type type)
{
	static const enum record_type types[] = {[REPLY_A] = RECORD_A,
						 [REPLY_CNAME] = RECORD_CNAME,
						 [REPLY_TXT] = RECORD_TXT,
						 [REPLY_AAAA] = RECORD_AAAA};
	static const char *const datas[RECORD_TYPE_COUNT] = {"p.example.", "192.0.2.1", "2001:db8::1",
							     "v=STSv1; id=1;"};
	struct record item = {.name = SPAN_LIT(NAME), .type = types[type], .data = span_of(datas[types[type]])},
		      picked_item;
	struct record_set set = {.items = &item, .count = 1}, picked = {.items = &picked_item};
	struct compare_question q[COMPARE_QUESTIONS_PER_RECORD];
	size_t count = compare_ask(&set, q);
	for (size_t i = 0; i < count; i++)
		q[i].finding = compare_look(&set, &q[i], r);
	bool has_difference = compare_differs(&set, q, count);
	compare_pick(&set, q, count, false, &picked);
	insist(has_difference == (picked.count == 1));
	insist(!has_difference || r->kind != REPLY_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum reply_type types[] = {REPLY_TXT, REPLY_A, REPLY_AAAA, REPLY_CNAME};
	struct reply r;
	if (size == 0)
		return 0;
	enum reply_type type = types[data[0] % 4];
	uint8_t *copy = malloc(size == 1 ? 1 : size - 1); /* of its own, so that a sanitizer sees where it ends */
	insist(copy);
	memcpy(copy, data + 1, size - 1);
	struct span message = {(const char *)copy, size - 1};
	reply_init(&r);
	reply_parse(message, NAME, type, &r);
	check_reply(&r, message, type);
	check_compare(&r, type);
	reply_deinit(&r);
	free(copy);
	return 0;
}

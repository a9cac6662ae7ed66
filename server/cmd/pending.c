#include "pending.h"

#include <stdlib.h>
#include <string.h>

static size_t text_bytes(const struct record_set *s)
{
	size_t bytes = s->domain.len + 1;
	for (size_t i = 0; i < s->count; i++)
		bytes += s->items[i].name.len + s->items[i].data.len + 2;
	return bytes;
}

static struct span copy(struct span text, char **at)
{
	struct span out = {*at, text.len};
	if (text.len)
		memcpy(*at, text.p, text.len);
	(*at)[text.len] = '\0';
	*at += text.len + 1;
	return out;
}

/* What has to be aligned comes first, the text last. */
struct pending *pending_new(const struct record_set *s)
{
	size_t question_max = s->count * COMPARE_QUESTIONS_PER_RECORD;
	size_t record_bytes = s->count * sizeof *s->items,
	       question_bytes = question_max * sizeof(struct compare_question);
	size_t ask_bytes = question_max * sizeof(struct pending_ask);
	size_t bytes = sizeof(struct pending) + record_bytes + question_bytes + ask_bytes + text_bytes(s);
	struct pending *p = malloc(bytes);
	if (!p)
		return NULL;
	*p = (struct pending){.set = {.items = p->records, .count = s->count}, .bytes = bytes};
	char *at = (char *)p->records + record_bytes;
	p->questions = (struct compare_question *)(void *)at;
	p->asks = (struct pending_ask *)(void *)(at + question_bytes);
	at += question_bytes + ask_bytes;
	p->set.domain = copy(s->domain, &at);
	for (size_t i = 0; i < s->count; i++) {
		p->records[i] = s->items[i];
		p->records[i].domain = p->set.domain;
		p->records[i].name = copy(s->items[i].name, &at);
		p->records[i].data = copy(s->items[i].data, &at);
	}
	p->question_count = compare_ask(&p->set, p->questions);
	return p;
}

void pending_take(struct pending *p, size_t index, const struct reply *r)
{
	struct compare_question *q = &p->questions[index];
	q->finding = compare_look(&p->set, q, r);
	if (r->kind != REPLY_FAILED || p->reason)
		return;
	p->reason = r->reason;
	p->failed = *q;
}

void pending_give_up(struct pending *p, const char *reason)
{
	p->differs = false;
	p->reason = reason;
	p->failed = (struct compare_question){.name = {NULL, 0}};
	for (size_t i = 0; i < p->question_count; i++)
		if (p->questions[i].finding != COMPARE_EQUAL)
			p->questions[i].finding = COMPARE_UNKNOWN;
}

static bool is_unknown(const struct pending *p, struct span name)
{
	for (size_t i = 0; i < p->question_count; i++)
		if (p->questions[i].finding == COMPARE_UNKNOWN && span_is(p->questions[i].name, name))
			return true;
	return false;
}

static struct compare_question *find_alias(const struct pending *p, struct span name)
{
	for (size_t i = 0; i < p->question_count; i++)
		if (p->questions[i].type == REPLY_CNAME && span_is(p->questions[i].name, name))
			return &p->questions[i];
	return NULL;
}

bool pending_hold_back(struct pending *p, const struct pending *policies)
{
	bool is_any = false;
	for (size_t i = 0; i < p->set.count; i++) {
		const struct record *r = &p->records[i];
		struct compare_question *q = r->type == RECORD_CNAME ? find_alias(p, r->name) : NULL;
		if (!q || r->state == RECORD_GONE || q->finding == COMPARE_EQUAL || !is_unknown(policies, r->data))
			continue;
		q->finding = COMPARE_UNKNOWN;
		p->reason = "what its policy's record says could not be found out";
		p->failed = *q;
		is_any = true;
	}
	return is_any;
}

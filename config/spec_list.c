#include "spec_list.h"

#include "../base/err.h"

#include <stdlib.h>

/* An entry in spec_list.bytes: this, then the name, then the stored form. */
struct entry_head {
	uint32_t name_len, stored_len, line, column;
	uint32_t is_refused;
};

int spec_list_add(struct spec_list *l, struct span name, const struct spec *spec, bool is_refused, uint32_t line,
		  uint32_t column)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		size_t *offsets = reallocarray(l->offsets, cap, sizeof *offsets);
		if (!offsets)
			return ERR_NOMEM;
		l->offsets = offsets;
		l->cap = cap;
	}
	size_t offset = l->bytes.len;
	struct entry_head head = {
		.name_len = (uint32_t)name.len, .line = line, .column = column, .is_refused = is_refused};
	(void)buf_add(&l->bytes, &head, sizeof head);
	(void)buf_add_span(&l->bytes, name);
	size_t begin = l->bytes.len;
	if (!is_refused)
		(void)spec_encode(spec, &l->bytes);
	if (l->bytes.failed)
		return ERR_NOMEM;
	head.stored_len = (uint32_t)(l->bytes.len - begin);
	memcpy(l->bytes.p + offset, &head, sizeof head);
	l->offsets[l->count++] = offset;
	return 0;
}

static struct spec_entry entry_at(const struct spec_list *l, size_t offset)
{
	struct entry_head head;
	memcpy(&head, l->bytes.p + offset, sizeof head);
	const char *name = l->bytes.p + offset + sizeof head;
	return (struct spec_entry){
		.name = {name, head.name_len},
		.stored = {name + head.name_len, head.stored_len},
		.is_refused = head.is_refused != 0,
		.line = head.line,
		.column = head.column,
	};
}

struct spec_entry spec_list_get(const struct spec_list *l, size_t i)
{
	return entry_at(l, l->offsets[i]);
}

bool spec_list_find(const struct spec_list *l, struct span name, struct spec_entry *out)
{
	size_t low = 0, high = l->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		*out = spec_list_get(l, mid);
		int c = span_compare(out->name, name);
		if (c == 0)
			return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static int compare_entries(const void *va, const void *vb, void *ctx)
{
	const struct spec_list *l = ctx;
	const size_t *a = va, *b = vb;
	int c = span_compare(entry_at(l, *a).name, entry_at(l, *b).name);
	return c ? c : (*a > *b) - (*a < *b); /* the first one written stays first */
}

static size_t size_at(const struct spec_list *l, size_t offset)
{
	struct entry_head head;
	memcpy(&head, l->bytes.p + offset, sizeof head);
	return sizeof head + head.name_len + head.stored_len;
}

/* In the order in which they are gone through from now on, again and again: a million jumps through memory once, and
 * not each time. Without the memory for it they stay where they are. */
static void lay_in_order(struct spec_list *l)
{
	struct buf bytes;
	buf_init(&bytes, l->bytes.max);
	if (buf_reserve(&bytes, l->bytes.len) != 0)
		return;
	for (size_t i = 0; i < l->count; i++) {
		size_t offset = l->offsets[i];
		l->offsets[i] = bytes.len;
		(void)buf_add(&bytes, l->bytes.p + offset, size_at(l, offset));
	}
	buf_deinit(&l->bytes);
	l->bytes = bytes;
}

void spec_list_finish(struct spec_list *l, spec_list_twice_fn *on_twice, void *ctx)
{
	if (l->count < 2)
		return;
	qsort_r(l->offsets, l->count, sizeof *l->offsets, compare_entries, l);
	size_t kept = 1;
	for (size_t i = 1; i < l->count; i++) {
		struct spec_entry first = spec_list_get(l, kept - 1), e = spec_list_get(l, i);
		if (span_is(first.name, e.name))
			on_twice(ctx, &first, &e);
		else
			l->offsets[kept++] = l->offsets[i];
	}
	l->count = kept;
	lay_in_order(l);
}

void spec_list_init(struct spec_list *l)
{
	*l = (struct spec_list){0};
	buf_init(&l->bytes, SIZE_MAX / 2);
}

void spec_list_deinit(struct spec_list *l)
{
	buf_deinit(&l->bytes);
	free(l->offsets);
	*l = (struct spec_list){0};
}

#include "complaints.h"

#include <stdlib.h>

enum { MAX_BYTES = 1 << 30 }; /* a few hundred each */

/* each: is_error as a byte, path, NUL, text, NUL */

void complaints_init(struct complaints *c)
{
	*c = (struct complaints){0};
	buf_init(&c->bytes, MAX_BYTES);
}

void complaints_deinit(struct complaints *c)
{
	buf_deinit(&c->bytes);
}

/* a NUL in the store's bytes must not make two texts of one */
static struct span to_nul(struct span s)
{
	const char *nul = s.len ? memchr(s.p, '\0', s.len) : NULL;
	return (struct span){s.p, nul ? (size_t)(nul - s.p) : s.len};
}

int complaints_add(struct complaints *c, struct span path, bool is_error, struct span text)
{
	path = to_nul(path);
	text = to_nul(text);
	int rc = buf_reserve(&c->bytes, path.len + text.len + 3);
	if (rc)
		return rc;
	(void)buf_add_char(&c->bytes, (char)is_error);
	(void)buf_add_span(&c->bytes, path);
	(void)buf_add_char(&c->bytes, '\0');
	(void)buf_add_span(&c->bytes, text);
	c->count++;
	return buf_add_char(&c->bytes, '\0');
}

static const char *text_of(const char *complaint)
{
	return complaint + 1 + strlen(complaint + 1) + 1;
}

static const char *next_of(const char *complaint)
{
	const char *text = text_of(complaint);
	return text + strlen(text) + 1;
}

static int compare(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int order = strcmp(x + 1, y + 1);
	return order ? order : (x > y) - (x < y); /* both in one buffer */
}

void complaints_tell(const struct complaints *c, complaint_fn *fn, void *ctx)
{
	const char **sorted = calloc(c->count + 1, sizeof *sorted), *at = c->bytes.p;
	for (size_t i = 0; i < c->count; i++, at = next_of(at))
		if (sorted)
			sorted[i] = at;
		else
			fn(ctx, at + 1, *at != 0, text_of(at));
	if (sorted)
		qsort(sorted, c->count, sizeof *sorted, compare);
	for (size_t i = 0; sorted && i < c->count; i++)
		fn(ctx, sorted[i] + 1, *sorted[i] != 0, text_of(sorted[i]));
	free(sorted);
}

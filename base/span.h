/* span: bytes that belong to somebody else, with their length. Not NUL-terminated. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t len;
};

#define SPAN_LIT(s) ((struct span){(s), sizeof(s) - 1})
/* for printf's "%.*s" */
#define SPAN_ARG(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static inline bool span_is(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* span_compare: <0, 0, >0 in the order of bytes, shorter first: the order of LMDB's keys. */
static inline int span_compare(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* span_take_text: the bytes up to the first NUL, taken off rest together with it. False when there is none. */
static inline bool span_take_text(struct span *rest, struct span *out)
{
	const char *end = rest->len ? (const char *)memchr(rest->p, '\0', rest->len) : NULL;
	if (!end)
		return false;
	*out = (struct span){rest->p, (size_t)(end - rest->p)};
	*rest = (struct span){end + 1, rest->len - out->len - 1};
	return true;
}

#endif

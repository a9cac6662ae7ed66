#include "buf.h"

#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BYTES = 256 }; /* a policy or a log line fits */

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void buf_deinit(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = 0;
}

int buf_reserve(struct buf *b, size_t n)
{
	if (b->failed)
		return b->failed;
	if (n > b->max || b->len > b->max - n)
		return b->failed = ERR_RANGE;
	size_t want = b->len + n;
	if (want <= b->cap)
		return 0;
	size_t cap = b->cap ? b->cap : FIRST_BYTES;
	while (cap < want)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	char *p = realloc(b->p, cap);
	if (!p)
		return b->failed = ERR_NOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t n)
{
	int rc = buf_reserve(b, n);
	if (rc == 0 && n) {
		memcpy(b->p + b->len, bytes, n);
		b->len += n;
	}
	return rc;
}

int buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.len);
}

int buf_add_text(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_add_number(struct buf *b, uint64_t n)
{
	char digits[20]; /* of UINT64_MAX */
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return buf_add(b, digits + at, sizeof digits - at);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	if (b->failed)
		return b->failed;
	size_t room = b->cap - b->len; /* mostly it is enough, and the text is made once */
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(room ? b->p + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return b->failed = ERR_RANGE;
	if ((size_t)n >= room) {
		/* one more: vsnprintf ends with a NUL, which is overwritten by the next append */
		int rc = buf_reserve(b, (size_t)n + 1);
		if (rc)
			return rc;
		va_start(ap, fmt);
		(void)vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
	return 0;
}

const char *buf_text(struct buf *b)
{
	if (buf_reserve(b, 1) != 0)
		return "";
	b->p[b->len] = '\0';
	return b->p;
}

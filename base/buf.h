/* buf: bytes that grow up to a ceiling given at birth.
 *
 * An append that fails leaves the buffer as it was and marks it; further appends do nothing and return the
 * first failure, so that a renderer may check once at its end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "span.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *p;
	size_t len;
	size_t cap;
	size_t max;
	int failed; /* 0, ERR_NOMEM or ERR_RANGE (ceiling reached) */
};

/* buf_init: empty; allocates nothing. max_bytes is the ceiling. */
void buf_init(struct buf *b, size_t max_bytes);

/* buf_deinit: frees; accepts a zeroed one; may be called twice. */
void buf_deinit(struct buf *b);

/* buf_reset: forgets contents and failure, keeps the memory. */
void buf_reset(struct buf *b);

/* buf_reserve: room for n more bytes behind p + len. Returns 0, ERR_NOMEM or ERR_RANGE. */
int buf_reserve(struct buf *b, size_t n);

int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_add_span(struct buf *b, struct span s);
int buf_add_text(struct buf *b, const char *text);
int buf_add_char(struct buf *b, char c);
int buf_add_number(struct buf *b, uint64_t n); /* in decimal; buf_printf takes ten times as long */
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* buf_text: the contents with a NUL behind them (not counted in len); "" where that cannot be had. */
const char *buf_text(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){b->p, b->len};
}

#endif

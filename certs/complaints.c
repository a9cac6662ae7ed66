#include "complaints.h"

enum { MAX_BYTES = 1 << 30 }; /* a few hundred each */

/* each: is_error as a byte, path, NUL, text, NUL */

void complaints_init(struct complaints *c)
{
	buf_init(&c->bytes, MAX_BYTES);
}

void complaints_deinit(struct complaints *c)
{
	buf_deinit(&c->bytes);
}

int complaints_add(struct complaints *c, struct span path, bool is_error, struct span text)
{
	int rc = buf_reserve(&c->bytes, path.len + text.len + 3);
	if (rc)
		return rc;
	(void)buf_add_char(&c->bytes, (char)is_error);
	(void)buf_add_span(&c->bytes, path);
	(void)buf_add_char(&c->bytes, '\0');
	(void)buf_add_span(&c->bytes, text);
	return buf_add_char(&c->bytes, '\0');
}

void complaints_tell(const struct complaints *c, complaint_fn *fn, void *ctx)
{
	const char *at = c->bytes.p;
	size_t left = c->bytes.len;
	while (left) {
		const char *path = at + 1, *text = path + strlen(path) + 1, *next = text + strlen(text) + 1;
		fn(ctx, path, *at != 0, text);
		left -= (size_t)(next - at);
		at = next;
	}
}

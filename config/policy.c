#include "policy.h"

#include "../base/buf.h"
#include "../base/err.h"

#include <inttypes.h>

static const char *const mode_names[] = {
	[POLICY_NONE] = "none",
	[POLICY_TESTING] = "testing",
	[POLICY_ENFORCE] = "enforce",
};

const char *policy_mode_name(enum policy_mode m)
{
	return mode_names[m];
}

int policy_parse_mode(struct span text, enum policy_mode *out)
{
	for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++) {
		if (span_is(text, span_of(mode_names[i]))) {
			*out = (enum policy_mode)i;
			return 0;
		}
	}
	return ERR_PARSE;
}

int policy_render(const struct policy *p, struct buf *out)
{
	/* version first: RFC 8461 3.2 leaves the order open, at least one large sender does not */
	(void)buf_printf(out, "version: STSv1\r\nmode: %s\r\n", mode_names[p->mode]);
	for (size_t i = 0; i < p->mx_count; i++) {
		(void)buf_add_text(out, "mx: ");
		(void)buf_add_span(out, p->mx[i]);
		(void)buf_add_text(out, "\r\n");
	}
	return buf_printf(out, "max_age: %" PRIu32 "\r\n", p->max_age_s);
}

int policy_next_mx(struct span body, size_t *pos, struct span *out)
{
	while (*pos < body.len) {
		const char *line = body.p + *pos;
		const char *end = memchr(line, '\r', body.len - *pos);
		size_t len = end ? (size_t)(end - line) : body.len - *pos;
		*pos += len + (end ? 2 : 0);
		if (len > 4 && memcmp(line, "mx: ", 4) == 0) {
			*out = (struct span){line + 4, len - 4};
			return 0;
		}
	}
	return ERR_NOENT;
}

/* policy: an MTA-STS policy (RFC 8461 3.2): its limits and its bytes.
 *
 * Pure: no YAML, no store, no clock. */
#ifndef CONFIG_POLICY_H
#define CONFIG_POLICY_H

#include "../base/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf;

enum policy_mode { POLICY_NONE, POLICY_TESTING, POLICY_ENFORCE };

enum {
	POLICY_MAX_AGE_MAX_S = 31557600,    /* RFC 8461 3.2 */
	POLICY_BODY_MAX_BYTES = 64000,      /* two senders stop there, not at 65536 */
	POLICY_BODY_WARN_BYTES = 10240,     /* one sender reads no further */
	POLICY_WITHDRAWN_MAX_AGE_S = 86400, /* RFC 8461 8.3 */
};

struct policy {
	enum policy_mode mode;
	uint32_t max_age_s;
	const struct span *mx; /* lower-case A-labels, "*." allowed in front; in the order to print, no duplicates */
	size_t mx_count;
};

/* policy_render: the golden body: ASCII, CRLF behind every line, version, mode, mx…, max_age, one blank after the
 * colon. Accepted by all senders that we know. Appends to out; returns 0 or out's failure.
 * source RFC 8461 3.2 */
int policy_render(const struct policy *p, struct buf *out);

const char *policy_mode_name(enum policy_mode m); /* "none", "testing", "enforce" */

/* policy_parse_mode: exact lower-case words only. Returns 0 or ERR_PARSE. */
int policy_parse_mode(struct span text, enum policy_mode *out);

/* policy_next_mx: the next "mx" value of a body that policy_render made; for a withdrawn domain it is all that is left.
 * *pos starts at 0; the span points into body. Returns 0 or ERR_NOENT at the end. */
int policy_next_mx(struct span body, size_t *pos, struct span *out);

#endif

/* rendered: the policies that were rendered last, by what is in them. Out of a million domains most have one of a few
 * dozen policies: each of these is rendered and hashed once, not once a domain. */
#ifndef CONFIG_RENDERED_H
#define CONFIG_RENDERED_H

#include "../base/buf.h"
#include "../base/sha256.h"
#include "../base/span.h"
#include "policy.h"

#include <stdbool.h>
#include <stdint.h>

struct spec;

/* One of them: body and digest are those of mode, max_age_s and mx (packed, see spec.h). */
struct rendered_policy {
	bool is_good;
	enum policy_mode mode;
	uint32_t max_age_s;
	struct buf mx, body;
	uint8_t digest[SHA256_BYTES];
};

enum { RENDERED_COUNT = 64 };

struct rendered {
	struct rendered_policy policies[RENDERED_COUNT];
};

void rendered_init(struct rendered *r);
void rendered_deinit(struct rendered *r); /* accepts a zeroed one */

/* rendered_get: body and digest of mode, max_age_s and mx of values; whether they may be served is not asked.
 * out      valid until the next call
 * returns  0, ERR_NOMEM */
int rendered_get(struct rendered *r, const struct spec *values, const struct rendered_policy **out);

#endif

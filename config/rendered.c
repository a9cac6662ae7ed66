#include "rendered.h"

#include "../base/err.h"
#include "spec.h"

#include <stdlib.h>
#include <string.h>

/* Room for one that is too large, so that the message can say how large: packed mx have at most POLICY_BODY_MAX_BYTES,
 * and of two bytes, "a", a line of seven is made. */
enum { BODY_MAX_BYTES = 4 * POLICY_BODY_MAX_BYTES };

void rendered_init(struct rendered *r)
{
	*r = (struct rendered){0};
	for (size_t i = 0; i < RENDERED_COUNT; i++) {
		buf_init(&r->policies[i].mx, POLICY_BODY_MAX_BYTES);
		buf_init(&r->policies[i].body, BODY_MAX_BYTES);
	}
}

void rendered_deinit(struct rendered *r)
{
	for (size_t i = 0; i < RENDERED_COUNT; i++) {
		buf_deinit(&r->policies[i].mx);
		buf_deinit(&r->policies[i].body);
	}
	*r = (struct rendered){0};
}

/* Two that fall on the same place only cost time: FNV-1a, over eight bytes at a time. */
static size_t place_of(const struct spec *s)
{
	const uint64_t prime = UINT64_C(0x100000001B3);
	uint64_t h = UINT64_C(0xCBF29CE484222325) ^ s->max_age_s ^ (uint64_t)s->mode << 32, part = 0;
	for (size_t i = 0; i < s->mx.len; i += sizeof part) {
		size_t n = s->mx.len - i < sizeof part ? s->mx.len - i : sizeof part;
		part = 0;
		memcpy(&part, s->mx.p + i, n);
		h = (h ^ part) * prime;
		h ^= h >> 32;
	}
	return (size_t)(h * prime >> 40) % RENDERED_COUNT;
}

static bool is_it(const struct rendered_policy *p, const struct spec *s)
{
	return p->is_good && p->mode == s->mode && p->max_age_s == s->max_age_s && span_is(buf_span(&p->mx), s->mx);
}

static int render(struct rendered_policy *p, const struct spec *s)
{
	size_t count = pack_count(s->mx), n = 0;
	struct span *mx = count ? calloc(count, sizeof *mx) : NULL;
	if (count && !mx)
		return ERR_NOMEM;
	struct span rest = s->mx;
	while (n < count && pack_next(&rest, &mx[n]))
		n++;
	struct policy policy = {.mode = s->mode, .max_age_s = s->max_age_s, .mx = mx, .mx_count = n};
	buf_reset(&p->body);
	int rc = policy_render(&policy, &p->body);
	free(mx);
	if (rc == 0)
		sha256_of(buf_span(&p->body), p->digest);
	return rc;
}

int rendered_get(struct rendered *r, const struct spec *values, const struct rendered_policy **out)
{
	struct rendered_policy *p = &r->policies[place_of(values)];
	*out = p;
	if (is_it(p, values))
		return 0;
	p->is_good = false;
	p->mode = values->mode;
	p->max_age_s = values->max_age_s;
	buf_reset(&p->mx);
	if (render(p, values) != 0)
		return ERR_NOMEM;
	p->is_good = buf_add_span(&p->mx, values->mx) == 0; /* without the memory for it the next one renders again */
	return 0;
}

#include "spec.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "domains.h"

int pack_add(struct buf *out, struct span item)
{
	if (item.len > 255)
		return out->failed = ERR_RANGE;
	(void)buf_add_char(out, (char)item.len);
	return buf_add_span(out, item);
}

bool pack_next(struct span *rest, struct span *item)
{
	if (rest->len == 0)
		return false;
	size_t len = (unsigned char)rest->p[0];
	if (len > rest->len - 1)
		return false;
	*item = (struct span){rest->p + 1, len};
	*rest = (struct span){rest->p + 1 + len, rest->len - 1 - len};
	return true;
}

size_t pack_count(struct span packed)
{
	size_t n = 0;
	struct span item;
	while (pack_next(&packed, &item))
		n++;
	return n;
}

bool pack_has(struct span packed, struct span item)
{
	struct span one;
	while (pack_next(&packed, &one))
		if (span_is(one, item))
			return true;
	return false;
}

enum { PLACE_BYTES = 2 * sizeof(uint32_t) };

static int put_u32(struct buf *out, uint32_t v)
{
	return buf_add(out, &v, sizeof v); /* host order: the store does not travel */
}

static int put_text(struct buf *out, struct span s)
{
	(void)put_u32(out, (uint32_t)s.len);
	return buf_add_span(out, s);
}

int spec_encode(const struct spec *s, struct buf *out)
{
	(void)put_u32(out, s->set);
	if (spec_has(s, SPEC_POLICY))
		(void)put_text(out, s->policy);
	if (spec_has(s, SPEC_MODE))
		(void)put_u32(out, (uint32_t)s->mode);
	if (spec_has(s, SPEC_MAX_AGE))
		(void)put_u32(out, s->max_age_s);
	if (spec_has(s, SPEC_MX))
		(void)put_text(out, s->mx);
	if (spec_has(s, SPEC_ID))
		(void)put_text(out, s->id);
	if (spec_has(s, SPEC_TTL))
		(void)put_u32(out, s->ttl_s);
	if (spec_has(s, SPEC_TLS_RPT))
		(void)put_text(out, s->tls_rpt);
	if (spec_has(s, SPEC_CERT))
		(void)put_text(out, s->cert);
	(void)put_u32(out, s->line);
	return put_u32(out, s->column);
}

struct cursor {
	struct span rest;
	bool is_bad;
};

static uint32_t take_u32(struct cursor *c)
{
	uint32_t v = 0;
	if (c->rest.len < sizeof v) {
		c->is_bad = true;
		return 0;
	}
	memcpy(&v, c->rest.p, sizeof v);
	c->rest = (struct span){c->rest.p + sizeof v, c->rest.len - sizeof v};
	return v;
}

static struct span take_text(struct cursor *c)
{
	size_t len = take_u32(c);
	if (len > c->rest.len) {
		c->is_bad = true;
		return (struct span){NULL, 0};
	}
	struct span s = {c->rest.p, len};
	c->rest = (struct span){c->rest.p + len, c->rest.len - len};
	return s;
}

int spec_decode(struct span stored, struct spec *out)
{
	struct cursor c = {.rest = stored};
	*out = (struct spec){.set = take_u32(&c)};
	if (spec_has(out, SPEC_POLICY))
		out->policy = take_text(&c);
	if (spec_has(out, SPEC_MODE)) {
		uint32_t mode = take_u32(&c);
		c.is_bad = c.is_bad || mode > POLICY_ENFORCE;
		out->mode = (enum policy_mode)mode;
	}
	if (spec_has(out, SPEC_MAX_AGE))
		out->max_age_s = take_u32(&c);
	if (spec_has(out, SPEC_MX))
		out->mx = take_text(&c);
	if (spec_has(out, SPEC_ID)) {
		out->id = take_text(&c);
		c.is_bad = c.is_bad || out->id.len > DOMAIN_ID_MAX_BYTES;
	}
	if (spec_has(out, SPEC_TTL))
		out->ttl_s = take_u32(&c);
	if (spec_has(out, SPEC_TLS_RPT))
		out->tls_rpt = take_text(&c);
	if (spec_has(out, SPEC_CERT))
		out->cert = take_text(&c);
	out->line = take_u32(&c);
	out->column = take_u32(&c);
	return c.is_bad || c.rest.len ? ERR_PARSE : 0;
}

bool spec_is_same(struct span a, struct span b)
{
	if (a.len < PLACE_BYTES || b.len < PLACE_BYTES)
		return false;
	return span_is((struct span){a.p, a.len - PLACE_BYTES}, (struct span){b.p, b.len - PLACE_BYTES});
}

struct span spec_policy_name(const struct spec *domain, const struct spec *defaults)
{
	if (spec_has(domain, SPEC_POLICY))
		return domain->policy;
	if (spec_has(defaults, SPEC_POLICY))
		return defaults->policy;
	return (struct span){NULL, 0};
}

static void take_value(struct spec *to, const struct spec *from, enum spec_key k)
{
	switch (k) {
	case SPEC_POLICY: to->policy = from->policy; break;
	case SPEC_MODE: to->mode = from->mode; break;
	case SPEC_MAX_AGE: to->max_age_s = from->max_age_s; break;
	case SPEC_MX: to->mx = from->mx; break;
	case SPEC_ID: to->id = from->id; break;
	case SPEC_TTL: to->ttl_s = from->ttl_s; break;
	case SPEC_TLS_RPT: to->tls_rpt = from->tls_rpt; break;
	case SPEC_CERT: to->cert = from->cert; break;
	case SPEC_KEY_COUNT: break;
	}
	to->set |= 1u << k;
}

void spec_resolve(const struct spec *domain, const struct spec *policy, const struct spec *defaults,
		  struct resolved *out)
{
	*out = (struct resolved){.values = {.line = domain->line, .column = domain->column}};
	const struct {
		const struct spec *spec;
		enum spec_origin origin;
	} levels[] = {{domain, ORIGIN_DOMAIN}, {policy, ORIGIN_POLICY}, {defaults, ORIGIN_DEFAULTS}};
	for (enum spec_key k = 0; k < SPEC_KEY_COUNT; k++) {
		for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
			if (!spec_has(levels[i].spec, k))
				continue;
			take_value(&out->values, levels[i].spec, k);
			out->origin[k] = levels[i].origin;
			break;
		}
	}
}

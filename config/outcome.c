#include "outcome.h"

#include "../base/err.h"
#include "settings.h"

#include <stdlib.h>
#include <string.h>

/* Room for one that is too large, so that the message can say how large: packed mx have at most POLICY_BODY_MAX_BYTES,
 * and of two bytes, "a", a line of seven is made. */
enum { BODY_MAX_BYTES = 4 * POLICY_BODY_MAX_BYTES };

void outcome_init(struct outcome *v)
{
	*v = (struct outcome){0};
	buf_init(&v->body, BODY_MAX_BYTES);
	buf_init(&v->rendered_mx, POLICY_BODY_MAX_BYTES);
}

void outcome_deinit(struct outcome *v)
{
	buf_deinit(&v->body);
	buf_deinit(&v->rendered_mx);
	*v = (struct outcome){0};
}

/* Neighbours tend to share a policy: what was rendered for the last one is theirs, too. */
static bool is_rendered(const struct outcome *v, const struct spec *s)
{
	return v->is_remembered && v->rendered_mode == s->mode && v->rendered_max_age_s == s->max_age_s &&
	       span_is(buf_span(&v->rendered_mx), s->mx);
}

/* Without the memory for it the next one is rendered again, that is all. */
static void remember(struct outcome *v, const struct spec *s)
{
	buf_reset(&v->rendered_mx);
	v->rendered_mode = s->mode;
	v->rendered_max_age_s = s->max_age_s;
	v->is_remembered = buf_add_span(&v->rendered_mx, s->mx) == 0;
}

static int render_policy(struct outcome *v, const struct spec *s)
{
	size_t count = pack_count(s->mx), n = 0;
	struct span *mx = count ? calloc(count, sizeof *mx) : NULL;
	if (count && !mx)
		return ERR_NOMEM;
	struct span rest = s->mx;
	while (n < count && pack_next(&rest, &mx[n]))
		n++;
	struct policy p = {.mode = s->mode, .max_age_s = s->max_age_s, .mx = mx, .mx_count = n};
	int rc = policy_render(&p, &v->body);
	free(mx);
	return rc;
}

static int render(struct outcome *v)
{
	const struct spec *s = &v->resolved.values;
	if (is_rendered(v, s))
		return 0;
	buf_reset(&v->body);
	v->is_remembered = false;
	if (render_policy(v, s) != 0)
		return ERR_NOMEM;
	sha256_of(buf_span(&v->body), v->digest);
	remember(v, s);
	return 0;
}

int outcome_find(struct outcome *v, const struct outcome_input *in, struct problem_list *out)
{
	struct check c = {.domain = in->domain,
			  .resolved = &v->resolved,
			  .settings = in->settings,
			  .places = &in->places,
			  .policy_name = spec_policy_name(in->spec, in->defaults),
			  .row = in->has_history ? in->row : NULL,
			  .wants_advice = in->wants_advice,
			  .is_quiet = in->is_quiet,
			  .out = out};
	v->is_good = false;
	spec_resolve(in->spec, in->policy, in->defaults, &v->resolved);
	if (in->is_policy_missing) {
		check_policy_missing(&c, c.policy_name);
		return out->failed;
	}
	if (render(v) != 0)
		return ERR_NOMEM;
	const struct spec *s = &v->resolved.values;
	v->ttl_s = spec_has(s, SPEC_TTL) ? s->ttl_s : in->settings->dns_ttl_s;
	const char *server_rua = in->settings->dns_tls_rpt;
	v->tls_rpt = spec_has(s, SPEC_TLS_RPT) ? s->tls_rpt : server_rua ? span_of(server_rua) : (struct span){NULL, 0};
	v->policy = in->settings->dns_delegate ? c.policy_name : (struct span){NULL, 0};
	v->is_good = check_values(&c, v->body.len);
	if (v->is_good && in->has_history) {
		bool is_changed = !in->row || memcmp(in->row->body, v->digest, sizeof v->digest) != 0;
		v->is_good = check_history(&c, in->row, in->old_body, is_changed, in->now_unix_s);
	}
	return out->failed;
}

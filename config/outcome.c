#include "outcome.h"

#include "../base/err.h"
#include "settings.h"

#include <string.h>

void outcome_init(struct outcome *v)
{
	*v = (struct outcome){0};
	rendered_init(&v->rendered);
}

void outcome_deinit(struct outcome *v)
{
	rendered_deinit(&v->rendered);
	*v = (struct outcome){0};
}

static int render(struct outcome *v)
{
	const struct rendered_policy *p;
	if (rendered_get(&v->rendered, &v->resolved.values, &p) != 0)
		return ERR_NOMEM;
	v->body = buf_span(&p->body);
	memcpy(v->digest, p->digest, sizeof v->digest);
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
	v->body = (struct span){NULL, 0};
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

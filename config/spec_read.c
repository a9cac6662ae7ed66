#include "spec_read.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "../base/log.h"
#include "../base/name.h"
#include "keys.h"
#include "spec.h"
#include "value.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	RUA_MAX_BYTES = 2000, /* a TXT record that still fits one UDP answer with room to spare */
	PATH_MAX_BYTES = 4096,
};

struct spec_ctx {
	struct spec spec;
	unsigned scope;
	const char *base_dir;                     /* of the file, for relative paths */
	struct buf policy, mx, id, tls_rpt, cert; /* what the spec's spans point into */
	struct place first[SPEC_KEY_COUNT];       /* where each key was first written */
	bool is_mx_full;                          /* said already */
};

static void ctx_init(struct spec_ctx *c, unsigned scope, struct place at, const char *base_dir)
{
	*c = (struct spec_ctx){
		.spec = {.line = at.line, .column = at.column},
		.scope = scope,
		.base_dir = base_dir,
	};
	buf_init(&c->policy, YAML_KEY_MAX_BYTES);
	buf_init(&c->mx, POLICY_BODY_MAX_BYTES);
	buf_init(&c->id, YAML_KEY_MAX_BYTES);
	buf_init(&c->tls_rpt, RUA_MAX_BYTES);
	buf_init(&c->cert, PATH_MAX_BYTES);
}

static void ctx_deinit(struct spec_ctx *c)
{
	buf_deinit(&c->policy);
	buf_deinit(&c->mx);
	buf_deinit(&c->id);
	buf_deinit(&c->tls_rpt);
	buf_deinit(&c->cert);
}

static void value_error_at(struct yaml *y, struct place at, const struct value_error *e)
{
	yaml_problem(y, PROBLEM_ERROR, e->code, at, e->hint, "%s", e->text);
}

static void report_mx_note(struct yaml *y, enum value_note note, struct span text, struct place at)
{
	switch (note) {
	case VALUE_FINE: break;
	case VALUE_NORMALISED:
		yaml_problem(y, PROBLEM_WARNING, "W10", at, NULL,
			     "mx %s is served in lower case and without trailing dot", LOG_QUOTE(text));
		break;
	case VALUE_DUPLICATE:
		yaml_problem(y, PROBLEM_WARNING, "W11", at, NULL, "mx %s is there already; it is served once",
			     LOG_QUOTE(text));
		break;
	case VALUE_SINGLE_LABEL:
		yaml_problem(y, PROBLEM_WARNING, "E05", at, "write the full host name", "mx %s has only one label",
			     LOG_QUOTE(text));
		break;
	case VALUE_TOO_MANY:
		yaml_problem(y, PROBLEM_ERROR, "E08", at, "use a wildcard",
			     "more mx than fit into a policy of %d bytes", POLICY_BODY_MAX_BYTES);
		break;
	}
}

static int add_mx(struct yaml *y, struct span text, struct place at, void *ctx)
{
	struct spec_ctx *c = ctx;
	struct value_error e;
	enum value_note note;
	if (c->is_mx_full)
		return 0;
	int rc = value_add_mx(text, &c->mx, &note, &e);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc == 0)
		report_mx_note(y, note, text, at);
	else
		value_error_at(y, at, &e);
	c->is_mx_full = note == VALUE_TOO_MANY;
	return 0;
}

static int add_rua(struct yaml *y, struct span text, struct place at, void *ctx)
{
	struct spec_ctx *c = ctx;
	struct value_error e;
	int rc = value_add_rua(text, &c->tls_rpt, &e);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc)
		value_error_at(y, at, &e);
	return 0;
}

static int set_scalar(const struct yaml *y, struct spec_ctx *c, const struct key *k, struct value_error *e)
{
	struct span text = yaml_scalar(y);
	uint32_t n = 0;
	int rc;
	switch ((enum spec_key)k->field) {
	case SPEC_MODE:
		rc = value_parse_mode(text, &n, e);
		c->spec.mode = (enum policy_mode)n;
		return rc;
	case SPEC_MAX_AGE: return value_parse_max_age(text, &c->spec.max_age_s, e);
	case SPEC_ID: rc = value_check_id(text, e); return rc ? rc : buf_add_span(&c->id, text);
	case SPEC_TTL:
		if (value_parse_number(text, (uint32_t)k->min, (uint32_t)k->max, &c->spec.ttl_s) == 0)
			return 0;
		(void)snprintf(e->text, sizeof e->text, "ttl %s is no number from %" PRId64 " to %" PRId64,
			       LOG_QUOTE(text), k->min, k->max);
		break;
	case SPEC_POLICY:
		if (text.len > 0 && text.len <= NAME_MAX_BYTES && !value_has_control(text))
			return buf_add_span(&c->policy, text);
		(void)snprintf(e->text, sizeof e->text, "%s is no name of a policy", LOG_QUOTE(text));
		break;
	case SPEC_CERT:
		if (text.len > 0 && text.len < 2048 && !value_has_control(text)) {
			if (text.p[0] != '/')
				(void)buf_printf(&c->cert, "%s/", c->base_dir);
			rc = buf_add_span(&c->cert, text);
			if (rc != ERR_RANGE)
				return rc;
		}
		(void)snprintf(e->text, sizeof e->text, "%s is no path", LOG_QUOTE(text));
		break;
	default: return ERR_PARSE;
	}
	memcpy(e->code, "E17", PROBLEM_CODE_BYTES);
	e->hint = NULL;
	return ERR_PARSE;
}

static int read_scalar(struct yaml *y, struct spec_ctx *c, const struct key *k)
{
	struct value_error e = {{0}, {0}, NULL};
	int rc = set_scalar(y, c, k, &e);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc)
		value_error_at(y, yaml_place(y), &e);
	return 0;
}

static const char *empty_code(enum spec_key k)
{
	return k == SPEC_MODE ? "E01" : k == SPEC_MAX_AGE ? "E02" : k == SPEC_ID ? "E09" : "E16";
}

void spec_read_unknown(struct yaml *y, const struct yaml_key *key, const char *section, unsigned scope,
		       const char *const *extra)
{
	char hint[128];
	const char *word = keys_suggest(yaml_key_span(key), section, scope, extra);
	if (word)
		(void)snprintf(hint, sizeof hint, "did you mean `%s`?", word);
	yaml_problem(y, PROBLEM_ERROR, "E11", key->at, word ? hint : NULL, "unknown key %s",
		     LOG_QUOTE(yaml_key_span(key)));
}

static int read_spec_key(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	struct spec_ctx *c = ctx;
	const struct key *k = keys_find(yaml_key_span(key), c->scope);
	if (!k) {
		spec_read_unknown(y, key, "", c->scope, NULL);
		return yaml_skip(y);
	}
	enum spec_key field = (enum spec_key)k->field;
	if (spec_has(&c->spec, field)) {
		yaml_problem(y, PROBLEM_ERROR, "E12", key->at, NULL, "%s is written twice (first on line %u)", k->path,
			     (unsigned)c->first[field].line);
		return yaml_skip(y);
	}
	c->spec.set |= 1u << field;
	c->first[field] = key->at;
	if (field == SPEC_MX)
		return yaml_list(y, "mx", add_mx, c);
	if (field == SPEC_TLS_RPT) {
		size_t before = yaml_error_count(y);
		int rc = yaml_list(y, "tls_rpt", add_rua, c);
		if (rc == 0 && c->tls_rpt.len == 0 && yaml_error_count(y) == before)
			yaml_problem(y, PROBLEM_ERROR, "E10", key->at, "name an address, or take the key out",
				     "tls_rpt is empty");
		return rc;
	}
	if (!yaml_is_scalar(y))
		return yaml_refuse(y, empty_code(field), NULL, "a single value is wanted here");
	if (!yaml_is_null(y))
		return read_scalar(y, c, k);
	yaml_problem(y, PROBLEM_ERROR, empty_code(field), yaml_place(y), "write a value, or take the key out",
		     "%s is empty", k->path);
	return 0;
}

static void finish_spec(struct spec_ctx *c)
{
	c->spec.policy = buf_span(&c->policy);
	c->spec.mx = buf_span(&c->mx);
	c->spec.id = buf_span(&c->id);
	c->spec.tls_rpt = buf_span(&c->tls_rpt);
	c->spec.cert = buf_span(&c->cert);
}

/* A node that is a mapping of spec keys, a scalar (policy name, where the scope has that key) or nothing. */
static int read_node(struct yaml *y, struct spec_ctx *c)
{
	if (yaml_is_null(y))
		return 0;
	if (yaml_is_mapping(y))
		return yaml_mapping(y, read_spec_key, c);
	if (!yaml_is_scalar(y) || c->scope != KEY_DOMAIN)
		return yaml_refuse(y, "E16", "write keys such as `mode: testing`", "a mapping is wanted here");
	c->spec.set |= 1u << SPEC_POLICY;
	return read_scalar(y, c, keys_find(SPAN_LIT("policy"), KEY_DOMAIN));
}

int spec_read(struct yaml *y, unsigned scope, struct place at, const char *base_dir, spec_fn *fn, void *ctx)
{
	struct spec_ctx c;
	size_t errors_before = yaml_error_count(y);
	ctx_init(&c, scope, at, base_dir);
	int rc = read_node(y, &c);
	finish_spec(&c);
	if (rc == 0)
		rc = fn(ctx, &c.spec, yaml_error_count(y) != errors_before);
	ctx_deinit(&c);
	return rc;
}

#include "source.h"

#include "../base/err.h"
#include "../base/log.h"
#include "../base/name.h"
#include "keys.h"
#include "setting.h"
#include "settings_table.h"
#include "spec_read.h"
#include "value.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	DEFAULTS_MAX_BYTES = 2 * POLICY_BODY_MAX_BYTES,
	INCLUDE_MAX_BYTES = 2048,
};

/* State of one reading. */
struct reading {
	struct source *out;
	char *base_dir;      /* of the file, for relative paths */
	const char *section; /* "" at the top */
	uint64_t keys_seen;  /* bit per row of keys_table */
	unsigned words_seen; /* bit per word of top_words */
	const struct key *key;
	size_t key_errors;   /* errors within top keys that were made out, … */
	size_t entry_errors; /* … and within entries: any other one means that a key or an entry is missing */
};

#define error_at(y, code, at, hint, ...) yaml_problem(y, PROBLEM_ERROR, code, at, hint, __VA_ARGS__)

/* --- domains, policies, defaults ------------------------------------------------------------------------------ */

struct entry_ctx {
	struct spec_list *list;
	struct span name;
	struct place at;
};

static int add_entry(void *ctx, const struct spec *spec, bool is_refused)
{
	struct entry_ctx *c = ctx;
	return spec_list_add(c->list, c->name, spec, is_refused, c->at.line, c->at.column);
}

static int read_domain(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	struct reading *r = ctx;
	struct name name;
	struct value_error e;
	int rc = value_parse_domain(yaml_key_span(key), &name, &e);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc) {
		error_at(y, e.code, key->at, e.hint, "%s", e.text);
		return yaml_skip(y);
	}
	struct entry_ctx entry = {&r->out->domains, name_span(&name), key->at};
	size_t errors_before = yaml_error_count(y);
	yaml_set_domain(y, name_span(&name));
	rc = spec_read(y, KEY_DOMAIN, key->at, r->base_dir, add_entry, &entry);
	yaml_set_domain(y, (struct span){NULL, 0});
	r->entry_errors += yaml_error_count(y) - errors_before;
	return rc;
}

static int read_policy(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	struct reading *r = ctx;
	struct span name = yaml_key_span(key);
	if (name.len == 0 || name.len > NAME_MAX_BYTES || value_has_control(name)) {
		error_at(y, "E17", key->at, NULL, "%s is no name for a policy", LOG_QUOTE(name));
		return yaml_skip(y);
	}
	struct entry_ctx entry = {&r->out->policies, name, key->at};
	size_t errors_before = yaml_error_count(y);
	int rc = spec_read(y, KEY_POLICY, key->at, r->base_dir, add_entry, &entry);
	r->entry_errors += yaml_error_count(y) - errors_before;
	return rc;
}

static int take_defaults(void *ctx, const struct spec *spec, bool is_refused)
{
	struct source *s = ctx;
	s->has_refused_defaults = is_refused;
	return is_refused || spec_encode(spec, &s->defaults) == 0 ? 0 : ERR_NOMEM;
}

/* --- server keys ------------------------------------------------------------------------------------------------ */

static int add_setting(struct yaml *y, struct span text, struct place at, void *ctx)
{
	struct reading *r = ctx;
	struct value_error e;
	int rc = setting_set(&r->out->settings, r->key, text, r->base_dir, &e);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc)
		error_at(y, e.code, at, e.hint, "%s", e.text);
	return 0;
}

static int read_setting(struct yaml *y, const struct yaml_key *key, const struct key *k, struct reading *r)
{
	uint64_t bit = (uint64_t)1 << (k - keys_table);
	bool is_twice = (r->keys_seen & bit) != 0;
	r->keys_seen |= bit;
	r->key = k;
	r->out->has_publish = r->out->has_publish || strncmp(k->path, "dns.publish.", 12) == 0;
	if (is_twice) {
		error_at(y, "E12", key->at, NULL, "%s is written twice", k->path);
		return yaml_skip(y);
	}
	if (setting_is_list(k)) {
		setting_clear_list(&r->out->settings, k);
		return yaml_list(y, k->path, add_setting, r);
	}
	if (yaml_is_null(y)) {
		error_at(y, "E17", yaml_place(y), "write a value, or take the key out", "%s is empty", k->path);
		return 0;
	}
	if (!yaml_is_scalar(y))
		return yaml_refuse(y, "E16", NULL, "a single value is wanted here");
	return add_setting(y, yaml_scalar(y), yaml_place(y), r);
}

static int read_section_key(struct yaml *y, const struct yaml_key *key, void *ctx);

/* path: "dns", or "dns.publish"; it must outlive the call. */
static int read_section(struct yaml *y, const char *path, struct reading *r)
{
	const char *outer = r->section;
	if (yaml_is_null(y))
		return 0; /* all its keys are commented out */
	if (!yaml_is_mapping(y))
		return yaml_refuse(y, "E16", "write its keys below it, indented", "a mapping is wanted here");
	r->section = path;
	int rc = yaml_mapping(y, read_section_key, r);
	r->section = outer;
	return rc;
}

static int read_section_key(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	static const char *const sections[] = {"publish", NULL}; /* inside others: for suggestions */
	struct reading *r = ctx;
	char path[YAML_KEY_MAX_BYTES + 32];
	(void)snprintf(path, sizeof path, "%s.%s", r->section, key->text);
	bool is_whole = strlen(key->text) == key->len && !strchr(key->text, '.');
	const struct key *k = is_whole ? keys_find(span_of(path), KEY_SERVER) : NULL;
	if (k)
		return read_setting(y, key, k, r);
	if (is_whole && keys_is_section(span_of(path), KEY_SERVER))
		return read_section(y, path, r);
	spec_read_unknown(y, key, r->section, KEY_SERVER, strcmp(r->section, "dns") == 0 ? sections : NULL);
	return yaml_skip(y);
}

/* --- the top of a file ------------------------------------------------------------------------------------------- */

enum top_word { TOP_DOMAINS, TOP_POLICIES, TOP_DEFAULTS, TOP_INCLUDE, TOP_COUNT };

/* the first TOP_COUNT are enum top_word; an included file has the first two; the rest is for suggestions */
static const char *const top_words[] = {"domains", "policies", "defaults", "include", "certs", "dns", NULL};
static const char *const included_words[] = {"domains", "policies", NULL};

static int add_include(struct yaml *y, struct span text, struct place at, void *ctx)
{
	struct source *s = ((struct reading *)ctx)->out;
	if (text.len == 0 || text.len > INCLUDE_MAX_BYTES || value_has_control(text)) {
		error_at(y, "E17", at, NULL, "include: %s is no path", LOG_QUOTE(text));
		return 0;
	}
	struct include *items = reallocarray(s->includes, s->include_count + 1, sizeof *items);
	if (!items)
		return ERR_NOMEM;
	s->includes = items;
	items[s->include_count] = (struct include){strndup(text.p, text.len), at.line, at.column};
	if (!items[s->include_count].pattern)
		return ERR_NOMEM;
	s->include_count++;
	return 0;
}

static int read_entries(struct yaml *y, yaml_pair_fn *fn, struct reading *r)
{
	size_t errors_before = yaml_error_count(y) - r->entry_errors;
	int rc = yaml_mapping(y, fn, r);
	if (yaml_error_count(y) - r->entry_errors != errors_before) /* of no entry that was made out */
		r->out->has_gaps = true;
	return rc;
}

static int read_top_word(struct yaml *y, const struct yaml_key *key, struct reading *r, enum top_word word)
{
	/* an empty value is what half a file looks like: it must not remove every tenant */
	bool is_lost = word == TOP_INCLUDE ? yaml_is_null(y) : !yaml_is_mapping(y);
	if (is_lost) {
		r->out->is_broken = true;
		return yaml_refuse(y, "E16", "write `{}` if there are none, or take the key out",
				   yaml_is_null(y) ? "the value is empty" : "a mapping is wanted here");
	}
	if (r->out->is_for_settings && word <= TOP_POLICIES)
		return yaml_skip(y);
	size_t errors_before = yaml_error_count(y);
	int rc;
	switch (word) {
	case TOP_DOMAINS: rc = read_entries(y, read_domain, r); break;
	case TOP_POLICIES: rc = read_entries(y, read_policy, r); break;
	case TOP_INCLUDE:
		rc = yaml_list(y, key->text, add_include, r);
		r->out->has_include_errors = yaml_error_count(y) != errors_before;
		break;
	default: rc = spec_read(y, KEY_DEFAULTS, key->at, r->base_dir, take_defaults, r->out);
	}
	r->key_errors += yaml_error_count(y) - errors_before;
	return rc;
}

static bool is_main_only(struct span name)
{
	return keys_find(name, KEY_SERVER) || keys_is_section(name, KEY_SERVER) ||
	       span_is(name, span_of(top_words[TOP_DEFAULTS])) || span_is(name, span_of(top_words[TOP_INCLUDE]));
}

static int read_server_key(struct yaml *y, const struct yaml_key *key, struct reading *r)
{
	struct span name = yaml_key_span(key);
	const struct key *k = keys_find(name, KEY_SERVER);
	size_t errors_before = yaml_error_count(y);
	int rc;
	if (k && !strchr(k->path, '.')) {
		rc = read_setting(y, key, k, r);
	} else if (!keys_is_section(name, KEY_SERVER) || strchr(key->text, '.')) {
		spec_read_unknown(y, key, "", KEY_SERVER, top_words);
		return yaml_skip(y);
	} else {
		rc = read_section(y, key->text, r);
	}
	if (yaml_error_count(y) != errors_before)
		r->out->has_settings_errors = true;
	r->key_errors += yaml_error_count(y) - errors_before;
	return rc;
}

static int read_top_key(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	struct reading *r = ctx;
	struct span name = yaml_key_span(key);
	bool is_main = r->out->is_main;
	for (unsigned w = 0; w < (is_main ? TOP_COUNT : TOP_DEFAULTS); w++) {
		if (!span_is(name, span_of(top_words[w])))
			continue;
		if (r->words_seen >> w & 1) {
			error_at(y, "E12", key->at, "put all of it under one key", "%s is written twice", top_words[w]);
			r->out->is_broken = true; /* which of the two is meant? */
			return yaml_skip(y);
		}
		r->words_seen |= 1u << w;
		return read_top_word(y, key, r, (enum top_word)w);
	}
	if (is_main)
		return read_server_key(y, key, r);
	if (is_main_only(name))
		error_at(y, "E11", key->at, "an included file has only `policies` and `domains`",
			 "%s belongs into the main file", LOG_QUOTE(name));
	else
		spec_read_unknown(y, key, "", 0, included_words);
	return yaml_skip(y);
}

static int read_root(struct yaml *y, void *ctx)
{
	if (!yaml_is_mapping(y)) {
		(void)yaml_refuse(y, "E16", "begin with a key such as `domains:`", "the file is no mapping");
		return ERR_PARSE;
	}
	return yaml_mapping(y, read_top_key, ctx);
}

/* --- a file ---------------------------------------------------------------------------------------------------- */

static void add_problem(struct source *s, const char *code, const struct spec_entry *at, struct span domain,
			const char *text, const char *hint)
{
	struct problem p = {
		.severity = PROBLEM_ERROR,
		.file = s->path,
		.line = at ? at->line : 0,
		.column = at ? at->column : 0,
		.text = (char *)(uintptr_t)text, /* copied */
		.hint = (char *)(uintptr_t)hint,
	};
	(void)snprintf(p.code, sizeof p.code, "%s", code);
	problem_add(&s->problems, &p, domain);
}

static void refuse_second(struct source *s, const char *code, const char *what, const struct spec_entry *first,
			  const struct spec_entry *second)
{
	char text[PROBLEM_TEXT_BYTES];
	(void)snprintf(text, sizeof text, "%s %.*s is listed twice (first on line %u)", what, SPAN_ARG(second->name),
		       (unsigned)first->line);
	add_problem(s, code, second, second->name, text, "keep one of them; the first one counts");
}

static void on_domain_twice(void *ctx, const struct spec_entry *first, const struct spec_entry *second)
{
	refuse_second(ctx, "E07", "domain", first, second);
}

static void on_policy_twice(void *ctx, const struct spec_entry *first, const struct spec_entry *second)
{
	refuse_second(ctx, "E12", "policy", first, second);
}

void source_fail(struct source *s, const char *text, const char *hint)
{
	s->is_broken = s->is_unread = true;
	add_problem(s, "E18", NULL, (struct span){NULL, 0}, text, hint);
}

int source_init(struct source *s, const char *path, bool is_main)
{
	*s = (struct source){.is_main = is_main};
	buf_init(&s->defaults, DEFAULTS_MAX_BYTES);
	spec_list_init(&s->policies);
	spec_list_init(&s->domains);
	s->path = strdup(path);
	return s->path && settings_init(&s->settings) == 0 ? 0 : ERR_NOMEM;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static void refuse_settings(struct source *s, const char *text, const char *hint)
{
	add_problem(s, "E17", NULL, (struct span){NULL, 0}, text, hint);
	s->has_settings_errors = true;
}

static void check_settings(struct source *s)
{
	const struct settings *v = &s->settings;
	if (v->dns_host && v->dns_addresses.count) /* a CNAME stands alone (RFC 1034 3.6.2) */
		refuse_settings(s, "dns.host and dns.addresses cannot both be there", "keep one of them");
	if (s->has_publish && v->dns_publish_command.count == 0 && !s->has_settings_errors)
		refuse_settings(s, "dns.publish has no command", "say what to run, or take dns.publish out");
}

int source_parse(struct source *s, struct span bytes)
{
	struct reading r = {.out = s, .base_dir = folder_of(s->path), .section = ""};
	if (!r.base_dir)
		return ERR_NOMEM;
	s->has_last_line_end = bytes.len && bytes.p[bytes.len - 1] == '\n';
	int rc = yaml_read(bytes, s->path, &s->problems, read_root, &r);
	free(r.base_dir);
	if (s->problems.error_count != r.key_errors)
		s->has_gaps = s->has_settings_errors = true;
	if (s->has_gaps && s->include_count == 0) /* they may be what is missing */
		s->has_include_errors = true;
	spec_list_finish(&s->policies, on_policy_twice, s);
	spec_list_finish(&s->domains, on_domain_twice, s);
	s->is_broken = s->is_broken || rc != 0;
	check_settings(s);
	return rc == ERR_NOMEM || s->problems.failed ? ERR_NOMEM : 0;
}

void source_deinit(struct source *s)
{
	problem_list_deinit(&s->problems);
	spec_list_deinit(&s->policies);
	spec_list_deinit(&s->domains);
	settings_deinit(&s->settings);
	buf_deinit(&s->defaults);
	for (size_t i = 0; i < s->include_count; i++)
		free(s->includes[i].pattern);
	free(s->includes);
	free(s->path);
	*s = (struct source){0};
}

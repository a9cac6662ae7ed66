#include "whole.h"

#include "../base/db.h"
#include "../base/err.h"
#include "domains.h"
#include "presets.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHOLE_DOMAINS, WHOLE_POLICIES };

static const struct spec_list *list_of(const struct load *l, size_t file, int kind)
{
	const struct source *s = &l->files[file].source;
	return kind == WHOLE_DOMAINS ? &s->domains : &s->policies;
}

static struct spec_entry entry_of(const struct load *l, struct whole_name n, int kind)
{
	return spec_list_get(list_of(l, n.file, kind), n.entry);
}

struct order {
	const struct load *load;
	int kind;
};

static int compare(const void *va, const void *vb, void *ctx)
{
	const struct order *o = ctx;
	const struct whole_name *a = va, *b = vb;
	int c = span_compare(entry_of(o->load, *a, o->kind).name, entry_of(o->load, *b, o->kind).name);
	return c ? c : (a->file > b->file) - (a->file < b->file);
}

static void report_double(const struct order *o, struct whole_name first, struct whole_name second,
			  struct problem_list *problems)
{
	struct spec_entry e = entry_of(o->load, second, o->kind);
	char text[PROBLEM_TEXT_BYTES];
	bool is_domain = o->kind == WHOLE_DOMAINS;
	(void)snprintf(text, sizeof text, "%s %.*s is listed in %.300s as well", is_domain ? "domain" : "policy",
		       SPAN_ARG(e.name), o->load->files[first.file].path);
	struct problem p = {
		.severity = PROBLEM_ERROR,
		.file = o->load->files[second.file].path,
		.line = e.line,
		.column = e.column,
		.text = text,
		.hint = "keep one of them; the other file's counts",
	};
	memcpy(p.code, is_domain ? "E07" : "E12", PROBLEM_CODE_BYTES);
	problem_add(problems, &p, is_domain ? e.name : (struct span){NULL, 0});
}

static int join(const struct load *l, int kind, struct whole_name **out, size_t *out_count,
		struct problem_list *problems)
{
	size_t total = 0, n = 0, kept = 0;
	struct order order = {l, kind};
	for (size_t f = 0; f < l->count; f++)
		total += l->files[f].source.is_broken ? 0 : list_of(l, f, kind)->count;
	struct whole_name *names = calloc(total + 1, sizeof *names);
	if (!names)
		return ERR_NOMEM;
	for (size_t f = 0; f < l->count; f++)
		for (size_t i = 0; !l->files[f].source.is_broken && i < list_of(l, f, kind)->count; i++)
			names[n++] = (struct whole_name){f, i};
	qsort_r(names, n, sizeof *names, compare, &order);
	for (size_t i = 0; i < n; i++) {
		bool is_double = kept &&
				 span_is(entry_of(l, names[kept - 1], kind).name, entry_of(l, names[i], kind).name);
		if (is_double)
			report_double(&order, names[kept - 1], names[i], problems);
		else
			names[kept++] = names[i];
	}
	*out = names;
	*out_count = kept;
	return problems->failed;
}

int whole_init(struct whole *w, struct load *load, struct db_txn *history, int64_t now_unix_s,
	       struct problem_list *problems)
{
	*w = (struct whole){.load = load, .history = history, .now_unix_s = now_unix_s};
	if (load->count == 0)
		return 0;
	const struct source *main_source = &load->files[0].source;
	w->settings = &main_source->settings;
	if (main_source->defaults.len)
		(void)spec_decode(buf_span(&main_source->defaults), &w->defaults); /* just encoded: it decodes */
	int rc = join(load, WHOLE_POLICIES, &w->policies, &w->policy_count, problems);
	w->is_advised = calloc(w->policy_count + 1, sizeof *w->is_advised);
	if (rc == 0 && !w->is_advised)
		rc = ERR_NOMEM;
	return rc ? rc : join(load, WHOLE_DOMAINS, &w->domains, &w->domain_count, problems);
}

void whole_deinit(struct whole *w)
{
	free(w->domains);
	free(w->policies);
	free(w->is_advised);
	*w = (struct whole){0};
}

static bool find(const struct whole *w, int kind, struct span name, size_t *out)
{
	const struct whole_name *names = kind == WHOLE_DOMAINS ? w->domains : w->policies;
	size_t low = 0, high = kind == WHOLE_DOMAINS ? w->domain_count : w->policy_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = span_compare(entry_of(w->load, names[mid], kind).name, name);
		if (c == 0) {
			*out = mid;
			return true;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

bool whole_find(const struct whole *w, struct span domain, size_t *out)
{
	return find(w, WHOLE_DOMAINS, domain, out);
}

struct span whole_domain(const struct whole *w, size_t i)
{
	return entry_of(w->load, w->domains[i], WHOLE_DOMAINS).name;
}

/* room: for a preset (presets.h). out_at: the index in policies; policy_count: of none of them. */
static int find_policy(const struct whole *w, const struct spec *spec, char room[PRESET_MX_MAX_BYTES], struct spec *out,
		       size_t *out_at, struct outcome_input *in)
{
	struct span name = spec_policy_name(spec, &w->defaults);
	size_t at;
	*out_at = w->policy_count;
	if (name.len == 0)
		return 0;
	*out = (struct spec){0};
	if (!find(w, WHOLE_POLICIES, name, &at)) {
		in->is_policy_missing = !presets_fill(name, out, room);
		in->policy = in->is_policy_missing ? NULL : out;
		return 0;
	}
	struct spec_entry e = entry_of(w->load, w->policies[at], WHOLE_POLICIES);
	if (e.is_refused)
		return ERR_CONFLICT; /* said where the policy stands */
	if (spec_decode(e.stored, out) != 0)
		return ERR_PARSE;
	(void)presets_fill(name, out, room);
	*out_at = at;
	in->policy = out;
	in->places.policy_file = w->load->files[w->policies[at].file].path;
	in->places.policy_line = e.line;
	in->places.policy_column = e.column;
	in->places.policy_name = e.name;
	return 0;
}

static int add_history(const struct whole *w, struct domain_row *row, struct outcome_input *in)
{
	if (!w->history)
		return 0;
	in->has_history = true;
	int rc = domains_get_in_turn(w->history, in->domain, row);
	if (rc == ERR_NOENT)
		return 0;
	if (rc == 0)
		rc = domains_body(w->history, row, &in->old_body);
	in->row = row;
	return rc;
}

/* The bit of what was said about a policy; NULL where the domain has a word of its own in it. */
static bool *find_advised(const struct whole *w, const struct spec *spec, size_t policy_at)
{
	bool has_own = (spec->set & ~(1u << SPEC_POLICY)) != 0;
	return has_own || policy_at == w->policy_count ? NULL : &w->is_advised[policy_at];
}

int whole_outcome(const struct whole *w, size_t i, struct outcome *out, struct problem_list *problems)
{
	struct spec_entry e = entry_of(w->load, w->domains[i], WHOLE_DOMAINS);
	struct spec spec, policy;
	struct domain_row row;
	char room[PRESET_MX_MAX_BYTES];
	size_t policy_at;
	const struct source *main_source = &w->load->files[0].source;
	struct outcome_input in = {
		.domain = e.name,
		.spec = &spec,
		.defaults = &w->defaults,
		.settings = w->settings,
		.now_unix_s = w->now_unix_s,
		.places = {.domain_file = w->load->files[w->domains[i].file].path},
	};
	out->is_good = false;
	if (e.is_refused || main_source->has_refused_defaults || spec_decode(e.stored, &spec) != 0)
		return 0; /* said where it stands */
	if (main_source->defaults.len) {
		in.places.defaults_file = w->load->files[0].path;
		in.places.defaults_line = w->defaults.line;
		in.places.defaults_column = w->defaults.column;
	}
	if (find_policy(w, &spec, room, &policy, &policy_at, &in) != 0)
		return 0;
	bool *is_advised = find_advised(w, &spec, policy_at);
	in.wants_advice = !is_advised || !*is_advised;
	int rc = add_history(w, &row, &in);
	if (rc == 0)
		rc = outcome_find(out, &in, problems);
	if (is_advised)
		*is_advised = *is_advised || out->is_good;
	return rc;
}

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

static int compare(const struct order *o, struct whole_name a, struct whole_name b)
{
	return span_compare(entry_of(o->load, a, o->kind).name, entry_of(o->load, b, o->kind).name);
}

/* Two sorted runs, from begin to middle and from there to end, into one; of equal names the first run's comes first. */
static void merge_two(const struct order *o, const struct whole_name *from, struct whole_name *to, size_t begin,
		      size_t middle, size_t end)
{
	size_t a = begin, b = middle;
	for (size_t n = begin; n < end; n++) {
		bool is_first = a < middle && (b == end || compare(o, from[a], from[b]) <= 0);
		to[n] = is_first ? from[a++] : from[b++];
	}
}

/* The names of each file are sorted already: one run each, begun at begins[…]; begins[run_count] is their number. */
static int merge_runs(const struct order *o, struct whole_name *names, size_t *begins, size_t run_count)
{
	size_t count = begins[run_count];
	struct whole_name *room = calloc(count + 1, sizeof *room), *from = names, *to = room;
	if (!room)
		return ERR_NOMEM;
	while (run_count > 1) {
		size_t kept = 0;
		for (size_t r = 0; r < run_count; r += 2) {
			bool is_alone = r + 1 == run_count;
			size_t end = begins[is_alone ? r + 1 : r + 2];
			merge_two(o, from, to, begins[r], is_alone ? end : begins[r + 1], end);
			begins[kept++] = begins[r];
		}
		begins[kept] = count;
		run_count = kept;
		struct whole_name *swap = from;
		from = to;
		to = swap;
	}
	if (from != names && count)
		memcpy(names, from, count * sizeof *names);
	free(room);
	return 0;
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

/* All names, file by file. begins: one more than there are files. */
static size_t gather(const struct order *o, struct whole_name *names, size_t *begins)
{
	size_t n = 0;
	for (size_t f = 0; f < o->load->count; f++) {
		size_t count = o->load->files[f].source.is_broken ? 0 : list_of(o->load, f, o->kind)->count;
		begins[f] = n;
		for (size_t i = 0; names && i < count; i++)
			names[n + i] = (struct whole_name){f, i};
		n += count;
	}
	begins[o->load->count] = n;
	return n;
}

/* Takes out those that are not the first of their name. */
static size_t drop_doubles(const struct order *o, struct whole_name *names, size_t count, struct problem_list *problems)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (kept && compare(o, names[kept - 1], names[i]) == 0)
			report_double(o, names[kept - 1], names[i], problems);
		else
			names[kept++] = names[i];
	}
	return kept;
}

static int join(const struct load *l, int kind, struct whole_name **out, size_t *out_count,
		struct problem_list *problems)
{
	const struct order o = {l, kind};
	size_t *begins = calloc(l->count + 1, sizeof *begins);
	size_t count = begins ? gather(&o, NULL, begins) : 0;
	*out = begins ? calloc(count + 1, sizeof **out) : NULL;
	int rc = *out ? 0 : ERR_NOMEM;
	if (rc == 0) {
		(void)gather(&o, *out, begins);
		rc = merge_runs(&o, *out, begins, l->count);
	}
	if (rc == 0)
		*out_count = drop_doubles(&o, *out, count, problems);
	free(begins);
	return rc ? rc : problems->failed;
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

/* Any bytes as main file, as included file and as both: nothing breaks, what comes out is a golden body and one DNS
 * record, and what went wrong is said in one line each. */
#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/name.h"
#include "../../config/domains.h"
#include "../../config/formats.h"
#include "../../config/ids.h"
#include "../../config/record.h"
#include "../../config/settings_table.h"
#include "../../config/whole.h"
#include "fuzz.h"

#include <string.h>

#define NOW_UNIX_S INT64_C(1780272000)

static const char main_text[] = "defaults: {mode: testing, max_age: 86400, mx: [mail.example.com]}\n"
				"policies: {standard: {mode: enforce, max_age: 604800}}\n"
				"domains: {example.com: standard}\n"
				"include: [x.yaml]\n";

/* --- what is promised ------------------------------------------------------------------------------------------------
 */

static void check_line(struct span line, size_t *modes)
{
	struct span colon = {memchr(line.p, ':', line.len), 2};
	insist(colon.p && colon.p + 2 < line.p + line.len && colon.p[1] == ' ' && line.p[line.len - 1] != ' ');
	for (size_t i = 0; i < line.len; i++)
		insist(line.p[i] >= 0x20 && line.p[i] <= 0x7E);
	*modes += line.len > 5 && memcmp(line.p, "mode:", 5) == 0;
}

/* conformance.md 3.5, R1 to R8 */
static void check_body(struct span body)
{
	size_t modes = 0, lines = 0;
	insist(body.len <= POLICY_BODY_MAX_BYTES && body.len > 22 &&
	       memcmp(body.p, "version: STSv1\r\nmode: ", 22) == 0);
	while (body.len) {
		const char *end = memmem(body.p, body.len, "\r\n", 2);
		insist(end && end > body.p);
		check_line((struct span){body.p, (size_t)(end - body.p)}, &modes);
		body = (struct span){end + 2, body.len - (size_t)(end + 2 - body.p)};
		lines++;
	}
	insist(modes == 1 && lines >= 3);
}

static void check_mx(struct span packed)
{
	struct span rest = packed, item;
	while (pack_next(&rest, &item)) {
		struct name n;
		insist(name_parse_mx(item, &n, NULL) == 0 && span_is(name_span(&n), item));
	}
	insist(rest.len == 0);
}

static void check_records(const struct outcome *v, struct span domain, const struct settings *settings)
{
	struct domain_row row = {.ttl_s = v->ttl_s, .tls_rpt = v->tls_rpt};
	struct ids_used used = {0};
	struct record_set set;
	struct buf out;
	const struct spec *values = &v->resolved.values;
	ids_next((enum id_scheme)settings->dns_id, v->digest, NOW_UNIX_S, &used, row.id);
	if (spec_has(values, SPEC_ID)) {
		memset(row.id, 0, sizeof row.id);
		insist(values->id.len <= DOMAIN_ID_MAX_BYTES);
		memcpy(row.id, values->id.p, values->id.len);
	}
	size_t len = strlen(row.id);
	insist(len >= 1 && len <= 32 &&
	       strspn(row.id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == len);
	record_set_init(&set);
	buf_init(&out, 1 << 20);
	insist(record_make(&set, domain, &row, settings, RECORD_LIVE) == 0);
	insist(formats_table[0]->add(&out, &set, true) == 0);
	insist(out.len && out.p[out.len - 1] == '\n' && memmem(out.p, out.len, "\"v=STSv1; id=", 13));
	size_t lines = 0;
	for (size_t i = 0; i < out.len; i++) {
		lines += out.p[i] == '\n';
		insist(out.p[i] == '\n' || (out.p[i] >= 0x20 && out.p[i] <= 0x7E));
	}
	insist(lines == set.count);
	record_set_deinit(&set);
	buf_deinit(&out);
}

static void check_problems(const struct problem_list *l)
{
	size_t errors = 0;
	for (size_t i = 0; i < l->count; i++) {
		const struct problem *p = &l->items[i];
		struct buf b;
		buf_init(&b, 1 << 20);
		problem_render(p, &b);
		insist(!b.failed && !memchr(b.p, '\n', b.len) && !memchr(b.p, '\r', b.len) && p->text[0]);
		insist(strlen(p->code) == 3 && strchr("EWI", p->code[0]));
		insist((p->line == 0) == (p->column == 0));
		errors += p->severity == PROBLEM_ERROR;
		buf_deinit(&b);
	}
	insist(errors == l->error_count);
}

static void check_spec_list(const struct spec_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct spec_entry e = spec_list_get(l, i), found;
		struct spec spec;
		struct buf again;
		insist(spec_list_find(l, e.name, &found) && found.line == e.line);
		insist(i == 0 || span_compare(spec_list_get(l, i - 1).name, e.name) < 0);
		if (e.is_refused)
			continue;
		insist(spec_decode(e.stored, &spec) == 0);
		check_mx(spec.mx);
		buf_init(&again, 1 << 20);
		insist(spec_encode(&spec, &again) == 0 && span_is(buf_span(&again), e.stored));
		buf_deinit(&again);
	}
}

/* What the store remembers of them is what they are. */
static void check_settings(const struct settings *s)
{
	struct buf one, two;
	struct settings back;
	buf_init(&one, 1 << 24);
	buf_init(&two, 1 << 24);
	insist(settings_encode(s, &one) == 0 && settings_decode(buf_span(&one), &back) == 0);
	insist(settings_encode(&back, &two) == 0 && span_is(buf_span(&one), buf_span(&two)));
	settings_deinit(&back);
	buf_deinit(&one);
	buf_deinit(&two);
}

/* --- the two ways through
 * ---------------------------------------------------------------------------------------------- */

static void add_file(struct load *load, const char *path, bool is_main, struct span text)
{
	struct load_file *f = &load->files[load->count++];
	*f = (struct load_file){.path = strdup(path), .is_main = is_main, .is_read = true};
	insist(f->path && source_init(&f->source, path, is_main) == 0 && source_parse(&f->source, text) == 0);
	check_problems(&f->source.problems);
	check_spec_list(&f->source.domains);
	check_spec_list(&f->source.policies);
	insist(!f->source.is_broken || f->source.problems.error_count);
	insist(!f->source.has_gaps || f->source.problems.error_count);
	if (is_main)
		check_settings(&f->source.settings);
}

static void judge_all(struct load *load)
{
	struct whole w;
	struct outcome v;
	struct problem_list problems = {0};
	outcome_init(&v);
	insist(whole_init(&w, load, NULL, NOW_UNIX_S, &problems) == 0);
	for (size_t i = 0; i < w.domain_count; i++) {
		size_t at;
		struct name n;
		insist(whole_find(&w, whole_domain(&w, i), &at) && at == i);
		insist(name_parse(whole_domain(&w, i), &n, NULL) == 0 && span_is(name_span(&n), whole_domain(&w, i)));
		insist(whole_outcome(&w, i, &v, &problems) == 0);
		if (!v.is_good)
			continue;
		check_body(v.body);
		check_records(&v, whole_domain(&w, i), w.settings);
	}
	problem_sort(&problems);
	check_problems(&problems);
	problem_list_deinit(&problems);
	whole_deinit(&w);
	outcome_deinit(&v);
}

static void try(struct span main_file, struct span included)
{
	struct load load = {.files = calloc(2, sizeof *load.files), .cap = 2};
	insist(load.files != NULL);
	add_file(&load, "/etc/m/main.yaml", true, main_file);
	add_file(&load, "/etc/m/x.yaml", false, included);
	judge_all(&load);
	load_deinit(&load);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct spec spec;
	try(text, text); /* every name is a rival's */
	try(SPAN_LIT(main_text), text);
	try(text, SPAN_LIT("domains: {other.example: standard}\n"));
	if (spec_decode(text, &spec) == 0) { /* what a damaged store hands out */
		struct resolved r;
		spec_resolve(&spec, &spec, &spec, &r);
		(void)pack_count(r.values.mx);
	}
	return 0;
}

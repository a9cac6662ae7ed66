#include "merge.h"

#include "../base/db.h"
#include "../base/err.h"
#include "cert_paths.h"
#include "known.h"
#include "load.h"
#include "presets.h"
#include "specs.h"
#include "trouble.h"
#include "vanish.h"

#include <stdio.h>
#include <stdlib.h>

static const uint32_t nobody = UINT32_MAX; /* the number of no file: the owner of orphans, during a merge */

static int put(struct merge *m, enum db_table table, struct span name, uint32_t file_no, struct span stored,
	       struct err *err)
{
	m->is_changed = true;
	return specs_put(m->txn, table, name, file_no, stored, err);
}

static int mark(struct buf *names, struct span name, struct err *err)
{
	return pack_add(names, name) ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

/* --- what a file lost
 * -------------------------------------------------------------------------------------------------- */

static int has_lost_domain(struct merge *m, uint32_t no, const struct spec_list *list, bool *out, struct err *err)
{
	struct specs_lost w;
	struct span name;
	int rc = specs_lost_begin(&w, m->txn, DB_SPECS, no, list, err);
	if (rc)
		return rc;
	rc = specs_lost_next(&w, &name);
	*out = rc == 0;
	specs_lost_end(&w);
	return rc == ERR_NOENT ? 0 : rc;
}

static struct buf *orphans_of(struct merge *m, enum db_table table)
{
	return table == DB_SPECS ? &m->orphan_domains : &m->orphan_policies;
}

/* Makes orphans of what a file has no more (list NULL: of all that it had): another file may take them over. Names are
 * copied out first: a delete moves pages. */
static int let_go(struct merge *m, enum db_table table, uint32_t no, const struct spec_list *list, struct err *err)
{
	struct specs_lost w;
	struct span name, stored, rest;
	struct buf *orphans = orphans_of(m, table);
	size_t begin = orphans->len;
	uint32_t owner;
	int rc = specs_lost_begin(&w, m->txn, table, no, list, err);
	while (rc == 0 && (rc = specs_lost_next(&w, &name)) == 0) {
		rc = mark(orphans, name, err);
	}
	specs_lost_end(&w);
	rc = rc == ERR_NOENT ? 0 : rc;
	rest = buf_span(orphans);
	if (begin) /* nothing may be added to a NULL, not even 0 */
		rest = (struct span){rest.p + begin, rest.len - begin};
	while (rc == 0 && pack_next(&rest, &name)) {
		rc = specs_get(m->txn, table, name, &owner, &stored);
		if (rc)
			return err_set(err, ERR_IO, "store: what was written for %.*s is missing", SPAN_ARG(name));
		rc = put(m, table, name, nobody, stored, err);
		if (rc == 0)
			rc = specs_disown(m->txn, table, no, name, err);
	}
	return rc;
}

/* Removes the orphans that no file took over. */
static int bury_orphans(struct merge *m, enum db_table table, struct err *err)
{
	struct span rest = buf_span(orphans_of(m, table)), name, stored;
	uint32_t owner;
	int rc = 0;
	while (rc == 0 && pack_next(&rest, &name)) {
		rc = specs_get(m->txn, table, name, &owner, &stored);
		if (rc)
			return err_set(err, rc == ERR_NOENT ? ERR_IO : rc,
				       "store: what was written for %.*s is missing", SPAN_ARG(name));
		if (owner != nobody)
			continue;
		if (table == DB_SPECS)
			rc = cert_paths_put(m->txn, name, stored, (struct span){NULL, 0}, err);
		if (rc == 0)
			rc = db_delete(m->txn, table, name, err);
		if (rc == 0)
			rc = mark(table == DB_SPECS ? &m->dirty : &m->policies, name, err);
	}
	return rc;
}

/* --- putting off
 * ------------------------------------------------------------------------------------------------------- */

/* Was the file rewritten in place, a moment ago? Then somebody may still be writing. */
static bool is_hot(const struct load_file *f, const struct known_file *old, int64_t now_ns)
{
	int64_t quiet_ms = (now_ns - f->id.ctime_ns) / 1000000;
	return f->id.ino == old->id.ino && f->id.dev == old->id.dev && !file_id_is(&f->id, &old->id) &&
	       quiet_ms < MERGE_SETTLE_MS && quiet_ms > -MERGE_SETTLE_MS;
}

static int has_less(struct merge *m, const struct load_file *f, const struct known_file *old, bool *out,
		    struct err *err)
{
	*out = f->source.is_broken || !f->source.has_last_line_end || f->id.size < old->id.size;
	return *out ? 0 : has_lost_domain(m, old->no, &f->source.domains, out, err);
}

static void put_off(struct merge *m, size_t i, int64_t now_ns)
{
	int64_t quiet_ms = (now_ns - m->load->files[i].id.ctime_ns) / 1000000;
	uint64_t wait_ms = (uint64_t)(MERGE_SETTLE_MS - quiet_ms) + 1;
	m->is_put_off[i] = true;
	if (wait_ms > m->retry_ms)
		m->retry_ms = wait_ms;
}

static int sort_file(struct merge *m, size_t i, int64_t now_ns, struct err *err)
{
	const struct load_file *f = &m->load->files[i];
	struct known_file *k = known_find(m->known, f->path);
	bool is_less = false;
	int rc = 0;
	if (!k)
		rc = known_add(m->known, f->path, &k, err);
	else if (f->is_read && is_hot(f, k, now_ns))
		rc = has_less(m, f, k, &is_less, err);
	if (is_less)
		put_off(m, i, now_ns);
	if (rc == 0)
		k->is_listed = true;
	return rc;
}

/* The main file also has less when it includes less. */
static void sort_main(struct merge *m, int64_t now_ns)
{
	const struct load_file *f = &m->load->files[0];
	if (m->load->count == 0 || !f->is_main || !f->is_read || !is_hot(f, known_find(m->known, f->path), now_ns))
		return;
	for (size_t i = 0; i < m->known->count && !m->is_put_off[0]; i++)
		if (vanish_has(m->load, &m->known->files[i]))
			put_off(m, 0, now_ns);
}

int merge_begin(struct merge *m, struct db_txn *txn, struct known *known, struct load *load, int64_t now_ns,
		struct err *err)
{
	*m = (struct merge){.txn = txn, .known = known, .load = load};
	buf_init(&m->dirty, SIZE_MAX / 2);
	buf_init(&m->policies, SIZE_MAX / 2);
	buf_init(&m->orphan_domains, SIZE_MAX / 2);
	buf_init(&m->orphan_policies, SIZE_MAX / 2);
	m->is_put_off = calloc(load->count + 1, sizeof *m->is_put_off);
	m->has_conflict = calloc(load->count + 1, sizeof *m->has_conflict);
	if (!m->is_put_off || !m->has_conflict)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < load->count; i++)
		rc = sort_file(m, i, now_ns, err);
	if (rc == 0)
		sort_main(m, now_ns);
	return rc;
}

void merge_end(struct merge *m)
{
	free(m->is_put_off);
	free(m->has_conflict);
	buf_deinit(&m->dirty);
	buf_deinit(&m->policies);
	buf_deinit(&m->orphan_domains);
	buf_deinit(&m->orphan_policies);
	*m = (struct merge){0};
}

/* --- merging
 * ------------------------------------------------------------------------------------------------------------- */

bool merge_has_changed_policies(const struct merge *m)
{
	return m->policies.len > 0;
}

/* The file whose entries are being merged. */
struct in_hand {
	struct source *source;
	uint32_t no;
	bool *has_conflict;
};

/* The name is another file's already. Said among the problems of the file that comes second. */
static int report_conflict(struct merge *m, const struct in_hand *f, uint32_t owner, const struct spec_entry *e,
			   bool is_domain, struct err *err)
{
	char text[PROBLEM_TEXT_BYTES];
	(void)snprintf(text, sizeof text, "%s %.*s is listed in %.300s as well", is_domain ? "domain" : "policy",
		       SPAN_ARG(e->name), known_path(m->known, owner));
	struct problem p = {
		.severity = PROBLEM_ERROR,
		.file = f->source->path,
		.line = e->line,
		.column = e->column,
		.text = text,
		.hint = "keep one of them; the other file's counts",
	};
	memcpy(p.code, is_domain ? "E07" : "E12", PROBLEM_CODE_BYTES);
	problem_add(&f->source->problems, &p, is_domain ? e->name : (struct span){NULL, 0});
	*f->has_conflict = true;
	return f->source->problems.failed ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int merge_entry(struct merge *m, enum db_table table, const struct in_hand *f, const struct spec_entry *e,
		       struct err *err)
{
	bool is_domain = table == DB_SPECS;
	uint32_t owner = f->no;
	struct span stored = {"", 0};
	int rc = specs_get(m->txn, table, e->name, &owner, &stored);
	if (rc && rc != ERR_NOENT)
		return err_set(err, rc, "store: what was written for %.*s cannot be read", SPAN_ARG(e->name));
	bool is_there = rc == 0, is_orphan = is_there && owner == nobody;
	if (is_there && !is_orphan && owner != f->no)
		return report_conflict(m, f, owner, e, is_domain, err);
	struct span news = e->is_refused ? stored : e->stored; /* refused: what was good before stays */
	/* a refused policy hides the preset of its name, as it would if it were good: stored without anything in it */
	bool is_nothing = e->is_refused && (is_there || is_domain || !presets_has(e->name));
	if (!is_orphan && (is_nothing || (is_there && span_is(stored, news))))
		return 0;
	bool is_news = !is_there || is_orphan || !spec_is_same(stored, news);
	rc = is_domain ? cert_paths_put(m->txn, e->name, stored, news, err) : 0;
	if (rc == 0)
		rc = put(m, table, e->name, f->no, news, err);
	if (rc == 0 && (!is_there || is_orphan))
		rc = specs_own(m->txn, table, f->no, e->name, err);
	if (rc == 0 && is_news)
		rc = mark(is_domain ? &m->dirty : &m->policies, e->name, err);
	return rc;
}

static int merge_list(struct merge *m, enum db_table table, const struct in_hand *f, struct err *err)
{
	const struct spec_list *list = table == DB_SPECS ? &f->source->domains : &f->source->policies;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < list->count; i++) {
		struct spec_entry e = spec_list_get(list, i);
		rc = merge_entry(m, table, f, &e, err);
	}
	return rc;
}

static bool is_usable(const struct merge *m, size_t i)
{
	const struct load_file *f = &m->load->files[i];
	return f->is_read && !f->source.is_broken && !m->is_put_off[i];
}

static uint32_t number_of(const struct merge *m, size_t i)
{
	return known_find(m->known, m->load->files[i].path)->no;
}

static int remove_file(struct merge *m, const struct known_file *k, struct err *err)
{
	static const struct problem_list none;
	struct problem_list fresh = {0};
	m->is_changed = true;
	int rc = let_go(m, DB_POLICIES, k->no, NULL, err);
	if (rc == 0)
		rc = let_go(m, DB_SPECS, k->no, NULL, err);
	if (rc == 0)
		rc = trouble_put_file(m->txn, k->no, &none, &fresh, &m->is_changed, err);
	problem_list_deinit(&fresh);
	if (rc == 0)
		rc = db_delete(m->txn, DB_FILES, span_of(k->path), err);
	return rc == ERR_NOENT ? 0 : rc;
}

/* Files that were there and are not any more: their domains are gone, too. Never the main file's, never because a
 * folder could not be read, and never while the list of includes may be half written. */
static int remove_files(struct merge *m, struct err *err)
{
	bool has_main = m->load->count && m->load->files[0].is_main && !m->is_put_off[0];
	int rc = has_main ? vanish_count(&m->vanish, m->txn, m->known, m->load, err) : 0;
	m->is_held = m->is_cautious && m->vanish.are_most;
	bool may_remove = has_main && !m->is_held;
	for (size_t i = 0; rc == 0 && may_remove && i < m->known->count; i++)
		if (vanish_has(m->load, &m->known->files[i]))
			rc = remove_file(m, &m->known->files[i], err);
	return rc;
}

static int let_go_all(struct merge *m, struct err *err)
{
	const struct load *l = m->load;
	int rc = remove_files(m, err);
	for (size_t i = 0; rc == 0 && i < l->count; i++) {
		const struct source *s = &l->files[i].source;
		if (!is_usable(m, i) || s->has_gaps)
			continue;
		rc = let_go(m, DB_POLICIES, number_of(m, i), &s->policies, err);
		if (rc == 0)
			rc = let_go(m, DB_SPECS, number_of(m, i), &s->domains, err);
	}
	return rc;
}

int merge_files(struct merge *m, struct err *err)
{
	struct load *l = m->load;
	int rc = let_go_all(m, err);
	for (size_t i = 0; rc == 0 && i < l->count; i++) {
		if (!is_usable(m, i))
			continue;
		struct in_hand f = {&l->files[i].source, number_of(m, i), &m->has_conflict[i]};
		rc = merge_list(m, DB_POLICIES, &f, err);
		if (rc == 0)
			rc = merge_list(m, DB_SPECS, &f, err);
	}
	if (rc == 0)
		rc = bury_orphans(m, DB_POLICIES, err);
	return rc ? rc : bury_orphans(m, DB_SPECS, err);
}

/* --- walks
 * --------------------------------------------------------------------------------------------------------------- */

int merge_each_dirty(struct merge *m, merge_domain_fn *fn, void *ctx, struct err *err)
{
	struct span rest = buf_span(&m->dirty), name;
	int rc = 0;
	while (rc == 0 && pack_next(&rest, &name))
		rc = fn(ctx, name, err);
	return rc;
}

static void ignore_twice(void *ctx, const struct spec_entry *first, const struct spec_entry *second)
{
	(void)ctx;
	(void)first;
	(void)second;
}

/* The policies that changed, to be searched by name: there may be as many as there are domains. */
static int sort_policies(const struct merge *m, struct spec_list *out, struct err *err)
{
	struct span rest = buf_span(&m->policies), name;
	int rc = 0;
	while (rc == 0 && pack_next(&rest, &name))
		rc = spec_list_add(out, name, NULL, true, 0, 0);
	spec_list_finish(out, ignore_twice, NULL);
	return rc ? err_set(err, rc, "out of memory") : 0;
}

static bool is_touched(const struct spec_list *policies, struct span stored, const struct spec *defaults)
{
	struct spec spec;
	struct spec_entry found;
	if (spec_decode(stored, &spec) != 0)
		return true; /* let it be found damaged */
	return spec_list_find(policies, spec_policy_name(&spec, defaults), &found);
}

int merge_each_spec(struct merge *m, bool is_all, const struct spec *defaults, merge_spec_fn *fn, void *ctx,
		    struct err *err)
{
	struct specs_walk w = {0};
	struct spec_list policies;
	struct span name, stored;
	uint32_t file_no;
	spec_list_init(&policies);
	int rc = is_all ? 0 : sort_policies(m, &policies, err);
	if (rc == 0)
		rc = specs_walk_begin(&w, m->txn, DB_SPECS, err);
	while (rc == 0 && (rc = specs_walk_next(&w, &name, &file_no, &stored, err)) == 0)
		if (is_all || is_touched(&policies, stored, defaults))
			rc = fn(ctx, name, file_no, stored, err);
	specs_walk_end(&w);
	spec_list_deinit(&policies);
	return rc == ERR_NOENT ? 0 : rc;
}

#include "apply.h"

#include "../base/clock.h"
#include "../base/db.h"
#include "../base/err.h"
#include "domains.h"
#include "ids.h"
#include "in_force.h"
#include "known.h"
#include "merge.h"
#include "outbox.h"
#include "outcome.h"
#include "presets.h"
#include "rows.h"
#include "specs.h"
#include "stored.h"
#include "trouble.h"

enum { FRESH_WARNINGS_MAX = 100 };

/* --- reading ---------------------------------------------------------------------------------------------------- */

static bool is_known(void *ctx, const char *path, const struct file_id *id)
{
	const struct known_file *f = known_find(ctx, path);
	return f && !f->is_unfinished && file_id_is(&f->id, id);
}

int apply_read(struct db *store, const char *main_path, struct load *out, struct err *err)
{
	struct known known = {0};
	struct text_list patterns = {0};
	struct db_txn *txn;
	*out = (struct load){0};
	int rc = db_begin_read(store, &txn, err);
	if (rc)
		return rc;
	rc = known_load(txn, &known, err);
	if (rc == 0 && stored_add_patterns(txn, &patterns) != 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	db_end(txn); /* reading files may take long */
	if (rc == 0)
		rc = load_run(out, main_path, is_known, &known, &patterns, err);
	if (rc == 0 && out->lost.count &&
	    !out->files[0].is_read) { /* what is lost is said where the main file names it */
		load_deinit(out);
		known_find(&known, main_path)->is_unfinished = true;
		rc = load_run(out, main_path, is_known, &known, &patterns, err);
	}
	text_list_deinit(&patterns);
	known_deinit(&known);
	return rc;
}

int apply_read_changed(struct db *store, const char *main_path, const struct text_list *changed, struct load *out,
		       bool *out_is_enough, struct err *err)
{
	struct known known = {0};
	struct text_list patterns = {0}, paths = {0};
	struct db_txn *txn;
	*out = (struct load){0};
	*out_is_enough = false;
	int rc = db_begin_read(store, &txn, err);
	if (rc)
		return rc;
	rc = text_list_add(&paths, span_of(main_path));
	for (size_t i = 0; rc == 0 && i < changed->count; i++)
		rc = text_list_add(&paths, span_of(changed->items[i]));
	if (rc == 0)
		rc = stored_add_patterns(txn, &patterns);
	rc = rc ? err_set(err, rc, "out of memory") : known_load_some(txn, &paths, &known, err);
	if (rc == 0)
		rc = load_changed(out, main_path, is_known, &known, &patterns, changed, out_is_enough, err);
	db_end(txn);
	text_list_deinit(&paths);
	text_list_deinit(&patterns);
	known_deinit(&known);
	return rc;
}

/* --- one run
 * ------------------------------------------------------------------------------------------------------------ */

struct apply {
	struct db_txn *txn;
	struct load *load;
	struct known known;
	struct merge merge;
	struct in_force in_force;
	struct check_places places; /* of the defaults; the rest per domain */
	const struct apply_how *how;
	bool is_changed;
	bool is_only_removed; /* update() passes over domains that have a spec */
	bool has_troubles;
	struct outcome outcome;
	struct rows rows;
	struct problem_list problems; /* of the domain in hand */
	struct buf spec_stored, policy_stored, policy_name;
	bool has_policy; /* policy_stored is policy_name's */
	struct apply_result *out;
};

static const struct source *main_source(const struct apply *a)
{
	const struct load_file *f = a->load->count ? &a->load->files[0] : NULL;
	bool is_usable = f && f->is_main && f->is_read && !f->source.is_broken && !a->merge.is_put_off[0];
	return is_usable ? &f->source : NULL;
}

static int take_in_force(struct apply *a, struct err *err)
{
	bool has_main = a->load->count && a->load->files[0].is_main;
	int rc = in_force_take(&a->in_force, a->txn, main_source(a), &a->load->patterns, err);
	a->is_changed = a->is_changed || a->in_force.is_changed;
	a->places.defaults_file = has_main ? a->load->files[0].path : NULL;
	a->places.defaults_line = a->in_force.defaults.line;
	a->places.defaults_column = a->in_force.defaults.column;
	return rc;
}

/* --- one domain
 * ----------------------------------------------------------------------------------------------------------- */

/* The named policy into policy_stored; kept from domain to domain, since neighbours tend to share it. */
static int find_policy(struct apply *a, struct span name, struct err *err)
{
	struct span stored;
	uint32_t file_no;
	if (a->has_policy && span_is(buf_span(&a->policy_name), name))
		return 0;
	buf_reset(&a->policy_name);
	buf_reset(&a->policy_stored);
	a->has_policy = false;
	static const struct spec nothing;
	int rc = specs_get_policy(a->txn, name, &file_no, &stored);
	bool is_preset = rc == ERR_NOENT && presets_has(name);
	if (rc == ERR_CONFLICT || (rc == ERR_NOENT && !is_preset))
		return ERR_NOENT;
	(void)buf_add_span(&a->policy_name, name);
	if (is_preset)
		rc = spec_encode(&nothing, &a->policy_stored); /* judge() fills it in */
	else
		(void)buf_add_span(&a->policy_stored, stored);
	if (rc || a->policy_name.failed || a->policy_stored.failed)
		return err_set(err, rc ? rc : ERR_NOMEM, "store: a policy cannot be read");
	a->has_policy = true;
	a->places.policy_file = is_preset ? NULL : known_path(&a->known, file_no);
	return 0;
}

static int judge(struct apply *a, struct span domain, const struct spec *spec, const struct domain_row *row,
		 struct err *err)
{
	struct spec policy;
	char room[PRESET_MX_MAX_BYTES];
	struct outcome_input in = {
		.domain = domain,
		.spec = spec,
		.defaults = &a->in_force.defaults,
		.settings = &a->in_force.settings,
		.is_quiet = a->out->fresh.count >= FRESH_WARNINGS_MAX, /* composed in vain, for 10^6 domains */
		.has_history = true,
		.row = row,
		.now_unix_s = a->how->now_unix_s,
	};
	struct span name = spec_policy_name(spec, &a->in_force.defaults);
	int rc = name.len ? find_policy(a, name, err) : 0;
	if (rc && rc != ERR_NOENT)
		return rc;
	in.is_policy_missing = rc == ERR_NOENT;
	in.places = a->places;
	if (name.len && rc == 0) {
		if (spec_decode(buf_span(&a->policy_stored), &policy) != 0)
			return err_set(err, ERR_IO, "store: a policy is damaged");
		(void)presets_fill(name, &policy, room);
		in.policy = &policy;
		in.places.policy_line = policy.line;
		in.places.policy_column = policy.column;
		in.places.policy_name = buf_span(&a->policy_name);
	}
	if (row && !in.is_quiet && domains_body(a->txn, row, &in.old_body) != 0)
		return err_set(err, ERR_IO, "store: the policy of %.*s is missing", SPAN_ARG(domain));
	rc = outcome_find(&a->outcome, &in, &a->problems);
	return rc ? err_set(err, rc, "out of memory") : 0;
}

/* Warnings about a change that was just made are told once, too. */
static void tell_warnings(struct apply *a)
{
	for (size_t i = 0; i < a->problems.count && a->out->fresh.count < FRESH_WARNINGS_MAX; i++) {
		const struct problem *p = &a->problems.items[i];
		if (strcmp(p->code, "E15") == 0 || strcmp(p->code, "W01") == 0 || strcmp(p->code, "W05") == 0 ||
		    strcmp(p->code, "W13") == 0)
			problem_add(&a->out->fresh, p, p->domain ? span_of(p->domain) : (struct span){NULL, 0});
	}
}

static int store_trouble(struct apply *a, struct span domain, struct err *err)
{
	if (!a->has_troubles && a->problems.error_count == 0)
		return 0;
	a->has_troubles = true;
	return trouble_put_domain(a->txn, domain, &a->problems, &a->out->fresh, &a->is_changed, err);
}

/* Brings the row of one domain up to what its spec says, which is no longer in the store's hands. */
static int update_spec(void *ctx, struct span domain, uint32_t file_no, struct span stored, struct err *err)
{
	struct apply *a = ctx;
	struct spec spec;
	struct domain_row row;
	bool is_changed = false;
	problem_list_deinit(&a->problems);
	if (spec_decode(stored, &spec) != 0)
		return err_set(err, ERR_IO, "store: what was written for %.*s is damaged", SPAN_ARG(domain));
	int rc = domains_get_in_turn(a->txn, domain, &row);
	if (rc && rc != ERR_NOENT)
		return err_set(err, rc, "store: the row of %.*s cannot be read", SPAN_ARG(domain));
	const struct domain_row *old = rc == 0 ? &row : NULL;
	a->places.domain_file = known_path(&a->known, file_no);
	rc = judge(a, domain, &spec, old, err);
	if (rc == 0 && a->outcome.is_good)
		rc = rows_put(&a->rows, domain, &a->outcome, old, &is_changed, err);
	if (is_changed) {
		a->out->changed_count++;
		a->is_changed = true;
		tell_warnings(a);
	}
	return rc ? rc : store_trouble(a, domain, err);
}

static int withdraw(struct apply *a, struct span domain, struct err *err)
{
	bool is_changed = false;
	problem_list_deinit(&a->problems);
	int rc = rows_withdraw(&a->rows, domain, &is_changed, err);
	a->out->withdrawn_count += is_changed;
	a->is_changed = a->is_changed || is_changed;
	return rc ? rc : store_trouble(a, domain, err);
}

/* The same for a domain whose spec may be gone. */
static int update(void *ctx, struct span domain, struct err *err)
{
	struct apply *a = ctx;
	struct span stored;
	uint32_t file_no;
	int rc = specs_get_domain(a->txn, domain, &file_no, &stored);
	if (rc == ERR_NOENT)
		return withdraw(a, domain, err);
	if (rc)
		return err_set(err, rc, "store: what was written for %.*s cannot be read", SPAN_ARG(domain));
	if (a->is_only_removed)
		return 0;
	buf_reset(&a->spec_stored);
	if (buf_add_span(&a->spec_stored, stored) != 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	return update_spec(a, domain, file_no, buf_span(&a->spec_stored), err);
}

/* What is owed beside the rows that changed. */
static int update_outbox(struct apply *a, struct err *err)
{
	if (a->rows.is_publishing && !a->in_force.is_all_owed)
		return 0;
	if (!a->rows.is_publishing && db_count(a->txn, DB_OUTBOX) == 0)
		return 0;
	a->is_changed = true;
	if (!a->rows.is_publishing) /* what is out stays known: whoever publishes again must not take it away unasked */
		return db_clear(a->txn, DB_OUTBOX, err);
	int rc = outbox_fill(a->txn, a->how->now_unix_s, err);
	if (rc == 0 && a->rows.delegate)
		rc = outbox_put(a->txn, span_of(a->rows.delegate), a->how->now_unix_s, err);
	return rc;
}

static int update_dirty(struct apply *a, struct err *err)
{
	rows_begin(&a->rows, a->txn, (enum id_scheme)a->in_force.settings.dns_id, a->how->now_unix_s);
	a->rows.is_publishing = a->in_force.settings.dns_publish_command.count > 0;
	a->rows.is_clock_unsure = a->how->is_clock_unsure;
	a->rows.serial_floor = ids_serial_at(a->how->start_unix_s);
	a->rows.delegate = a->in_force.settings.dns_delegate;
	a->is_only_removed = a->in_force.is_all_dirty; /* the others have their turn below */
	int rc = merge_each_dirty(&a->merge, update, a, err);
	a->is_only_removed = false;
	if (rc == 0 && (a->in_force.is_all_dirty || merge_has_changed_policies(&a->merge)))
		rc = merge_each_spec(&a->merge, a->in_force.is_all_dirty, &a->in_force.defaults, update_spec, a, err);
	size_t expired = 0;
	if (rc == 0)
		rc = rows_expire(&a->rows, &expired, err);
	a->is_changed = a->is_changed || expired > 0;
	if (rc == 0)
		rc = update_outbox(a, err);
	return rc ? rc : rows_end(&a->rows, err);
}

/* --- all of it
 * --------------------------------------------------------------------------------------------------------------- */

static int store_files(struct apply *a, struct err *err)
{
	for (size_t i = 0; i < a->load->count; i++) {
		const struct load_file *f = &a->load->files[i];
		if (!f->is_read || a->merge.is_put_off[i])
			continue;
		struct known_file *k = known_find(&a->known, f->path);
		k->id = f->id;
		k->is_unfinished = a->merge.has_conflict[i] || f->source.is_unread ||
				   (f->is_main && a->load->lost.count);
		int rc = known_store(a->txn, k, &a->is_changed, err);
		if (rc == 0)
			rc = trouble_put_file(a->txn, k->no, &f->source.problems, &a->out->fresh, &a->is_changed, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* What is in the store is not needed in memory any more: 80 MB for 10^6 domains, whose rows want more than that. */
static void forget_lists(struct load *l)
{
	for (size_t i = 0; i < l->count; i++) {
		spec_list_deinit(&l->files[i].source.policies);
		spec_list_deinit(&l->files[i].source.domains);
	}
}

static int run(struct apply *a, struct err *err)
{
	int rc = a->load->is_part ? known_load_some(a->txn, &a->load->looked_at, &a->known, err)
				  : known_load(a->txn, &a->known, err);
	if (rc == 0)
		rc = merge_begin(&a->merge, a->txn, &a->known, a->load, clock_file_ns(), err);
	a->merge.is_cautious = a->how->is_cautious;
	a->merge.vanish.before_count = a->how->vanished_before;
	a->merge.vanish.all_before = a->how->all_before;
	if (rc == 0)
		rc = take_in_force(a, err);
	if (rc == 0)
		rc = merge_files(&a->merge, err);
	if (rc == 0)
		rc = store_files(a, err);
	forget_lists(a->load);
	for (size_t i = 0; i < a->known.count; i++)
		a->out->is_unfinished = a->out->is_unfinished || a->known.files[i].is_unfinished;
	a->has_troubles = rc == 0 && db_count(a->txn, DB_PROBLEMS) > 0;
	if (rc == 0)
		rc = update_dirty(a, err);
	if (rc == 0 && a->known.failed)
		rc = err_set(err, a->known.failed, "store: the list of files cannot be read");
	a->is_changed = a->is_changed || a->merge.is_changed;
	a->out->retry_ms = a->merge.retry_ms;
	a->out->held_count = a->merge.is_held ? a->merge.vanish.gone_count : 0;
	a->out->vanished_count = a->merge.is_held ? 0 : a->merge.vanish.net_count;
	a->out->all_before = a->merge.vanish.all_count;
	return rc;
}

static void count(struct apply *a)
{
	a->out->domain_count = db_count(a->txn, DB_DOMAINS);
	a->out->withdrawn_total = db_count(a->txn, DB_WITHDRAWN);
	a->out->error_count = db_count(a->txn, DB_PROBLEMS);
}

int apply_run(struct db *store, struct load *load, const struct apply_how *how, struct apply_result *out,
	      struct err *err)
{
	*out = (struct apply_result){0};
	struct apply a = {.load = load, .how = how, .out = out};
	outcome_init(&a.outcome);
	buf_init(&a.spec_stored, STORED_MAX_BYTES);
	buf_init(&a.policy_stored, STORED_MAX_BYTES);
	buf_init(&a.policy_name, DB_KEY_MAX_BYTES);
	int rc = db_begin_write(store, &a.txn, err);
	if (rc == 0) {
		rc = run(&a, err);
		count(&a);
		if (rc == 0 && a.is_changed) {
			rc = db_commit(a.txn, err);
			out->is_committed = rc == 0;
		} else {
			db_end(a.txn);
		}
	}
	merge_end(&a.merge);
	known_deinit(&a.known);
	in_force_deinit(&a.in_force);
	problem_list_deinit(&a.problems);
	outcome_deinit(&a.outcome);
	rows_deinit(&a.rows);
	buf_deinit(&a.spec_stored);
	buf_deinit(&a.policy_stored);
	buf_deinit(&a.policy_name);
	return rc;
}

void apply_result_deinit(struct apply_result *r)
{
	problem_list_deinit(&r->fresh);
	*r = (struct apply_result){0};
}

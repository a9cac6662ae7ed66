#include "reload.h"

#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../certs/import.h"
#include "../../config/apply.h"
#include "../../config/cert_paths.h"
#include "../../config/glance.h"
#include "../../config/keys.h"
#include "../../config/settings_table.h"
#include "../../config/stored.h"
#include "cert_problems.h"
#include "dev.h"
#include "watch.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILES_MANY = 1000, /* what they take for a moment is worth giving back to the system */
	TOLD_MAX = 20,     /* lines of a kind per reload: `check` and `status` tell all */
};

static void tell_problem(const struct problem *p, enum log_level level, const char *event)
{
	struct buf place;
	buf_init(&place, 4200);
	(void)buf_printf(&place, "%s:%u:%u", p->file, (unsigned)p->line, (unsigned)p->column);
	struct log_quoted quoted = log_quote(buf_span(&place)), hint = log_quote(span_of(p->hint ? p->hint : ""));
	log_write(level, event, "place=%s code=%s text=%s%s%s", quoted.text, p->code, LOG_QUOTE(span_of(p->text)),
		  p->hint ? " hint=" : "", p->hint ? hint.text : "");
	buf_deinit(&place);
}

static void tell_problems(const struct problem_list *l, bool is_error)
{
	enum log_level level = is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
	const char *event = is_error ? "config.error" : "config.warning";
	size_t count = 0;
	for (size_t i = 0; i < l->count; i++)
		if ((l->items[i].severity == PROBLEM_ERROR) == is_error && count++ < TOLD_MAX)
			tell_problem(&l->items[i], level, event);
	if (count > TOLD_MAX)
		log_write(level, event, "text=\"and %zu more; `mta-sts-server check` tells all of them\"",
			  count - TOLD_MAX);
}

static int watch_config(struct reload *r, const struct text_list *folders)
{
	if (!r->watch)
		return 0;
	int rc = 0;
	watch_begin_set(r->watch, WATCH_CONFIG);
	for (size_t i = 0; rc == 0 && i < folders->count; i++)
		rc = watch_add(r->watch, WATCH_CONFIG, folders->items[i], NULL);
	return rc ? rc : watch_end_set(r->watch, WATCH_CONFIG);
}

static int failed(const char *what, int rc, const struct err *err)
{
	metric_add(M_RELOADS_FAILED, 1);
	log_error(what, "text=%s", LOG_QUOTE(span_of(err->text)));
	return rc;
}

/* Keys that were changed but are read only at the start: say so, once for each change. */
static void tell_restart(struct reload *r, const struct settings *now)
{
	uint64_t differs = 0;
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *k = &keys_table[i];
		if (!(k->scopes & KEY_SERVER) || k->reload != KEY_RESTART || settings_is_same(&r->at_start, now, k))
			continue;
		differs |= (uint64_t)1 << i;
		if (!(r->told_restart >> i & 1))
			log_warn("config.restart", "key=%s text=\"the change takes effect at the next start\"",
				 k->path);
	}
	r->told_restart = differs;
}

/* What a new configuration means for the keeper itself: where certificates are, and what only a restart can change. */
static int take_settings(struct reload *r, struct err *err)
{
	struct settings settings;
	struct text_list old = r->cert_paths;
	r->cert_paths = (struct text_list){0};
	int rc = stored_load_settings(r->store, &settings, err);
	for (size_t i = 0; rc == 0 && i < settings.cert_paths.count; i++)
		rc = text_list_add(&r->cert_paths, span_of(settings.cert_paths.items[i]));
	if (rc == 0 && r->has_start)
		tell_restart(r, &settings);
	if (rc == 0 && !r->has_start) {
		r->at_start = settings;
		r->has_start = true;
	} else {
		settings_deinit(&settings);
	}
	if (rc == 0 || rc == ERR_NOENT)
		rc = cert_paths_add(r->store, &r->cert_paths, err);
	r->is_cert_pass_due = r->is_cert_pass_due || !text_list_is_same(&old, &r->cert_paths);
	r->has_cert_paths = rc == 0;
	text_list_deinit(&old);
	return rc;
}

static void note_missing_main(struct reload *r, int load_rc)
{
	bool is_missing = load_rc == ERR_NOENT;
	if (is_missing && !r->is_main_missing)
		log_error("config.error",
			  "place=%s code=E18 text=\"the file is not there; what was served goes on being served\"",
			  LOG_QUOTE(span_of(r->main_path)));
	r->is_main_missing = is_missing;
}

static void tell_result(struct reload *r, const struct apply_result *result, size_t file_count, uint64_t took_ms)
{
	r->domain_count = result->domain_count;
	r->error_count = result->error_count + r->is_main_missing;
	metric_set(M_DOMAINS, result->domain_count);
	metric_set(M_DOMAINS_WITHDRAWN, result->withdrawn_total);
	metric_set(M_PROBLEMS, r->error_count);
	tell_problems(&result->fresh, true);
	tell_problems(&result->fresh, false);
	if (!result->is_committed)
		return;
	metric_add(M_RELOADS, 1);
	log_info("reload.done", "domains=%zu changed=%zu withdrawn=%zu errors=%zu files=%zu took_ms=%" PRIu64,
		 result->domain_count, result->changed_count, result->withdrawn_count, r->error_count, file_count,
		 took_ms);
}

/* So that the next start needs not parse a large file first. Where it fails, that one takes a second longer. */
static void note_settings(const struct reload *r, const struct load *load)
{
	const struct load_file *f = load->count ? &load->files[0] : NULL;
	if (r->state_dir && f && f->is_main && f->is_read && !f->source.is_broken && !f->source.has_settings_errors)
		(void)glance_note(r->main_path, &f->id, r->state_dir, &f->source.settings, NULL);
}

/* The changes of the configuration by name. ERR_RANGE: there is no telling. */
static int list_changes(struct reload *r, struct text_list *out, struct err *err)
{
	struct watch_changes changes;
	watch_take_changes(r->watch, WATCH_CONFIG, &changes);
	bool is_usable = !changes.is_all && changes.count <= LOAD_CHANGED_MAX_COUNT;
	int rc = is_usable ? 0 : ERR_RANGE;
	const char *at = changes.paths.p;
	for (size_t i = 0; rc == 0 && i < changes.count; i++, at += strlen(at) + 1)
		rc = text_list_add(out, span_of(at));
	watch_changes_deinit(&changes);
	return rc ? err_set(err, rc, "out of memory") : 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_changed(struct reload *r, struct load *load, bool *out_is_enough, struct err *err)
{
	struct text_list changed = {0};
	int rc = list_changes(r, &changed, err);
	if (changed.count) /* in the order in which glob(3) finds them */
		qsort(changed.items, changed.count, sizeof *changed.items, compare_texts);
	if (rc == 0)
		rc = apply_read_changed(r->store, r->main_path, &changed, load, out_is_enough, err);
	if (rc || !*out_is_enough)
		load_deinit(load);
	text_list_deinit(&changed);
	return rc == ERR_RANGE ? 0 : rc;
}

static bool is_all_due(const struct look *l, enum reload_scope scope)
{
	return scope <= RELOAD_ASKED || (scope == RELOAD_DUE && look_is_due(l, clock_mono_ms()));
}

static int read_config(struct reload *r, enum reload_scope scope, struct load *load, struct err *err)
{
	bool is_enough = false, are_changes_told = r->watch && r->is_config_plain;
	*load = (struct load){0};
	int rc = are_changes_told && !is_all_due(&r->config_look, scope) ? read_changed(r, load, &is_enough, err) : 0;
	if (rc || is_enough)
		return rc;
	uint64_t begin_ms = clock_mono_ms();
	rc = apply_read(r->store, r->main_path, load, err);
	look_note(&r->config_look, begin_ms, clock_mono_ms());
	if (rc == 0 || rc == ERR_NOENT)
		note_missing_main(r, rc);
	return rc == ERR_NOENT ? 0 : rc;
}

int reload_config(struct reload *r, enum reload_scope scope, uint64_t *out_retry_ms)
{
	struct load load;
	struct apply_result result = {0};
	struct err err = {0};
	uint64_t begin_ms = clock_mono_ms();
	struct apply_how how = caution_look(&r->caution, r->store, scope == RELOAD_ASKED);
	r->is_clock_unsure = how.is_clock_unsure;
	*out_retry_ms = 0;
	int rc = read_config(r, scope, &load, &err);
	if (rc == 0)
		rc = apply_run(r->store, &load, &how, &result, &err);
	if (rc == 0) {
		tell_result(r, &result, load.count, clock_mono_ms() - begin_ms);
		*out_retry_ms = result.retry_ms;
		caution_tell(&r->caution, &result);
		note_settings(r, &load);
	}
	if (rc == 0 && (result.is_committed || !r->has_cert_paths))
		rc = take_settings(r, &err);
	if (rc == 0 && !load.is_part && watch_config(r, &load.folders) != 0)
		rc = err_set(&err, ERR_NOMEM, "out of memory");
	if (rc == 0 && r->dev_ca)
		rc = dev_issue(r->dev_ca, r->store, r->keyring, clock_unix_s(), &err);
	r->is_config_plain = rc == 0 && load.is_plain && !result.is_unfinished && result.retry_ms == 0 &&
			     result.held_count == 0;
	bool was_busy = result.is_committed || rc || load.count > FILES_MANY;
	load_deinit(&load);
	apply_result_deinit(&result);
	if (was_busy) { /* reading 10^6 domains takes 200 MB for a moment, and writing them 300 */
		db_trim(r->store);
		(void)malloc_trim(0);
	}
	return rc ? failed("reload.failed", rc, &err) : 0;
}

/* --- certificates
 * ------------------------------------------------------------------------------------------------------------ */

/* One pass: what is said is collected first, since the same sentences come at every pass. */
struct cert_pass {
	struct reload *reload;
	struct problem_list problems;
	const char *const *paths;
	size_t path_count;
	bool is_partial;
	bool is_short_of_memory;
	size_t parsed_count;
};

static void on_problem(void *ctx, const char *path, bool is_error, const char *text)
{
	struct cert_pass *pass = ctx;
	struct problem p = {
		.severity = is_error ? PROBLEM_ERROR : PROBLEM_WARNING,
		.file = path,
		.text = (char *)(uintptr_t)text, /* copied */
	};
	problem_add(&pass->problems, &p, (struct span){NULL, 0});
}

static void on_dir(void *ctx, const char *dir, const char *look_at)
{
	struct cert_pass *pass = ctx;
	struct watch *w = pass->reload->watch;
	int rc = pass->is_partial ? watch_more(w, WATCH_CERTS, dir, look_at) : watch_add(w, WATCH_CERTS, dir, look_at);
	pass->is_short_of_memory = pass->is_short_of_memory || rc;
}

static bool is_looked_at(const struct cert_pass *pass, const char *file)
{
	for (size_t i = 0; i < pass->path_count; i++) {
		size_t len = strlen(pass->paths[i]);
		if (strncmp(file, pass->paths[i], len) == 0 && (file[len] == '\0' || file[len] == '/'))
			return true;
	}
	return false;
}

/* what was said about files that were not looked at stands */
static void keep_told(const struct reload *r, struct cert_pass *pass)
{
	for (size_t i = 0; i < r->told.count; i++)
		if (!is_looked_at(pass, r->told.items[i].file))
			problem_add(&pass->problems, &r->told.items[i], (struct span){NULL, 0});
}

static int import_certs(struct reload *r, struct cert_pass *pass, struct err *err)
{
	struct import_result result = {0};
	uint64_t begin_ms = clock_mono_ms();
	struct import in = {
		.store = r->store,
		.keyring = r->keyring,
		.paths = pass->paths,
		.path_count = pass->path_count,
		.is_partial = pass->is_partial,
		.now_unix_s = clock_unix_s(),
		.is_clock_unsure = r->is_clock_unsure,
		.on_problem = on_problem,
		.on_dir = r->watch ? on_dir : NULL,
		.ctx = pass,
	};
	int rc = import_run(&in, &result, err);
	if (rc)
		return rc;
	if (pass->is_partial)
		keep_told(r, pass);
	cert_problems_tell(&pass->problems, &r->told);
	pass->parsed_count = result.parsed_count;
	if (result.added_count || result.removed_count)
		log_info("certs.done", "files=%zu added=%zu removed=%zu pairs=%zu took_ms=%" PRIu64, result.file_count,
			 result.added_count, result.removed_count, result.pair_count, clock_mono_ms() - begin_ms);
	metric_set(M_PAIRS, result.pair_count);
	return pass->is_short_of_memory ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

/* looking at 10^5 pairs takes 35 MB for a moment, reading them 150 */
static void give_back(struct reload *r)
{
	db_trim(r->store);
	db_trim(r->keyring);
	(void)malloc_trim(0);
}

static int import_all(struct reload *r, struct cert_pass *pass, struct err *err)
{
	uint64_t begin_ms = clock_mono_ms();
	int rc = r->has_cert_paths ? 0 : take_settings(r, err);
	if (rc)
		return rc;
	pass->paths = (const char *const *)r->cert_paths.items;
	pass->path_count = r->cert_paths.count;
	if (r->watch)
		watch_begin_set(r->watch, WATCH_CERTS);
	rc = import_certs(r, pass, err);
	if (rc == 0 && r->watch && watch_end_set(r->watch, WATCH_CERTS) != 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	look_note(&r->cert_look, begin_ms, clock_mono_ms());
	give_back(r);
	return rc;
}

static int import_changed(struct reload *r, struct cert_pass *pass, const struct watch_changes *changes,
			  struct err *err)
{
	const char **paths = calloc(changes->count + 1, sizeof *paths), *at = changes->paths.p;
	if (!paths)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < changes->count; i++, at += strlen(at) + 1)
		paths[i] = at;
	pass->paths = paths;
	pass->path_count = changes->count;
	pass->is_partial = true;
	int rc = import_certs(r, pass, err);
	free(paths);
	if (pass->parsed_count > FILES_MANY)
		give_back(r);
	return rc;
}

static bool is_root(const struct reload *r, const char *path)
{
	for (size_t i = 0; i < r->cert_paths.count; i++) {
		const char *root = r->cert_paths.items[i];
		size_t len = strlen(root);
		while (len > 1 && root[len - 1] == '/')
			len--;
		if (strlen(path) == len && memcmp(path, root, len) == 0)
			return true;
	}
	return false;
}

/* A path that is configured itself: it may be a file, or missing, and only a pass over all says so. */
static bool is_part_enough(const struct reload *r, const struct watch_changes *changes)
{
	if (changes->is_all || r->is_cert_pass_due || !r->has_cert_paths)
		return false;
	const char *at = changes->paths.p;
	for (size_t i = 0; i < changes->count; i++, at += strlen(at) + 1)
		if (is_root(r, at))
			return false;
	return true;
}

int reload_certs(struct reload *r, enum reload_scope scope)
{
	struct cert_pass pass = {.reload = r};
	struct watch_changes changes = {.is_all = true};
	struct err err = {0};
	bool is_all = is_all_due(&r->cert_look, scope);
	if (scope == RELOAD_DUE && !is_all && !r->is_cert_pass_due)
		return 0;
	if (!is_all && r->watch)
		watch_take_changes(r->watch, WATCH_CERTS, &changes);
	int rc = is_part_enough(r, &changes) ? import_changed(r, &pass, &changes, &err) : import_all(r, &pass, &err);
	r->is_cert_pass_due = rc != 0;
	problem_list_deinit(&pass.problems);
	watch_changes_deinit(&changes);
	return rc ? failed("certs.failed", rc, &err) : 0;
}

void reload_deinit(struct reload *r)
{
	problem_list_deinit(&r->told);
	text_list_deinit(&r->cert_paths);
	settings_deinit(&r->at_start);
	*r = (struct reload){0};
}

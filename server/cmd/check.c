/* check: every problem of the configuration, in order of place. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/json.h"
#include "../../config/load.h"
#include "../../config/whole.h"
#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, OUT_MAX_BYTES = 1 << 30 };

/* What was served until now, to compare with, where we may read it. */
struct history {
	struct db *store;
	struct db_txn *txn;
};

static int open_history(struct history *h, const struct load *load, const char *state_dir)
{
	const struct settings *s = load->count ? &load->files[0].source.settings : NULL;
	const char *base = state_dir ? state_dir : s ? s->state_dir : NULL;
	if (!base)
		return 0;
	struct err err = {0};
	char *path = file_join(base, "store");
	int rc = path ? 0 : ERR_NOMEM;
	if (path && access(path, R_OK) == 0) {
		rc = db_open(&h->store, path, DB_STORE, false, &err);
		if (rc == 0)
			rc = db_begin_read(h->store, &h->txn, &err);
	}
	free(path);
	if (rc == ERR_IO)
		cmd_say("what was served before cannot be read, and is not compared with: %s", err.text);
	return rc == ERR_NOMEM ? rc : 0;
}

static void close_history(struct history *h)
{
	db_end(h->txn);
	db_close(h->store);
}

static void gather_files(const struct load *load, struct problem_list *out)
{
	for (size_t f = 0; f < load->count; f++) {
		const struct problem_list *l = &load->files[f].source.problems;
		for (size_t i = 0; i < l->count; i++) {
			const struct problem *p = &l->items[i];
			problem_add(out, p, p->domain ? span_of(p->domain) : (struct span){NULL, 0});
		}
	}
}

static int judge_all(struct load *load, struct db_txn *history, struct problem_list *out, size_t *domain_count)
{
	struct whole w;
	struct outcome outcome;
	outcome_init(&outcome);
	int rc = whole_init(&w, load, history, clock_unix_s(), out);
	for (size_t i = 0; rc == 0 && i < w.domain_count; i++)
		rc = whole_outcome(&w, i, &outcome, out);
	*domain_count = w.domain_count;
	whole_deinit(&w);
	outcome_deinit(&outcome);
	return rc;
}

static void render_json(const struct problem *p, struct buf *out)
{
	struct json j;
	json_begin(&j, out);
	json_open(&j, '{');
	json_put_text(&j, "severity", span_of(problem_severity_name(p->severity)));
	json_put_text(&j, "code", span_of(p->code));
	json_put_text(&j, "file", span_of(p->file));
	json_put_number(&j, "line", p->line);
	json_put_number(&j, "column", p->column);
	json_key(&j, "domain");
	if (p->domain)
		json_text(&j, span_of(p->domain));
	else
		json_null(&j);
	json_put_text(&j, "text", span_of(p->text));
	json_key(&j, "hint");
	if (p->hint)
		json_text(&j, span_of(p->hint));
	else
		json_null(&j);
	json_close(&j, '}');
}

static int print_all(const struct problem_list *l, bool is_json)
{
	struct buf out;
	int status = EXIT_DONE;
	buf_init(&out, OUT_MAX_BYTES);
	if (is_json)
		(void)buf_add_text(&out, "[");
	for (size_t i = 0; status == EXIT_DONE && i < l->count; i++) {
		if (is_json) {
			(void)buf_add_text(&out, i ? ",\n  " : "\n  ");
			render_json(&l->items[i], &out);
		} else {
			problem_render(&l->items[i], &out);
			(void)buf_add_char(&out, '\n');
		}
		if (out.len > CHUNK_BYTES) {
			status = cmd_print(out.p, out.len);
			buf_reset(&out);
		}
	}
	if (is_json)
		(void)buf_add_text(&out, l->count ? "\n]\n" : "]\n");
	if (status == EXIT_DONE)
		status = out.failed ? EXIT_SYSTEM : cmd_print(out.p, out.len);
	buf_deinit(&out);
	return status;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int run(const struct cmd_options *o)
{
	struct load load;
	struct problem_list problems = {0};
	struct history history = {0};
	struct err err = {0};
	size_t domain_count = 0;
	int status = EXIT_DONE;
	int rc = load_run(&load, o->config_path, NULL, NULL, NULL, &err);
	if (rc == 0 && load.files[0].source.is_unread)
		rc = err_set(&err, ERR_NOENT, "%s", load.files[0].source.problems.items[0].text);
	if (rc == 0) {
		rc = open_history(&history, &load, o->state_dir);
		if (rc == 0)
			rc = judge_all(&load, history.txn, &problems, &domain_count);
		gather_files(&load, &problems);
		problem_sort(&problems);
		if (rc || problems.failed)
			rc = err_set(&err, rc ? rc : ERR_NOMEM, "check cannot finish: %s",
				     rc == ERR_IO ? "the store cannot be read" : "out of memory");
	}
	if (rc) {
		cmd_say("%s", err.text);
		status = rc == ERR_NOENT ? EXIT_CONFIG : EXIT_SYSTEM;
	} else {
		status = print_all(&problems, o->is_json);
		if (status == EXIT_DONE && problems.error_count)
			status = EXIT_PROBLEMS;
		(void)fflush(stdout);
		(void)fprintf(stderr, "%zu domain%s in %zu file%s: %zu error%s, %zu warning%s\n", domain_count,
			      plural(domain_count), load.count, plural(load.count), problems.error_count,
			      plural(problems.error_count), problems.warning_count, plural(problems.warning_count));
	}
	close_history(&history);
	problem_list_deinit(&problems);
	load_deinit(&load);
	return status;
}

const struct cmd cmd_check = {
	.name = "check",
	.usage = "[--json]",
	.options = "j",
	.summary = "says every problem in the configuration",
	.help = "One line each: file:line:column: error|warning|info CODE: text (hint). The codes are in "
		"mta-sts-server.yaml(5).\n"
		"Exit status 1 when there is an error, 0 when there are only warnings.",
	.max_words = 0,
	.run = run,
};

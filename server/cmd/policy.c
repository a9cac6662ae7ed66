/* policy: the exact bytes that are served for a domain, or would be. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/name.h"
#include "../../config/domains.h"
#include "../../config/load.h"
#include "../../config/whole.h"
#include "cmd.h"
#include "context.h"

#include <stdio.h>

/* From the store. EXIT_PROBLEMS, silently: it has none. */
static int print_served(const struct context *c, struct span domain)
{
	struct domain_row row;
	struct span body;
	if (!c->txn || domains_get(c->txn, domain, &row) != 0 || domains_body(c->txn, &row, &body) != 0)
		return EXIT_PROBLEMS;
	return cmd_print(body.p, body.len);
}

static void print_errors(const struct problem_list *l, struct span domain)
{
	struct buf line;
	buf_init(&line, 8192);
	for (size_t i = 0; i < l->count; i++) {
		const struct problem *p = &l->items[i];
		if (p->severity != PROBLEM_ERROR || (p->domain && !span_is(span_of(p->domain), domain)))
			continue;
		buf_reset(&line);
		problem_render(p, &line);
		(void)fprintf(stderr, "%s\n", buf_text(&line));
	}
	buf_deinit(&line);
}

static void print_all_errors(const struct load *load, const struct problem_list *found, struct span domain)
{
	for (size_t f = 0; f < load->count; f++)
		print_errors(&load->files[f].source.problems, domain);
	print_errors(found, domain);
}

/* From the files. EXIT_PROBLEMS, explained, when they give none. */
static int print_configured(const struct cmd_options *o, struct span domain, bool *out_is_listed)
{
	struct load load;
	struct whole w = {0};
	struct outcome outcome;
	struct problem_list problems = {0};
	struct err err = {0};
	size_t at;
	*out_is_listed = false;
	outcome_init(&outcome);
	int rc = load_run(&load, o->config_path, NULL, NULL, NULL, &err);
	if (rc == 0 && whole_init(&w, &load, NULL, clock_unix_s(), &problems) != 0)
		rc = err_set(&err, ERR_NOMEM, "out of memory");
	*out_is_listed = rc == 0 && whole_find(&w, domain, &at);
	if (*out_is_listed && whole_outcome(&w, at, &outcome, &problems) != 0)
		rc = err_set(&err, ERR_NOMEM, "out of memory");
	int status = EXIT_PROBLEMS;
	if (rc) {
		cmd_say("%s", err.text);
		status = rc == ERR_NOENT ? EXIT_CONFIG : EXIT_SYSTEM;
	} else if (outcome.is_good) {
		status = cmd_print(outcome.body.p, outcome.body.len);
	} else if (*out_is_listed || load.files[0].source.is_broken) {
		print_all_errors(&load, &problems, domain);
	}
	outcome_deinit(&outcome);
	whole_deinit(&w);
	problem_list_deinit(&problems);
	load_deinit(&load);
	return status;
}

static int run(const struct cmd_options *o)
{
	struct context c;
	struct name name;
	struct err err = {0};
	bool is_listed = false;
	if (name_parse(span_of(o->words[0]), &name, &err) != 0) {
		cmd_say("%s", err.text);
		return EXIT_USAGE;
	}
	int status = context_open(&c, o);
	if (status == EXIT_DONE) {
		/* a running server's word counts; otherwise what the files say; and what was served, where they say
		 * nothing */
		status = c.server.is_running ? print_served(&c, name_span(&name)) : EXIT_PROBLEMS;
		if (status == EXIT_PROBLEMS)
			status = print_configured(o, name_span(&name), &is_listed);
		if (status == EXIT_PROBLEMS && !c.server.is_running &&
		    print_served(&c, name_span(&name)) == EXIT_DONE) {
			cmd_say("%s: this is what was served before", name.text);
			status = EXIT_DONE;
		}
		if (status == EXIT_PROBLEMS)
			cmd_say("%s has no policy: %s", name.text,
				is_listed ? "it is refused" : "it is not in the configuration");
	}
	context_close(&c);
	return status;
}

const struct cmd cmd_policy = {
	.name = "policy",
	.usage = "DOMAIN",
	.options = "",
	.summary = "prints the exact bytes that are served for a domain, or would be",
	.help = "What a running server serves counts; without one, what the configuration says.",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};

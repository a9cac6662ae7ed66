/* forget: ends the withdrawal of domains at once: a typing mistake that never was published need not be served for
 * weeks. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/name.h"
#include "../../config/rows.h"
#include "cmd.h"
#include "context.h"

#include <stdlib.h>

static int forget_one(struct rows *r, const char *word, struct err *err)
{
	struct name name;
	int rc = name_parse(span_of(word), &name, err);
	return rc ? rc : rows_forget(r, name_span(&name), err);
}

/* All of them or none. */
static int forget_all(struct db *store, const struct context *c, const struct cmd_options *o, struct err *err)
{
	struct db_txn *txn;
	struct rows rows;
	int rc = db_begin_write(store, &txn, err);
	if (rc)
		return rc;
	rows_begin(&rows, txn, (enum id_scheme)c->settings.dns_id, clock_unix_s());
	rows.is_publishing = c->is_publishing;
	rows.delegate = c->settings.dns_delegate;
	for (size_t i = 0; rc == 0 && i < o->word_count; i++)
		rc = forget_one(&rows, o->words[i], err);
	if (rc == 0)
		rc = rows_end(&rows, err);
	rows_deinit(&rows);
	if (rc == 0)
		return db_commit(txn, err);
	db_end(txn);
	return rc;
}

static int forget(const struct context *c, const struct cmd_options *o)
{
	struct err err = {0};
	struct db *store = NULL;
	char *dir = file_join(c->state_dir, "store");
	int rc = dir ? db_open(&store, dir, DB_STORE, true, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = forget_all(store, c, o, &err);
	db_close(store);
	free(dir);
	if (rc == 0)
		return EXIT_DONE;
	cmd_say("%s", err.text);
	switch (rc) {
	case ERR_NOENT:
	case ERR_CONFLICT: return EXIT_PROBLEMS;
	case ERR_PARSE:
	case ERR_RANGE: return EXIT_USAGE;
	default: return EXIT_SYSTEM;
	}
}

static int run(const struct cmd_options *o)
{
	struct context c;
	int status = context_open(&c, o);
	if (status == EXIT_DONE && !c.txn) {
		cmd_say("nothing was ever served from %s", c.state_dir);
		status = EXIT_PROBLEMS;
	} else if (status == EXIT_DONE) {
		context_close_store(&c); /* a process opens an environment once */
		status = forget(&c, o);
	}
	context_close(&c);
	return status;
}

const struct cmd cmd_forget = {
	.name = "forget",
	.usage = "DOMAIN…",
	.options = "",
	.summary = "ends the withdrawal of domains that were taken out of the configuration",
	.help = "A domain that is taken out goes on being answered with mode none for as long as senders may hold its "
		"policy.\n"
		"That is needless where its record was never published. Nor are its records printed as deletions any "
		"more;\n"
		"but where dns.publish.command is set, their deletion is published first, and a second `forget` drops "
		"that, too.",
	.min_words = 1,
	.max_words = 1000000,
	.run = run,
};

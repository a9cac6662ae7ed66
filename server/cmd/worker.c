/* worker: started by the keeper (keeper/workers.c), never by people. */
#include "../worker/worker.h"
#include "../../base/err.h"
#include "../../base/log.h"
#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

enum { WORD_STATE_DIR, WORD_SLOT, WORD_LISTEN_COUNT, WORD_KEEPER_PID, WORD_COUNT };

static int run(const struct cmd_options *o)
{
	static char who[32];
	struct err err = {0};
	struct worker_args args = {
		.state_dir = o->words[WORD_STATE_DIR],
		.slot = strtoul(o->words[WORD_SLOT], NULL, 10),
		.listen_count = strtoul(o->words[WORD_LISTEN_COUNT], NULL, 10),
		.keeper_pid = (pid_t)strtol(o->words[WORD_KEEPER_PID], NULL, 10),
	};
	(void)snprintf(who, sizeof who, "worker %zu", args.slot);
	log_init(who, LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, "mta-sts-worker"); /* for ps and ss, which would say "exe" */
	int rc = worker_run(&args, &err);
	if (rc)
		log_error("worker.failed", "text=%s", LOG_QUOTE(span_of(err.text)));
	return cmd_status_of(rc);
}

const struct cmd cmd_worker = {
	.name = "worker",
	.usage = "STATE_DIR SLOT LISTEN_COUNT KEEPER_PID",
	.options = "",
	.summary = "started by `serve`; not for people",
	.min_words = WORD_COUNT,
	.max_words = WORD_COUNT,
	.run = run,
	.is_internal = true,
};

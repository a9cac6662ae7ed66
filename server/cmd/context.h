/* context: what most commands begin with: the settings in force, the store, and whether a server runs on it. */
#ifndef CMD_CONTEXT_H
#define CMD_CONTEXT_H

#include "../../config/settings.h"
#include "../keeper/gate.h"
#include "cmd.h"

#include <stdbool.h>

struct db;
struct db_txn;
struct err;
struct file_id;
struct metric_page;

struct context {
	struct settings settings; /* the file's; where it is broken, the last good ones as far as they are known */
	char *state_dir;
	struct db *store;   /* NULL: nothing was ever served from state_dir */
	struct db_txn *txn; /* a snapshot of it */
	struct gate_server server;
	bool is_publishing;       /* the store keeps an outbox */
	struct metric_page *page; /* NULL: no server ever ran; of the last one otherwise */
};

/* context_open: EXIT_DONE, or an exit status that was explained on standard error. context_close it in any case. */
int context_open(struct context *c, const struct cmd_options *o);
void context_close(struct context *c); /* accepts a zeroed one */

/* context_look_again: whether a server runs by now, and serves. ERR_NOMEM. */
int context_look_again(struct context *c, struct err *err);

/* context_close_store: for who is going to write to it: a process opens an environment once. */
void context_close_store(struct context *c);

/* context_settings: the settings alone. state_dir: instead of the file's; NULL: the file's. ERR_NOENT: no file;
 * ERR_PARSE: broken, settings are what was read until then; ERR_RANGE: mistakes among the server keys. settings_deinit
 * them in any case. out_id: the file's, zeroed when it could not be read. */
int context_settings(const char *config_path, const char *state_dir, struct settings *out, struct file_id *out_id,
		     struct err *err);

#endif

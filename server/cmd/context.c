#include "context.h"

#include "../../base/buf.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/metric.h"
#include "../../certs/pairs.h"
#include "../../config/glance.h"
#include "../../config/settings_table.h"
#include "../../config/source.h"
#include "../../config/stored.h"
#include "../keeper/state_dir.h"
#include "../keeper/workers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static void take_settings(struct source *s, struct settings *out)
{
	*out = s->settings;
	s->settings = (struct settings){0};
}

static int parse_settings(const char *config_path, struct span bytes, struct settings *out, struct err *err)
{
	struct source s;
	int rc = source_init(&s, config_path, true);
	s.is_for_settings = true;
	if (rc == 0)
		rc = source_parse(&s, bytes);
	if (rc)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	else
		take_settings(&s, out);
	if (rc == 0 && s.is_broken)
		rc = err_set(err, ERR_PARSE, "%s cannot be used as it is; `mta-sts-server -c %s check` says why",
			     config_path, config_path);
	else if (rc == 0 && s.has_settings_errors)
		rc = err_set(err, ERR_RANGE, "%s has mistakes; `mta-sts-server -c %s check` says which", config_path,
			     config_path);
	source_deinit(&s);
	return rc;
}

/* The whole file. Where it cannot be read: the defaults. */
static int read_settings(const char *path, struct settings *out, struct file_id *out_id, struct err *err)
{
	struct buf bytes;
	buf_init(&bytes, SOURCE_FILE_MAX_BYTES);
	int rc = file_read(path, &bytes, out_id, err);
	if (rc == 0)
		rc = parse_settings(path, buf_span(&bytes), out, err);
	else if (rc != ERR_NOMEM && settings_init(out) != 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	buf_deinit(&bytes);
	return rc;
}

int context_settings(const char *config_path, const char *state_dir, struct settings *out, struct file_id *out_id,
		     struct err *err)
{
	*out = (struct settings){0};
	*out_id = (struct file_id){0};
	char *path = file_absolute(config_path);
	int rc = path ? glance_settings(path, state_dir, out, out_id) : ERR_NOMEM;
	if (rc == ERR_NOENT)
		rc = read_settings(config_path, out, out_id, err);
	else if (rc)
		rc = err_set(err, rc, "out of memory");
	free(path);
	return rc;
}

static int open_store(struct context *c, struct err *err)
{
	char *path = file_join(c->state_dir, "store");
	if (!path)
		return err_set(err, ERR_NOMEM, "out of memory");
	struct stat st;
	int rc = stat(path, &st) == 0 ? db_open(&c->store, path, DB_STORE, false, err)
				      : err_errno(err, errno, "%s", path);
	free(path);
	if (rc == ERR_NOENT) /* nothing was served from there yet */
		return 0;
	if (rc == ERR_PERM)
		(void)err_wrap(err, "run this as root or as the server's user");
	if (rc == 0 && c->store)
		rc = db_begin_read(c->store, &c->txn, err);
	if (rc == 0)
		c->server.pairs = pairs_memo_new(); /* without it all is slower, that is all */
	return rc;
}

static int look_at_server(struct context *c, struct err *err)
{
	char *path = file_join(c->state_dir, "metrics");
	if (!path)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = metric_page_open(path, false, &c->page, NULL);
	free(path);
	c->server.state_dir = c->state_dir;
	c->server.is_running = rc == 0 && state_dir_is_locked(c->state_dir);
	c->server.is_serving = c->server.is_running && workers_all_serving(c->page);
	return 0; /* without the page no server of this version runs there */
}

int context_look_again(struct context *c, struct err *err)
{
	metric_page_close(c->page); /* another server has another page */
	c->page = NULL;
	return look_at_server(c, err);
}

/* The store knows the last good settings, which are what a running server goes by. */
static int take_stored_settings(struct context *c, struct err *err)
{
	struct settings stored;
	int rc = stored_load_settings(c->store, &stored, err);
	if (rc == 0) {
		settings_deinit(&c->settings);
		c->settings = stored;
		return 0;
	}
	settings_deinit(&stored);
	return rc == ERR_NOENT ? 0 : rc;
}

/* The file may say otherwise, but nobody has acted on that yet. */
static int look_who_publishes(struct context *c, struct err *err)
{
	struct settings stored;
	int rc = stored_load_settings(c->store, &stored, err);
	c->is_publishing = rc == 0 && stored.dns_publish_command.count > 0;
	settings_deinit(&stored);
	return rc == ERR_NOENT ? 0 : rc;
}

int context_open(struct context *c, const struct cmd_options *o)
{
	struct err err = {0};
	struct file_id id;
	*c = (struct context){0};
	int rc = context_settings(o->config_path, o->state_dir, &c->settings, &id, &err);
	bool is_readable = rc == 0 || rc == ERR_PARSE || rc == ERR_RANGE;
	if (!is_readable && !o->state_dir) {
		cmd_say("%s", err.text);
		return rc == ERR_NOMEM ? EXIT_SYSTEM : EXIT_CONFIG;
	}
	const char *state_dir = o->state_dir ? o->state_dir : c->settings.state_dir;
	c->state_dir = strdup(state_dir ? state_dir : ".");
	bool is_file_good = rc == 0;
	rc = c->state_dir ? open_store(c, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = look_at_server(c, &err);
	if (rc == 0 && c->store)
		rc = look_who_publishes(c, &err);
	if (rc == 0 && c->store && (c->server.is_running || !is_file_good))
		rc = take_stored_settings(c, &err);
	if (rc)
		cmd_say("%s", err.text);
	return rc ? EXIT_SYSTEM : EXIT_DONE;
}

void context_close_store(struct context *c)
{
	db_end(c->txn);
	db_close(c->store);
	c->txn = NULL;
	c->store = NULL;
}

void context_close(struct context *c)
{
	context_close_store(c);
	pairs_memo_free(c->server.pairs);
	metric_page_close(c->page);
	free(c->state_dir);
	settings_deinit(&c->settings);
	*c = (struct context){0};
}

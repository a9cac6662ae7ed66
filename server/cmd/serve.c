/* serve: the server, in the foreground. Reads like the manual page, top to bottom. */
#include "../../base/addr.h"
#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../certs/mbed.h"
#include "../../certs/selfca.h"
#include "../../config/glance.h"
#include "../../config/settings_table.h"
#include "../../config/stored.h"
#include "../keeper/dev.h"
#include "../keeper/keeper.h"
#include "../keeper/privileges.h"
#include "../keeper/sockets.h"
#include "../keeper/state_dir.h"
#include "cmd.h"
#include "context.h"
#include "dev_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEV_LISTEN "127.0.0.1:8443"
#define DEV_STATE_DIR "build/dev"

struct serve {
	const struct cmd_options *options;
	char *config_path; /* absolute: the store remembers files by it */
	char *state_dir;
	struct file_id config_id;
	struct settings settings;
	struct text_list listen; /* theirs, or the command line's */
	struct identity identity;
	struct sockets sockets;
	int lock_fd;
	struct db *store, *keyring;
	struct metric_page *page;
	struct selfca *dev_ca;
	char *dev_ca_path;
	struct keeper keeper;
	bool has_mbed;
	bool is_broken; /* the file; what the store has goes on being served */
};

/* Below the working folder, or where a user's programs keep such things when that cannot be written. */
static char *dev_state_dir(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (access(".", W_OK) != 0 && runtime)
		return file_join(runtime, "mta-sts-server-dev");
	return file_absolute(DEV_STATE_DIR);
}

static int load_settings(struct serve *s, struct err *err)
{
	const struct cmd_options *o = s->options;
	s->config_path = file_absolute(o->config_path);
	if (!s->config_path)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (o->state_dir)
		s->state_dir = file_absolute(o->state_dir);
	else if (o->is_dev)
		s->state_dir = dev_state_dir();
	int rc = context_settings(s->config_path, s->state_dir, &s->settings, &s->config_id, err);
	s->is_broken = rc == ERR_PARSE || rc == ERR_RANGE;
	if (rc && !s->is_broken)
		return rc == ERR_NOMEM ? rc
				       : ERR_PARSE; /* nothing to go by: the configuration's fault, not the system's */
	if (!o->state_dir && !o->is_dev && s->settings.state_dir)
		s->state_dir = file_absolute(s->settings.state_dir);
	return s->state_dir ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static bool is_folder(const char *base, const char *name)
{
	char *path = file_join(base, name);
	struct stat st;
	bool is_there = path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	free(path);
	return is_there;
}

/* With a broken file a restart goes by the last good settings; without any there is nothing to serve. */
static int fall_back(struct serve *s, struct err *err)
{
	struct settings stored;
	struct err why = *err;
	struct db *store = NULL;
	char *path = file_join(s->state_dir, "store");
	int rc = path && is_folder(s->state_dir, "store") ? db_open(&store, path, DB_STORE, false, err) : ERR_NOENT;
	free(path);
	/* state_dir may stand behind the mistake: another server's store is not ours to serve */
	if (rc == 0 && !stored_knows_file(store, s->config_path))
		rc = ERR_NOENT;
	if (rc == 0) {
		rc = stored_load_settings(store, &stored, err);
		if (rc == 0) {
			settings_deinit(&s->settings);
			s->settings = stored;
		} else {
			settings_deinit(&stored);
		}
	}
	db_close(store);
	if (rc)
		return err_set(err, ERR_PARSE, "%s", why.text);
	log_error("config.error",
		  "place=%s text=\"the file has errors: `check` tells them; what was good before is served\"",
		  LOG_QUOTE(span_of(s->config_path)));
	return 0;
}

static int choose_listen(struct serve *s, struct err *err)
{
	const struct cmd_options *o = s->options;
	const struct text_list *configured = &s->settings.listen;
	const bool is_default_dev = o->is_dev && o->listen_count == 0;
	int rc = is_default_dev ? text_list_add(&s->listen, SPAN_LIT(DEV_LISTEN)) : 0;
	for (size_t i = 0; rc == 0 && i < o->listen_count; i++)
		rc = text_list_add(&s->listen, span_of(o->listen[i]));
	const bool is_configured = s->listen.count == 0;
	for (size_t i = 0; rc == 0 && is_configured && i < configured->count; i++)
		rc = text_list_add(&s->listen, span_of(configured->items[i]));
	return rc ? err_set(err, rc, "out of memory") : 0;
}

static size_t worker_count(const struct settings *settings)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = settings->workers ? settings->workers : cpus > 0 ? (size_t)cpus : 1;
	return count < METRIC_SLOTS_MAX ? count : METRIC_SLOTS_MAX - 1;
}

static int open_env(struct serve *s, const char *name, enum db_kind kind, struct db **out, struct err *err)
{
	char *path = file_join(s->state_dir, name);
	int rc = path ? db_open(out, path, kind, true, err) : err_set(err, ERR_NOMEM, "out of memory");
	free(path);
	return rc;
}

static int open_stores(struct serve *s, struct err *err)
{
	char *path = file_join(s->state_dir, "metrics");
	int rc = path ? open_env(s, "store", DB_STORE, &s->store, err) : err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = stored_check_layout(s->store, err);
	if (rc == 0)
		rc = open_env(s, "keyring", DB_KEYRING, &s->keyring, err);
	if (rc == 0)
		rc = metric_page_create(path, worker_count(&s->settings) + 1, &s->page, err);
	if (rc == 0) {
		s->page->slot[METRIC_KEEPER_SLOT].pid = (uint64_t)getpid();
		s->page->slot[METRIC_KEEPER_SLOT].started_unix_s = clock_unix_s();
		(void)db_clear_stale_readers(s->store); /* of workers that a kill -9 left behind */
	}
	free(path);
	return rc;
}

static int start_dev(struct serve *s, struct err *err)
{
	if (!s->options->is_dev)
		return 0;
	s->dev_ca_path = file_join(s->state_dir, "ca.pem");
	if (!s->dev_ca_path)
		return err_set(err, ERR_NOMEM, "out of memory");
	return dev_start(&s->dev_ca, s->store, s->keyring, s->dev_ca_path, clock_unix_s(), err);
}

static void on_ready(void *ctx)
{
	struct serve *s = ctx;
	struct buf listen;
	buf_init(&listen, 8192);
	(void)sockets_render(&s->sockets, &listen);
	log_info("serve.ready", "listen=%s workers=%zu domains=%zu errors=%zu", buf_text(&listen),
		 s->sockets.worker_count, s->keeper.reload.domain_count, s->keeper.reload.error_count);
	if (s->options->is_dev)
		dev_help_print(s->store, s->options->config_path, s->state_dir, s->dev_ca_path, buf_text(&listen));
	buf_deinit(&listen);
}

/* So that the next start needs not parse a large file first. Where it fails, that one takes a second longer. */
static void note_settings(const struct serve *s)
{
	if (!s->is_broken)
		(void)glance_note(s->config_path, &s->config_id, s->state_dir, &s->settings, NULL);
}

static int run_keeper(struct serve *s, struct err *err)
{
	s->keeper = (struct keeper){
		.state_dir = s->state_dir,
		.metrics = s->settings.metrics,
		.sockets = &s->sockets,
		.reload = {.store = s->store,
			   .keyring = s->keyring,
			   .main_path = s->config_path,
			   .state_dir = s->state_dir,
			   .dev_ca = s->dev_ca},
		.page = s->page,
		.on_ready = on_ready,
		.ctx = s,
	};
	return keeper_run(&s->keeper, err);
}

static int serve(struct serve *s, struct err *err)
{
	/* a throw-away server is whoever starts it */
	const bool stays = s->options->is_dev;
	int rc = load_settings(s, err);
	if (rc == 0 && s->is_broken)
		rc = fall_back(s, err);
	if (rc == 0)
		rc = choose_listen(s, err);
	if (rc == 0 && stays)
		s->identity = (struct identity){geteuid(), getegid()};
	else if (rc == 0)
		rc = privileges_find(s->settings.user, &s->identity, err);
	if (rc == 0)
		rc = state_dir_prepare(s->state_dir, s->identity.uid, s->identity.gid, err);
	if (rc == 0)
		rc = sockets_open(&s->sockets, &s->listen, worker_count(&s->settings), err);
	if (rc == 0 && !stays)
		rc = privileges_drop(s->settings.user, &s->identity, err);
	if (rc == 0)
		rc = state_dir_lock(s->state_dir, &s->lock_fd, err);
	if (rc == 0)
		rc = mbed_start(err);
	s->has_mbed = rc == 0;
	if (rc == 0)
		rc = open_stores(s, err);
	if (rc == 0)
		rc = start_dev(s, err);
	if (rc == 0)
		note_settings(s);
	return rc ? rc : run_keeper(s, err);
}

static void tear_down(struct serve *s)
{
	selfca_free(s->dev_ca);
	free(s->dev_ca_path);
	metric_page_close(s->page);
	db_close(s->keyring);
	db_close(s->store);
	if (s->has_mbed)
		mbed_stop();
	sockets_close(&s->sockets);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	text_list_deinit(&s->listen);
	settings_deinit(&s->settings);
	free(s->state_dir);
	free(s->config_path);
}

static int run(const struct cmd_options *o)
{
	struct serve s = {.options = o, .lock_fd = -1};
	struct err err = {0};
	log_init("keeper", LOG_LEVEL_INFO);
	for (size_t i = 0; i < o->listen_count; i++) {
		struct sockaddr_storage unused;
		if (addr_parse(span_of(o->listen[i]), &unused, &err) == 0)
			continue;
		cmd_say("--listen: %s", err.text);
		return EXIT_USAGE;
	}
	int rc = serve(&s, &err);
	if (rc)
		cmd_say("%s", err.text);
	else
		log_info("serve.stopped", NULL);
	tear_down(&s);
	return cmd_status_of(rc);
}

const struct cmd cmd_serve = {
	.name = "serve",
	.usage = "[--dev] [--listen ADDR:PORT]…",
	.options = "dl",
	.summary = "serves the policies, in the foreground",
	.help = "  --dev                 try it out: a throw-away CA with certificates for all hosts, on " DEV_LISTEN
		", with its\n"
		"                        state under ./" DEV_STATE_DIR "\n"
		"  --listen ADDR:PORT    instead of `listen`; may be given more than once\n\n"
		"SIGTERM stops gracefully, SIGHUP looks at all files at once (they are watched anyway).",
	.max_words = 0,
	.run = run,
};

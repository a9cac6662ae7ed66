/* The keeper's half: its folder, its sockets, its metrics page; and all of it, from the first reload to the graceful
 * stop, with workers that are this very program (see main). */
#include "../../base/clock.h"
#include "../../base/file.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../certs/mbed.h"
#include "../../certs/selfca.h"
#include "../../config/formats.h"
#include "../../config/gone.h"
#include "../../config/settings_table.h"
#include "../../server/cmd/cmd.h"
#include "../../server/keeper/batch.h"
#include "../../server/keeper/dev.h"
#include "../../server/keeper/keeper.h"
#include "../../server/keeper/sockets.h"
#include "../../server/keeper/state_dir.h"
#include "failing.h"
#include "fault.h"
#include "stores.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char yaml[] = "listen: [\"127.0.0.1:0\"]\nstate_dir: /nonexistent\n"
			   "dns: {host: policy.example, publish: {command: [/bin/true]}}\n"
			   "domains:\n  a.example: {mode: enforce, max_age: 604800, mx: [mail.example]}\n"
			   "include: [domains.d/*.yaml]\n";

static void say(struct buf *out, const char *text)
{
	(void)buf_add_text(out, text);
}

static void nothing(void)
{
}

/* --- the state folder --- */

static int lock_fd = -1;

static int prepare_dir(struct err *err)
{
	char path[256];
	fault_path(fault_dir, "a/b/state", path);
	if (lock_fd >= 0)
		(void)close(lock_fd);
	lock_fd = -1;
	int rc = state_dir_prepare(path, geteuid(), getegid(), err);
	return rc ? rc : state_dir_lock(path, &lock_fd, err);
}

static void served_dir(struct buf *out)
{
	say(out, lock_fd >= 0 ? "locked" : "");
}

static void close_dir(void)
{
	if (lock_fd >= 0)
		(void)close(lock_fd);
}

static const struct fault fault_state_dir = {
	.name = "state_dir",
	.run_max = 1000,
	.open = nothing,
	.act = prepare_dir,
	.served = served_dir,
	.close = close_dir,
};

/* --- sockets --- */

static struct sockets sockets;

static int open_sockets(struct err *err)
{
	char *listen[] = {"127.0.0.1:0", "[::1]:0"};
	struct text_list list = {listen, 2};
	struct buf text;
	sockets_close(&sockets);
	int rc = sockets_open(&sockets, &list, 3, err);
	buf_init(&text, 4096);
	if (rc == 0)
		(void)sockets_render(&sockets, &text); /* for the log: fewer addresses there are not the end */
	buf_deinit(&text);
	if (rc)
		sockets_close(&sockets);
	return rc;
}

static void served_sockets(struct buf *out)
{
	for (size_t i = 0; sockets.fds && i < 6; i++)
		say(out, sockets.fds[i] >= 0 ? "open " : "closed ");
}

static void close_sockets(void)
{
	sockets_close(&sockets);
}

static const struct fault fault_sockets = {
	.name = "sockets",
	.run_max = 1000,
	.open = nothing,
	.act = open_sockets,
	.served = served_sockets,
	.close = close_sockets,
};

/* --- the metrics page: the old one stays until the new one is whole --- */

static void prepare_page(void)
{
	char path[256];
	struct err err;
	struct metric_page *page;
	fault_must(metric_page_create(fault_path(fault_dir, "metrics", path), 2, &page, &err), &err);
	metric_page_close(page);
}

static int create_page(struct err *err)
{
	char path[256];
	struct metric_page *page, *seen;
	int rc = metric_page_create(fault_path(fault_dir, "metrics", path), 3, &page, err);
	if (rc)
		return rc;
	rc = metric_page_open(path, false, &seen, err);
	metric_page_close(page);
	if (rc == 0)
		metric_page_close(seen);
	return rc;
}

static void served_page(struct buf *out)
{
	char path[256];
	struct err err;
	struct metric_page *page;
	fault_must(metric_page_open(fault_path(fault_dir, "metrics", path), false, &page, &err), &err);
	(void)buf_printf(out, "%d slots", (int)page->slot_count);
	metric_page_close(page);
}

static const struct fault fault_page = {
	.name = "metrics_page",
	.run_max = 1000,
	.prepare = prepare_page,
	.open = nothing,
	.act = create_page,
	.served = served_page,
	.close = nothing,
};

/* --- a batch of the outbox: what is given to the hook, and what its end means --- */

static void prepare_batch(void)
{
	static const char *const names[] = {"a.example", "b.example", "c.example"};
	struct err err = {0};
	struct db_txn *txn;
	struct domain_row row = {.mode = POLICY_ENFORCE, .id = "7", .max_age_s = 604800};
	stores_open();
	fault_must(db_begin_write(store, &txn, &err), &err);
	for (size_t i = 0; i < 3; i++) { /* gone: their gates are open */
		fault_must(gone_put(txn, span_of(names[i]), &row, 1780272000, &err), &err);
		fault_must(published_put(txn, span_of(names[i]),
					 &(struct published){.has_policy = true, .id = "6", .at_unix_s = 1780272000},
					 &err),
			   &err);
		fault_must(outbox_put(txn, span_of(names[i]), 1780272000, &err), &err);
	}
	fault_must(db_commit(txn, &err), &err);
	stores_close();
}

static int fill_batch(struct batch *b, const struct settings *settings, struct err *err)
{
	const struct gate_server server = {.state_dir = fault_dir, .is_running = true, .is_serving = true};
	struct offer_world world = {.server = &server, .settings = settings, .now_unix_s = 1780272000};
	struct outbox_entry entry;
	struct db_cursor *cur;
	struct span domain, value;
	int rc = db_begin_read(store, &world.txn, err);
	if (rc)
		return rc;
	rc = db_cursor_open(world.txn, DB_OUTBOX, &cur, err);
	int walked = rc == 0 ? db_seek(cur, (struct span){NULL, 0}, &domain, &value) : rc;
	for (; walked == 0 && rc == 0; walked = db_next(cur, &domain, &value)) {
		rc = outbox_decode(value, &entry);
		int added = rc == 0 ? batch_add(b, &world, domain, &entry) : 0;
		if (added < 0)
			rc = err_set(err, added, "cannot add");
	}
	db_cursor_close(cur);
	db_end(world.txn);
	return rc ? rc : batch_end(b) != 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int settle_batch(const struct batch *b, struct err *err)
{
	struct db_txn *txn;
	int rc = db_begin_write(store, &txn, err);
	if (rc)
		return rc;
	rc = batch_settle(b, txn, true, 1780272001, 0, err);
	if (rc == 0)
		return db_commit(txn, err);
	db_end(txn);
	return rc;
}

static int publish_batch(struct err *err)
{
	struct batch b;
	struct settings settings = {0};
	batch_init(&b);
	batch_begin(&b, formats_find(SPAN_LIT("nsupdate")), 10);
	int rc = settings_init(&settings) == 0 ? fill_batch(&b, &settings, err) : err_set(err, ERR_NOMEM, "no memory");
	if (rc == 0 && b.count)
		rc = settle_batch(&b, err);
	settings_deinit(&settings);
	batch_deinit(&b);
	return rc;
}

static void served_outbox(struct buf *out)
{
	stores_dump_table(store, DB_OUTBOX, out);
	stores_dump_table(store, DB_PUBLISHED, out);
}

static const struct fault fault_batch = {
	.name = "batch",
	.run_max = 1000,
	.prepare = prepare_batch,
	.open = stores_open,
	.act = publish_batch,
	.served = served_outbox,
	.close = stores_close,
};

/* --- all of it --- */

static struct keeper keeper;
static char main_path[256];

static void prepare_keeper(void)
{
	char path[256];
	struct err err;
	fault_must(state_dir_prepare(fault_dir, geteuid(), getegid(), &err), &err);
	fault_write(fault_path(fault_site, "main.yaml", main_path), yaml);
	if (mkdir(fault_path(fault_site, "domains.d", path), 0755) != 0)
		fault_fail("mkdir");
	fault_write(fault_path(fault_site, "domains.d/1.yaml", path),
		    "domains:\n  b.example: {mode: none, max_age: 86400}\n");
}

static void on_ready(void *ctx)
{
	(void)ctx;
	(void)raise(SIGTERM);
}

static void open_keeper(void)
{
	struct err err = {0};
	uv_loop_t loop;
	/* what libuv does once in a process: it aborts where there is no pipe for its signals */
	if (uv_loop_init(&loop) != 0 || uv_loop_close(&loop) != 0)
		fault_fail("no loop");
	fault_path(fault_site, "main.yaml", main_path);
	stores_open();
	fault_must(open_sockets(&err), &err);
}

static int run_keeper(struct err *err)
{
	char path[256];
	struct metric_page *page;
	int rc = metric_page_create(fault_path(fault_dir, "metrics", path), 4, &page, err);
	if (rc)
		return rc;
	keeper = (struct keeper){
		.state_dir = fault_dir,
		.metrics = "127.0.0.1:0",
		.sockets = &sockets,
		.reload = {.store = store, .keyring = keyring, .main_path = main_path},
		.page = page,
		.on_ready = on_ready,
	};
	rc = keeper_run(&keeper, err);
	metric_page_close(page);
	return rc;
}

/* Ids are of the moment. */
static void served_domains(struct buf *out)
{
	struct db_txn *txn = stores_begin(store);
	struct domain_row row;
	if (domains_get(txn, SPAN_LIT("a.example"), &row) == 0)
		say(out, "\fa.example is served\n");
	if (domains_get(txn, SPAN_LIT("b.example"), &row) == 0)
		say(out, "\fb.example is served\n");
	db_end(txn);
}

static void close_keeper(void)
{
	sockets_close(&sockets);
	stores_close();
}

static const struct fault fault_keeper = {
	.name = "keeper",
	.run_max = 16,
	.may_put_off = true,
	.prepare = prepare_keeper,
	.open = open_keeper,
	.act = run_keeper,
	.served = served_domains,
	.close = close_keeper,
};

int main(int argc, char **argv)
{
	static const struct fault *const faults[] = {&fault_state_dir, &fault_sockets, &fault_page, &fault_batch,
						     &fault_keeper};
	if (argc > 1 && strcmp(argv[1], cmd_worker.name) == 0) {
		const struct cmd_options options = {.words = argv + 2, .word_count = (size_t)argc - 2};
		return cmd_worker.run(&options);
	}
	return fault_main(faults, sizeof faults / sizeof *faults, argc, argv);
}

/* From YAML to what is served, and what the commands say about it. */
#include "../../base/clock.h"
#include "../../base/file.h"
#include "../../config/apply.h"
#include "../../server/cmd/args.h"
#include "fault.h"
#include "stores.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW_UNIX_S = 1780272000, DAY_S = 86400 };

#define HEAD \
	"listen: [\"127.0.0.1:0\"]\nstate_dir: /nonexistent\n" \
	"defaults: {mode: testing, max_age: 86400}\n"

/* What the first reload finds … */
static const char old_main[] = HEAD "policies:\n"
				    "  shared: {mode: enforce, max_age: 604800, mx: [mx1.example, \"*.mx.example\"]}\n"
				    "domains:\n"
				    "  a.example: shared\n"
				    "  b.example: {policy: shared, mode: testing}\n"
				    "  changed.example: {mx: [mail.example]}\n"
				    "  gone.example: {mode: enforce, max_age: 1209600, mx: [mail.example]}\n"
				    "include: [domains.d/*.yaml]\n";
static const char old_first[] =
	"domains:\n  c.example: {mode: enforce, max_age: 604800, mx: [c.example], tls_rpt: \"mailto:t@c.example\"}\n";
static const char old_second[] = "domains:\n  d.example: {mx: [mail.example]}\n";

/* … and the second: a policy changes under two domains, one gets another mode and id, one goes, one comes, two are
 * refused. */
static const char new_main[] = HEAD
	"dns: {ttl: 600, tls_rpt: \"mailto:t@provider.example\", publish: {command: [/bin/true]}}\n"
	"policies:\n"
	"  shared: {mode: enforce, max_age: 604800, mx: [mx1.example, mx2.example]}\n"
	"domains:\n"
	"  a.example: shared\n"
	"  b.example: {policy: shared, mode: testing}\n"
	"  changed.example: {mode: enforce, max_age: 604800, mx: [mail.example, m\xc3\xbcller.example]}\n"
	"  wrong.example: {mode: enforced, mx: [mail.example]}\n"
	"  nowhere.example: absent\n"
	"  new.example: {mode: enforce, max_age: 604800, mx: [mail.example]}\n"
	"include: [domains.d/*.yaml]\n";
static const char new_first[] = "domains:\n  c.example: {mode: enforce, max_age: 604800, mx: [other.example]}\n";

static char main_path[256];

/* By rename; the inode of the former version stays in use, so that it does not come back at once. */
static void put(const char *name, const char *text)
{
	char path[256], kept[300];
	fault_path(fault_site, name, path);
	(void)snprintf(kept, sizeof kept, "%s.old", path);
	(void)link(path, kept);
	fault_write(path, text);
}

static int apply_at(int64_t now_unix_s, struct err *err)
{
	struct load load;
	struct apply_result result = {0};
	const struct apply_how how = {.now_unix_s = now_unix_s};
	int rc = apply_read(store, main_path, &load, err);
	if (rc == 0)
		rc = apply_run(store, &load, &how, &result, err);
	load_deinit(&load);
	apply_result_deinit(&result);
	return rc;
}

static void open_stores(void)
{
	clock_set_fake(1000, NOW_UNIX_S + DAY_S);
	fault_path(fault_site, "main.yaml", main_path);
	stores_open();
}

static void prepare(void)
{
	struct err err = {0};
	char path[256];
	open_stores();
	if (mkdir(fault_path(fault_site, "domains.d", path), 0755) != 0)
		fault_fail("mkdir");
	put("main.yaml", old_main);
	put("domains.d/1.yaml", old_first);
	put("domains.d/2.yaml", old_second);
	fault_must(apply_at(NOW_UNIX_S, &err), &err);
	put("main.yaml", new_main);
	put("domains.d/1.yaml", new_first);
	(void)unlink(fault_path(fault_site, "domains.d/2.yaml", path));
	stores_close();
}

static int apply(struct err *err)
{
	return apply_at(NOW_UNIX_S + DAY_S, err);
}

static const struct fault fault_apply = {
	.name = "apply",
	.run_max = 200,
	.has_entries = true,
	.prepare = prepare,
	.open = open_stores,
	.act = apply,
	.served = stores_served,
	.all = stores_dump,
	.close = stores_close,
};

/* --- a look at what changed: a domain in a file, one that comes and one that goes with theirs, and one whose policy is
 * in a file that is not looked at --- */

static void prepare_changed(void)
{
	struct err err = {0};
	char path[256];
	open_stores();
	if (mkdir(fault_path(fault_site, "domains.d", path), 0755) != 0)
		fault_fail("mkdir");
	put("main.yaml", old_main);
	put("domains.d/1.yaml", old_first);
	put("domains.d/2.yaml", old_second);
	put("domains.d/4.yaml", "policies:\n  far: {mode: enforced}\n  near: {mode: none, max_age: 1}\n");
	fault_must(apply_at(NOW_UNIX_S, &err), &err);
	put("domains.d/1.yaml", new_first);
	put("domains.d/3.yaml", "domains:\n  e.example: shared\n  f.example: {policy: near, mode: enforce}\n");
	(void)unlink(fault_path(fault_site, "domains.d/2.yaml", path));
	stores_close();
}

static int apply_changed(struct err *err)
{
	static const char *const names[] = {"domains.d/1.yaml", "domains.d/2.yaml", "domains.d/3.yaml"};
	struct load load = {0};
	struct apply_result result = {0};
	struct text_list changed = {0};
	char path[256];
	bool is_enough = true;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof names / sizeof *names; i++)
		rc = text_list_add(&changed, span_of(fault_path(fault_site, names[i], path)));
	if (rc)
		(void)err_set(err, rc, "out of memory");
	else
		rc = apply_read_changed(store, main_path, &changed, &load, &is_enough, err);
	if (rc == 0 && !is_enough)
		rc = err_set(err, ERR_IO, "not enough");
	if (rc == 0)
		rc = apply_run(store, &load, &(struct apply_how){.now_unix_s = NOW_UNIX_S + DAY_S}, &result, err);
	text_list_deinit(&changed);
	load_deinit(&load);
	apply_result_deinit(&result);
	return rc;
}

static const struct fault fault_apply_changed = {
	.name = "apply_changed",
	.run_max = 200,
	.has_entries = true,
	.prepare = prepare_changed,
	.open = open_stores,
	.act = apply_changed,
	.served = stores_served,
	.all = stores_dump,
	.close = stores_close,
};

/* --- delegated domains: a policy changes, one domain moves to another, one goes, one comes, one has its own keys ---
 */

#define DELEGATED HEAD "dns: {delegate: sts.example, publish: {command: [/bin/true]}}\npolicies:\n"

static const char old_delegated[] = DELEGATED
	"  one: {mode: enforce, max_age: 604800, mx: mx.example}\n  two: {mx: mx.example}\n"
	"domains: {a.example: one, b.example: one, c.example: two, d.example: two, sts.example: one}\n";
static const char new_delegated[] = DELEGATED
	"  one: {mode: testing, max_age: 604800, mx: mx.example}\n  two: {mx: mx.example}\n"
	"domains: {a.example: one, b.example: two, c.example: {policy: two, mode: none}, e.example: proton,\n"
	"  sts.example: one}\n";

static void prepare_delegated(void)
{
	struct err err = {0};
	open_stores();
	put("main.yaml", old_delegated);
	fault_must(apply_at(NOW_UNIX_S, &err), &err);
	put("main.yaml", new_delegated);
	stores_close();
}

static const struct fault fault_apply_delegated = {
	.name = "apply_delegated",
	.run_max = 200,
	.has_entries = true,
	.prepare = prepare_delegated,
	.open = open_stores,
	.act = apply,
	.served = stores_served,
	.all = stores_dump,
	.close = stores_close,
};

/* --- commands: all that they print is right, or they say that they could not --- */

static int output_fd = -1;
static off_t output_at; /* where that of the last command begins */
static int last_status;

static void open_output(void)
{
	char path[256];
	clock_set_fake(1000, NOW_UNIX_S + DAY_S);
	fault_path(fault_site, "main.yaml", main_path);
	last_status = EXIT_SYSTEM;
	output_fd = open(fault_path(fault_dir, "output", path), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (output_fd < 0)
		fault_fail("%s", path);
}

static void close_output(void)
{
	(void)close(output_fd);
}

/* The name of this run's folder is in some of it. */
static void mask_dir(struct buf *out)
{
	for (char *p = out->p;
	     out->len && (p = memmem(p, out->len - (size_t)(p - out->p), fault_dir, strlen(fault_dir)));)
		memset(p, '-', strlen(fault_dir));
}

/* Exit status and all that was printed; what came before a failure that was said is nobody's. */
static void read_output(struct buf *out)
{
	char bytes[4096];
	ssize_t n;
	if (last_status != EXIT_DONE && last_status != EXIT_PROBLEMS)
		return;
	(void)buf_printf(out, "%d\n", last_status);
	for (off_t at = output_at; (n = pread(output_fd, bytes, sizeof bytes, at)) > 0; at += n)
		(void)buf_add(out, bytes, (size_t)n);
	mask_dir(out);
}

static int run_words(char **argv, int argc)
{
	struct args a;
	optind = 0; /* getopt begins anew */
	int status = args_parse(argc, argv, &a) == ARGS_RUN ? a.cmd->run(&a.options) : EXIT_SYSTEM;
	args_deinit(&a);
	/* as in main */
	bool is_lost = fflush(stdout) != 0 || ferror(stdout);
	clearerr(stdout);
	return is_lost ? EXIT_SYSTEM : status;
}

static int run_command(const char *const *words, struct err *err)
{
	char *argv[16] = {"mta-sts-server", "-c", main_path, "--state-dir", fault_dir};
	int argc = 5;
	while (*words)
		argv[argc++] = (char *)(uintptr_t)*words++;
	int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), kept_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (kept < 0 || kept_err < 0 || fflush(stdout) != 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
	    dup2(output_fd, STDERR_FILENO) < 0)
		fault_fail("no place for what the command prints");
	output_at = lseek(output_fd, 0, SEEK_END);
	last_status = run_words(argv, argc);
	if (dup2(kept, STDOUT_FILENO) < 0 || close(kept) != 0 || dup2(kept_err, STDERR_FILENO) < 0 ||
	    close(kept_err) != 0)
		fault_fail("standard output is lost");
	bool is_good = last_status == EXIT_DONE || last_status == EXIT_PROBLEMS;
	return is_good ? 0 : err_set(err, ERR_IO, "exit status %d", last_status);
}

static char resolver_word[32];

#define COMMAND(id, ...) COMMAND_ON(prepare, id, __VA_ARGS__)
#define COMMAND_ON(prepares, id, ...) \
	static int id(struct err *err) \
	{ \
		static const char *const words[] = {__VA_ARGS__, NULL}; \
		return run_command(words, err); \
	} \
	static const struct fault fault_##id = { \
		.name = #id, \
		.run_max = 40, \
		.may_tell = true, \
		.prepare = prepares, \
		.open = open_output, \
		.act = id, \
		.served = read_output, \
		.close = close_output, \
	}

COMMAND(check, "check");
COMMAND(check_json, "check", "--json");
COMMAND(records, "records", "--all");
COMMAND(records_json, "records", "--all", "--format", "json");
COMMAND(records_external_dns, "records", "--all", "--format", "external-dns"); /* these two allocate for themselves */
COMMAND(records_powerdns, "records", "--all", "--format", "powerdns");
COMMAND(records_diff, "records", "--all", "--diff", "--resolver", resolver_word);
COMMAND(policy, "policy", "a.example");
COMMAND(status, "status");
COMMAND(status_json, "status", "--json");
COMMAND_ON(prepare_delegated, records_delegated, "records", "--all");
COMMAND_ON(prepare_delegated, records_octodns, "records", "--all", "--format", "octodns"); /* allocates for itself */
COMMAND_ON(prepare_delegated, status_delegated, "status");
COMMAND_ON(prepare_delegated, status_delegated_json, "status", "--json");

/* Says of every name that it is not there, as long as the tests run. */
static void answer_all(int fd)
{
	unsigned char m[512];
	struct sockaddr_in peer;
	socklen_t size = sizeof peer;
	for (ssize_t len; (len = recvfrom(fd, m, sizeof m, 0, (struct sockaddr *)&peer, &size)) >= 0;
	     size = sizeof peer) {
		m[2] = 0x81, m[3] = 0x83; /* QR, RD, RA, NXDOMAIN */
		(void)sendto(fd, m, (size_t)len, 0, (struct sockaddr *)&peer, size);
	}
}

static void start_resolver(void)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof own;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &size) != 0)
		fault_fail("no resolver");
	(void)snprintf(resolver_word, sizeof resolver_word, "127.0.0.1:%u", ntohs(own.sin_port));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			answer_all(fd);
		_exit(1);
	}
	(void)close(fd);
	if (pid < 0)
		fault_fail("no resolver");
}

int main(int argc, char **argv)
{
	static const struct fault *const faults[] = {
		&fault_apply,
		&fault_apply_changed,
		&fault_apply_delegated,
		&fault_check,
		&fault_check_json,
		&fault_records,
		&fault_records_json,
		&fault_records_external_dns,
		&fault_records_powerdns,
		&fault_records_diff,
		&fault_policy,
		&fault_status,
		&fault_status_json,
		&fault_records_delegated,
		&fault_records_octodns,
		&fault_status_delegated,
		&fault_status_delegated_json,
	};
	start_resolver();
	return fault_main(faults, sizeof faults / sizeof *faults, argc, argv);
}

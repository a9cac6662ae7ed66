/* cmd: the subcommands: one file each, one table. main.c finds the word and calls it. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_PROBLEMS = 1, /* found by check; records withheld, or other ones in the DNS; nothing to print */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3, /* the configuration is unusable */
	EXIT_SYSTEM = 4, /* socket, store, permission, memory; no answer from the DNS */
};

/* What the words behind the command said. */
struct cmd_options {
	const char *config_path;
	const char *state_dir; /* NULL: the configuration's */
	const char *format;    /* NULL: default */
	const char **listen;   /* listen_count addresses */
	size_t listen_count;
	const char **resolvers; /* resolver_count: an address, or one with port */
	size_t resolver_count;
	bool is_json, is_dev, is_all, is_changed, is_diff;
	char **words; /* word_count: the rest */
	size_t word_count;
};

struct cmd {
	const char *name;
	const char *usage;   /* behind the name; "" for nothing */
	const char *options; /* letters and words that it takes, for main.c: see OPTION_… */
	const char *summary; /* one line */
	const char *help;    /* paragraphs, may be NULL */
	size_t min_words, max_words;
	int (*run)(const struct cmd_options *o);
	bool is_internal; /* not for people */
};

extern const struct cmd cmd_serve, cmd_check, cmd_policy, cmd_records, cmd_status, cmd_cert, cmd_forget, cmd_worker,
	cmd_keys;

/* cmd_say: "mta-sts-server: " and the sentence on standard error. */
void cmd_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* cmd_print_version: of the program, and what computes its handshakes: for who reports a bug. */
void cmd_print_version(void);

/* cmd_status_of: the exit status for an ERR_. */
int cmd_status_of(int rc);

/* cmd_print: bytes to standard output; EXIT_DONE, or EXIT_SYSTEM said. */
int cmd_print(const char *bytes, size_t len);

#endif

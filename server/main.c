/* main: finds the subcommand, reads its options, returns its result. */
#include "cmd/cmd.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/mta-sts-server/mta-sts-server.yaml"

static const struct cmd *const commands[] = {
	&cmd_serve, &cmd_check, &cmd_policy, &cmd_records, &cmd_status, &cmd_cert, &cmd_worker, &cmd_keys,
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

enum option_letter { LETTER_HELP = 'h', LETTER_VERSION = 'V', LETTER_CONFIG = 'c', LETTER_STATE_DIR = 's' };

static const struct option long_options[] = {
	{"config", required_argument, NULL, LETTER_CONFIG},
	{"state-dir", required_argument, NULL, LETTER_STATE_DIR},
	{"help", no_argument, NULL, LETTER_HELP},
	{"version", no_argument, NULL, LETTER_VERSION},
	{"json", no_argument, NULL, 'j'},
	{"dev", no_argument, NULL, 'd'},
	{"all", no_argument, NULL, 'a'},
	{"format", required_argument, NULL, 'f'},
	{"listen", required_argument, NULL, 'l'},
	{0},
};

static void print_help(void)
{
	(void)printf("mta-sts-server serves MTA-STS policies (RFC 8461) and says which DNS records belong to them.\n\n"
		     "usage: mta-sts-server [-c FILE] COMMAND …\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!commands[i]->is_internal)
			(void)printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	(void)printf("\n"
		     "  -c, --config FILE     default: " DEFAULT_CONFIG "\n"
		     "      --state-dir DIR   the store, where it is not the configuration's state_dir\n"
		     "  -h, --help            also behind a command\n"
		     "  -V, --version\n\n"
		     "exit status: 0 done, 1 problems found, 2 usage, 3 configuration unusable, 4 system failure\n"
		     "manual: mta-sts-server(8), mta-sts-server.yaml(5)\n");
}

static void print_command_help(const struct cmd *c)
{
	(void)printf("usage: mta-sts-server [-c FILE] %s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage, c->summary);
	if (c->help)
		(void)printf("\n%s\n", c->help);
}

static const struct cmd *find(const char *word)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, word) == 0)
			return commands[i];
	return NULL;
}

static int wrong_usage(const struct cmd *c)
{
	(void)fprintf(stderr, "try `mta-sts-server %s%s--help`\n", c ? c->name : "", c ? " " : "");
	return EXIT_USAGE;
}

/* What was asked for on the way: an exit status, or -1 to go on. */
static int take_option(int letter, const struct cmd *c, struct cmd_options *o)
{
	switch (letter) {
	case LETTER_CONFIG: o->config_path = optarg; return -1;
	case LETTER_STATE_DIR: o->state_dir = optarg; return -1;
	case LETTER_VERSION: (void)puts("mta-sts-server " MTA_STS_VERSION); return EXIT_DONE;
	case LETTER_HELP:
		if (c)
			print_command_help(c);
		else
			print_help();
		return EXIT_DONE;
	default: break;
	}
	if (letter == '?' || letter == ':' || !c || !strchr(c->options, letter)) {
		if (letter != '?' && letter != ':')
			cmd_say("%s does not take that option", c ? c->name : "it");
		return wrong_usage(c);
	}
	switch (letter) {
	case 'j': o->is_json = true; break;
	case 'd': o->is_dev = true; break;
	case 'a': o->is_all = true; break;
	case 'f': o->format = optarg; break;
	default: o->listen[o->listen_count++] = optarg; break;
	}
	return -1;
}

/* Options before the command ("+": up to the first word) or behind it. */
static int take_options(int argc, char **argv, const char *letters, const struct cmd *c, struct cmd_options *o)
{
	int letter, status = -1;
	optind = 0; /* begin anew: glibc's way to say it */
	while (status < 0 && (letter = getopt_long(argc, argv, letters, long_options, NULL)) != -1)
		status = take_option(letter, c, o);
	return status;
}

static int run(int argc, char **argv, struct cmd_options *o)
{
	int status = take_options(argc, argv, "+c:hV", NULL, o);
	if (status >= 0)
		return status;
	if (optind >= argc) {
		cmd_say("which command? `mta-sts-server --help` lists them");
		return EXIT_USAGE;
	}
	const struct cmd *c = find(argv[optind]);
	if (!c) {
		cmd_say("there is no command `%s`", argv[optind]);
		return wrong_usage(NULL);
	}
	argc -= optind;
	argv += optind;
	status = take_options(argc, argv, "c:hV", c, o);
	if (status >= 0)
		return status;
	o->words = argv + optind;
	o->word_count = (size_t)(argc - optind);
	if (o->word_count < c->min_words || o->word_count > c->max_words) {
		cmd_say("usage: mta-sts-server %s %s", c->name, c->usage);
		return wrong_usage(c);
	}
	return c->run(o);
}

int main(int argc, char **argv)
{
	struct cmd_options o = {.config_path = DEFAULT_CONFIG};
	o.listen = calloc((size_t)argc + 1, sizeof *o.listen);
	if (!o.listen) {
		cmd_say("out of memory");
		return EXIT_SYSTEM;
	}
	int status = run(argc, argv, &o);
	free(o.listen);
	bool is_lost = fflush(stdout) != 0 || ferror(stdout);
	if (is_lost && (status == EXIT_DONE || status == EXIT_PROBLEMS)) {
		cmd_say("cannot write to standard output");
		status = EXIT_SYSTEM;
	}
	return status;
}

#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cmd *const args_commands[] = {
	&cmd_serve, &cmd_check,  &cmd_policy, &cmd_records, &cmd_status,
	&cmd_cert,  &cmd_forget, &cmd_worker, &cmd_keys,    NULL,
};

enum option_letter {
	LETTER_CONFIG = 'c',
	LETTER_STATE_DIR = 's',
	LETTER_HELP = 'h',
	LETTER_VERSION = 'V',
	/* those that a command takes only if its `options` names them */
	LETTER_JSON = 'j',
	LETTER_DEV = 'd',
	LETTER_ALL = 'a',
	LETTER_CHANGED = 'C',
	LETTER_FORMAT = 'f',
	LETTER_LISTEN = 'l',
	LETTER_DIFF = 'D',
	LETTER_RESOLVER = 'r',
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, LETTER_CONFIG},
	{"state-dir", required_argument, NULL, LETTER_STATE_DIR},
	{"help", no_argument, NULL, LETTER_HELP},
	{"version", no_argument, NULL, LETTER_VERSION},
	{"json", no_argument, NULL, LETTER_JSON},
	{"dev", no_argument, NULL, LETTER_DEV},
	{"all", no_argument, NULL, LETTER_ALL},
	{"changed", no_argument, NULL, LETTER_CHANGED},
	{"format", required_argument, NULL, LETTER_FORMAT},
	{"listen", required_argument, NULL, LETTER_LISTEN},
	{"diff", no_argument, NULL, LETTER_DIFF},
	{"resolver", required_argument, NULL, LETTER_RESOLVER},
	{0},
};

static const struct cmd *find(const char *word)
{
	for (const struct cmd *const *c = args_commands; *c; c++)
		if (strcmp((*c)->name, word) == 0)
			return *c;
	return NULL;
}

static enum args_wish wrong_usage(const struct cmd *c)
{
	(void)fprintf(stderr, "try `mta-sts-server %s%s--help`\n", c ? c->name : "", c ? " " : "");
	return ARGS_WRONG;
}

/* ARGS_RUN: go on. */
static enum args_wish take_own_option(int letter, const struct cmd *c, struct cmd_options *o)
{
	if (!c || !strchr(c->options, letter)) {
		cmd_say("%s does not take that option", c ? c->name : "it");
		return wrong_usage(c);
	}
	switch (letter) {
	case LETTER_JSON: o->is_json = true; break;
	case LETTER_DEV: o->is_dev = true; break;
	case LETTER_ALL: o->is_all = true; break;
	case LETTER_CHANGED: o->is_changed = true; break;
	case LETTER_DIFF: o->is_diff = true; break;
	case LETTER_FORMAT: o->format = optarg; break;
	case LETTER_RESOLVER: o->resolvers[o->resolver_count++] = optarg; break;
	default: o->listen[o->listen_count++] = optarg; break;
	}
	return ARGS_RUN;
}

static enum args_wish take_option(int letter, struct args *a)
{
	switch (letter) {
	case LETTER_CONFIG: a->options.config_path = optarg; return ARGS_RUN;
	case LETTER_STATE_DIR: a->options.state_dir = optarg; return ARGS_RUN;
	case LETTER_VERSION: return ARGS_VERSION;
	case LETTER_HELP: return ARGS_HELP;
	case '?':
	case ':': return wrong_usage(a->cmd); /* getopt has said what */
	default: return take_own_option(letter, a->cmd, &a->options);
	}
}

/* Options before the command ("+": up to the first word) or behind it. */
static enum args_wish take_options(int argc, char **argv, const char *letters, struct args *a)
{
	int letter;
	enum args_wish wish = ARGS_RUN;
	optind = 0; /* begin anew: glibc's way to say it */
	while (wish == ARGS_RUN && (letter = getopt_long(argc, argv, letters, long_options, NULL)) != -1)
		wish = take_option(letter, a);
	return wish;
}

static enum args_wish take_words(struct args *a, char **words, int count)
{
	const struct cmd *c = a->cmd;
	a->options.words = words;
	a->options.word_count = (size_t)count;
	if (a->options.word_count >= c->min_words && a->options.word_count <= c->max_words)
		return ARGS_RUN;
	cmd_say("usage: mta-sts-server %s %s", c->name, c->usage);
	return wrong_usage(c);
}

enum args_wish args_parse(int argc, char **argv, struct args *out)
{
	*out = (struct args){.options = {.config_path = ARGS_DEFAULT_CONFIG}};
	out->options.listen = calloc((size_t)argc + 1, sizeof *out->options.listen);
	out->options.resolvers = calloc((size_t)argc + 1, sizeof *out->options.resolvers);
	if (!out->options.listen || !out->options.resolvers) {
		cmd_say("out of memory");
		return ARGS_NOMEM;
	}
	enum args_wish wish = take_options(argc, argv, "+c:hV", out);
	if (wish != ARGS_RUN)
		return wish;
	if (optind >= argc) {
		cmd_say("which command? `mta-sts-server --help` lists them");
		return ARGS_WRONG;
	}
	out->cmd = find(argv[optind]);
	if (!out->cmd) {
		cmd_say("there is no command `%s`", argv[optind]);
		return wrong_usage(NULL);
	}
	argc -= optind;
	argv += optind;
	wish = take_options(argc, argv, "c:hV", out);
	return wish == ARGS_RUN ? take_words(out, argv + optind, argc - optind) : wish;
}

void args_deinit(struct args *a)
{
	free(a->options.listen);
	free(a->options.resolvers);
	*a = (struct args){0};
}

/* main: finds the subcommand, runs it, returns its result. */
#include "cmd/args.h"

#include <stdio.h>

static void print_help(void)
{
	(void)printf("mta-sts-server serves MTA-STS policies (RFC 8461) and says which DNS records belong to them.\n\n"
		     "usage: mta-sts-server [-c FILE] COMMAND …\n\n");
	for (const struct cmd *const *c = args_commands; *c; c++)
		if (!(*c)->is_internal)
			(void)printf("  %-10s %s\n", (*c)->name, (*c)->summary);
	(void)printf("\n"
		     "  -c, --config FILE     default: " ARGS_DEFAULT_CONFIG "\n"
		     "      --state-dir DIR   the store, where it is not the configuration's state_dir\n"
		     "  -h, --help            also behind a command\n"
		     "  -V, --version\n\n"
		     "exit status: 0 done, 1 problems found, 2 usage, 3 configuration unusable, 4 system failure\n"
		     "manual: mta-sts-server(8), mta-sts-server.yaml(5)\n");
}

static void print_command_help(const struct cmd *c)
{
	(void)printf("usage: mta-sts-server [-c FILE] %s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage,
		     c->summary);
	if (c->help)
		(void)printf("\n%s\n", c->help);
}

static int run(enum args_wish wish, const struct args *a)
{
	switch (wish) {
	case ARGS_RUN: return a->cmd->run(&a->options);
	case ARGS_HELP:
		if (a->cmd)
			print_command_help(a->cmd);
		else
			print_help();
		return EXIT_DONE;
	case ARGS_VERSION: cmd_print_version(); return EXIT_DONE;
	case ARGS_WRONG: return EXIT_USAGE;
	case ARGS_NOMEM: break;
	}
	return EXIT_SYSTEM;
}

int main(int argc, char **argv)
{
	struct args a;
	int status = run(args_parse(argc, argv, &a), &a);
	args_deinit(&a);
	bool is_lost = fflush(stdout) != 0 || ferror(stdout);
	if (is_lost && (status == EXIT_DONE || status == EXIT_PROBLEMS)) {
		cmd_say("cannot write to standard output");
		status = EXIT_SYSTEM;
	}
	return status;
}

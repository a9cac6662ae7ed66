/* args: the words of a command line -> a command and its options. Calls nothing and ends nothing: that is main.c's. */
#ifndef CMD_ARGS_H
#define CMD_ARGS_H

#include "cmd.h"

#define ARGS_DEFAULT_CONFIG "/etc/mta-sts-server/mta-sts-server.yaml"

/* All commands; NULL behind. */
extern const struct cmd *const args_commands[];

enum args_wish {
	ARGS_RUN,  /* cmd, with options */
	ARGS_HELP, /* about cmd; NULL: about all */
	ARGS_VERSION,
	ARGS_WRONG, /* said on standard error */
	ARGS_NOMEM,
};

struct args {
	const struct cmd *cmd;
	struct cmd_options options; /* words and texts are argv's */
};

/* args_parse: argc/argv as main gets them; argv is reordered. args_deinit it whatever is returned. */
enum args_wish args_parse(int argc, char **argv, struct args *out);
void args_deinit(struct args *a);

#endif

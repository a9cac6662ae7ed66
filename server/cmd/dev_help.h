/* dev_help: what `serve --dev` prints once it answers: three things to try. */
#ifndef CMD_DEV_HELP_H
#define CMD_DEV_HELP_H

struct db;

/* dev_help_print: to standard output. listen: the first address is shown. */
void dev_help_print(struct db *store, const char *config_path, const char *state_dir, const char *ca_path,
		    const char *listen);

#endif

#include "dev_help.h"

#include "../../base/db.h"
#include "../../base/span.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first domain that is served; "example.com" while there is none. */
static void find_example(struct db *store, char *out, size_t cap)
{
	struct db_txn *txn = NULL;
	struct db_cursor *cur = NULL;
	struct span key = SPAN_LIT("example.com"), value;
	if (db_begin_read(store, &txn, NULL) == 0 && db_cursor_open(txn, DB_DOMAINS, &cur, NULL) == 0 &&
	    db_seek(cur, (struct span){NULL, 0}, &key, &value) != 0)
		key = SPAN_LIT("example.com");
	(void)snprintf(out, cap, "%.*s", SPAN_ARG(key));
	db_cursor_close(cur);
	db_end(txn);
}

/* This program as the user would type it. */
static void find_program(char *out, size_t cap)
{
	char cwd[4096], path[4096]; /* PATH_MAX */
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	size_t len = getcwd(cwd, sizeof cwd) ? strlen(cwd) : 0;
	bool is_below = len && strncmp(path, cwd, len) == 0 && path[len] == '/';
	const char *rest = is_below ? path + len + 1 : path;
	(void)snprintf(out, cap, "%s%s", strchr(rest, '/') ? "" : "./", n > 0 ? rest : "mta-sts-server");
}

void dev_help_print(struct db *store, const char *config_path, const char *state_dir, const char *ca_path,
		    const char *listen)
{
	char domain[256], program[4200], address[64];
	find_example(store, domain, sizeof domain);
	find_program(program, sizeof program);
	(void)snprintf(address, sizeof address, "%.*s", (int)strcspn(listen, ","), listen);
	char *colon = strrchr(address, ':');
	const char *port = colon ? colon + 1 : "8443";
	if (colon)
		*colon = '\0';
	(void)printf("\nThe server answers on %s. Three things to try in another terminal:\n\n"
		     "1. Fetch a policy as a sending mail server does:\n"
		     "   curl --cacert %s --resolve mta-sts.%s:%s:%s https://mta-sts.%s:%s/.well-known/mta-sts.txt\n\n"
		     "2. See the DNS records that belong to it:\n"
		     "   %s -c %s --state-dir %s records\n\n"
		     "3. Edit %s and fetch again: the change is live at once, under a new id.\n\n"
		     "Ctrl-C stops it.\n",
		     listen, ca_path, domain, port, address, domain, port, program, config_path, state_dir,
		     config_path);
	(void)fflush(stdout);
}

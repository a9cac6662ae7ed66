#include "cmd.h"

#include "../../base/err.h"
#include "../../certs/mbed.h"

#include <stdarg.h>
#include <stdio.h>

void cmd_say(const char *fmt, ...)
{
	va_list ap;
	(void)fflush(stdout); /* where both go to a terminal, in the order in which they were said */
	(void)fputs("mta-sts-server: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

void cmd_print_version(void)
{
	(void)printf("mta-sts-server " MTA_STS_VERSION " (accelerator: %s)\n", mbed_accelerator());
}

int cmd_status_of(int rc)
{
	switch (rc) {
	case 0: return EXIT_DONE;
	case ERR_PARSE:
	case ERR_RANGE: return EXIT_CONFIG;
	default: return EXIT_SYSTEM;
	}
}

int cmd_print(const char *bytes, size_t len)
{
	if (len == 0 || fwrite(bytes, 1, len, stdout) == len)
		return EXIT_DONE;
	cmd_say("cannot write to standard output");
	return EXIT_SYSTEM;
}

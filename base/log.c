#include "log.h"

#include "clock.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES = 2048 }; /* one write: lines of several processes do not mix */

static const char *speaker = "main";
static enum log_level least = LOG_LEVEL_INFO;
static bool to_journal;

void log_init(const char *who, enum log_level level)
{
	speaker = who;
	least = level;
	to_journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
}

static int render_prefix(enum log_level level, const char *event, char *line, size_t cap)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	static const int syslog_levels[] = {3, 4, 6, 7};
	if (to_journal)
		return snprintf(line, cap, "<%d>%s %s %s", syslog_levels[level], names[level], speaker, event);
	char when[CLOCK_ISO_BYTES];
	clock_render_iso(clock_unix_s(), when);
	return snprintf(line, cap, "%s %-5s %s %s", when, names[level], speaker, event);
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
	if (level > least)
		return;
	char line[LINE_BYTES];
	size_t room = sizeof line - 1; /* for the line end */
	int n = render_prefix(level, event, line, room);
	size_t len = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
	if (fmt) {
		line[len++] = ' ';
		va_list ap;
		va_start(ap, fmt);
		n = vsnprintf(line + len, room - len, fmt, ap);
		va_end(ap);
		len = n < 0 ? len : (size_t)n < room - len ? len + (size_t)n : room - 1;
	}
	line[len++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, len);
	(void)written; /* where standard error is gone there is nobody to tell */
}

struct log_quoted log_quote(struct span s)
{
	struct log_quoted q;
	size_t n = 0;
	q.text[n++] = '"';
	for (size_t i = 0; i < s.len && n < sizeof q.text - 6; i++) { /* 6: an escape, the quote and the NUL */
		unsigned char c = (unsigned char)s.p[i];
		if (c < 0x20 || c == 0x7F)
			n += (size_t)snprintf(q.text + n, 5, "\\x%02x", c);
		else {
			if (c == '"' || c == '\\')
				q.text[n++] = '\\';
			q.text[n++] = (char)c;
		}
	}
	q.text[n++] = '"';
	q.text[n] = '\0';
	return q;
}

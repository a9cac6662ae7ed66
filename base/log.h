/* log: one line per event on standard error: time, level, a stable event name, key=value.
 *
 * Under systemd (JOURNAL_STREAM set) the time gives way to the journal's "<6>" level prefix.
 * What clients do wrong is counted (metric.h) and not logged. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "span.h"

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* log_init: who speaks ("keeper", "worker 3"; kept) and the least important level that is printed. */
void log_init(const char *who, enum log_level level);

/* event    "room.what"; fmt and arguments are "key=value key=value"; a value that may hold blanks goes through
 *          log_quote. NULL fmt: the event alone. */
void log_write(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_write(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

enum { LOG_QUOTED_BYTES = 600 };

struct log_quoted {
	char text[LOG_QUOTED_BYTES];
};

/* log_quote: text from outside in double quotes, control characters and quotes escaped, cut to fit. */
struct log_quoted log_quote(struct span s);

#define LOG_QUOTE(s) (log_quote(s).text)

#endif

/* progress: one line on standard error that is written over and over, for who watches; nothing when it is no terminal.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool is_on, is_shown;
	uint64_t since_ms, shown_ms;
};

void progress_begin(struct progress *p);

/* progress_show: at most five times a second. rest: what follows the count and the speed. */
void progress_show(struct progress *p, size_t done_count, size_t total_count, const char *rest);

/* progress_clear: before anything else is written to the terminal. */
void progress_clear(struct progress *p);

#endif

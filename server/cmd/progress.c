#include "progress.h"

#include "../../base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { EVERY_MS = 200 };

void progress_begin(struct progress *p)
{
	*p = (struct progress){.is_on = isatty(STDERR_FILENO) == 1, .since_ms = clock_mono_ms()};
}

void progress_show(struct progress *p, size_t done_count, size_t total_count, const char *rest)
{
	if (!p->is_on)
		return;
	uint64_t now_ms = clock_mono_ms(), taken_ms = now_ms - p->since_ms;
	if (now_ms - p->shown_ms < EVERY_MS)
		return;
	p->shown_ms = now_ms;
	p->is_shown = true;
	/* back to the first column, and what was longer before is erased */
	(void)fprintf(stderr, "\r%zu of %zu domains, %zu a second%s\033[K", done_count, total_count,
		      taken_ms ? (size_t)(done_count * 1000 / taken_ms) : 0, rest);
	(void)fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (!p->is_shown)
		return;
	(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	p->is_shown = false;
}

#include "priority.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

enum {
	STEPS = 10, /* a tenth of a worker's share, where both have work to do */
	LOWEST = 19,
	LIMIT_OF_NICE_0 = 20 /* RLIMIT_NICE counts from there downwards: getrlimit(2) */
};

static bool is_lowered;
static int nice_before;

static rlim_t limit_of(int nice)
{
	return (rlim_t)(LIMIT_OF_NICE_0 - nice);
}

static bool get_nice(int *out)
{
	errno = 0; /* -1 is a priority, too */
	*out = getpriority(PRIO_PROCESS, 0);
	return errno == 0;
}

void priority_permit(void)
{
	struct rlimit r;
	int nice;
	if (!get_nice(&nice) || nice > LOWEST || getrlimit(RLIMIT_NICE, &r) != 0 || r.rlim_cur >= limit_of(nice))
		return;
	r.rlim_cur = limit_of(nice);
	if (r.rlim_max < r.rlim_cur)
		r.rlim_max = r.rlim_cur;
	(void)setrlimit(RLIMIT_NICE, &r); /* in vain without CAP_SYS_RESOURCE: then we stay as we are */
}

void priority_lower(void)
{
	struct rlimit r;
	if (!is_lowered && !get_nice(&nice_before))
		return;
	int lower = nice_before + STEPS < LOWEST ? nice_before + STEPS : LOWEST;
	if (getrlimit(RLIMIT_NICE, &r) == 0 && r.rlim_cur >= limit_of(nice_before))
		is_lowered = setpriority(PRIO_PROCESS, 0, lower) == 0;
}

void priority_restore(void)
{
	if (is_lowered)
		(void)setpriority(PRIO_PROCESS, 0, nice_before);
}

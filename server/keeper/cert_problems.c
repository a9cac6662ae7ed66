#include "cert_problems.h"

#include "../../base/log.h"
#include "../../config/problem.h"

enum { TOLD_MAX = 20 }; /* lines per pass */

/* Is p among the sorted items of l from *at on? Moves *at along. */
static bool was_told(const struct problem_list *l, size_t *at, const struct problem *p)
{
	int c = 1;
	while (*at < l->count && (c = problem_compare(&l->items[*at], p)) < 0)
		(*at)++;
	return *at < l->count && c == 0;
}

void cert_problems_tell(struct problem_list *take, struct problem_list *told)
{
	size_t at = 0, count = 0;
	problem_sort(take);
	for (size_t i = 0; i < take->count; i++) {
		const struct problem *p = &take->items[i];
		if (was_told(told, &at, p) || count++ >= TOLD_MAX)
			continue;
		log_write(p->severity == PROBLEM_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "certs.problem",
			  "path=%s text=%s", log_quote(span_of(p->file)).text, LOG_QUOTE(span_of(p->text)));
	}
	if (count > TOLD_MAX)
		log_warn("certs.problem", "text=\"and %zu more\"", count - TOLD_MAX);
	problem_list_deinit(told);
	*told = *take;
	*take = (struct problem_list){0};
}

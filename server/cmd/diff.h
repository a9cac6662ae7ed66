/* diff: of the records that are to be printed only those that the DNS has otherwise. Domains go in one after the other,
 * and come out in the same order, once their answers are there.
 *
 * Memory is bounded, however many domains there are: see DIFF_WAITING_MAX_BYTES. */
#ifndef CMD_DIFF_H
#define CMD_DIFF_H

#include "../../config/record.h"

#include <stdbool.h>
#include <stddef.h>

struct diff;
struct err;

enum {
	/* Domains at once that wait for their answers, or for those before them. So many because a question that nobody
	 * answers takes ten seconds, in which thousands of others are done. */
	DIFF_WAITING_MAX = 32768,
	/* … and their memory: so many with host, report and policy record take some 25 MB, 2,200 with 64 addresses each
	 * all of it. One turn more may come on top, and the records of all policies of dns.delegate, one set. */
	DIFF_WAITING_MAX_BYTES = 32 << 20,
	DIFF_TURN_COUNT = 256, /* as many domains may be added before diff_wait has to be called */
};

/* To be printed of s, which was added, perhaps minutes ago: the records that differ. 0; ERR_NOENT: s is no longer what
 * there should be, and nothing was printed: it counts as failed; anything else ends it. */
typedef int diff_fn(void *ctx, const struct record_set *s, const struct record_set *differing, struct err *err);

struct diff_plan {
	const char *const *resolvers; /* diff_resolvers' words; none: the system's */
	size_t resolver_count;
	bool is_one_piece;    /* the format's */
	size_t domain_count;  /* how many will be added, as far as is known: for the progress on a terminal */
	const char *delegate; /* dns.delegate, added first; where its records cannot be found out, no CNAME to them
				 differs. NULL: none */
	diff_fn *fn;
	void *ctx;
};

struct diff_result {
	size_t differing_count, failed_count; /* domains */
};

/* diff_open: ERR_PARSE: a resolver is no address; ERR_NOMEM, ERR_IO. */
int diff_open(struct diff **out, const struct diff_plan *plan, struct err *err);
void diff_close(struct diff *d); /* accepts NULL */

/* diff_add: all records of one domain, maybe none. s is copied. */
int diff_add(struct diff *d, const struct record_set *s, struct err *err);

/* diff_wait: until there is room for DIFF_TURN_COUNT more. diff_finish: until all are done. */
int diff_wait(struct diff *d, struct err *err);
int diff_finish(struct diff *d, struct diff_result *out, struct err *err);

/* diff_clear_line: before something else is said: the progress stands on the terminal's last line. */
void diff_clear_line(struct diff *d);

#endif

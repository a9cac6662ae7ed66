/* check: the rules that need more than one key, or the past: codes E01 to E20, W01 to W13, I01 and I02 of the manual.
 *
 * Pure: values in, problems out. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "../base/span.h"
#include "problem.h"
#include "spec.h"

#include <stdbool.h>
#include <stdint.h>

struct domain_row;
struct settings;

/* Where the values of a domain were written: problems are reported there, so that a shared policy's mistake is
 * reported once and not once per tenant. */
struct check_places {
	const char *domain_file;
	const char *policy_file; /* NULL: no policy */
	uint32_t policy_line, policy_column;
	struct span policy_name;
	const char *defaults_file; /* NULL: no defaults */
	uint32_t defaults_line, defaults_column;
};

struct check {
	struct span domain;
	const struct resolved *resolved;
	const struct settings *settings;
	const struct check_places *places;
	struct span policy_name;      /* of the named policy that applies; empty: none does */
	const struct domain_row *row; /* what is served now; NULL: nothing, or it is not known */
	bool wants_advice;            /* false: errors only, and what the past has to say */
	bool is_quiet;                /* not even that: errors only */
	struct problem_list *out;
};

/* check_values: what is wrong with the values in force for a domain. body_len: of the rendered policy; 0: not rendered.
 * Returns whether it may be served (no error was found). */
bool check_values(const struct check *c, size_t body_len);

/* check_delegation: with dns.delegate: may the record of its policy speak for the domain? E20. */
bool check_delegation(const struct check *c);

/* check_history: what the past has to say: E14, E15, W05, W12, W13, I02, with dates from the ledger, and W01 of a
 * change. row       what is served now, or NULL: never published old_body  its bytes; is_body_changed: the new body is
 * another one Returns whether it may be served. */
bool check_history(const struct check *c, const struct domain_row *row, struct span old_body, bool is_body_changed,
		   int64_t now_unix_s);

/* check_report: at the place of the innermost level that has a say in the keys (bits of enum spec_key, 0: the domain's
 * own), and without naming the domain unless it is the domain's own: so what many share is told once. */
__attribute__((format(printf, 6, 7))) void check_report(const struct check *c, enum problem_severity severity,
							const char *code, unsigned keys, const char *hint,
							const char *fmt, ...);

/* check_find_wildcard: the pattern of mx that makes item superfluous; false when none does. */
bool check_find_wildcard(struct span mx, struct span item, struct span *out);

/* check_policy_missing: the domain asks for a policy that is nowhere. */
void check_policy_missing(const struct check *c, struct span name);

#endif

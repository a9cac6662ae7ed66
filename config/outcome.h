/* outcome: what becomes of a domain: its values in force, the bytes to serve, and whether they may be served.
 *
 * The one path from specs to a body, for the keeper (apply.c) and for the command line (`check`, `policy`). */
#ifndef CONFIG_OUTCOME_H
#define CONFIG_OUTCOME_H

#include "../base/sha256.h"
#include "check.h"
#include "domains.h"
#include "rendered.h"
#include "spec.h"

#include <stdbool.h>
#include <stdint.h>

struct settings;

struct outcome_input {
	struct span domain;
	const struct spec *spec, *defaults;
	const struct spec *policy; /* NULL: the domain has none, or it is nowhere: */
	bool is_policy_missing;
	const struct settings *settings;
	struct check_places places;
	bool wants_advice;            /* warnings about values, too: for people, and slow with long lists of mx */
	bool is_quiet;                /* errors only: nobody will read the warnings; old_body is not looked at then */
	bool has_history;             /* row and old_body say what was published: */
	const struct domain_row *row; /* NULL: nothing ever was */
	struct span old_body;
	int64_t now_unix_s;
};

struct outcome {
	bool is_good;
	struct resolved resolved;
	struct span body; /* as served; valid until the next outcome_find */
	uint8_t digest[SHA256_BYTES];
	uint32_t ttl_s;
	struct span tls_rpt; /* borrowed from the input */
	struct span policy;  /* whose record speaks for the domain (delegated.h); borrowed; empty: its own does */
	struct rendered rendered;
};

void outcome_init(struct outcome *v);
void outcome_deinit(struct outcome *v);

/* outcome_find: fills v in; problems are added to out. 0 or ERR_NOMEM. */
int outcome_find(struct outcome *v, const struct outcome_input *in, struct problem_list *out);

#endif

/* advice: the rules over time (W01, W05, W12, W13) as far as what is served shows them by itself, without the files:
 * for `status` and the log. check.h has all rules. */
#ifndef CONFIG_ADVICE_H
#define CONFIG_ADVICE_H

#include "domains.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ADVICE_ENFORCE_MIN_S = 604800, /* RFC 8461 10.2: weeks; a large sender raises anything shorter to this */
	ADVICE_TESTING_LONG_S = 90 * 86400,
	ADVICE_TTL_LONG_S = 86400,
	ADVICE_FIRST_S = 14 * 86400, /* so long do reports of mode testing take to show everything */
	ADVICE_MAX = 3,              /* rules that may be broken at once */
	ADVICE_TEXT_BYTES = 128,
};

struct advice {
	const char *code;
	char text[ADVICE_TEXT_BYTES];
};

/* advice_is_testing_long: W12. */
bool advice_is_testing_long(const struct domain_row *row, int64_t now_unix_s);

/* advice_find: how many of out are filled in; none for a row that is withdrawn. */
size_t advice_find(const struct domain_row *row, int64_t now_unix_s, struct advice out[ADVICE_MAX]);

#endif

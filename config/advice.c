#include "advice.h"

#include "../base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 4, 5))) static void add(struct advice *out, size_t *count, const char *code,
						      const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	out[*count].code = code;
	(void)vsnprintf(out[*count].text, sizeof out[*count].text, fmt, args);
	va_end(args);
	(*count)++;
}

bool advice_is_testing_long(const struct domain_row *row, int64_t now_unix_s)
{
	return row->state == DOMAIN_LIVE && row->mode == POLICY_TESTING &&
	       now_unix_s - row->mode_since_unix_s > ADVICE_TESTING_LONG_S;
}

/* Published in mode enforce from the beginning, and not long ago. */
static bool is_straight(const struct domain_row *row, int64_t now_unix_s)
{
	return row->mode == POLICY_ENFORCE && row->mode_since_unix_s == row->first_unix_s &&
	       now_unix_s - row->first_unix_s < ADVICE_FIRST_S;
}

size_t advice_find(const struct domain_row *row, int64_t now_unix_s, struct advice out[ADVICE_MAX])
{
	size_t count = 0;
	char date[CLOCK_ISO_BYTES];
	if (row->state != DOMAIN_LIVE)
		return 0;
	clock_render_iso(row->mode_since_unix_s, date);
	if (row->mode == POLICY_ENFORCE && row->max_age_s < ADVICE_ENFORCE_MIN_S)
		add(out, &count, "W01", "max_age %" PRIu32 " is short for mode enforce, which it is in since %s",
		    row->max_age_s, date);
	if (is_straight(row, now_unix_s))
		add(out, &count, "W05", "it went straight to mode enforce at %s", date);
	if (advice_is_testing_long(row, now_unix_s))
		add(out, &count, "W12", "it is in mode testing since %s", date);
	if (row->ttl_s > ADVICE_TTL_LONG_S)
		add(out, &count, "W13", "a TTL of %" PRIu32 " seconds delays every change", row->ttl_s);
	return count;
}

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct {
	bool is_fake;
	uint64_t mono_ms;
	int64_t unix_s;
} fake;

static const char *test_offset(void)
{
	return getenv("MTA_STS_TEST_CLOCK_OFFSET_S");
}

bool clock_is_moved(void)
{
	return test_offset() != NULL;
}

static int64_t test_offset_s(void)
{
	static bool is_known;
	static int64_t offset_s;
	if (!is_known) {
		const char *text = test_offset();
		offset_s = text ? strtoll(text, NULL, 10) : 0;
		is_known = true;
	}
	return offset_s;
}

uint64_t clock_mono_ms(void)
{
	if (fake.is_fake)
		return fake.mono_ms;
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail on Linux with a valid pointer */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t clock_unix_s(void)
{
	if (fake.is_fake)
		return fake.unix_s;
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec + test_offset_s();
}

int64_t clock_file_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void clock_set_fake(uint64_t mono_ms, int64_t unix_s)
{
	fake.is_fake = true;
	fake.mono_ms = mono_ms;
	fake.unix_s = unix_s;
}

static struct tm utc(int64_t unix_s)
{
	/* years 0 to 9999, so that four digits always hold the year */
	const int64_t first = -62167219200, last = 253402300799;
	time_t t = (time_t)(unix_s < first ? first : unix_s > last ? last : unix_s);
	struct tm tm = {0};
	(void)gmtime_r(&t, &tm);
	return tm;
}

static char *put_two(char *at, int n)
{
	*at++ = (char)('0' + n / 10 % 10);
	*at++ = (char)('0' + n % 10);
	return at;
}

/* By hand: a change of a shared policy renders one for each of 10^6 domains. */
void clock_render_stamp(int64_t unix_s, char out[CLOCK_STAMP_BYTES])
{
	struct tm tm = utc(unix_s);
	const int parts[] = {(tm.tm_year + 1900) / 100,
			     (tm.tm_year + 1900) % 100,
			     tm.tm_mon + 1,
			     tm.tm_mday,
			     tm.tm_hour,
			     tm.tm_min,
			     tm.tm_sec};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		out = put_two(out, parts[i]);
	*out = '\0';
}

void clock_render_http(int64_t unix_s, char out[CLOCK_HTTP_BYTES])
{
	/* not strftime: its names follow the locale */
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm = utc(unix_s);
	(void)snprintf(out, CLOCK_HTTP_BYTES, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[(unsigned)tm.tm_wday % 7],
		       (unsigned)tm.tm_mday % 100, months[(unsigned)tm.tm_mon % 12],
		       (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		       (unsigned)tm.tm_sec % 100);
}

void clock_render_iso(int64_t unix_s, char out[CLOCK_ISO_BYTES])
{
	struct tm tm = utc(unix_s);
	(void)snprintf(out, CLOCK_ISO_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(tm.tm_year + 1900) % 10000,
		       (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
		       (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

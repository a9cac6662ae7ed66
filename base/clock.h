/* clock: what time it is. Replaceable, so that tests move time instead of waiting for it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clock_mono_ms: never steps back; only differences mean something. */
uint64_t clock_mono_ms(void);

/* clock_unix_s: calendar time. MTA_STS_TEST_CLOCK_OFFSET_S in the environment moves it, for flow tests. */
int64_t clock_unix_s(void);

/* clock_is_moved: that variable is set: dates are taken at their word, where caution would wait for an hour or for
 * others. */
bool clock_is_moved(void);

/* clock_file_ns: the clock that file times are made with: calendar time that nothing moves. */
int64_t clock_file_ns(void);

/* clock_set_fake: from now on both clocks say these; for unit tests. */
void clock_set_fake(uint64_t mono_ms, int64_t unix_s);

enum { CLOCK_STAMP_BYTES = 15, CLOCK_HTTP_BYTES = 30, CLOCK_ISO_BYTES = 21 };

/* clock_render_stamp: "YYYYMMDDhhmmss" UTC with a NUL; years 0..9999. */
void clock_render_stamp(int64_t unix_s, char out[CLOCK_STAMP_BYTES]);

/* clock_render_http: IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7). */
void clock_render_http(int64_t unix_s, char out[CLOCK_HTTP_BYTES]);

/* clock_render_iso: "1994-11-06T08:49:37Z". */
void clock_render_iso(int64_t unix_s, char out[CLOCK_ISO_BYTES]);

#endif

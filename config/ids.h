/* ids: the id of a policy in its TXT record (RFC 8461 3.1): which one comes next. Pure.
 *
 * Two different bodies of a domain never get the same one, whatever the clock does. */
#ifndef CONFIG_IDS_H
#define CONFIG_IDS_H

#include "../base/sha256.h"
#include "../base/span.h"
#include "domains.h"
#include "settings.h"

#include <stdint.h>

/* What was used before: a row's own, or the highest of rows that are gone. */
struct ids_used {
	int64_t stamp_unix_s;
	uint64_t serial;
};

/* ids_next: the id for a body with that digest, which is new for its domain.
 * used   updated
 * out    NUL-terminated */
void ids_next(enum id_scheme scheme, const uint8_t digest[SHA256_BYTES], int64_t now_unix_s, struct ids_used *used,
	      char out[DOMAIN_ID_MAX_BYTES + 1]);

/* ids_next_shared: the same for the record of a named policy, which domains come to from records of their own and leave
 * again: never an id that ids_next gives, whatever the bytes.
 * policy, turn  with ID_DIGEST another one gives another id for the same body; policy is a label of the DNS
 * used          of all policies together */
void ids_next_shared(enum id_scheme scheme, const uint8_t digest[SHA256_BYTES], struct span policy, uint64_t turn,
		     int64_t now_unix_s, struct ids_used *used, char out[DOMAIN_ID_MAX_BYTES + 1]);

/* ids_serial_at: the serial that a server starting at that time goes on from, if it has used no higher one: the seconds
 * of then since the beginning of 2025. A store that came back from a backup, or anew, cannot know what was used since;
 * with less than one change a second all of it lies below. */
uint64_t ids_serial_at(int64_t start_unix_s);

#endif

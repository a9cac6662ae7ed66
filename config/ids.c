#include "ids.h"

#include "../base/clock.h"
#include "../base/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SERIALS_BEGIN_UNIX_S INT64_C(1735689600) /* 2025-01-01T00:00:00Z: no serial was ever given out before */

uint64_t ids_serial_at(int64_t start_unix_s)
{
	return start_unix_s > SERIALS_BEGIN_UNIX_S ? (uint64_t)(start_unix_s - SERIALS_BEGIN_UNIX_S) : 0;
}

void ids_next(enum id_scheme scheme, const uint8_t digest[SHA256_BYTES], int64_t now_unix_s, struct ids_used *used,
	      char out[DOMAIN_ID_MAX_BYTES + 1])
{
	char hex[2 * SHA256_BYTES + 1];
	memset(out, 0, DOMAIN_ID_MAX_BYTES + 1);
	switch (scheme) {
	case ID_TIMESTAMP:
		/* never the same twice, never back: a second later than the last one where the clock did not move */
		used->stamp_unix_s = now_unix_s > used->stamp_unix_s ? now_unix_s : used->stamp_unix_s + 1;
		clock_render_stamp(used->stamp_unix_s, out);
		break;
	case ID_SERIAL:
		used->serial++;
		(void)snprintf(out, DOMAIN_ID_MAX_BYTES + 1, "%" PRIu64, used->serial);
		break;
	case ID_DIGEST:
		sha256_hex(digest, hex);
		memcpy(out, hex, DOMAIN_ID_MAX_BYTES);
		break;
	}
}

/* On all machines alike. */
static void digest_again(const uint8_t digest[SHA256_BYTES], struct span policy, uint64_t turn,
			 uint8_t out[SHA256_BYTES])
{
	char bytes[SHA256_BYTES + sizeof turn + NAME_LABEL_MAX_BYTES];
	size_t len = policy.len < NAME_LABEL_MAX_BYTES ? policy.len : NAME_LABEL_MAX_BYTES;
	memcpy(bytes, digest, SHA256_BYTES);
	for (size_t i = 0; i < sizeof turn; i++)
		bytes[SHA256_BYTES + i] = (char)(turn >> (8 * (sizeof turn - 1 - i)));
	memcpy(bytes + SHA256_BYTES + sizeof turn, policy.p, len);
	sha256_of((struct span){bytes, SHA256_BYTES + sizeof turn + len}, out);
}

void ids_next_shared(enum id_scheme scheme, const uint8_t digest[SHA256_BYTES], struct span policy, uint64_t turn,
		     int64_t now_unix_s, struct ids_used *used, char out[DOMAIN_ID_MAX_BYTES + 1])
{
	char id[DOMAIN_ID_MAX_BYTES + 1];
	uint8_t again[SHA256_BYTES];
	digest_again(digest, policy, turn, again);
	ids_next(scheme, again, now_unix_s, used, id);
	if (scheme == ID_DIGEST) {
		memcpy(out, id, sizeof id);
		return;
	}
	out[0] = 'p'; /* no domain's own date or number has a letter; both are shorter than an id may be */
	memcpy(out + 1, id, DOMAIN_ID_MAX_BYTES);
}

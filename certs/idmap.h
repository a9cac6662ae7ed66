/* idmap: a set of 16-byte ids (beginnings of digests, device + inode), each with a number. Grows, never shrinks. */
#ifndef CERTS_IDMAP_H
#define CERTS_IDMAP_H

#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDMAP_ID_BYTES = 16 };

struct idmap_slot {
	uint8_t id[IDMAP_ID_BYTES];
	uint32_t number;
	uint32_t is_used;
};

/* Zeroed to begin with. */
struct idmap {
	struct idmap_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t count;
};

void idmap_deinit(struct idmap *m);

/* idmap_put: id: at least IDMAP_ID_BYTES, of which only those are looked at. An id that is there keeps its number.
 * Returns 0 when it is new, ERR_CONFLICT when it was there, ERR_NOMEM. */
int idmap_put(struct idmap *m, const uint8_t *id, uint32_t number);

/* idmap_has: out_number may be NULL. */
bool idmap_has(const struct idmap *m, const uint8_t *id, uint32_t *out_number);

/* idmap_id_of_text: the id of a path or another text. */
void idmap_id_of_text(struct span text, uint8_t out[IDMAP_ID_BYTES]);

#endif

#include "idmap.h"

#include "../base/err.h"
#include "../base/sha256.h"

#include <stdlib.h>

enum { FIRST_COUNT = 64 };

void idmap_deinit(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){0};
}

static struct idmap_slot *slot_of(const struct idmap *m, const uint8_t *id)
{
	uint64_t a, b;
	memcpy(&a, id, sizeof a);
	memcpy(&b, id + sizeof a, sizeof b);
	/* digests are spread out already, inodes are not: Fibonacci hashing, high bits */
	uint64_t hash = (a ^ (b << 1)) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(hash >> 20) & (m->slot_count - 1);
	while (m->slots[i].is_used && memcmp(m->slots[i].id, id, IDMAP_ID_BYTES) != 0)
		i = (i + 1) & (m->slot_count - 1);
	return &m->slots[i];
}

static int grow(struct idmap *m)
{
	struct idmap bigger = {.slot_count = m->slot_count ? m->slot_count * 2 : FIRST_COUNT, .count = m->count};
	bigger.slots = calloc(bigger.slot_count, sizeof *bigger.slots);
	if (!bigger.slots)
		return ERR_NOMEM;
	for (size_t i = 0; i < m->slot_count; i++)
		if (m->slots[i].is_used)
			*slot_of(&bigger, m->slots[i].id) = m->slots[i];
	free(m->slots);
	*m = bigger;
	return 0;
}

int idmap_put(struct idmap *m, const uint8_t *id, uint32_t number)
{
	if (m->count >= m->slot_count - m->slot_count / 4 && grow(m) != 0)
		return ERR_NOMEM;
	struct idmap_slot *s = slot_of(m, id);
	if (s->is_used)
		return ERR_CONFLICT;
	memcpy(s->id, id, IDMAP_ID_BYTES);
	s->number = number;
	s->is_used = 1;
	m->count++;
	return 0;
}

bool idmap_has(const struct idmap *m, const uint8_t *id, uint32_t *out_number)
{
	if (m->count == 0)
		return false;
	const struct idmap_slot *s = slot_of(m, id);
	if (s->is_used && out_number)
		*out_number = s->number;
	return s->is_used;
}

void idmap_id_of_text(struct span text, uint8_t out[IDMAP_ID_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	sha256_of(text, digest);
	memcpy(out, digest, IDMAP_ID_BYTES);
}

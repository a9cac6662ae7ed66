/* spec: what the operator wrote for one domain, one named policy or the defaults; and what follows from the three.
 *
 * A spec is a value with a compact stored form. It has been checked key by key; rules between keys are check.c's. */
#ifndef CONFIG_SPEC_H
#define CONFIG_SPEC_H

#include "../base/span.h"
#include "policy.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

enum spec_key {
	SPEC_POLICY,
	SPEC_MODE,
	SPEC_MAX_AGE,
	SPEC_MX,
	SPEC_ID,
	SPEC_TTL,
	SPEC_TLS_RPT,
	SPEC_CERT,
	SPEC_KEY_COUNT
};

/* A list of short texts in one piece: a length byte and the bytes, again and again. */
int pack_add(struct buf *out, struct span item); /* item of at most 255 bytes */
bool pack_next(struct span *rest, struct span *item);
size_t pack_count(struct span packed);
bool pack_has(struct span packed, struct span item);

struct spec {
	uint32_t set; /* bit (1 << enum spec_key) for each key that was written */
	uint32_t line, column;
	struct span policy; /* name of a policy */
	enum policy_mode mode;
	uint32_t max_age_s;
	struct span mx; /* packed patterns in the form of name.h, without duplicates */
	struct span id;
	uint32_t ttl_s;
	struct span tls_rpt; /* the record's value, "v=TLSRPTv1; rua=…" */
	struct span cert;    /* absolute path */
};

static inline bool spec_has(const struct spec *s, enum spec_key k)
{
	return s && (s->set >> k & 1u);
}

/* spec_encode: appends the stored form. The place in the file comes last: see spec_is_same. */
int spec_encode(const struct spec *s, struct buf *out);

/* spec_decode: spans point into stored. 0 or ERR_PARSE. */
int spec_decode(struct span stored, struct spec *out);

/* spec_is_same: do two stored forms say the same, whatever line they stand on? */
bool spec_is_same(struct span a, struct span b);

/* Which of the three levels a value came from. */
enum spec_origin { ORIGIN_NOWHERE, ORIGIN_DOMAIN, ORIGIN_POLICY, ORIGIN_DEFAULTS, ORIGIN_DNS };

/* The values in force for a domain (DESIGN.md 5: domain, its policy, defaults, built-in default). */
struct resolved {
	struct spec values; /* set: what was found at any level */
	enum spec_origin origin[SPEC_KEY_COUNT];
};

/* spec_resolve: policy is the named one that `domain` or `defaults` asks for; NULL when there is none. */
void spec_resolve(const struct spec *domain, const struct spec *policy, const struct spec *defaults,
		  struct resolved *out);

/* spec_policy_name: the name that applies; empty when neither says one. */
struct span spec_policy_name(const struct spec *domain, const struct spec *defaults);

#endif

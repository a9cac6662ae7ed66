/* spec_read: a YAML node -> a spec, key by key, with every problem said. Rules between keys are check.c's. */
#ifndef CONFIG_SPEC_READ_H
#define CONFIG_SPEC_READ_H

#include "../base/span.h"
#include "yaml.h"

#include <stdbool.h>

struct spec;

/* spec_fn: takes what was read; the spec's spans are valid during the call only.
 * is_refused  something in it is wrong, and said */
typedef int spec_fn(void *ctx, const struct spec *spec, bool is_refused);

/* spec_read: the current node is a mapping of the keys of scope, nothing, or (a domain's) the name of a policy.
 * at        where it begins: its key
 * base_dir  what relative paths are relative to
 * returns   what fn returned, or a fatal code */
int spec_read(struct yaml *y, unsigned scope, struct place at, const char *base_dir, spec_fn *fn, void *ctx);

/* spec_read_unknown: says that key is not known below section, with the word that was perhaps meant. */
void spec_read_unknown(struct yaml *y, const struct yaml_key *key, const char *section, unsigned scope,
		       const char *const *extra);

static inline struct span yaml_key_span(const struct yaml_key *k)
{
	return (struct span){k->text, k->len};
}

#endif

/* spec_list: many named specs in one piece of memory, sorted by name. The domains or the policies of a file. */
#ifndef CONFIG_SPEC_LIST_H
#define CONFIG_SPEC_LIST_H

#include "../base/buf.h"
#include "../base/span.h"
#include "spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A named thing with a spec. Lies packed in spec_list.bytes; spans are valid until the next add. */
struct spec_entry {
	struct span name;   /* domain: in the form of name.h; policy: as written */
	struct span stored; /* spec_encode's form; empty when is_refused */
	bool is_refused;    /* something in it is wrong: do not use it, but it is there */
	uint32_t line, column;
};

struct spec_list {
	struct buf bytes;
	size_t *offsets;
	size_t count, cap;
};

void spec_list_init(struct spec_list *l);
void spec_list_deinit(struct spec_list *l); /* accepts a zeroed one */

/* spec_list_add: behind the others; spec is not looked at when is_refused. 0 or ERR_NOMEM. */
int spec_list_add(struct spec_list *l, struct span name, const struct spec *spec, bool is_refused, uint32_t line,
		  uint32_t column);

/* spec_list_finish: sorts by name. What is written a second time goes to on_twice and out of the list. */
typedef void spec_list_twice_fn(void *ctx, const struct spec_entry *first, const struct spec_entry *second);
void spec_list_finish(struct spec_list *l, spec_list_twice_fn *on_twice, void *ctx);

struct spec_entry spec_list_get(const struct spec_list *l, size_t i);

/* spec_list_find: after spec_list_finish. Returns false when there is none. */
bool spec_list_find(const struct spec_list *l, struct span name, struct spec_entry *out);

#endif

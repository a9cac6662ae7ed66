/* kept_paths: paths of very many folders, each kept as what it adds to one above it: some 30 bytes where the whole
 * takes
 * 60. Cheap where folders come as a walk finds them. Only grows; emptied as a whole. */
#ifndef KEEPER_KEPT_PATHS_H
#define KEEPER_KEPT_PATHS_H

#include "../../base/buf.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { KEPT_PATHS_NONE = 0 }; /* the number of no path */

struct kept_paths {
	struct buf entries;
	uint32_t last;
};

void kept_paths_init(struct kept_paths *k);
void kept_paths_deinit(struct kept_paths *k);

/* kept_paths_reset: forgets all; numbers are worth nothing from then on. */
void kept_paths_reset(struct kept_paths *k);

/* kept_paths_add: path: not empty, shorter than PATH_MAX; *out_at: its number. One that was added last is not kept
 * again. Returns 0 or ERR_NOMEM. */
int kept_paths_add(struct kept_paths *k, const char *path, uint32_t *out_at);

/* kept_paths_get: the path of a number that was given out, with a NUL behind it. */
void kept_paths_get(const struct kept_paths *k, uint32_t at, char out[PATH_MAX]);

/* kept_paths_is: is it path? at may be KEPT_PATHS_NONE, which is none. */
bool kept_paths_is(const struct kept_paths *k, uint32_t at, const char *path);

#endif

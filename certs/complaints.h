/* complaints: what is wrong with files, collected during a pass and told at its end, when no transaction is open. */
#ifndef CERTS_COMPLAINTS_H
#define CERTS_COMPLAINTS_H

#include "../base/buf.h"

#include <stdbool.h>

struct complaints {
	struct buf bytes;
	size_t count;
};

void complaints_init(struct complaints *c);
void complaints_deinit(struct complaints *c);

/* complaints_add: path and text end at a NUL in them. Returns 0, ERR_NOMEM or ERR_RANGE, from then on for all that
 * follow. */
int complaints_add(struct complaints *c, struct span path, bool is_error, struct span text);

/* complaints_tell: in the order of paths, those of one path as they came: the same every time that the same is wrong
 * (unless memory is short, when they come in any order). */
typedef void complaint_fn(void *ctx, const char *path, bool is_error, const char *text);
void complaints_tell(const struct complaints *c, complaint_fn *fn, void *ctx);

#endif

/* format: one form that records are printed in. The table of all of them is ../formats.c. */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "../../base/buf.h"
#include "../record.h"

#include <stdbool.h>

/* Prints one set after the other into out; each function returns out's failure. */
struct format {
	const char *name;
	const char *help;
	int (*begin)(struct buf *out);
	int (*add)(struct buf *out, const struct record_set *s, bool is_first);
	int (*end)(struct buf *out);
	bool says_all;     /* whoever takes it takes away what it does not say of a domain that it names */
	bool is_one_piece; /* prints a domain as one object: some of its records alone would be another one */
};

#endif

/* formats: the forms that records are printed in: a table; one file each under format/. All carry the same facts. */
#ifndef CONFIG_FORMATS_H
#define CONFIG_FORMATS_H

#include "record.h"

/* Prints one set after the other into out; each function returns out's failure. */
struct format {
	const char *name;
	const char *help;
	int (*begin)(struct buf *out);
	int (*add)(struct buf *out, const struct record_set *s, bool is_first);
	int (*end)(struct buf *out);
};

extern const struct format *const formats_table[]; /* NULL-terminated; the first is the default */

const struct format *formats_find(struct span name); /* NULL: there is none */

#endif

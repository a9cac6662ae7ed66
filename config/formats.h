/* formats: the forms that records are printed in: a table; one file each under format/. All carry the same facts. */
#ifndef CONFIG_FORMATS_H
#define CONFIG_FORMATS_H

#include "format/format.h"

extern const struct format *const formats_table[]; /* NULL-terminated; the first is the default */

const struct format *formats_find(struct span name); /* NULL: there is none */

#endif

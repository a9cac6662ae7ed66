#include "formats.h"

#include "format/json.h"
#include "format/zone.h"

const struct format *const formats_table[] = {&format_zone, &format_json, NULL};

const struct format *formats_find(struct span name)
{
	for (size_t i = 0; formats_table[i]; i++)
		if (span_is(name, span_of(formats_table[i]->name)))
			return formats_table[i];
	return NULL;
}

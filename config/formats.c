#include "formats.h"

#include "format/dnscontrol.h"
#include "format/external_dns.h"
#include "format/json.h"
#include "format/nsupdate.h"
#include "format/octodns.h"
#include "format/powerdns.h"
#include "format/zone.h"

const struct format *const formats_table[] = {
	&format_zone,       &format_json,         &format_nsupdate, &format_octodns,
	&format_dnscontrol, &format_external_dns, &format_powerdns, NULL,
};

const struct format *formats_find(struct span name)
{
	for (size_t i = 0; formats_table[i]; i++)
		if (span_is(name, span_of(formats_table[i]->name)))
			return formats_table[i];
	return NULL;
}

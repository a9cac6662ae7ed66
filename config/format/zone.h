/* zone: records as lines of a zone file (RFC 1035 5.1). */
#ifndef FORMAT_ZONE_H
#define FORMAT_ZONE_H

struct format;
extern const struct format format_zone;

#endif

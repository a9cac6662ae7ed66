/* powerdns: records as bodies to PATCH a zone with through PowerDNS's HTTP API, a line per domain. */
#ifndef FORMAT_POWERDNS_H
#define FORMAT_POWERDNS_H

struct format;
extern const struct format format_powerdns;

#endif

/* dnscontrol: records as statements for DNSControl's dnsconfig.js, one D_EXTEND per domain. */
#ifndef FORMAT_DNSCONTROL_H
#define FORMAT_DNSCONTROL_H

struct format;
extern const struct format format_dnscontrol;

#endif

/* external-dns: records as Kubernetes objects of the kind DNSEndpoint, one per domain. */
#ifndef FORMAT_EXTERNAL_DNS_H
#define FORMAT_EXTERNAL_DNS_H

struct format;
extern const struct format format_external_dns;

#endif

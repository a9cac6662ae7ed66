/* octodns: records as YAML for octoDNS's YamlProvider, a document per domain, which is taken for the zone. */
#ifndef FORMAT_OCTODNS_H
#define FORMAT_OCTODNS_H

struct format;
extern const struct format format_octodns;

#endif

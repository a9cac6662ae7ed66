/* json: records as an array of {domain, name, type, ttl, data, state}. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

struct format;
extern const struct format format_json;

#endif

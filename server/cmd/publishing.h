/* publishing: what `status` says of dns.publish.command: what is owed, since when, and how the last runs ended. */
#ifndef CMD_PUBLISHING_H
#define CMD_PUBLISHING_H

#include "../../base/span.h"

#include <stdint.h>

struct buf;
struct context;
struct json;

/* publishing_add_text: lines for all domains; nothing when dns.publish.command is not set. 0 or ERR_IO. */
int publishing_add_text(struct buf *out, const struct context *c);

/* publishing_add_json: a value: an object, or null when dns.publish.command is not set. 0 or ERR_IO. */
int publishing_add_json(struct json *j, const struct context *c);

/* publishing_add_domain_text/json: a line, or the members "published" and "owed", of one domain. */
void publishing_add_domain_text(struct buf *out, const struct context *c, struct span domain, int64_t now_unix_s);
void publishing_add_domain_json(struct json *j, const struct context *c, struct span domain);

#endif

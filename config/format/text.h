/* text: pieces that several formats have in common. All go behind what is in the buf; its failure tells. */
#ifndef FORMAT_TEXT_H
#define FORMAT_TEXT_H

#include "../../base/buf.h"
#include "../record.h"

/* text_add_strings: the data of a TXT record as a zone file has it: quoted strings of at most 255 octets. */
void text_add_strings(struct buf *out, struct span data);

/* text_add_data: what stands behind the type in a zone file. */
void text_add_data(struct buf *out, const struct record *r);

/* text_add_quoted: a double-quoted string that JSON, YAML and JavaScript read alike. */
void text_add_quoted(struct buf *out, struct span s);

/* text_add_state: "withheld", "withdrawing until 2026-12-01T00:00:00Z", "gone since 2026-12-01T00:00:00Z". */
void text_add_state(struct buf *out, const struct record *r);

#endif

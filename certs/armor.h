/* armor: the blocks of a PEM file (RFC 7468), one after the other. Pure; what is in them is not its business. */
#ifndef CERTS_ARMOR_H
#define CERTS_ARMOR_H

#include "../base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum armor_result {
	ARMOR_BLOCK, /* out is filled in */
	ARMOR_BAD,   /* a block that is cut off or closed by another label; out->label says which; go on */
	ARMOR_END,
};

struct armor_block {
	struct span label;
	struct span text;  /* between the two lines: base64, to be decoded with armor_decode */
	bool is_encrypted; /* wants a password: RFC 5958 3, or the older header of RFC 1421 4.6.1.1 */
};

/* armor_is_in: is there anything that looks like a block? */
bool armor_is_in(struct span bytes);

/* armor_next: the first block of rest, which is moved behind it. Text between blocks is passed over, and a block may
 * begin right behind the dashes of the one before (files put together without a line end).
 * Linear in rest; allocates nothing        source  RFC 7468 2, 3 */
enum armor_result armor_next(struct span *rest, struct armor_block *out);

/* armor_decode: the bytes of a block's text into out, which has room for text.len. The time that it takes does not tell
 * what they are. Returns 0 or ERR_PARSE. */
int armor_decode(struct span text, uint8_t *out, size_t *out_len);

/* armor_decode_public: the same for what is no secret, in less than a tenth of the time: 1.5 us for 960 bytes, not 26.
 */
int armor_decode_public(struct span text, uint8_t *out, size_t *out_len);

#endif

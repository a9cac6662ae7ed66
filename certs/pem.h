/* pem: certificates and keys out of the bytes of one file. Pairing is done by public key, never by file name.
 *
 * Knows nothing of folders, the store or time. */
#ifndef CERTS_PEM_H
#define CERTS_PEM_H

#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct chain;
struct pkey;

enum { PEM_FILE_MAX_BYTES = 262144 }; /* a chain with 100 names is under 10 KiB; a bundle of roots is no pair */

struct pem_file {
	struct chain *chains; /* see chain_collect */
	size_t chain_count;
	struct pkey *keys;
	size_t key_count;
	bool has_encrypted_key; /* a key was passed over because it wants a password */
	size_t bad_block_count; /* PEM blocks that did not parse; the text of the last one is in note */
	char note[256];
};

/* pem_parse: everything usable in bytes; a block that does not parse is counted and passed over.
 * bytes    any bytes up to PEM_FILE_MAX_BYTES; PEM, or one DER certificate or key; others are passed over at once
 * returns  0 (even when nothing was found), ERR_NOMEM, ERR_RANGE; out is to be given to pem_deinit in any case
 * source   RFC 7468 */
int pem_parse(struct span bytes, struct pem_file *out, struct err *err);

/* pem_deinit: frees and wipes; accepts a zeroed one. */
void pem_deinit(struct pem_file *f);

#endif

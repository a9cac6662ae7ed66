/* Any bytes as a file of certificates and keys. Besides memory: what pem.h and chain.h promise of what comes back. */
#include "../../base/err.h"
#include "../../base/name.h"
#include "../../certs/armor.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pem.h"
#include "../../certs/pkey.h"
#include "../../certs/verdict.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_names(const struct chain *c)
{
	struct span rest = buf_span(&c->names), text;
	struct name name;
	size_t count = 0;
	int rc;
	for (; (rc = chain_next_name(&rest, &text)) == 0; count++)
		insist(name_parse_mx(text, &name, NULL) == 0 && span_is(name_span(&name), text));
	insist(rc == ERR_NOENT && count == c->name_count);
}

static void check_chain(const struct chain *c)
{
	struct span rest = buf_span(&c->der), der;
	char text[VERDICT_TEXT_BYTES];
	size_t count = 0;
	int rc;
	while ((rc = mbed_chain_next(&rest, &der)) == 0)
		count++;
	insist(rc == ERR_NOENT && count == c->cert_count && count >= 1 && count <= CHAIN_MAX_COUNT);
	insist(strnlen(c->label, sizeof c->label) < sizeof c->label &&
	       strnlen(c->issuer, sizeof c->issuer) < sizeof c->issuer);
	if (verdict_refuses(c, text))
		insist(strnlen(text, sizeof text) < sizeof text);
	else
		insist(c->name_count > 0);
	check_names(c);
}

/* what is paired by its digest must be a pair for the TLS library too */
static void check_pair(const struct chain *c, const struct pkey *k)
{
	struct mbed_pair *pair;
	bool is_pair = memcmp(c->spki, k->spki, SHA256_BYTES) == 0;
	int rc = mbed_pair_new(&pair, buf_span(&c->der), buf_span(&k->der), NULL);
	insist(rc == (is_pair ? 0 : ERR_CONFLICT));
	mbed_pair_free(pair);
}

/* both decoders take and refuse the same */
static void check_armor(struct span bytes)
{
	struct armor_block b;
	enum armor_result found;
	while ((found = armor_next(&bytes, &b)) != ARMOR_END) {
		if (found != ARMOR_BLOCK)
			continue;
		size_t len = 0, public_len = 0;
		uint8_t *out = malloc(2 * b.text.len + 1);
		insist(out);
		int rc = armor_decode(b.text, out, &len);
		insist(armor_decode_public(b.text, out + b.text.len, &public_len) == rc);
		insist(rc || (len == public_len && memcmp(out, out + b.text.len, len) == 0));
		free(out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_started;
	struct pem_file f;
	struct span bytes = {(const char *)data, size};
	if (!is_started)
		insist(mbed_start(NULL) == 0);
	is_started = true;
	check_armor(bytes);
	int rc = pem_parse(bytes, &f, NULL);
	insist(rc == (size > PEM_FILE_MAX_BYTES ? ERR_RANGE : 0));
	for (size_t i = 0; i < f.chain_count; i++)
		check_chain(&f.chains[i]);
	for (size_t i = 0; i < f.chain_count && f.key_count; i++)
		check_pair(&f.chains[i], &f.keys[0]);
	pem_deinit(&f);
	return 0;
}

#include "pem.h"

#include "../base/err.h"
#include "armor.h"
#include "chain.h"
#include "mbed.h"
#include "pkey.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509.h>
#include <stdio.h>
#include <stdlib.h>

/* The library takes some failures to allocate for bad keys. A file is not read again before it changes, so what fails
 * is tried once more, and must not be blamed on the file while so much memory cannot be had. */
enum { PROBE_BYTES = 65536 };

struct parser {
	struct pem_file *out;
	struct chain_certs certs;
	size_t block_count;
};

static void note_bad(struct parser *ps, struct span label, const char *why)
{
	ps->out->bad_block_count++;
	(void)snprintf(ps->out->note, sizeof ps->out->note, "block %zu (%.*s): %.160s", ps->block_count,
		       SPAN_ARG(label), why);
}

static bool is_memory_short(void)
{
	void *volatile probe = malloc(PROBE_BYTES); /* volatile: the compiler may not take it away */
	free(probe);
	return probe == NULL;
}

/* what the library's code rc says, in words that help the owner of the file. Returns ERR_NOMEM or 0. */
static int note_failure(struct parser *ps, struct span label, int rc, struct err *err)
{
	struct err why;
	int high = -(int)((unsigned)-rc & 0xFF80u);
	if (mbed_err(&why, rc, "does not parse") == ERR_NOMEM || is_memory_short())
		return err_set(err, ERR_NOMEM, "out of memory");
	if (rc == MBEDTLS_ERR_ECP_BAD_INPUT_DATA || rc == MBEDTLS_ERR_RSA_KEY_CHECK_FAILED)
		note_bad(ps, label, "the private key does not fit the public key that is stored with it");
	else if (high == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || high == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE ||
		 high == MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG)
		note_bad(ps, label,
			 "a kind of key or signature that the TLS library cannot use, as Ed25519; take P-256");
	else
		note_bad(ps, label, why.text);
	return 0;
}

static int take_cert(struct parser *ps, struct span der, struct span label, struct err *err)
{
	int rc = chain_certs_add(&ps->certs, der);
	if (rc && !mbed_is_nomem(rc))
		rc = chain_certs_add(&ps->certs, der); /* see PROBE_BYTES */
	return rc ? note_failure(ps, label, rc, err) : 0;
}

static int take_key(struct parser *ps, struct span der, struct span label, struct err *err)
{
	struct pem_file *out = ps->out;
	struct pkey *grown = realloc(out->keys, (out->key_count + 1) * sizeof *grown);
	if (!grown)
		return err_set(err, ERR_NOMEM, "out of memory");
	out->keys = grown;
	int rc = pkey_parse(der, &out->keys[out->key_count]);
	if (rc && !mbed_is_nomem(rc))
		rc = pkey_parse(der, &out->keys[out->key_count]);
	if (rc)
		return note_failure(ps, label, rc, err);
	out->key_count++;
	return 0;
}

static bool is_among(struct span label, const char *const *list)
{
	for (; *list; list++)
		if (span_is(label, span_of(*list)))
			return true;
	return false;
}

/* RFC 7468 5.1 and 10, and what OpenSSL has always written */
static const char *const cert_labels[] = {"CERTIFICATE", "X509 CERTIFICATE", NULL};
static const char *const key_labels[] = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY",
					 NULL};

static int take_block(struct parser *ps, const struct armor_block *b, bool is_whole, uint8_t *scratch, struct err *err)
{
	bool is_cert = is_among(b->label, cert_labels);
	if (!is_cert && !is_among(b->label, key_labels))
		return 0; /* requests, parameters, public keys: somebody else's */
	if (!is_whole) {
		note_bad(ps, b->label, "its end is missing: cut off, or just being written");
		return 0;
	}
	if (b->is_encrypted) {
		ps->out->has_encrypted_key = true;
		return 0;
	}
	size_t len = 0;
	int rc = is_cert ? armor_decode_public(b->text, scratch, &len) : armor_decode(b->text, scratch, &len);
	if (rc) {
		note_bad(ps, b->label, "not base64");
		return 0;
	}
	struct span der = {(const char *)scratch, len};
	return is_cert ? take_cert(ps, der, b->label, err) : take_key(ps, der, b->label, err);
}

static int take_blocks(struct parser *ps, struct span bytes, struct err *err)
{
	size_t scratch_len = bytes.len;
	uint8_t *scratch = malloc(scratch_len);
	if (!scratch)
		return err_set(err, ERR_NOMEM, "out of memory");
	struct armor_block b;
	enum armor_result found;
	int rc = 0;
	while (rc == 0 && (found = armor_next(&bytes, &b)) != ARMOR_END) {
		ps->block_count++;
		rc = take_block(ps, &b, found == ARMOR_BLOCK, scratch, err);
	}
	explicit_bzero(scratch, scratch_len);
	free(scratch);
	return rc;
}

/* one SEQUENCE from the first byte to the last */
static bool is_der(struct span bytes)
{
	const unsigned char *start = (const unsigned char *)bytes.p;
	unsigned char *p = (unsigned char *)(uintptr_t)bytes.p; /* the library moves it and writes nothing */
	size_t len;
	return bytes.len > 0 &&
	       mbedtls_asn1_get_tag(&p, start + bytes.len, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) ==
		       0 &&
	       len == bytes.len - (size_t)(p - start);
}

/* a certificate, or a key, or something that is not ours */
static int take_der(struct parser *ps, struct span der, struct err *err)
{
	int rc = take_cert(ps, der, SPAN_LIT("DER"), err);
	if (rc == 0 && !ps->certs.first)
		rc = take_key(ps, der, SPAN_LIT("DER"), err);
	ps->out->bad_block_count = 0;
	ps->out->note[0] = '\0';
	return rc;
}

int pem_parse(struct span bytes, struct pem_file *out, struct err *err)
{
	*out = (struct pem_file){0};
	if (bytes.len > PEM_FILE_MAX_BYTES)
		return err_set(err, ERR_RANGE, "larger than %d bytes", PEM_FILE_MAX_BYTES);
	struct parser ps = {.out = out};
	int rc = 0;
	if (armor_is_in(bytes))
		rc = take_blocks(&ps, bytes, err);
	else if (is_der(bytes))
		rc = take_der(&ps, bytes, err);
	if (rc == 0 && chain_collect(&ps.certs, &out->chains, &out->chain_count) != 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	chain_certs_deinit(&ps.certs);
	return rc;
}

void pem_deinit(struct pem_file *f)
{
	for (size_t i = 0; i < f->chain_count; i++)
		chain_deinit(&f->chains[i]);
	for (size_t i = 0; i < f->key_count; i++)
		pkey_deinit(&f->keys[i]);
	free(f->chains);
	free(f->keys);
	*f = (struct pem_file){0};
}

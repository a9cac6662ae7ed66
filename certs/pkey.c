#include "pkey.h"

#include "mbed.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>

/* n, e, d and five halves, each at most as long as the library's largest number */
enum { DER_MAX_BYTES = 8 * MBEDTLS_MPI_MAX_SIZE + 128 };

static const char *const type_names[] = {
	[PKEY_NONE] = "none",  [PKEY_RSA] = "RSA",    [PKEY_P256] = "P-256",
	[PKEY_P384] = "P-384", [PKEY_P521] = "P-521", [PKEY_OTHER] = "other",
};

const char *pkey_type_name(enum pkey_type t)
{
	return (size_t)t < sizeof type_names / sizeof *type_names ? type_names[t] : "other";
}

enum pkey_type pkey_type_of(const mbedtls_pk_context *key)
{
	mbedtls_pk_type_t type = mbedtls_pk_get_type(key);
	if (type == MBEDTLS_PK_RSA)
		return PKEY_RSA;
	if (type != MBEDTLS_PK_ECKEY)
		return PKEY_OTHER;
	switch (mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key))) {
	case MBEDTLS_ECP_DP_SECP256R1: return PKEY_P256;
	case MBEDTLS_ECP_DP_SECP384R1: return PKEY_P384;
	case MBEDTLS_ECP_DP_SECP521R1: return PKEY_P521;
	default: return PKEY_OTHER;
	}
}

static int describe(const mbedtls_pk_context *key, struct pkey *out)
{
	unsigned char der[DER_MAX_BYTES];
	int n = mbedtls_pk_write_key_der(key, der, sizeof der);
	if (n < 0)
		return n;               /* not by input: what was parsed can be written */
	buf_init(&out->der, (size_t)n); /* in one piece: growing would leave a copy behind */
	/* the library writes at the buffer's end */
	int rc = buf_add(&out->der, der + sizeof der - n, (size_t)n) ? MBEDTLS_ERR_PK_ALLOC_FAILED : 0;
	explicit_bzero(der, sizeof der);
	out->type = pkey_type_of(key);
	out->bits = (unsigned)mbedtls_pk_get_bitlen(key);
	return rc ? rc : mbed_key_digest(key, out->spki);
}

static int has_oid(struct span der, const char *oid)
{
	size_t head = der.len < 32 ? der.len : 32; /* version, then the algorithm */
	return memmem(der.p, head, oid, strlen(oid)) != NULL;
}

/* RFC 8410 3: id-Ed25519 and id-Ed448, of which the library says no more than "invalid format" */
static int is_edwards(struct span der)
{
	return has_oid(der, "\x06\x03\x2b\x65\x70") || has_oid(der, "\x06\x03\x2b\x65\x71");
}

static int check_halves(const mbedtls_pk_context *key)
{
	int rc = mbedtls_pk_check_pair(key, key, mbed_random, NULL);
	/* what it says by way of PSA, and without */
	return rc == MBEDTLS_ERR_PK_BAD_INPUT_DATA ? MBEDTLS_ERR_ECP_BAD_INPUT_DATA : rc;
}

int pkey_parse(struct span der, struct pkey *out)
{
	*out = (struct pkey){0};
	mbedtls_pk_context key;
	mbedtls_pk_init(&key);
	int rc = mbedtls_pk_parse_key(&key, (const unsigned char *)der.p, der.len, NULL, 0, mbed_random, NULL);
	if (rc == MBEDTLS_ERR_PK_KEY_INVALID_FORMAT && is_edwards(der))
		rc = MBEDTLS_ERR_PK_UNKNOWN_PK_ALG;
	if (rc == 0)
		rc = check_halves(&key);
	if (rc == 0)
		rc = describe(&key, out);
	mbedtls_pk_free(&key);
	if (rc)
		pkey_deinit(out);
	return rc;
}

void pkey_deinit(struct pkey *k)
{
	if (k->der.p)
		explicit_bzero(k->der.p, k->der.cap);
	buf_deinit(&k->der);
	*k = (struct pkey){0};
}

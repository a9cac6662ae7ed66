#include "mbed.h"

#include "../base/buf.h"
#include "../base/err.h"

#include <errno.h>
#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <sys/random.h>

/* before 3.6.1, and without a dynamic key store, the 33rd handshake at a time fails */
#if MBEDTLS_VERSION_NUMBER < 0x03060100 || !defined(MBEDTLS_PSA_KEY_STORE_DYNAMIC)
#error "mbedTLS 3.6.1 or later is needed, with MBEDTLS_PSA_KEY_STORE_DYNAMIC"
#endif

struct mbed_pair {
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	size_t owner_count;
};

int mbed_start(struct err *err)
{
	psa_status_t rc = psa_crypto_init();
	if (rc == PSA_SUCCESS)
		return 0;
	return err_set(err, rc == PSA_ERROR_INSUFFICIENT_MEMORY ? ERR_NOMEM : ERR_TLS,
		       "the TLS library does not start: PSA error %d", (int)rc);
}

void mbed_stop(void)
{
	mbedtls_psa_crypto_free();
}

const char *mbed_accelerator(void)
{
#if defined(MBEDTLS_ACCELERATOR) /* packaging/mbedtls/accelerator */
	return MBEDTLS_ACCELERATOR;
#else
	return "none";
#endif
}

size_t mbed_message_max_bytes(void)
{
	return MBEDTLS_SSL_OUT_CONTENT_LEN; /* it does not split them over records */
}

int mbed_random(void *ctx, unsigned char *out, size_t len)
{
	(void)ctx;
	while (len) {
		ssize_t n = getrandom(out, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
		out += n;
		len -= (size_t)n;
	}
	return 0;
}

#if defined(MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG)
/* the library's own generator has been compiled out: PSA asks here */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *ctx, uint8_t *out, size_t size,
					     size_t *out_len)
{
	(void)ctx;
	if (mbed_random(NULL, out, size) != 0)
		return PSA_ERROR_INSUFFICIENT_ENTROPY;
	*out_len = size;
	return PSA_SUCCESS;
}
#endif

bool mbed_is_nomem(int rc)
{
	/* a code is the sum of a high-level and a low-level one; either may tell */
	int high = -(int)((unsigned)-rc & 0xFF80u), low = -(int)((unsigned)-rc & 0x7Fu);
	return high == MBEDTLS_ERR_X509_ALLOC_FAILED || high == MBEDTLS_ERR_PK_ALLOC_FAILED ||
	       high == MBEDTLS_ERR_ECP_ALLOC_FAILED || high == MBEDTLS_ERR_SSL_ALLOC_FAILED ||
	       high == MBEDTLS_ERR_MD_ALLOC_FAILED || high == MBEDTLS_ERR_PEM_ALLOC_FAILED ||
	       low == MBEDTLS_ERR_MPI_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED ||
	       rc == PSA_ERROR_INSUFFICIENT_MEMORY;
}

int mbed_err(struct err *err, int rc, const char *what)
{
	if (mbed_is_nomem(rc))
		return err_set(err, ERR_NOMEM, "%s: out of memory", what);
	char text[160];
	mbedtls_strerror(rc, text, sizeof text);
	return err_set(err, ERR_TLS, "%s: %s", what, text);
}

static bool is_oid(const mbedtls_x509_buf *oid, const char *want, size_t len)
{
	return oid->len == len && memcmp(oid->p, want, len) == 0;
}

#define OID_TLS_FEATURE MBEDTLS_OID_PKIX "\x01\x18"     /* 1.3.6.1.5.5.7.1.24 */
#define OID_ACME_IDENTIFIER MBEDTLS_OID_PKIX "\x01\x1f" /* 1.3.6.1.5.5.7.1.31 */
/* known to the library; it asks us about the policies that it does not know */
#define OID_POLICIES MBEDTLS_OID_CERTIFICATE_POLICIES

static bool asks_for_status(const unsigned char *p, const unsigned char *end)
{
	/* RFC 7633 4.1: SEQUENCE OF INTEGER, each a TLS extension; 5 is status_request */
	for (; end - p >= 3; p++)
		if (p[0] == MBEDTLS_ASN1_INTEGER && p[1] == 1 && p[2] == 5)
			return true;
	return false;
}

static int on_extension(void *ctx, const mbedtls_x509_crt *crt, const mbedtls_x509_buf *oid, int is_critical,
			const unsigned char *p, const unsigned char *end)
{
	(void)crt;
	struct mbed_extras *x = ctx;
	if (is_oid(oid, OID_TLS_FEATURE, sizeof OID_TLS_FEATURE - 1))
		x->has_must_staple = asks_for_status(p, end);
	else if (is_oid(oid, OID_ACME_IDENTIFIER, sizeof OID_ACME_IDENTIFIER - 1))
		x->is_acme_challenge = true;
	else if (is_critical && !is_oid(oid, OID_POLICIES, sizeof OID_POLICIES - 1))
		x->has_unknown_critical = true;
	return 0;
}

int mbed_parse_cert(mbedtls_x509_crt *chain, struct span der, struct mbed_extras *extras)
{
	struct mbed_extras unwanted = {0};
	return mbedtls_x509_crt_parse_der_with_ext_cb(chain, (const unsigned char *)der.p, der.len, 1, on_extension,
						      extras ? extras : &unwanted);
}

/* RSA with modulus and exponent of MBEDTLS_MPI_MAX_SIZE bytes each is the longest */
enum { PUBLIC_KEY_MAX_BYTES = 2 * MBEDTLS_MPI_MAX_SIZE + 64 };

int mbed_key_digest(const mbedtls_pk_context *key, uint8_t out[SHA256_BYTES])
{
	unsigned char der[PUBLIC_KEY_MAX_BYTES];
	int n = mbedtls_pk_write_pubkey_der(key, der, sizeof der);
	if (n < 0)
		return n;
	/* the library writes at the buffer's end */
	sha256_of((struct span){(const char *)der + sizeof der - n, (size_t)n}, out);
	return 0;
}

int mbed_chain_add(struct buf *chain, struct span der)
{
	if (der.len > UINT32_MAX)
		return ERR_RANGE;
	uint32_t len = (uint32_t)der.len;
	size_t was = chain->len;
	if (buf_add(chain, &len, sizeof len) != 0 || buf_add_span(chain, der) != 0)
		chain->len = was;
	return chain->failed;
}

int mbed_chain_next(struct span *rest, struct span *out_der)
{
	uint32_t len;
	if (rest->len == 0)
		return ERR_NOENT;
	if (rest->len < sizeof len)
		return ERR_PARSE;
	memcpy(&len, rest->p, sizeof len);
	if (len > rest->len - sizeof len)
		return ERR_PARSE;
	*out_der = (struct span){rest->p + sizeof len, len};
	*rest = (struct span){rest->p + sizeof len + len, rest->len - sizeof len - len};
	return 0;
}

static int parse_chain(mbedtls_x509_crt *chain, struct span chain_der, struct err *err)
{
	struct span der;
	int rc;
	while ((rc = mbed_chain_next(&chain_der, &der)) == 0) {
		int lib = mbed_parse_cert(chain, der, NULL);
		if (lib && mbed_err(err, lib, "certificate") == ERR_NOMEM)
			return ERR_NOMEM;
		if (lib)
			return err->code = ERR_PARSE;
	}
	if (rc != ERR_NOENT || chain->raw.p == NULL)
		return err_set(err, ERR_PARSE, "certificate chain: not in the stored form");
	return 0;
}

static int parse_key(mbedtls_pk_context *key, struct span der, struct err *err)
{
	int lib = mbedtls_pk_parse_key(key, (const unsigned char *)der.p, der.len, NULL, 0, mbed_random, NULL);
	if (lib == 0)
		return 0;
	return err->code = mbed_err(err, lib, "private key") == ERR_NOMEM ? ERR_NOMEM : ERR_PARSE;
}

static int check_same_key(const struct mbed_pair *p, struct err *err)
{
	uint8_t of_leaf[SHA256_BYTES], of_key[SHA256_BYTES];
	int lib = mbed_key_digest(&p->chain.pk, of_leaf);
	if (lib == 0)
		lib = mbed_key_digest(&p->key, of_key);
	if (lib)
		return mbed_err(err, lib, "public key");
	if (memcmp(of_leaf, of_key, SHA256_BYTES) != 0)
		return err_set(err, ERR_CONFLICT, "the private key is not the certificate's");
	return 0;
}

int mbed_pair_new(struct mbed_pair **out, struct span chain_der, struct span key_der, struct err *err)
{
	struct err unwanted;
	struct err *e = err ? err : &unwanted;
	*out = NULL;
	struct mbed_pair *p = calloc(1, sizeof *p);
	if (!p)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->owner_count = 1;
	mbedtls_x509_crt_init(&p->chain);
	mbedtls_pk_init(&p->key);
	int rc = parse_chain(&p->chain, chain_der, e);
	if (rc == 0)
		rc = parse_key(&p->key, key_der, e);
	if (rc == 0)
		rc = check_same_key(p, e);
	if (rc)
		mbed_pair_free(p);
	else
		*out = p;
	return rc;
}

void mbed_pair_free(struct mbed_pair *p)
{
	if (!p || --p->owner_count)
		return;
	mbedtls_x509_crt_free(&p->chain);
	mbedtls_pk_free(&p->key);
	free(p);
}

struct mbed_pair *mbed_pair_share(struct mbed_pair *p)
{
	p->owner_count++;
	return p;
}

bool mbed_pair_is_chain(const struct mbed_pair *p, struct span chain_der)
{
	const mbedtls_x509_crt *crt = &p->chain;
	struct span der;
	for (; mbed_chain_next(&chain_der, &der) == 0; crt = crt->next)
		if (!crt || !span_is(der, (struct span){(const char *)crt->raw.p, crt->raw.len}))
			return false;
	return !crt && chain_der.len == 0;
}

mbedtls_x509_crt *mbed_pair_chain(struct mbed_pair *p)
{
	return &p->chain;
}

mbedtls_pk_context *mbed_pair_key(struct mbed_pair *p)
{
	return &p->key;
}

#include "selfca.h"

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/err.h"
#include "../base/sha256.h"
#include "mbed.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>

enum {
	DAY_S = 86400,
	CERT_MAX_BYTES = 8192, /* 25 names of 253 bytes and 1 KiB around them */
	PEM_MAX_BYTES = 12288, /* a third more, and a line end every 64 */
	KEY_ID_BYTES = 20,
	SERIAL_BYTES = 16,
};

#define CA_NAME "CN=mta-sts-server dev CA"
/* fixed, as a common name holds no more than 64 bytes; nobody looks at it (RFC 9525 6) */
#define LEAF_NAME "CN=mta-sts-server dev certificate"

struct selfca {
	mbedtls_pk_context ca_key, leaf_key;
	uint8_t ca_key_id[KEY_ID_BYTES], leaf_key_id[KEY_ID_BYTES];
	unsigned char *cert; /* DER */
	size_t cert_len;
};

/* A certificate to be written. */
struct draft {
	const char *subject;
	mbedtls_pk_context *key;
	const uint8_t *key_id;
	bool is_ca;
	const mbedtls_x509_san_list *san;
	int64_t not_before_unix_s, not_after_unix_s;
};

static int make_key(mbedtls_pk_context *key, uint8_t id[KEY_ID_BYTES])
{
	int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (rc == 0)
		rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbed_random, NULL);
	uint8_t digest[SHA256_BYTES];
	if (rc == 0)
		rc = mbed_key_digest(key, digest);
	if (rc == 0)
		memcpy(id, digest, KEY_ID_BYTES); /* RFC 7093 2: the leftmost 160 bits of a SHA-256 */
	return rc;
}

static int set_serial(mbedtls_x509write_cert *w)
{
	unsigned char serial[SERIAL_BYTES];
	int rc = mbed_random(NULL, serial, sizeof serial);
	if (rc)
		return rc;
	/* RFC 5280 4.1.2.2: positive; and not beginning with a zero, so that it is as long as it looks */
	serial[0] = (unsigned char)((serial[0] & 0x7F) | 0x40);
	return mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof serial);
}

static int set_key_ids(mbedtls_x509write_cert *w, const uint8_t subject[KEY_ID_BYTES],
		       const uint8_t issuer[KEY_ID_BYTES])
{
	/* RFC 5280 4.2.1.2: OCTET STRING; 4.2.1.1: SEQUENCE { [0] }. Not with the library's own: it takes SHA-1. */
	unsigned char ski[2 + KEY_ID_BYTES] = {MBEDTLS_ASN1_OCTET_STRING, KEY_ID_BYTES};
	unsigned char aki[4 + KEY_ID_BYTES] = {MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, 2 + KEY_ID_BYTES,
					       MBEDTLS_ASN1_CONTEXT_SPECIFIC, KEY_ID_BYTES};
	memcpy(ski + 2, subject, KEY_ID_BYTES);
	memcpy(aki + 4, issuer, KEY_ID_BYTES);
	int rc = mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER,
						     MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER), 0, ski,
						     sizeof ski);
	if (rc)
		return rc;
	return mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER), 0, aki,
						   sizeof aki);
}

static int set_leaf_extensions(mbedtls_x509write_cert *w, const mbedtls_x509_san_list *san)
{
	/* SEQUENCE { OID serverAuth }. Not with the library's own: it makes the extension critical, which public CAs
	 * may not (CA/Browser Forum BR 7.1.2.7.10) and strict clients refuse */
	static const unsigned char usage[] = {
		MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, 10, MBEDTLS_ASN1_OID, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1};
	int rc = mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_EXTENDED_KEY_USAGE,
						     MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, usage,
						     sizeof usage);
	return rc ? rc : mbedtls_x509write_crt_set_subject_alternative_name(w, san);
}

static int set_extensions(mbedtls_x509write_cert *w, const struct selfca *ca, const struct draft *d)
{
	/* RFC 5280 4.2.1.9, 4.2.1.3: a CA that issues leaves only; a leaf that signs handshakes */
	int rc = mbedtls_x509write_crt_set_basic_constraints(w, d->is_ca, 0);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_key_usage(w, d->is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN |
									       MBEDTLS_X509_KU_CRL_SIGN
								     : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	if (rc == 0)
		rc = set_key_ids(w, d->key_id, ca->ca_key_id);
	if (rc == 0 && !d->is_ca)
		rc = set_leaf_extensions(w, d->san);
	return rc;
}

static int set_validity(mbedtls_x509write_cert *w, const struct draft *d)
{
	char from[CLOCK_STAMP_BYTES], to[CLOCK_STAMP_BYTES];
	clock_render_stamp(d->not_before_unix_s, from);
	clock_render_stamp(d->not_after_unix_s, to);
	return mbedtls_x509write_crt_set_validity(w, from, to);
}

/* writes at the end of der; returns the length or the library's code */
static int write_cert(struct selfca *ca, const struct draft *d, unsigned char der[CERT_MAX_BYTES])
{
	mbedtls_x509write_cert w;
	mbedtls_x509write_crt_init(&w);
	mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&w, d->key);
	mbedtls_x509write_crt_set_issuer_key(&w, &ca->ca_key);
	int rc = mbedtls_x509write_crt_set_subject_name(&w, d->subject);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_issuer_name(&w, CA_NAME);
	if (rc == 0)
		rc = set_serial(&w);
	if (rc == 0)
		rc = set_validity(&w, d);
	if (rc == 0)
		rc = set_extensions(&w, ca, d);
	if (rc == 0)
		rc = mbedtls_x509write_crt_der(&w, der, CERT_MAX_BYTES, mbed_random, NULL);
	mbedtls_x509write_crt_free(&w);
	return rc;
}

static int make_ca(struct selfca *ca, int64_t now_unix_s)
{
	int rc = make_key(&ca->ca_key, ca->ca_key_id);
	if (rc == 0)
		rc = make_key(&ca->leaf_key, ca->leaf_key_id);
	if (rc)
		return rc;
	struct draft d = {
		.subject = CA_NAME,
		.key = &ca->ca_key,
		.key_id = ca->ca_key_id,
		.is_ca = true,
		.not_before_unix_s = now_unix_s - DAY_S,
		.not_after_unix_s = now_unix_s + (int64_t)365 * DAY_S,
	};
	unsigned char der[CERT_MAX_BYTES];
	int n = write_cert(ca, &d, der);
	if (n < 0)
		return n;
	ca->cert = malloc((size_t)n);
	if (!ca->cert)
		return MBEDTLS_ERR_X509_ALLOC_FAILED;
	memcpy(ca->cert, der + sizeof der - n, (size_t)n);
	ca->cert_len = (size_t)n;
	return 0;
}

int selfca_new(struct selfca **out, int64_t now_unix_s, struct err *err)
{
	*out = NULL;
	struct selfca *ca = calloc(1, sizeof *ca);
	if (!ca)
		return err_set(err, ERR_NOMEM, "out of memory");
	mbedtls_pk_init(&ca->ca_key);
	mbedtls_pk_init(&ca->leaf_key);
	int rc = make_ca(ca, now_unix_s);
	if (rc) {
		selfca_free(ca);
		return mbed_err(err, rc, "cannot make a CA");
	}
	*out = ca;
	return 0;
}

void selfca_free(struct selfca *ca)
{
	if (!ca)
		return;
	mbedtls_pk_free(&ca->ca_key);
	mbedtls_pk_free(&ca->leaf_key);
	free(ca->cert);
	free(ca);
}

static int add_pem(struct buf *out, const char *begin, const char *end, const unsigned char *der, size_t len)
{
	unsigned char text[PEM_MAX_BYTES];
	size_t text_len; /* with its NUL */
	int rc = mbedtls_pem_write_buffer(begin, end, der, len, text, sizeof text, &text_len);
	if (rc == 0 && buf_add(out, text, text_len - 1) != 0)
		rc = MBEDTLS_ERR_X509_ALLOC_FAILED;
	explicit_bzero(text, sizeof text); /* it may be the key */
	return rc;
}

static int add_cert(struct buf *out, const unsigned char *der, size_t len)
{
	return add_pem(out, "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", der, len);
}

static int add_key(struct buf *out, const mbedtls_pk_context *key)
{
	unsigned char der[256]; /* P-256: 121 */
	int n = mbedtls_pk_write_key_der(key, der, sizeof der);
	int rc = n;
	if (n > 0)
		rc = add_pem(out, "-----BEGIN EC PRIVATE KEY-----\n", "-----END EC PRIVATE KEY-----\n",
			     der + sizeof der - n, (size_t)n);
	explicit_bzero(der, sizeof der);
	return rc;
}

int selfca_pem(const struct selfca *ca, struct buf *out, struct err *err)
{
	int rc = add_cert(out, ca->cert, ca->cert_len);
	return rc ? mbed_err(err, rc, "cannot write a certificate") : 0;
}

/* the library writes from the end: the first name comes last */
static mbedtls_x509_san_list *list_names(mbedtls_x509_san_list *list, const struct span *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		list[i] = (mbedtls_x509_san_list){.next = i ? &list[i - 1] : NULL};
		list[i].node.type = MBEDTLS_X509_SAN_DNS_NAME;
		list[i].node.san.unstructured_name = (mbedtls_x509_buf){
			.tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME,
			.p = (unsigned char *)(uintptr_t)names[i].p, /* only read */
			.len = names[i].len,
		};
	}
	return &list[count - 1];
}

int selfca_issue(struct selfca *ca, const struct span *names, size_t name_count, int64_t now_unix_s, struct buf *out,
		 struct err *err)
{
	if (name_count == 0 || name_count > SELFCA_NAMES_MAX)
		return err_set(err, ERR_RANGE, "a certificate for %zu names: 1 to %d can be had", name_count,
			       SELFCA_NAMES_MAX);
	mbedtls_x509_san_list san[SELFCA_NAMES_MAX];
	struct draft d = {
		.subject = LEAF_NAME,
		.key = &ca->leaf_key,
		.key_id = ca->leaf_key_id,
		.san = list_names(san, names, name_count),
		.not_before_unix_s = now_unix_s - DAY_S,
		.not_after_unix_s = now_unix_s + (int64_t)90 * DAY_S,
	};
	size_t was = out->len;
	unsigned char der[CERT_MAX_BYTES];
	int n = write_cert(ca, &d, der);
	int rc = n < 0 ? n : add_cert(out, der + sizeof der - n, (size_t)n);
	if (rc == 0)
		rc = add_cert(out, ca->cert, ca->cert_len);
	if (rc == 0)
		rc = add_key(out, &ca->leaf_key);
	if (rc)
		out->len = was;
	return rc ? mbed_err(err, rc, "cannot issue a certificate") : 0;
}

#include "chain.h"

#include "../base/err.h"
#include "../base/name.h"
#include "mbed.h"

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <time.h>

struct chain_cert {
	mbedtls_x509_crt crt;
	struct mbed_extras extras;
	struct chain_cert *next;
};

int chain_certs_add(struct chain_certs *all, struct span der)
{
	struct chain_cert *c = calloc(1, sizeof *c);
	if (!c)
		return MBEDTLS_ERR_X509_ALLOC_FAILED;
	mbedtls_x509_crt_init(&c->crt);
	int rc = mbed_parse_cert(&c->crt, der, &c->extras);
	if (rc) {
		mbedtls_x509_crt_free(&c->crt);
		free(c);
		return rc;
	}
	if (all->last)
		all->last->next = c;
	else
		all->first = c;
	all->last = c;
	return 0;
}

void chain_certs_deinit(struct chain_certs *all)
{
	while (all->first) {
		struct chain_cert *next = all->first->next;
		mbedtls_x509_crt_free(&all->first->crt);
		free(all->first);
		all->first = next;
	}
	all->last = NULL;
}

static bool is_same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static bool is_self_issued(const struct chain_cert *c)
{
	return is_same(&c->crt.issuer_raw, &c->crt.subject_raw);
}

/* RFC 5280 6.1: by name; and by key identifier where both give one: a CA may have had several keys */
static bool certifies(const struct chain_cert *issuer, const struct chain_cert *c)
{
	const mbedtls_x509_buf *want = &c->crt.authority_key_id.keyIdentifier, *has = &issuer->crt.subject_key_id;
	if (issuer == c || !is_same(&issuer->crt.subject_raw, &c->crt.issuer_raw))
		return false;
	return want->len == 0 || has->len == 0 || is_same(want, has);
}

static bool is_ca(const struct chain_cert *c)
{
	return mbedtls_x509_crt_get_ca_istrue(&c->crt) == 1;
}

static bool is_leaf(const struct chain_certs *all, const struct chain_cert *c)
{
	if (c->extras.is_acme_challenge)
		return false;
	if (is_ca(c) && c != all->first && c->crt.subject_alt_names.buf.p == NULL)
		return false;
	for (const struct chain_cert *other = all->first; other != c; other = other->next)
		if (is_same(&other->crt.raw, &c->crt.raw))
			return false; /* the same once more */
	for (const struct chain_cert *other = all->first; other; other = other->next)
		if (certifies(c, other) && !is_self_issued(other))
			return false;
	return true;
}

static int64_t unix_of(const mbedtls_x509_time *t)
{
	struct tm tm = {.tm_year = t->year - 1900,
			.tm_mon = t->mon - 1,
			.tm_mday = t->day,
			.tm_hour = t->hour,
			.tm_min = t->min,
			.tm_sec = t->sec};
	return timegm(&tm);
}

static void put_label(char out[CHAIN_LABEL_BYTES], const char *text)
{
	size_t n = strnlen(text, CHAIN_LABEL_BYTES - 1); /* cut where too long: it is for people */
	memcpy(out, text, n);
	out[n] = '\0';
}

static void put_dn(char out[CHAIN_LABEL_BYTES], const mbedtls_x509_name *dn)
{
	char text[1024];
	put_label(out, mbedtls_x509_dn_gets(text, sizeof text, dn) > 0 ? text : "(unnamed)");
}

/* RFC 5280 4.2.1.6: "preferred name syntax": ASCII, no final dot.
 * RFC 9525 6.3: "*" only as the complete left-most label */
static bool read_san(const mbedtls_x509_buf *san, struct name *out)
{
	if (san->tag != (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME) || san->len == 0)
		return false;
	for (size_t i = 0; i < san->len; i++)
		if (san->p[i] >= 0x80)
			return false;
	return san->p[san->len - 1] != '.' &&
	       name_parse_mx((struct span){(const char *)san->p, san->len}, out, NULL) == 0;
}

static int put_names(const mbedtls_x509_crt *crt, struct chain *out)
{
	for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at && at->buf.p; at = at->next) {
		struct name name;
		if (!read_san(&at->buf, &name))
			continue;
		if (buf_add_char(&out->names, (char)name.len) != 0 || buf_add_span(&out->names, name_span(&name)) != 0)
			return ERR_NOMEM;
		if (out->name_count++ == 0)
			put_label(out->label, name.text);
	}
	return 0;
}

int chain_next_name(struct span *rest, struct span *out)
{
	if (rest->len == 0)
		return ERR_NOENT;
	size_t len = (unsigned char)rest->p[0];
	if (len > rest->len - 1)
		return ERR_PARSE;
	*out = (struct span){rest->p + 1, len};
	*rest = (struct span){rest->p + 1 + len, rest->len - 1 - len};
	return 0;
}

static struct span raw_of(const struct chain_cert *c)
{
	return (struct span){(const char *)c->crt.raw.p, c->crt.raw.len};
}

static bool is_among(const struct chain_cert *const *list, size_t n, const struct chain_cert *c)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == c)
			return true;
	return false;
}

/* leaf, its issuer, the issuer's issuer … as far as the file knows them */
static int put_certs(const struct chain_certs *all, const struct chain_cert *leaf, struct chain *out)
{
	const struct chain_cert *list[CHAIN_MAX_COUNT] = {leaf};
	size_t n = 1;
	while (n < CHAIN_MAX_COUNT && !is_self_issued(list[n - 1])) {
		const struct chain_cert *c = all->first;
		while (c && (!certifies(c, list[n - 1]) || is_among(list, n, c)))
			c = c->next;
		if (!c)
			break;
		list[n++] = c;
	}
	out->cert_count = n;
	for (size_t i = 0; i < n; i++)
		if (mbed_chain_add(&out->der, raw_of(list[i])) != 0)
			return ERR_NOMEM;
	return 0;
}

static bool is_for_servers(const mbedtls_x509_crt *crt)
{
	return mbedtls_x509_crt_check_extended_key_usage(crt, MBEDTLS_OID_SERVER_AUTH,
							 MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0;
}

static int describe(const struct chain_certs *all, const struct chain_cert *leaf, struct chain *out)
{
	const mbedtls_x509_crt *crt = &leaf->crt;
	buf_init(&out->der, CHAIN_MAX_BYTES + CHAIN_MAX_COUNT * sizeof(uint32_t));
	buf_init(&out->names, CHAIN_MAX_BYTES);
	sha256_of(raw_of(leaf), out->id);
	if (mbed_key_digest(&crt->pk, out->spki) != 0)
		return ERR_NOMEM; /* the key has been parsed: nothing else can fail */
	out->not_before_unix_s = unix_of(&crt->valid_from);
	out->not_after_unix_s = unix_of(&crt->valid_to);
	out->key_type = pkey_type_of(&crt->pk);
	out->key_bits = (unsigned)mbedtls_pk_get_bitlen(&crt->pk);
	out->has_server_auth = is_for_servers(crt);
	out->has_digital_signature = mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0;
	out->has_unknown_critical = leaf->extras.has_unknown_critical;
	out->has_must_staple = leaf->extras.has_must_staple;
	out->is_self_signed = is_self_issued(leaf);
	out->is_ca = is_ca(leaf);
	put_dn(out->issuer, &crt->issuer);
	put_dn(out->label, &crt->subject);
	int rc = put_names(crt, out);
	return rc ? rc : put_certs(all, leaf, out);
}

int chain_collect(const struct chain_certs *all, struct chain **out, size_t *out_count)
{
	size_t n = 0;
	*out = NULL;
	*out_count = 0;
	for (const struct chain_cert *c = all->first; c; c = c->next)
		n += is_leaf(all, c);
	if (n == 0)
		return 0;
	*out = calloc(n, sizeof **out);
	if (!*out)
		return ERR_NOMEM;
	for (const struct chain_cert *c = all->first; c; c = c->next) {
		if (!is_leaf(all, c))
			continue;
		if (describe(all, c, &(*out)[(*out_count)++]) != 0)
			return ERR_NOMEM;
	}
	return 0;
}

void chain_deinit(struct chain *c)
{
	buf_deinit(&c->der);
	buf_deinit(&c->names);
}

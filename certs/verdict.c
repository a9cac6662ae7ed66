#include "verdict.h"

#include "../base/clock.h"
#include "../base/span.h"
#include "chain.h"
#include "mbed.h"
#include "pairs.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	RSA_MIN_BITS = 2048,
	RSA_MAX_BITS = 4096,   /* twice the bits, six times the work, at everybody's handshakes */
	SOON_S = 14 * 86400,   /* renewal has been due for long: ACME clients renew a month ahead … */
	SOON_PART_OF_LIFE = 3, /* … or, with short-lived ones, at two thirds */
	WHO_NAME_BYTES = 90,   /* leaves room for "and 99 more" */
};

static void put_sentence(char text[VERDICT_TEXT_BYTES], const char *who, const char *fmt, va_list ap)
{
	int n = snprintf(text, VERDICT_TEXT_BYTES, "certificate for %.*s: ", CHAIN_LABEL_BYTES, who);
	if (n > 0 && n < VERDICT_TEXT_BYTES)
		(void)vsnprintf(text + n, VERDICT_TEXT_BYTES - (size_t)n, fmt, ap);
}

/* ---- what is not stored ---- */

static bool refuse(const struct chain *c, char text[VERDICT_TEXT_BYTES], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool refuse(const struct chain *c, char text[VERDICT_TEXT_BYTES], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	put_sentence(text, c->label, fmt, ap);
	va_end(ap);
	return true;
}

static bool refuses_key(const struct chain *c, char text[VERDICT_TEXT_BYTES])
{
	switch (c->key_type) {
	case PKEY_P256:
	case PKEY_P384: return false;
	case PKEY_RSA:
		if (c->key_bits < RSA_MIN_BITS)
			return refuse(c, text,
				      "an RSA key of %u bits, which clients refuse; take P-256, or RSA with %d",
				      c->key_bits, RSA_MIN_BITS);
		if (c->key_bits > RSA_MAX_BITS)
			return refuse(c, text,
				      "an RSA key of %u bits costs too much at every handshake; take P-256, or RSA "
				      "with at most %d",
				      c->key_bits, RSA_MAX_BITS);
		return false;
	default:
		return refuse(c, text, "a key of type %s, which not every sender can verify; take P-256",
			      pkey_type_name(c->key_type));
	}
}

static bool refuses_length(const struct chain *c, char text[VERDICT_TEXT_BYTES])
{
	/* RFC 8446 4, 4.4.2: 8 bytes, and 5 around each certificate, which der has 4 before; RFC 5246's is shorter */
	size_t len = 8 + c->der.len + c->cert_count, max = mbed_message_max_bytes();
	if (len <= max)
		return false;
	return refuse(c, text,
		      "with its issuers it takes %zu bytes of a handshake, and no more than %zu can be sent; have it "
		      "issued for fewer names, or leave out needless issuers",
		      len, max);
}

bool verdict_refuses(const struct chain *c, char text[VERDICT_TEXT_BYTES])
{
	/* RFC 9525 6.1: the common name is no identifier */
	if (c->name_count == 0)
		return refuse(c, text,
			      "it names no host in subjectAltName, and the common name does not count; have it "
			      "issued anew with DNS names");
	if (!c->has_server_auth)
		return refuse(c, text, "its extended key usage lacks serverAuth, so no client accepts it for a server");
	if (!c->has_digital_signature)
		return refuse(c, text, "its key usage lacks digitalSignature, which every handshake needs");
	if (c->has_unknown_critical)
		return refuse(c, text, "it has a critical extension that clients do not know (a precertificate?)");
	return refuses_length(c, text) || refuses_key(c, text);
}

/* ---- what is stored, and should be mended ---- */

struct listener {
	verdict_fn *fn;
	void *ctx;
	const struct pair *pair;
};

/* the first name, and how many there are besides */
static void put_who(const struct pair *p, char out[CHAIN_LABEL_BYTES])
{
	struct span rest = p->names, name, first = SPAN_LIT("(no name)");
	size_t count = 0;
	while (chain_next_name(&rest, &name) == 0)
		if (count++ == 0)
			first = name;
	int len = first.len < WHO_NAME_BYTES ? (int)first.len : WHO_NAME_BYTES;
	if (count > 1)
		(void)snprintf(out, CHAIN_LABEL_BYTES, "%.*s and %zu more", len, first.p, count - 1);
	else
		(void)snprintf(out, CHAIN_LABEL_BYTES, "%.*s", SPAN_ARG(first));
}

static void tell(const struct listener *l, bool is_error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void tell(const struct listener *l, bool is_error, const char *fmt, ...)
{
	char text[VERDICT_TEXT_BYTES], who[CHAIN_LABEL_BYTES];
	va_list ap;
	put_who(l->pair, who);
	va_start(ap, fmt);
	put_sentence(text, who, fmt, ap);
	va_end(ap);
	l->fn(l->ctx, is_error, text);
}

static void tell_date(const struct listener *l, bool is_error, const char *before, int64_t unix_s, const char *behind)
{
	char date[CLOCK_ISO_BYTES];
	clock_render_iso(unix_s, date);
	tell(l, is_error, "%s %s; %s", before, date, behind);
}

static bool is_soon(const struct pair *p, int64_t now_unix_s)
{
	int64_t life_s = p->not_after_unix_s - p->not_before_unix_s, left_s = p->not_after_unix_s - now_unix_s;
	return left_s < SOON_S && left_s < life_s / SOON_PART_OF_LIFE;
}

static void judge_dates(const struct listener *l, const struct pair *p, int64_t now_unix_s)
{
	if (now_unix_s > p->not_after_unix_s)
		tell_date(l, true, "expired at", p->not_after_unix_s, "renew it");
	else if (now_unix_s < p->not_before_unix_s)
		tell_date(l, true, "not valid before", p->not_before_unix_s, "is this machine's clock right?");
	else if (is_soon(p, now_unix_s))
		tell_date(l, false, "expires at", p->not_after_unix_s, "its renewal is overdue");
}

void verdict_of_pair(const struct pair *p, int64_t now_unix_s, verdict_fn *fn, void *ctx)
{
	struct listener l = {.fn = fn, .ctx = ctx, .pair = p};
	judge_dates(&l, p, now_unix_s);
	if (p->is_self_signed)
		tell(&l, false, "self-signed; sending servers accept a public CA's only");
	else if (p->cert_count == 1)
		tell(&l, false,
		     "no intermediate certificate in the file, and most senders cannot verify it without; use the "
		     "full chain");
	if (p->has_must_staple)
		tell(&l, false,
		     "asks for OCSP stapling (must-staple), which this server does not do; have it issued without");
}

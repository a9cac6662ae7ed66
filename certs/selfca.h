/* selfca: a throw-away CA for `serve --dev` and for tests: makes certificates for hosts. Not for production.
 *
 * Its certificates pass the strict checks of OpenSSL and Python (RFC 5280 4.2). One key serves all leaves of a CA:
 * 10,000 hosts with a certificate each then cost 10,000 signatures and no more. */
#ifndef CERTS_SELFCA_H
#define CERTS_SELFCA_H

#include "../base/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct selfca;

enum { SELFCA_NAMES_MAX = 25 }; /* the longest still fit a handshake: see verdict.h */

/* selfca_new: a fresh P-256 CA "mta-sts-server dev CA", valid from one day before now to one year after. */
int selfca_new(struct selfca **out, int64_t now_unix_s, struct err *err);
void selfca_free(struct selfca *ca); /* accepts NULL; wipes its keys */

/* selfca_pem: the CA's certificate, appended. */
int selfca_pem(const struct selfca *ca, struct buf *out, struct err *err);

/* selfca_issue: a certificate for names (1..SELFCA_NAMES_MAX host names, "*." allowed in front; SAN dNSName), P-256,
 * from one day before now to 90 days after; PEM chain (leaf + CA) and then the key, appended to out: what pem_parse
 * reads.
 * returns  0, ERR_RANGE (number of names), ERR_NOMEM, ERR_TLS; out unchanged unless 0 */
int selfca_issue(struct selfca *ca, const struct span *names, size_t name_count, int64_t now_unix_s, struct buf *out,
		 struct err *err);

#endif

#include "gate.h"

#include "../../base/clock.h"
#include "../../base/name.h"
#include "../../config/delegated.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void shut(struct gate *g, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(g->reason, sizeof g->reason, fmt, ap);
	va_end(ap);
	g->is_open = false;
}

int64_t gate_not_after(const struct gate *g)
{
	if (!g->has_pair)
		return 0;
	int64_t ec = g->choice.has_ec ? g->choice.ec.not_after_unix_s : 0;
	int64_t rsa = g->choice.has_rsa ? g->choice.rsa.not_after_unix_s : 0;
	return ec > rsa ? ec : rsa;
}

static void shut_for_dates(struct gate *g, struct span domain, int64_t now_unix_s)
{
	const struct pair *p = g->choice.has_ec ? &g->choice.ec : &g->choice.rsa;
	char date[CLOCK_ISO_BYTES];
	bool is_early = p->not_before_unix_s > now_unix_s;
	clock_render_iso(is_early ? p->not_before_unix_s : gate_not_after(g), date);
	shut(g, "the certificate for mta-sts.%.*s %s %s", SPAN_ARG(domain),
	     is_early ? "is valid only from" : "expired on", date);
}

/* Shut, if it is, for nothing but this. */
static void look_at_server(const struct gate_server *server, struct gate *out)
{
	if (!server->is_running)
		shut(out, "no server is running on %.300s", server->state_dir);
	else if (!server->is_serving)
		shut(out, "not every worker is serving yet");
	out->is_early = !out->is_open && server->is_running;
}

void gate_look_at_policies(const struct gate_server *server, struct gate *out)
{
	*out = (struct gate){.is_open = true};
	look_at_server(server, out);
}

void gate_look(struct db_txn *txn, const struct gate_server *server, const char *delegate, struct span domain,
	       int64_t now_unix_s, struct gate *out)
{
	static const char prefix[] = "mta-sts."; /* RFC 8461 3.3 */
	char host[NAME_MAX_BYTES + sizeof prefix];
	size_t len = domain.len < NAME_MAX_BYTES ? domain.len : NAME_MAX_BYTES;
	memcpy(host, prefix, sizeof prefix - 1);
	memcpy(host + sizeof prefix - 1, domain.p, len);
	*out = (struct gate){.is_open = true};
	out->has_pair = pairs_find(txn, (struct span){host, sizeof prefix - 1 + len}, now_unix_s, &out->choice) == 0;
	if (!out->has_pair)
		shut(out, "there is no certificate for mta-sts.%.*s", SPAN_ARG(domain));
	else if (!out->choice.is_valid)
		shut_for_dates(out, domain, now_unix_s);
	else if (delegated_is_below(domain, delegate)) /* two texts at one name would count as none */
		shut(out, "_mta-sts.%.*s may be the record of a policy (dns.delegate)", SPAN_ARG(domain));
	else
		look_at_server(server, out);
}

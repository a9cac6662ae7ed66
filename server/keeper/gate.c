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

/* The host of a policy domain, into room (RFC 8461 3.3). */
enum { HOST_MAX_BYTES = NAME_MAX_BYTES + sizeof "mta-sts." };

static struct span host_of(struct span domain, char room[HOST_MAX_BYTES])
{
	static const struct span prefix = {"mta-sts.", 8};
	size_t len = domain.len < NAME_MAX_BYTES ? domain.len : NAME_MAX_BYTES;
	memcpy(room, prefix.p, prefix.len);
	memcpy(room + prefix.len, domain.p, len);
	return (struct span){room, prefix.len + len};
}

static void find_pair(struct db_txn *txn, struct span host, int64_t now_unix_s, struct gate *out)
{
	out->has_pair = pairs_find(txn, host, now_unix_s, &out->choice) == 0;
}

/* Not all of it is cleared: it has a kilobyte, and there may be 10^6 of them. */
static void open_gate(struct gate *out)
{
	out->is_open = true;
	out->is_early = out->has_pair = false;
	out->reason[0] = '\0';
}

void gate_look(struct db_txn *txn, const struct gate_server *server, const char *delegate, struct span domain,
	       int64_t now_unix_s, struct gate *out)
{
	char room[HOST_MAX_BYTES];
	struct span host = host_of(domain, room);
	open_gate(out);
	bool is_valid = pairs_has_valid(txn, host, now_unix_s, server->pairs) == 1;
	if (!is_valid)
		find_pair(txn, host, now_unix_s, out);
	if (!is_valid && !out->has_pair)
		shut(out, "there is no certificate for mta-sts.%.*s", SPAN_ARG(domain));
	else if (!is_valid)
		shut_for_dates(out, domain, now_unix_s);
	else if (delegated_is_below(domain, delegate)) /* two texts at one name would count as none */
		shut(out, "_mta-sts.%.*s may be the record of a policy (dns.delegate)", SPAN_ARG(domain));
	else
		look_at_server(server, out);
}

void gate_look_closely(struct db_txn *txn, const struct gate_server *server, const char *delegate, struct span domain,
		       int64_t now_unix_s, struct gate *out)
{
	char room[HOST_MAX_BYTES];
	gate_look(txn, server, delegate, domain, now_unix_s, out);
	if (!out->has_pair)
		find_pair(txn, host_of(domain, room), now_unix_s, out);
}

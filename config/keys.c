#include "keys.h"

#include "../base/buf.h"
#include "policy.h"

#include <stddef.h>

#define SPEC_ANY (KEY_DEFAULTS | KEY_POLICY | KEY_DOMAIN)

const struct key keys_table[] = {
	{"listen", KEY_SERVER, KEY_ADDRESSES, 0, 0, "0.0.0.0:443 [::]:443", NULL, KEY_RESTART,
	 "[\"0.0.0.0:443\", \"[::]:443\"]", true,
	 "Addresses to answer on. Sockets inherited from systemd (LISTEN_FDS) take precedence.",
	 offsetof(struct settings, listen)},
	{"state_dir", KEY_SERVER, KEY_PATH, 0, 0, "/var/lib/mta-sts-server", NULL, KEY_RESTART,
	 "/var/lib/mta-sts-server", true,
	 "Folder of the store, on a local disk: policies, ids, certificates and keys. Made if it is not there.",
	 offsetof(struct settings, state_dir)},
	{"workers", KEY_SERVER, KEY_NUMBER, 0, 256, "0", NULL, KEY_RESTART, "0", false,
	 "Worker processes; 0 means one per CPU.", offsetof(struct settings, workers)},
	{"user", KEY_SERVER, KEY_WORD, 0, 0, "mta-sts", NULL, KEY_RESTART, "mta-sts", false,
	 "The user to run as when started as root. The keeper keeps the right to read certificates, the workers keep "
	 "none.",
	 offsetof(struct settings, user)},
	{"metrics", KEY_SERVER, KEY_ADDRESS, 0, 0, NULL, NULL, KEY_RESTART, "127.0.0.1:9106", false,
	 "Address for plain HTTP with Prometheus text at /metrics and health at /healthz. Not set: none.",
	 offsetof(struct settings, metrics)},
	{"certs.paths", KEY_SERVER, KEY_PATHS, 0, 0, NULL, NULL, KEY_LIVE,
	 "[/etc/letsencrypt/live, /etc/mta-sts-server/certs]", true,
	 "Files or folder trees of PEM files, in whatever layout an ACME client leaves them. Certificate and key are "
	 "paired by "
	 "public key; a renewal is picked up at once.",
	 offsetof(struct settings, cert_paths)},
	{"dns.ttl", KEY_SERVER, KEY_NUMBER, 1, 2147483647, "300", "seconds", KEY_LIVE, "300", false,
	 "TTL of the printed records.", offsetof(struct settings, dns_ttl_s)},
	{"dns.id", KEY_SERVER, KEY_ID_SCHEME, 0, 0, "timestamp", NULL, KEY_LIVE, "timestamp", false,
	 "How ids are made: timestamp (UTC of the change), serial (a number that grows by one, "
	 "and at a start of the server goes on from the seconds since the beginning of 2025) or digest (of the policy: "
	 "several machines agree without talking to each other). No two policies of a domain share one.",
	 offsetof(struct settings, dns_id)},
	{"dns.tls_rpt", KEY_SERVER, KEY_RUA, 0, 0, NULL, NULL, KEY_LIVE, "[\"mailto:tls-reports@example.com\"]", false,
	 "Where senders send their TLS reports (RFC 8460), for every domain that has no tls_rpt of its own. Not set: "
	 "no "
	 "_smtp._tls records.",
	 offsetof(struct settings, dns_tls_rpt)},
	{"dns.host", KEY_SERVER, KEY_NAME, 0, 0, NULL, NULL, KEY_LIVE, "policy.example.com", false,
	 "Also print mta-sts.<domain> as CNAME to this name. Not together with dns.addresses.",
	 offsetof(struct settings, dns_host)},
	{"dns.addresses", KEY_SERVER, KEY_IPS, 0, 0, NULL, NULL, KEY_LIVE, "[192.0.2.1, \"2001:db8::1\"]", false,
	 "Also print mta-sts.<domain> as A and AAAA records with these addresses.",
	 offsetof(struct settings, dns_addresses)},
	{"dns.publish.command", KEY_SERVER, KEY_COMMAND, 0, 0, NULL, NULL, KEY_LIVE,
	 "[/usr/bin/nsupdate, -k, /etc/mta-sts-server/tsig.key]", false,
	 "A program and its arguments, run by the server's user whenever records are to be published, with those of "
	 "some domains on standard input. Exit status 0 means that they are published; after any other they are tried "
	 "again, less and less often, until they are or newer ones take their place. Not set: nothing is published, "
	 "nor kept count of.",
	 offsetof(struct settings, dns_publish_command)},
	{"dns.publish.format", KEY_SERVER, KEY_FORMAT, 0, 0, "nsupdate", NULL, KEY_LIVE, "nsupdate", false,
	 "What it is given: a format of `mta-sts-server records`.", offsetof(struct settings, dns_publish_format)},
	/* what a name server takes in a second or two: one slow run delays the others no longer than that */
	{"dns.publish.batch", KEY_SERVER, KEY_NUMBER, 1, 100000, "500", "domains", KEY_LIVE, "500", false,
	 "How many domains one run is given at most. After a failure it is fewer, so that one domain that cannot be "
	 "published does not hold up the others.",
	 offsetof(struct settings, dns_publish_batch)},
	{"dns.publish.timeout_ms", KEY_SERVER, KEY_NUMBER, 1000, 3600000, "60000", "milliseconds", KEY_LIVE, "60000",
	 false, "How long one run may take before it is ended and counts as failed.",
	 offsetof(struct settings, dns_publish_timeout_ms)},

	{"dns.delegate", KEY_SERVER, KEY_NAME, 0, 0, NULL, NULL, KEY_LIVE, "sts.example.com", false,
	 "Print _mta-sts.<domain> as CNAME to _mta-sts.<policy>.<this name>, and there one TXT record for each named "
	 "policy: "
	 "its domains keep their records whatever becomes of the policy. No domain may lie directly below this name.",
	 offsetof(struct settings, dns_delegate)},

	/* All at their defaults and at their worst, measured: 4096 connections with 16 KiB of an endless ClientHello
	 * each take 70 MB, 1024 engines with as much of a head another 60 MB: a server of 512 MB has room for both. A
	 * silent connection takes 0.8 KB. An honest client is gone within a second, so that this many serve some
	 * thousand of them per second. */
	{"limits.connections", KEY_SERVER, KEY_NUMBER, 1, 1000000, "4096", NULL, KEY_LIVE, "4096", false,
	 "Connections open at once, in all workers together; each gets its share. When there are as many, the newest "
	 "idle one "
	 "(half a second old and nothing sent yet) gives way to a new one; where there is none such, one that was "
	 "answered, a "
	 "silent one, or the one that has waited longest; never one that is being answered.",
	 offsetof(struct settings, limits_connections)},
	/* 256 at a third of a second each are 700 policies per second: more than the largest sender fetches from one
	 * address, and as many as a core answers. With two workers it takes eight addresses to fill all connections,
	 * and even they only get what nobody else asks for. */
	{"limits.connections_per_client", KEY_SERVER, KEY_NUMBER, 0, 1000000, "256", NULL, KEY_LIVE, "256", false,
	 "Connections open at once from one IPv4 address or one IPv6 /64 network, in each worker: the kernel spreads a "
	 "client "
	 "over all of them. More are closed at once. 0: no limit; for a server behind a proxy or NAT that shows it all "
	 "clients "
	 "under one address.",
	 offsetof(struct settings, limits_connections_per_client)},
	{"limits.handshakes", KEY_SERVER, KEY_NUMBER, 1, 1000000, "1024", NULL, KEY_LIVE, "1024", false,
	 "Connections with a TLS engine (about 40 KB): from the ClientHello to the complete request; in all workers "
	 "together. "
	 "When there are as many, the one that has waited longest gives way.",
	 offsetof(struct settings, limits_handshakes)},
	/* about as many handshakes as 30 ms of one core hold */
	{"limits.accepts_per_turn", KEY_SERVER, KEY_NUMBER, 1, 1024, "64", NULL, KEY_LIVE, "64", false,
	 "New connections that a worker takes before it looks after those it has.",
	 offsetof(struct settings, limits_accepts_per_turn)},
	/* Senders allow 2 to 60 s for everything, most of them 60; a satellite link needs about 3 for a handshake. All
	 * four together stay below 60. No progress moves a deadline: see server/worker/limits.h. */
	{"limits.handshake_timeout_ms", KEY_SERVER, KEY_NUMBER, 100, 60000, "10000", "milliseconds", KEY_LIVE, "10000",
	 false,
	 "From the acceptance of a connection until its TLS handshake is done, however many bytes come meanwhile.",
	 offsetof(struct settings, limits_handshake_timeout_ms)},
	{"limits.request_timeout_ms", KEY_SERVER, KEY_NUMBER, 100, 60000, "10000", "milliseconds", KEY_LIVE, "10000",
	 false, "From there until the request is complete.", offsetof(struct settings, limits_request_timeout_ms)},
	{"limits.write_timeout_ms", KEY_SERVER, KEY_NUMBER, 100, 60000, "10000", "milliseconds", KEY_LIVE, "10000",
	 false, "From there until the system has taken all of the answer.",
	 offsetof(struct settings, limits_write_timeout_ms)},
	/* A few round trips for what a client sends on while it has been answered, so that our closing does not destroy
	 * the answer: a request of 100 KB is refused after its first 16. */
	{"limits.linger_timeout_ms", KEY_SERVER, KEY_NUMBER, 0, 60000, "2000", "milliseconds", KEY_LIVE, "2000", false,
	 "From there until the client has closed its side, too.", offsetof(struct settings, limits_linger_timeout_ms)},
	/* a ClientHello with several post-quantum key shares has 2 to 5 KiB */
	{"limits.hello_max_bytes", KEY_SERVER, KEY_NUMBER, 1024, 16384, "16384", "bytes", KEY_LIVE, "16384", false,
	 "Bytes of an incomplete ClientHello that a connection may hold.",
	 offsetof(struct settings, limits_hello_max_bytes)},
	/* RFC 9112 section 3: request lines of 8000 bytes at least */
	{"limits.head_max_bytes", KEY_SERVER, KEY_NUMBER, 1024, 16384, "16384", "bytes", KEY_LIVE, "16384", false,
	 "A request line and its header fields; larger ones are refused with 431.",
	 offsetof(struct settings, limits_head_max_bytes)},
	{"limits.linger_max_bytes", KEY_SERVER, KEY_NUMBER, 0, 16777216, "262144", "bytes", KEY_LIVE, "262144", false,
	 "Bytes that a client may go on sending after its answer; they are read and dropped.",
	 offsetof(struct settings, limits_linger_max_bytes)},

	{"policy", KEY_DEFAULTS | KEY_DOMAIN, KEY_WORD, 0, 0, NULL, NULL, KEY_LIVE, "standard", false,
	 "Name of a policy under `policies`, or of a built-in one.", SPEC_POLICY},
	{"mode", SPEC_ANY, KEY_MODE, 0, 0, NULL, NULL, KEY_LIVE, "testing", false,
	 "none, testing or enforce (RFC 8461 section 5). Begin with testing for two weeks or more.", SPEC_MODE},
	{"max_age", SPEC_ANY, KEY_NUMBER, 0, POLICY_MAX_AGE_MAX_S, NULL, "seconds", KEY_LIVE, "604800", false,
	 "How long senders may cache the policy.", SPEC_MAX_AGE},
	{"mx", SPEC_ANY, KEY_MX, 0, 0, NULL, NULL, KEY_LIVE, "[mx1.example.com, \"*.mx.example.com\"]", false,
	 "The MX hosts. A wildcard stands for exactly one left-most label and wants quotes. A list replaces the one it "
	 "inherits.",
	 SPEC_MX},
	{"id", KEY_POLICY | KEY_DOMAIN, KEY_ID, 0, 0, NULL, NULL, KEY_LIVE, "20260205120000", false,
	 "Fixes the id by hand: 1 to 32 letters or digits. It must change whenever the policy does; otherwise the "
	 "change is "
	 "refused (E14).",
	 SPEC_ID},
	{"ttl", SPEC_ANY, KEY_NUMBER, 1, 2147483647, NULL, "seconds", KEY_LIVE, "3600", false,
	 "TTL of the domain's records instead of dns.ttl.", SPEC_TTL},
	{"tls_rpt", SPEC_ANY, KEY_RUA, 0, 0, NULL, NULL, KEY_LIVE, "[\"mailto:tls-reports@example.com\"]", false,
	 "Where TLS reports about this domain go, instead of dns.tls_rpt.", SPEC_TLS_RPT},
	{"cert", KEY_DOMAIN, KEY_PATH, 0, 0, NULL, NULL, KEY_LIVE, "/srv/tenant/certs", false,
	 "A further file or folder to look for this domain's certificate and key in, beside certs.paths.", SPEC_CERT},
};
const size_t keys_count = sizeof keys_table / sizeof *keys_table;

const struct key *keys_find(struct span path, unsigned scope)
{
	for (size_t i = 0; i < keys_count; i++)
		if ((keys_table[i].scopes & scope) && span_is(path, span_of(keys_table[i].path)))
			return &keys_table[i];
	return NULL;
}

bool keys_is_section(struct span path, unsigned scope)
{
	for (size_t i = 0; i < keys_count; i++)
		if ((keys_table[i].scopes & scope) && path.len && path.len < strlen(keys_table[i].path) &&
		    memcmp(keys_table[i].path, path.p, path.len) == 0 && keys_table[i].path[path.len] == '.')
			return true;
	return false;
}

enum { WORD_MAX = 32 }; /* longer than any key; a longer word resembles none */

static int lower(char c)
{
	return (c == '-' ? '_' : c) | 0x20;
}

/* Levenshtein, where "-" and "_" are the same letter. */
static unsigned distance(struct span a, struct span b)
{
	unsigned row[WORD_MAX + 1];
	if (a.len > WORD_MAX || b.len > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b.len; j++) {
			unsigned best = diagonal + (lower(a.p[i]) != lower(b.p[j]));
			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j + 1] = best;
		}
	}
	return row[b.len];
}

static void consider(struct span name, const char *word, size_t len, const char **best, unsigned *best_distance)
{
	unsigned d = distance(name, (struct span){word, len});
	if (d < *best_distance && d < len) {
		*best = word;
		*best_distance = d;
	}
}

const char *keys_suggest(struct span name, const char *section, unsigned scope, const char *const *extra)
{
	const char *best = NULL;
	unsigned best_distance = 3; /* two slips of the pen */
	size_t prefix = strlen(section);
	for (size_t i = 0; i < keys_count; i++) {
		const char *path = keys_table[i].path;
		if (!(keys_table[i].scopes & scope) || strncmp(path, section, prefix) != 0)
			continue;
		const char *word = path + prefix + (prefix ? 1 : 0);
		if (!strchr(word, '.'))
			consider(name, word, strlen(word), &best, &best_distance);
	}
	for (; extra && *extra; extra++)
		consider(name, *extra, strlen(*extra), &best, &best_distance);
	return best;
}

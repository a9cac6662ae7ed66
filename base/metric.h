/* metric: the one table of counters and gauges, and the page in which processes keep them.
 *
 * The page is a file in the state folder, mapped shared: one slot for the keeper, one for each worker. A process
 * writes only its own slot; whoever wants numbers (keeper's /metrics, `status`) maps it and adds the slots up. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

/* X(id, name, kind, help): kind c = counter (added up over slots), g = gauge (added up as well).
 * A label is part of the name. Rows of one family stand together. */
#define METRIC_TABLE(X) \
	X(M_CONNECTIONS, "connections_total", c, "Connections accepted") \
	X(M_CONNECTIONS_OPEN, "connections_open", g, "Connections open now") \
	X(M_ACCEPT_FAILURES, "accept_failures_total", c, \
	  "Times that accepting paused for want of descriptors or memory") \
	X(M_HANDSHAKES, "handshakes_total", c, "TLS handshakes completed") \
	X(M_RESPONSES_200, "responses_total{code=\"200\"}", c, "Responses sent") \
	X(M_RESPONSES_400, "responses_total{code=\"400\"}", c, "Responses sent") \
	X(M_RESPONSES_404, "responses_total{code=\"404\"}", c, "Responses sent") \
	X(M_RESPONSES_405, "responses_total{code=\"405\"}", c, "Responses sent") \
	X(M_RESPONSES_414, "responses_total{code=\"414\"}", c, "Responses sent") \
	X(M_RESPONSES_421, "responses_total{code=\"421\"}", c, "Responses sent") \
	X(M_RESPONSES_431, "responses_total{code=\"431\"}", c, "Responses sent") \
	X(M_RESPONSES_501, "responses_total{code=\"501\"}", c, "Responses sent") \
	X(M_RESPONSES_503, "responses_total{code=\"503\"}", c, "Responses sent") \
	X(M_RESPONSES_505, "responses_total{code=\"505\"}", c, "Responses sent") \
	X(M_CLOSE_DONE, "close_reason_total{reason=\"done\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_PEER, "close_reason_total{reason=\"peer\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_PEER_ALERT, "close_reason_total{reason=\"peer_alert\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_NOT_TLS, "close_reason_total{reason=\"not_tls\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_BAD_HELLO, "close_reason_total{reason=\"bad_hello\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_NO_NAME, "close_reason_total{reason=\"no_name\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_UNKNOWN_NAME, "close_reason_total{reason=\"unknown_name\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_NO_CERTIFICATE, "close_reason_total{reason=\"no_certificate\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_TLS, "close_reason_total{reason=\"tls\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_HANDSHAKE_TIMEOUT, "close_reason_total{reason=\"handshake_timeout\"}", c, \
	  "Connections closed, by reason") \
	X(M_CLOSE_REQUEST_TIMEOUT, "close_reason_total{reason=\"request_timeout\"}", c, \
	  "Connections closed, by reason") \
	X(M_CLOSE_WRITE_TIMEOUT, "close_reason_total{reason=\"write_timeout\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_IO, "close_reason_total{reason=\"io\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_NOMEM, "close_reason_total{reason=\"nomem\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_STORE, "close_reason_total{reason=\"store\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_CROWDED, "close_reason_total{reason=\"crowded\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_CLIENT_LIMIT, "close_reason_total{reason=\"client_limit\"}", c, "Connections closed, by reason") \
	X(M_CLOSE_HANDSHAKE_LIMIT, "close_reason_total{reason=\"handshake_limit\"}", c, \
	  "Connections closed, by reason") \
	X(M_CLOSE_STOPPING, "close_reason_total{reason=\"stopping\"}", c, "Connections closed, by reason") \
	X(M_STORE_ERRORS, "store_read_errors_total", c, "Reads of the store that failed") \
	X(M_RELOADS, "reloads_total", c, "Reloads committed") \
	X(M_RELOADS_FAILED, "reloads_failed_total", c, "Reloads that changed nothing because the system failed") \
	X(M_WORKER_RESTARTS, "worker_restarts_total", c, "Workers started again after they died") \
	X(M_DOMAINS, "domains", g, "Domains served or waiting for a certificate") \
	X(M_DOMAINS_WITHDRAWN, "domains_withdrawn", g, "Removed domains still answered with mode none") \
	X(M_DOMAINS_KEPT, "domains_kept_without_file", g, \
	  "Domains whose files vanished, which are kept for now, since they are more than half of all") \
	X(M_DOMAINS_WITHHELD, "domains_without_valid_certificate", g, \
	  "Domains without a certificate that is valid now") \
	X(M_DNS_OWED, "dns_outbox_domains", g, "Domains whose DNS records are still to be published") \
	X(M_DNS_OWED_WITHHELD, "dns_outbox_withheld_domains", g, \
	  "... of these: those that wait for a certificate or for the workers") \
	X(M_DNS_PUBLISHED, "dns_published_domains_total", c, "Domains whose DNS records were published") \
	X(M_DNS_RUNS_DONE, "dns_publish_runs_total{result=\"done\"}", c, "Runs of dns.publish.command") \
	X(M_DNS_RUNS_FAILED, "dns_publish_runs_total{result=\"failed\"}", c, "Runs of dns.publish.command") \
	X(M_PROBLEMS, "config_errors", g, "Errors in the configuration right now") \
	X(M_PAIRS, "certificates", g, "Certificates in the store") \
	X(M_CERT_MIN_NOT_AFTER, "certificate_not_after_min_seconds", g, \
	  "Earliest expiry among certificates in use, Unix time")

enum metric {
#define X(id, name, kind, help) id,
	METRIC_TABLE(X)
#undef X
		METRIC_COUNT
};

enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_SERVING, WORKER_STOPPING };

enum {
	METRIC_SLOTS_MAX = 257, /* the keeper and 256 workers */
	METRIC_KEEPER_SLOT = 0,
};

struct metric_slot {
	uint64_t value[METRIC_COUNT];
	uint64_t pid;
	uint64_t state; /* enum worker_state; set by the worker itself, cleared by the keeper when it died */
	int64_t started_unix_s;
};

struct metric_page {
	uint64_t magic;
	uint64_t slot_count; /* the keeper's and the workers' */
	struct metric_slot slot[METRIC_SLOTS_MAX];
};

/* metric_page_create: a fresh page in file path (replaced by rename), mapped for writing. */
int metric_page_create(const char *path, size_t slot_count, struct metric_page **out, struct err *err);

/* metric_page_open: the page of a running or past server, for reading (or, for a worker, writing).
 * ERR_NOENT when there is none; ERR_PARSE when it is another version's. */
int metric_page_open(const char *path, bool write, struct metric_page **out, struct err *err);

void metric_page_close(struct metric_page *page);

/* metric_attach: this process counts into that slot from now on. Before it, counts go to a private slot. */
void metric_attach(struct metric_page *page, size_t slot);

struct metric_slot *metric_mine(void);

static inline void metric_add(enum metric m, int64_t n)
{
	struct metric_slot *s = metric_mine();
	/* relaxed: one writer, readers that want a number and not an order */
	__atomic_store_n(&s->value[m], s->value[m] + (uint64_t)n, __ATOMIC_RELAXED);
}

static inline void metric_set(enum metric m, uint64_t n)
{
	__atomic_store_n(&metric_mine()->value[m], n, __ATOMIC_RELAXED);
}

/* metric_page_reset_slot: the state of a slot, and its gauges to 0: a process that died has no open connections. */
void metric_page_reset_slot(struct metric_page *page, size_t slot, enum worker_state state);

/* metric_sum: over all slots. */
uint64_t metric_sum(const struct metric_page *page, enum metric m);

/* metric_name: as in the table, without prefix. */
const char *metric_name(enum metric m);

/* metric_render: Prometheus text exposition format 0.0.4, every name prefixed "mta_sts_". */
void metric_render(const struct metric_page *page, struct buf *out);

#endif

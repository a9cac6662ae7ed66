/* load: honest clients. Each makes a connection, a full handshake, one GET, and reads the answer to its end.
 *
 * usage: load PORT THREADS COUNT TENANTS RATE SECONDS [SPEECH]
 * TENANTS is how many there are, or the policy host of the only one. RATE requests per second are due at even times,
 * and the time a request takes runs from when it was due: what a slow answer holds up is not forgotten. 0: each thread
 * as fast as it can. What has not begun after SECONDS has failed. SPEECH: 1.3:X25519, 1.2:P-256 and the like, with
 * AES-128-GCM, and another cipher is a failure; plain: no TLS. Without it every fourth request speaks TLS 1.2, all as
 * OpenSSL likes best. Prints one line of JSON. */
#include "peer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	THREADS_MAX = 256,
	ANSWER_MAX_BYTES = 4096,
	SOURCE_FIRST = 0x020000, /* 127.2.0.0 */
	SOURCE_COUNT = 4000,
	PATIENCE_S = 15, /* for one read or write; what takes that long has failed */
	COMPLAINTS_MAX = 5,
};

static const char suites_1_3[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
static const char suites_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

struct job {
	SSL_CTX *tls;     /* NULL: plain */
	const char *host; /* of the only tenant; NULL: many */
	bool is_fixed;    /* one version, group and cipher; otherwise mixed */
	uint16_t port;
	unsigned count, tenants, rate;
	uint64_t start_us, limit_us;
	uint32_t *took_us; /* one for each request */
	atomic_uint next, good_count, bad_count;
};

/* complain: about the first few only. */
static bool complain(struct job *j, const char *what, const char *host)
{
	if (atomic_load(&j->bad_count) < COMPLAINTS_MAX)
		(void)fprintf(stderr, "%s: %s\n", host, what);
	return false;
}

static int dial(struct job *j, unsigned i)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = peer_socket(SOURCE_FIRST + i % SOURCE_COUNT, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 && peer_connect(fd, j->port) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* read_tls: everything until close_notify; a bare end is no end. */
static bool read_tls(SSL *ssl, char *into, size_t cap)
{
	size_t len = 0;
	int n;
	while (len < cap - 1 && (n = SSL_read(ssl, into + len, (int)(cap - 1 - len))) > 0)
		len += (size_t)n;
	into[len] = '\0';
	return SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
}

static bool read_plain(int fd, char *into, size_t cap)
{
	size_t len = 0;
	ssize_t n = 0;
	while (len < cap - 1 && (n = read(fd, into + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	into[len] = '\0';
	return n == 0;
}

/* is_policy: the tenant's own mx must be in the answer. */
static bool is_policy(const char *answer, const char *host)
{
	char mx[PEER_HOST_BYTES + 8];
	(void)snprintf(mx, sizeof mx, "\r\nmx: mail.%s\r\n", host + strlen("mta-sts."));
	return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(answer, "\r\nversion: STSv1\r\n") &&
	       strstr(answer, mx);
}

static bool converse_tls(struct job *j, SSL *ssl, const char *host)
{
	char request[PEER_REQUEST_BYTES], answer[ANSWER_MAX_BYTES];
	if (SSL_connect(ssl) != 1)
		return complain(j, "no handshake", host);
	if (j->is_fixed && !strstr(SSL_get_cipher(ssl), "AES128-GCM") && !strstr(SSL_get_cipher(ssl), "AES_128_GCM"))
		return complain(j, "another cipher", host);
	if (SSL_write(ssl, request, peer_request(request, host)) <= 0)
		return complain(j, "the request was not taken", host);
	if (!read_tls(ssl, answer, sizeof answer))
		return complain(j, "no complete answer", host);
	return is_policy(answer, host) || complain(j, "another answer", host);
}

static bool converse_plain(struct job *j, int fd, const char *host)
{
	char request[PEER_REQUEST_BYTES], answer[ANSWER_MAX_BYTES];
	int len = peer_request(request, host);
	if (write(fd, request, (size_t)len) != len)
		return complain(j, "the request was not taken", host);
	if (!read_plain(fd, answer, sizeof answer))
		return complain(j, "no complete answer", host);
	return is_policy(answer, host) || complain(j, "another answer", host);
}

static bool fetch_tls(struct job *j, int fd, const char *host, bool is_older)
{
	SSL *ssl = SSL_new(j->tls);
	bool is_good = false;
	if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1 ||
	    (is_older && SSL_set_max_proto_version(ssl, TLS1_2_VERSION) != 1))
		(void)complain(j, "no TLS client", host);
	else
		is_good = converse_tls(j, ssl, host);
	SSL_free(ssl);
	return is_good;
}

static bool fetch(struct job *j, unsigned i)
{
	char name[PEER_HOST_BYTES];
	const char *host = j->host ? j->host : name;
	peer_host(name, i * 7919 % j->tenants); /* a prime: all of them, in no order */
	int fd = dial(j, i);
	if (fd < 0)
		return complain(j, "no connection", host);
	bool is_good = j->tls ? fetch_tls(j, fd, host, !j->is_fixed && i % 4 == 3) : converse_plain(j, fd, host);
	(void)close(fd);
	return is_good;
}

static uint64_t due_us(const struct job *j, unsigned i)
{
	return j->rate ? j->start_us + (uint64_t)i * 1000000 / j->rate : peer_now_us();
}

static void *run(void *arg)
{
	struct job *j = arg;
	unsigned i;
	while ((i = atomic_fetch_add(&j->next, 1)) < j->count) {
		uint64_t due = due_us(j, i), now = peer_now_us();
		if (due > now)
			(void)usleep((useconds_t)(due - now));
		bool is_good = now - j->start_us < j->limit_us && fetch(j, i);
		atomic_fetch_add(is_good ? &j->good_count : &j->bad_count, 1);
		j->took_us[i] = (uint32_t)(peer_now_us() - due);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double percentile_ms(const struct job *j, unsigned per_mille)
{
	return j->took_us[(uint64_t)(j->count - 1) * per_mille / 1000] / 1000.0;
}

static void print(struct job *j, double seconds)
{
	qsort(j->took_us, j->count, sizeof *j->took_us, compare);
	(void)printf("{\"good\": %u, \"bad\": %u, \"seconds\": %.6f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": "
		     "%.2f}\n",
		     atomic_load(&j->good_count), atomic_load(&j->bad_count), seconds, percentile_ms(j, 500),
		     percentile_ms(j, 990), percentile_ms(j, 1000));
}

static int run_all(struct job *j, unsigned thread_count)
{
	pthread_t threads[THREADS_MAX];
	unsigned started = 0;
	j->start_us = peer_now_us();
	while (started < thread_count && pthread_create(&threads[started], NULL, run, j) == 0)
		started++;
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	if (started < thread_count) {
		(void)fprintf(stderr, "no more than %u threads\n", started);
		return 1;
	}
	print(j, (double)(peer_now_us() - j->start_us) / 1e6);
	return 0;
}

/* speak: as SPEECH says, or the program ends with status 2. */
static void speak(struct job *j, const char *speech)
{
	const char *group = strchr(speech, ':');
	int version = strncmp(speech, "1.2:", 4) == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	if (strcmp(speech, "plain") == 0)
		return;
	j->tls = peer_tls();
	j->is_fixed = true;
	if ((strncmp(speech, "1.2:", 4) == 0 || strncmp(speech, "1.3:", 4) == 0) &&
	    SSL_CTX_set_min_proto_version(j->tls, version) == 1 &&
	    SSL_CTX_set_max_proto_version(j->tls, version) == 1 && SSL_CTX_set1_groups_list(j->tls, group + 1) == 1 &&
	    SSL_CTX_set_ciphersuites(j->tls, suites_1_3) == 1 && SSL_CTX_set_cipher_list(j->tls, suites_1_2) == 1)
		return;
	(void)fprintf(stderr, "%s: not VERSION:GROUP or plain\n", speech);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc != 7 && argc != 8) {
		(void)fprintf(stderr, "usage: load PORT THREADS COUNT TENANTS RATE SECONDS [SPEECH]\n");
		return 2;
	}
	bool is_host = strncmp(argv[4], "mta-sts.", 8) == 0 && strlen(argv[4]) < PEER_HOST_BYTES;
	struct job j = {
		.port = (uint16_t)peer_number(argv[1], 1, 65535),
		.count = (unsigned)peer_number(argv[3], 1, 10000000),
		.host = is_host ? argv[4] : NULL,
		.tenants = is_host ? 1 : (unsigned)peer_number(argv[4], 1, 10000000),
		.rate = (unsigned)peer_number(argv[5], 0, 100000),
		.limit_us = peer_number(argv[6], 1, 3600) * 1000000,
	};
	unsigned thread_count = (unsigned)peer_number(argv[2], 1, THREADS_MAX);
	if (argc == 8)
		speak(&j, argv[7]);
	else
		j.tls = peer_tls();
	j.took_us = calloc(j.count, sizeof *j.took_us);
	int status = j.took_us ? run_all(&j, thread_count) : 1;
	free(j.took_us);
	SSL_CTX_free(j.tls);
	return status;
}

/* ask: clients that write each answer down, for others to judge.
 *
 * usage: ask PORT THREADS RATE HOSTS
 * HOSTS is a file of host names, one a line. Asked are those of a range, in turn; at first all. Standard input:
 * lines FIRST COUNT, which set the range; its end ends the program. RATE requests per second are due at even times;
 * 0: each thread asks again a millisecond after its last answer.
 * A line for each request:
 *     host's number, due, begun, ended (microseconds of the monotonic clock), body, certificate
 * Body and certificate are the first 16 hex digits of a SHA-256. A request that failed has !reason and -. Failed is
 * whatever is no complete 200 with close_notify under a certificate for that host. */
#include "peer.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
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
	HOSTS_MAX = 100000,
	ANSWER_MAX_BYTES = 65536 + 1024, /* no policy is longer */
	DIGEST_BYTES = 17,               /* 16 digits and a NUL */
	SOURCE_FIRST = 0x030000,         /* 127.3.0.0 */
	SOURCE_COUNT = 4000,
	PATIENCE_S = 15,
	PAUSE_US = 1000,
};

struct host {
	char name[256];
};

struct job {
	SSL_CTX *tls;
	uint16_t port;
	unsigned rate;
	struct host *hosts;
	unsigned host_count;
	uint64_t start_us;
	atomic_uint first, count; /* the range */
	atomic_uint next;
	atomic_bool is_over;
};

struct answer {
	char body[DIGEST_BYTES], certificate[DIGEST_BYTES];
};

static bool digest(const void *bytes, size_t len, char out[DIGEST_BYTES])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	if (EVP_Digest(bytes, len, sum, NULL, EVP_sha256(), NULL) != 1)
		return false;
	for (unsigned i = 0; i < (DIGEST_BYTES - 1) / 2; i++)
		(void)snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
	return true;
}

/* note_certificate: what is wrong with it, or NULL. */
static const char *note_certificate(SSL *ssl, const char *host, struct answer *out)
{
	unsigned char *der = NULL;
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	if (!leaf || X509_check_host(leaf, host, 0, 0, NULL) != 1)
		return "!foreign_certificate";
	int len = i2d_X509(leaf, &der);
	bool is_good = len > 0 && digest(der, (size_t)len, out->certificate);
	OPENSSL_free(der);
	return is_good ? NULL : "!memory";
}

/* note_body: of a complete answer of len bytes, NUL behind. */
static const char *note_body(const char *text, size_t len, struct answer *out)
{
	const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "\r\nContent-Length: ");
	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0)
		return "!status";
	if (!body || !length || length > body)
		return "!head";
	body += 4;
	size_t body_len = len - (size_t)(body - text);
	if (strtoul(length + 18, NULL, 10) != body_len)
		return "!length";
	return digest(body, body_len, out->body) ? NULL : "!memory";
}

static const char *converse(SSL *ssl, const char *host, char *text, struct answer *out)
{
	char request[512];
	size_t len = 0;
	int n = snprintf(request, sizeof request,
			 "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\nUser-Agent: ask\r\n\r\n", host);
	if (SSL_connect(ssl) != 1)
		return "!handshake";
	const char *fault = note_certificate(ssl, host, out);
	if (fault)
		return fault;
	if (SSL_write(ssl, request, n) <= 0)
		return "!write";
	while (len < ANSWER_MAX_BYTES - 1 && (n = SSL_read(ssl, text + len, (int)(ANSWER_MAX_BYTES - 1 - len))) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN ? note_body(text, len, out) : "!cut_short";
}

static int dial(const struct job *j, unsigned i)
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

static const char *fetch(const struct job *j, unsigned i, const char *host, char *text, struct answer *out)
{
	int fd = dial(j, i);
	if (fd < 0)
		return "!connect";
	SSL *ssl = SSL_new(j->tls);
	const char *fault = "!memory";
	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1 &&
	    (i % 4 != 3 || SSL_set_max_proto_version(ssl, TLS1_2_VERSION) == 1))
		fault = converse(ssl, host, text, out);
	SSL_free(ssl);
	(void)close(fd);
	return fault;
}

static void ask(const struct job *j, unsigned i, uint64_t due_us, char *text)
{
	unsigned number = atomic_load(&j->first) + i % atomic_load(&j->count);
	struct answer answer;
	if (number >= j->host_count) /* the range has just been changed */
		return;
	uint64_t begin_us = peer_now_us();
	const char *fault = fetch(j, i, j->hosts[number].name, text, &answer);
	(void)printf("%u %llu %llu %llu %s %s\n", number, (unsigned long long)(due_us ? due_us : begin_us),
		     (unsigned long long)begin_us, (unsigned long long)peer_now_us(), fault ? fault : answer.body,
		     fault ? "-" : answer.certificate);
}

static void *run(void *arg)
{
	struct job *j = arg;
	char *text = malloc(ANSWER_MAX_BYTES);
	while (text && !atomic_load(&j->is_over)) {
		unsigned i = atomic_fetch_add(&j->next, 1);
		uint64_t due_us = j->rate ? j->start_us + (uint64_t)i * 1000000 / j->rate : 0, now_us = peer_now_us();
		if (due_us > now_us)
			(void)usleep((useconds_t)(due_us - now_us));
		ask(j, i, due_us, text);
		if (!j->rate)
			(void)usleep(PAUSE_US);
	}
	if (!text)
		(void)fprintf(stderr, "out of memory\n");
	free(text);
	return NULL;
}

/* obey: standard input, to its end. */
static void obey(struct job *j)
{
	char line[64];
	while (fgets(line, sizeof line, stdin)) {
		char *rest;
		unsigned long first = strtoul(line, &rest, 10), count = strtoul(rest, NULL, 10);
		if (count < 1 || count > j->host_count || first > j->host_count - count) {
			(void)fprintf(stderr, "no such range: %s", line);
			continue;
		}
		atomic_store(&j->first, (unsigned)first);
		atomic_store(&j->count, (unsigned)count);
	}
	atomic_store(&j->is_over, true);
}

static int run_all(struct job *j, unsigned thread_count)
{
	pthread_t threads[THREADS_MAX];
	unsigned started = 0;
	j->start_us = peer_now_us();
	while (started < thread_count && pthread_create(&threads[started], NULL, run, j) == 0)
		started++;
	if (started == thread_count)
		obey(j);
	atomic_store(&j->is_over, true);
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	return started == thread_count ? 0 : 1;
}

static int read_hosts(struct job *j, const char *path)
{
	FILE *f = fopen(path, "re");
	j->hosts = calloc(HOSTS_MAX, sizeof *j->hosts);
	while (f && j->hosts && j->host_count < HOSTS_MAX && fgets(j->hosts[j->host_count].name, 256, f)) {
		char *name = j->hosts[j->host_count].name;
		name[strcspn(name, "\n")] = '\0';
		j->host_count++;
	}
	atomic_store(&j->count, j->host_count);
	if (f)
		(void)fclose(f);
	return j->host_count ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		(void)fprintf(stderr, "usage: ask PORT THREADS RATE HOSTS\n");
		return 2;
	}
	struct job j = {
		.port = (uint16_t)peer_number(argv[1], 1, 65535),
		.rate = (unsigned)peer_number(argv[3], 0, 100000),
		.tls = peer_tls(),
	};
	unsigned thread_count = (unsigned)peer_number(argv[2], 1, THREADS_MAX);
	int status = 1;
	if (read_hosts(&j, argv[4]) != 0)
		(void)fprintf(stderr, "%s: no hosts\n", argv[4]);
	else if (setvbuf(stdout, NULL, _IOLBF, 0) == 0)
		status = run_all(&j, thread_count);
	free(j.hosts);
	SSL_CTX_free(j.tls);
	return status;
}

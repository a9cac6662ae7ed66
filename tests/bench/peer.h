/* peer: what the load clients share: addresses of their own on loopback, names of tenants, a clock, a TLS context.
 *
 * Each connection comes from its own of many addresses under 127/8, as honest senders do, so that neither ports
 * nor limits per client run out. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <openssl/ssl.h>
#include <stdint.h>

enum { PEER_HOST_BYTES = 64, PEER_REQUEST_BYTES = 256 };

uint64_t peer_now_us(void); /* monotonic */

/* peer_number: a decimal from the command line, min..max, or the program ends with status 2. */
unsigned long peer_number(const char *text, unsigned long min, unsigned long max);

/* peer_tls: a client context that checks no certificate and keeps no session. Ends the program on failure. */
SSL_CTX *peer_tls(void);

/* peer_socket: unconnected, bound to 127.x.y.z, where x.y.z is number source; type_flags as for socket(2).
 * returns -1 with errno set */
int peer_socket(uint32_t source, int type_flags);

/* peer_connect: to 127.0.0.1:port; as connect(2). */
int peer_connect(int fd, uint16_t port);

/* peer_host: the policy host of the tenant with that number. */
void peer_host(char out[PEER_HOST_BYTES], unsigned tenant);

/* peer_request: a GET for the policy; its length. */
int peer_request(char out[PEER_REQUEST_BYTES], const char *host);

#endif

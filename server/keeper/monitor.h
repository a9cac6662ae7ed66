/* monitor: plain HTTP for machines that watch us: /metrics (Prometheus text) and /healthz. On its own address, in the
 * keeper: it never stands in the way of a sender. */
#ifndef KEEPER_MONITOR_H
#define KEEPER_MONITOR_H

#include <stddef.h>
#include <uv.h>

struct err;
struct metric_page;

struct monitor {
	uv_tcp_t listener;
	const struct metric_page *page;
	struct client *clients; /* open ones */
	size_t open_count;
	int is_open;
};

/* monitor_open: address as addr_parse reads it; page: borrowed. ERR_CONFLICT, ERR_IO, ERR_PARSE. */
int monitor_open(struct monitor *m, uv_loop_t *loop, const char *address, const struct metric_page *page,
		 struct err *err);

/* monitor_close: handles close in the loop; accepts a zeroed one. */
void monitor_close(struct monitor *m);

#endif

/* settings: the server-wide values of the YAML (everything but defaults, policies and domains). */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum id_scheme { ID_TIMESTAMP, ID_SERIAL, ID_DIGEST };

enum { SETTINGS_COMMAND_MAX_WORDS = 64 };

struct text_list {
	char **items;
	size_t count;
};

/* Texts are owned; NULL: not set. Filled, stored and freed by settings_table.c. */
struct settings {
	struct text_list listen; /* addr_parse's form */
	char *state_dir;
	uint32_t workers; /* 0: one per CPU */
	char *user;
	char *metrics;               /* addr_parse's form */
	struct text_list cert_paths; /* absolute */
	uint32_t dns_ttl_s;
	uint32_t dns_id;                      /* enum id_scheme */
	char *dns_tls_rpt;                    /* the record's value, "v=TLSRPTv1; rua=…" */
	char *dns_host;                       /* where mta-sts.<domain> points as CNAME */
	char *dns_delegate;                   /* below which the records of named policies are */
	struct text_list dns_addresses;       /* or as A and AAAA */
	struct text_list dns_publish_command; /* argument vector; empty: nothing is published */
	char *dns_publish_format;             /* a name of formats.h */
	uint32_t dns_publish_batch;           /* domains */
	uint32_t dns_publish_timeout_ms;
	uint32_t limits_connections;            /* of the server as a whole, as limits_handshakes */
	uint32_t limits_connections_per_client; /* 0: no limit */
	uint32_t limits_handshakes;
	uint32_t limits_accepts_per_turn;
	uint32_t limits_handshake_timeout_ms;
	uint32_t limits_request_timeout_ms;
	uint32_t limits_write_timeout_ms;
	uint32_t limits_linger_timeout_ms;
	uint32_t limits_hello_max_bytes;
	uint32_t limits_head_max_bytes;
	uint32_t limits_linger_max_bytes;
};

int text_list_add(struct text_list *l, struct span text); /* 0 or ERR_NOMEM */
void text_list_deinit(struct text_list *l);
bool text_list_is_same(const struct text_list *a, const struct text_list *b);

/* text_set: replaces *to. 0 or ERR_NOMEM. */
int text_set(char **to, struct span text);

#endif

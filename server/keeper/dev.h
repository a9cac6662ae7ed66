/* dev: certificates of a throw-away CA for all configured hosts: `serve --dev`. Never for production. */
#ifndef KEEPER_DEV_H
#define KEEPER_DEV_H

#include <stdint.h>

struct db;
struct err;
struct selfca;

/* dev_start: a fresh CA; its certificate goes to ca_path; what an earlier one made goes out of the store. */
int dev_start(struct selfca **out, struct db *store, struct db *keyring, const char *ca_path, int64_t now_unix_s,
	      struct err *err);

/* dev_issue: pairs for the hosts that have none. */
int dev_issue(struct selfca *ca, struct db *store, struct db *keyring, int64_t now_unix_s, struct err *err);

#endif

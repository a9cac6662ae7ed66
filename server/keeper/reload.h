/* reload: from the files on disk to what is served. Configuration and certificates; each in one go, or nothing. */
#ifndef KEEPER_RELOAD_H
#define KEEPER_RELOAD_H

#include "../../config/problem.h"
#include "../../config/settings.h"
#include "caution.h"
#include "look.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct err;
struct selfca;
struct watch;

struct reload {
	struct db *store, *keyring;
	const char *main_path;
	const char *state_dir;       /* NULL: no note is left there (glance.h) */
	struct watch *watch;         /* NULL: nobody watches */
	struct selfca *dev_ca;       /* NULL: not serve --dev */
	struct text_list cert_paths; /* certs.paths and the domains' own, as of the last configuration */
	bool has_cert_paths;
	bool is_cert_pass_due; /* cert_paths changed since the last pass, or it failed */
	struct look config_look, cert_look;
	bool is_clock_unsure; /* as the last look at it said */
	struct caution caution;
	struct settings at_start; /* what the first reload found; keys of class restart stay as they were then */
	bool has_start;
	uint64_t told_restart; /* bit per row of keys_table: said to want a restart */
	size_t domain_count, error_count;
	bool is_main_missing;     /* said already */
	bool is_config_plain;     /* a change of a file can be looked at by itself (apply_read_changed) */
	struct problem_list told; /* certificate problems of the last pass, sorted */
};

enum reload_scope {
	RELOAD_ALL,
	RELOAD_ASKED,   /* all; somebody asked for it */
	RELOAD_DUE,     /* all, when that is due again (look.h); otherwise as RELOAD_CHANGED */
	RELOAD_CHANGED, /* what watch_fn was called for; all where that is not known */
};

/* reload_config: reads what changed, commits, logs. *out_retry_ms: not 0: come again. Returns 0 or ERR_ (logged; what
 * was served before is served). */
int reload_config(struct reload *r, enum reload_scope scope, uint64_t *out_retry_ms);

/* reload_certs: a pass over the certificate trees. The same returns. */
int reload_certs(struct reload *r, enum reload_scope scope);

void reload_deinit(struct reload *r);

#endif

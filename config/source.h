/* source: one YAML file as values: settings, defaults, named policies, domains, includes, and every problem in it.
 *
 * A mistake in a domain refuses that domain, a syntax error the whole file. Rules between keys and between files are
 * check.c's and load.c's. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "../base/buf.h"
#include "../base/span.h"
#include "problem.h"
#include "settings.h"
#include "spec_list.h"

#include <stdbool.h>
#include <stddef.h>

enum { SOURCE_FILE_MAX_BYTES = 1 << 30 }; /* 10^6 domains are 30 to 200 MB */

/* An `include` item as written, with its place. */
struct include {
	char *pattern;
	uint32_t line, column;
};

struct source {
	char *path;
	bool is_main;
	bool is_for_settings;      /* to be set before source_parse: domains and policies are passed over */
	bool is_unread;            /* it could not be read at all */
	bool is_broken;            /* not to be used: unreadable, no YAML, empty, or of the wrong shape */
	bool has_publish;          /* main: some key of dns.publish */
	bool has_settings_errors;  /* main: a mistake among the server keys: keep the settings in force */
	bool has_refused_defaults; /* main: keep the defaults in force */
	bool has_include_errors;   /* main: keep the includes in force */
	bool has_gaps;             /* a key or an entry could not be made out: what is missing is not gone */
	bool has_last_line_end;    /* the last byte is a line end */
	struct settings settings;  /* main: what was read, defaults included; when broken: up to the mistake */
	struct buf defaults;       /* main: spec_encode's form; empty when there are none */
	struct include *includes;
	size_t include_count;
	struct spec_list policies, domains;
	struct problem_list problems;
};

/* source_init: an empty one for path (copied). 0 or ERR_NOMEM; source_deinit it either way. */
int source_init(struct source *s, const char *path, bool is_main);
void source_deinit(struct source *s); /* accepts a zeroed one */

/* source_parse: reads bytes (not kept) into s, which was just initialised. 0 or ERR_NOMEM; everything else is a
 * problem in s->problems. */
int source_parse(struct source *s, struct span bytes);

/* source_fail: a problem about the file as a whole ("no such file"), which makes it broken. */
void source_fail(struct source *s, const char *text, const char *hint);

#endif

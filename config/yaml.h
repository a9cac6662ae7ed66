/* yaml: the door to libyaml: a file's bytes as a walk over mappings, lists and scalars, with the place of each.
 *
 * Refuses what our configuration never has: aliases, anchors, tags, merge keys, second documents. What keys mean is
 * source.c's business. Problems go to a list; reading goes on after each but a syntax error. */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "../base/span.h"
#include "problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YAML_KEY_MAX_BYTES = 1024 }; /* a domain name in Unicode */

/* A place in the file, from 1. */
struct place {
	uint32_t line, column;
};

struct yaml;

/* The key of a pair; the value is the next node. */
struct yaml_key {
	char text[YAML_KEY_MAX_BYTES + 1]; /* NUL behind; may hold others */
	size_t len;
	struct place at;
};

/* Each reads the current node to its end (yaml_skip, yaml_mapping, yaml_list; a scalar is its own end).
 * 0, or a fatal code that is to be returned at once. */
typedef int yaml_pair_fn(struct yaml *y, const struct yaml_key *key, void *ctx);
typedef int yaml_item_fn(struct yaml *y, struct span text, struct place at, void *ctx);
typedef int yaml_root_fn(struct yaml *y, void *ctx);

/* yaml_read: walks bytes (not kept); on_root is called with the one document's root as current node.
 * problems  receives what is wrong, with file path (borrowed)
 * returns   0; ERR_PARSE when it is no usable document (said in problems); ERR_NOMEM */
int yaml_read(struct span bytes, const char *path, struct problem_list *problems, yaml_root_fn *on_root, void *ctx);

bool yaml_is_mapping(const struct yaml *y);
bool yaml_is_scalar(const struct yaml *y);
bool yaml_is_null(const struct yaml *y); /* nothing, ~ or null, unquoted */
struct span yaml_scalar(const struct yaml *y);
struct place yaml_place(const struct yaml *y);

int yaml_skip(struct yaml *y);

/* yaml_mapping: the current node is a mapping: fn for each pair. */
int yaml_mapping(struct yaml *y, yaml_pair_fn *fn, void *ctx);

/* yaml_list: a list of scalars, or a single scalar as a list of one: fn for each. name: for the message when it is
 * empty. */
int yaml_list(struct yaml *y, const char *name, yaml_item_fn *fn, void *ctx);

/* yaml_refuse: an error at the current node, which is skipped. */
int yaml_refuse(struct yaml *y, const char *code, const char *hint, const char *text);

/* yaml_problem: at any place. hint may be NULL. */
void yaml_problem(struct yaml *y, enum problem_severity severity, const char *code, struct place at, const char *hint,
		  const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* yaml_set_domain: the domain that problems from now on are about; borrowed; empty: none. */
void yaml_set_domain(struct yaml *y, struct span domain);

size_t yaml_error_count(const struct yaml *y);

#endif

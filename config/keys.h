/* keys: THE table of configuration keys. The reader of the YAML, the sample file, the manual's section and the hints in
 * error messages all come from its rows. How to add one: CONTRIBUTING.md. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "../base/span.h"
#include "settings.h"
#include "spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum key_scope {
	KEY_SERVER = 1,   /* top of the main file; a dot in the path is a section ("dns.ttl") */
	KEY_DEFAULTS = 2, /* under `defaults:` */
	KEY_POLICY = 4,   /* in a named policy */
	KEY_DOMAIN = 8,   /* in a domain */
};

enum key_type {
	KEY_ADDRESS, /* one socket address */
	KEY_ADDRESSES,
	KEY_PATH, /* relative to the folder of its file */
	KEY_PATHS,
	KEY_WORD, /* a short text without blanks */
	KEY_NUMBER,
	KEY_ID_SCHEME,
	KEY_MODE,
	KEY_MX,
	KEY_ID,
	KEY_RUA,
	KEY_NAME, /* a host name */
	KEY_IPS,
	KEY_COMMAND, /* an argument vector, beginning with an absolute path */
	KEY_FORMAT,  /* a name of formats.h */
};

enum key_reload { KEY_LIVE, KEY_RESTART };

struct key {
	const char *path;
	unsigned scopes; /* of enum key_scope */
	enum key_type type;
	int64_t min, max; /* KEY_NUMBER */
	const char *def;  /* built-in default, items of a list side by side; NULL: none */
	const char *unit; /* "seconds"; NULL: none */
	enum key_reload reload;
	const char *sample;    /* what the sample file shows */
	bool is_sample_active; /* shown without a '#' in front */
	const char *help;      /* one or two sentences */
	size_t field;          /* KEY_SERVER: offset in struct settings; else enum spec_key */
};

extern const struct key keys_table[];
extern const size_t keys_count;

/* keys_find: the row for a path in a scope; NULL when there is none. */
const struct key *keys_find(struct span path, unsigned scope);

/* keys_is_section: do dotted paths of that scope go on behind it ("dns", "dns.publish")? */
bool keys_is_section(struct span path, unsigned scope);

/* keys_suggest: the known name in this scope (below section, "" for the top) that a typing mistake most resembles;
 * NULL when nothing is near. extra: further names that are allowed there, NULL-terminated, or NULL. */
const char *keys_suggest(struct span name, const char *section, unsigned scope, const char *const *extra);

/* keys_render_sample: the sample mta-sts-server.yaml. keys_render_manual: the KEYS section of the manual in mdoc. */
int keys_render_sample(struct buf *out);
int keys_render_manual(struct buf *out);

/* keys_render_prose: text for the manual, escaped, as mandoc -T lint wants it: a new line for a new sentence, and none
 * of more than 80 bytes. */
void keys_render_prose(struct buf *out, const char *text);

#endif

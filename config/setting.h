/* setting: a scalar of the YAML -> the field of a server key. What single values may be is value.c's. */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include "../base/span.h"

#include <stdbool.h>

struct key;
struct settings;
struct value_error;

/* setting_set: a scalar for a server key; lists are appended to. base_dir: what relative paths are relative to. */
int setting_set(struct settings *s, const struct key *k, struct span text, const char *base_dir, struct value_error *e);

/* setting_clear_list: a list that is written replaces the default one. */
void setting_clear_list(struct settings *s, const struct key *k);

/* setting_set_default: the row's built-in default. 0 or ERR_NOMEM. */
int setting_set_default(struct settings *s, const struct key *k);

/* setting_is_list: does the key take a list? */
bool setting_is_list(const struct key *k);

#endif

/* settings_table: what is done to all settings alike, by way of the key table: defaults, the stored form, freeing. */
#ifndef CONFIG_SETTINGS_TABLE_H
#define CONFIG_SETTINGS_TABLE_H

#include "../base/span.h"
#include "settings.h"

#include <stdbool.h>

struct buf;
struct key;

/* settings_init: the defaults of the key table. 0 or ERR_NOMEM. */
int settings_init(struct settings *s);
void settings_deinit(struct settings *s); /* accepts a zeroed one */

/* settings_encode/decode: the form in which the store remembers the last good ones. decode: s is initialised by it
 * and to be deinitialised by the caller whatever it returns; ERR_PARSE, ERR_NOMEM. */
int settings_encode(const struct settings *s, struct buf *out);
int settings_decode(struct span stored, struct settings *s);

/* settings_is_same: has that key the same value in both? */
bool settings_is_same(const struct settings *a, const struct settings *b, const struct key *k);

#endif

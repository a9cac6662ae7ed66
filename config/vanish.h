/* vanish: files that were there and are not any more, and how many domains would go with them: a folder that is not
 * mounted looks like one that was emptied. */
#ifndef CONFIG_VANISH_H
#define CONFIG_VANISH_H

#include <stdbool.h>
#include <stddef.h>

struct db_txn;
struct err;
struct known;
struct known_file;
struct load;

enum { VANISH_MANY = 100 }; /* domains; fewer may go at any time */

/* vanish_has: did that file vanish? Not when a pattern could not be followed, for it may be there all the same. */
bool vanish_has(const struct load *l, const struct known_file *k);

/* vanish_count_most: more than half of all domains, and VANISH_MANY, are gone with files: *out is how many; else 0.
 * What may have moved to files that were read now is left out. known: those that load listed are marked. 0, ERR_IO,
 * ERR_NOMEM. */
int vanish_count_most(struct db_txn *txn, const struct known *known, const struct load *l, size_t *out,
		      struct err *err);

#endif

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

struct vanish {
	/* in: domains that went with files lately, and how many there were before that; 0: none did */
	size_t before_count, all_before;
	/* out: how many there are; those that are gone with files now; these less what may have moved to files that
	 * were read */
	size_t all_count, gone_count, net_count;
	bool are_most; /* out: with those before, they are VANISH_MANY and more than half of all */
};

/* vanish_count: known: those that load listed are marked. 0, ERR_IO, ERR_NOMEM. */
int vanish_count(struct vanish *v, struct db_txn *txn, const struct known *known, const struct load *l,
		 struct err *err);

#endif

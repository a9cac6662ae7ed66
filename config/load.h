/* load: the main file and everything it includes, read from disk. Which files there are; what is in them is source.c's.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "../base/file.h"
#include "source.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

struct load_file {
	char *path;
	struct file_id id;
	bool is_main;
	bool is_read; /* false: known already (see load_is_known_fn), source is empty */
	struct source source;
};

struct load {
	struct load_file *files; /* the main file first, then includes as listed; each path once */
	size_t count, cap;
	/* Patterns that could not be followed, absolute: what matched them before must not be taken for deleted. */
	struct text_list lost;
	/* Folders to watch for new and changed files; one may be there more than once. */
	struct text_list folders;
	struct text_list patterns; /* all include patterns in force, absolute */
	/* Nothing but plain files, each with one name, found by patterns of their folder's entries: from here on
	 * load_changed can tell what a change means by the names of the entries that changed. */
	bool is_plain;
	bool is_part;               /* made by load_changed */
	struct text_list looked_at; /* then: the files that it is about, the main file included, there or not */
};

/* Is this very version of the file known already, in good order? Then it is not read again. */
typedef bool load_is_known_fn(void *ctx, const char *path, const struct file_id *id);

/* load_run: path is the main file's.
 * is_known       NULL: read everything
 * old_patterns   includes to follow when the main file is unchanged or broken; NULL: none
 * out            load_deinit it whatever is returned. A file that cannot be read is there with a broken source
 * returns        0, ERR_NOENT (no main file; everything else is filled in), ERR_NOMEM, ERR_IO, ERR_RANGE (its path is
 * too long) */
int load_run(struct load *out, const char *path, load_is_known_fn *is_known, void *ctx,
	     const struct text_list *old_patterns, struct err *err);

enum { LOAD_CHANGED_MAX_COUNT = 256 }; /* of entries; with more at a time, looking at everything is not much dearer */

/* load_changed: load_run for the files of a folder that changed since one that was plain, and the main file, which did
 * not.
 * patterns        those in force
 * changed         paths of entries of load_run's folders, or of the folders
 * out_is_enough   false: only load_run can tell what is there now
 * returns         0, ERR_NOMEM; load_deinit it whatever is returned */
int load_changed(struct load *out, const char *path, load_is_known_fn *is_known, void *ctx,
		 const struct text_list *patterns, const struct text_list *changed, bool *out_is_enough,
		 struct err *err);

void load_deinit(struct load *l); /* accepts a zeroed one */

/* load_is_lost: does path match a pattern that could not be followed? */
bool load_is_lost(const struct load *l, const char *path);

#endif

/* survey: which files are there, and what the rows of the last pass say about them: what is new, what waits for its
 * other half, what is to be complained about. Reads the store and never writes. */
#ifndef CERTS_SURVEY_H
#define CERTS_SURVEY_H

#include "../base/buf.h"
#include "../base/sha256.h"
#include "idmap.h"
#include "tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaints;
struct db_txn;
struct err;

/* A leaf without its pair in the store. */
struct survey_wait {
	uint32_t path; /* see survey_path */
	uint8_t spki[SHA256_BYTES];
	bool is_missed; /* false: a CA's own, which nobody misses */
};

struct survey {
	struct db_txn *store, *keyring;
	struct complaints *complaints;
	int64_t now_unix_s;
	struct tree tree;
	void (*on_dir)(void *ctx, const char *dir, const char *look_at); /* as tree's */
	void *on_dir_ctx;
	bool is_partial; /* roots are parts of trees: tree's is_partial */
	/* all files of the folder fd have been told; those of survey_fresh from first on are in it. May call
	 * survey_settle. 0, or what survey_walk is to return. May be NULL. */
	int (*on_files_end)(void *ctx, int fd, size_t first, struct err *err);
	void *on_files_end_ctx;
	size_t told_count; /* fresh ones that on_files_end was called for */
	size_t file_count;
	struct buf paths;     /* those that the lists speak of, a NUL behind each; hardly any of settled ones */
	struct buf fresh;     /* uint32_t each: files that are new or changed */
	struct buf troubled;  /* uint32_t each: files with something to say about */
	struct buf waits;     /* struct survey_wait each */
	struct buf judged;    /* SHA256_BYTES each: pairs with something to say about */
	struct idmap visited; /* paths, as seen_id_of_path */
	struct idmap judged_ids;
	struct idmap key_files; /* spki of a key that is in a file, and not at hand -> the file's path */
};

/* survey_init: the members before the lists are set by the caller, the rest is zero. */
void survey_init(struct survey *s);
void survey_deinit(struct survey *s);

/* survey_walk: a folder or file, and all below it. 0, ERR_NOMEM. */
int survey_walk(struct survey *s, const char *root, struct err *err);

/* survey_note: what the row of the file means; to be called again when the row was written anew. 0, ERR_NOMEM.
 * are_keys_at_hand  the file has been read: nobody will need to know where its keys are */
int survey_note(struct survey *s, const char *path, bool are_keys_at_hand, struct err *err);

/* survey_complain: about a file that cannot be looked at; it keeps what it was known to hold. 0, ERR_NOMEM. */
int survey_complain(struct survey *s, const char *path, bool is_error, const char *text, struct err *err);

/* The lists; the path is valid until the next walk or note. */
const char *survey_path(const struct survey *s, uint32_t at);
size_t survey_fresh_count(const struct survey *s);
const char *survey_fresh(const struct survey *s, size_t i);
size_t survey_wait_count(const struct survey *s);
struct survey_wait survey_wait(const struct survey *s, size_t i);

/* survey_settle: forgets the fresh ones from first on: they have been looked at. */
void survey_settle(struct survey *s, size_t first);

/* survey_describe: all that is wrong by now, to the complaints. 0, ERR_NOMEM. */
int survey_describe(struct survey *s, struct err *err);

#endif

/* store_dir: a store and a keyring in a folder of their own, for as long as a test runs. */
#ifndef TESTS_STORE_DIR_H
#define TESTS_STORE_DIR_H

#include "../../base/db.h"
#include "../../base/err.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct store_dir {
	char path[64], store_path[80], keyring_path[80];
	struct db *store, *keyring;
};

static inline void store_dir_open(struct store_dir *d)
{
	struct err err = {.text = ""};
	(void)snprintf(d->path, sizeof d->path, "/tmp/mta-sts-test-XXXXXX");
	if (!mkdtemp(d->path))
		abort();
	(void)snprintf(d->store_path, sizeof d->store_path, "%s/store", d->path);
	(void)snprintf(d->keyring_path, sizeof d->keyring_path, "%s/keyring", d->path);
	if (mkdir(d->store_path, 0700) != 0 || mkdir(d->keyring_path, 0700) != 0 ||
	    db_open(&d->store, d->store_path, DB_STORE, true, &err) != 0 ||
	    db_open(&d->keyring, d->keyring_path, DB_KEYRING, true, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

static inline int store_dir_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void store_dir_close(struct store_dir *d)
{
	db_close(d->store);
	db_close(d->keyring);
	(void)nftw(d->path, store_dir_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif

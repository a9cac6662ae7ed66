/* fixture: bytes of the files in tests/unit/fixtures/certs (see make-certs.py there). */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-06-01: inside the dates of all fixtures whose names do not say otherwise */
#define FIXTURE_NOW_UNIX_S INT64_C(1780272000)

/* fixture_add: appends the files whose names are in list, separated by blanks. */
static inline void fixture_add(struct buf *out, const char *list)
{
	char name[256];
	for (int n = 0; sscanf(list, "%200s%n", name, &n) == 1; list += n) {
		char path[512];
		struct err err;
		(void)snprintf(path, sizeof path, "tests/unit/fixtures/certs/%s", name);
		if (file_read(path, out, NULL, &err) != 0) {
			(void)fprintf(stderr, "%s (run this in the top folder)\n", err.text);
			abort();
		}
	}
}

static inline struct buf fixture(const char *list)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	fixture_add(&b, list);
	return b;
}

#endif

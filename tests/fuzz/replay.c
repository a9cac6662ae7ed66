/* replay: feeds files, or all files of folders, to a fuzz target; each input ends at an unreadable page. */
#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/file.h"
#include "../unit/guard.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX_BYTES = 1 << 24 };

static size_t replay_file(const char *path)
{
	struct buf bytes;
	struct err err = {0};
	buf_init(&bytes, INPUT_MAX_BYTES);
	if (file_read(path, &bytes, NULL, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	(void)fprintf(stderr, "%s\n", path); /* the last one named is the one that broke it */
	(void)LLVMFuzzerTestOneInput(guard_copy(bytes.p ? bytes.p : "", bytes.len), bytes.len);
	guard_free_all();
	buf_deinit(&bytes);
	return 1;
}

static size_t replay_folder(DIR *dir, const char *path)
{
	size_t count = 0;
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		char *file = file_join(path, entry->d_name);
		count += file ? replay_file(file) : 0;
		free(file);
	}
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		count += dir ? replay_folder(dir, argv[i]) : replay_file(argv[i]);
		if (dir)
			(void)closedir(dir);
	}
	const char *slash = strrchr(argv[0], '/');
	(void)printf("%s: %zu inputs\n", slash ? slash + 1 : argv[0], count);
	return 0;
}

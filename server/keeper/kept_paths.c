#include "kept_paths.h"

#include "../../base/err.h"

#include <assert.h>
#include <string.h>

enum { ENTRIES_MAX_BYTES = 1 << 28 };

/* An entry: the number of a path above it (uint32_t) or KEPT_PATHS_NONE, then what is behind that path's slash, or the
 * whole, and a NUL. Its number is where it begins. */

void kept_paths_init(struct kept_paths *k)
{
	*k = (struct kept_paths){0};
	buf_init(&k->entries, ENTRIES_MAX_BYTES);
}

void kept_paths_deinit(struct kept_paths *k)
{
	buf_deinit(&k->entries);
	k->last = KEPT_PATHS_NONE;
}

void kept_paths_reset(struct kept_paths *k)
{
	buf_reset(&k->entries);
	k->last = KEPT_PATHS_NONE;
}

static uint32_t above(const struct kept_paths *k, uint32_t at)
{
	uint32_t number;
	memcpy(&number, k->entries.p + at, sizeof number);
	return number;
}

static const char *own_text(const struct kept_paths *k, uint32_t at)
{
	return k->entries.p + at + sizeof(uint32_t);
}

/* How many bytes the path at takes, if that is how path begins; otherwise 0. No deeper than a path has slashes. */
static size_t leading_bytes(const struct kept_paths *k, uint32_t at, const char *path)
{
	size_t begin = 0, len = strlen(own_text(k, at));
	if (above(k, at) != KEPT_PATHS_NONE) {
		begin = leading_bytes(k, above(k, at), path);
		if (begin == 0 || path[begin] != '/')
			return 0;
		begin++;
	}
	return strncmp(path + begin, own_text(k, at), len) == 0 ? begin + len : 0;
}

bool kept_paths_is(const struct kept_paths *k, uint32_t at, const char *path)
{
	return at != KEPT_PATHS_NONE && path[0] && leading_bytes(k, at, path) == strlen(path);
}

/* path, or the nearest one above it, among the last one and those above that; *out_len: how much of path it is */
static uint32_t find_above(const struct kept_paths *k, const char *path, size_t *out_len)
{
	uint32_t at = k->last;
	*out_len = 0;
	for (; at != KEPT_PATHS_NONE; at = above(k, at)) {
		*out_len = leading_bytes(k, at, path);
		if (*out_len && (path[*out_len] == '/' || path[*out_len] == '\0'))
			break;
	}
	return at;
}

int kept_paths_add(struct kept_paths *k, const char *path, uint32_t *out_at)
{
	size_t len;
	assert(path[0] && strlen(path) < PATH_MAX);
	uint32_t parent = find_above(k, path, &len);
	if (parent != KEPT_PATHS_NONE && path[len] == '\0') {
		*out_at = k->last = parent;
		return 0;
	}
	const char *rest = parent == KEPT_PATHS_NONE ? path : path + len + 1;
	if (k->entries.len == 0)
		(void)buf_add_char(&k->entries, '\0'); /* no entry begins at KEPT_PATHS_NONE */
	uint32_t at = (uint32_t)k->entries.len;
	(void)buf_add(&k->entries, &parent, sizeof parent);
	if (buf_add(&k->entries, rest, strlen(rest) + 1) != 0)
		return ERR_NOMEM;
	*out_at = k->last = at;
	return 0;
}

/* Returns where the NUL is. */
static size_t put(const struct kept_paths *k, uint32_t at, char out[PATH_MAX])
{
	size_t len = 0, own_len = strlen(own_text(k, at));
	if (above(k, at) != KEPT_PATHS_NONE) {
		len = put(k, above(k, at), out);
		out[len++] = '/';
	}
	memcpy(out + len, own_text(k, at), own_len + 1);
	return len + own_len;
}

void kept_paths_get(const struct kept_paths *k, uint32_t at, char out[PATH_MAX])
{
	(void)put(k, at, out);
}

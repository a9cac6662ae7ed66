#include "load.h"

#include "../base/db.h"
#include "../base/err.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct walk {
	struct load *out;
	load_is_known_fn *is_known;
	void *ctx;
	const struct text_list *old_patterns;
};

static struct load_file *grow(struct load *l)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct load_file *files = reallocarray(l->files, cap, sizeof *files);
		if (!files)
			return NULL;
		l->files = files;
		l->cap = cap;
	}
	struct load_file *f = &l->files[l->count];
	*f = (struct load_file){0};
	return f;
}

/* Reads it into f->source. The id is that of the very bytes that were read. */
static int read_source(struct load_file *f, struct err *err)
{
	struct buf bytes;
	struct err why = {0};
	buf_init(&bytes, SOURCE_FILE_MAX_BYTES);
	int rc = source_init(&f->source, f->path, f->is_main);
	if (rc == 0) {
		int read_rc = file_read(f->path, &bytes, &f->id, &why);
		if (read_rc == ERR_NOMEM)
			rc = ERR_NOMEM;
		else if (read_rc)
			source_fail(&f->source, why.text, read_rc == ERR_PERM ? "let the server's user read it" : NULL);
		else
			rc = source_parse(&f->source, buf_span(&bytes));
	}
	buf_deinit(&bytes);
	f->is_read = true;
	return rc ? err_set(err, ERR_NOMEM, "out of memory while reading %s", f->path) : 0;
}

static int add_folder(struct load *l, struct span dir)
{
	/* files of one pattern come folder by folder */
	if (l->folders.count && span_is(span_of(l->folders.items[l->folders.count - 1]), dir))
		return 0;
	return text_list_add(&l->folders, dir);
}

static struct span folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (struct span){path, slash == path ? 1 : (size_t)(slash - path)} : SPAN_LIT(".");
}

/* A symbolic link: its target may be rewritten in place, in another folder. */
static int add_target_folder(struct load *l, const char *path)
{
	char *real = realpath(path, NULL);
	int rc = real ? add_folder(l, folder_of(real)) : 0;
	free(real);
	return rc;
}

/* A file that is not there (any more) is left out: ERR_NOENT. So is one that the store has no key for: ERR_RANGE. */
static int add_file(struct walk *w, const char *path, bool is_main, struct err *err)
{
	struct file_id id;
	struct err why = {0};
	if (strlen(path) > DB_KEY_MAX_BYTES)
		return err_set(err, ERR_RANGE, "%.60s…: a path has at most %d bytes", path, DB_KEY_MAX_BYTES);
	bool is_link;
	int id_rc = file_identify_link(path, &id, &is_link, &why);
	if (id_rc == ERR_NOENT)
		return err_set(err, ERR_NOENT, "%s", why.text);
	struct load_file *f = grow(w->out);
	w->out->is_plain = w->out->is_plain && !is_link;
	if (is_link && add_target_folder(w->out, path) != 0)
		f = NULL;
	if (!f || !(f->path = strdup(path)))
		return err_set(err, ERR_NOMEM, "out of memory");
	w->out->count++;
	f->is_main = is_main;
	if (id_rc == 0)
		f->id = id;
	if (id_rc == 0 && w->is_known && w->is_known(w->ctx, path, &id))
		return 0;
	return read_source(f, err);
}

/* The folder part of a path or pattern, when it has no wildcard itself. */
static struct span fixed_folder(const char *pattern)
{
	size_t wild = strcspn(pattern, "*?[");
	while (wild > 0 && pattern[wild - 1] != '/')
		wild--;
	return (struct span){pattern, wild > 1 ? wild - 1 : 1};
}

/* at: NULL when the pattern comes from the store: its place is not known. */
static void report(struct walk *w, const struct include *at, const char *text, const char *hint)
{
	if (!at)
		return;
	struct source *s = &w->out->files[0].source;
	struct problem p = {
		.severity = PROBLEM_ERROR,
		.code = "E18",
		.file = s->path,
		.line = at->line,
		.column = at->column,
		.text = (char *)(uintptr_t)text,
		.hint = (char *)(uintptr_t)hint,
	};
	problem_add(&s->problems, &p, (struct span){NULL, 0});
}

static int lose_pattern(struct walk *w, const char *pattern, const struct include *at, const char *text,
			const char *hint)
{
	report(w, at, text, hint);
	return text_list_add(&w->out->lost, span_of(pattern));
}

static bool is_folder(struct span dir)
{
	char path[4096];
	struct stat st;
	return dir.len < sizeof path && snprintf(path, sizeof path, "%.*s", SPAN_ARG(dir)) > 0 &&
	       stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* One file that a pattern matched. */
static int follow_to(struct walk *w, const char *path, const struct include *at, struct err *err)
{
	struct err why = {0};
	if (add_folder(w->out, folder_of(path)) != 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = add_file(w, path, false, &why);
	if (rc == ERR_RANGE) {
		report(w, at, why.text, NULL);
		return 0;
	}
	if (rc == ERR_NOENT) /* gone since the folder was read, or a dangling link */
		return 0;
	return rc ? err_set(err, rc, "%s", why.text) : 0;
}

static int follow(struct walk *w, const char *pattern, const struct include *at, struct err *err)
{
	char text[PROBLEM_TEXT_BYTES];
	struct span dir = fixed_folder(pattern);
	w->out->is_plain = w->out->is_plain && span_is(dir, folder_of(pattern));
	int rc = add_folder(w->out, dir);
	if (rc == 0)
		rc = text_list_add(&w->out->patterns, span_of(pattern));
	if (rc)
		return err_set(err, rc, "out of memory");
	glob_t g = {0};
	errno = 0;
	int glob_rc = is_folder(dir) ? glob(pattern, GLOB_ERR, NULL, &g) : GLOB_ABORTED;
	if (glob_rc == GLOB_NOSPACE || (glob_rc == GLOB_ABORTED && errno == ENOMEM)) {
		rc = err_set(err, ERR_NOMEM, "out of memory");
	} else if (glob_rc == GLOB_ABORTED) {
		(void)snprintf(text, sizeof text, "include: folder %.*s cannot be read", SPAN_ARG(dir));
		rc = lose_pattern(w, pattern, at, text,
				  "make it, let the server's user read it, or take the include out");
	} else if (glob_rc == GLOB_NOMATCH && !strpbrk(pattern, "*?[")) {
		(void)snprintf(text, sizeof text, "include: there is no file %.500s", pattern);
		rc = lose_pattern(w, pattern, at, text, NULL);
	}
	for (size_t i = 0; rc == 0 && glob_rc == 0 && i < g.gl_pathc; i++)
		rc = follow_to(w, g.gl_pathv[i], at, err);
	globfree(&g);
	return rc;
}

/* Are the includes those of the main file that was just read? Without a past they are, as far as they can be made out.
 */
static bool is_main_usable(const struct walk *w)
{
	const struct load_file *f = w->out->count ? &w->out->files[0] : NULL;
	return f && f->is_read && !f->source.is_broken && (!f->source.has_include_errors || !w->old_patterns);
}

static int follow_all(struct walk *w, struct err *err)
{
	bool is_usable = is_main_usable(w);
	size_t count = is_usable ? w->out->files[0].source.include_count : w->old_patterns ? w->old_patterns->count : 0;
	for (size_t i = 0; i < count; i++) {
		/* the array of files may move while it grows */
		const struct include *at = is_usable ? &w->out->files[0].source.includes[i] : NULL;
		char *pattern = NULL;
		if (at) {
			struct span dir = folder_of(w->out->files[0].path);
			char *base = strndup(dir.p, dir.len);
			pattern = base ? file_join(base, at->pattern) : NULL;
			free(base);
		} else {
			pattern = strdup(w->old_patterns->items[i]);
		}
		if (!pattern)
			return err_set(err, ERR_NOMEM, "out of memory");
		int rc = follow(w, pattern, at, err);
		free(pattern);
		if (rc)
			return rc;
	}
	return 0;
}

/* By what they are, whatever they are called; by name where that is not known. */
static int compare_id(const struct load_file *a, const struct load_file *b)
{
	const struct file_id *x = &a->id, *y = &b->id;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->ino ? 0 : strcmp(a->path, b->path);
}

static int compare_files(const void *va, const void *vb, void *ctx)
{
	const struct load_file *files = ctx;
	const size_t *a = va, *b = vb;
	int c = compare_id(&files[*a], &files[*b]);
	return c ? c : (*a > *b) - (*a < *b);
}

static void free_file(struct load_file *f)
{
	source_deinit(&f->source);
	free(f->path);
}

/* A file that two patterns name is read once: the first time counts. */
static int drop_doubles(struct load *l)
{
	if (l->patterns.count == 0)
		return 0;
	size_t *order = reallocarray(NULL, l->count, sizeof *order);
	bool *is_double = calloc(l->count, sizeof *is_double);
	if (!order || !is_double) {
		free(order);
		free(is_double);
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < l->count; i++)
		order[i] = i;
	qsort_r(order, l->count, sizeof *order, compare_files, l->files);
	for (size_t i = 1; i < l->count; i++)
		is_double[order[i]] = compare_id(&l->files[order[i]], &l->files[order[i - 1]]) == 0;
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++) {
		if (is_double[i])
			free_file(&l->files[i]);
		else
			l->files[kept++] = l->files[i];
	}
	l->is_plain = l->is_plain && kept == l->count;
	l->count = kept;
	free(order);
	free(is_double);
	return 0;
}

int load_run(struct load *out, const char *path, load_is_known_fn *is_known, void *ctx,
	     const struct text_list *old_patterns, struct err *err)
{
	*out = (struct load){.is_plain = true};
	struct walk w = {out, is_known, ctx, old_patterns};
	int rc = add_folder(out, folder_of(path));
	if (rc)
		return err_set(err, rc, "out of memory");
	int main_rc = add_file(&w, path, true, err);
	if (main_rc && main_rc != ERR_NOENT)
		return main_rc;
	rc = follow_all(&w, main_rc ? NULL : err);
	if (rc == 0 && out->count && drop_doubles(out) != 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	rc = rc ? rc : main_rc;
	out->is_plain = out->is_plain && rc == 0 && out->lost.count == 0;
	return rc;
}

/* --- what changed ---------------------------------------------------------------------------------------------- */

/* Does it stand above files that are included? */
static bool is_folder_of_any(const struct text_list *patterns, const char *path)
{
	size_t len = strlen(path);
	for (size_t i = 0; i < patterns->count; i++)
		if (strncmp(patterns->items[i], path, len) == 0 && patterns->items[i][len] == '/')
			return true;
	return false;
}

static const char *find_pattern(const struct text_list *patterns, const char *path)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->items[i], path, FNM_PATHNAME | FNM_PERIOD) == 0)
			return patterns->items[i];
	return NULL;
}

/* A link's file, or one of two names, may be another file's double: only a look at all of them tells. */
static bool is_plain_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1;
}

/* Is what became of path told by path alone? */
static bool is_told(const struct text_list *patterns, const char *path)
{
	struct stat st;
	if (strlen(path) > DB_KEY_MAX_BYTES)
		return false;
	if (lstat(path, &st) == 0)
		return is_plain_file(&st);
	const char *pattern = find_pattern(patterns, path);
	bool is_lost = pattern && !strpbrk(pattern, "*?["); /* see follow: not to be taken for deleted */
	return errno == ENOENT && !is_lost && !is_folder_of_any(patterns, path);
}

static bool has_text(const struct text_list *l, const char *text)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i], text) == 0)
			return true;
	return false;
}

static int take_changed(struct walk *w, const char *pattern, const char *path, struct err *err)
{
	if (fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) != 0 || has_text(&w->out->looked_at, path))
		return 0;
	if (text_list_add(&w->out->looked_at, span_of(path)) != 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = add_file(w, path, false, err);
	return rc == ERR_NOENT ? 0 : rc;
}

static int take_unchanged_main(struct walk *w, const char *path, bool *out_is_unchanged, struct err *err)
{
	int rc = add_file(w, path, true, err);
	*out_is_unchanged = rc == 0 && !w->out->files[0].is_read;
	if (rc == 0 && text_list_add(&w->out->looked_at, span_of(path)) != 0)
		rc = ERR_NOMEM;
	return rc == ERR_NOMEM ? err_set(err, rc, "out of memory") : 0;
}

int load_changed(struct load *out, const char *path, load_is_known_fn *is_known, void *ctx,
		 const struct text_list *patterns, const struct text_list *changed, bool *out_is_enough,
		 struct err *err)
{
	*out = (struct load){.is_plain = true, .is_part = true};
	struct walk w = {out, is_known, ctx, patterns};
	*out_is_enough = false;
	for (size_t i = 0; i < changed->count; i++)
		if (changed->count > LOAD_CHANGED_MAX_COUNT || strcmp(changed->items[i], path) == 0 ||
		    !is_told(patterns, changed->items[i]))
			return 0;
	int rc = take_unchanged_main(&w, path, out_is_enough, err);
	/* in load_run's order: of two files with the same domain the first one counts */
	for (size_t p = 0; rc == 0 && *out_is_enough && p < patterns->count; p++)
		for (size_t i = 0; rc == 0 && i < changed->count; i++)
			rc = take_changed(&w, patterns->items[p], changed->items[i], err);
	*out_is_enough = *out_is_enough && out->is_plain; /* no link came in between */
	return rc;
}

void load_deinit(struct load *l)
{
	for (size_t i = 0; i < l->count; i++)
		free_file(&l->files[i]);
	free(l->files);
	text_list_deinit(&l->lost);
	text_list_deinit(&l->folders);
	text_list_deinit(&l->patterns);
	text_list_deinit(&l->looked_at);
	*l = (struct load){0};
}

bool load_is_lost(const struct load *l, const char *path)
{
	for (size_t i = 0; i < l->lost.count; i++)
		if (fnmatch(l->lost.items[i], path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

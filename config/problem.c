#include "problem.h"

#include "../base/err.h"

#include <stdlib.h>
#include <string.h>

static void free_item(struct problem *p)
{
	free(p->domain);
	free(p->text);
	free(p->hint);
}

void problem_list_deinit(struct problem_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free_item(&l->items[i]);
	for (size_t i = 0; i < l->file_count; i++)
		free(l->files[i]);
	free(l->files);
	free(l->items);
	*l = (struct problem_list){0};
}

static struct problem *grow(struct problem_list *l)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct problem *items = reallocarray(l->items, cap, sizeof *items);
		if (!items)
			return NULL;
		l->items = items;
		l->cap = cap;
	}
	return &l->items[l->count];
}

/* Problems come file by file: the last name is the likely one. */
static const char *keep_file(struct problem_list *l, const char *file)
{
	if (l->file_count && strcmp(l->files[l->file_count - 1], file) == 0)
		return l->files[l->file_count - 1];
	char **files = reallocarray(l->files, l->file_count + 1, sizeof *files);
	if (!files)
		return NULL;
	l->files = files;
	files[l->file_count] = strdup(file);
	return files[l->file_count] ? files[l->file_count++] : NULL;
}

void problem_add(struct problem_list *l, const struct problem *p, struct span domain)
{
	struct problem *at = grow(l);
	const char *file = keep_file(l, p->file);
	if (!at || !file) {
		l->failed = ERR_NOMEM;
		return;
	}
	*at = *p;
	at->file = file;
	at->domain = domain.len ? strndup(domain.p, domain.len) : NULL;
	at->text = strdup(p->text);
	at->hint = p->hint ? strdup(p->hint) : NULL;
	if ((domain.len && !at->domain) || !at->text || (p->hint && !at->hint)) {
		free_item(at);
		l->failed = ERR_NOMEM;
		return;
	}
	l->count++;
	l->error_count += p->severity == PROBLEM_ERROR;
	l->warning_count += p->severity == PROBLEM_WARNING;
}

int problem_compare(const struct problem *a, const struct problem *b)
{
	int c = strcmp(a->file, b->file);
	if (c == 0)
		c = (a->line > b->line) - (a->line < b->line);
	if (c == 0)
		c = (a->column > b->column) - (a->column < b->column);
	if (c == 0)
		c = strcmp(a->code, b->code);
	return c ? c : strcmp(a->text, b->text);
}

static int compare(const void *a, const void *b)
{
	return problem_compare(a, b);
}

void problem_sort(struct problem_list *l)
{
	if (l->count < 2)
		return;
	qsort(l->items, l->count, sizeof *l->items, compare);
	size_t kept = 1;
	for (size_t i = 1; i < l->count; i++) {
		struct problem *p = &l->items[i];
		if (problem_compare(&l->items[kept - 1], p) != 0) {
			l->items[kept++] = *p;
			continue;
		}
		l->error_count -= p->severity == PROBLEM_ERROR;
		l->warning_count -= p->severity == PROBLEM_WARNING;
		free_item(p);
	}
	l->count = kept;
}

const char *problem_severity_name(enum problem_severity s)
{
	static const char *const names[] = {"error", "warning", "info"};
	return names[s];
}

void problem_render(const struct problem *p, struct buf *out)
{
	(void)buf_add_text(out, p->file);
	if (p->line)
		(void)buf_printf(out, ":%u:%u", (unsigned)p->line, (unsigned)p->column);
	(void)buf_printf(out, ": %s %s: %s", problem_severity_name(p->severity), p->code, p->text);
	if (p->hint)
		(void)buf_printf(out, " (%s)", p->hint);
}

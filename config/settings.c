#include "settings.h"

#include "../base/err.h"

#include <stdlib.h>

int text_set(char **to, struct span text)
{
	char *copy = strndup(text.p ? text.p : "", text.len);
	if (!copy)
		return ERR_NOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int text_list_add(struct text_list *l, struct span text)
{
	char **items = reallocarray(l->items, l->count + 1, sizeof *items);
	if (!items)
		return ERR_NOMEM;
	l->items = items;
	items[l->count] = NULL;
	int rc = text_set(&items[l->count], text);
	l->count += rc == 0;
	return rc;
}

void text_list_deinit(struct text_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct text_list){0};
}

bool text_list_is_same(const struct text_list *a, const struct text_list *b)
{
	bool is_same = a->count == b->count;
	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = strcmp(a->items[i], b->items[i]) == 0;
	return is_same;
}

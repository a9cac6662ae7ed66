#include "settings_table.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "keys.h"
#include "setting.h"
#include "value.h"

#include <stdlib.h>

int settings_init(struct settings *s)
{
	*s = (struct settings){0};
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *k = &keys_table[i];
		if (!(k->scopes & KEY_SERVER) || !k->def)
			continue;
		int rc = setting_set_default(s, k);
		if (rc)
			return rc;
	}
	return 0;
}

/* What a settings field is, as far as storing and freeing goes. */
enum shape { SHAPE_NUMBER, SHAPE_TEXT, SHAPE_LIST };

static enum shape shape_of(enum key_type t)
{
	switch (t) {
	case KEY_NUMBER:
	case KEY_ID_SCHEME: return SHAPE_NUMBER;
	case KEY_ADDRESSES:
	case KEY_PATHS:
	case KEY_IPS:
	case KEY_COMMAND: return SHAPE_LIST;
	default: return SHAPE_TEXT;
	}
}

static void *field_of(const struct settings *s, const struct key *k)
{
	return (char *)(uintptr_t)s + k->field;
}

void settings_deinit(struct settings *s)
{
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *k = &keys_table[i];
		if (!(k->scopes & KEY_SERVER))
			continue;
		if (shape_of(k->type) == SHAPE_LIST)
			text_list_deinit(field_of(s, k));
		else if (shape_of(k->type) == SHAPE_TEXT)
			free(*(char **)field_of(s, k));
	}
	*s = (struct settings){0};
}

static void encode_text(struct buf *out, const char *text)
{
	(void)buf_add(out, text, strlen(text) + 1);
}

/* path NUL value NUL, again and again; a list as one entry per item. Unknown paths are passed over when read, so that
 * an older and a newer version read each other's. */
int settings_encode(const struct settings *s, struct buf *out)
{
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *k = &keys_table[i];
		if (!(k->scopes & KEY_SERVER))
			continue;
		const void *field = field_of(s, k);
		switch (shape_of(k->type)) {
		case SHAPE_NUMBER:
			encode_text(out, k->path);
			(void)buf_printf(out, "%u", (unsigned)*(const uint32_t *)field);
			(void)buf_add_char(out, '\0');
			break;
		case SHAPE_TEXT:
			if (*(char *const *)field) {
				encode_text(out, k->path);
				encode_text(out, *(char *const *)field);
			}
			break;
		case SHAPE_LIST:
			for (size_t n = 0; n < ((const struct text_list *)field)->count; n++) {
				encode_text(out, k->path);
				encode_text(out, ((const struct text_list *)field)->items[n]);
			}
			break;
		}
	}
	return out->failed;
}

static uint32_t largest(const struct key *k)
{
	return k->type == KEY_ID_SCHEME ? ID_DIGEST : (uint32_t)k->max;
}

static int decode_one(struct settings *s, const struct key *k, struct span value)
{
	switch (shape_of(k->type)) {
	case SHAPE_NUMBER: return value_parse_number(value, 0, largest(k), (uint32_t *)field_of(s, k));
	case SHAPE_TEXT: return text_set(field_of(s, k), value);
	case SHAPE_LIST: return text_list_add(field_of(s, k), value);
	}
	return ERR_PARSE;
}

/* What was stored by a version that did not know a key: its default. Texts and lists may be left out on purpose. */
static int set_default_numbers(struct settings *s)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < keys_count; i++)
		if ((keys_table[i].scopes & KEY_SERVER) && keys_table[i].def &&
		    shape_of(keys_table[i].type) == SHAPE_NUMBER)
			rc = setting_set_default(s, &keys_table[i]);
	return rc;
}

int settings_decode(struct span stored, struct settings *s)
{
	*s = (struct settings){0};
	if (set_default_numbers(s) != 0)
		return ERR_PARSE;
	struct span path, value;
	while (stored.len) {
		if (!span_take_text(&stored, &path) || !span_take_text(&stored, &value))
			return ERR_PARSE;
		const struct key *k = keys_find(path, KEY_SERVER);
		int rc = k ? decode_one(s, k, value) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool settings_is_same(const struct settings *a, const struct settings *b, const struct key *k)
{
	const void *x = field_of(a, k), *y = field_of(b, k);
	switch (shape_of(k->type)) {
	case SHAPE_NUMBER: return *(const uint32_t *)x == *(const uint32_t *)y;
	case SHAPE_TEXT: return is_same_text(*(char *const *)x, *(char *const *)y);
	case SHAPE_LIST: break;
	}
	return text_list_is_same(x, y);
}

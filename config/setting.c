#include "setting.h"

#include "../base/addr.h"
#include "../base/buf.h"
#include "../base/err.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/name.h"
#include "formats.h"
#include "keys.h"
#include "settings.h"
#include "value.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WORD_MAX_BYTES = 255 }; /* a user or group name, and more */

bool setting_is_list(const struct key *k)
{
	switch (k->type) {
	case KEY_ADDRESSES:
	case KEY_PATHS:
	case KEY_IPS:
	case KEY_COMMAND:
	case KEY_MX:
	case KEY_RUA: return true;
	default: return false;
	}
}

static void *field_of(struct settings *s, const struct key *k)
{
	return (char *)s + k->field;
}

void setting_clear_list(struct settings *s, const struct key *k)
{
	if (k->type == KEY_RUA) {
		free(*(char **)field_of(s, k));
		*(char **)field_of(s, k) = NULL;
	} else {
		text_list_deinit(field_of(s, k));
	}
}

static int set_number(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	int rc = value_parse_number(text, (uint32_t)k->min, (uint32_t)k->max, field_of(s, k));
	if (rc == 0)
		return 0;
	return value_wrong(e, "E17", NULL, "%s %s is no number from %" PRId64 " to %" PRId64, k->path, LOG_QUOTE(text),
			   k->min, k->max);
}

static int set_id_scheme(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	static const char *const names[] = {"timestamp", "serial", "digest"};
	for (uint32_t i = 0; i < 3; i++) {
		if (span_is(text, span_of(names[i]))) {
			*(uint32_t *)field_of(s, k) = i;
			return 0;
		}
	}
	return value_wrong(e, "E17", "write `timestamp`, `serial` or `digest`", "%s is no way to make ids",
			   LOG_QUOTE(text));
}

static int set_address(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct sockaddr_storage sa;
	struct err err = {0};
	char canonical[ADDR_TEXT_BYTES];
	if (addr_parse(text, &sa, &err) != 0)
		return value_wrong(e, "E17", NULL, "%s: %s", k->path, err.text);
	addr_render((const struct sockaddr *)&sa, canonical);
	int rc = k->type == KEY_ADDRESSES ? text_list_add(field_of(s, k), span_of(canonical))
					  : text_set(field_of(s, k), span_of(canonical));
	return rc ? value_no_memory(e) : 0;
}

static int set_ip(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct err err = {0};
	char canonical[ADDR_TEXT_BYTES];
	bool is_v6;
	if (addr_parse_ip(text, canonical, &is_v6, &err) != 0)
		return value_wrong(e, "E17", NULL, "%s: %s", k->path, err.text);
	return text_list_add(field_of(s, k), span_of(canonical)) ? value_no_memory(e) : 0;
}

static int set_path(struct settings *s, const struct key *k, struct span text, const char *base_dir,
		    struct value_error *e)
{
	struct buf copy;
	buf_init(&copy, 4096); /* PATH_MAX */
	(void)buf_add_span(&copy, text);
	const char *name = buf_text(&copy);
	int rc;
	if (copy.failed == ERR_NOMEM) {
		rc = value_no_memory(e);
	} else if (text.len == 0 || copy.failed) {
		rc = value_wrong(e, "E17", NULL, "%s is no path", LOG_QUOTE(text));
	} else {
		char *path = file_join(base_dir, name);
		if (!path)
			rc = ERR_NOMEM;
		else
			rc = k->type == KEY_PATHS ? text_list_add(field_of(s, k), span_of(path))
						  : text_set(field_of(s, k), span_of(path));
		free(path);
		if (rc)
			rc = value_no_memory(e);
	}
	buf_deinit(&copy);
	return rc;
}

static int set_word(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	if (text.len == 0 || text.len > WORD_MAX_BYTES || memchr(text.p, ' ', text.len))
		return value_wrong(e, "E17", NULL, "%s: %s is no single word", k->path, LOG_QUOTE(text));
	return text_set(field_of(s, k), text) ? value_no_memory(e) : 0;
}

static int set_name(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct name n;
	struct err err = {0};
	int rc = name_parse(text, &n, &err);
	if (rc == ERR_NOMEM)
		return value_no_memory(e);
	if (rc)
		return value_wrong(e, "E17", "a host name, such as policy.example.com", "%s: %s", k->path, err.text);
	return text_set(field_of(s, k), name_span(&n)) ? value_no_memory(e) : 0;
}

enum { ARGUMENT_MAX_BYTES = 4096 };

/* The program itself by its whole path: which one runs is not up to PATH. */
static int add_argument(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	struct text_list *argv = field_of(s, k);
	if (argv->count == 0 && (text.len == 0 || text.p[0] != '/'))
		return value_wrong(e, "E17", "a list that begins with a path such as /usr/bin/nsupdate",
				   "%s: %s is no absolute path", k->path, LOG_QUOTE(text));
	if (argv->count == SETTINGS_COMMAND_MAX_WORDS || text.len > ARGUMENT_MAX_BYTES)
		return value_wrong(e, "E17", "put them into a script", "%s is too long", k->path);
	return text_list_add(argv, text) ? value_no_memory(e) : 0;
}

static int set_format(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	if (!formats_find(text))
		return value_wrong(e, "E17", "`mta-sts-server records --help` lists them", "%s: there is no format %s",
				   k->path, LOG_QUOTE(text));
	return text_set(field_of(s, k), text) ? value_no_memory(e) : 0;
}

enum { RUA_MAX_BYTES = 2000 }; /* a TXT record that still fits one UDP answer with room to spare */

static int add_rua(struct settings *s, const struct key *k, struct span text, struct value_error *e)
{
	char **field = field_of(s, k);
	struct buf value;
	buf_init(&value, RUA_MAX_BYTES);
	if (*field)
		(void)buf_add_text(&value, *field);
	int rc = value_add_rua(text, &value, e);
	if (rc == 0 && text_set(field, buf_span(&value)) != 0)
		rc = value_no_memory(e);
	buf_deinit(&value);
	return rc;
}

int setting_set(struct settings *s, const struct key *k, struct span text, const char *base_dir, struct value_error *e)
{
	int rc = value_check_control(text, k->path, e);
	if (rc)
		return rc;
	switch (k->type) {
	case KEY_ADDRESS:
	case KEY_ADDRESSES: return set_address(s, k, text, e);
	case KEY_PATH:
	case KEY_PATHS: return set_path(s, k, text, base_dir, e);
	case KEY_WORD: return set_word(s, k, text, e);
	case KEY_NUMBER: return set_number(s, k, text, e);
	case KEY_ID_SCHEME: return set_id_scheme(s, k, text, e);
	case KEY_RUA: return add_rua(s, k, text, e);
	case KEY_NAME: return set_name(s, k, text, e);
	case KEY_IPS: return set_ip(s, k, text, e);
	case KEY_COMMAND: return add_argument(s, k, text, e);
	case KEY_FORMAT: return set_format(s, k, text, e);
	case KEY_MODE:
	case KEY_MX:
	case KEY_ID: break; /* no server key has these */
	}
	return value_wrong(e, "E16", NULL, "%s cannot stand here", k->path);
}

int setting_set_default(struct settings *s, const struct key *k)
{
	struct value_error e;
	const char *p = k->def;
	for (;;) { /* items of a list stand side by side */
		p += strspn(p, " ");
		size_t len = strcspn(p, " ");
		if (len == 0)
			return 0;
		if (setting_set(s, k, (struct span){p, len}, "/", &e) != 0)
			return ERR_NOMEM;
		p += len;
	}
}

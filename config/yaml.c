#include "yaml.h"

#include "../base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 16 }; /* no key of ours is deeper than 4 */

struct yaml {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool has_event;
	unsigned depth; /* open mappings and lists */
	struct span bytes;
	const char *path;
	struct problem_list *problems;
	struct span domain;
};

void yaml_set_domain(struct yaml *y, struct span domain)
{
	y->domain = domain;
}

size_t yaml_error_count(const struct yaml *y)
{
	return y->problems->error_count;
}

static struct place place_of(yaml_mark_t mark)
{
	return (struct place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

struct place yaml_place(const struct yaml *y)
{
	return place_of(y->event.start_mark);
}

void yaml_problem(struct yaml *y, enum problem_severity severity, const char *code, struct place at, const char *hint,
		  const char *fmt, ...)
{
	char text[PROBLEM_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct problem p = {
		.severity = severity,
		.file = y->path,
		.line = at.line,
		.column = at.column,
		.text = text,
		.hint = (char *)(uintptr_t)hint, /* copied */
	};
	(void)snprintf(p.code, sizeof p.code, "%s", code);
	problem_add(y->problems, &p, y->domain);
}

#define error_at(y, code, at, hint, ...) yaml_problem(y, PROBLEM_ERROR, code, at, hint, __VA_ARGS__)

static const char *syntax_hint(const struct yaml *y)
{
	const char *problem = y->parser.problem ? y->parser.problem : "";
	const char *context = y->parser.context ? y->parser.context : "";
	if (strstr(context, "alias"))
		return "quote the wildcard: \"*.example.com\"";
	if (strstr(problem, "tab character") ||
	    (strstr(problem, "cannot start any token") && strstr(context, "for the next token")))
		return "indent with blanks, not tabs, and quote text that begins with a special character";
	if (strstr(problem, "control characters"))
		return "write plain UTF-8 text";
	return NULL;
}

/* The reader of libyaml knows only an offset. */
static struct place place_of_offset(struct span bytes, size_t offset)
{
	struct place at = {1, 1};
	for (size_t i = 0; i < offset && i < bytes.len; i++) {
		at.column++;
		if (bytes.p[i] == '\n')
			at = (struct place){at.line + 1, 1};
	}
	return at;
}

static int syntax_error(struct yaml *y)
{
	const yaml_parser_t *p = &y->parser;
	if (p->error == YAML_MEMORY_ERROR)
		return ERR_NOMEM;
	bool is_alias = p->context && strstr(p->context, "alias");
	struct place at = p->error == YAML_READER_ERROR ? place_of_offset(y->bytes, p->problem_offset)
							: place_of(is_alias ? p->context_mark : p->problem_mark);
	y->domain = (struct span){NULL, 0};
	error_at(y, is_alias ? "E12" : "E16", at, syntax_hint(y), "%s%s%s", p->context ? p->context : "",
		 p->context ? ": " : "", p->problem ? p->problem : "no YAML");
	return ERR_PARSE;
}

/* libyaml takes time that grows with the square of the depth. */
static int check_depth(struct yaml *y)
{
	switch (y->event.type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT: y->depth++; break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT: y->depth--; break;
	default: break;
	}
	if (y->depth <= DEPTH_MAX)
		return 0;
	error_at(y, "E16", place_of(y->event.start_mark), NULL, "nested more than %d deep", DEPTH_MAX);
	return ERR_PARSE;
}

static int next(struct yaml *y)
{
	if (y->has_event)
		yaml_event_delete(&y->event);
	y->has_event = yaml_parser_parse(&y->parser, &y->event) == 1;
	return y->has_event ? check_depth(y) : syntax_error(y);
}

static const yaml_char_t *anchor_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT: return e->data.scalar.anchor;
	case YAML_MAPPING_START_EVENT: return e->data.mapping_start.anchor;
	case YAML_SEQUENCE_START_EVENT: return e->data.sequence_start.anchor;
	default: return NULL;
	}
}

static const yaml_char_t *tag_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT: return e->data.scalar.tag;
	case YAML_MAPPING_START_EVENT: return e->data.mapping_start.tag;
	case YAML_SEQUENCE_START_EVENT: return e->data.sequence_start.tag;
	default: return NULL;
	}
}

/* What no node of ours may be. Says so and returns true. */
static bool is_forbidden_node(struct yaml *y)
{
	const yaml_event_t *e = &y->event;
	if (e->type == YAML_ALIAS_EVENT)
		error_at(y, "E12", yaml_place(y), "quote a wildcard: \"*.example.com\"; share values with `policies`",
			 "*%s is an alias, which is not supported", (const char *)e->data.alias.anchor);
	else if (anchor_of(e))
		error_at(y, "E12", yaml_place(y), "share values with `policies` or `defaults`",
			 "&%s is an anchor, which is not supported", (const char *)anchor_of(e));
	else if (tag_of(e))
		error_at(y, "E12", yaml_place(y), "leave it out", "tag %s is not supported", (const char *)tag_of(e));
	else
		return false;
	return true;
}

/* To the last event of the current node. */
int yaml_skip(struct yaml *y)
{
	size_t depth = 0;
	for (;;) {
		switch (y->event.type) {
		case YAML_MAPPING_START_EVENT:
		case YAML_SEQUENCE_START_EVENT: depth++; break;
		case YAML_MAPPING_END_EVENT:
		case YAML_SEQUENCE_END_EVENT: depth--; break;
		default: break;
		}
		if (depth == 0)
			return 0;
		int rc = next(y);
		if (rc)
			return rc;
	}
}

struct span yaml_scalar(const struct yaml *y)
{
	return (struct span){(const char *)y->event.data.scalar.value, y->event.data.scalar.length};
}

/* YAML's null: nothing, ~ or null, unquoted. */
bool yaml_is_null(const struct yaml *y)
{
	if (y->event.type != YAML_SCALAR_EVENT || y->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	struct span s = yaml_scalar(y);
	return s.len == 0 || span_is(s, SPAN_LIT("~")) || span_is(s, SPAN_LIT("null"));
}

bool yaml_is_scalar(const struct yaml *y)
{
	return y->event.type == YAML_SCALAR_EVENT;
}

bool yaml_is_mapping(const struct yaml *y)
{
	return y->event.type == YAML_MAPPING_START_EVENT;
}

int yaml_refuse(struct yaml *y, const char *code, const char *hint, const char *text)
{
	error_at(y, code, yaml_place(y), hint, "%s", text);
	return yaml_skip(y);
}

/* --- mappings and lists ------------------------------------------------------------------------------------- */

/* The current event as a key; false when it cannot be one (said already). */
static bool take_key(struct yaml *y, struct yaml_key *key)
{
	if (is_forbidden_node(y))
		return false;
	key->at = yaml_place(y);
	if (y->event.type != YAML_SCALAR_EVENT) {
		error_at(y, "E16", key->at, NULL, "a key must be plain text");
		return false;
	}
	struct span s = yaml_scalar(y);
	if (span_is(s, SPAN_LIT("<<")) && y->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		error_at(y, "E12", key->at, "share values with `policies` or `defaults`",
			 "merge keys (<<) are not supported");
		return false;
	}
	if (s.len > YAML_KEY_MAX_BYTES) {
		error_at(y, "E16", key->at, NULL, "a key of %zu bytes", s.len);
		return false;
	}
	memcpy(key->text, s.p, s.len);
	key->text[s.len] = '\0';
	key->len = s.len;
	return true;
}

/* The current event is a mapping's start: fn for each pair. */
int yaml_mapping(struct yaml *y, yaml_pair_fn *fn, void *ctx)
{
	struct yaml_key key;
	for (;;) {
		int rc = next(y);
		if (rc)
			return rc;
		if (y->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		bool is_usable = take_key(y, &key);
		if (!is_usable)
			rc = yaml_skip(y);
		if (rc == 0)
			rc = next(y);
		if (rc == 0)
			rc = !is_usable || is_forbidden_node(y) ? yaml_skip(y) : fn(y, &key, ctx);
		if (rc)
			return rc;
	}
}

/* A list, or a single scalar as a list of one: fn for each text in it. */
int yaml_list(struct yaml *y, const char *name, yaml_item_fn *fn, void *ctx)
{
	if (yaml_is_null(y)) {
		error_at(y, "E16", yaml_place(y), "write a list, or take the key out", "%s is empty", name);
		return 0;
	}
	if (y->event.type == YAML_SCALAR_EVENT)
		return fn(y, yaml_scalar(y), yaml_place(y), ctx);
	if (y->event.type != YAML_SEQUENCE_START_EVENT)
		return yaml_refuse(y, "E16", "write a list: [first, second]", "a list is wanted here");
	for (;;) {
		int rc = next(y);
		if (rc)
			return rc;
		if (y->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (is_forbidden_node(y))
			rc = yaml_skip(y);
		else if (y->event.type == YAML_SCALAR_EVENT)
			rc = fn(y, yaml_scalar(y), yaml_place(y), ctx);
		else
			rc = yaml_refuse(y, "E16", NULL, "plain text is wanted here");
		if (rc)
			return rc;
	}
}

/* From the stream's start to its end, with on_root on the way. */
static int walk(struct yaml *y, yaml_root_fn *on_root, void *ctx)
{
	int rc = next(y); /* stream start */
	if (rc == 0)
		rc = next(y); /* document start */
	bool is_empty = rc == 0 && y->event.type == YAML_STREAM_END_EVENT;
	if (rc == 0 && !is_empty)
		rc = next(y);
	if (rc)
		return rc;
	if (is_empty || yaml_is_null(y)) {
		error_at(y, "E16", ((struct place){1, 1}),
			 "write `domains: {}` if there are none; delete an included file", "the file is empty");
		return ERR_PARSE;
	}
	if (is_forbidden_node(y))
		return ERR_PARSE;
	rc = on_root(y, ctx);
	if (rc == 0)
		rc = next(y); /* document end */
	if (rc == 0)
		rc = next(y);
	if (rc == 0 && y->event.type != YAML_STREAM_END_EVENT) {
		error_at(y, "E12", yaml_place(y), "put everything into one document", "a second document begins here");
		rc = ERR_PARSE;
	}
	return rc;
}

int yaml_read(struct span bytes, const char *path, struct problem_list *problems, yaml_root_fn *on_root, void *ctx)
{
	struct yaml y = {.bytes = bytes, .path = path, .problems = problems};
	if (!yaml_parser_initialize(&y.parser))
		return ERR_NOMEM;
	yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)(bytes.p ? bytes.p : ""), bytes.len);
	int rc = walk(&y, on_root, ctx);
	if (y.has_event)
		yaml_event_delete(&y.event);
	yaml_parser_delete(&y.parser);
	return problems->failed ? ERR_NOMEM : rc;
}

/* json: renders JSON (RFC 8259) into a buf: one value behind the other, commas and escapes taken care of. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "buf.h"
#include "span.h"

#include <stdbool.h>
#include <stdint.h>

struct json {
	struct buf *out;
	bool wants_comma;
};

void json_begin(struct json *j, struct buf *out);
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_text(struct json *j, struct span s); /* bytes that are no UTF-8 become U+FFFD */
void json_number(struct json *j, int64_t n);
void json_bool(struct json *j, bool b);
void json_null(struct json *j);

/* key and value in one */
void json_put_text(struct json *j, const char *key, struct span s);
void json_put_number(struct json *j, const char *key, int64_t n);
void json_put_bool(struct json *j, const char *key, bool b);

/* json_put_time: "1994-11-06T08:49:37Z", or null for 0. */
void json_put_time(struct json *j, const char *key, int64_t unix_s);

#endif

/* value: one scalar of the YAML -> one value, or a code with a sentence. Pure.
 *
 * Functions with a value_error return 0; ERR_PARSE or ERR_RANGE with e filled in; or ERR_NOMEM, which says nothing
 * about the value: the caller passes it on and tells nobody that the value is wrong. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "../base/span.h"
#include "problem.h"

#include <stdint.h>

struct buf;
struct key;
struct settings;

/* What is wrong with a scalar: see problem.h. hint: NULL or static. */
struct value_error {
	char code[PROBLEM_CODE_BYTES];
	char text[PROBLEM_TEXT_BYTES];
	const char *hint;
};

/* Something that works but was not as it should be. */
enum value_note { VALUE_FINE, VALUE_NORMALISED, VALUE_DUPLICATE, VALUE_SINGLE_LABEL, VALUE_TOO_MANY };

/* value_parse_number: canonical decimal: digits only, no sign, blank, unit or leading zero. 0, ERR_PARSE or ERR_RANGE.
 */
int value_parse_number(struct span text, uint32_t min, uint32_t max, uint32_t *out);

int value_parse_mode(struct span text, uint32_t *out_mode, struct value_error *e);
int value_parse_max_age(struct span text, uint32_t *out_s, struct value_error *e);

/* value_add_mx: one pattern behind the packed list; a duplicate is left out and noted. out->max is the ceiling. */
int value_add_mx(struct span text, struct buf *packed, enum value_note *note, struct value_error *e);

/* value_check_id: 1-32 letters or digits (RFC 8461 3.1). */
int value_check_id(struct span text, struct value_error *e);

/* value_add_rua: one URI behind a TLSRPT value that begins empty; "," "!" ";" are percent-encoded (RFC 8460 3). */
int value_add_rua(struct span text, struct buf *value, struct value_error *e);

/* value_parse_domain: a policy domain in the form of name.h. *note: VALUE_NORMALISED when it was written otherwise. */
struct name;
int value_parse_domain(struct span text, struct name *out, struct value_error *e);

/* value_set: a scalar for a server key; lists are appended to. base_dir: what relative paths are relative to. */
int value_set(struct settings *s, const struct key *k, struct span text, const char *base_dir, struct value_error *e);

/* value_clear_list: a list that is written replaces the default one. */
void value_clear_list(struct settings *s, const struct key *k);

/* value_set_default: the row's built-in default. 0 or ERR_NOMEM. */
int value_set_default(struct settings *s, const struct key *k);

/* value_has_control: NUL, CR, LF or any other control character: never wanted in a scalar (policy injection). */
bool value_has_control(struct span text);

/* value_is_list: does the key take a list? */
bool value_is_list(const struct key *k);

#endif

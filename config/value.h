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

/* What is wrong with a scalar: see problem.h. hint: NULL or static. */
struct value_error {
	char code[PROBLEM_CODE_BYTES];
	char text[PROBLEM_TEXT_BYTES];
	const char *hint;
};

/* value_wrong: fills in e; ERR_PARSE. hint: NULL or static. */
__attribute__((format(printf, 4, 5))) int value_wrong(struct value_error *e, const char *code, const char *hint,
						      const char *fmt, ...);

/* value_no_memory: ERR_NOMEM. Nothing is wrong with the value: whoever reads it must stop, or a file that is good would
 * be taken for a bad one. */
int value_no_memory(struct value_error *e);

/* value_check_control: refuses what value_has_control finds in the value of the key that is called what. */
int value_check_control(struct span text, const char *what, struct value_error *e);

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

/* value_has_control: NUL, CR, LF or any other control character: never wanted in a scalar (policy injection). */
bool value_has_control(struct span text);

#endif

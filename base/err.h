/* err: the error value that fallible functions fill in: a code that callers branch on and a sentence that people read.
 *
 * The sentence is written once, where the detail is known; callers put context in front with err_wrap.
 * Nothing here prints or logs. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

enum err_code {
	ERR_NOMEM = -1,    /* out of memory */
	ERR_IO = -2,       /* the system refused: file, socket, disk */
	ERR_NOENT = -3,    /* not there */
	ERR_PARSE = -4,    /* bytes that do not follow the grammar */
	ERR_RANGE = -5,    /* well-formed, but outside its limits */
	ERR_CONFLICT = -6, /* contradicts something that is already there */
	ERR_TIMEOUT = -7,  /* the deadline passed */
	ERR_PROTO = -8,    /* the peer broke the protocol */
	ERR_TLS = -9,      /* the TLS library refused */
	ERR_PERM = -10,    /* no permission */
};

enum { ERR_TEXT_BYTES = 512 }; /* a path of 255 bytes with a sentence around it */

struct err {
	int code; /* one of err_code, or 0 */
	char text[ERR_TEXT_BYTES];
};

/* err_set: fills in e (which may be NULL) and returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_errno: like err_set with ": " and the text of errnum appended; ENOMEM, ENOENT and EACCES/EPERM choose
 * their code, anything else is ERR_IO. */
int err_errno(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_wrap: puts the formatted context and ": " in front of the text. Returns e's code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

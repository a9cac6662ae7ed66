#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		e->code = code;
		(void)vsnprintf(e->text, sizeof e->text, fmt, ap); /* cut off where too long: still a sentence */
		va_end(ap);
	}
	return code;
}

static int code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM: return ERR_NOMEM;
	case ENOENT: return ERR_NOENT;
	case EACCES:
	case EPERM: return ERR_PERM;
	default: return ERR_IO;
	}
}

int err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	int code = code_of_errno(errnum);
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		e->code = code;
		int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
		va_end(ap);
		errno = errnum; /* for %m, which is strerror without its static buffer or its two interfaces */
		if (n >= 0 && (size_t)n < sizeof e->text)
			(void)snprintf(e->text + n, sizeof e->text - (size_t)n, ": %m");
	}
	return code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char prefix[ERR_TEXT_BYTES / 2]; /* the detail behind it matters more */
	if (!e)
		return 0;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(prefix, sizeof prefix - 2, fmt, ap);
	va_end(ap);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof prefix - 2 ? (size_t)n : sizeof prefix - 3;
	memcpy(prefix + len, ": ", 2);
	len += 2;
	memmove(e->text + len, e->text, sizeof e->text - len);
	memcpy(e->text, prefix, len);
	e->text[sizeof e->text - 1] = '\0';
	return e->code;
}

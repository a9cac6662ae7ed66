/* unit: what every test program needs. cmocka wants its four standard headers before itself. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../base/span.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* A literal with its length, so that a case may hold a NUL. */
#define LIT(s) \
	{ \
		(s), sizeof(s) - 1 \
	}

#endif

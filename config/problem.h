/* problem: what is wrong or doubtful in the configuration, with its place, code and hint.
 *
 * Codes are those of the manual (mta-sts-server.yaml(5), "PROBLEMS"). Reading goes on after a problem, so that one
 * `check` shows them all. */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "../base/buf.h"
#include "../base/span.h"

#include <stdint.h>

enum problem_severity { PROBLEM_ERROR, PROBLEM_WARNING, PROBLEM_INFO };

enum { PROBLEM_CODE_BYTES = 4, PROBLEM_TEXT_BYTES = 640 };

struct problem {
	enum problem_severity severity;
	char code[PROBLEM_CODE_BYTES]; /* "E04" */
	const char *file;              /* in a list: belongs to the list */
	uint32_t line, column;         /* from 1; 0: the whole file */
	char *domain;                  /* the policy domain that is concerned; NULL: none in particular */
	char *text;                    /* what is wrong */
	char *hint;                    /* what to do; NULL: nothing to add */
};

struct problem_list {
	struct problem *items;
	char **files; /* names that items refer to */
	size_t file_count;
	size_t count, cap;
	size_t error_count, warning_count;
	int failed; /* ERR_NOMEM: one was lost */
};

void problem_list_deinit(struct problem_list *l);

/* problem_add: copies everything. domain may be empty, hint NULL. */
void problem_add(struct problem_list *l, const struct problem *p, struct span domain);

/* problem_compare: the order of problem_sort: <0, 0, >0. */
int problem_compare(const struct problem *a, const struct problem *b);

/* problem_sort: by file name, line, column; equal ones are made one. */
void problem_sort(struct problem_list *l);

const char *problem_severity_name(enum problem_severity s); /* "error", "warning", "info" */

/* problem_render: "file:line:column: error E04: text (hint)" without a line end. */
void problem_render(const struct problem *p, struct buf *out);

#endif

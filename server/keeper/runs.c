#include "runs.h"

#include "../../base/db.h"
#include "../../base/err.h"
#include "batch.h"
#include "child.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { QUICK_FAILURES = 6 }; /* a second after each: so many it takes to find out whom of a batch to blame */

static const struct span runs_key = {"publish", 7};

/* Host order, as all of the store; of the text what is used. */
struct stored_runs {
	int64_t done_unix_s, failed_unix_s;
	uint32_t failure_count, text_len;
	char text[RUNS_TEXT_BYTES];
};

void runs_count_failure(struct runs *r, bool is_alone)
{
	if ((!is_alone || r->failure_count >= QUICK_FAILURES) && r->failure_count < UINT32_MAX)
		r->failure_count++;
}

uint32_t runs_pause_s(const struct runs *r, uint32_t random)
{
	if (r->failure_count <= QUICK_FAILURES)
		return 1;
	return batch_delay_s(r->failure_count - QUICK_FAILURES + 1, RUNS_PAUSE_MAX_S, random);
}

void runs_render_failure(struct runs *r, const struct child_result *result, uint64_t timeout_ms)
{
	char why[96];
	switch (result->end) {
	case CHILD_EXITED: (void)snprintf(why, sizeof why, "exit status %d", result->status); break;
	case CHILD_KILLED: (void)snprintf(why, sizeof why, "killed by signal %d", result->signal); break;
	case CHILD_LATE:
		(void)snprintf(why, sizeof why, "no end within %" PRIu64 " ms, and so it was ended", timeout_ms);
		break;
	case CHILD_NOT_RUN: (void)snprintf(why, sizeof why, "it cannot be run"); break;
	}
	size_t room = sizeof r->text - strlen(why) - sizeof ": ";
	struct span said = result->text;
	while (said.len && (said.p[said.len - 1] == '\n' || said.p[said.len - 1] == ' '))
		said.len--;
	if (said.len > room) /* the end of it says more than the beginning */
		said = (struct span){said.p + said.len - room, room};
	int n = snprintf(r->text, sizeof r->text, "%s%s%.*s", why, said.len ? ": " : "", SPAN_ARG(said));
	r->text_len = n < 0 ? 0 : (size_t)n < sizeof r->text ? (size_t)n : sizeof r->text - 1;
}

int runs_load(struct db_txn *txn, struct runs *out)
{
	struct stored_runs s;
	struct span value;
	*out = (struct runs){0};
	int rc = db_get(txn, DB_META, runs_key, &value);
	if (rc)
		return rc == ERR_NOENT ? 0 : rc;
	if (value.len != sizeof s)
		return 0;
	memcpy(&s, value.p, sizeof s);
	if (s.text_len > sizeof s.text)
		return 0;
	out->done_unix_s = s.done_unix_s;
	out->failed_unix_s = s.failed_unix_s;
	out->failure_count = s.failure_count;
	out->text_len = s.text_len;
	memcpy(out->text, s.text, s.text_len);
	return 0;
}

int runs_store(struct db_txn *txn, const struct runs *r, struct err *err)
{
	struct stored_runs s = {
		.done_unix_s = r->done_unix_s,
		.failed_unix_s = r->failed_unix_s,
		.failure_count = r->failure_count,
		.text_len = (uint32_t)r->text_len,
	};
	memcpy(s.text, r->text, r->text_len);
	return db_put(txn, DB_META, runs_key, (struct span){(const char *)&s, sizeof s}, err);
}

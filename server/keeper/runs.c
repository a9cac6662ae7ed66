#include "runs.h"

#include "../../base/db.h"
#include "../../base/err.h"

static const struct span runs_key = {"publish", 7};

/* Host order, as all of the store; of the text what is used. */
struct stored_runs {
	int64_t done_unix_s, failed_unix_s;
	uint32_t failure_count, text_len;
	char text[RUNS_TEXT_BYTES];
};

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

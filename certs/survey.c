#include "survey.h"

#include "../base/err.h"
#include "../base/file.h"
#include "complaints.h"
#include "pairs.h"
#include "pem.h"
#include "seen.h"
#include "verdict.h"

enum { LIST_MAX_BYTES = 1 << 30 };

static int on_file(void *ctx, const char *path, const struct file_id *id, struct err *err);
static int on_trouble(void *ctx, const char *path, bool is_error, const char *text, struct err *err);
static void on_dir(void *ctx, const char *dir, const char *look_at);
static int on_files_end(void *ctx, int fd, struct err *err);

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

void survey_init(struct survey *s)
{
	buf_init(&s->paths, LIST_MAX_BYTES);
	buf_init(&s->fresh, LIST_MAX_BYTES);
	buf_init(&s->troubled, LIST_MAX_BYTES);
	buf_init(&s->waits, LIST_MAX_BYTES);
	buf_init(&s->judged, LIST_MAX_BYTES);
	s->tree = (struct tree){
		.on_file = on_file,
		.on_dir = s->on_dir ? on_dir : NULL,
		.on_files_end = s->on_files_end ? on_files_end : NULL,
		.on_trouble = on_trouble,
		.ctx = s,
		.is_partial = s->is_partial,
	};
}

void survey_deinit(struct survey *s)
{
	buf_deinit(&s->paths);
	buf_deinit(&s->fresh);
	buf_deinit(&s->troubled);
	buf_deinit(&s->waits);
	buf_deinit(&s->judged);
	tree_deinit(&s->tree);
	idmap_deinit(&s->visited);
	idmap_deinit(&s->judged_ids);
	idmap_deinit(&s->key_files);
}

/* ---- lists ---- */

const char *survey_path(const struct survey *s, uint32_t at)
{
	return s->paths.p + at;
}

static int keep_path(struct survey *s, const char *path, uint32_t *out, struct err *err)
{
	*out = (uint32_t)s->paths.len;
	return buf_add(&s->paths, path, strlen(path) + 1) ? out_of_memory(err) : 0;
}

static int list_path(struct survey *s, struct buf *list, const char *path, struct err *err)
{
	uint32_t at;
	int rc = keep_path(s, path, &at, err);
	return rc == 0 && buf_add(list, &at, sizeof at) ? out_of_memory(err) : rc;
}

static const char *listed_path(const struct survey *s, const struct buf *list, size_t i)
{
	uint32_t at;
	memcpy(&at, list->p + i * sizeof at, sizeof at);
	return survey_path(s, at);
}

size_t survey_fresh_count(const struct survey *s)
{
	return s->fresh.len / sizeof(uint32_t);
}

const char *survey_fresh(const struct survey *s, size_t i)
{
	return listed_path(s, &s->fresh, i);
}

void survey_settle(struct survey *s, size_t first)
{
	size_t count = survey_fresh_count(s);
	const char *last = first < count ? survey_fresh(s, count - 1) : NULL;
	if (last && last + strlen(last) + 1 == s->paths.p + s->paths.len)
		s->paths.len = (size_t)(survey_fresh(s, first) - s->paths.p); /* no other list has one behind them */
	s->fresh.len = first * sizeof(uint32_t);
}

size_t survey_wait_count(const struct survey *s)
{
	return s->waits.len / sizeof(struct survey_wait);
}

struct survey_wait survey_wait(const struct survey *s, size_t i)
{
	struct survey_wait w;
	memcpy(&w, s->waits.p + i * sizeof w, sizeof w);
	return w;
}

/* ---- rows ---- */

/* the pair and its key: without either it is to be stored again */
static bool find_stored(const struct survey *s, const uint8_t id[SHA256_BYTES], struct pair *out)
{
	struct span key;
	return pairs_get(s->store, id, out) == 0 && keyring_get(s->keyring, out->spki, &key) == 0;
}

static void count_verdict(void *ctx, bool is_error, const char *text)
{
	size_t *count = ctx;
	(void)is_error;
	(void)text;
	++*count;
}

static int note_pair(struct survey *s, const struct pair *pair, struct err *err)
{
	size_t count = 0;
	verdict_of_pair(pair, s->now_unix_s, count_verdict, &count);
	int put = count ? idmap_put(&s->judged_ids, pair->id, 0) : ERR_CONFLICT;
	if (put == ERR_NOMEM || (put == 0 && buf_add(&s->judged, pair->id, SHA256_BYTES) != 0))
		return out_of_memory(err);
	return 0;
}

static int note_leaf(struct survey *s, const char *path, const struct seen_item *item, struct err *err)
{
	struct pair pair;
	if (item->kind == SEEN_CARRIED)
		return 0;
	if (find_stored(s, item->id, &pair))
		return note_pair(s, &pair, err);
	if (item->not_after_unix_s < s->now_unix_s)
		return 0; /* it was swept, or never worth a thing */
	struct survey_wait w = {.is_missed = item->kind == SEEN_LEAF};
	memcpy(w.spki, item->spki, SHA256_BYTES);
	int rc = keep_path(s, path, &w.path, err);
	return rc == 0 && buf_add(&s->waits, &w, sizeof w) ? out_of_memory(err) : rc;
}

static int note_key(struct survey *s, const char *path, const struct seen_item *item, struct err *err)
{
	uint32_t at;
	if (idmap_has(&s->key_files, item->spki, NULL))
		return 0;
	int rc = keep_path(s, path, &at, err);
	return rc == 0 && idmap_put(&s->key_files, item->spki, at) ? out_of_memory(err) : rc;
}

int survey_note(struct survey *s, const char *path, bool are_keys_at_hand, struct err *err)
{
	struct span items;
	struct file_id unused;
	struct seen_item item;
	bool is_troubled = false;
	int rc = seen_find(s->store, path, &unused, &items, err);
	if (rc)
		return rc == ERR_NOENT ? 0 : rc;
	while (rc == 0 && seen_next(&items, &item) == 0) {
		if (item.kind <= SEEN_CARRIED)
			rc = note_leaf(s, path, &item, err);
		else if (item.kind == SEEN_KEY)
			rc = are_keys_at_hand ? 0 : note_key(s, path, &item, err);
		else
			is_troubled = true;
	}
	return rc == 0 && is_troubled ? list_path(s, &s->troubled, path, err) : rc;
}

/* ---- files ---- */

static int on_file(void *ctx, const char *path, const struct file_id *id, struct err *err)
{
	struct survey *s = ctx;
	struct span items;
	struct file_id seen;
	uint8_t path_id[IDMAP_ID_BYTES];
	seen_id_of_path(path, path_id);
	int rc = idmap_put(&s->visited, path_id, 0);
	if (rc)
		return rc == ERR_CONFLICT ? 0 : out_of_memory(err);
	s->file_count++;
	rc = seen_find(s->store, path, &seen, &items, err);
	if (rc && rc != ERR_NOENT)
		return rc;
	if ((rc == 0 && file_id_is(id, &seen)) || id->size > PEM_FILE_MAX_BYTES)
		return survey_note(s, path, false, err);
	return list_path(s, &s->fresh, path, err);
}

static int on_files_end(void *ctx, int fd, struct err *err)
{
	struct survey *s = ctx;
	int rc = s->on_files_end(s->on_files_end_ctx, fd, s->told_count, err);
	s->told_count = survey_fresh_count(s);
	return rc;
}

static void on_dir(void *ctx, const char *dir, const char *look_at)
{
	const struct survey *s = ctx;
	s->on_dir(s->on_dir_ctx, dir, look_at);
}

int survey_complain(struct survey *s, const char *path, bool is_error, const char *text, struct err *err)
{
	uint8_t path_id[IDMAP_ID_BYTES];
	seen_id_of_path(path, path_id);
	if (idmap_put(&s->visited, path_id, 0) == ERR_NOMEM ||
	    complaints_add(s->complaints, span_of(path), is_error, span_of(text)) != 0)
		return out_of_memory(err);
	return survey_note(s, path, false, err);
}

static int on_trouble(void *ctx, const char *path, bool is_error, const char *text, struct err *err)
{
	return survey_complain(ctx, path, is_error, text, err);
}

int survey_walk(struct survey *s, const char *root, struct err *err)
{
	return tree_walk(&s->tree, root, err);
}

/* ---- complaints ---- */

static int describe_item(struct survey *s, const char *path, const struct seen_item *item)
{
	struct pair unused;
	if (item->kind == SEEN_ERROR || item->kind == SEEN_WARNING)
		return complaints_add(s->complaints, span_of(path), item->kind == SEEN_ERROR, item->text);
	if (item->kind != SEEN_LEAF || item->not_after_unix_s < s->now_unix_s || find_stored(s, item->id, &unused))
		return 0;
	struct buf text;
	buf_init(&text, VERDICT_TEXT_BYTES);
	int rc = buf_printf(&text, "certificate for %.*s: no private key for it was found under certs.paths",
			    SPAN_ARG(item->text));
	if (rc == 0)
		rc = complaints_add(s->complaints, span_of(path), true, buf_span(&text));
	buf_deinit(&text);
	return rc;
}

static int describe_file(struct survey *s, const char *path, struct idmap *described)
{
	struct span items;
	struct file_id unused;
	struct seen_item item;
	uint8_t path_id[IDMAP_ID_BYTES];
	seen_id_of_path(path, path_id);
	int rc = idmap_put(described, path_id, 0);
	if (rc)
		return rc == ERR_CONFLICT ? 0 : rc;
	rc = seen_find(s->store, path, &unused, &items, NULL);
	if (rc)
		return rc == ERR_NOENT ? 0 : rc;
	while (rc == 0 && seen_next(&items, &item) == 0)
		rc = describe_item(s, path, &item);
	return rc;
}

struct about {
	struct complaints *complaints;
	struct span source;
	int rc;
};

static void on_verdict(void *ctx, bool is_error, const char *text)
{
	struct about *a = ctx;
	int rc = complaints_add(a->complaints, a->source, is_error, span_of(text));
	a->rc = a->rc ? a->rc : rc;
}

static int describe_pair(struct survey *s, const uint8_t id[SHA256_BYTES])
{
	struct pair pair;
	if (pairs_get(s->store, id, &pair) != 0)
		return 0; /* swept meanwhile */
	struct about a = {.complaints = s->complaints, .source = pair.source};
	verdict_of_pair(&pair, s->now_unix_s, on_verdict, &a);
	return a.rc;
}

int survey_describe(struct survey *s, struct err *err)
{
	struct idmap described = {0};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < s->troubled.len / sizeof(uint32_t); i++)
		rc = describe_file(s, listed_path(s, &s->troubled, i), &described);
	for (size_t i = 0; rc == 0 && i < survey_wait_count(s); i++)
		rc = describe_file(s, survey_path(s, survey_wait(s, i).path), &described);
	for (size_t i = 0; rc == 0 && i < s->judged.len / SHA256_BYTES; i++)
		rc = describe_pair(s, (const uint8_t *)s->judged.p + i * SHA256_BYTES);
	idmap_deinit(&described);
	return rc ? out_of_memory(err) : 0;
}

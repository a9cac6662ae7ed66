#include "intake.h"

#include "../base/db.h"
#include "../base/err.h"
#include "chain.h"
#include "holders.h"
#include "pairs.h"
#include "pem.h"
#include "pkey.h"
#include "seen.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ROW_MAX_BYTES = 1 << 20 }; /* a file of 256 KiB holds some 500 certificates: 100 KiB of items */

/* One file, being taken in. */
struct visit {
	struct intake *k;
	const char *path;
	struct pem_file file;
	struct buf row;
	size_t good_count;    /* pairs valid now that it holds */
	bool is_expired;      /* a pair in it is */
	size_t carried_count; /* pairs that it held before, and has no better ones for */
};

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

int intake_init(struct intake *k, int64_t now_unix_s, struct err *err)
{
	*k = (struct intake){.now_unix_s = now_unix_s};
	buf_init(&k->bytes, PEM_FILE_MAX_BYTES);
	/* all of it now: growing later would leave copies of keys behind */
	return buf_reserve(&k->bytes, PEM_FILE_MAX_BYTES) ? out_of_memory(err) : 0;
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->len);
	buf_reset(b);
}

void intake_deinit(struct intake *k)
{
	for (size_t i = 0; i < k->key_count; i++)
		pkey_deinit(&k->keys[i]);
	free(k->keys);
	wipe(&k->bytes);
	buf_deinit(&k->bytes);
	idmap_deinit(&k->key_index);
	*k = (struct intake){0};
}

/* ---- keys ---- */

static bool is_in_keyring(struct intake *k, const uint8_t spki[SHA256_BYTES])
{
	struct span der;
	return keyring_get(k->keyring, spki, &der) == 0;
}

bool intake_has_key(struct intake *k, const uint8_t spki[SHA256_BYTES])
{
	return idmap_has(&k->key_index, spki, NULL) || is_in_keyring(k, spki);
}

static int add_item(struct visit *v, const struct seen_item *item, struct err *err)
{
	return seen_add(&v->row, item) ? out_of_memory(err) : 0;
}

static int add_text(struct visit *v, bool is_error, const char *text, struct err *err)
{
	struct seen_item item = {.kind = is_error ? SEEN_ERROR : SEEN_WARNING, .text = span_of(text)};
	return add_item(v, &item, err);
}

static int grow_keys(struct intake *k, struct err *err)
{
	if (k->key_count < k->key_cap)
		return 0;
	size_t cap = k->key_cap ? k->key_cap * 2 : 16;
	struct pkey *grown = realloc(k->keys, cap * sizeof *grown); /* holds no secret, but pointers to some */
	if (!grown)
		return out_of_memory(err);
	k->keys = grown;
	k->key_cap = cap;
	return 0;
}

static int take_key(struct visit *v, struct pkey *key, struct err *err)
{
	struct intake *k = v->k;
	struct seen_item item = {.kind = SEEN_KEY};
	memcpy(item.spki, key->spki, SHA256_BYTES);
	int rc = add_item(v, &item, err);
	if (rc == 0 && !intake_has_key(k, key->spki)) {
		rc = grow_keys(k, err);
		if (rc == 0 && idmap_put(&k->key_index, key->spki, (uint32_t)k->key_count) != 0)
			rc = out_of_memory(err);
		if (rc == 0) {
			k->keys[k->key_count++] = *key;
			*key = (struct pkey){0};
		}
	}
	return rc;
}

static int check_mode(struct visit *v, struct err *err)
{
	struct stat st;
	char text[128];
	if (stat(v->path, &st) != 0 || !(st.st_mode & S_IROTH))
		return 0;
	(void)snprintf(text, sizeof text,
		       "every user of this machine can read this private key (mode %04o); chmod o= it",
		       (unsigned)st.st_mode & 07777);
	return add_text(v, false, text, err);
}

static int take_keys(struct visit *v, struct err *err)
{
	int rc = v->file.key_count || v->file.has_encrypted_key ? check_mode(v, err) : 0;
	for (size_t i = 0; rc == 0 && i < v->file.key_count; i++)
		rc = take_key(v, &v->file.keys[i], err);
	if (rc == 0 && v->file.has_encrypted_key)
		rc = add_text(v, false,
			      "a private key in it is encrypted and cannot be used; store it without password "
			      "(openssl pkey -in FILE -out NEW)",
			      err);
	return rc;
}

/* ---- certificates ---- */

static int store_key(struct intake *k, const uint8_t spki[SHA256_BYTES], struct err *err)
{
	uint32_t i;
	if (is_in_keyring(k, spki) || !idmap_has(&k->key_index, spki, &i))
		return 0;
	k->keyring_is_changed = true;
	int rc = keyring_put(k->keyring, &k->keys[i], KEYRING_IMPORTED, err);
	pkey_deinit(&k->keys[i]); /* from here on it is found in the keyring */
	memcpy(k->keys[i].spki, spki, SHA256_BYTES);
	return rc;
}

static int store_pair(struct visit *v, const struct chain *c, struct err *err)
{
	struct intake *k = v->k;
	struct pair old;
	bool is_changed = false;
	int rc = store_key(k, c->spki, err);
	if (rc)
		return rc;
	v->good_count += c->not_before_unix_s <= k->now_unix_s && k->now_unix_s <= c->not_after_unix_s;
	v->is_expired = v->is_expired || k->now_unix_s > c->not_after_unix_s;
	bool is_new = pairs_get(k->store, c->id, &old) != 0;
	/* a file that is cut off may have lost issuers that the pair has */
	if (v->file.bad_block_count && !is_new && c->cert_count <= old.cert_count)
		return 0;
	rc = pairs_put(k->store, c, span_of(v->path), &is_changed, err);
	k->store_is_changed = k->store_is_changed || is_changed;
	k->added_count += is_new && is_changed;
	return rc;
}

static int take_chain(struct visit *v, const struct chain *c, struct err *err)
{
	char text[VERDICT_TEXT_BYTES];
	bool is_quiet = c->is_ca && c->name_count == 0; /* somebody's CA: an issuer, kept beside the leaves */
	bool has_key = intake_has_key(v->k, c->spki);
	if ((has_key || !is_quiet) && verdict_refuses(c, text))
		return add_text(v, true, text, err);
	struct seen_item item = {
		.kind = is_quiet ? SEEN_QUIET : SEEN_LEAF,
		.not_after_unix_s = c->not_after_unix_s,
		.text = span_of(c->label),
	};
	memcpy(item.id, c->id, SHA256_BYTES);
	memcpy(item.spki, c->spki, SHA256_BYTES);
	int rc = add_item(v, &item, err);
	return rc || !has_key ? rc : store_pair(v, c, err);
}

/* ---- the row ---- */

static bool holds(struct span items, const uint8_t id[SHA256_BYTES])
{
	struct seen_item item;
	while (seen_next(&items, &item) == 0)
		if (item.kind <= SEEN_CARRIED && memcmp(item.id, id, SHA256_BYTES) == 0)
			return true;
	return false;
}

static int carry_on(struct visit *v, struct span old_items, struct err *err)
{
	struct seen_item item;
	struct pair pair;
	struct file_id unused;
	struct span new_items;
	int rc = 0;
	while (rc == 0 && seen_next(&old_items, &item) == 0) {
		if (item.kind > SEEN_CARRIED || pairs_get(v->k->store, item.id, &pair) != 0)
			continue;
		if (seen_open(buf_span(&v->row), &unused, &new_items) == 0 && holds(new_items, item.id))
			continue;
		item.kind = SEEN_CARRIED;
		item.text = (struct span){NULL, 0};
		rc = add_item(v, &item, err);
		v->carried_count++;
	}
	return rc;
}

/* An expired replacement may be swept at once: its owner must be told all the same. */
static int tell_of_relapse(struct visit *v, struct err *err)
{
	if (!v->is_expired || v->carried_count == 0)
		return 0;
	return add_text(v, true, "the certificate in it has expired; the one that it held before goes on being served",
			err);
}

static int store_row(struct visit *v, struct err *err)
{
	struct span old, old_items;
	struct file_id unused;
	int rc = seen_get(v->k->store, v->path, &old);
	if (rc && rc != ERR_NOENT)
		return err_set(err, rc, "store: the list of certificate files cannot be read");
	if (rc == 0 && seen_open(old, &unused, &old_items) == 0) {
		rc = v->good_count ? 0 : carry_on(v, old_items, err);
		if (rc == 0)
			rc = tell_of_relapse(v, err);
		if (rc || span_is(old, buf_span(&v->row)))
			return rc;
	}
	v->k->store_is_changed = true;
	return holders_put_row(v->k->store, v->path, buf_span(&v->row), err);
}

static int take_bad_blocks(struct visit *v, struct err *err)
{
	char text[sizeof v->file.note + 64];
	if (v->file.bad_block_count == 0)
		return 0;
	/* beside something that is good it may be a CA that only the library does not know */
	bool is_error = v->file.chain_count == 0 && v->file.key_count == 0;
	(void)snprintf(text, sizeof text, "%zu of its PEM blocks cannot be used: %s", v->file.bad_block_count,
		       v->file.note);
	return add_text(v, is_error, text, err);
}

int intake_take(struct intake *k, const char *path, const struct file_id *id, struct err *err)
{
	struct visit v = {.k = k, .path = path};
	buf_init(&v.row, ROW_MAX_BYTES);
	k->parsed_count++;
	int rc = pem_parse(buf_span(&k->bytes), &v.file, err);
	if (rc == 0 && seen_begin(&v.row, id) != 0)
		rc = out_of_memory(err);
	if (rc == 0)
		rc = take_keys(&v, err);
	for (size_t i = 0; rc == 0 && i < v.file.chain_count; i++)
		rc = take_chain(&v, &v.file.chains[i], err);
	if (rc == 0)
		rc = take_bad_blocks(&v, err);
	if (rc == 0)
		rc = store_row(&v, err);
	pem_deinit(&v.file);
	buf_deinit(&v.row);
	wipe(&k->bytes);
	return rc;
}

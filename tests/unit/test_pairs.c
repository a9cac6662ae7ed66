#include "../../base/buf.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../certs/candidates.h"
#include "../../certs/chain.h"
#include "../../certs/pairs.h"
#include "store_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { DAY_S = 86400 };
#define NOW INT64_C(1780272000)
#define HOST SPAN_LIT("mta-sts.example.com")

static struct store_dir dir;
static struct db_txn *txn, *keys;

static int start(void **state)
{
	(void)state;
	store_dir_open(&dir);
	return db_begin_write(dir.store, &txn, NULL) || db_begin_write(dir.keyring, &keys, NULL);
}

static int stop(void **state)
{
	(void)state;
	db_end(txn);
	db_end(keys);
	store_dir_close(&dir);
	return 0;
}

/* A chain whose leaf is known by one letter. */
struct made {
	char letter;
	const char *name;
	int from_day, to_day;
	enum pkey_type type;
	size_t certs;
	bool is_self_signed, is_not_for_servers;
};

static struct chain make(const struct made *m)
{
	struct chain c = {
		.cert_count = m->certs,
		.not_before_unix_s = NOW + (int64_t)m->from_day * DAY_S,
		.not_after_unix_s = NOW + (int64_t)m->to_day * DAY_S,
		.key_type = m->type,
		.key_bits = m->type == PKEY_RSA ? 2048 : 256,
		.has_server_auth = !m->is_not_for_servers,
		.is_self_signed = m->is_self_signed,
		.issuer = "CN=issuer",
	};
	memset(c.id, m->letter, sizeof c.id);
	memset(c.spki, m->letter + 1, sizeof c.spki);
	buf_init(&c.der, 4096);
	buf_init(&c.names, 4096);
	for (size_t i = 0; i < m->certs; i++)
		(void)buf_printf(&c.der, "der %c %zu;", m->letter, i);
	char name[256];
	for (const char *at = m->name; sscanf(at, "%255s", name) == 1; at += strlen(name), at += *at == ' ') {
		(void)buf_add_char(&c.names, (char)strlen(name));
		(void)buf_add_text(&c.names, name);
		c.name_count++;
	}
	return c;
}

static bool put_from(const struct made *m, const char *source)
{
	struct chain c = make(m);
	bool is_changed;
	assert_int_equal(pairs_put(txn, &c, span_of(source), &is_changed, NULL), 0);
	chain_deinit(&c);
	return is_changed;
}

static void put(struct made m)
{
	m.type = m.type ? m.type : PKEY_P256;
	m.certs = m.certs ? m.certs : 3;
	m.name = m.name ? m.name : "mta-sts.example.com";
	(void)put_from(&m, "/certs/file.pem");
}

/* the letters of what a host is served with: EC, then RSA; "." for none, and "!" in front when nothing is valid */
static const char *found(struct span host)
{
	static char text[8];
	struct pair_choice choice;
	int rc = pairs_find(txn, host, NOW, &choice);
	if (rc)
		return rc == ERR_NOENT ? "none" : "failed";
	(void)snprintf(text, sizeof text, "%s%c%c", choice.is_valid ? "" : "!", choice.has_ec ? choice.ec.id[0] : '.',
		       choice.has_rsa ? choice.rsa.id[0] : '.');
	return text;
}

static void test_pairs_give_back_what_was_put(void **state)
{
	(void)state;
	const struct made m = {'a', "mta-sts.example.com *.example.net", -30, 60, PKEY_P384, 3, true, false};
	struct pair p;
	struct chain c = make(&m);
	assert_true(put_from(&m, "/certs/a.pem"));
	assert_int_equal(pairs_get(txn, c.id, &p), 0);
	assert_memory_equal(p.id, c.id, SHA256_BYTES);
	assert_memory_equal(p.spki, c.spki, SHA256_BYTES);
	assert_int_equal(p.not_before_unix_s, c.not_before_unix_s);
	assert_int_equal(p.not_after_unix_s, c.not_after_unix_s);
	assert_int_equal(p.key_type, PKEY_P384);
	assert_int_equal(p.key_bits, 256);
	assert_int_equal(p.cert_count, 3);
	assert_true(p.is_self_signed && p.has_server_auth && !p.has_must_staple);
	assert_true(span_is(p.der, buf_span(&c.der)));
	assert_true(span_is(p.names, buf_span(&c.names)));
	assert_true(span_is(p.issuer, SPAN_LIT("CN=issuer")));
	assert_true(span_is(p.source, SPAN_LIT("/certs/a.pem")));
	chain_deinit(&c);
}

static void test_pairs_next_walks_all(void **state)
{
	(void)state;
	struct pair p;
	uint8_t id[SHA256_BYTES];
	put((struct made){.letter = 'b', .to_day = 1});
	put((struct made){.letter = 'a', .to_day = 1});
	assert_int_equal(pairs_next(txn, NULL, &p), 0);
	assert_int_equal(p.id[0], 'a');
	memcpy(id, p.id, sizeof id);
	assert_int_equal(pairs_next(txn, id, &p), 0);
	assert_int_equal(p.id[0], 'b');
	memset(id, 'a', sizeof id);
	assert_int_equal(pairs_delete(txn, id, NULL), 0);
	assert_int_equal(pairs_next(txn, id, &p), 0); /* behind one that is gone */
	assert_int_equal(p.id[0], 'b');
	memcpy(id, p.id, sizeof id);
	assert_int_equal(pairs_next(txn, id, &p), ERR_NOENT);
}

static void test_pairs_delete_takes_the_names_along(void **state)
{
	(void)state;
	uint8_t id[SHA256_BYTES];
	put((struct made){.letter = 'a', .name = "mta-sts.example.com *.example.net", .to_day = 10});
	put((struct made){.letter = 'b', .to_day = 5});
	memset(id, 'a', sizeof id);
	assert_string_equal(found(HOST), "a.");
	assert_int_equal(pairs_delete(txn, id, NULL), 0);
	assert_string_equal(found(HOST), "b.");
	assert_string_equal(found(SPAN_LIT("x.example.net")), "none");
	assert_int_equal(pairs_delete(txn, id, NULL), ERR_NOENT);
	memset(id, 'b', sizeof id);
	assert_int_equal(pairs_delete(txn, id, NULL), 0);
	assert_int_equal(db_count(txn, DB_NAMES), 0);
}

/* The choice between two; days from now. */
static const struct {
	int line;
	struct made a, b;
	const char *want;
} choices[] = {
	/* the later not_after */
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', NULL, -9, 8, 0, 0, 0, 0}, "a."},
	/* valid before not yet valid */
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', NULL, 1, 99, 0, 0, 0, 0}, "a."},
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', NULL, -9, -1, 0, 0, 0, 0}, "a."},
	/* the last one is served all the same */
	{__LINE__, {'a', NULL, -9, -1, 0, 0, 0, 0}, {'b', NULL, -9, -2, 0, 0, 0, 0}, "!a."},
	/* side by side */
	{__LINE__, {'a', NULL, -9, 9, PKEY_P384, 0, 0, 0}, {'b', NULL, -9, 9, PKEY_RSA, 0, 0, 0}, "ab"},
	{__LINE__, {'a', NULL, -9, 9, PKEY_RSA, 0, 0, 0}, {'b', NULL, -9, 8, PKEY_RSA, 0, 0, 0}, ".a"},
	/* no expired one beside a valid one */
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', NULL, -9, -1, PKEY_RSA, 0, 0, 0}, "a."},
	{__LINE__, {'a', NULL, -9, -1, 0, 0, 0, 0}, {'b', NULL, -9, 9, PKEY_RSA, 0, 0, 0}, ".b"},
	{__LINE__, {'a', NULL, -9, -1, 0, 0, 0, 0}, {'b', NULL, -9, -1, PKEY_RSA, 0, 0, 0}, "!ab"},
	/* a CA's before self-signed */
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', NULL, -9, 999, 0, 1, 1, 0}, "a."},
	/* with issuers before leaf alone */
	{__LINE__, {'a', NULL, -9, 9, 0, 2, 0, 0}, {'b', NULL, -9, 99, 0, 1, 0, 0}, "a."},
	/* then it is the date that counts */
	{__LINE__, {'a', NULL, -9, 9, 0, 2, 0, 0}, {'b', NULL, -9, 8, 0, 4, 0, 0}, "a."},
	{__LINE__, {'a', NULL, -9, 9, 0, 3, 0, 0}, {'b', NULL, -9, 9, 0, 2, 0, 0}, "a."},
	/* exact before wildcard */
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', "*.example.com", -9, 99, 0, 0, 0, 0}, "a."},
	{__LINE__, {'a', NULL, -9, -1, 0, 0, 0, 0}, {'b', "*.example.com", -9, 9, 0, 0, 0, 0}, "b."},
	/* never without serverAuth */
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, 0}, {'b', NULL, -9, 99, 0, 0, 0, true}, "a."},
	{__LINE__, {'a', NULL, -9, 9, 0, 0, 0, true}, {'b', "example.com", -9, 9, 0, 0, 0, 0}, "none"},
	{__LINE__, {'a', "*.mta-sts.example.com", -9, 9, 0, 0, 0, 0}, {'b', "*.com", -9, 9, 0, 0, 0, 0}, "none"},
};

static void test_pairs_find_chooses_the_best(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(choices); i++) {
		db_end(txn);
		assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
		/* in either order */
		put(i % 2 ? choices[i / 2].a : choices[i / 2].b);
		put(i % 2 ? choices[i / 2].b : choices[i / 2].a);
		if (strcmp(found(HOST), choices[i / 2].want) != 0)
			fail_msg("line %d: %s", choices[i / 2].line, found(HOST));
	}
}

/* A-S9, C35, C102: *.example.com covers mta-sts.example.com, not mta-sts.mail.example.com, nor example.com */
static void test_pairs_wildcard_is_one_label(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *host, *want;
	} hosts[] = {
		{__LINE__, "mta-sts.example.com", "a."},
		{__LINE__, "mta-sts.mail.example.com", "none"},
		{__LINE__, "example.com", "none"},
		{__LINE__, ".example.com", "a."}, /* no host has such a name */
		{__LINE__, "com", "none"},
		{__LINE__, "", "none"},
	};
	put((struct made){.letter = 'a', .name = "*.example.com", .to_day = 1});
	for (size_t i = 0; i < COUNT(hosts); i++)
		if (strcmp(found(span_of(hosts[i].host)), hosts[i].want) != 0)
			fail_msg("line %d: %s", hosts[i].line, found(span_of(hosts[i].host)));
}

static void test_pairs_longest_host_and_wildcard(void **state)
{
	(void)state;
	char host[512], name[254];
	(void)snprintf(name, sizeof name, "*.%062d.%063d.%063d.%060d", 0, 0, 0, 0);
	(void)snprintf(host, sizeof host, "a%s", name + 1);
	assert_int_equal(strlen(host), 253);
	put((struct made){.letter = 'a', .name = name, .to_day = 1});
	assert_string_equal(found(span_of(host)), "a.");
	memset(host, 'a', sizeof host); /* longer than any key */
	host[1] = '.';
	assert_string_equal(found((struct span){host, sizeof host}), "none");
}

static void test_pairs_bare_leaf_does_not_displace_the_chain(void **state)
{
	(void)state;
	struct made full = {'a', "mta-sts.example.com", -9, 9, PKEY_P256, 3, false, false}, bare = full, other = full;
	struct pair p;
	uint8_t id[SHA256_BYTES];
	bare.certs = 1;
	other.certs = 4;
	memset(id, 'a', sizeof id);
	assert_true(put_from(&bare, "/certs/cert.pem"));
	assert_true(put_from(&full, "/certs/fullchain.pem"));
	assert_false(put_from(&full, "/certs/fullchain.pem"));
	assert_false(put_from(&bare, "/certs/cert.pem"));
	assert_int_equal(pairs_get(txn, id, &p), 0);
	assert_int_equal(p.cert_count, 3);
	assert_true(span_is(p.source, SPAN_LIT("/certs/fullchain.pem")));
	assert_true(put_from(&other, "/certs/other.pem"));
	/* from the same file even a shorter one is what the operator wants */
	assert_false(put_from(&full, "/certs/fullchain.pem"));
	assert_true(put_from(&full, "/certs/other.pem"));
	assert_string_equal(found(HOST), "a.");
	assert_int_equal(db_count(txn, DB_PAIRS), 1);
}

static void test_pairs_name_that_all_bear_stays_quick(void **state)
{
	(void)state;
	struct chain c = make(&(struct made){'a', "mta-sts.example.com", -9, 0, PKEY_P256, 3, false, false});
	bool is_changed;
	for (int i = 0; i < CANDIDATES_MAX + 50; i++) {
		memcpy(c.id, &i, sizeof i);
		c.not_after_unix_s = NOW + (i * 7919 % 400 + 1) * DAY_S;
		assert_int_equal(pairs_put(txn, &c, SPAN_LIT("x"), &is_changed, NULL), 0);
	}
	struct span row;
	struct pair_choice choice;
	assert_int_equal(db_get(txn, DB_NAMES, HOST, &row), 0);
	assert_int_equal(row.len, CANDIDATES_MAX * sizeof(struct candidate));
	assert_int_equal(pairs_find(txn, HOST, NOW, &choice), 0);
	int64_t best = 0;
	for (int i = 0; i < CANDIDATES_MAX + 50; i++)
		if (NOW + (i * 7919 % 400 + 1) * DAY_S > best)
			best = NOW + (i * 7919 % 400 + 1) * DAY_S;
	assert_int_equal(choice.ec.not_after_unix_s, best);
	chain_deinit(&c);
}

static void test_pairs_damaged_rows_are_no_pairs(void **state)
{
	(void)state;
	uint8_t id[SHA256_BYTES];
	struct span row;
	struct pair p;
	struct pair_choice choice;
	put((struct made){.letter = 'a', .to_day = 1});
	memset(id, 'a', sizeof id);
	struct span key = {(const char *)id, sizeof id};
	assert_int_equal(db_get(txn, DB_PAIRS, key, &row), 0);
	struct buf copy;
	buf_init(&copy, 4096);
	(void)buf_add_span(&copy, row);
	size_t der_len = sizeof "der a 0;" - 1;
	for (size_t len = 0; len + 3 * der_len < copy.len; len++) {
		assert_int_equal(db_put(txn, DB_PAIRS, key, (struct span){copy.p, len}, NULL), 0);
		assert_int_equal(pairs_get(txn, id, &p), ERR_IO);
		assert_int_equal(pairs_find(txn, HOST, NOW, &choice), ERR_IO);
	}
	copy.p[0] ^= 1; /* another version */
	assert_int_equal(db_put(txn, DB_PAIRS, key, buf_span(&copy), NULL), 0);
	assert_int_equal(pairs_get(txn, id, &p), ERR_IO);
	buf_deinit(&copy);
}

static bool finds_valid(struct span host)
{
	struct pair_choice choice;
	return pairs_find(txn, host, NOW, &choice) == 0 && choice.is_valid;
}

enum { HOSTS = 300 };

/* One pair in three expired, one is for other uses than servers; single names, wildcards, both; RSA beside EC. */
static void put_many(void)
{
	char name[64];
	for (int i = 0; i < HOSTS; i++) {
		struct made m = {.letter = (char)(1 + i % 100), .name = name, .to_day = i % 3 ? 9 : -1, .from_day = -9};
		m.type = i % 4 ? PKEY_P256 : PKEY_RSA;
		m.is_not_for_servers = i % 11 == 0;
		(void)snprintf(name, sizeof name, i % 5 == 1 ? "*.h%03d.example" : "mta-sts.h%03d.example", i);
		if (i % 7 != 2)
			put(m);
		m.letter = (char)(101 + i % 20);
		m.type = PKEY_RSA;
		if (i % 5 == 3)
			put(m);
	}
}

static void damage(char letter)
{
	uint8_t id[SHA256_BYTES];
	memset(id, letter, sizeof id);
	assert_int_equal(db_put(txn, DB_PAIRS, (struct span){(const char *)id, sizeof id}, SPAN_LIT("x"), NULL), 0);
}

static void test_pairs_has_valid_says_what_find_says_in_order_or_not(void **state)
{
	(void)state;
	struct pairs_memo *memo = pairs_memo_new();
	size_t count[2] = {0}, failures = 0;
	assert_non_null(memo);
	put_many();
	damage(8); /* before the memo has it */
	for (int round = 0; round < 8; round++) {
		if (round == 4) { /* from here on out of a snapshot */
			assert_int_equal(db_commit(txn, NULL), 0);
			assert_int_equal(db_begin_read(dir.store, &txn, NULL), 0);
		}
		for (int n = 0; n < HOSTS + 20; n++) {
			char host[64];
			int step = (const int[]){1, 1, 7, HOSTS + 19}[round % 4];
			(void)snprintf(host, sizeof host, "mta-sts.h%03d.example", n * step % (HOSTS + 20));
			bool is_found = finds_valid(span_of(host));
			int has = pairs_has_valid(txn, span_of(host), NOW, round % 2 ? memo : NULL);
			if ((has == 1) != is_found)
				fail_msg("round %d, %s: %d, not %d", round, host, has, is_found);
			failures += has < 0;
			count[has == 1]++;
		}
	}
	assert_true(failures > 0 && count[0] > 300 && count[1] > 300);
	pairs_memo_free(memo);
}

static void test_pairs_memo_spares_a_look_at_the_same_pair(void **state)
{
	(void)state;
	struct pairs_memo *memo = pairs_memo_new();
	put((struct made){.letter = 'a', .to_day = 1});
	assert_int_equal(pairs_has_valid(txn, HOST, NOW, memo), 1);
	damage('a'); /* shows whether it is looked at */
	assert_int_equal(pairs_has_valid(txn, HOST, NOW, memo), 1);
	assert_int_equal(pairs_has_valid(txn, HOST, NOW, NULL), ERR_IO);
	assert_int_equal(pairs_has_valid(txn, HOST, NOW + 2 * DAY_S, memo), 0);
	pairs_memo_free(memo);
}

/* ---- what may go ---- */

static bool is_letter_held(void *ctx, const uint8_t id[SHA256_BYTES])
{
	const char *held = ctx;
	return strchr(held, id[0]) != NULL;
}

static const struct {
	int line;
	struct made p, other;
	const char *held;
	int want;
} covers[] = {
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, 99, 0, 0, 0, 0}, "", 1},
	/* whose file is gone as well */
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, 8, 0, 0, 0, 0}, "", 0},
	/* what the file holds is what is wanted */
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, 8, 0, 0, 0, 0}, "o", 1},
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, -1, 0, 0, 0, 0}, "o", 0},
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, 1, 99, 0, 0, 0, 0}, "o", 0},
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, 99, 0, 0, true, 0}, "o", 0},
	{__LINE__, {'p', NULL, -9, 9, 0, 0, true, 0}, {'o', NULL, -9, 99, 0, 0, true, 0}, "o", 1},
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, 99, 0, 0, 0, true}, "o", 0},
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', "*.example.com", -9, 99, 0, 0, 0, 0}, "", 1},
	{__LINE__, {'p', "*.example.com", -9, 9, 0, 0, 0, 0}, {'o', NULL, -9, 99, 0, 0, 0, 0}, "", 0},
	{__LINE__, {'p', "*.example.com", -9, 9, 0, 0, 0, 0}, {'o', "*.example.com", -9, 99, 0, 0, 0, 0}, "", 1},
	/* every name */
	{__LINE__, {'p', "a.b c.d", -9, 9, 0, 0, 0, 0}, {'o', "a.b", -9, 99, 0, 0, 0, 0}, "", 0},
	{__LINE__, {'p', "a.b c.d", -9, 9, 0, 0, 0, 0}, {'o', "c.d a.b", -9, 99, 0, 0, 0, 0}, "", 1},
	/* oneself does not count */
	{__LINE__, {'p', NULL, -9, 9, 0, 0, 0, 0}, {'o', "x.y", -9, 99, 0, 0, 0, 0}, "po", 0},
};

static void test_pairs_covered_is_every_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(covers); i++) {
		struct pair p;
		uint8_t id[SHA256_BYTES];
		memset(id, 'p', sizeof id);
		db_end(txn);
		assert_int_equal(db_begin_write(dir.store, &txn, NULL), 0);
		put(covers[i].p);
		put(covers[i].other);
		assert_int_equal(pairs_get(txn, id, &p), 0);
		int got = pairs_is_covered(txn, &p, NOW, is_letter_held, (void *)(uintptr_t)covers[i].held);
		if (got != covers[i].want)
			fail_msg("line %d: %d", covers[i].line, got);
	}
}

/* ---- keyring ---- */

static struct pkey key_of(char letter)
{
	struct pkey k = {.type = PKEY_P256, .bits = 256};
	memset(k.spki, letter, sizeof k.spki);
	buf_init(&k.der, 64);
	(void)buf_printf(&k.der, "key %c", letter);
	return k;
}

static void test_keyring_gives_back_what_was_put(void **state)
{
	(void)state;
	struct pkey a = key_of('a'), b = key_of('b');
	struct span der;
	uint8_t spki[SHA256_BYTES];
	enum keyring_origin origin;
	assert_int_equal(keyring_put(keys, &b, KEYRING_MADE, NULL), 0);
	assert_int_equal(keyring_put(keys, &a, KEYRING_IMPORTED, NULL), 0);
	assert_int_equal(keyring_get(keys, a.spki, &der), 0);
	assert_true(span_is(der, SPAN_LIT("key a")));
	assert_int_equal(keyring_next(keys, NULL, spki, &origin), 0);
	assert_memory_equal(spki, a.spki, SHA256_BYTES);
	assert_int_equal(origin, KEYRING_IMPORTED);
	assert_int_equal(keyring_next(keys, spki, spki, &origin), 0);
	assert_memory_equal(spki, b.spki, SHA256_BYTES);
	assert_int_equal(origin, KEYRING_MADE);
	assert_int_equal(keyring_next(keys, spki, spki, &origin), ERR_NOENT);
	assert_int_equal(keyring_delete(keys, a.spki, NULL), 0);
	assert_int_equal(keyring_get(keys, a.spki, &der), ERR_NOENT);
	pkey_deinit(&a);
	pkey_deinit(&b);
}

static void test_keyring_own_key_stays_our_own(void **state)
{
	(void)state;
	struct pkey a = key_of('a');
	uint8_t spki[SHA256_BYTES];
	enum keyring_origin origin;
	assert_int_equal(keyring_put(keys, &a, KEYRING_IMPORTED, NULL), 0);
	assert_int_equal(keyring_put(keys, &a, KEYRING_MADE, NULL), 0);
	assert_int_equal(keyring_put(keys, &a, KEYRING_IMPORTED, NULL), 0);
	assert_int_equal(keyring_next(keys, NULL, spki, &origin), 0);
	assert_int_equal(origin, KEYRING_MADE);
	pkey_deinit(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pairs_give_back_what_was_put),
		TEST(test_pairs_next_walks_all),
		TEST(test_pairs_delete_takes_the_names_along),
		TEST(test_pairs_find_chooses_the_best),
		TEST(test_pairs_wildcard_is_one_label),
		TEST(test_pairs_longest_host_and_wildcard),
		TEST(test_pairs_bare_leaf_does_not_displace_the_chain),
		TEST(test_pairs_name_that_all_bear_stays_quick),
		TEST(test_pairs_damaged_rows_are_no_pairs),
		TEST(test_pairs_has_valid_says_what_find_says_in_order_or_not),
		TEST(test_pairs_memo_spares_a_look_at_the_same_pair),
		TEST(test_pairs_covered_is_every_name),
		TEST(test_keyring_gives_back_what_was_put),
		TEST(test_keyring_own_key_stays_our_own),
	};
	return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}

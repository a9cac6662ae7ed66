#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../certs/chain.h"
#include "../../certs/mbed.h"
#include "../../certs/pem.h"
#include "../../certs/pkey.h"
#include "fixture.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static int parse(const struct buf *b, struct pem_file *out)
{
	struct err err;
	int rc = pem_parse((struct span){guard_copy(b->p, b->len), b->len}, out, &err);
	guard_free_all();
	return rc;
}

static int start(void **state)
{
	(void)state;
	return mbed_start(NULL);
}

static int stop(void **state)
{
	(void)state;
	mbed_stop();
	return 0;
}

/* What comes out of files put together. */
static const struct {
	int line;
	const char *files;
	size_t chains, certs; /* certs: of the first chain */
	size_t keys, bad;
} files[] = {
	{__LINE__, "leaf.pem", 1, 1, 0, 0}, /* A-S12 leaf alone */
	{__LINE__, "leaf.der", 1, 1, 0, 0},
	/* int2 has a critical extension that the library does not know */
	{__LINE__, "leaf.pem int1.pem int2.pem", 1, 3, 0, 0},
	{__LINE__, "leaf.pem int1.pem int2.pem root.pem", 1, 4, 0, 0},
	{__LINE__, "root.pem int2.pem leaf.pem int1.pem", 1, 4, 0, 0}, /* any order: C100 */
	{__LINE__, "int2.pem int1.pem leaf.pem", 1, 3, 0, 0},
	/* int1 is missing: the others certify nothing of it */
	{__LINE__, "leaf.pem int2.pem root.pem", 1, 1, 0, 0},
	{__LINE__, "leaf.pem int1_other_key.pem int1.pem int2.pem", 1, 3, 0, 0}, /* same name, other key */
	{__LINE__, "leaf.pem int1_other_key.pem", 1, 1, 0, 0},
	{__LINE__, "leaf.pem leaf.pem int1.pem", 1, 2, 0, 0}, /* the same once more */
	{__LINE__, "leaf.pem p384.pem int1.pem", 2, 2, 0, 0},
	{__LINE__, "int1.pem int2.pem", 1, 2, 0, 0}, /* certbot's chain.pem: a CA that comes first */
	{__LINE__, "root.pem", 1, 1, 0, 0},
	/* a bundle of roots is one at most */
	{__LINE__, "root.pem int1.pem self_signed_ca_no_san.pem", 1, 1, 0, 0},
	/* dehydrated's alpn-certs: nobody's certificate */
	{__LINE__, "acme_challenge.pem leaf.key", 0, 0, 1, 0},
	{__LINE__, "self_signed.pem", 1, 1, 0, 0},
	{__LINE__, "self_signed_ca.pem", 1, 1, 0, 0},
	/* the same name twice: neither certifies the other */
	{__LINE__, "self_signed.pem self_signed_ca.pem", 2, 1, 0, 0},
	{__LINE__, "leaf.key", 0, 0, 1, 0},
	{__LINE__, "leaf_sec1.key", 0, 0, 1, 0},
	{__LINE__, "leaf_key.der", 0, 0, 1, 0},
	{__LINE__, "rsa2048.key", 0, 0, 1, 0},
	{__LINE__, "rsa2048_pkcs1.key", 0, 0, 1, 0},
	{__LINE__, "leaf.key leaf.pem int1.pem", 1, 2, 1, 0}, /* HAProxy: all in one */
	{__LINE__, "ec_parameters.pem leaf_sec1.key leaf.pem", 1, 1, 1, 0},
	{__LINE__, "leaf.csr", 0, 0, 0, 0},
	{__LINE__, "pkcs12.p12", 0, 0, 0, 0},
	{__LINE__, "ed25519.pem", 0, 0, 0, 1},
	{__LINE__, "ed25519.key", 0, 0, 0, 1},
	{__LINE__, "secp256k1.pem", 0, 0, 0, 1},
	{__LINE__, "secp256k1.key", 0, 0, 0, 1},
	{__LINE__, "p521.pem p521.key", 1, 1, 1, 0}, /* parses: the verdict refuses it */
	{__LINE__, "rsa1024.pem rsa1024.key", 1, 1, 1, 0},
};

static void test_pem_finds_chains_and_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct buf b = fixture(files[i].files);
		struct pem_file f;
		assert_int_equal(parse(&b, &f), 0);
		size_t certs = f.chain_count ? f.chains[0].cert_count : 0;
		if (f.chain_count != files[i].chains || certs != files[i].certs || f.key_count != files[i].keys ||
		    f.bad_block_count != files[i].bad || f.has_encrypted_key)
			fail_msg("line %d: %zu chains, %zu certificates, %zu keys, %zu bad (%s)", files[i].line,
				 f.chain_count, certs, f.key_count, f.bad_block_count, f.note);
		pem_deinit(&f);
		buf_deinit(&b);
	}
}

static void test_pem_encrypted_keys_are_told(void **state)
{
	(void)state;
	static const char *const names[] = {"leaf_encrypted.key", "leaf_encrypted_old.key"};
	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf b = fixture(names[i]);
		struct pem_file f;
		assert_int_equal(parse(&b, &f), 0);
		assert_true(f.has_encrypted_key);
		assert_int_equal(f.key_count, 0);
		assert_int_equal(f.bad_block_count, 0);
		pem_deinit(&f);
		buf_deinit(&b);
	}
}

static void test_pem_pairs_by_public_key(void **state)
{
	(void)state;
	static const char *const pairs[] = {
		"leaf.pem leaf.key",       "leaf.pem leaf_sec1.key",
		"rsa2048.pem rsa2048.key", "rsa2048.pem rsa2048_pkcs1.key",
		"p384.pem p384.key",       "wildcard.pem leaf.key",
	};
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct buf b = fixture(pairs[i]);
		struct pem_file f;
		assert_int_equal(parse(&b, &f), 0);
		assert_memory_equal(f.chains[0].spki, f.keys[0].spki, SHA256_BYTES);
		assert_int_equal(f.chains[0].key_type, f.keys[0].type);
		pem_deinit(&f);
		buf_deinit(&b);
	}
}

static void test_pem_same_key_has_same_bytes_in_any_container(void **state)
{
	(void)state;
	struct buf b = fixture("leaf.key leaf_sec1.key");
	struct pem_file f;
	assert_int_equal(parse(&b, &f), 0);
	assert_int_equal(f.key_count, 2);
	assert_true(span_is(buf_span(&f.keys[0].der), buf_span(&f.keys[1].der)));
	pem_deinit(&f);
	buf_deinit(&b);
}

/* who could pass off a key as another's would silence the other's host */
static void test_pem_key_with_a_false_public_half_is_refused(void **state)
{
	(void)state;
	struct buf b = fixture("false_claim.key");
	struct pem_file f;
	assert_int_equal(parse(&b, &f), 0);
	assert_int_equal(f.key_count, 0);
	assert_string_equal(
		f.note, "block 1 (EC PRIVATE KEY): the private key does not fit the public key that is stored with it");
	pem_deinit(&f);
	buf_deinit(&b);
}

static void test_pem_tells_facts_of_the_leaf(void **state)
{
	(void)state;
	struct buf b = fixture("leaf.pem int1.pem");
	struct pem_file f;
	assert_int_equal(parse(&b, &f), 0);
	const struct chain *c = &f.chains[0];
	assert_int_equal(c->not_before_unix_s, 1704067200); /* 2024-01-01 */
	assert_int_equal(c->not_after_unix_s, 2366841600);  /* 2045-01-01: behind 2038 */
	assert_int_equal(c->key_type, PKEY_P256);
	assert_int_equal(c->key_bits, 256);
	assert_string_equal(c->issuer, "CN=int1");
	assert_string_equal(c->label, "mta-sts.example.com");
	assert_int_equal(c->name_count, 1);
	assert_true(c->has_server_auth && c->has_digital_signature);
	assert_false(c->is_self_signed || c->has_must_staple || c->is_ca || c->has_unknown_critical);
	pem_deinit(&f);
	buf_deinit(&b);
}

static const struct {
	int line;
	const char *file;
	bool has_server_auth, has_digital_signature, has_unknown_critical, has_must_staple, is_self_signed, is_ca;
} facts[] = {
	{__LINE__, "no_eku.pem", true, true, false, false, false, false}, /* C101: absent is all */
	{__LINE__, "no_server_auth.pem", false, true, false, false, false, false},
	{__LINE__, "no_signature_usage.pem", true, false, false, false, false, false},
	{__LINE__, "precertificate.pem", true, true, true, false, false, false},
	{__LINE__, "must_staple.pem", true, true, false, true, false, false}, /* C103 */
	{__LINE__, "self_signed.pem", true, true, false, false, true, false},
	{__LINE__, "self_signed_ca.pem", true, true, false, false, true, true},
};

static void test_pem_tells_what_is_special(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(facts); i++) {
		struct buf b = fixture(facts[i].file);
		struct pem_file f;
		assert_int_equal(parse(&b, &f), 0);
		assert_int_equal(f.chain_count, 1);
		const struct chain *c = &f.chains[0];
		if (c->has_server_auth != facts[i].has_server_auth ||
		    c->has_digital_signature != facts[i].has_digital_signature ||
		    c->has_unknown_critical != facts[i].has_unknown_critical ||
		    c->has_must_staple != facts[i].has_must_staple || c->is_self_signed != facts[i].is_self_signed ||
		    c->is_ca != facts[i].is_ca)
			fail_msg("line %d", facts[i].line);
		pem_deinit(&f);
		buf_deinit(&b);
	}
}

static void join_names(const struct chain *c, struct buf *out)
{
	struct span rest = buf_span(&c->names), name;
	while (chain_next_name(&rest, &name) == 0) {
		(void)buf_add_span(out, name);
		(void)buf_add_char(out, ' ');
	}
}

/* A-S9: "*" is the complete left-most label or nothing */
static void test_pem_only_good_names_count(void **state)
{
	(void)state;
	struct buf b = fixture("odd_names.pem"), names;
	struct pem_file f;
	buf_init(&names, 4096);
	assert_int_equal(parse(&b, &f), 0);
	join_names(&f.chains[0], &names);
	assert_string_equal(buf_text(&names), "mta-sts.example.com *.example.net xn--mnchen-3ya.example ");
	assert_int_equal(f.chains[0].name_count, 3);
	pem_deinit(&f);
	buf_deinit(&names);
	buf_deinit(&b);
}

/* A-S8, C34, C102: the common name is no name */
static void test_pem_common_name_does_not_count(void **state)
{
	(void)state;
	static const char *const names[] = {"no_san.pem", "self_signed_ca_no_san.pem"};
	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf b = fixture(names[i]);
		struct pem_file f;
		assert_int_equal(parse(&b, &f), 0);
		assert_int_equal(f.chain_count, 1);
		assert_int_equal(f.chains[0].name_count, 0);
		assert_string_equal(f.chains[0].label, "CN=mta-sts.example.com");
		pem_deinit(&f);
		buf_deinit(&b);
	}
}

static void test_pem_hundred_names(void **state)
{
	(void)state;
	struct buf b = fixture("hundred_names.pem");
	struct pem_file f;
	assert_int_equal(parse(&b, &f), 0);
	assert_int_equal(f.chains[0].name_count, 100);
	pem_deinit(&f);
	buf_deinit(&b);
}

/* lego writes in place: every prefix of a good file is read at some time */
static void test_pem_every_prefix_is_harmless(void **state)
{
	(void)state;
	struct buf b = fixture("leaf.pem int1.pem leaf.key");
	size_t whole = b.len;
	for (size_t len = 0; len < whole; len += 7) {
		struct pem_file f;
		b.len = len;
		assert_int_equal(parse(&b, &f), 0);
		assert_int_equal(f.key_count, 0);
		assert_true(f.chain_count <= 1);
		pem_deinit(&f);
	}
	b.len = whole;
	buf_deinit(&b);
}

static void test_pem_cut_block_is_told(void **state)
{
	(void)state;
	struct buf b = fixture("leaf.pem int1.pem");
	struct pem_file f;
	b.len -= 40;
	assert_int_equal(parse(&b, &f), 0);
	assert_int_equal(f.chains[0].cert_count, 1);
	assert_int_equal(f.bad_block_count, 1);
	assert_string_equal(f.note, "block 2 (CERTIFICATE): its end is missing: cut off, or just being written");
	pem_deinit(&f);
	buf_deinit(&b);
}

static void test_pem_text_around_blocks_is_passed_over(void **state)
{
	(void)state;
	struct buf b, leaf = fixture("leaf.pem"), key = fixture("leaf.key");
	struct pem_file f;
	buf_init(&b, 1 << 16);
	(void)buf_add_text(&b, "Bag Attributes\r\n    friendlyName: x-----\r\n-----BEGIN -----\n");
	while (leaf.p[leaf.len - 1] == '\n')
		leaf.len--; /* `cat` of files without a line end */
	(void)buf_add_span(&b, buf_span(&leaf));
	(void)buf_add_span(&b, buf_span(&key));
	(void)buf_add_text(&b, "the end");
	assert_int_equal(parse(&b, &f), 0);
	assert_int_equal(f.chain_count, 1);
	assert_int_equal(f.key_count, 1);
	pem_deinit(&f);
	buf_deinit(&b);
	buf_deinit(&leaf);
	buf_deinit(&key);
}

static void test_pem_crlf_is_as_good(void **state)
{
	(void)state;
	struct buf b, leaf = fixture("leaf.pem");
	struct pem_file f;
	buf_init(&b, 1 << 16);
	for (size_t i = 0; i < leaf.len; i++)
		(void)(leaf.p[i] == '\n' ? buf_add(&b, "\r\n", 2) : buf_add_char(&b, leaf.p[i]));
	assert_int_equal(parse(&b, &f), 0);
	assert_int_equal(f.chain_count, 1);
	pem_deinit(&f);
	buf_deinit(&b);
	buf_deinit(&leaf);
}

static void test_pem_too_large_is_refused(void **state)
{
	(void)state;
	char *big = calloc(1, PEM_FILE_MAX_BYTES + 1);
	struct pem_file f;
	assert_non_null(big);
	assert_int_equal(pem_parse((struct span){big, PEM_FILE_MAX_BYTES + 1}, &f, NULL), ERR_RANGE);
	pem_deinit(&f);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pem_finds_chains_and_keys),
		cmocka_unit_test(test_pem_encrypted_keys_are_told),
		cmocka_unit_test(test_pem_pairs_by_public_key),
		cmocka_unit_test(test_pem_same_key_has_same_bytes_in_any_container),
		cmocka_unit_test(test_pem_key_with_a_false_public_half_is_refused),
		cmocka_unit_test(test_pem_tells_facts_of_the_leaf),
		cmocka_unit_test(test_pem_tells_what_is_special),
		cmocka_unit_test(test_pem_only_good_names_count),
		cmocka_unit_test(test_pem_common_name_does_not_count),
		cmocka_unit_test(test_pem_hundred_names),
		cmocka_unit_test(test_pem_every_prefix_is_harmless),
		cmocka_unit_test(test_pem_cut_block_is_told),
		cmocka_unit_test(test_pem_text_around_blocks_is_passed_over),
		cmocka_unit_test(test_pem_crlf_is_as_good),
		cmocka_unit_test(test_pem_too_large_is_refused),
	};
	return cmocka_run_group_tests_name("pem", tests, start, stop);
}

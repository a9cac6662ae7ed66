#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../config/spec.h"
#include "../../config/spec_list.h"
#include "guard.h"
#include "unit.h"

static const struct spec full = {
	.set = (1u << SPEC_KEY_COUNT) - 1,
	.line = 3,
	.column = 5,
	.policy = LIT("standard"),
	.mode = POLICY_ENFORCE,
	.max_age_s = 604800,
	.mx = LIT("\x09"
		  "a.example"
		  "\x0B"
		  "*.b.example"),
	.id = LIT("20260205"),
	.ttl_s = 300,
	.tls_rpt = LIT("v=TLSRPTv1; rua=mailto:a@b.example"),
	.cert = LIT("/srv/c"),
};

static void test_spec_packed_texts_come_back_in_order(void **state)
{
	(void)state;
	struct buf b;
	char text[256];
	struct span rest, item;
	size_t n = 0;
	memset(text, 'x', sizeof text);
	buf_init(&b, 1 << 20);
	for (size_t len = 0; len <= 255; len++)
		assert_int_equal(pack_add(&b, (struct span){text, len}), 0);
	assert_int_equal(pack_count(buf_span(&b)), 256);
	for (rest = buf_span(&b); pack_next(&rest, &item); n++)
		assert_int_equal(item.len, n);
	assert_int_equal(n, 256);
	assert_true(pack_has(buf_span(&b), (struct span){text, 200}));
	assert_false(pack_has(buf_span(&b), SPAN_LIT("y")));
	assert_int_equal(pack_add(&b, (struct span){text, 256}), ERR_RANGE);
	buf_deinit(&b);
}

static void test_spec_packed_texts_that_are_cut_off_end_there(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span packed;
		size_t count;
	} cases[] = {
		{__LINE__, {NULL, 0}, 0},
		{__LINE__, LIT("\0"), 1},
		{__LINE__, LIT("\x01"), 0},
		{__LINE__,
		 LIT("\x01"
		     "a"),
		 1},
		{__LINE__,
		 LIT("\x01"
		     "a\x05"
		     "b"),
		 1},
		{__LINE__, LIT("\xFF"), 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span packed = {guard_copy(cases[i].packed.p, cases[i].packed.len), cases[i].packed.len};
		if (pack_count(packed) != cases[i].count)
			fail_msg("line %d: %zu", cases[i].line, pack_count(packed));
		assert_false(pack_has(packed, SPAN_LIT("zz")));
	}
	guard_free_all();
}

static bool is_same_spec(const struct spec *a, const struct spec *b)
{
	return a->set == b->set && a->line == b->line && a->column == b->column && a->mode == b->mode &&
	       a->max_age_s == b->max_age_s && a->ttl_s == b->ttl_s && span_is(a->policy, b->policy) &&
	       span_is(a->mx, b->mx) && span_is(a->id, b->id) && span_is(a->tls_rpt, b->tls_rpt) &&
	       span_is(a->cert, b->cert);
}

static void test_spec_stored_form_gives_every_subset_of_keys_back(void **state)
{
	(void)state;
	for (uint32_t set = 0; set < 1u << SPEC_KEY_COUNT; set++) {
		struct spec s = full, wanted = {.set = set, .line = 3, .column = 5}, back;
		struct buf b;
		s.set = set;
		if (spec_has(&s, SPEC_POLICY))
			wanted.policy = s.policy;
		if (spec_has(&s, SPEC_MODE))
			wanted.mode = s.mode;
		if (spec_has(&s, SPEC_MAX_AGE))
			wanted.max_age_s = s.max_age_s;
		if (spec_has(&s, SPEC_MX))
			wanted.mx = s.mx;
		if (spec_has(&s, SPEC_ID))
			wanted.id = s.id;
		if (spec_has(&s, SPEC_TTL))
			wanted.ttl_s = s.ttl_s;
		if (spec_has(&s, SPEC_TLS_RPT))
			wanted.tls_rpt = s.tls_rpt;
		if (spec_has(&s, SPEC_CERT))
			wanted.cert = s.cert;
		buf_init(&b, 1000);
		assert_int_equal(spec_encode(&s, &b), 0);
		assert_int_equal(spec_decode((struct span){guard_copy(b.p, b.len), b.len}, &back), 0);
		assert_true(is_same_spec(&back, &wanted));
		for (size_t len = 0; len < b.len; len++) /* cut off anywhere: refused */
			if (spec_decode((struct span){b.p, len}, &back) != ERR_PARSE)
				fail_msg("set %u, %zu bytes", set, len);
		assert_int_equal(buf_add_char(&b, 'x'), 0);
		assert_int_equal(spec_decode(buf_span(&b), &back), ERR_PARSE);
		buf_deinit(&b);
		guard_free_all();
	}
	assert_false(spec_has(NULL, SPEC_MODE));
}

static void test_spec_same_on_another_line_is_the_same(void **state)
{
	(void)state;
	struct spec moved = full, other = full;
	struct buf a, b, c;
	moved.line = 99;
	moved.column = 1;
	other.max_age_s++;
	buf_init(&a, 1000);
	buf_init(&b, 1000);
	buf_init(&c, 1000);
	assert_int_equal(spec_encode(&full, &a), 0);
	assert_int_equal(spec_encode(&moved, &b), 0);
	assert_int_equal(spec_encode(&other, &c), 0);
	assert_true(spec_is_same(buf_span(&a), buf_span(&b)));
	assert_false(spec_is_same(buf_span(&a), buf_span(&c)));
	assert_false(spec_is_same(buf_span(&a), SPAN_LIT("short")));
	buf_deinit(&a);
	buf_deinit(&b);
	buf_deinit(&c);
}

static void test_spec_nearest_level_wins_key_by_key(void **state)
{
	(void)state;
	struct spec domain = {
		.set = 1u << SPEC_MODE | 1u << SPEC_POLICY, .mode = POLICY_TESTING, .policy = LIT("p"), .line = 7};
	struct spec policy = {.set = 1u << SPEC_MODE | 1u << SPEC_MX,
			      .mode = POLICY_ENFORCE,
			      .mx = LIT("\x01"
					"a")};
	struct spec defaults = {.set = 1u << SPEC_MODE | 1u << SPEC_MX | 1u << SPEC_MAX_AGE,
				.mx = LIT("\x01"
					  "b"),
				.max_age_s = 5};
	struct resolved r;
	spec_resolve(&domain, &policy, &defaults, &r);
	assert_int_equal(r.values.mode, POLICY_TESTING);
	assert_int_equal(r.origin[SPEC_MODE], ORIGIN_DOMAIN);
	assert_true(span_is(r.values.mx, policy.mx)); /* lists replace */
	assert_int_equal(r.origin[SPEC_MX], ORIGIN_POLICY);
	assert_int_equal(r.values.max_age_s, 5);
	assert_int_equal(r.origin[SPEC_MAX_AGE], ORIGIN_DEFAULTS);
	assert_int_equal(r.origin[SPEC_TTL], ORIGIN_NOWHERE);
	assert_false(spec_has(&r.values, SPEC_TTL));
	assert_int_equal(r.values.line, 7);
	spec_resolve(&domain, NULL, NULL, &r);
	assert_false(spec_has(&r.values, SPEC_MX));
	assert_true(span_is(spec_policy_name(&domain, &defaults), SPAN_LIT("p")));
	domain.set = 0;
	assert_int_equal(spec_policy_name(&domain, &defaults).len, 0);
	defaults.set |= 1u << SPEC_POLICY;
	defaults.policy = (struct span)LIT("d");
	assert_true(span_is(spec_policy_name(&domain, &defaults), SPAN_LIT("d")));
	assert_int_equal(spec_policy_name(&domain, NULL).len, 0);
}

struct twice {
	size_t count;
	uint32_t first_line, second_line;
};

static void on_twice(void *ctx, const struct spec_entry *first, const struct spec_entry *second)
{
	struct twice *t = ctx;
	t->count++;
	t->first_line = first->line;
	t->second_line = second->line;
	assert_true(span_is(first->name, second->name));
}

static void test_spec_list_is_sorted_and_found_by_name(void **state)
{
	(void)state;
	enum { MANY = 1000 };
	struct spec_list l;
	struct spec_entry e;
	struct spec back;
	struct twice twice = {0};
	char name[32];
	spec_list_init(&l);
	assert_false(spec_list_find(&l, SPAN_LIT("a"), &e));
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof name, "d%u", i * 7919 % MANY);
		assert_int_equal(spec_list_add(&l, span_of(name), &full, i % 10 == 0, i + 1, 3), 0);
	}
	spec_list_finish(&l, on_twice, &twice);
	assert_int_equal(l.count, MANY);
	assert_int_equal(twice.count, 0);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned place = i * 7919 % MANY;
		(void)snprintf(name, sizeof name, "d%u", place);
		assert_true(spec_list_find(&l, span_of(name), &e));
		assert_true(span_is(e.name, span_of(name)));
		assert_int_equal(e.line, i + 1);
		assert_int_equal(e.is_refused, i % 10 == 0);
		if (e.is_refused)
			assert_int_equal(e.stored.len, 0);
		else
			assert_true(spec_decode(e.stored, &back) == 0 && is_same_spec(&back, &full));
		if (i)
			assert_true(span_compare(spec_list_get(&l, i - 1).name, spec_list_get(&l, i).name) < 0);
	}
	assert_false(spec_list_find(&l, SPAN_LIT("d1000"), &e));
	assert_false(spec_list_find(&l, SPAN_LIT(""), &e));
	spec_list_deinit(&l);
	spec_list_deinit(&l);
}

static void test_spec_list_first_of_doubles_counts_and_each_other_is_told(void **state)
{
	(void)state;
	static const char *const names[] = {"b", "a", "b", "c", "b", "a"};
	struct spec_list l;
	struct spec_entry e;
	struct twice twice = {0};
	spec_list_init(&l);
	for (uint32_t i = 0; i < COUNT(names); i++)
		assert_int_equal(spec_list_add(&l, span_of(names[i]), &full, false, i + 1, 1), 0);
	spec_list_finish(&l, on_twice, &twice);
	assert_int_equal(l.count, 3);
	assert_int_equal(twice.count, 3);
	assert_int_equal(twice.first_line, 1);
	assert_int_equal(twice.second_line, 5);
	assert_true(spec_list_find(&l, SPAN_LIT("b"), &e));
	assert_int_equal(e.line, 1);
	assert_true(spec_list_find(&l, SPAN_LIT("a"), &e));
	assert_int_equal(e.line, 2);
	spec_list_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec_packed_texts_come_back_in_order),
		cmocka_unit_test(test_spec_packed_texts_that_are_cut_off_end_there),
		cmocka_unit_test(test_spec_stored_form_gives_every_subset_of_keys_back),
		cmocka_unit_test(test_spec_same_on_another_line_is_the_same),
		cmocka_unit_test(test_spec_nearest_level_wins_key_by_key),
		cmocka_unit_test(test_spec_list_is_sorted_and_found_by_name),
		cmocka_unit_test(test_spec_list_first_of_doubles_counts_and_each_other_is_told),
	};
	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}

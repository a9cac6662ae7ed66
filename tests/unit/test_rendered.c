/* rendered: whatever was asked before, body and digest are those of the values. */
#include "../../base/err.h"
#include "../../config/rendered.h"
#include "../../config/spec.h"
#include "unit.h"

#include <stdlib.h>

enum { ONES = 5 * RENDERED_COUNT };

/* One of many that differ in a single thing: mode, max_age, a byte of an mx, or where one mx ends. */
static void make(size_t i, struct buf *mx, struct spec *out)
{
	static const char *const lists[][2] = {{"ab.example", "c.example"},
					       {"a.example", "bc.example"},
					       {"ab.example", "d.example"},
					       {"c.example", "ab.example"}};
	char name[32];
	buf_reset(mx);
	(void)pack_add(mx, span_of(lists[i % 4][0]));
	(void)pack_add(mx, span_of(lists[i % 4][1]));
	(void)snprintf(name, sizeof name, "m%zu.example", i / 24);
	if (i % 5)
		(void)pack_add(mx, span_of(name));
	*out = (struct spec){
		.mode = (enum policy_mode)(i / 4 % 3),
		.max_age_s = 604800 + (uint32_t)(i / 12 % 2),
		.mx = buf_span(mx),
	};
}

static void expect(struct rendered *r, const struct spec *s)
{
	const struct rendered_policy *found;
	struct span mx[8], rest = s->mx;
	struct policy p = {.mode = s->mode, .max_age_s = s->max_age_s, .mx = mx};
	struct buf body;
	uint8_t digest[SHA256_BYTES];
	buf_init(&body, 4096);
	while (pack_next(&rest, &mx[p.mx_count]))
		p.mx_count++;
	assert_int_equal(policy_render(&p, &body), 0);
	sha256_of(buf_span(&body), digest);
	assert_int_equal(rendered_get(r, s, &found), 0);
	assert_true(span_is(buf_span(&found->body), buf_span(&body)));
	assert_memory_equal(found->digest, digest, sizeof digest);
	buf_deinit(&body);
}

static void test_rendered_is_what_the_values_say_whatever_was_asked_before(void **state)
{
	(void)state;
	struct rendered r;
	struct buf mx;
	struct spec s;
	unsigned seed = 1;
	rendered_init(&r);
	buf_init(&mx, 4096);
	for (size_t n = 0; n < 20000; n++) {
		seed = seed * 1103515245u + 12345u;
		make((seed >> 8) % (n % 3 ? ONES : 20), &mx, &s);
		expect(&r, &s);
	}
	buf_deinit(&mx);
	rendered_deinit(&r);
}

static void test_rendered_one_that_is_asked_for_again_is_the_same_piece_of_memory(void **state)
{
	(void)state;
	struct rendered r;
	struct buf mx[2];
	struct spec s[2];
	const struct rendered_policy *first, *second, *again;
	rendered_init(&r);
	for (size_t i = 0; i < 2; i++) {
		buf_init(&mx[i], 4096);
		make(i, &mx[i], &s[i]);
	}
	assert_int_equal(rendered_get(&r, &s[0], &first), 0);
	assert_int_equal(rendered_get(&r, &s[1], &second), 0);
	assert_ptr_not_equal(first, second);
	explicit_bzero(r.policies[first - r.policies].digest, SHA256_BYTES); /* would show that it was made anew */
	assert_int_equal(rendered_get(&r, &s[0], &again), 0);
	assert_ptr_equal(first, again);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		assert_int_equal(again->digest[i], 0);
	for (size_t i = 0; i < 2; i++)
		buf_deinit(&mx[i]);
	rendered_deinit(&r);
}

/* Refused later by its size, which has to be known. */
static void test_rendered_too_large_one_has_its_length(void **state)
{
	(void)state;
	struct rendered r;
	const struct rendered_policy *found;
	char *mx = malloc(POLICY_BODY_MAX_BYTES);
	assert_non_null(mx);
	for (size_t i = 0; i < POLICY_BODY_MAX_BYTES; i += 2)
		memcpy(mx + i, "\1a", 2);
	struct spec s = {.mode = POLICY_ENFORCE, .max_age_s = 1, .mx = {mx, POLICY_BODY_MAX_BYTES}};
	rendered_init(&r);
	assert_int_equal(rendered_get(&r, &s, &found), 0);
	assert_true(found->body.len > POLICY_BODY_MAX_BYTES / 2 * 7);
	rendered_deinit(&r);
	free(mx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rendered_is_what_the_values_say_whatever_was_asked_before),
		cmocka_unit_test(test_rendered_one_that_is_asked_for_again_is_the_same_piece_of_memory),
		cmocka_unit_test(test_rendered_too_large_one_has_its_length),
	};
	return cmocka_run_group_tests_name("rendered", tests, NULL, NULL);
}

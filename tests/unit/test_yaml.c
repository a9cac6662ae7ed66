#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../config/yaml.h"
#include "guard.h"
#include "unit.h"

/* Writes the walk down: {key=value,…}, scalars bare, lists in brackets, places where asked for. */
struct walk {
	struct buf out;
	bool has_places;
	const char *list_key; /* read its value with yaml_list */
	const char *skip_key;
};

static void put_place(struct walk *w, struct place at)
{
	if (w->has_places)
		(void)buf_printf(&w->out, "@%u:%u", at.line, at.column);
}

static int on_item(struct yaml *y, struct span text, struct place at, void *ctx)
{
	struct walk *w = ctx;
	(void)y;
	(void)buf_add_span(&w->out, text);
	put_place(w, at);
	(void)buf_add_char(&w->out, ',');
	return 0;
}

static int on_pair(struct yaml *y, const struct yaml_key *key, void *ctx);

static int on_node(struct yaml *y, void *ctx)
{
	struct walk *w = ctx;
	int rc = 0;
	if (yaml_is_null(y)) {
		(void)buf_add_text(&w->out, "NULL");
	} else if (yaml_is_scalar(y)) {
		(void)buf_add_span(&w->out, yaml_scalar(y));
		put_place(w, yaml_place(y));
	} else if (yaml_is_mapping(y)) {
		(void)buf_add_char(&w->out, '{');
		rc = yaml_mapping(y, on_pair, w);
		(void)buf_add_char(&w->out, '}');
	} else {
		(void)buf_add_char(&w->out, '[');
		rc = yaml_list(y, "it", on_item, w);
		(void)buf_add_char(&w->out, ']');
	}
	return rc;
}

static int on_pair(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	struct walk *w = ctx;
	(void)buf_add(&w->out, key->text, key->len);
	put_place(w, key->at);
	(void)buf_add_char(&w->out, '=');
	int rc;
	if (w->skip_key && strcmp(key->text, w->skip_key) == 0) {
		rc = yaml_skip(y);
	} else if (w->list_key && strcmp(key->text, w->list_key) == 0) {
		(void)buf_add_char(&w->out, '[');
		rc = yaml_list(y, key->text, on_item, w);
		(void)buf_add_char(&w->out, ']');
	} else {
		rc = on_node(y, w);
	}
	(void)buf_add_char(&w->out, ',');
	return rc;
}

static void test_yaml_walk_gives_pairs_lists_and_scalars_in_order(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct span text;
		const char *out;
	} cases[] = {
		{__LINE__, LIT("a: b\n"), "{a=b,}"},
		{__LINE__, LIT("a: b"), "{a=b,}"},
		{__LINE__, LIT("a: {b: c, d: [e, f]}\ng: h\n"), "{a={b=c,d=[e,f,],},g=h,}"},
		{__LINE__, LIT("a:\n  - b\n  - \"*.c\"\n"), "{a=[b,*.c,],}"},
		{__LINE__, LIT("a: 'it''s'\nb: \"\\x41\\t\"\n"), "{a=it's,b=A\t,}"},
		{__LINE__, LIT("a: |\n  x\n  y\nb: >\n  x\n  y\n"), "{a=x\ny\n,b=x y\n,}"},
		{__LINE__, LIT("a:\nb: ~\nc: null\nd: ''\ne: '~'\n"), "{a=NULL,b=NULL,c=NULL,d=,e=~,}"},
		{__LINE__, LIT("list: one\n"), "{list=[one,],}"}, /* a single scalar is a list of one */
		{__LINE__, LIT("list: []\n"), "{list=[],}"},
		{__LINE__, LIT("skip: {a: [b, {c: d}]}\ne: f\n"), "{skip=,e=f,}"},
		{__LINE__, LIT("--- \na: b\n...\n"), "{a=b,}"},
		{__LINE__, LIT("%YAML 1.1\n---\na: b\n"), "{a=b,}"},
		{__LINE__, LIT("a: b\r\nc: d\r\n"), "{a=b,c=d,}"},
		{__LINE__,
		 LIT("\xEF\xBB\xBF"
		     "a: b\n"),
		 "{a=b,}"}, /* a mark that Windows editors write */
		{__LINE__, LIT("[a, b]\n"), "[a,b,]"},
		{__LINE__, LIT("a\n"), "a"},
		{__LINE__, LIT("\"\\0\": \"a\\0b\"\n"), NULL},
		{__LINE__, LIT("bücher: ü\n"), "{bücher=ü,}"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct walk w = {.list_key = "list", .skip_key = "skip"};
		struct problem_list problems = {0};
		buf_init(&w.out, 10000);
		struct span text = {guard_copy(cases[i].text.p, cases[i].text.len), cases[i].text.len};
		int rc = yaml_read(text, "f", &problems, on_node, &w);
		if (rc || problems.count)
			fail_msg("line %d: %d, %s", cases[i].line, rc, problems.count ? problems.items[0].text : "");
		if (cases[i].out ? strcmp(buf_text(&w.out), cases[i].out) != 0
				 : !span_is(buf_span(&w.out), (struct span)LIT("{\0=a\0b,}")))
			fail_msg("line %d: %s", cases[i].line, buf_text(&w.out));
		buf_deinit(&w.out);
		problem_list_deinit(&problems);
	}
	guard_free_all();
}

static void test_yaml_places_count_from_one(void **state)
{
	(void)state;
	struct walk w = {.has_places = true};
	struct problem_list problems = {0};
	buf_init(&w.out, 10000);
	assert_int_equal(yaml_read(SPAN_LIT("a: b\n\n  \nc:\n  d: [e,\n   f]\n"), "f", &problems, on_node, &w), 0);
	assert_string_equal(buf_text(&w.out), "{a@1:1=b@1:4,c@4:1={d@5:3=[e@5:7,f@6:4,],},}");
	buf_deinit(&w.out);
	problem_list_deinit(&problems);
}

static void test_yaml_what_our_files_never_have_is_refused_where_it_stands(void **state)
{
	(void)state;
	static const struct {
		int line, rc;
		struct span text;
		const char *code;
		unsigned at_line, at_column;
		const char *says, *hint, *out; /* out: what is read all the same; NULL: nothing to say about it */
	} cases[] = {
		/* E12: alias, anchor, tag, merge key, second document; A-C1 */
		{__LINE__, ERR_PARSE, LIT("a: b\nc: [*.example.com]\n"), "E12", 2, 5, "alias", "quote the wildcard",
		 NULL},
		{__LINE__, 0, LIT("a: *x\nc: d\n"), "E12", 1, 4, "alias", "quote a wildcard", "{c=d,}"},
		{__LINE__, 0, LIT("a: &x b\nc: d\n"), "E12", 1, 4, "anchor", "policies", "{c=d,}"},
		{__LINE__, 0, LIT("a: &x {b: e}\nc: d\n"), "E12", 1, 4, "anchor", "policies", "{c=d,}"},
		{__LINE__, 0, LIT("a: &x [b]\nc: d\n"), "E12", 1, 4, "anchor", "policies", "{c=d,}"},
		{__LINE__, 0, LIT("&x a: b\nc: d\n"), "E12", 1, 1, "anchor", "policies", "{c=d,}"},
		{__LINE__, 0, LIT("a: !!str b\nc: d\n"), "E12", 1, 4, "tag", "leave it out", "{c=d,}"},
		{__LINE__, 0, LIT("a: !x {b: e}\nc: d\n"), "E12", 1, 4, "tag", "leave it out", "{c=d,}"},
		{__LINE__, 0, LIT("a: [b, !!str e, f]\n"), "E12", 1, 8, "tag", "leave it out", "{a=[b,f,],}"},
		{__LINE__, 0, LIT("<<: {a: b}\nc: d\n"), "E12", 1, 1, "merge keys", "policies", "{c=d,}"},
		{__LINE__, ERR_PARSE, LIT("&x {a: b}\n"), "E12", 1, 1, "anchor", NULL, ""},
		{__LINE__, ERR_PARSE, LIT("a: b\n---\nc: d\n"), "E12", 2, 1, "second document", "one document",
		 "{a=b,}"},
		{__LINE__, ERR_PARSE, LIT("a: b\n...\n---\nc: d\n"), "E12", 3, 1, "second document", NULL, "{a=b,}"},
		/* E16: shape and syntax */
		{__LINE__, 0, LIT("? [a, b]\n: c\nd: e\n"), "E16", 1, 3, "plain text", NULL, "{d=e,}"},
		{__LINE__, 0, LIT("? {a: b}\n: {c: [f]}\nd: e\n"), "E16", 1, 3, "plain text", NULL, "{d=e,}"},
		{__LINE__, 0, LIT("a: [b, [c], d]\n"), "E16", 1, 8, "plain text", NULL, "{a=[b,d,],}"},
		{__LINE__, 0, LIT("a: [b, {c: e}, d]\n"), "E16", 1, 8, "plain text", NULL, "{a=[b,d,],}"},
		{__LINE__, 0, LIT("list: {a: b}\nc: d\n"), "E16", 1, 7, "list", "[first, second]", "{list=[],c=d,}"},
		{__LINE__, 0, LIT("list:\nc: d\n"), "E16", 1, 6, "list is empty", NULL, "{list=[],c=d,}"},
		{__LINE__, ERR_PARSE, LIT(""), "E16", 1, 1, "empty", "domains: {}", ""}, /* A-C7 */
		{__LINE__, ERR_PARSE, LIT("# nothing\n"), "E16", 1, 1, "empty", NULL, ""},
		{__LINE__, ERR_PARSE, LIT("---\n"), "E16", 1, 1, "empty", NULL, ""},
		{__LINE__, ERR_PARSE, LIT("~\n"), "E16", 1, 1, "empty", NULL, ""},
		{__LINE__, ERR_PARSE, LIT("a: b\n\tc: d\n"), "E16", 2, 1, "tab", "not tabs", NULL},
		{__LINE__, ERR_PARSE, LIT("a: {b: c\n"), "E16", 2, 1, "", NULL, NULL},
		{__LINE__, ERR_PARSE, LIT("a: \"b\n"), "E16", 2, 1, "", NULL, NULL},
		{__LINE__, ERR_PARSE, LIT("a: b: c\n"), "E16", 1, 5, "", NULL, NULL},
		{__LINE__, ERR_PARSE, LIT("a: b\nc: \xC3\x28\n"), "E16", 2, 5, "UTF-8", NULL, NULL},
		{__LINE__, ERR_PARSE, LIT("a: b\nc: \x01\n"), "E16", 2, 4, "control characters", "plain UTF-8", NULL},
		{__LINE__, ERR_PARSE, LIT("a: b\0\n"), "E16", 1, 5, "control characters", NULL, NULL},
		{__LINE__, ERR_PARSE,
		 LIT("\xFF\xFE"
		     "a\0"),
		 "E16", 1, 1, "UTF-8", NULL, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct walk w = {.list_key = "list"};
		struct problem_list l = {0};
		buf_init(&w.out, 10000);
		struct span text = {guard_copy(cases[i].text.p, cases[i].text.len), cases[i].text.len};
		int rc = yaml_read(text, "f.yaml", &l, on_node, &w);
		if (rc != cases[i].rc || l.count != 1)
			fail_msg("line %d: %d, %zu problems", cases[i].line, rc, l.count);
		const struct problem *p = &l.items[0];
		if (strcmp(p->code, cases[i].code) != 0 || p->line != cases[i].at_line ||
		    p->column != cases[i].at_column || p->severity != PROBLEM_ERROR || strcmp(p->file, "f.yaml") != 0 ||
		    !strstr(p->text, cases[i].says) || (cases[i].hint && (!p->hint || !strstr(p->hint, cases[i].hint))))
			fail_msg("line %d: %s:%u:%u %s %s (%s)", cases[i].line, p->file, p->line, p->column, p->code,
				 p->text, p->hint ? p->hint : "no hint");
		if (cases[i].out && strcmp(buf_text(&w.out), cases[i].out) != 0)
			fail_msg("line %d: %s", cases[i].line, buf_text(&w.out));
		buf_deinit(&w.out);
		problem_list_deinit(&l);
	}
	guard_free_all();
}

static void test_yaml_overlong_key_is_refused_and_the_rest_read(void **state)
{
	(void)state;
	for (size_t len = YAML_KEY_MAX_BYTES - 1; len <= YAML_KEY_MAX_BYTES + 1; len++) {
		struct walk w = {0};
		struct problem_list l = {0};
		struct buf text;
		buf_init(&w.out, 10000);
		buf_init(&text, 10000);
		(void)buf_add_text(&text, "? \""); /* a simple key may have no more than 1024 characters */
		for (size_t i = 0; i < len; i++)
			(void)buf_add_char(&text, 'k');
		(void)buf_add_text(&text, "\"\n: v\na: b\n");
		assert_int_equal(yaml_read(buf_span(&text), "f", &l, on_node, &w), 0);
		assert_int_equal(l.count, len > YAML_KEY_MAX_BYTES);
		assert_non_null(strstr(buf_text(&w.out), "a=b,}"));
		buf_deinit(&text);
		buf_deinit(&w.out);
		problem_list_deinit(&l);
	}
}

static int stop_at_once(struct yaml *y, const struct yaml_key *key, void *ctx)
{
	(void)y;
	(void)key;
	(*(size_t *)ctx)++;
	return ERR_CONFLICT;
}

static int on_root_stop(struct yaml *y, void *ctx)
{
	return yaml_mapping(y, stop_at_once, ctx);
}

static void test_yaml_fatal_code_of_a_callback_ends_the_walk(void **state)
{
	(void)state;
	size_t calls = 0;
	struct problem_list l = {0};
	assert_int_equal(yaml_read(SPAN_LIT("a: b\nc: d\n"), "f", &l, on_root_stop, &calls), ERR_CONFLICT);
	assert_int_equal(calls, 1);
	assert_int_equal(l.count, 0);
	problem_list_deinit(&l);
}

static void test_yaml_deep_nesting_exhausts_nothing(void **state)
{
	(void)state;
	static const char *const openers[] = {"[", "{a: ", "- ", "? "};
	for (size_t i = 0; i < COUNT(openers); i++) {
		struct walk w = {.skip_key = "a"};
		struct problem_list l = {0};
		struct buf text;
		buf_init(&w.out, 100000);
		buf_init(&text, 1 << 20);
		(void)buf_add_text(&text, "a: ");
		for (size_t n = 0; n < 5000; n++)
			(void)buf_add_text(&text, openers[i]);
		assert_int_equal(yaml_read(buf_span(&text), "f", &l, on_node, &w), ERR_PARSE);
		assert_int_equal(l.count, 1);
		buf_deinit(&text);
		buf_deinit(&w.out);
		problem_list_deinit(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_walk_gives_pairs_lists_and_scalars_in_order),
		cmocka_unit_test(test_yaml_places_count_from_one),
		cmocka_unit_test(test_yaml_what_our_files_never_have_is_refused_where_it_stands),
		cmocka_unit_test(test_yaml_overlong_key_is_refused_and_the_rest_read),
		cmocka_unit_test(test_yaml_fatal_code_of_a_callback_ends_the_walk),
		cmocka_unit_test(test_yaml_deep_nesting_exhausts_nothing),
	};
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}

/* What a reload does not take for granted, with the keeper's own reload. */
#include "../../base/clock.h"
#include "../../base/log.h"
#include "../../base/metric.h"
#include "../../server/keeper/reload.h"
#include "site.h"

enum { MINUTE_MS = 60000, HOUR_S = 3600, DAY_S = 86400, WEEK_S = 7 * DAY_S, YEAR_S = 365 * DAY_S };

static struct site s;
static struct reload reload;
static uint64_t mono_ms;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	mono_ms = 5000;
	reload = (struct reload){.store = s.dir.store, .keyring = s.dir.keyring, .main_path = s.main_path};
	log_init("test", LOG_LEVEL_ERROR);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	reload_deinit(&reload);
	site_close(&s);
	return 0;
}

static void look(enum reload_scope scope)
{
	uint64_t retry_ms;
	clock_set_fake(mono_ms, s.now_unix_s);
	assert_int_equal(reload_config(&reload, scope, &retry_ms), 0);
	site_check_store(&s);
}

/* As the keeper's sweep does: every minute, while both clocks go on together. */
static void pass(int64_t seconds)
{
	for (int64_t left_s = seconds; left_s > 0; left_s -= 60) {
		mono_ms += MINUTE_MS;
		s.now_unix_s += 60;
		look(RELOAD_DUE);
	}
}

static void restart(void)
{
	reload_deinit(&reload);
	reload = (struct reload){.store = s.dir.store, .keyring = s.dir.keyring, .main_path = s.main_path};
	look(RELOAD_ALL);
}

#define POLICY(age) "{mode: enforce, max_age: " age ", mx: [mail.example]}\n"

static int64_t until(const char *domain)
{
	struct site_row r = site_row(&s, domain);
	assert_true(r.is_there && r.row.state == DOMAIN_WITHDRAWN);
	return r.row.cached_until_unix_s;
}

static void test_caution_clock_ahead_for_a_moment_ends_no_withdrawal(void **state)
{
	(void)state;
	site_write(&s, SITE_MAIN, "domains:\n  a.example: " POLICY("604800"));
	look(RELOAD_ALL);
	pass(2 * HOUR_S);
	site_write(&s, SITE_MAIN, "domains: {}\n");
	look(RELOAD_CHANGED);
	const int64_t end = s.now_unix_s + WEEK_S;
	assert_int_equal(until("a.example"), end);
	s.now_unix_s += YEAR_S; /* while it runs */
	pass(HOUR_S / 2);
	assert_int_equal(until("a.example"), end);
	s.now_unix_s -= YEAR_S;
	pass(2 * HOUR_S);
	s.now_unix_s += YEAR_S; /* at a boot, until NTP is reached */
	restart();
	pass(HOUR_S / 2);
	assert_int_equal(until("a.example"), end);
	s.now_unix_s -= YEAR_S;
	pass(2 * HOUR_S);
	assert_int_equal(until("a.example"), end);
	s.now_unix_s = end - 60; /* the days go by, the machine asleep */
	restart();
	pass(HOUR_S - 60);
	assert_true(s.now_unix_s > end);
	assert_int_equal(until("a.example"), end);
	pass(60);
	assert_false(site_row(&s, "a.example").is_there);
}

static void test_caution_date_is_kept_to_the_minute_once_the_clock_is_steady(void **state)
{
	(void)state;
	site_write(&s, SITE_MAIN, "domains:\n  a.example: " POLICY("7200"));
	look(RELOAD_ALL);
	site_write(&s, SITE_MAIN, "domains: {}\n");
	look(RELOAD_CHANGED);
	pass(2 * HOUR_S - 60);
	assert_int_equal(until("a.example"), s.now_unix_s + 60);
	pass(60);
	assert_false(site_row(&s, "a.example").is_there);
}

static void test_caution_clock_set_back_shortens_no_withdrawal(void **state)
{
	(void)state;
	char first[33];
	site_write(&s, SITE_MAIN, "domains:\n  a.example: " POLICY("604800") "  b.example: " POLICY("604800"));
	look(RELOAD_ALL);
	(void)snprintf(first, sizeof first, "%s", site_row(&s, "b.example").row.id);
	pass(3 * DAY_S);
	const int64_t noted = s.now_unix_s;
	s.now_unix_s -= YEAR_S; /* while it runs */
	site_write(&s, SITE_MAIN, "domains:\n  b.example: " POLICY("86400"));
	pass(60);
	assert_true(until("a.example") >= noted - HOUR_S + WEEK_S);
	assert_true(strcmp(site_row(&s, "b.example").row.id, first) > 0); /* forward all the same */
	restart();
	site_write(&s, SITE_MAIN, "domains: {}\n");
	pass(60);
	assert_true(until("b.example") >= noted - HOUR_S + WEEK_S);
	pass(2 * DAY_S); /* steady, though wrong */
	s.now_unix_s += YEAR_S;
	pass(2 * DAY_S);
	assert_true(until("a.example") > s.now_unix_s);
	pass(5 * DAY_S);
	assert_int_equal(site_count(&s, DB_DOMAINS), 0);
}

static void test_caution_serial_ids_of_a_run_begin_at_its_start(void **state)
{
	(void)state;
	site_write(&s, SITE_MAIN, "dns: {id: serial}\ndomains:\n  a.example: " POLICY("604800"));
	look(RELOAD_ALL);
	assert_string_equal(site_row(&s, "a.example").row.id, "44582401");
	pass(DAY_S);
	site_write(&s, SITE_MAIN, "dns: {id: serial}\ndomains:\n  a.example: " POLICY("604801"));
	look(RELOAD_CHANGED);
	assert_string_equal(site_row(&s, "a.example").row.id, "44582402");
	restart();
	assert_string_equal(site_row(&s, "a.example").row.id, "44582402");
	site_write(&s, SITE_MAIN, "dns: {id: serial}\ndomains:\n  a.example: " POLICY("604802"));
	look(RELOAD_CHANGED);
	assert_string_equal(site_row(&s, "a.example").row.id, "44668801");
}

static void test_caution_serial_ids_begin_anew_when_a_clock_that_was_behind_is_put_right(void **state)
{
	(void)state;
	s.now_unix_s -= YEAR_S; /* a machine without a battery, before NTP is reached */
	site_write(&s, SITE_MAIN, "dns: {id: serial}\ndomains:\n  a.example: " POLICY("604800"));
	look(RELOAD_ALL);
	s.now_unix_s += YEAR_S;
	pass(60);
	site_write(&s, SITE_MAIN, "dns: {id: serial}\ndomains:\n  a.example: " POLICY("604801"));
	look(RELOAD_CHANGED);
	assert_string_equal(site_row(&s, "a.example").row.id, "44582401"); /* as in the test before */
}

/* --- files that vanish -------------------------------------------------------------------------------------------- */

static void fill(int from, int to)
{
	for (int i = from; i < to; i++) {
		char name[64], text[160];
		(void)snprintf(name, sizeof name, "d/%d.yaml", i);
		(void)snprintf(text, sizeof text, "domains:\n  d%d.example: " POLICY("604800"), i);
		site_write(&s, name, text);
	}
}

static void empty(int from, int to)
{
	char name[64];
	for (int i = from; i < to; i++) {
		(void)snprintf(name, sizeof name, "d/%d.yaml", i);
		site_remove(&s, name);
	}
}

static void begin(int count)
{
	site_make_folder(&s, "d");
	site_write(&s, SITE_MAIN, "domains:\n  own.example: " POLICY("604800") "include: [d/*.yaml]\n");
	fill(0, count);
	look(RELOAD_ALL);
	assert_int_equal(site_count(&s, DB_DOMAINS), count + 1);
}

static uint64_t kept(void)
{
	return metric_mine()->value[M_DOMAINS_KEPT];
}

static void test_caution_most_files_that_vanish_are_let_be_for_ten_minutes(void **state)
{
	(void)state;
	begin(300);
	empty(0, 300);
	site_write(&s, SITE_MAIN, "domains:\n  own.example: " POLICY("604801") "include: [d/*.yaml]\n");
	look(RELOAD_CHANGED);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	assert_int_equal(kept(), 300);
	assert_int_equal(site_row(&s, "own.example").row.max_age_s, 604801); /* nobody else waits */
	pass(9 * 60);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	restart(); /* begins to wait anew */
	pass(9 * 60);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	assert_int_equal(site_row(&s, "d0.example").row.state, DOMAIN_LIVE);
	pass(60);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 300);
	assert_int_equal(kept(), 0);
}

static void test_caution_mount_that_comes_back_in_time_costs_nothing(void **state)
{
	(void)state;
	begin(150);
	char id[33];
	(void)snprintf(id, sizeof id, "%s", site_row(&s, "d7.example").row.id);
	empty(0, 150);
	look(RELOAD_CHANGED);
	pass(9 * 60);
	assert_int_equal(kept(), 150);
	fill(0, 150);
	pass(60);
	assert_int_equal(kept(), 0);
	assert_string_equal(site_row(&s, "d7.example").row.id, id);
	empty(0, 150); /* and once more: ten minutes from here */
	look(RELOAD_CHANGED);
	pass(9 * 60);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	look(RELOAD_ASKED);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 150);
}

static void test_caution_is_for_more_than_half_and_for_many(void **state)
{
	(void)state;
	begin(199); /* with own.example 200 */
	empty(0, 100);
	look(RELOAD_CHANGED);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 100); /* half of them */
	pass(10 * 60);
	empty(100, 199);
	look(RELOAD_CHANGED);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 199); /* less than VANISH_MANY */
}

/* rm -rf takes a while, and is seen in between */
static void test_caution_files_that_vanish_one_after_the_other_are_added_up(void **state)
{
	(void)state;
	begin(300);
	for (int i = 0; i < 300; i += 20) {
		empty(i, i + 20);
		mono_ms += 200;
		look(RELOAD_CHANGED);
	}
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 140); /* one more piece would be more than half */
	assert_int_equal(kept(), 160);
	fill(0, 300);
	pass(11 * 60);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 0);
	assert_int_equal(kept(), 0);
	empty(0, 140); /* and that is forgotten by now */
	look(RELOAD_CHANGED);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 140);
}

static void test_caution_domains_that_move_to_another_file_are_not_gone(void **state)
{
	(void)state;
	struct buf all;
	buf_init(&all, 1 << 20);
	begin(200);
	empty(0, 200);
	(void)buf_add_text(&all, "domains:\n");
	for (int i = 0; i < 150; i++)
		(void)buf_printf(&all, "  d%d.example: " POLICY("604800"), i);
	site_write(&s, "d/all.yaml", buf_text(&all));
	look(RELOAD_CHANGED);
	assert_int_equal(kept(), 0);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 50);
	assert_int_equal(site_row(&s, "d149.example").row.state, DOMAIN_LIVE);
	site_write(&s, "d/all.yaml", "domains:\n  d0.example: " POLICY("604800")); /* said, not guessed */
	look(RELOAD_CHANGED);
	assert_int_equal(site_count(&s, DB_WITHDRAWN), 199);
	buf_deinit(&all);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_caution_clock_ahead_for_a_moment_ends_no_withdrawal),
		TEST(test_caution_date_is_kept_to_the_minute_once_the_clock_is_steady),
		TEST(test_caution_clock_set_back_shortens_no_withdrawal),
		TEST(test_caution_serial_ids_of_a_run_begin_at_its_start),
		TEST(test_caution_serial_ids_begin_anew_when_a_clock_that_was_behind_is_put_right),
		TEST(test_caution_files_that_vanish_one_after_the_other_are_added_up),
		TEST(test_caution_most_files_that_vanish_are_let_be_for_ten_minutes),
		TEST(test_caution_mount_that_comes_back_in_time_costs_nothing),
		TEST(test_caution_is_for_more_than_half_and_for_many),
		TEST(test_caution_domains_that_move_to_another_file_are_not_gone),
	};
	return cmocka_run_group_tests_name("caution", tests, NULL, NULL);
}

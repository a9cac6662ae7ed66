#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/metric.h"
#include "store_dir.h"
#include "unit.h"

static struct store_dir dir;
static char path[128];

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	(void)snprintf(path, sizeof path, "%s/metrics", dir.path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	metric_attach(NULL, 0);
	store_dir_close(&dir);
	return 0;
}

static struct metric_page *create(size_t slot_count)
{
	struct metric_page *page;
	struct err err = {0};
	if (metric_page_create(path, slot_count, &page, &err) != 0)
		fail_msg("%s", err.text);
	return page;
}

static void test_metric_slots_are_added_up(void **state)
{
	(void)state;
	struct metric_page *page = create(3), *reader;
	metric_add(M_RELOADS, 100); /* before it is attached: counted for nobody */
	for (size_t slot = 0; slot < 3; slot++) {
		metric_attach(page, slot);
		metric_add(M_CONNECTIONS, (int64_t)slot + 1);
		metric_add(M_CONNECTIONS_OPEN, 2);
		metric_add(M_CONNECTIONS_OPEN, -1);
	}
	metric_set(M_DOMAINS, 7);
	assert_int_equal(metric_page_open(path, false, &reader, NULL), 0); /* another process sees it at once */
	assert_int_equal(reader->slot_count, 3);
	assert_int_equal(metric_sum(reader, M_CONNECTIONS), 6);
	assert_int_equal(metric_sum(reader, M_CONNECTIONS_OPEN), 3);
	assert_int_equal(metric_sum(reader, M_DOMAINS), 7);
	assert_int_equal(metric_sum(reader, M_RELOADS), 0);
	metric_page_close(reader);
	metric_page_close(page);
}

static void test_metric_counters_outlive_a_worker_and_gauges_do_not(void **state)
{
	(void)state;
	struct metric_page *page = create(2);
	metric_attach(page, 1);
	metric_add(M_CONNECTIONS, 5);
	metric_add(M_CONNECTIONS_OPEN, 5);
	metric_page_reset_slot(page, 1, WORKER_STARTING);
	assert_int_equal(metric_sum(page, M_CONNECTIONS), 5);
	assert_int_equal(metric_sum(page, M_CONNECTIONS_OPEN), 0);
	assert_int_equal(page->slot[1].state, WORKER_STARTING);
	metric_attach(page, METRIC_SLOTS_MAX); /* there is none */
	metric_add(M_CONNECTIONS, 1);
	assert_int_equal(metric_sum(page, M_CONNECTIONS), 5);
	metric_attach(NULL, 0);
	metric_page_close(page);
}

static void test_metric_page_of_another_version_is_refused(void **state)
{
	(void)state;
	struct metric_page *page, *other = NULL;
	struct err err = {0};
	assert_int_equal(metric_page_open(path, false, &other, &err), ERR_NOENT);
	assert_null(other);
	page = create(1);
	page->magic++;
	assert_int_equal(metric_page_open(path, false, &other, &err), ERR_PARSE);
	page->magic--;
	page->slot_count = METRIC_SLOTS_MAX + 1;
	assert_int_equal(metric_page_open(path, true, &other, &err), ERR_PARSE);
	metric_page_close(page);
	assert_int_equal(truncate(path, sizeof(struct metric_page) - 1), 0);
	assert_int_equal(metric_page_open(path, false, &other, &err), ERR_PARSE);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(metric_page_open(path, false, &other, &err), ERR_PARSE);
	assert_null(other);
	metric_page_close(NULL);
}

static void test_metric_fresh_page_leaves_the_old_one_to_those_who_map_it(void **state)
{
	(void)state;
	struct metric_page *old = create(1), *new_page, *reader;
	metric_attach(old, 0);
	metric_add(M_RELOADS, 1);
	new_page = create(2);
	assert_int_equal(metric_sum(new_page, M_RELOADS), 0);
	metric_add(M_RELOADS, 1);
	assert_int_equal(metric_sum(old, M_RELOADS), 2);
	assert_int_equal(metric_page_open(path, false, &reader, NULL), 0);
	assert_int_equal(reader->slot_count, 2);
	metric_attach(NULL, 0);
	metric_page_close(reader);
	metric_page_close(new_page);
	metric_page_close(old);
}

static void test_metric_page_that_cannot_be_made_gives_a_sentence(void **state)
{
	(void)state;
	struct metric_page *page = NULL;
	struct err err = {0};
	(void)snprintf(path, sizeof path, "%s/no/such", dir.path);
	assert_int_equal(metric_page_create(path, 1, &page, &err), ERR_NOENT);
	assert_non_null(strstr(err.text, path));
	assert_null(page);
	assert_int_equal(metric_page_create(path, METRIC_SLOTS_MAX + 1, &page, &err), ERR_RANGE);
	char long_path[5000];
	memset(long_path, 'x', sizeof long_path);
	long_path[sizeof long_path - 1] = '\0';
	assert_int_equal(metric_page_create(long_path, 1, &page, &err), ERR_RANGE);
}

static void test_metric_rendered_family_has_one_head_and_only_its_rows_below(void **state)
{
	(void)state;
	struct metric_page *page = create(1);
	struct buf out;
	char family[128] = "", seen[16384] = "|", name[128], kind[16];
	size_t rows = 0;
	metric_attach(page, 0);
	metric_set(M_RESPONSES_200, 42);
	buf_init(&out, 65536);
	metric_render(page, &out);
	assert_non_null(strstr(buf_text(&out), "\nmta_sts_responses_total{code=\"200\"} 42\n"));
	char *save = NULL, *text = strdup(buf_text(&out));
	assert_non_null(text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "# HELP %127[a-z0-9_]", name) == 1) {
			char mark[140];
			(void)snprintf(mark, sizeof mark, "|%s|", name);
			if (strstr(seen, mark))
				fail_msg("%s has two heads", name);
			(void)snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s|", name);
			(void)snprintf(family, sizeof family, "%s", name);
		} else if (sscanf(line, "# TYPE %127[a-z0-9_] %15s", name, kind) == 2) {
			assert_string_equal(name, family);
			size_t len = strlen(name);
			bool is_total = len > 6 && strcmp(name + len - 6, "_total") == 0;
			assert_string_equal(kind, is_total ? "counter" : "gauge");
		} else {
			size_t len = strcspn(line, "{ ");
			if (len != strlen(family) || strncmp(line, family, len) != 0)
				fail_msg("%s below %s", line, family);
			rows++;
		}
	}
	assert_int_equal(rows, METRIC_COUNT);
	free(text);
	buf_deinit(&out);
	metric_attach(NULL, 0);
	metric_page_close(page);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_metric_slots_are_added_up),
		TEST(test_metric_counters_outlive_a_worker_and_gauges_do_not),
		TEST(test_metric_page_of_another_version_is_refused),
		TEST(test_metric_fresh_page_leaves_the_old_one_to_those_who_map_it),
		TEST(test_metric_page_that_cannot_be_made_gives_a_sentence),
		TEST(test_metric_rendered_family_has_one_head_and_only_its_rows_below),
	};
	return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}

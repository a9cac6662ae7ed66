#include "../../base/db.h"
#include "../../base/err.h"
#include "store_dir.h"
#include "unit.h"

#include <sys/wait.h>

static struct store_dir dir;

static int set_up(void **state)
{
	(void)state;
	store_dir_open(&dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store_dir_close(&dir);
	return 0;
}

static struct db_txn *begin(bool write)
{
	struct db_txn *txn;
	struct err err = {0};
	if ((write ? db_begin_write(dir.store, &txn, &err) : db_begin_read(dir.store, &txn, &err)) != 0)
		fail_msg("%s", err.text);
	return txn;
}

static void put(struct db_txn *txn, const char *key, const char *value)
{
	struct err err = {0};
	if (db_put(txn, DB_DOMAINS, span_of(key), span_of(value), &err) != 0)
		fail_msg("%s", err.text);
}

static bool holds(struct db_txn *txn, const char *key, const char *value)
{
	struct span out;
	return db_get(txn, DB_DOMAINS, span_of(key), &out) == 0 && span_is(out, span_of(value));
}

static void commit(struct db_txn *txn)
{
	struct err err = {0};
	if (db_commit(txn, &err) != 0)
		fail_msg("%s", err.text);
}

static void fill(size_t count)
{
	struct db_txn *txn = begin(true);
	for (size_t i = 0; i < count; i++) {
		char key[32];
		(void)snprintf(key, sizeof key, "d%06zu.example", i);
		put(txn, key, "a value of some length, so that there are many pages to walk over");
	}
	commit(txn);
}

static void test_db_what_is_put_is_got_replaced_and_deleted(void **state)
{
	(void)state;
	struct db_txn *txn = begin(true);
	struct span out;
	put(txn, "a", "1");
	put(txn, "a", "2");
	put(txn, "b", "");
	assert_true(holds(txn, "a", "2"));
	assert_true(holds(txn, "b", ""));
	assert_int_equal(db_count(txn, DB_DOMAINS), 2);
	assert_int_equal(db_count(txn, DB_SPECS), 0);
	assert_int_equal(db_get(txn, DB_SPECS, SPAN_LIT("a"), &out), ERR_NOENT);
	assert_int_equal(db_delete(txn, DB_DOMAINS, SPAN_LIT("a"), NULL), 0);
	assert_int_equal(db_delete(txn, DB_DOMAINS, SPAN_LIT("a"), NULL), ERR_NOENT);
	assert_int_equal(db_get(txn, DB_DOMAINS, SPAN_LIT("a"), &out), ERR_NOENT);
	commit(txn);
	txn = begin(false);
	assert_int_equal(db_count(txn, DB_DOMAINS), 1);
	db_end(txn);
}

static void test_db_keys_have_1_to_511_bytes(void **state)
{
	(void)state;
	char key[DB_KEY_MAX_BYTES + 1];
	struct db_txn *txn = begin(true);
	struct err err = {0};
	struct span out;
	memset(key, 'k', sizeof key);
	assert_int_equal(db_put(txn, DB_DOMAINS, (struct span){key, DB_KEY_MAX_BYTES}, SPAN_LIT("v"), &err), 0);
	assert_int_equal(db_get(txn, DB_DOMAINS, (struct span){key, DB_KEY_MAX_BYTES}, &out), 0);
	assert_int_equal(db_put(txn, DB_DOMAINS, (struct span){key, sizeof key}, SPAN_LIT("v"), &err), ERR_RANGE);
	assert_int_equal(db_get(txn, DB_DOMAINS, (struct span){key, sizeof key}, &out), ERR_NOENT);
	assert_int_equal(db_delete(txn, DB_DOMAINS, (struct span){key, sizeof key}, &err), ERR_NOENT);
	assert_int_equal(db_put(txn, DB_DOMAINS, SPAN_LIT(""), SPAN_LIT("v"), &err), ERR_RANGE);
	assert_int_equal(db_get(txn, DB_DOMAINS, SPAN_LIT(""), &out), ERR_NOENT);
	assert_int_equal(db_get(txn, DB_DOMAINS, (struct span){NULL, 0}, &out), ERR_NOENT);
	assert_int_equal(db_delete(txn, DB_DOMAINS, SPAN_LIT(""), &err), ERR_NOENT);
	db_end(txn);
}

static void test_db_abandoned_changes_never_were(void **state)
{
	(void)state;
	struct db_txn *txn = begin(true);
	put(txn, "a", "1");
	db_end(txn);
	db_end(NULL);
	txn = begin(false);
	assert_int_equal(db_count(txn, DB_DOMAINS), 0);
	db_end(txn);
}

static void test_db_reader_sees_a_commit_once_it_renews(void **state)
{
	(void)state;
	struct db_txn *reader = begin(false), *writer = begin(true);
	put(writer, "a", "1");
	commit(writer);
	assert_false(holds(reader, "a", "1")); /* its snapshot is from before */
	db_reset(reader);
	assert_int_equal(db_renew(reader), 0);
	assert_true(holds(reader, "a", "1"));
	struct span out;
	assert_int_equal(db_get_in_turn(reader, DB_DOMAINS, 0, SPAN_LIT("a"), &out), 0);
	db_reset(reader);
	writer = begin(true);
	put(writer, "a", "2");
	assert_int_equal(db_renew(reader), 0);
	assert_true(holds(reader, "a", "1")); /* not committed yet */
	db_reset(reader);
	commit(writer);
	assert_int_equal(db_renew(reader), 0);
	assert_true(holds(reader, "a", "2"));
	assert_int_equal(db_get_in_turn(reader, DB_DOMAINS, 0, SPAN_LIT("a"), &out), 0);
	assert_true(span_is(out, SPAN_LIT("2")));
	db_end(reader);
}

static void test_db_cursor_walks_in_the_order_of_keys(void **state)
{
	(void)state;
	static const char *const keys[] = {"b", "a", "\xFF", "ab", "a.b"};
	static const char *const sorted[] = {"a", "a.b", "ab", "b", "\xFF"};
	struct db_txn *txn = begin(true);
	struct db_cursor *cur;
	struct span key, value;
	for (size_t i = 0; i < COUNT(keys); i++)
		put(txn, keys[i], keys[i]);
	assert_int_equal(db_cursor_open(txn, DB_DOMAINS, &cur, NULL), 0);
	int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value);
	for (size_t i = 0; i < COUNT(sorted); i++) {
		assert_int_equal(rc, 0);
		assert_true(span_is(key, span_of(sorted[i])) && span_is(value, key));
		rc = db_next(cur, &key, &value);
	}
	assert_int_equal(rc, ERR_NOENT);
	assert_int_equal(db_seek(cur, SPAN_LIT("aa"), &key, &value), 0);
	assert_true(span_is(key, SPAN_LIT("ab")));
	assert_int_equal(db_seek(cur, SPAN_LIT("ab"), &key, &value), 0);
	assert_true(span_is(key, SPAN_LIT("ab")));
	assert_int_equal(db_seek(cur, SPAN_LIT("\xFF\xFF"), &key, &value), ERR_NOENT);
	db_cursor_close(cur);
	assert_int_equal(db_cursor_open(txn, DB_SPECS, &cur, NULL), 0);
	assert_int_equal(db_seek(cur, (struct span){NULL, 0}, &key, &value), ERR_NOENT);
	db_cursor_close(cur);
	db_cursor_close(NULL);
	db_end(txn);
}

static void test_db_cleared_table_is_empty_and_others_are_not(void **state)
{
	(void)state;
	struct err err = {0};
	fill(2000);
	struct db_txn *txn = begin(true);
	assert_int_equal(db_put(txn, DB_META, SPAN_LIT("a"), SPAN_LIT("b"), &err), 0);
	put(txn, "z.example", "the place in the table is one to be let go of");
	assert_int_equal(db_clear(txn, DB_DOMAINS, &err), 0);
	assert_int_equal(db_count(txn, DB_DOMAINS), 0);
	put(txn, "d000007.example", "again");
	commit(txn);
	txn = begin(false);
	assert_true(holds(txn, "d000007.example", "again"));
	assert_int_equal(db_count(txn, DB_DOMAINS), 1);
	assert_int_equal(db_count(txn, DB_META), 1);
	db_end(txn);
}

static void test_db_rows_deleted_under_a_cursor_are_stepped_over(void **state)
{
	(void)state;
	/* every row; every second; long runs, so that whole pages go */
	static const struct {
		int line;
		size_t period, deleted;
	} cases[] = {{__LINE__, 1, 1}, {__LINE__, 2, 1}, {__LINE__, 3, 2}, {__LINE__, 1000, 900}, {__LINE__, 5000, 1}};
	const size_t count = 5000;
	for (size_t c = 0; c < COUNT(cases); c++) {
		fill(count);
		struct db_txn *txn = begin(true);
		struct db_cursor *cur;
		struct span key, value;
		size_t seen = 0, deleted = 0;
		assert_int_equal(db_cursor_open(txn, DB_DOMAINS, &cur, NULL), 0);
		int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value);
		for (; rc == 0; rc = db_next(cur, &key, &value)) {
			char name[32], wanted[32];
			(void)snprintf(name, sizeof name, "%.*s", SPAN_ARG(key));
			(void)snprintf(wanted, sizeof wanted, "d%06zu.example", seen);
			if (strcmp(name, wanted) != 0)
				fail_msg("line %d: %s instead of %s", cases[c].line, name, wanted);
			if (seen++ % cases[c].period < cases[c].deleted) {
				assert_int_equal(db_delete(txn, DB_DOMAINS, span_of(name), NULL), 0);
				deleted++;
			}
		}
		assert_int_equal(rc, ERR_NOENT);
		if (seen != count || db_count(txn, DB_DOMAINS) != count - deleted)
			fail_msg("line %d: %zu seen, %zu left", cases[c].line, seen, db_count(txn, DB_DOMAINS));
		db_cursor_close(cur);
		db_end(txn);
	}
}

static void test_db_writes_to_other_tables_do_not_disturb_a_cursor(void **state)
{
	(void)state;
	fill(3000);
	struct db_txn *txn = begin(true);
	struct db_cursor *cur;
	struct span key, value;
	size_t seen = 0;
	assert_int_equal(db_cursor_open(txn, DB_DOMAINS, &cur, NULL), 0);
	for (int rc = db_seek(cur, (struct span){NULL, 0}, &key, &value); rc == 0; rc = db_next(cur, &key, &value)) {
		char name[32];
		(void)snprintf(name, sizeof name, "%.*s", SPAN_ARG(key));
		assert_int_equal(db_put(txn, DB_SPECS, span_of(name), SPAN_LIT("spec"), NULL), 0);
		assert_int_equal(db_put(txn, DB_BODIES, SPAN_LIT("one"), span_of(name), NULL), 0);
		seen++;
	}
	assert_int_equal(seen, 3000);
	assert_int_equal(db_count(txn, DB_SPECS), 3000);
	db_cursor_close(cur);
	commit(txn);
}

static void test_db_keyring_holds_keys_only_and_nobody_else_reads_it(void **state)
{
	(void)state;
	struct db_txn *txn;
	struct span out;
	struct stat st;
	char path[128];
	assert_int_equal(db_begin_write(dir.keyring, &txn, NULL), 0);
	assert_int_equal(db_put(txn, DB_KEYS, SPAN_LIT("k"), SPAN_LIT("secret"), NULL), 0);
	assert_int_equal(db_get(txn, DB_KEYS, SPAN_LIT("k"), &out), 0);
	for (size_t t = 0; t < DB_TABLE_COUNT; t++) {
		if (t == DB_KEYS)
			continue;
		assert_int_not_equal(db_put(txn, (enum db_table)t, SPAN_LIT("k"), SPAN_LIT("v"), NULL), 0);
		assert_int_not_equal(db_get(txn, (enum db_table)t, SPAN_LIT("k"), &out), 0);
	}
	assert_int_equal(db_commit(txn, NULL), 0);
	txn = begin(true);
	assert_int_not_equal(db_put(txn, DB_KEYS, SPAN_LIT("k"), SPAN_LIT("v"), NULL), 0);
	db_end(txn);
	(void)snprintf(path, sizeof path, "%s/data.mdb", dir.keyring_path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)snprintf(path, sizeof path, "%s/data.mdb", dir.store_path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* group may read at most */
}

static void test_db_reader_without_a_store_is_told_that_there_is_none(void **state)
{
	(void)state;
	struct db *db = (struct db *)&dir;
	struct err err = {0};
	char path[128];
	(void)snprintf(path, sizeof path, "%s/empty", dir.path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(db_open(&db, path, DB_STORE, false, &err), ERR_NOENT);
	assert_null(db);
	assert_non_null(strstr(err.text, path));
	(void)snprintf(path, sizeof path, "%s/nowhere", dir.path);
	assert_int_equal(db_open(&db, path, DB_STORE, false, &err), ERR_NOENT);
	assert_int_equal(db_open(&db, path, DB_STORE, true, &err), ERR_NOENT);
	assert_non_null(strstr(err.text, path));
}

static void test_db_unwritable_folder_gives_a_sentence(void **state)
{
	(void)state;
	char path[128];
	struct err err = {0};
	struct db *db = NULL;
	bool is_root = geteuid() == 0;
	(void)snprintf(path, sizeof path, "%s/closed", dir.path);
	assert_int_equal(mkdir(path, 0500), 0);
	assert_int_equal(chmod(dir.path, 0755), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	int rc = db_open(&db, path, DB_STORE, true, &err);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, ERR_PERM);
	assert_null(db);
	if (!strstr(err.text, path) || !strstr(err.text, "Permission denied"))
		fail_msg("%s", err.text);
}

static void test_db_damaged_store_gives_a_sentence(void **state)
{
	(void)state;
	char path[128], file[160];
	struct err err = {0};
	struct db *db = NULL;
	(void)snprintf(path, sizeof path, "%s/damaged", dir.path);
	(void)snprintf(file, sizeof file, "%s/data.mdb", path);
	assert_int_equal(mkdir(path, 0700), 0);
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	for (int i = 0; i < 20000; i++)
		(void)fputs("no store", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(db_open(&db, path, DB_STORE, true, &err), ERR_IO);
	assert_null(db);
	assert_non_null(strstr(err.text, path));
}

static void test_db_slot_of_a_dead_reader_is_freed(void **state)
{
	(void)state;
	fill(1);
	pid_t child = fork();
	if (child == 0) { /* opened after the fork, as the door wants it */
		struct db *db;
		struct db_txn *txn;
		int rc = db_open(&db, dir.store_path, DB_STORE, false, NULL);
		_exit(rc || db_begin_read(db, &txn, NULL) ? 1 : 0);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(db_clear_stale_readers(dir.store), 1);
	assert_int_equal(db_clear_stale_readers(dir.store), 0);
}

static void test_db_old_snapshots_stay_readable_while_the_writer_goes_on(void **state)
{
	(void)state;
	fill(1000);
	struct db_txn *reader = begin(false);
	for (int round = 0; round < 20; round++) {
		struct db_txn *writer = begin(true);
		for (size_t i = 0; i < 1000; i++) {
			char key[32];
			(void)snprintf(key, sizeof key, "d%06zu.example", i);
			if (round % 2)
				put(writer, key, "new");
			else
				assert_int_equal(db_delete(writer, DB_DOMAINS, span_of(key), NULL), 0);
		}
		commit(writer);
	}
	assert_int_equal(db_count(reader, DB_DOMAINS), 1000);
	assert_true(
		holds(reader, "d000999.example", "a value of some length, so that there are many pages to walk over"));
	db_end(reader);
}

/* What the table is to hold: by key number, the length of the value; 0: nothing. */
enum { MODEL_COUNT = 3000 };

static int get_in_turns(struct db_txn *txn, enum db_table table, struct span key, struct span *out)
{
	return db_get_in_turn(txn, table, key.p[key.len - 9] % 2, key, out); /* the key's last digit */
}

/* get: the answers are those of db_get, whatever was asked before. step: between one key and the next */
static void check_model(struct db_txn *txn, const size_t *lens,
			int (*get)(struct db_txn *, enum db_table, struct span, struct span *), size_t step)
{
	static char text[600];
	for (size_t n = 0; n < MODEL_COUNT; n++) {
		size_t i = n * step % MODEL_COUNT;
		char key[32];
		struct span out = {NULL, 0};
		(void)snprintf(key, sizeof key, "d%06zu.example", i);
		int rc = get(txn, DB_DOMAINS, span_of(key), &out);
		assert_int_equal(rc, lens[i] ? 0 : ERR_NOENT);
		memset(text, (int)('a' + i % 26), sizeof text);
		assert_true(out.len == lens[i] && (out.len == 0 || memcmp(out.p, text, out.len) == 0));
	}
}

/* Puts of the same size, of another, behind the last key and between, deletes and look-ups, in and out of order. */
static void test_db_writer_finds_its_rows_whatever_it_did_before(void **state)
{
	(void)state;
	static size_t lens[MODEL_COUNT], at_commit[MODEL_COUNT];
	static char text[600];
	unsigned seed = 1;
	for (size_t round = 0; round < 12; round++) {
		struct db_txn *txn = begin(true);
		for (size_t n = 0; n < 4000; n++) {
			seed = seed * 1103515245u + 12345u;
			size_t draw = seed >> 8, i = round % 3 == 0 ? n % MODEL_COUNT : draw % MODEL_COUNT;
			char key[32];
			struct span out;
			(void)snprintf(key, sizeof key, "d%06zu.example", i);
			if (draw % 4 == 0) {
				assert_int_equal(db_delete(txn, DB_DOMAINS, span_of(key), NULL),
						 lens[i] ? 0 : ERR_NOENT);
				lens[i] = 0;
			} else if (draw % 4 == 1) {
				assert_int_equal(db_get(txn, DB_DOMAINS, span_of(key), &out), lens[i] ? 0 : ERR_NOENT);
			} else {
				if (draw % 4 == 2)
					assert_int_equal(db_get_in_turn(txn, DB_DOMAINS, 0, span_of(key), &out),
							 lens[i] ? 0 : ERR_NOENT);
				lens[i] = draw % 8 == 2 && lens[i] ? lens[i] : 1 + draw / 8 % sizeof text;
				memset(text, (int)('a' + i % 26), lens[i]);
				assert_int_equal(
					db_put(txn, DB_DOMAINS, span_of(key), (struct span){text, lens[i]}, NULL), 0);
			}
		}
		check_model(txn, lens, db_get, 1);
		check_model(txn, lens, get_in_turns, 1);
		check_model(txn, lens, get_in_turns, 7);
		if (round % 5 == 4) {
			db_end(txn); /* nothing of it */
			memcpy(lens, at_commit, sizeof lens);
		} else {
			commit(txn);
			memcpy(at_commit, lens, sizeof lens);
		}
		txn = begin(false);
		check_model(txn, lens, db_get, 1);
		check_model(txn, lens, get_in_turns, 1);
		check_model(txn, lens, get_in_turns, MODEL_COUNT - 1);
		db_end(txn);
	}
}

static void test_db_trim_waits_for_transactions_and_keeps_rows(void **state)
{
	(void)state;
	fill(30000);
	struct db_txn *reader = begin(false);
	db_trim(dir.store);
	assert_true(
		holds(reader, "d000999.example", "a value of some length, so that there are many pages to walk over"));
	db_end(reader);
	db_trim(dir.store);
	reader = begin(false);
	assert_int_equal(db_count(reader, DB_DOMAINS), 30000);
	db_end(reader);
	struct db_txn *writer = begin(true);
	put(writer, "a", "b");
	commit(writer);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_db_what_is_put_is_got_replaced_and_deleted),
		TEST(test_db_keys_have_1_to_511_bytes),
		TEST(test_db_abandoned_changes_never_were),
		TEST(test_db_reader_sees_a_commit_once_it_renews),
		TEST(test_db_cursor_walks_in_the_order_of_keys),
		TEST(test_db_cleared_table_is_empty_and_others_are_not),
		TEST(test_db_rows_deleted_under_a_cursor_are_stepped_over),
		TEST(test_db_writes_to_other_tables_do_not_disturb_a_cursor),
		TEST(test_db_keyring_holds_keys_only_and_nobody_else_reads_it),
		TEST(test_db_reader_without_a_store_is_told_that_there_is_none),
		TEST(test_db_unwritable_folder_gives_a_sentence),
		TEST(test_db_damaged_store_gives_a_sentence),
		TEST(test_db_slot_of_a_dead_reader_is_freed),
		TEST(test_db_old_snapshots_stay_readable_while_the_writer_goes_on),
		TEST(test_db_writer_finds_its_rows_whatever_it_did_before),
		TEST(test_db_trim_waits_for_transactions_and_keeps_rows),
	};
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}

/* Statements, transactions, waiting, versions of a file; against SQLite in a temporary folder. */
#include "lib/unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/db.h"
#include "db/ddl.h"

enum { ADD, GET, COUNT, ALL, SLOW, BREAK, ADD_NOTE };

static const struct db_query queries[] = {
	[ADD] = { "add",
	    "INSERT INTO thing(id, n, at, name, data) VALUES (?1, ?2, ?3, ?4, ?5) "
	    "ON CONFLICT DO NOTHING RETURNING id" },
	[GET] = { "get", "SELECT n, at, name, data FROM thing WHERE id = ?1" },
	[COUNT] = { "count", "SELECT count(*) FROM thing" },
	[ALL] = { "all", "SELECT id FROM thing ORDER BY id" },
	[SLOW] = { "slow",
	    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
	    "WHERE x < ?1) SELECT count(*) FROM c" },
	[BREAK] = { "break", "SELECT id FROM missing" },
	[ADD_NOTE] = { "add_note", "UPDATE thing SET note = ?2 WHERE id = ?1" },
};

static const struct db_table table_v1 = { "thing", .key = "id",
	.columns = { { "id", DB_ID }, { "n", DB_NUMBER }, { "at", DB_TIME }, { "name", DB_TEXT },
	    { "data", DB_BYTES } } };
static const struct db_program program_v1 = { "test", 1, &table_v1, 1, .queries = queries,
	.query_count = 7 };

static const struct db_table tables_v3[] = {
	{ "thing", .key = "id",
	    .columns = { { "id", DB_ID }, { "n", DB_NUMBER }, { "at", DB_TIME },
		{ "name", DB_TEXT }, { "data", DB_BYTES }, { "note", DB_TEXT } } },
	{ "other", .key = "owner, id", .rowid = "id", .unique = "owner, name",
	    .columns = { { "owner", DB_ID }, { "id", DB_ID }, { "name", DB_TEXT } } },
};
static const struct db_index index_v3 = { "thing_n", "thing", "n", "n > 0" };
static const struct db_migration steps[] = {
	{ 2, .table = "thing", .column = { "note", DB_TEXT } },
	{ 3, .create = &tables_v3[1] },
	{ 3, .sql = "CREATE INDEX thing_n ON thing(n) WHERE n > 0" },
};
static const struct db_program program_v3 = { "test", 3, tables_v3, 2, &index_v3, 1, steps, 3,
	queries, 7 };

struct fixture {
	char folder[32], path[64];
	struct error error;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/db_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/x.db", f->folder);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };

	for (size_t i = 0; i < 4; i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

static struct db *open_with(
    struct fixture *f, const struct db_program *program, struct db_options options)
{
	struct db *db = NULL;

	f->error = (struct error){ 0 };
	if (!db_open(f->path, program, &options, deadline_in_ms(5000), &db, &f->error))
		assert_null(db);
	return db;
}

static struct db *open_wal(struct fixture *f)
{
	return open_with(f, &program_v1, (struct db_options){ .journal = DB_WAL });
}

/* true when the row is new */
static bool add(struct db *db, int64_t id, slice name, struct error *error)
{
	struct db_stmt *st = db_use(db, ADD);
	bool added;

	db_bind_id(st, 1, id);
	db_bind_number(st, 2, -id);
	db_bind_time(st, 3, INT64_MAX);
	db_bind_text(st, 4, name);
	db_bind_bytes(st, 5, SLICE("a\0b"));
	added = db_step(st);
	return db_done(st, error) && added;
}

static int64_t count(struct db *db)
{
	struct db_stmt *st = db_use(db, COUNT);
	struct error error;
	int64_t n = db_step(st) ? db_column_number(st, 0) : -1;

	assert_true(db_done(st, &error));
	return n;
}

static void what_is_bound_is_read(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);
	struct db_stmt *st;

	assert_true(add(db, 7, SLICE("gr\xc3\xbc\xc3\x9f"), &f->error));
	assert_false(add(db, 7, SLICE("again"), &f->error));
	assert_true(add(db, 8, (slice){ NULL, 0 }, &f->error));
	st = db_use(db, GET);
	db_bind_id(st, 1, 7);
	assert_true(db_step(st));
	assert_int_equal(db_column_number(st, 0), -7);
	assert_true(db_column_time(st, 1) == INT64_MAX);
	assert_slice(db_column_text(st, 2), "gr\xc3\xbc\xc3\x9f");
	assert_int_equal(db_column_bytes(st, 3).n, 3);
	assert_false(db_step(st));
	assert_int_equal(db_column_number(st, 0), 0);
	assert_true(db_done(st, &f->error));
	db_close(db);
}

static void text_must_be_utf8_without_nul(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);

	assert_false(add(db, 1, SLICE("\xff"), &f->error));
	assert_int_equal(f->error.fault, FAULT_INPUT);
	assert_false(add(db, 1, SLICE("a\0b"), &f->error));
	assert_int_equal(f->error.fault, FAULT_INPUT);
	assert_int_equal(count(db), 0);
	assert_true(add(db, 1, SLICE("ab"), &f->error));
	db_close(db);
}

static void errors_stay_until_asked_and_name_the_statement(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);

	for (int i = 0; i < 2; i++) {
		struct db_stmt *st = db_use(db, BREAK);

		db_bind_id(st, 1, 5);
		assert_false(db_step(st));
		assert_int_equal(db_column_id(st, 0), 0);
		assert_slice(db_column_text(st, 3), "");
		assert_false(db_done(st, &f->error));
		assert_true(f->error.temporary);
		assert_non_null(strstr(f->error.why, "break"));
		assert_non_null(strstr(f->error.why, "missing"));
		assert_non_null(strstr(f->error.why, f->path));
	}
	/* A number where text is asked for: not our file. */
	struct db_stmt *st = db_use(db, COUNT);
	assert_true(db_step(st));
	assert_slice(db_column_text(st, 0), "");
	assert_false(db_done(st, &f->error));
	db_close(db);
}

static void transactions_are_whole(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);

	assert_true(db_begin(db, &f->error));
	assert_true(add(db, 1, SLICE("a"), &f->error));
	db_rollback(db);
	db_rollback(db);
	assert_int_equal(count(db), 0);
	assert_true(db_begin(db, &f->error));
	assert_true(add(db, 1, SLICE("a"), &f->error));
	assert_true(db_commit(db, &f->error));
	db_close(db);
	db = open_wal(f);
	assert_int_equal(count(db), 1);
	db_close(db);
}

static void a_lock_is_waited_for_until_the_deadline(void **state)
{
	struct fixture *f = *state;
	struct db *one = open_wal(f), *two = open_wal(f);
	int64_t start;

	assert_true(db_begin(one, &f->error));
	db_set_deadline(two, deadline_in_ms(50));
	start = clock_us();
	assert_false(db_begin(two, &f->error));
	assert_in_range(clock_us() - start, 40000, 2000000);
	assert_true(f->error.temporary);
	assert_non_null(strstr(f->error.why, "locked"));
	assert_true(db_commit(one, &f->error));
	db_set_deadline(two, deadline_in_ms(1000));
	assert_true(db_begin(two, &f->error));
	db_close(two);
	db_close(one);
}

static void a_slow_statement_is_interrupted(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);
	struct db_stmt *st;

	assert_true(db_begin(db, &f->error));
	db_set_deadline(db, deadline_in_ms(30));
	st = db_use(db, SLOW);
	db_bind_number(st, 1, INT64_MAX);
	assert_false(db_run(st, &f->error));
	assert_non_null(strstr(f->error.why, "deadline"));
	db_rollback(db);
	db_set_deadline(db, deadline_in_ms(1000));
	assert_true(add(db, 1, SLICE("a"), &f->error));
	db_close(db);
}

static void a_read_transaction_is_one_view(void **state)
{
	struct fixture *f = *state;
	struct db *one = open_wal(f), *two = open_wal(f);

	assert_true(db_begin_read(one, &f->error));
	assert_int_equal(count(one), 0);
	assert_true(add(two, 1, SLICE("a"), &f->error));
	assert_int_equal(count(one), 0);
	assert_true(db_commit(one, &f->error));
	assert_int_equal(count(one), 1);
	db_close(one);
	db_close(two);
}

static void readers_need_the_writer_first(void **state)
{
	struct fixture *f = *state;
	struct db_options options = { .read_only = true };
	struct db *reader = open_with(f, &program_v1, options);
	struct db *writer;

	assert_null(reader);
	assert_true(f->error.temporary);
	writer =
	    open_with(f, &program_v1, (struct db_options){ .sync = DB_SYNC_FULL, .mode = 0640 });
	assert_true(add(writer, 1, SLICE("a"), &f->error));
	struct stat st;
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	reader = open_with(f, &program_v1, options);
	assert_non_null(reader);
	assert_int_equal(count(reader), 1);
	assert_false(add(reader, 2, SLICE("a"), &f->error));
	assert_true(add(writer, 2, SLICE("a"), &f->error));
	assert_int_equal(count(reader), 2);
	db_close(reader);
	assert_null(open_with(f, &program_v3, options));
	assert_non_null(strstr(f->error.why, "writer"));
	db_close(writer);
}

static void old_files_are_brought_forward_and_newer_refused(void **state)
{
	struct fixture *f = *state;
	struct db_options options = { .journal = DB_WAL };
	struct db *db = open_with(f, &program_v1, options);
	struct db_stmt *st;

	assert_true(add(db, 1, SLICE("kept"), &f->error));
	db_close(db);
	db = open_with(f, &program_v3, options);
	assert_non_null(db);
	assert_int_equal(count(db), 1);
	st = db_use(db, ADD_NOTE);
	db_bind_id(st, 1, 1);
	db_bind_text(st, 2, SLICE("new"));
	assert_true(db_run(st, &f->error));
	assert_int_equal(db_changed(db), 1);
	db_close(db);
	assert_null(open_with(f, &program_v1, options));
	assert_non_null(strstr(f->error.why, "newer program"));
}

static void a_failed_migration_leaves_the_file_alone(void **state)
{
	struct fixture *f = *state;
	static const struct db_migration bad[] = {
		{ 2, .table = "thing", .column = { "note", DB_TEXT } },
		{ 2, .sql = "INSERT INTO missing VALUES (1)" },
	};
	struct db_program broken = program_v3;
	struct db_options options = { .journal = DB_WAL };

	db_close(open_with(f, &program_v1, options));
	broken.version = 2;
	broken.migrations = bad;
	broken.migration_count = 2;
	assert_null(open_with(f, &broken, options));
	db_close(open_with(f, &program_v3, options));
	assert_int_equal(f->error.fault, FAULT_NONE);
}

static void a_full_disk_is_a_temporary_error(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);
	struct rlimit old, small = { 20000, RLIM_INFINITY };
	char *big = calloc(1, 100000);
	struct db_stmt *st;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	st = db_use(db, ADD);
	db_bind_id(st, 1, 1);
	db_bind_number(st, 2, 1);
	db_bind_time(st, 3, 1);
	db_bind_text(st, 4, SLICE(""));
	db_bind_bytes(st, 5, (slice){ big, 100000 });
	assert_false(db_run(st, &f->error));
	assert_true(f->error.temporary);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(add(db, 1, SLICE("a"), &f->error));
	db_close(db);
	free(big);
}

static void checkpoints_move_the_log_into_the_file(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_wal(f);
	int left = -1;

	assert_true(add(db, 1, SLICE("a"), &f->error));
	assert_true(db_checkpoint(db, &left, &f->error));
	assert_int_equal(left, 0);
	assert_true(db_set_sync(db, DB_SYNC_FULL, &f->error));
	db_release_memory(db);
	db_close(db);
}

static void each_engine_gets_its_own_words(void **state)
{
	struct buf sql;

	(void)state;
	buf_init(&sql, DDL_MAX);
	ddl_program(&program_v3, DDL_SQLITE, &sql);
	assert_non_null(strstr(sql.p, "data BLOB NOT NULL"));
	assert_non_null(strstr(sql.p, "PRIMARY KEY (id)\n) STRICT, WITHOUT ROWID;"));
	assert_non_null(strstr(sql.p, "id INTEGER NOT NULL PRIMARY KEY"));
	assert_non_null(strstr(sql.p, "UNIQUE (owner, name)\n) STRICT;"));
	assert_non_null(strstr(sql.p, "CREATE INDEX thing_n ON thing(n) WHERE n > 0;"));
	buf_clear(&sql);
	ddl_program(&program_v3, DDL_POSTGRES, &sql);
	assert_non_null(strstr(sql.p, "data bytea NOT NULL"));
	assert_non_null(strstr(sql.p, "PRIMARY KEY (owner, id)\n);"));
	buf_clear(&sql);
	ddl_migration(&steps[0], DDL_POSTGRES, &sql);
	assert_string_equal(sql.p, "ALTER TABLE thing ADD COLUMN note text NOT NULL DEFAULT '';\n");
	buf_clear(&sql);
	ddl_parameters(SLICE("a = ?1 AND b = '?2' AND c = \"?\" || ?12"), &sql);
	assert_string_equal(sql.p, "a = $1 AND b = '?2' AND c = \"?\" || $12");
	buf_free(&sql);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(what_is_bound_is_read),
		WITH_FILE(text_must_be_utf8_without_nul),
		WITH_FILE(errors_stay_until_asked_and_name_the_statement),
		WITH_FILE(transactions_are_whole),
		WITH_FILE(a_lock_is_waited_for_until_the_deadline),
		WITH_FILE(a_slow_statement_is_interrupted),
		WITH_FILE(a_read_transaction_is_one_view),
		WITH_FILE(readers_need_the_writer_first),
		WITH_FILE(old_files_are_brought_forward_and_newer_refused),
		WITH_FILE(a_failed_migration_leaves_the_file_alone),
		WITH_FILE(a_full_disk_is_a_temporary_error),
		WITH_FILE(checkpoints_move_the_log_into_the_file),
		cmocka_unit_test(each_engine_gets_its_own_words),
	};

	return UNIT_RUN(tests);
}

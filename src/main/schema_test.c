/*
 * Every statement of every room is prepared on SQLite and on PostgreSQL.
 *
 * A room that keeps data gets a line in `programs`. PostgreSQL 15 is started in a temporary folder,
 * on a socket there, as an unprivileged user; where it is not installed this fails.
 */
#include "lib/unit.h"

#include <libpq-fe.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/db.h"
#include "db/ddl.h"
#include "directory/directory.h"
#include "store/store.h"
#include "vault/auth.h"

static const struct db_program *const programs[] = { &directory_program, &store_program,
	&auth_program };
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

#define POSTGRES "/usr/lib/postgresql/15/bin/"
#define NOBODY   65534 /* PostgreSQL refuses to run as root */
#define START_MS 30000

static char folder[] = "/tmp/schema_test.XXXXXX";
static pid_t postgres;
static PGconn *conn;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Starts a program in the folder, its output in the folder's log; as nobody when we are root. */
static pid_t start(const char *const *words)
{
	const char *argv[20] = { "/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
		"--clear-groups", "--no-new-privs", "--pdeathsig=QUIT" };
	size_t n = geteuid() == 0 ? 6 : 0;
	pid_t pid;

	for (size_t i = 0; words[i] && n < 19; i++)
		argv[n++] = words[i];
	argv[n] = NULL;
	pid = fork();
	if (pid == 0) {
		int log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

		prctl(PR_SET_PDEATHSIG, SIGQUIT);
		dup2(log, 1);
		dup2(log, 2);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

static void connect_to_postgres(void)
{
	struct deadline until = deadline_in_ms(START_MS);
	char info[200];

	snprintf(info, sizeof(info), "host=%s user=hauberk dbname=postgres", folder);
	for (;;) {
		conn = PQconnectdb(info);
		if (PQstatus(conn) == CONNECTION_OK)
			return;
		if (deadline_passed(until))
			fail_msg("PostgreSQL does not answer: %s", PQerrorMessage(conn));
		PQfinish(conn);
		usleep(50000);
	}
}

static int start_postgres(void **state)
{
	const char *const initdb[] = { POSTGRES "initdb", "--no-sync", "-D", "data", "-U",
		"hauberk", "-A", "trust", "-E", "UTF8", "--locale=C", NULL };
	const char *const server[] = { POSTGRES "postgres", "-D", "data", "-k", folder, "-F", "-c",
		"listen_addresses=", "-c", "shared_buffers=1MB", NULL };
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(folder, NOBODY, NOBODY), 0);
	pid = start(initdb);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("initdb of PostgreSQL 15 failed (is it installed?): status %d", status);
	postgres = start(server);
	connect_to_postgres();
	return 0;
}

static int stop_postgres(void **state)
{
	(void)state;
	PQfinish(conn);
	if (postgres > 0) {
		kill(postgres, SIGQUIT);
		waitpid(postgres, NULL, 0);
	}
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void expect(PGresult *result, const char *sql)
{
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("PostgreSQL: %s: %s", sql, PQresultErrorMessage(result));
	PQclear(result);
}

static void make_schema(const struct db_program *program, struct buf *sql)
{
	buf_clear(sql);
	buf_addf(sql, "CREATE SCHEMA %s; SET search_path TO %s;", program->name, program->name);
	ddl_program(program, DDL_POSTGRES, sql);
	expect(PQexec(conn, sql->p), sql->p);
}

static void postgresql_understands_every_statement(void **state)
{
	struct buf sql;

	(void)state;
	buf_init(&sql, DDL_MAX);
	for (size_t i = 0; i < PROGRAMS; i++) {
		make_schema(programs[i], &sql);
		for (size_t q = 0; q < programs[i]->query_count; q++) {
			const struct db_query *query = &programs[i]->queries[q];
			char name[80];

			snprintf(name, sizeof(name), "%s.%s", programs[i]->name, query->name);
			buf_clear(&sql);
			ddl_parameters(slice_of(query->sql), &sql);
			expect(PQprepare(conn, name, sql.p, 0, NULL), sql.p);
		}
	}
	buf_free(&sql);
}

static void sqlite_understands_every_statement(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROGRAMS; i++) {
		struct db_options options = { .journal = DB_ROLLBACK };
		struct error error;
		struct db *db;

		if (!db_open(":memory:", programs[i], &options, deadline_in_ms(5000), &db, &error))
			fail_msg("%s", error.why);
		for (size_t q = 0; q < programs[i]->query_count; q++)
			if (!db_done(db_use(db, q), &error))
				fail_msg("%s", error.why);
		db_close(db);
	}
}

static void every_statement_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROGRAMS; i++)
		for (size_t q = 0; q < programs[i]->query_count; q++) {
			assert_non_null(programs[i]->queries[q].name);
			for (size_t r = 0; r < q; r++)
				assert_string_not_equal(
				    programs[i]->queries[q].name, programs[i]->queries[r].name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statement_has_a_name_of_its_own),
		cmocka_unit_test(sqlite_understands_every_statement),
		cmocka_unit_test_setup_teardown(
		    postgresql_understands_every_statement, start_postgres, stop_postgres),
	};

	return UNIT_RUN(tests);
}

#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "db/heap.h"
#include "db/internal.h"

#define LOCK_STEP_NS     200000 /* short: a commit takes a millisecond or less */
#define PROGRESS_STEPS   4000
#define WAL_BYTES_KEPT   (16 << 20)
#define JOURNAL_RETRY_NS 1000000

static void nap(long ns)
{
	struct timespec t = { 0, ns };

	nanosleep(&t, NULL);
}

/* SQLite's busy handler: nonzero to try again. */
static int wait_for_lock(void *handle, int count)
{
	const struct db *db = handle;

	(void)count;
	if (deadline_passed(db->deadline))
		return 0;
	nap(LOCK_STEP_NS);
	return 1;
}

/* SQLite's progress handler: nonzero to interrupt the statement. */
static int watch_deadline(void *handle)
{
	const struct db *db = handle;

	return deadline_passed(db->deadline);
}

static const char *failure_text(const struct db *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another process kept it locked until the deadline";
	case SQLITE_INTERRUPT:
		return "the statement ran into its deadline";
	case SQLITE_FULL:
		return "no space left on the disk: make room, it goes on by itself";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "the file is damaged: stop the server, keep a copy, put a backup in its place or "
		       "mend it (sqlite3 FILE .recover), start again";
	case SQLITE_READONLY:
		return "the file or its disk is read-only: make it writable, it goes on by itself";
	default:
		return db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(rc);
	}
}

bool db_failure(struct db *db, int rc, const char *what, struct error *error)
{
	int os = db->sqlite ? sqlite3_system_errno(db->sqlite) : 0;

	if ((rc & 0xff) == SQLITE_NOMEM)
		panic("out of memory in SQLite: %s: %s", db->path, what);
	if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)
		return error_local(error, "%s: %s: %s (SQLite %d, %s)", db->path, what,
		    failure_text(db, rc), rc, strerror(os));
	return error_local(
	    error, "%s: %s: %s (SQLite %d)", db->path, what, failure_text(db, rc), rc);
}

bool db_exec(struct db *db, const char *sql, struct error *error)
{
	int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK || db_failure(db, rc, sql, error);
}

/* The change to WAL needs the file alone and does not always ask the busy handler. */
static bool set_journal(struct db *db, enum db_journal journal, struct error *error)
{
	const char *sql =
	    journal == DB_WAL ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE";
	int rc;

	while ((rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL)) != SQLITE_OK) {
		if ((rc & 0xff) != SQLITE_BUSY || deadline_passed(db->deadline))
			return db_failure(db, rc, sql, error);
		nap(JOURNAL_RETRY_NS);
	}
	return true;
}

static bool set_up(struct db *db, const struct db_options *options, struct error *error)
{
	char sql[300];
	int on = 1;

	sqlite3_busy_handler(db->sqlite, wait_for_lock, db);
	sqlite3_progress_handler(db->sqlite, PROGRESS_STEPS, watch_deadline, db);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	db->wal = options->journal == DB_WAL;
	if (db->wal)
		sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	snprintf(sql, sizeof(sql),
	    "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA journal_size_limit=%d;"
	    "PRAGMA wal_autocheckpoint=%d; PRAGMA cache_size=%d",
	    WAL_BYTES_KEPT, options->checkpoint_at, options->cache_kb ? -options->cache_kb : -2000);
	if (!db_exec(db, sql, error))
		return false;
	if (!options->read_only && !set_journal(db, options->journal, error))
		return false;
	db->sync = options->sync == DB_SYNC_FULL ? DB_SYNC_NORMAL : DB_SYNC_FULL;
	return db_set_sync(db, options->sync, error);
}

/* Makes the file with its mode, which SQLite gives the journal files too. It gets its name when it is
 * ready: closing a descriptor of a file that another thread has open in SQLite would drop that one's
 * locks. What fails here is said by SQLite, which finds no file either. */
static void make_file(const char *path, unsigned mode)
{
	char fresh[PATH_MAX];

	if (strcmp(path, ":memory:") == 0 || access(path, F_OK) == 0)
		return;
	snprintf(fresh, sizeof fresh, "%s.%d.new", path, (int)gettid());
	int fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	bool ok = fchmod(fd, mode ? mode : 0600) == 0;
	close(fd);
	if (ok && link(fresh, path) < 0 && errno != EEXIST)
		log_warn("db.file", kv_str("path", path), kv_str("why", strerror(errno)));
	unlink(fresh);
}

static struct db *handle_new(
    const char *path, const struct db_program *program, struct deadline deadline)
{
	struct db *db = NEW(struct db);

	db->program = program;
	db->path = memory_new(1, strlen(path) + 1);
	memcpy(db->path, path, strlen(path));
	db->deadline = deadline;
	db->statements = memory_new(program->query_count + 1, sizeof(*db->statements));
	for (size_t i = 0; i < program->query_count; i++) {
		db->statements[i].db = db;
		db->statements[i].query = &program->queries[i];
	}
	return db;
}

bool db_open(const char *path, const struct db_program *program, const struct db_options *options,
    struct deadline deadline, struct db **db_out, struct error *error)
{
	db_heap_use();
	struct db *db = handle_new(path, program, deadline);
	if (!options->read_only)
		make_file(path, options->mode);
	int how =
	    options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	int rc = sqlite3_open_v2(
	    path, &db->sqlite, how | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	bool ok = rc == SQLITE_OK || db_failure(db, rc, "open", error);

	*db_out = NULL;
	ok = ok && set_up(db, options, error) && db_upgrade(db, options->read_only, error);
	if (!ok) {
		db_close(db);
		return false;
	}
	*db_out = db;
	return true;
}

void db_close(struct db *db)
{
	struct error error;

	if (!db)
		return;
	if (!db_sync_log(db, &error))
		log_warn("db.sync", kv_why(&error));
	db_finalize(db);
	if (sqlite3_close(db->sqlite) != SQLITE_OK)
		panic("%s: closed with a statement in use", db->path);
	free(db->statements);
	free(db->path);
	free(db);
}

void db_set_deadline(struct db *db, struct deadline deadline)
{
	db->deadline = deadline;
}

bool db_set_sync(struct db *db, enum db_sync sync, struct error *error)
{
	bool full = sync == DB_SYNC_FULL;

	if (db->sync == sync)
		return true;
	if (!db_exec(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", error))
		return false;
	db->sync = sync;
	return true;
}

void db_release_memory(struct db *db)
{
	sqlite3_db_release_memory(db->sqlite);
}

bool db_sync_log(struct db *db, struct error *error)
{
	char path[PATH_MAX];

	if (!db->unsynced)
		return true;
	snprintf(path, sizeof path, "%s-wal", db->path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fdatasync(fd) == 0;
	if (!ok)
		error_local(error, "%s: sync: %s", path, strerror(errno));
	else
		db->unsynced = false;
	if (fd >= 0)
		close(fd);
	return ok;
}

bool db_checkpoint(struct db *db, int *left_out, struct error *error)
{
	int pages = 0, done = 0;
	int rc =
	    sqlite3_wal_checkpoint_v2(db->sqlite, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &done);

	*left_out = pages > done ? pages - done : 0;
	/* Busy: another one checkpoints just now, which is as good. */
	return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY ||
	    db_failure(db, rc, "checkpoint", error);
}

/* Runs one of the four transaction statements, prepared once. */
static bool run_control(struct db *db, sqlite3_stmt **st, const char *sql, struct error *error)
{
	int rc = SQLITE_OK;

	if (!*st)
		rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(*st);
	if (rc != SQLITE_DONE)
		db_failure(db, rc, sql, error);
	sqlite3_reset(*st);
	return rc == SQLITE_DONE;
}

bool db_begin(struct db *db, struct error *error)
{
	db->writing = true;
	return run_control(db, &db->begin, "BEGIN IMMEDIATE", error);
}

bool db_begin_read(struct db *db, struct error *error)
{
	db->writing = false;
	return run_control(db, &db->begin_read, "BEGIN", error);
}

bool db_commit(struct db *db, struct error *error)
{
	if (run_control(db, &db->commit, "COMMIT", error)) {
		db->unsynced |= db->wal && db->writing && db->sync == DB_SYNC_NORMAL;
		return true;
	}
	db_rollback(db);
	return false;
}

void db_rollback(struct db *db)
{
	struct error ignored;

	if (!sqlite3_get_autocommit(db->sqlite))
		(void)run_control(db, &db->rollback, "ROLLBACK", &ignored);
}

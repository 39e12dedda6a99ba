/* internal: a handle and its statements, for the files of this room only. */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include <sqlite3.h>

#include "db/db.h"

struct db_stmt {
	struct db *db;
	const struct db_query *query;
	sqlite3_stmt *prepared; /* NULL until first used */
	int columns;            /* of its rows */
	struct error *failed;   /* the first error since db_use */
	bool in_use, stepped, ended;
};

struct db {
	sqlite3 *sqlite;
	const struct db_program *program;
	char *path;
	struct deadline deadline;
	enum db_sync sync;
	bool wal, writing, unsynced; /* a commit is in the log and perhaps not on the disk */
	struct db_stmt *statements;  /* by number */
	sqlite3_stmt *begin, *begin_read, *commit, *rollback;
};

/* What SQLite said, as an error; `what` was being done. No memory ends the process. Always false. */
bool db_failure(struct db *db, int rc, const char *what, struct error *error);
/* Runs SQL without parameters or rows. */
bool db_exec(struct db *db, const char *sql, struct error *error);
/* Brings the file to the program's version, or refuses it. */
bool db_upgrade(struct db *db, bool read_only, struct error *error);
/* Ends all prepared statements. */
void db_finalize(struct db *db);

#endif

#include <stdio.h>

#include "db/ddl.h"
#include "db/internal.h"

/* SQLite keeps one number for the application in the file's header, changed with the transaction. */
static bool read_version(struct db *db, int *version_out, struct error *error)
{
	static const char sql[] = "PRAGMA user_version";
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	*version_out = rc == SQLITE_ROW ? sqlite3_column_int(st, 0) : 0;
	if (rc != SQLITE_ROW)
		db_failure(db, rc, sql, error);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW;
}

static bool refuse(struct db *db, int version, struct error *error)
{
	int ours = db->program->version;

	if (version > ours)
		return error_local(error,
		    "%s has version %d of %s, this program knows %d: use the newer program",
		    db->path, version, db->program->name, ours);
	return error_local(error,
	    "%s has version %d of %s, %d is needed: its writer must open it first", db->path,
	    version, db->program->name, ours);
}

/* Everything for an empty file, else the steps above its version. */
static void print_steps(const struct db_program *program, int version, struct buf *out)
{
	if (version == 0)
		ddl_program(program, DDL_SQLITE, out);
	for (size_t i = 0; version > 0 && i < program->migration_count; i++)
		if (program->migrations[i].version > version)
			ddl_migration(&program->migrations[i], DDL_SQLITE, out);
	buf_addf(out, "PRAGMA user_version=%d", program->version);
}

/* Inside the transaction, so of several processes that open a new file one makes it. */
static bool upgrade_locked(struct db *db, struct error *error)
{
	struct buf sql;
	int version;
	bool ok = true;

	if (!read_version(db, &version, error))
		return false;
	if (version > db->program->version)
		return refuse(db, version, error);
	buf_init(&sql, DDL_MAX);
	if (version < db->program->version) {
		print_steps(db->program, version, &sql);
		int rc = sqlite3_exec(db->sqlite, sql.p, NULL, NULL, NULL);
		ok = rc == SQLITE_OK || db_failure(db, rc, "upgrade of the schema", error);
	}
	buf_free(&sql);
	return ok;
}

bool db_upgrade(struct db *db, bool read_only, struct error *error)
{
	int version;

	if (!read_version(db, &version, error))
		return false;
	if (version == db->program->version)
		return true;
	if (read_only || version > db->program->version)
		return refuse(db, version, error);
	if (!db_begin(db, error))
		return false;
	if (!upgrade_locked(db, error)) {
		db_rollback(db);
		return false;
	}
	return db_commit(db, error);
}

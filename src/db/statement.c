#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/internal.h"

/* The first error stays. */
static void fail(struct db_stmt *st, int rc)
{
	if (st->failed)
		return;
	st->failed = NEW(struct error);
	db_failure(st->db, rc, st->query->name, st->failed);
}

static void fail_text(struct db_stmt *st, int n)
{
	if (st->failed)
		return;
	st->failed = NEW(struct error);
	error_set(st->failed, FAULT_INPUT, false, "text is not valid UTF-8",
	    "%s: parameter %d is not UTF-8 without NUL", st->query->name, n);
}

struct db_stmt *db_use(struct db *db, size_t query)
{
	struct db_stmt *st = &db->statements[query];

	if (query >= db->program->query_count || !st->query->sql)
		panic("%s has no statement %zu", db->program->name, query);
	if (st->in_use)
		panic("%s: statement %s is used twice", db->path, st->query->name);
	st->in_use = true;
	st->stepped = st->ended = false;
	if (!st->prepared) {
		int rc = sqlite3_prepare_v3(
		    db->sqlite, st->query->sql, -1, SQLITE_PREPARE_PERSISTENT, &st->prepared, NULL);

		if (rc != SQLITE_OK)
			fail(st, rc);
		st->columns = sqlite3_column_count(st->prepared);
	}
	return st;
}

static void bound(struct db_stmt *st, int n, int rc)
{
	if (rc == SQLITE_RANGE)
		panic("statement %s has no parameter %d", st->query->name, n);
	if (rc != SQLITE_OK)
		fail(st, rc);
}

void db_bind_number(struct db_stmt *st, int n, int64_t value)
{
	if (!st->failed)
		bound(st, n, sqlite3_bind_int64(st->prepared, n, value));
}

void db_bind_id(struct db_stmt *st, int n, int64_t value)
{
	db_bind_number(st, n, value);
}

void db_bind_time(struct db_stmt *st, int n, int64_t us)
{
	db_bind_number(st, n, us);
}

void db_bind_text(struct db_stmt *st, int n, slice text)
{
	if (!utf8_valid(text) || slice_find(text, '\0') != text.n)
		fail_text(st, n);
	if (!st->failed)
		bound(st, n,
		    sqlite3_bind_text64(
			st->prepared, n, text.n ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_bytes(struct db_stmt *st, int n, slice data)
{
	if (!st->failed)
		bound(st, n,
		    sqlite3_bind_blob64(
			st->prepared, n, data.n ? data.p : "", data.n, SQLITE_STATIC));
}

bool db_step(struct db_stmt *st)
{
	int rc;

	if (st->failed || st->ended)
		return false;
	st->stepped = true;
	rc = sqlite3_step(st->prepared);
	if (rc == SQLITE_ROW)
		return true;
	st->ended = true;
	if (rc != SQLITE_DONE)
		fail(st, rc);
	return false;
}

/* The value is there and of the type asked for. A file that disagrees was not written by us. */
static bool readable(struct db_stmt *st, int n, int type)
{
	int found;

	if (st->failed || st->ended)
		return false;
	if (!st->stepped || n >= st->columns)
		panic("statement %s has no column %d", st->query->name, n);
	found = sqlite3_column_type(st->prepared, n);
	if (found != type && found != SQLITE_NULL)
		fail(st, SQLITE_CORRUPT);
	return found == type;
}

int64_t db_column_number(struct db_stmt *st, int n)
{
	return readable(st, n, SQLITE_INTEGER) ? sqlite3_column_int64(st->prepared, n) : 0;
}

int64_t db_column_id(struct db_stmt *st, int n)
{
	return db_column_number(st, n);
}

int64_t db_column_time(struct db_stmt *st, int n)
{
	return db_column_number(st, n);
}

slice db_column_text(struct db_stmt *st, int n)
{
	const char *p;

	if (!readable(st, n, SQLITE_TEXT))
		return SLICE("");
	p = (const char *)sqlite3_column_text(st->prepared, n);
	return (slice){ p, (size_t)sqlite3_column_bytes(st->prepared, n) };
}

slice db_column_bytes(struct db_stmt *st, int n)
{
	const char *p;

	if (!readable(st, n, SQLITE_BLOB))
		return SLICE("");
	p = sqlite3_column_blob(st->prepared, n);
	return p ? (slice){ p, (size_t)sqlite3_column_bytes(st->prepared, n) } : SLICE("");
}

bool db_done(struct db_stmt *st, struct error *error)
{
	bool ok;

	/* A change ends, and may fail, only with its last step. */
	if (st->stepped && !sqlite3_stmt_readonly(st->prepared))
		while (db_step(st))
			;
	if (st->prepared) {
		sqlite3_reset(st->prepared);
		sqlite3_clear_bindings(st->prepared);
	}
	ok = !st->failed;
	if (!ok)
		*error = *st->failed;
	free(st->failed);
	st->failed = NULL;
	st->in_use = false;
	return ok;
}

bool db_run(struct db_stmt *st, struct error *error)
{
	while (db_step(st))
		;
	return db_done(st, error);
}

int64_t db_changed(const struct db *db)
{
	return sqlite3_changes64(db->sqlite);
}

void db_finalize(struct db *db)
{
	for (size_t i = 0; i < db->program->query_count; i++) {
		sqlite3_finalize(db->statements[i].prepared);
		free(db->statements[i].failed);
	}
	sqlite3_finalize(db->begin);
	sqlite3_finalize(db->begin_read);
	sqlite3_finalize(db->commit);
	sqlite3_finalize(db->rollback);
}

bool db_read_head(struct db *db, const char *table, const char *column, int64_t rowid, size_t n,
    struct buf *out, bool *found_out, struct error *error)
{
	sqlite3_blob *blob = NULL;
	int rc = sqlite3_blob_open(db->sqlite, "main", table, column, rowid, 0, &blob);

	*found_out = rc == SQLITE_OK;
	if (rc ==
	    SQLITE_ERROR) /* no such row, says sqlite3_blob_open(); of all else there is one */
		return true;
	if (rc != SQLITE_OK)
		return db_failure(db, rc, table, error);
	size_t length = (size_t)sqlite3_blob_bytes(blob);
	if (length > n)
		length = n;
	char *to = length ? buf_room(out, length) : NULL;
	if (to) {
		rc = sqlite3_blob_read(blob, to, (int)length, 0);
		buf_grow(out, rc == SQLITE_OK ? length : 0);
	} else {
		out->full |= length > 0;
	}
	sqlite3_blob_close(blob);
	return rc == SQLITE_OK || db_failure(db, rc, table, error);
}

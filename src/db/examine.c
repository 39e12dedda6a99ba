/* What the engine can find wrong with a file. */
#include <stdio.h>
#include <string.h>

#include "db/ddl.h"
#include "db/internal.h"

struct examination {
	struct db *db;
	void (*found)(void *context, const char *what);
	void *context;
};

static void tell(struct examination *e, const char *what)
{
	e->found(e->context, what);
}

/* What SQLite says of it: a fault of the file, or a reason why it could not be looked at. */
static bool failed(struct examination *e, int rc, struct error *error)
{
	db_failure(e->db, rc, "examine", error);
	if (error->damaged)
		tell(e, sqlite3_errmsg(e->db->sqlite));
	return error->damaged;
}

/* Every row of a statement with one column of text. */
static bool each_text(struct examination *e, sqlite3 *db, const char *sql,
    void (*take)(struct examination *e, void *to, const char *text), void *to, struct error *error)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
			const char *text = (const char *)sqlite3_column_text(st, 0);

			take(e, to, text ? text : "");
		}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE || failed(e, rc, error);
}

static void take_integrity(struct examination *e, void *to, const char *text)
{
	(void)to;
	if (strcmp(text, "ok") != 0)
		tell(e, text);
}

static void take_schema(struct examination *e, void *to, const char *text)
{
	(void)e;
	buf_addf(to, "%s\n", text);
}

/* All tables with their columns, and whatever else there is. */
static const char schema[] =
    "SELECT m.name || '.' || p.name || ' ' || p.type || ' ' || p.\"notnull\" || ' ' || p.pk "
    "FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table' "
    "UNION ALL SELECT type || ' ' || name || ' of ' || tbl_name FROM sqlite_schema "
    "WHERE type <> 'table' ORDER BY 1";

/* How it should be: made anew in memory. */
static bool fresh_schema(struct examination *e, struct buf *out, struct error *error)
{
	sqlite3 *memory = NULL;
	struct buf sql;

	buf_init(&sql, DDL_MAX);
	ddl_program(e->db->program, DDL_SQLITE, &sql);
	int rc = sqlite3_open(":memory:", &memory);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(memory, sql.p, NULL, NULL, NULL);
	bool ok = rc == SQLITE_OK && each_text(e, memory, schema, take_schema, out, error);
	if (rc != SQLITE_OK)
		db_failure(e->db, rc, "schema in memory", error);
	sqlite3_close(memory);
	buf_free(&sql);
	return ok;
}

/* Lines of one that the other has not. */
static void compare(struct examination *e, slice here, slice there, const char *what)
{
	while (here.n) {
		slice line = slice_head(here, slice_find(here, '\n'));
		char text[200];

		here = slice_from(here, line.n + 1);
		snprintf(text, sizeof text, "schema: %s %.*s", what, SLICE_ARG(line));
		if (slice_search_nocase(there, line) == SIZE_MAX)
			tell(e, text);
	}
}

static bool examine_schema(struct examination *e, struct error *error)
{
	struct buf is, should;

	buf_init(&is, DDL_MAX);
	buf_init(&should, DDL_MAX);
	bool ok = each_text(e, e->db->sqlite, schema, take_schema, &is, error) &&
	    fresh_schema(e, &should, error);
	if (ok) {
		compare(e, buf_slice(&is), buf_slice(&should), "what is not ours:");
		compare(e, buf_slice(&should), buf_slice(&is), "missing:");
	}
	buf_free(&is);
	buf_free(&should);
	return ok;
}

bool db_examine(struct db *db, void (*found)(void *context, const char *what), void *context,
    struct error *error)
{
	struct examination e = { db, found, context };

	return examine_schema(&e, error) &&
	    each_text(&e, db->sqlite, "PRAGMA integrity_check(100)", take_integrity, NULL, error);
}

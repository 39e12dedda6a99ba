/* A damaged file made anew from the rows that can be read. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "db/internal.h"

#define KEPT_MOST  1000    /* damaged files that are kept beside one another */
#define PROBE_MOST 1000000 /* row ids that are asked for one by one */
#define SQL_MAX    4096
#define PATH_ROOM  (PATH_MAX + 40)
#define PIECE      65536

struct rebuild {
	struct db *db;
	const struct db_rebuild_options *options;
	char fresh[PATH_ROOM]; /* the new file, until it is copied */
	sqlite3 *from,
	    *to; /* a second look at the damaged file, while the first holds its lock; the new file */
	int64_t taken, refused; /* rows of the table */
};

/* ---- the old file, kept ---- */

static void tell(struct rebuild *r, const char *table, const char *what)
{
	r->options->lost(r->options->context, table, what);
}

/* Beside the path, under the first number that is free. */
static int make_kept(const char *path, char *kept)
{
	for (int i = 1; i <= KEPT_MOST; i++) {
		snprintf(kept, PATH_ROOM, "%s.damaged-%d", path, i);
		int fd = open(kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/* Through SQLite's own descriptor: to close another one would drop the locks of this process. */
static bool copy_file(sqlite3_file *file, int to, struct error *error)
{
	char piece[PIECE];
	sqlite3_int64 size = 0;

	if (!file || !file->pMethods)
		return true;
	if (file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return error_local(error, "cannot see how long the damaged file is");
	for (sqlite3_int64 at = 0; at < size; at += PIECE) {
		int n = size - at < PIECE ? (int)(size - at) : PIECE;

		if (file->pMethods->xRead(file, piece, n, at) != SQLITE_OK)
			return error_local(error, "cannot read the damaged file");
		if (!file_write_all(to, (slice){ piece, (size_t)n }, error))
			return false;
	}
	return fsync(to) == 0 || error_local(error, "cannot sync the copy: %s", strerror(errno));
}

static bool keep_part(struct rebuild *r, int what, int fd, const char *name, struct error *error)
{
	sqlite3_file *file = NULL;

	if (fd < 0)
		return error_local(error, "cannot make %s: %s", name, strerror(errno));
	sqlite3_file_control(r->db->sqlite, "main", what, &file);
	bool ok = copy_file(file, fd, error);
	close(fd);
	return ok;
}

/* The file, and its log under the name that SQLite looks for. */
static bool keep(struct rebuild *r, struct error *error)
{
	char kept[PATH_ROOM], log[PATH_ROOM + 10];
	int fd = make_kept(r->db->path, kept);

	snprintf(log, sizeof log, "%s-wal", kept);
	if (!keep_part(r, SQLITE_FCNTL_FILE_POINTER, fd, kept, error) ||
	    !keep_part(r, SQLITE_FCNTL_JOURNAL_POINTER,
		open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), log, error))
		return false;
	snprintf(log, sizeof log, "damaged; what it was is kept as %.3000s", kept);
	tell(r, "mail.db", log);
	return true;
}

/* ---- rows ---- */

/* "a, b, c" or "?1, ?2, ?3". */
static int add_columns(const struct db_table *t, bool numbers, struct buf *sql)
{
	int n = 0;

	for (const struct db_column *c = t->columns; c->name; c++) {
		buf_adds(sql, n++ ? ", " : "");
		if (numbers)
			buf_addf(sql, "?%d", n);
		else
			buf_adds(sql, c->name);
	}
	return n;
}

static sqlite3_stmt *prepare_insert(struct rebuild *r, const struct db_table *t)
{
	sqlite3_stmt *st = NULL;
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_addf(&sql, "INSERT OR IGNORE INTO %s(", t->name);
	add_columns(t, false, &sql);
	buf_adds(&sql, ") VALUES (");
	add_columns(t, true, &sql);
	buf_adds(&sql, ")");
	sqlite3_prepare_v2(r->to, sql.p, -1, &st, NULL);
	buf_free(&sql);
	return st;
}

/* Reads the table; `rest` is an order or a condition. */
static sqlite3_stmt *prepare_select(struct rebuild *r, const struct db_table *t, const char *rest)
{
	sqlite3_stmt *st = NULL;
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_adds(&sql, "SELECT ");
	add_columns(t, false, &sql);
	buf_addf(&sql, " FROM %s %s", t->name, rest);
	sqlite3_prepare_v2(r->from, sql.p, -1, &st, NULL);
	buf_free(&sql);
	return st;
}

/* The row where the statement stands; one that no new file takes (a wrong type, nothing) is counted. */
static void take_row(struct rebuild *r, sqlite3_stmt *from, sqlite3_stmt *to)
{
	sqlite3_bind_int64(to, 1, r->options->first);
	for (int i = 1; i < sqlite3_column_count(from); i++)
		sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
	int rc = sqlite3_step(to);
	r->taken += rc == SQLITE_DONE;
	r->refused += rc != SQLITE_DONE;
	sqlite3_reset(to);
	sqlite3_clear_bindings(to);
}

/* As far as it reads. last_out: the row id (or whatever its second column is) of the last one; true: to the end. */
static bool take_rows(struct rebuild *r, const struct db_table *t, const char *order,
    sqlite3_stmt *to, int64_t *last_out)
{
	sqlite3_stmt *from = prepare_select(r, t, order);
	int rc = SQLITE_ERROR;

	*last_out = 0;
	while (from && (rc = sqlite3_step(from)) == SQLITE_ROW) {
		take_row(r, from, to);
		*last_out = sqlite3_column_int64(from, 1);
	}
	sqlite3_finalize(from);
	return rc == SQLITE_DONE;
}

/* Rows between two pieces that read: each asked for by its id. */
static void probe(
    struct rebuild *r, const struct db_table *t, int64_t lo, int64_t hi, sqlite3_stmt *to)
{
	char where[100];

	snprintf(where, sizeof where, "WHERE %s = ?1", t->rowid);
	sqlite3_stmt *from = prepare_select(r, t, where);
	for (int64_t id = lo + 1; from && id < hi && id - lo < PROBE_MOST; id++) {
		sqlite3_bind_int64(from, 1, id);
		if (sqlite3_step(from) == SQLITE_ROW)
			take_row(r, from, to);
		sqlite3_reset(from);
	}
	sqlite3_finalize(from);
}

/* From the beginning, from the end, and what lies between. Is it whole? */
static bool take_table(struct rebuild *r, const struct db_table *t)
{
	sqlite3_stmt *to = prepare_insert(r, t);
	int64_t first, last;
	char order[200], what[120];
	bool whole = to && take_rows(r, t, "", to, &first);

	if (to && !whole) {
		snprintf(order, sizeof order, "ORDER BY %s DESC", t->rowid ? t->rowid : t->key);
		for (char *comma = order; (comma = strchr(comma, ',')); comma += 6) {
			memmove(comma + 5, comma, strlen(comma) + 1);
			memcpy(comma, " DESC", 5);
		}
		take_rows(r, t, order, to, &last);
		if (t->rowid)
			probe(r, t, first, last ? last : first + PROBE_MOST, to);
	}
	sqlite3_finalize(to);
	snprintf(what, sizeof what, "not all rows can be read; %lld are taken over",
	    (long long)r->taken);
	if (!whole)
		tell(r, t->name, what);
	snprintf(what, sizeof what, "%lld rows cannot be used", (long long)r->refused);
	if (r->refused)
		tell(r, t->name, what);
	return whole;
}

static bool hopeless(const struct rebuild *r, const char *why, struct error *error)
{
	return error_set(error, FAULT_LOCAL, false, "damaged",
	    "%s: %s: put back a backup, or try sqlite3 .recover on a copy of it", r->db->path, why);
}

static bool take_tables(struct rebuild *r, struct error *error)
{
	for (size_t i = 0; i < r->db->program->table_count; i++) {
		const struct db_table *t = &r->db->program->tables[i];

		r->taken = r->refused = 0;
		if (!take_table(r, t) && r->taken == 0 && strcmp(t->name, r->options->vital) == 0)
			return hopeless(r, "nothing of the messages can be read", error);
	}
	return true;
}

/* Where the list of the tables is damaged, one may be read as if it were another. */
static bool roots_differ(struct rebuild *r, struct error *error)
{
	sqlite3_stmt *st = NULL;
	bool differ = false;

	sqlite3_prepare_v2(r->from,
	    "SELECT count(*) = count(DISTINCT rootpage) FROM sqlite_schema WHERE rootpage <> 0", -1,
	    &st, NULL);
	if (st && sqlite3_step(st) == SQLITE_ROW)
		differ = sqlite3_column_int(st, 0) != 0;
	sqlite3_finalize(st);
	return differ || hopeless(r, "the list of its tables is damaged", error);
}

/* ---- all of it ---- */

static void remove_fresh(struct rebuild *r)
{
	char journal[PATH_ROOM + 10];

	unlink(r->fresh);
	snprintf(journal, sizeof journal, "%s-journal", r->fresh);
	unlink(journal);
}

/* Fills the new file. */
static bool fill(struct rebuild *r, struct error *error)
{
	struct db_options plain = { .journal = DB_ROLLBACK };
	struct db *fresh;

	if (!db_open(r->fresh, r->db->program, &plain, r->db->deadline, &fresh, error))
		return false;
	db_close(fresh);
	bool ok = sqlite3_open_v2(r->fresh, &r->to, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_open_v2(r->db->path, &r->from, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_exec(r->to, "PRAGMA synchronous=OFF; BEGIN", NULL, NULL, NULL) == SQLITE_OK;
	if (!ok)
		error_local(error, "%s: %s", r->fresh, r->to ? sqlite3_errmsg(r->to) : "no memory");
	ok = ok && roots_differ(r, error) && take_tables(r, error);
	if (ok && sqlite3_exec(r->to, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		ok = error_local(error, "%s: %s", r->fresh, sqlite3_errmsg(r->to));
	sqlite3_close(r->from);
	sqlite3_close(r->to);
	return ok;
}

/* The lock first, then the rows, then the pages: nobody writes between. */
static bool replace(struct rebuild *r, sqlite3 *source, struct error *error)
{
	sqlite3_backup *copy = sqlite3_backup_init(r->db->sqlite, "main", source, "main");
	int rc = copy ? sqlite3_backup_step(copy, 0) : sqlite3_errcode(r->db->sqlite);

	if (rc != SQLITE_OK) {
		sqlite3_backup_finish(copy);
		return db_failure(r->db, rc, "lock it to make it anew", error);
	}
	bool ok = fill(r, error) && keep(r, error);
	rc = ok ? sqlite3_backup_step(copy, -1) : SQLITE_DONE;
	int end = sqlite3_backup_finish(copy);
	if (ok && (rc != SQLITE_DONE || end != SQLITE_OK))
		return db_failure(r->db, rc != SQLITE_DONE ? rc : end, "make it anew", error);
	return ok;
}

bool db_rebuild(struct db *db, const struct db_rebuild_options *options, struct error *error)
{
	struct rebuild r = { .db = db, .options = options };
	struct db_options plain = { .journal = DB_ROLLBACK };
	sqlite3 *source = NULL;
	struct db *fresh;

	snprintf(r.fresh, sizeof r.fresh, "%s.rebuild", db->path);
	remove_fresh(&r);
	if (options->dry_run) {
		bool ok = fill(&r, error);

		remove_fresh(&r);
		return ok;
	}
	/* It must be there before it is a source. */
	bool ok = db_open(r.fresh, db->program, &plain, db->deadline, &fresh, error);
	if (ok) {
		db_close(fresh);
		ok = sqlite3_open_v2(r.fresh, &source, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		    replace(&r, source, error);
	}
	sqlite3_close(source);
	remove_fresh(&r);
	return ok;
}

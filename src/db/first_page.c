/* The first page of a file, from which everything hangs: its constants, and the list of the tables. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "db/ddl.h"
#include "db/internal.h"
#include "db/wal.h"

#define PAGE         4096
#define OBJECTS_MOST 64
#define TEXT_MOST    4000
#define PATH_ROOM    (PATH_MAX + 40)
#define KEPT_MOST    1000

/* One row of sqlite_schema. */
struct object {
	int64_t row;
	char type[16], name[80], table[80], sql[TEXT_MOST];
	bool found;
};

struct objects {
	size_t n;
	struct object list[OBJECTS_MOST];
};

static bool copy_to(const char *path, const char *as, struct error *error)
{
	struct buf octets;
	int fd = open(as, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0 || error_local(error, "cannot make %s", as);

	buf_init(&octets, (size_t)1 << 40);
	ok = ok && file_read(path, &octets, error) &&
	    file_write_all(fd, buf_slice(&octets), error) &&
	    (fsync(fd) == 0 || error_local(error, "cannot sync %s", as));
	buf_free(&octets);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* The file and its log, beside them. */
static bool keep(const char *path, char *kept, struct error *error)
{
	char log[PATH_ROOM], kept_log[PATH_ROOM + 10];

	for (int i = 1; i <= KEPT_MOST; i++) {
		snprintf(kept, PATH_ROOM, "%s.damaged-%d", path, i);
		if (access(kept, F_OK) < 0)
			break;
	}
	snprintf(log, sizeof log, "%s-wal", path);
	snprintf(kept_log, sizeof kept_log, "%s-wal", kept);
	return copy_to(path, kept, error) &&
	    (access(log, F_OK) < 0 || copy_to(log, kept_log, error));
}

static void forget_kept(const char *kept)
{
	char log[PATH_ROOM + 10];

	unlink(kept);
	snprintf(log, sizeof log, "%s-wal", kept);
	unlink(log);
}

/* https://www.sqlite.org/fileformat2.html §1.3: what is the same in every file of ours. */
static void mend_constants(unsigned char *page, int version, off_t size)
{
	static const unsigned char begin[] = "SQLite format 3\0\x10\0\x02\x02\0\x40\x20\x20";
	const unsigned char pages[] = { (unsigned char)(size / PAGE >> 24),
		(unsigned char)(size / PAGE >> 16), (unsigned char)(size / PAGE >> 8),
		(unsigned char)(size / PAGE) };

	memcpy(page, begin, 24);
	memcpy(page + 28, pages, 4);
	memset(page + 44, 0, 48);
	page[47] = 4; /* schema format */
	page[59] = 1; /* UTF-8 */
	page[63] = (unsigned char)version;
	memcpy(page + 92, page + 24, 4); /* the number of pages is valid */
}

#define HEAD 100

/* Reads the head of the file, or writes it. */
static bool head_of_file(const char *path, unsigned char *head, bool write, off_t *size_out)
{
	int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct stat st = { 0 };
	bool ok = fd >= 0 && fstat(fd, &st) == 0 &&
	    (write ? pwrite(fd, head, HEAD, 0) == HEAD && fsync(fd) == 0
		   : pread(fd, head, HEAD, 0) == HEAD);

	*size_out = st.st_size;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* ---- the list of the tables ---- */

static void copy_text(sqlite3_stmt *st, int column, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(st, column);

	snprintf(out, size, "%s", text ? text : "");
}

static bool read_objects(sqlite3 *db, struct objects *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(
	    db, "SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema", -1, &st, NULL);

	out->n = 0;
	while (rc == SQLITE_OK && out->n < OBJECTS_MOST && sqlite3_step(st) == SQLITE_ROW) {
		struct object *o = &out->list[out->n++];

		o->row = sqlite3_column_int64(st, 0);
		copy_text(st, 1, o->type, sizeof o->type);
		copy_text(st, 2, o->name, sizeof o->name);
		copy_text(st, 3, o->table, sizeof o->table);
		copy_text(st, 4, o->sql, sizeof o->sql);
		o->found = false;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_OK;
}

static bool same(const struct object *a, const struct object *b)
{
	return (strcmp(a->name, b->name) == 0 && strcmp(a->type, b->type) == 0) ||
	    (a->sql[0] && strcmp(a->sql, b->sql) == 0) ||
	    (strcmp(a->name, b->name) == 0 && strcmp(a->table, b->table) == 0);
}

static bool write_object(sqlite3 *db, int64_t row, const struct object *o)
{
	sqlite3_stmt *st = NULL;
	const char *sql = "UPDATE sqlite_schema SET type = ?2, name = ?3, tbl_name = ?4, "
			  "sql = nullif(?5, '') WHERE rowid = ?1";
	bool ok = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_bind_int64(st, 1, row) == SQLITE_OK &&
	    sqlite3_bind_text(st, 2, o->type, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_text(st, 3, o->name, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_text(st, 4, o->table, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_text(st, 5, o->sql, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_DONE;

	sqlite3_finalize(st);
	return ok;
}

/* Every row that is like one of ours becomes that one; where one is left on each side, these two belong together. */
static bool match_objects(sqlite3 *db, struct objects *is, struct objects *should)
{
	struct object *left_is = NULL, *left_should = NULL;
	size_t more_is = 0, more_should = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < should->n; i++) {
		struct object *s = &should->list[i];

		for (size_t k = 0; ok && k < is->n && !s->found; k++) {
			struct object *o = &is->list[k];

			if (o->found || !same(o, s))
				continue;
			o->found = s->found = true;
			ok = write_object(db, o->row, s);
		}
		left_should = s->found ? left_should : s;
		more_should += !s->found;
	}
	for (size_t k = 0; k < is->n; k++) {
		left_is = is->list[k].found ? left_is : &is->list[k];
		more_is += !is->list[k].found;
	}
	if (ok && more_is == 1 && more_should == 1)
		ok = write_object(db, left_is->row, left_should);
	return ok && more_should <= 1 && more_is <= 1;
}

static bool mend_list(
    const char *path, const struct db_program *program, struct objects *is, struct objects *should)
{
	sqlite3 *fresh = NULL, *db = NULL;
	struct buf sql;

	buf_init(&sql, DDL_MAX);
	ddl_program(program, DDL_SQLITE, &sql);
	bool ok = sqlite3_open(":memory:", &fresh) == SQLITE_OK &&
	    sqlite3_exec(fresh, sql.p, NULL, NULL, NULL) == SQLITE_OK &&
	    read_objects(fresh, should) &&
	    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA writable_schema=ON; BEGIN IMMEDIATE", NULL, NULL, NULL) ==
		SQLITE_OK &&
	    read_objects(db, is) && match_objects(db, is, should) &&
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	sqlite3_close(db);
	sqlite3_close(fresh);
	buf_free(&sql);
	return ok;
}

bool db_mend_first_page(
    const char *path, const struct db_program *program, char *kept, struct error *error)
{
	struct objects *lists;
	struct wal_state log;

	if (!wal_check(path, &log, error))
		return false;
	if (log.in_use)
		return error_local(error,
		    "%s: its first page is damaged, and it is in use: stop the server, run this again",
		    path);
	unsigned char before[HEAD], head[HEAD];
	off_t size;

	if (!keep(path, kept, error))
		return false;
	bool ok = head_of_file(path, before, false, &size);
	memcpy(head, before, HEAD);
	mend_constants(head, program->version, size);
	lists = memory_new(2, sizeof *lists);
	ok = ok && head_of_file(path, head, true, &size) &&
	    mend_list(path, program, &lists[0], &lists[1]);
	free(lists);
	if (ok)
		return true;
	head_of_file(path, before, true, &size);
	forget_kept(kept);
	return error_set(error, FAULT_LOCAL, false, "damaged",
	    "%s: the list of its tables cannot be read: put back a backup, or try sqlite3 .recover on "
	    "a copy of it",
	    path);
}

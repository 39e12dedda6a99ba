/*
 * db: one statement interface over the SQL engines.
 *
 * A room that keeps data describes it in one constant `struct db_program`: tables in five column
 * types, indexes, the migrations of older files, and every statement it will ever run. Statements are
 * numbered by an enum of the room, prepared at their first use and kept with the handle. They use
 * `?1` parameters and only what SQLite and PostgreSQL both understand (ON CONFLICT DO NOTHING,
 * RETURNING); a test enumerates all programs and prepares every statement on both engines.
 *
 *     struct db_stmt *st = db_use(db, STORE_Q_MAILBOX_FIND);
 *     db_bind_id(st, 1, account);
 *     db_bind_text(st, 2, name);
 *     if (db_step(st))
 *             id = db_column_id(st, 0);
 *     return db_done(st, error);
 *
 * Errors are sticky: after the first nothing is bound or stepped any more, columns read as 0 or
 * empty, and db_done says what it was. So a caller binds, steps and reads, and asks once. All that
 * the engine reports is a temporary local fault; text that is not UTF-8 is the input's.
 *
 * A handle belongs to one thread. Slices read from a column live until the statement's next step or
 * db_done. There are no NULLs: an absent number is 0, an absent text is empty.
 *
 * It will not build SQL from parts, map rows to structs or pool handles.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"

enum db_type {
	DB_ID,     /* 64 bits, names a row */
	DB_NUMBER, /* 64 bits, signed */
	DB_TIME,   /* microseconds since 1970 */
	DB_TEXT,   /* valid UTF-8 without NUL */
	DB_BYTES,  /* any octets */
};

#define DB_COLUMNS_MAX 16

struct db_column {
	const char *name;
	enum db_type type;
};

struct db_table {
	const char *name;
	/* "account_id, mailbox, uid": the primary key */
	const char *key;
	/* NULL: in SQLite the table is stored in its key (WITHOUT ROWID), good for short rows. Else the
	 * column that SQLite uses as row id, good for long rows: it must be unique in the file even
	 * where the key begins with account_id (a file holds one account). */
	const char *rowid;
	/* "account_id, name": another unique combination, or NULL */
	const char *unique;
	struct db_column columns[DB_COLUMNS_MAX]; /* ends with a NULL name */
};

struct db_index {
	const char *name, *table, *columns;
	const char *where; /* partial, or NULL */
};

/* One step from version-1 to version; exactly one of the three is set. Steps of a version stand
 * together, versions ascend. */
struct db_migration {
	int version;
	const struct db_table *create; /* a new table */
	const char *table;             /* gets this column (0 or empty in old rows) */
	struct db_column column;
	const char *sql; /* any other statement that both engines understand */
};

struct db_query {
	const char *name; /* for the log */
	const char *sql;
};

/* All that a room keeps and asks. Defined once by the room, constant. A file is of one program; in
 * PostgreSQL the program's name is the namespace of its tables. */
struct db_program {
	const char *name;
	int version; /* of the tables below; written into the file */
	const struct db_table *tables;
	size_t table_count;
	const struct db_index *indexes;
	size_t index_count;
	const struct db_migration *migrations;
	size_t migration_count;
	const struct db_query *queries;
	size_t query_count;
};

enum db_journal {
	DB_ROLLBACK, /* readers need no write permission; a writer excludes them for a moment */
	DB_WAL,      /* readers and one writer at once */
};

enum db_sync {
	DB_SYNC_NORMAL, /* WAL: a commit may be lost with the power, the file stays whole */
	DB_SYNC_FULL,   /* what is committed is on the disk */
};

struct db_options {
	bool read_only; /* the file must exist and have the program's version */
	enum db_journal journal;
	enum db_sync sync;
	unsigned mode;     /* of a new file; 0: 0600 */
	int cache_kb;      /* page cache, 0: the engine's default */
	int checkpoint_at; /* WAL: pages after which a commit checkpoints itself; 0: never */
};

struct db;
struct db_stmt;

/* Opens the program's file, makes it when it is not there, brings older ones to the program's
 * version in one transaction. A file of a newer version is refused. */
bool db_open(const char *path, const struct db_program *program, const struct db_options *options,
    struct deadline deadline, struct db **db_out, struct error *error);
/* Rolls back what is open; does not checkpoint. NULL is allowed. */
void db_close(struct db *db);
/* From now on: locks are waited for until then (in steps of 0.2 ms), running statements are
 * interrupted then. A handle begins with the deadline of its opening: set one before each turn. */
void db_set_deadline(struct db *db, struct deadline deadline);
/* How later commits are synced; not inside a transaction. */
bool db_set_sync(struct db *db, enum db_sync sync, struct error *error);
/* Gives what closed handles of this thread held back to the system. */
void db_heap_trim(void);
/* Gives cached pages back when the handle is idle. */
void db_release_memory(struct db *db);
/* Syncs the write-ahead log, if a commit of this handle may not be on the disk yet. */
bool db_sync_log(struct db *db, struct error *error);
/* WAL: copies what it can into the file without making anyone wait. left_out: pages that remain. */
bool db_checkpoint(struct db *db, int *left_out, struct error *error);

/* Takes the write lock at once, so the transaction will not fail half way for want of it. */
bool db_begin(struct db *db, struct error *error);
/* One view of the data for several statements; ended by db_commit or db_rollback. */
bool db_begin_read(struct db *db, struct error *error);
/* On failure everything is rolled back. */
bool db_commit(struct db *db, struct error *error);
/* Harmless outside a transaction. */
void db_rollback(struct db *db);

/* The statement of this number, ready to be bound; never NULL. It must end with db_done or db_run
 * before it is used again: anything else is our bug and ends the process. */
struct db_stmt *db_use(struct db *db, size_t query);
/* Parameters count from 1, as in the source. Text and bytes are borrowed until db_done. */
void db_bind_id(struct db_stmt *st, int n, int64_t value);
void db_bind_number(struct db_stmt *st, int n, int64_t value);
void db_bind_time(struct db_stmt *st, int n, int64_t us);
void db_bind_text(struct db_stmt *st, int n, slice text);
void db_bind_bytes(struct db_stmt *st, int n, slice data);
/* The next row; false at the end or after an error. */
bool db_step(struct db_stmt *st);
/* Columns count from 0. */
int64_t db_column_id(struct db_stmt *st, int n);
int64_t db_column_number(struct db_stmt *st, int n);
int64_t db_column_time(struct db_stmt *st, int n);
slice db_column_text(struct db_stmt *st, int n);
slice db_column_bytes(struct db_stmt *st, int n);
/* Adds the first octets, at most n, of a DB_BYTES column to out, without reading the rest: of a table with a `rowid`,
 * the row with that id. *found_out: there is one. */
bool db_read_head(struct db *db, const char *table, const char *column, int64_t rowid, size_t n,
    struct buf *out, bool *found_out, struct error *error);
/* Ends the statement; false when anything since db_use failed. A change happens whole with its first
 * step; without one it does not happen. */
bool db_done(struct db_stmt *st, struct error *error);
/* Steps to the end, then db_done. */
bool db_run(struct db_stmt *st, struct error *error);
/* Rows changed by the last INSERT, UPDATE or DELETE that ended on this handle. */
int64_t db_changed(const struct db *db);

#endif

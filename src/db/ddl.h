/*
 * ddl: the schema of a program in the words of an engine.
 *
 *     struct buf sql;
 *     buf_init(&sql, DDL_MAX);
 *     ddl_program(&store_program, DDL_POSTGRES, &sql);
 *
 * SQLite gets STRICT tables, stored in their key (WITHOUT ROWID) unless the table names a row id.
 * PostgreSQL gets bigint, text and bytea. Statements end in ";\n". Everything is NOT NULL.
 */
#ifndef DB_DDL_H
#define DB_DDL_H

#include "base/buf.h"
#include "db/db.h"

#define DDL_MAX (256 * 1024) /* far more than any program needs */

enum ddl_engine { DDL_SQLITE, DDL_POSTGRES };

/* All tables and indexes of the program's version. */
void ddl_program(const struct db_program *program, enum ddl_engine engine, struct buf *out);
/* One step of a migration. */
void ddl_migration(const struct db_migration *step, enum ddl_engine engine, struct buf *out);
/* The statement with its ?1 written as $1 for PostgreSQL; what stands in quotes is left alone. */
void ddl_parameters(slice sql, struct buf *out);

#endif

#include "db/ddl.h"

static const char *type_name(enum db_type type, enum ddl_engine engine)
{
	bool sqlite = engine == DDL_SQLITE;

	switch (type) {
	case DB_ID:
	case DB_NUMBER:
	case DB_TIME:
		return sqlite ? "INTEGER" : "bigint";
	case DB_TEXT:
		return sqlite ? "TEXT" : "text";
	case DB_BYTES:
		break;
	}
	return sqlite ? "BLOB" : "bytea";
}

/* What old rows get in a column added later. */
static const char *type_empty(enum db_type type, enum ddl_engine engine)
{
	switch (type) {
	case DB_ID:
	case DB_NUMBER:
	case DB_TIME:
		return "0";
	case DB_TEXT:
		return "''";
	case DB_BYTES:
		break;
	}
	return engine == DDL_SQLITE ? "x''" : "'\\x'";
}

static void print_column(const struct db_table *table, const struct db_column *column,
    enum ddl_engine engine, struct buf *out)
{
	buf_addf(out, "  %s %s NOT NULL", column->name, type_name(column->type, engine));
	if (engine == DDL_SQLITE && table->rowid && strcmp(table->rowid, column->name) == 0)
		buf_adds(out, " PRIMARY KEY");
	buf_adds(out, ",\n");
}

static void print_table(const struct db_table *table, enum ddl_engine engine, struct buf *out)
{
	bool keyed = engine == DDL_POSTGRES || !table->rowid;

	buf_addf(out, "CREATE TABLE %s(\n", table->name);
	for (const struct db_column *c = table->columns; c->name; c++)
		print_column(table, c, engine, out);
	if (table->unique)
		buf_addf(out, "  UNIQUE (%s),\n", table->unique);
	if (keyed)
		buf_addf(out, "  PRIMARY KEY (%s),\n", table->key);
	out->n -= 2; /* the last comma */
	buf_adds(out, "\n)");
	if (engine == DDL_SQLITE)
		buf_adds(out, table->rowid ? " STRICT" : " STRICT, WITHOUT ROWID");
	buf_adds(out, ";\n");
}

static void print_index(const struct db_index *index, struct buf *out)
{
	buf_addf(out, "CREATE INDEX %s ON %s(%s)", index->name, index->table, index->columns);
	if (index->where)
		buf_addf(out, " WHERE %s", index->where);
	buf_adds(out, ";\n");
}

void ddl_program(const struct db_program *program, enum ddl_engine engine, struct buf *out)
{
	for (size_t i = 0; i < program->table_count; i++)
		print_table(&program->tables[i], engine, out);
	for (size_t i = 0; i < program->index_count; i++)
		print_index(&program->indexes[i], out);
}

void ddl_migration(const struct db_migration *step, enum ddl_engine engine, struct buf *out)
{
	if (step->create)
		print_table(step->create, engine, out);
	else if (step->table)
		buf_addf(out, "ALTER TABLE %s ADD COLUMN %s %s NOT NULL DEFAULT %s;\n", step->table,
		    step->column.name, type_name(step->column.type, engine),
		    type_empty(step->column.type, engine));
	else
		buf_addf(out, "%s;\n", step->sql);
}

void ddl_parameters(slice sql, struct buf *out)
{
	char quote = 0;

	for (size_t i = 0; i < sql.n; i++) {
		char c = sql.p[i];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '?')
			c = '$';
		buf_addc(out, c);
	}
}

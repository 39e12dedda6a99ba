#include "directory/program.h"

#include "directory/directory.h"

static const struct db_table tables[] = {
	{ "domain", .key = "id", .unique = "name",
	    .columns = { { "id", DB_ID }, { "name", DB_TEXT } } },
	{ "account", .key = "id", .unique = "domain, folded",
	    .columns = { { "id", DB_ID }, { "domain", DB_ID }, { "local", DB_TEXT },
		{ "folded", DB_TEXT }, { "enabled", DB_NUMBER }, { "created", DB_TIME } } },
	/* The last id given out in each table, so that none is used again after a removal. */
	{ "serial", .key = "name", .columns = { { "name", DB_TEXT }, { "last", DB_ID } } },
};

#define ACCOUNT_COLUMNS "SELECT a.id, a.domain, a.local, d.name, a.enabled, a.created"

static const struct db_query queries[Q_COUNT] = {
	[Q_SERIAL_ADD] = { "serial_add",
	    "INSERT INTO serial(name, last) VALUES (?1, 0) ON CONFLICT DO NOTHING" },
	[Q_SERIAL_NEXT] = { "serial_next",
	    "UPDATE serial SET last = last + 1 WHERE name = ?1 RETURNING last" },
	[Q_DOMAIN_ADD] = { "domain_add",
	    "INSERT INTO domain(id, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING id" },
	[Q_DOMAIN_FIND] = { "domain_find", "SELECT id, name FROM domain WHERE name = ?1" },
	[Q_DOMAIN_LIST] = { "domain_list", "SELECT id, name FROM domain ORDER BY name" },
	[Q_DOMAIN_ONLY] = { "domain_only", "SELECT name FROM domain ORDER BY name LIMIT 2" },
	[Q_DOMAIN_REMOVE] = { "domain_remove", "DELETE FROM domain WHERE id = ?1" },
	[Q_DOMAIN_ACCOUNTS] = { "domain_accounts",
	    "SELECT count(*) FROM account WHERE domain = ?1" },
	[Q_ACCOUNT_ADD] = { "account_add",
	    "INSERT INTO account(id, domain, local, folded, enabled, created) "
	    "VALUES (?1, ?2, ?3, ?4, 1, ?5) ON CONFLICT DO NOTHING RETURNING id" },
	[Q_ACCOUNT_LIST] = { "account_list",
	    ACCOUNT_COLUMNS " FROM domain d JOIN account a ON a.domain = d.id "
			    "WHERE d.name = ?1 OR ?1 = '' ORDER BY d.name, a.folded" },
	[Q_ACCOUNT_ENABLE] = { "account_enable",
	    "UPDATE account SET enabled = ?3 WHERE folded = ?2 "
	    "AND domain = (SELECT d.id FROM domain d WHERE d.name = ?1) RETURNING id" },
	[Q_ACCOUNT_REMOVE] = { "account_remove",
	    "DELETE FROM account WHERE folded = ?2 "
	    "AND domain = (SELECT d.id FROM domain d WHERE d.name = ?1) RETURNING id" },
	/* One statement tells apart "no account" (id 0) and "no domain" (no row). */
	[Q_ACCOUNT_FIND] = { "account_find",
	    "SELECT COALESCE(a.id, 0), d.id, COALESCE(a.local, ''), d.name, COALESCE(a.enabled, 0), "
	    "COALESCE(a.created, 0) FROM domain d "
	    "LEFT JOIN account a ON a.domain = d.id AND a.folded = ?2 WHERE d.name = ?1" },
	[Q_ACCOUNT_BY_ID] = { "account_by_id",
	    ACCOUNT_COLUMNS " FROM account a JOIN domain d ON d.id = a.domain WHERE a.id = ?1" },
};

const struct db_program directory_program = {
	.name = "directory",
	.version = 1,
	.tables = tables,
	.table_count = sizeof(tables) / sizeof(tables[0]),
	.queries = queries,
	.query_count = Q_COUNT,
};

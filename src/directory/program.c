#include "directory/program.h"

#include "directory/directory.h"

static const struct db_table tables[] = {
	{ "domain", .key = "id", .unique = "name",
	    .columns = { { "id", DB_ID }, { "name", DB_TEXT }, { "quota", DB_NUMBER } } },
	{ "account", .key = "id", .unique = "domain, folded",
	    .columns = { { "id", DB_ID }, { "domain", DB_ID }, { "local", DB_TEXT },
		{ "folded", DB_TEXT }, { "enabled", DB_NUMBER }, { "created", DB_TIME },
		{ "quota", DB_NUMBER } } },
	/* An alias without a local part is the domain's catch-all; it is folded to "@", which nobody has. */
	{ "alias", .key = "id", .unique = "domain, folded",
	    .columns = { { "id", DB_ID }, { "domain", DB_ID }, { "local", DB_TEXT },
		{ "folded", DB_TEXT }, { "created", DB_TIME }, { "senders", DB_NUMBER } } },
	/* Where an alias leads: an account or another alias, the other of the two is 0. */
	{ "alias_target", .key = "alias, account, other",
	    .columns = { { "alias", DB_ID }, { "account", DB_ID }, { "other", DB_ID } } },
	/* Who may connect: net/access.h. */
	{ "access_rule", .key = "id",
	    .columns = { { "id", DB_ID }, { "allow", DB_NUMBER }, { "priority", DB_NUMBER },
		{ "scope", DB_TEXT }, { "source", DB_TEXT }, { "note", DB_TEXT },
		{ "max_connections", DB_NUMBER }, { "time_interval", DB_NUMBER },
		{ "max_interval_connections", DB_NUMBER }, { "peer_max_connections", DB_NUMBER },
		{ "peer_time_interval", DB_NUMBER },
		{ "peer_max_interval_connections", DB_NUMBER } } },
	/* Who may log in as another: other may as account. */
	{ "delegate", .key = "account, other",
	    .columns = { { "account", DB_ID }, { "other", DB_ID } } },
	/* Versions of the policy, the highest number is active; bundle: policy/files.h, empty: none. */
	{ "policy", .key = "number", .rowid = "number",
	    .columns = { { "number", DB_ID }, { "made", DB_TIME }, { "who", DB_TEXT },
		{ "why", DB_TEXT }, { "name", DB_TEXT }, { "bundle", DB_BYTES } } },
	/* The last id given out in each table, so that none is used again after a removal. */
	{ "serial", .key = "name", .columns = { { "name", DB_TEXT }, { "last", DB_ID } } },
};

static const struct db_index indexes[] = {
	{ "alias_target_account", "alias_target", "account" },
	{ "alias_target_other", "alias_target", "other" },
	{ "delegate_other", "delegate", "other" },
};

/* As it was first made. */
static const struct db_table alias_of_2 = { "alias", .key = "id", .unique = "domain, folded",
	.columns = { { "id", DB_ID }, { "domain", DB_ID }, { "local", DB_TEXT },
	    { "folded", DB_TEXT }, { "created", DB_TIME } } };

static const struct db_migration migrations[] = {
	{ .version = 2, .create = &alias_of_2 },
	{ .version = 2, .create = &tables[3] },
	{ .version = 2, .sql = "CREATE INDEX alias_target_account ON alias_target(account)" },
	{ .version = 2, .sql = "CREATE INDEX alias_target_other ON alias_target(other)" },
	{ .version = 3, .create = &tables[4] },
	{ .version = 3, .table = "domain", .column = { "quota", DB_NUMBER } },
	{ .version = 3, .table = "account", .column = { "quota", DB_NUMBER } },
	{ .version = 3, .table = "alias", .column = { "senders", DB_NUMBER } },
	{ .version = 4, .create = &tables[5] },
	{ .version = 4, .sql = "CREATE INDEX delegate_other ON delegate(other)" },
	{ .version = 5, .create = &tables[6] },
};

/* An account's quota: its own, or (0) its domain's. */
#define ACCOUNT_COLUMNS                                                                            \
	"SELECT a.id, a.domain, a.local, d.name, a.enabled, a.created, "                           \
	"CASE a.quota WHEN 0 THEN d.quota ELSE a.quota END"

#define RULE_LIMITS                                                                                \
	"max_connections, time_interval, max_interval_connections, peer_max_connections, "         \
	"peer_time_interval, peer_max_interval_connections"

#define POLICY_COLUMNS "SELECT number, made, who, why, name, bundle FROM policy"

static const struct db_query queries[Q_COUNT] = {
	[Q_SERIAL_ADD] = { "serial_add",
	    "INSERT INTO serial(name, last) VALUES (?1, 0) ON CONFLICT DO NOTHING" },
	[Q_SERIAL_NEXT] = { "serial_next",
	    "UPDATE serial SET last = last + 1 WHERE name = ?1 RETURNING last" },
	[Q_DOMAIN_ADD] = { "domain_add",
	    "INSERT INTO domain(id, name, quota) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING "
	    "RETURNING id" },
	[Q_DOMAIN_FIND] = { "domain_find", "SELECT id, name FROM domain WHERE name = ?1" },
	[Q_DOMAIN_LIST] = { "domain_list", "SELECT id, name, quota FROM domain ORDER BY name" },
	[Q_DOMAIN_QUOTA] = { "domain_quota",
	    "UPDATE domain SET quota = ?2 WHERE name = ?1 RETURNING id" },
	[Q_DOMAIN_ONLY] = { "domain_only", "SELECT name FROM domain ORDER BY name LIMIT 2" },
	[Q_DOMAIN_REMOVE] = { "domain_remove", "DELETE FROM domain WHERE id = ?1" },
	[Q_DOMAIN_ACCOUNTS] = { "domain_accounts",
	    "SELECT count(*) FROM account WHERE domain = ?1" },
	[Q_DOMAIN_ALIASES] = { "domain_aliases", "SELECT count(*) FROM alias WHERE domain = ?1" },
	[Q_ACCOUNT_ADD] = { "account_add",
	    "INSERT INTO account(id, domain, local, folded, enabled, created, quota) "
	    "VALUES (?1, ?2, ?3, ?4, 1, ?5, 0) ON CONFLICT DO NOTHING RETURNING id" },
	[Q_ACCOUNT_LIST] = { "account_list",
	    ACCOUNT_COLUMNS " FROM domain d JOIN account a ON a.domain = d.id "
			    "WHERE d.name = ?1 OR ?1 = '' ORDER BY d.name, a.folded" },
	[Q_ACCOUNT_ENABLE] = { "account_enable",
	    "UPDATE account SET enabled = ?3 WHERE folded = ?2 "
	    "AND domain = (SELECT d.id FROM domain d WHERE d.name = ?1) RETURNING id" },
	[Q_ACCOUNT_QUOTA] = { "account_quota",
	    "UPDATE account SET quota = ?3 WHERE folded = ?2 "
	    "AND domain = (SELECT d.id FROM domain d WHERE d.name = ?1) RETURNING id" },
	[Q_ACCOUNT_REMOVE] = { "account_remove",
	    "DELETE FROM account WHERE folded = ?2 "
	    "AND domain = (SELECT d.id FROM domain d WHERE d.name = ?1) RETURNING id" },
	/* One statement tells apart "no account" (id 0) and "no domain" (no row), and finds aliases. */
	[Q_ACCOUNT_FIND] = { "account_find",
	    "SELECT COALESCE(a.id, 0), d.id, COALESCE(a.local, ''), d.name, COALESCE(a.enabled, 0), "
	    "COALESCE(a.created, 0), "
	    "CASE COALESCE(a.quota, 0) WHEN 0 THEN d.quota ELSE a.quota END, "
	    "COALESCE(l.id, 0), COALESCE(l.senders, 0) FROM domain d "
	    "LEFT JOIN account a ON a.domain = d.id AND a.folded = ?2 "
	    "LEFT JOIN alias l ON l.domain = d.id AND l.folded = ?2 WHERE d.name = ?1" },
	[Q_ACCOUNT_BY_ID] = { "account_by_id",
	    ACCOUNT_COLUMNS " FROM account a JOIN domain d ON d.id = a.domain WHERE a.id = ?1" },
	[Q_ACCOUNT_OLDEST] = { "account_oldest",
	    ACCOUNT_COLUMNS
	    " FROM account a JOIN domain d ON d.id = a.domain "
	    "WHERE a.enabled <> 0 AND (d.name = ?1 OR ?1 = '') ORDER BY a.id LIMIT 1" },
	[Q_ALIAS_ADD] = { "alias_add",
	    "INSERT INTO alias(id, domain, local, folded, created, senders) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, 0)" },
	[Q_ALIAS_SENDERS] = { "alias_senders", "UPDATE alias SET senders = ?2 WHERE id = ?1" },
	[Q_ALIAS_NAME] = { "alias_name",
	    "SELECT l.local, d.name FROM alias l JOIN domain d ON d.id = l.domain "
	    "WHERE l.id = ?1" },
	[Q_ALIAS_REMOVE] = { "alias_remove", "DELETE FROM alias WHERE id = ?1" },
	[Q_ALIAS_LIST] = { "alias_list",
	    "SELECT l.local, d.name, COALESCE(a.local, o.local, ''), COALESCE(ad.name, od.name, ''), "
	    "l.senders "
	    "FROM domain d JOIN alias l ON l.domain = d.id JOIN alias_target t ON t.alias = l.id "
	    "LEFT JOIN account a ON a.id = t.account LEFT JOIN domain ad ON ad.id = a.domain "
	    "LEFT JOIN alias o ON o.id = t.other LEFT JOIN domain od ON od.id = o.domain "
	    "WHERE (d.name = ?1 OR ?1 = '') AND (l.folded = ?2 OR ?2 = '') "
	    "ORDER BY d.name, l.folded, 4, COALESCE(a.folded, o.folded, '')" },
	[Q_TARGET_ADD] = { "target_add",
	    "INSERT INTO alias_target(alias, account, other) VALUES (?1, ?2, ?3) "
	    "ON CONFLICT DO NOTHING RETURNING alias" },
	[Q_TARGET_REMOVE] = { "target_remove",
	    "DELETE FROM alias_target WHERE alias = ?1 AND account = ?2 AND other = ?3 "
	    "RETURNING alias" },
	/* Zeros for an account that is not there any more. */
	[Q_TARGET_LIST] = { "target_list",
	    "SELECT COALESCE(a.id, 0), COALESCE(a.domain, 0), COALESCE(a.local, ''), "
	    "COALESCE(d.name, ''), COALESCE(a.enabled, 0), COALESCE(a.created, 0), "
	    "CASE COALESCE(a.quota, 0) WHEN 0 THEN COALESCE(d.quota, 0) ELSE a.quota END, t.other "
	    "FROM alias_target t LEFT JOIN account a ON a.id = t.account "
	    "LEFT JOIN domain d ON d.id = a.domain WHERE t.alias = ?1 ORDER BY t.account, t.other" },
	[Q_TARGET_PARENTS] = { "target_parents",
	    "SELECT alias FROM alias_target WHERE account = ?1 AND other = ?2 ORDER BY alias" },
	[Q_TARGET_DROP] = { "target_drop",
	    "DELETE FROM alias_target WHERE account = ?1 AND other = ?2" },
	[Q_TARGET_DROP_OF] = { "target_drop_of", "DELETE FROM alias_target WHERE alias = ?1" },
	[Q_TARGET_COUNT] = { "target_count", "SELECT count(*) FROM alias_target WHERE alias = ?1" },
	[Q_RULE_LIST] = { "rule_list",
	    "SELECT id, allow, priority, scope, source, note, " RULE_LIMITS
	    " FROM access_rule ORDER BY id" },
	[Q_RULE_ADD] = { "rule_add",
	    "INSERT INTO access_rule(id, allow, priority, scope, source, note, " RULE_LIMITS
	    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING id" },
	[Q_RULE_CHANGE] = { "rule_change",
	    "UPDATE access_rule SET allow = ?2, priority = ?3, scope = ?4, source = ?5, note = ?6, "
	    "max_connections = ?7, time_interval = ?8, max_interval_connections = ?9, "
	    "peer_max_connections = ?10, peer_time_interval = ?11, "
	    "peer_max_interval_connections = ?12 WHERE id = ?1 RETURNING id" },
	[Q_RULE_REMOVE] = { "rule_remove", "DELETE FROM access_rule WHERE id = ?1 RETURNING id" },
	[Q_DELEGATE_ADD] = { "delegate_add",
	    "INSERT INTO delegate(account, other) VALUES (?1, ?2) ON CONFLICT DO NOTHING" },
	[Q_DELEGATE_REMOVE] = { "delegate_remove",
	    "DELETE FROM delegate WHERE account = ?1 AND other = ?2 RETURNING account" },
	[Q_DELEGATE_FIND] = { "delegate_find",
	    "SELECT 1 FROM delegate WHERE account = ?1 AND other = ?2" },
	[Q_DELEGATE_LIST] = { "delegate_list",
	    "SELECT a.local, ad.name, o.local, od.name FROM delegate t "
	    "JOIN account a ON a.id = t.account JOIN domain ad ON ad.id = a.domain "
	    "JOIN account o ON o.id = t.other JOIN domain od ON od.id = o.domain "
	    "WHERE t.account = ?1 OR ?1 = 0 ORDER BY ad.name, a.folded, od.name, o.folded" },
	[Q_POLICY_ADD] = { "policy_add",
	    "INSERT INTO policy(number, made, who, why, name, bundle) VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
	[Q_POLICY_LIST] = { "policy_list",
	    "SELECT number, made, who, why, name FROM policy ORDER BY number DESC" },
	[Q_POLICY_ACTIVE] = { "policy_active", POLICY_COLUMNS " ORDER BY number DESC LIMIT 1" },
	[Q_POLICY_READ] = { "policy_read", POLICY_COLUMNS " WHERE number = ?1" },
	[Q_DELEGATE_DROP] = { "delegate_drop",
	    "DELETE FROM delegate WHERE account = ?1 OR other = ?1" },
};

const struct db_program directory_program = {
	.name = "directory",
	.version = 5,
	.tables = tables,
	.table_count = sizeof(tables) / sizeof(tables[0]),
	.indexes = indexes,
	.index_count = sizeof(indexes) / sizeof(indexes[0]),
	.migrations = migrations,
	.migration_count = sizeof(migrations) / sizeof(migrations[0]),
	.queries = queries,
	.query_count = Q_COUNT,
};

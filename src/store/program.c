#include "store/program.h"

#include "store/store.h"

/* Names that are subscribed to and have no mailbox (RFC 3501 §6.3.6). */
#define SUBSCRIPTION                                                                               \
	{                                                                                          \
		"subscription", .key = "account_id, name", .columns = {                            \
			{ "account_id", DB_ID },                                                   \
			{ "name", DB_TEXT }                                                        \
		}                                                                                  \
	}

/* Flag changes of many messages that are not in their rows yet: of those from uid_lo to uid_hi with a lower modseq,
 * whose flags they change. At most STORE_SPANS a mailbox. */
#define FLAG_SPAN                                                                                  \
	{                                                                                          \
		"flag_span", .key = "account_id, mailbox, modseq, uid_lo", .columns = {            \
			{ "account_id", DB_ID },                                                   \
			{ "mailbox", DB_ID },                                                      \
			{ "modseq", DB_NUMBER },                                                   \
			{ "uid_lo", DB_ID },                                                       \
			{ "uid_hi", DB_ID },                                                       \
			{ "cleared", DB_NUMBER },                                                  \
			{ "added", DB_NUMBER }                                                     \
		}                                                                                  \
	}

static const struct db_table tables[] = {
	/* One row; every change of the account begins by updating it, which also orders the writers
	 * on an engine that locks rows. ceiling: no modseq above it was given out by a commit that was not
	 * synced; boot: of the system, when that was last made good. */
	{ "account", .key = "account_id",
	    .columns = { { "account_id", DB_ID }, { "modseq", DB_NUMBER },
		{ "uidvalidity", DB_NUMBER }, { "mailbox_last", DB_ID }, { "body_last", DB_ID },
		{ "messages", DB_NUMBER }, { "bytes", DB_NUMBER }, { "ceiling", DB_NUMBER },
		{ "boot", DB_TEXT } } },
	{ "mailbox", .key = "account_id, id", .unique = "account_id, name",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "name", DB_TEXT },
		{ "special", DB_TEXT }, { "subscribed", DB_NUMBER }, { "uidvalidity", DB_NUMBER },
		{ "uidnext", DB_NUMBER }, { "modseq", DB_NUMBER }, { "messages", DB_NUMBER },
		{ "unseen", DB_NUMBER }, { "deleted", DB_NUMBER }, { "bytes", DB_NUMBER },
		{ "recent", DB_ID }, { "horizon", DB_NUMBER }, { "noted", DB_NUMBER } } },
	/* Short rows without an index on modseq: a scan of 50,000 takes milliseconds, an index would
	 * be paid at every change. */
	{ "message", .key = "account_id, mailbox, uid",
	    .columns = { { "account_id", DB_ID }, { "mailbox", DB_ID }, { "uid", DB_ID },
		{ "flags", DB_NUMBER }, { "modseq", DB_NUMBER }, { "size", DB_NUMBER },
		{ "received", DB_TIME }, { "body", DB_ID }, { "saved", DB_TIME } } },
	{ "keyword", .key = "account_id, bit", .unique = "account_id, folded",
	    .columns = { { "account_id", DB_ID }, { "bit", DB_NUMBER }, { "name", DB_TEXT },
		{ "folded", DB_TEXT } } },
	/* refs: messages that name it (COPY shares bodies). */
	{ "body", .key = "account_id, id",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "refs", DB_NUMBER },
		{ "size", DB_NUMBER } } },
	{ "body_data", .key = "account_id, id", .rowid = "id",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "data", DB_BYTES } } },
	{ "head", .key = "account_id, id", .rowid = "id",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "envelope", DB_BYTES },
		{ "structure", DB_BYTES }, { "bodystructure", DB_BYTES } } },
	/* Flag changes as spans (all with a higher modseq within uid_lo..uid_hi), removals exactly. A mailbox has
	 * `noted` of them; those up to the modseq `horizon` are forgotten. */
	{ "change", .key = "account_id, mailbox, modseq, uid_lo, kind",
	    .columns = { { "account_id", DB_ID }, { "mailbox", DB_ID }, { "modseq", DB_NUMBER },
		{ "uid_lo", DB_ID }, { "uid_hi", DB_ID }, { "kind", DB_NUMBER } } },
	{ "delivered", .key = "account_id, segment, place, recipient",
	    .columns = { { "account_id", DB_ID }, { "segment", DB_NUMBER }, { "place", DB_NUMBER },
		{ "recipient", DB_NUMBER } } },
	{ "garbage", .key = "account_id, body",
	    .columns = { { "account_id", DB_ID }, { "body", DB_ID } } },
	SUBSCRIPTION,
	FLAG_SPAN,
};

#define MAILBOX_COLUMNS                                                                            \
	"SELECT id, name, special, subscribed, uidvalidity, uidnext, modseq, messages, unseen, "   \
	"deleted, bytes, recent, horizon FROM mailbox WHERE account_id = ?1"
#define MESSAGE_RANGE " WHERE m.account_id = ?1 AND m.mailbox = ?2 AND m.uid >= ?3 AND m.uid <= ?4"
#define IN_MAILBOX    " WHERE account_id = ?1 AND mailbox = ?2"
#define BY_ID         " WHERE account_id = ?1 AND id = ?2"

/* LIST */
static const struct db_query queries[Q_COUNT] = {
	[Q_ACCOUNT_FIND] = { "account_find",
	    "SELECT modseq, messages, bytes, ceiling, boot FROM account WHERE account_id = ?1" },
	[Q_ACCOUNT_ADD] = { "account_add",
	    "INSERT INTO account(account_id, modseq, uidvalidity, mailbox_last, body_last, messages, "
	    "bytes, ceiling, boot) VALUES (?1, 0, 0, 0, 0, 0, 0, 0, ?2) ON CONFLICT DO NOTHING "
	    "RETURNING account_id" },
	[Q_ACCOUNT_NEXT] = { "account_next",
	    "UPDATE account SET modseq = modseq + 1, body_last = body_last + ?2 "
	    "WHERE account_id = ?1 RETURNING modseq, body_last" },
	[Q_ACCOUNT_MAILBOX] = { "account_mailbox",
	    "UPDATE account SET modseq = modseq + 1, mailbox_last = mailbox_last + 1, "
	    "uidvalidity = CASE WHEN uidvalidity >= ?2 THEN uidvalidity + 1 ELSE ?2 END "
	    "WHERE account_id = ?1 RETURNING modseq, mailbox_last, uidvalidity" },
	[Q_ACCOUNT_TALLY] = { "account_tally",
	    "UPDATE account SET messages = messages + ?2, bytes = bytes + ?3 WHERE account_id = ?1" },
	[Q_ACCOUNT_RESERVE] = { "account_reserve",
	    "UPDATE account SET ceiling = modseq + ?2 WHERE account_id = ?1 RETURNING ceiling" },
	[Q_ACCOUNT_RECOVER] = { "account_recover",
	    "UPDATE account SET modseq = CASE WHEN ceiling > modseq THEN ceiling ELSE modseq END, "
	    "boot = ?2 WHERE account_id = ?1 AND boot <> ?2 RETURNING modseq" },
	[Q_MAILBOX_RECOVER] = { "mailbox_recover",
	    "UPDATE mailbox SET modseq = ?2 WHERE account_id = ?1" },
	[Q_MAILBOX_ADD] = { "mailbox_add",
	    "INSERT INTO mailbox(account_id, id, name, special, subscribed, uidvalidity, uidnext, "
	    "modseq, messages, unseen, deleted, bytes, recent, horizon, noted) "
	    "VALUES (?1, ?2, ?3, ?4, 0, ?5, 1, ?6, 0, 0, 0, 0, 1, 0, 0)" },
	[Q_MAILBOX_LIST] = { "mailbox_list", MAILBOX_COLUMNS " ORDER BY name" },
	[Q_MAILBOX_BY_NAME] = { "mailbox_by_name", MAILBOX_COLUMNS " AND name = ?2" },
	[Q_MAILBOX_BY_ID] = { "mailbox_by_id", MAILBOX_COLUMNS " AND id = ?2" },
	[Q_MAILBOX_TALLY] = { "mailbox_tally",
	    "UPDATE mailbox SET modseq = ?3, uidnext = uidnext + ?4, messages = messages + ?5, "
	    "unseen = unseen + ?6, deleted = deleted + ?7, bytes = bytes + ?8, noted = noted + ?9 "
	    "WHERE account_id = ?1 AND id = ?2 RETURNING noted" },
	[Q_MAILBOX_HORIZON] = { "mailbox_horizon",
	    "UPDATE mailbox SET horizon = ?3, noted = noted - ?4" BY_ID },
	[Q_MAILBOX_SEEN] = { "mailbox_seen", "UPDATE mailbox SET recent = uidnext" BY_ID },
	[Q_MAILBOX_RENAME] = { "mailbox_rename", "UPDATE mailbox SET name = ?3" BY_ID },
	[Q_MAILBOX_SUBSCRIBE] = { "mailbox_subscribe",
	    "UPDATE mailbox SET subscribed = ?3" BY_ID " RETURNING id" },
	[Q_SUBSCRIPTION_KEEP] = { "subscription_keep",
	    "INSERT INTO subscription(account_id, name) SELECT account_id, name FROM mailbox" BY_ID
	    " AND subscribed <> 0 ON CONFLICT DO NOTHING" },
	[Q_SUBSCRIPTION_REMOVE] = { "subscription_remove",
	    "DELETE FROM subscription WHERE account_id = ?1 AND name = ?2 RETURNING name" },
	[Q_SUBSCRIPTION_LIST] = { "subscription_list",
	    "SELECT name FROM subscription WHERE account_id = ?1 ORDER BY name" },
	[Q_MAILBOX_REMOVE] = { "mailbox_remove", "DELETE FROM mailbox" BY_ID },
	[Q_MAILBOX_FORGET_CHANGES] = { "mailbox_forget_changes", "DELETE FROM change" IN_MAILBOX },
	[Q_KEYWORD_FIND] = { "keyword_find",
	    "SELECT bit FROM keyword WHERE account_id = ?1 AND folded = ?2" },
	[Q_KEYWORD_ADD] = { "keyword_add",
	    "INSERT INTO keyword(account_id, bit, name, folded) VALUES (?1, ?2, ?3, ?4)" },
	[Q_KEYWORD_LIST] = { "keyword_list",
	    "SELECT bit, name FROM keyword WHERE account_id = ?1 ORDER BY bit" },
	[Q_DELIVERED_ADD] = { "delivered_add",
	    "INSERT INTO delivered(account_id, segment, place, recipient) VALUES (?1, ?2, ?3, ?4) "
	    "ON CONFLICT DO NOTHING RETURNING segment" },
	[Q_DELIVERED_PRUNE] = { "delivered_prune",
	    "DELETE FROM delivered WHERE account_id = ?1 AND segment < ?2" },
	[Q_BODY_ADD] = { "body_add",
	    "INSERT INTO body(account_id, id, refs, size) VALUES (?1, ?2, 1, ?3)" },
	[Q_BODY_REFS] = { "body_refs", "UPDATE body SET refs = refs + ?3" BY_ID " RETURNING refs" },
	[Q_BODY_REMOVE] = { "body_remove", "DELETE FROM body" BY_ID },
	[Q_DATA_ADD] = { "data_add",
	    "INSERT INTO body_data(account_id, id, data) VALUES (?1, ?2, ?3)" },
	[Q_DATA_GET] = { "data_get", "SELECT data FROM body_data" BY_ID },
	[Q_DATA_REMOVE] = { "data_remove", "DELETE FROM body_data" BY_ID },
	[Q_HEAD_ADD] = { "head_add",
	    "INSERT INTO head(account_id, id, envelope, structure, bodystructure) "
	    "VALUES (?1, ?2, ?3, ?4, ?5)" },
	[Q_HEAD_GET] = { "head_get", "SELECT envelope, structure, bodystructure FROM head" BY_ID },
	[Q_HEAD_REMOVE] = { "head_remove", "DELETE FROM head" BY_ID },
	[Q_GARBAGE_ADD] = { "garbage_add",
	    "INSERT INTO garbage(account_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING" },
	[Q_GARBAGE_LIST] = { "garbage_list",
	    "SELECT body FROM garbage WHERE account_id = ?1 ORDER BY body LIMIT ?2" },
	[Q_GARBAGE_REMOVE] = { "garbage_remove",
	    "DELETE FROM garbage WHERE account_id = ?1 AND body = ?2" },
	[Q_MESSAGE_ADD] = { "message_add",
	    "INSERT INTO message(account_id, mailbox, uid, flags, modseq, size, received, body, "
	    "saved) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)" },
	[Q_MESSAGE_ROWS] = { "message_rows",
	    "SELECT m.uid, m.flags, m.modseq, m.size, m.received, m.body, m.saved "
	    "FROM message m" MESSAGE_RANGE " ORDER BY m.uid LIMIT ?5" },
	[Q_MESSAGE_HEADS] = { "message_heads",
	    "SELECT m.uid, m.flags, m.modseq, m.size, m.received, m.body, m.saved, h.envelope, "
	    "h.structure, h.bodystructure FROM message m "
	    "JOIN head h ON h.account_id = m.account_id AND h.id = m.body" MESSAGE_RANGE
	    " ORDER BY m.uid LIMIT ?5" },
	[Q_MESSAGE_UIDS] = { "message_uids", "SELECT uid FROM message" IN_MAILBOX " ORDER BY uid" },
	[Q_MESSAGE_CHANGED] = { "message_changed",
	    "SELECT m.uid FROM message m" MESSAGE_RANGE " AND m.modseq > ?5 ORDER BY m.uid" },
	[Q_MESSAGE_FIRST] = { "message_first",
	    "SELECT uid FROM message" IN_MAILBOX " ORDER BY uid LIMIT 1" },
	[Q_MESSAGE_LAST] = { "message_last",
	    "SELECT uid FROM message" IN_MAILBOX " ORDER BY uid DESC LIMIT 1" },
	[Q_MESSAGE_UNSEEN_BACK] = { "message_unseen_back",
	    "SELECT uid FROM message" IN_MAILBOX
	    " AND (flags & 1) = 0 ORDER BY uid DESC LIMIT 1 OFFSET ?3" },
	[Q_MESSAGE_UNSEEN] = { "message_unseen",
	    "SELECT uid FROM message" IN_MAILBOX " AND (flags & 1) = 0 ORDER BY uid LIMIT 1" },
	[Q_MESSAGE_RECENT] = { "message_recent",
	    "SELECT count(*) FROM message" IN_MAILBOX " AND uid >= ?3" },
	[Q_MESSAGE_FLAGS] = { "message_flags",
	    "UPDATE message SET flags = ?4, modseq = ?5" IN_MAILBOX " AND uid = ?3" },
	[Q_MESSAGE_REMOVE] = { "message_remove", "DELETE FROM message" IN_MAILBOX " AND uid = ?3" },
	[Q_SPAN_ADD] = { "span_add",
	    "INSERT INTO flag_span(account_id, mailbox, modseq, uid_lo, uid_hi, cleared, added) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)" },
	[Q_SPAN_LIST] = { "span_list",
	    "SELECT modseq, uid_lo, uid_hi, cleared, added FROM flag_span" IN_MAILBOX
	    " ORDER BY modseq, uid_lo" },
	[Q_SPAN_FORGET] = { "span_forget", "DELETE FROM flag_span" IN_MAILBOX },
	[Q_CHANGE_ADD] = { "change_add",
	    "INSERT INTO change(account_id, mailbox, modseq, uid_lo, uid_hi, kind) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
	[Q_CHANGE_LIST] = { "change_list",
	    "SELECT uid_lo, uid_hi, kind FROM change" IN_MAILBOX
	    " AND modseq > ?3 ORDER BY modseq" },
	[Q_CHANGE_CUT] = { "change_cut",
	    "SELECT modseq FROM change" IN_MAILBOX " ORDER BY modseq DESC LIMIT 1 OFFSET ?3" },
	[Q_CHANGE_PRUNE] = { "change_prune", "DELETE FROM change" IN_MAILBOX " AND modseq <= ?3" },
	[Q_WRONG_COUNTERS] = { "wrong_counters",
	    "SELECT count(*) FROM mailbox b LEFT JOIN (SELECT mailbox, count(*) AS messages, "
	    "sum(size) AS bytes, "
	    "max(uid) AS uid, max(modseq) AS modseq FROM message WHERE account_id = ?1 "
	    "GROUP BY mailbox) s ON s.mailbox = b.id WHERE b.account_id = ?1 AND ("
	    "b.messages <> COALESCE(s.messages, 0) OR b.bytes <> COALESCE(s.bytes, 0) OR "
	    "b.uidnext <= COALESCE(s.uid, 0) OR b.modseq < COALESCE(s.modseq, 0))" },
	[Q_WRONG_NOTED] = { "wrong_noted",
	    "SELECT count(*) FROM mailbox b WHERE b.account_id = ?1 AND (b.horizon > b.modseq OR "
	    "b.noted <> (SELECT count(*) FROM change c WHERE c.account_id = ?1 AND "
	    "c.mailbox = b.id AND c.modseq > b.horizon) OR b.modseq < (SELECT "
	    "COALESCE(max(c.modseq), 0) FROM change c WHERE c.account_id = ?1 AND "
	    "c.mailbox = b.id))" },
	[Q_WRONG_ACCOUNT] = { "wrong_account",
	    "SELECT count(*) FROM account a WHERE a.account_id = ?1 AND ("
	    "a.messages <> (SELECT count(*) FROM message m WHERE m.account_id = ?1) OR "
	    "a.bytes <> (SELECT COALESCE(sum(m.size), 0) FROM message m WHERE m.account_id = ?1))" },
	[Q_WRONG_MAILBOX] = { "wrong_mailbox",
	    "SELECT count(*) FROM message m WHERE m.account_id = ?1 AND NOT EXISTS "
	    "(SELECT 1 FROM mailbox b WHERE b.account_id = ?1 AND b.id = m.mailbox)" },
	[Q_WRONG_REFS] = { "wrong_refs",
	    "SELECT count(*) FROM body b LEFT JOIN (SELECT body, count(*) AS refs FROM message "
	    "WHERE account_id = ?1 GROUP BY body) s ON s.body = b.id "
	    "WHERE b.account_id = ?1 AND b.refs <> COALESCE(s.refs, 0)" },
	[Q_WRONG_BODIES] = { "wrong_bodies",
	    "SELECT count(*) FROM message m LEFT JOIN body b ON b.account_id = ?1 AND b.id = m.body "
	    "LEFT JOIN body_data d ON d.account_id = ?1 AND d.id = m.body "
	    "LEFT JOIN head h ON h.account_id = ?1 AND h.id = m.body WHERE m.account_id = ?1 AND ("
	    "h.id IS NULL OR COALESCE(b.size, -1) <> m.size OR "
	    "COALESCE(length(d.data), -1) <> m.size)" },
	[Q_WRONG_GARBAGE] = { "wrong_garbage",
	    "SELECT count(*) FROM body b LEFT JOIN garbage g ON g.account_id = ?1 AND g.body = b.id "
	    "WHERE b.account_id = ?1 AND (b.refs = 0) <> (g.body IS NOT NULL)" },
	[Q_WRONG_IDS] = { "wrong_ids",
	    "SELECT count(*) FROM account a WHERE a.account_id = ?1 AND ("
	    "a.body_last < (SELECT COALESCE(max(b.id), 0) FROM body b WHERE b.account_id = ?1) OR "
	    "a.mailbox_last < (SELECT COALESCE(max(x.id), 0) FROM mailbox x "
	    "WHERE x.account_id = ?1) OR a.modseq < (SELECT COALESCE(max(x.modseq), 0) "
	    "FROM mailbox x WHERE x.account_id = ?1))" },
};

static const struct db_table subscription = SUBSCRIPTION, flag_span = FLAG_SPAN;

/* 2: mailbox.recent, subscription. What was there before is recent to nobody.
 * 3: mailbox.horizon, mailbox.noted, message.saved (0: nobody knows).
 * 4: account.ceiling, account.boot, flag_span. */
static const struct db_migration migrations[] = {
	{ 2, .table = "mailbox", .column = { "recent", DB_ID } },
	{ 2, .sql = "UPDATE mailbox SET recent = uidnext" },
	{ 2, .create = &subscription },
	{ 3, .table = "mailbox", .column = { "horizon", DB_NUMBER } },
	{ 3, .table = "mailbox", .column = { "noted", DB_NUMBER } },
	{ 3, .table = "message", .column = { "saved", DB_TIME } },
	{ 3,
	    .sql =
		"UPDATE mailbox SET noted = (SELECT count(*) FROM change "
		"WHERE change.account_id = mailbox.account_id AND change.mailbox = mailbox.id)" },
	{ 4, .table = "account", .column = { "ceiling", DB_NUMBER } },
	{ 4, .table = "account", .column = { "boot", DB_TEXT } },
	{ 4, .create = &flag_span },
};

const struct db_program store_program = {
	.name = "mail",
	.version = 4,
	.migrations = migrations,
	.migration_count = sizeof(migrations) / sizeof(migrations[0]),
	.tables = tables,
	.table_count = sizeof(tables) / sizeof(tables[0]),
	.queries = queries,
	.query_count = Q_COUNT,
};

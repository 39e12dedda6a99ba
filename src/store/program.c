#include "store/program.h"

#include "store/store.h"
#include "store/sum.h"

/* Names that are subscribed to and have no mailbox (RFC 3501 §6.3.6). */
#define SUBSCRIPTION(...)                                                                          \
	{                                                                                          \
		"subscription", .key = "account_id, name", .columns = {                            \
			{ "account_id", DB_ID },                                                   \
			{ "name", DB_TEXT },                                                       \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* Flag changes of many messages that are not in their rows yet: of those from uid_lo to uid_hi with a lower modseq,
 * whose flags they change. At most STORE_SPANS a mailbox. */
#define FLAG_SPAN(...)                                                                             \
	{                                                                                          \
		"flag_span", .key = "account_id, mailbox, modseq, uid_lo", .columns = {            \
			{ "account_id", DB_ID },                                                   \
			{ "mailbox", DB_ID },                                                      \
			{ "modseq", DB_NUMBER },                                                   \
			{ "uid_lo", DB_ID },                                                       \
			{ "uid_hi", DB_ID },                                                       \
			{ "cleared", DB_NUMBER },                                                  \
			{ "added", DB_NUMBER },                                                    \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* Columns `sum`, `ident` and `crc`: sum.h. */
static const struct db_table tables[] = {
	/* One row; every change of the account begins by updating it, which also orders the writers
	 * on an engine that locks rows. ceiling: no modseq above it was given out by a commit that was not
	 * synced; boot: of the system, when that was last made good. mailboxes to delivered: rows of those tables. */
	{ "account", .key = "account_id",
	    .columns = { { "account_id", DB_ID }, { "modseq", DB_NUMBER },
		{ "uidvalidity", DB_NUMBER }, { "mailbox_last", DB_ID }, { "body_last", DB_ID },
		{ "messages", DB_NUMBER }, { "bytes", DB_NUMBER }, { "ceiling", DB_NUMBER },
		{ "boot", DB_TEXT }, { "mailboxes", DB_NUMBER }, { "keywords", DB_NUMBER },
		{ "subscriptions", DB_NUMBER }, { "delivered", DB_NUMBER },
		{ "sum", DB_NUMBER } } },
	{ "mailbox", .key = "account_id, id", .unique = "account_id, name",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "name", DB_TEXT },
		{ "special", DB_TEXT }, { "subscribed", DB_NUMBER }, { "uidvalidity", DB_NUMBER },
		{ "uidnext", DB_NUMBER }, { "modseq", DB_NUMBER }, { "messages", DB_NUMBER },
		{ "unseen", DB_NUMBER }, { "deleted", DB_NUMBER }, { "bytes", DB_NUMBER },
		{ "recent", DB_ID }, { "horizon", DB_NUMBER }, { "noted", DB_NUMBER },
		{ "ident", DB_NUMBER }, { "sum", DB_NUMBER }, { "crc", DB_NUMBER },
		{ "spans", DB_NUMBER } } },
	/* Short rows without an index on modseq: a scan of 50,000 takes milliseconds, an index would
	 * be paid at every change. */
	{ "message", .key = "account_id, mailbox, uid",
	    .columns = { { "account_id", DB_ID }, { "mailbox", DB_ID }, { "uid", DB_ID },
		{ "flags", DB_NUMBER }, { "modseq", DB_NUMBER }, { "size", DB_NUMBER },
		{ "received", DB_TIME }, { "body", DB_ID }, { "saved", DB_TIME },
		{ "sum", DB_NUMBER } } },
	{ "keyword", .key = "account_id, bit", .unique = "account_id, folded",
	    .columns = { { "account_id", DB_ID }, { "bit", DB_NUMBER }, { "name", DB_TEXT },
		{ "folded", DB_TEXT }, { "crc", DB_NUMBER } } },
	/* refs: messages that name it (COPY shares bodies); crc: of its data. */
	{ "body", .key = "account_id, id",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "refs", DB_NUMBER },
		{ "size", DB_NUMBER }, { "crc", DB_NUMBER }, { "sum", DB_NUMBER } } },
	{ "body_data", .key = "account_id, id", .rowid = "id",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "data", DB_BYTES } } },
	{ "head", .key = "account_id, id", .rowid = "id",
	    .columns = { { "account_id", DB_ID }, { "id", DB_ID }, { "envelope", DB_BYTES },
		{ "structure", DB_BYTES }, { "bodystructure", DB_BYTES }, { "crc", DB_NUMBER } } },
	/* Flag changes as spans (all with a higher modseq within uid_lo..uid_hi), removals exactly. A mailbox has
	 * `noted` of them; those up to the modseq `horizon` are forgotten. */
	{ "change", .key = "account_id, mailbox, modseq, uid_lo, kind",
	    .columns = { { "account_id", DB_ID }, { "mailbox", DB_ID }, { "modseq", DB_NUMBER },
		{ "uid_lo", DB_ID }, { "uid_hi", DB_ID }, { "kind", DB_NUMBER },
		{ "sum", DB_NUMBER } } },
	{ "delivered", .key = "account_id, segment, place, recipient",
	    .columns = { { "account_id", DB_ID }, { "segment", DB_NUMBER }, { "place", DB_NUMBER },
		{ "recipient", DB_NUMBER }, { "sum", DB_NUMBER } } },
	{ "garbage", .key = "account_id, body",
	    .columns = { { "account_id", DB_ID }, { "body", DB_ID } } },
	SUBSCRIPTION({ "crc", DB_NUMBER }),
	FLAG_SPAN({ "sum", DB_NUMBER }),
};

#define MAILBOX_COLUMNS                                                                            \
	"SELECT id, name, special, subscribed, uidvalidity, uidnext, modseq, messages, unseen, "   \
	"deleted, bytes, recent, horizon FROM mailbox WHERE account_id = ?1"
#define MESSAGE_RANGE " WHERE m.account_id = ?1 AND m.mailbox = ?2 AND m.uid >= ?3 AND m.uid <= ?4"
#define IN_MAILBOX    " WHERE account_id = ?1 AND mailbox = ?2"
#define BY_ID         " WHERE account_id = ?1 AND id = ?2"

/* ---- what verify asks: mailbox, UID, id, what it says, what it should say ---- */
#define STRANGE(table)                                                                             \
	{                                                                                          \
		"strange_" table,                                                                  \
		    "SELECT 0, 0, 0, count(*), 0 FROM " table                                      \
		    " WHERE account_id <> ?1 HAVING count(*) > 0"                                  \
	}
#define ACCOUNT_COUNT(column, differs, count, table)                                               \
	"SELECT 0, 0, 0, a." column ", s.n FROM account a, (SELECT " count " AS n FROM " table     \
	" t WHERE t.account_id = ?1) s WHERE a.account_id = ?1 AND a." column " " differs " s.n"
#define MAILBOX_COUNT(column, differs, count, table, also)                                         \
	"SELECT b.id, 0, 0, b." column ", (SELECT " count " FROM " table                           \
	" t WHERE t.account_id = ?1 AND t.mailbox = b.id" also                                     \
	") FROM mailbox b WHERE b.account_id = ?1 AND b." column " " differs " (SELECT " count     \
	" FROM " table " t WHERE t.account_id = ?1 AND t.mailbox = b.id" also ")"
#define NO_MAILBOX(of)                                                                             \
	"NOT EXISTS (SELECT 1 FROM mailbox b WHERE b.account_id = ?1 AND b.id = " of ".mailbox)"
#define NO_ROW(table, id)                                                                          \
	"NOT EXISTS (SELECT 1 FROM " table " x WHERE x.account_id = ?1 AND x.id = " id ")"

/* LIST */
static const struct db_query
    queries
	[Q_COUNT] = {
		[Q_ACCOUNT_FIND] = { "account_find",
		    "SELECT modseq, messages, bytes, ceiling, boot FROM account WHERE account_id = ?1" },
		[Q_ACCOUNT_ADD] = { "account_add",
		    "INSERT INTO account(account_id, modseq, uidvalidity, mailbox_last, body_last, messages, "
		    "bytes, ceiling, boot, mailboxes, keywords, subscriptions, delivered, sum) "
		    "VALUES (?1, 0, 0, 0, 0, 0, 0, 0, ?2, 0, 0, 0, 0, 1) ON CONFLICT DO NOTHING "
		    "RETURNING account_id" },
		[Q_ACCOUNT_NEXT] = { "account_next",
		    "UPDATE account SET modseq = modseq + 1, body_last = body_last + ?2, "
		    "sum = " SUM_ADD("sum",
			"2 + 7 * CAST(?2 AS bigint)") " "
						      "WHERE account_id = ?1 RETURNING modseq, body_last" },
		[Q_ACCOUNT_MAILBOX] = { "account_mailbox",
		    "UPDATE account SET modseq = modseq + 1, mailbox_last = mailbox_last + 1, "
		    "uidvalidity = CASE WHEN uidvalidity >= ?2 THEN uidvalidity + 1 ELSE ?2 END, "
		    "sum = " SUM_ADD("sum",
			"2 + 5 + 3 * CASE WHEN uidvalidity >= ?2 THEN 1 ELSE " SUM_STEP(
			    "uidvalidity",
			    "?2") " END") ", mailboxes = mailboxes + 1 "
					  "WHERE account_id = ?1 RETURNING modseq, mailbox_last, uidvalidity" },
		[Q_ACCOUNT_TALLY] = { "account_tally",
		    "UPDATE account SET messages = messages + ?2, bytes = bytes + ?3 WHERE account_id = ?1" },
		[Q_ACCOUNT_COUNT] = { "account_count",
		    "UPDATE account SET mailboxes = mailboxes + ?2, keywords = keywords + ?3, "
		    "subscriptions = subscriptions + ?4, delivered = delivered + ?5 WHERE account_id = ?1" },
		[Q_ACCOUNT_RESERVE] = { "account_reserve",
		    "UPDATE account SET ceiling = modseq + ?2, sum = " SUM_ADD("sum",
			"11 * " SUM_STEP(
			    "ceiling", "modseq + ?2")) " WHERE account_id = ?1 RETURNING ceiling" },
		[Q_ACCOUNT_RECOVER] = { "account_recover",
		    "UPDATE account SET modseq = CASE WHEN ceiling > modseq THEN ceiling ELSE modseq END, "
		    "sum = " SUM_ADD("sum",
			"CASE WHEN ceiling > modseq THEN 2 * " SUM_STEP("modseq",
			    "ceiling") " ELSE 0 END") ", boot = ?2 WHERE account_id = ?1 AND boot <> ?2 RETURNING modseq" },
		[Q_MAILBOX_RECOVER] = { "mailbox_recover",
		    "UPDATE mailbox SET modseq = ?2, sum = " SUM_ADD(
			"sum", "2 * " SUM_STEP("modseq", "?2")) " WHERE account_id = ?1" },
		[Q_MAILBOX_ADD] = { "mailbox_add",
		    "INSERT INTO mailbox(account_id, id, name, special, subscribed, uidvalidity, uidnext, "
		    "modseq, messages, unseen, deleted, bytes, recent, horizon, noted, ident, sum, crc, "
		    "spans) VALUES (?1, ?2, ?3, ?4, 0, ?5, 1, ?6, 0, 0, 0, 0, 1, 0, 0, " SUM_IDENT(
			"?2", "?5", "1") ", " SUM_MAILBOX("?6", "1", "0", "0") ", ?7, 0)" },
		[Q_MAILBOX_LIST] = { "mailbox_list", MAILBOX_COLUMNS " ORDER BY name" },
		[Q_MAILBOX_BY_NAME] = { "mailbox_by_name", MAILBOX_COLUMNS " AND name = ?2" },
		[Q_MAILBOX_BY_ID] = { "mailbox_by_id", MAILBOX_COLUMNS " AND id = ?2" },
		[Q_MAILBOX_TALLY] = { "mailbox_tally",
		    "UPDATE mailbox SET modseq = ?3, uidnext = uidnext + ?4, messages = messages + ?5, "
		    "unseen = unseen + ?6, deleted = deleted + ?7, bytes = bytes + ?8, noted = noted + ?9, "
		    "ident = " SUM_ADD("ident", "5 * CAST(?4 AS bigint)") ", sum = " SUM_ADD("sum",
			"2 * " SUM_STEP(
			    "modseq", "?3")) " "
					     "WHERE account_id = ?1 AND id = ?2 RETURNING noted" },
		[Q_MAILBOX_HORIZON] = { "mailbox_horizon",
		    "UPDATE mailbox SET horizon = ?3, noted = noted - ?4, sum = " SUM_ADD(
			"sum", "5 * " SUM_STEP("horizon", "?3")) BY_ID },
		[Q_MAILBOX_SPANS] = { "mailbox_spans",
		    "UPDATE mailbox SET spans = spans + ?3" BY_ID },
		[Q_MAILBOX_SEEN] = { "mailbox_seen",
		    "UPDATE mailbox SET recent = uidnext, sum = " SUM_ADD(
			"sum", "3 * " SUM_STEP("recent", "uidnext")) BY_ID },
		[Q_MAILBOX_RENAME] = { "mailbox_rename",
		    "UPDATE mailbox SET name = ?3, crc = ?4" BY_ID },
		[Q_MAILBOX_SUBSCRIBE] = { "mailbox_subscribe",
		    "UPDATE mailbox SET subscribed = ?3, sum = " SUM_ADD(
			"sum", "7 * " SUM_STEP("subscribed", "?3")) BY_ID " RETURNING id" },
		[Q_SUBSCRIPTION_KEEP] = { "subscription_keep",
		    "INSERT INTO subscription(account_id, name, crc) SELECT account_id, name, crc FROM mailbox" BY_ID
		    " AND subscribed <> 0 ON CONFLICT DO NOTHING" },
		[Q_SUBSCRIPTION_REMOVE] = { "subscription_remove",
		    "DELETE FROM subscription WHERE account_id = ?1 AND name = ?2 RETURNING name" },
		[Q_SUBSCRIPTION_LIST] = { "subscription_list",
		    "SELECT name FROM subscription WHERE account_id = ?1 ORDER BY name" },
		[Q_MAILBOX_REMOVE] = { "mailbox_remove", "DELETE FROM mailbox" BY_ID },
		[Q_MAILBOX_FORGET_CHANGES] = { "mailbox_forget_changes",
		    "DELETE FROM change" IN_MAILBOX },
		[Q_KEYWORD_FIND] = { "keyword_find",
		    "SELECT bit FROM keyword WHERE account_id = ?1 AND folded = ?2" },
		[Q_KEYWORD_ADD] = { "keyword_add",
		    "INSERT INTO keyword(account_id, bit, name, folded, crc) VALUES (?1, ?2, ?3, ?4, ?5)" },
		[Q_KEYWORD_LIST] = { "keyword_list",
		    "SELECT bit, name FROM keyword WHERE account_id = ?1 ORDER BY bit" },
		[Q_DELIVERED_ADD] = { "delivered_add",
		    "INSERT INTO delivered(account_id, segment, place, recipient, sum) "
		    "VALUES (?1, ?2, ?3, ?4, " SUM_DELIVERED(
			"?2", "?3", "?4") ") "
					  "ON CONFLICT DO NOTHING RETURNING segment" },
		[Q_DELIVERED_PRUNE] = { "delivered_prune",
		    "DELETE FROM delivered WHERE account_id = ?1 AND segment < ?2" },
		[Q_BODY_ADD] = { "body_add",
		    "INSERT INTO body(account_id, id, refs, size, crc, sum) "
		    "VALUES (?1, ?2, 1, ?3, ?4, " SUM_BODY("?2", "1", "?3") ")" },
		[Q_BODY_REFS] = { "body_refs",
		    "UPDATE body SET refs = refs + ?3, sum = " SUM_ADD(
			"sum", "3 * CAST(?3 AS bigint)") BY_ID " RETURNING refs" },
		[Q_BODY_REMOVE] = { "body_remove", "DELETE FROM body" BY_ID },
		[Q_DATA_ADD] = { "data_add",
		    "INSERT INTO body_data(account_id, id, data) VALUES (?1, ?2, ?3)" },
		[Q_DATA_GET] = { "data_get", "SELECT data FROM body_data" BY_ID },
		[Q_DATA_REMOVE] = { "data_remove", "DELETE FROM body_data" BY_ID },
		[Q_HEAD_ADD] = { "head_add",
		    "INSERT INTO head(account_id, id, envelope, structure, bodystructure, crc) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
		[Q_HEAD_GET] = { "head_get",
		    "SELECT envelope, structure, bodystructure FROM head" BY_ID },
		[Q_HEAD_REMOVE] = { "head_remove", "DELETE FROM head" BY_ID },
		[Q_GARBAGE_ADD] = { "garbage_add",
		    "INSERT INTO garbage(account_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING" },
		[Q_GARBAGE_LIST] = { "garbage_list",
		    "SELECT body FROM garbage WHERE account_id = ?1 ORDER BY body LIMIT ?2" },
		[Q_GARBAGE_REMOVE] = { "garbage_remove",
		    "DELETE FROM garbage WHERE account_id = ?1 AND body = ?2" },
		[Q_MESSAGE_ADD] = { "message_add",
		    "INSERT INTO message(account_id, mailbox, uid, flags, modseq, size, received, body, "
		    "saved, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, " SUM_MESSAGE(
			"?2", "?3", "?4", "?5", "?6", "?7", "?8", "?9") ")" },
		[Q_MESSAGE_ROWS] = { "message_rows",
		    "SELECT m.uid, m.flags, m.modseq, m.size, m.received, m.body, m.saved "
		    "FROM message m" MESSAGE_RANGE " ORDER BY m.uid LIMIT ?5" },
		[Q_MESSAGE_HEADS] = { "message_heads",
		    "SELECT m.uid, m.flags, m.modseq, m.size, m.received, m.body, m.saved, h.envelope, "
		    "h.structure, h.bodystructure FROM message m "
		    "JOIN head h ON h.account_id = m.account_id AND h.id = m.body" MESSAGE_RANGE
		    " ORDER BY m.uid LIMIT ?5" },
		[Q_MESSAGE_UIDS] = { "message_uids",
		    "SELECT uid FROM message" IN_MAILBOX " ORDER BY uid" },
		[Q_MESSAGE_CHANGED] = { "message_changed",
		    "SELECT m.uid FROM message m" MESSAGE_RANGE
		    " AND m.modseq > ?5 ORDER BY m.uid" },
		[Q_MESSAGE_FIRST] = { "message_first",
		    "SELECT uid FROM message" IN_MAILBOX " ORDER BY uid LIMIT 1" },
		[Q_MESSAGE_LAST] = { "message_last",
		    "SELECT uid FROM message" IN_MAILBOX " ORDER BY uid DESC LIMIT 1" },
		[Q_MESSAGE_UNSEEN_BACK] = { "message_unseen_back",
		    "SELECT uid FROM message" IN_MAILBOX
		    " AND (flags & 1) = 0 ORDER BY uid DESC LIMIT 1 OFFSET ?3" },
		[Q_MESSAGE_UNSEEN] = { "message_unseen",
		    "SELECT uid FROM message" IN_MAILBOX
		    " AND (flags & 1) = 0 ORDER BY uid LIMIT 1" },
		[Q_MESSAGE_RECENT] = { "message_recent",
		    "SELECT count(*) FROM message" IN_MAILBOX " AND uid >= ?3" },
		[Q_MESSAGE_FLAGS] = { "message_flags",
		    "UPDATE message SET flags = ?4, modseq = ?5, sum = " SUM_ADD(
			"sum", "5 * " SUM_STEP("flags", "?4") " + 7 * " SUM_STEP("modseq", "?5"))
			IN_MAILBOX " AND uid = ?3" },
		[Q_MESSAGE_REMOVE] = { "message_remove",
		    "DELETE FROM message" IN_MAILBOX " AND uid = ?3" },
		[Q_SPAN_ADD] = { "span_add",
		    "INSERT INTO flag_span(account_id, mailbox, modseq, uid_lo, uid_hi, cleared, added, sum) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, " SUM_SPAN(
			"?2", "?3", "?4", "?5", "?6", "?7") ")" },
		[Q_SPAN_LIST] = { "span_list",
		    "SELECT modseq, uid_lo, uid_hi, cleared, added FROM flag_span" IN_MAILBOX
		    " ORDER BY modseq, uid_lo" },
		[Q_SPAN_FORGET] = { "span_forget", "DELETE FROM flag_span" IN_MAILBOX },
		[Q_CHANGE_ADD] = { "change_add",
		    "INSERT INTO change(account_id, mailbox, modseq, uid_lo, uid_hi, kind, sum) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, " SUM_CHANGE(
			"?2", "?3", "?4", "?5", "?6") ")" },
		[Q_CHANGE_LIST] = { "change_list",
		    "SELECT uid_lo, uid_hi, kind FROM change" IN_MAILBOX
		    " AND modseq > ?3 ORDER BY modseq" },
		[Q_CHANGE_CUT] = { "change_cut",
		    "SELECT modseq FROM change" IN_MAILBOX
		    " ORDER BY modseq DESC LIMIT 1 OFFSET ?3" },
		[Q_CHANGE_PRUNE] = { "change_prune",
		    "DELETE FROM change" IN_MAILBOX " AND modseq <= ?3" },
		[Q_STRANGE_ACCOUNT] = STRANGE("account"),
		[Q_STRANGE_MAILBOX] = STRANGE("mailbox"),
		[Q_STRANGE_MESSAGE] = STRANGE("message"),
		[Q_STRANGE_KEYWORD] = STRANGE("keyword"),
		[Q_STRANGE_BODY] = STRANGE("body"),
		[Q_STRANGE_BODY_DATA] = STRANGE("body_data"),
		[Q_STRANGE_HEAD] = STRANGE("head"),
		[Q_STRANGE_CHANGE] = STRANGE("change"),
		[Q_STRANGE_DELIVERED] = STRANGE("delivered"),
		[Q_STRANGE_GARBAGE] = STRANGE("garbage"),
		[Q_STRANGE_SUBSCRIPTION] = STRANGE("subscription"),
		[Q_STRANGE_FLAG_SPAN] = STRANGE("flag_span"),
		[Q_CHECK_NO_ACCOUNT] = { "check_no_account",
		    "SELECT 0, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM account WHERE account_id = ?1)" },
		[Q_CHECK_ACCOUNT_SUM] = { "check_account_sum",
		    "SELECT 0, 0, 0, sum, " SUM_ACCOUNT
		    " FROM account WHERE account_id = ?1 AND sum <> " SUM_ACCOUNT },
		[Q_CHECK_ACCOUNT_MESSAGES] = { "check_account_messages",
		    ACCOUNT_COUNT("messages", "<>", "count(*)", "message") },
		[Q_CHECK_ACCOUNT_BYTES] = { "check_account_bytes",
		    ACCOUNT_COUNT("bytes", "<>", "COALESCE(sum(t.size), 0)", "message") },
		[Q_CHECK_ACCOUNT_MAILBOXES] = { "check_account_mailboxes",
		    ACCOUNT_COUNT("mailboxes", "<>", "count(*)", "mailbox") },
		[Q_CHECK_ACCOUNT_KEYWORDS] = { "check_account_keywords",
		    ACCOUNT_COUNT("keywords", "<>", "count(*)", "keyword") },
		[Q_CHECK_ACCOUNT_SUBSCRIPTIONS] = { "check_account_subscriptions",
		    ACCOUNT_COUNT("subscriptions", "<>", "count(*)", "subscription") },
		[Q_CHECK_ACCOUNT_DELIVERED] = { "check_account_delivered",
		    ACCOUNT_COUNT("delivered", "<>", "count(*)", "delivered") },
		[Q_CHECK_ACCOUNT_MODSEQ] = { "check_account_modseq",
		    ACCOUNT_COUNT("modseq", "<", "COALESCE(max(t.modseq), 0)", "mailbox") },
		[Q_CHECK_ACCOUNT_MAILBOX_LAST] = { "check_account_mailbox_last",
		    ACCOUNT_COUNT("mailbox_last", "<", "COALESCE(max(t.id), 0)", "mailbox") },
		[Q_CHECK_ACCOUNT_BODY_LAST] = { "check_account_body_last",
		    ACCOUNT_COUNT("body_last", "<", "COALESCE(max(t.id), 0)", "body_data") },
		[Q_CHECK_ACCOUNT_UIDVALIDITY] = { "check_account_uidvalidity",
		    ACCOUNT_COUNT(
			"uidvalidity", "<", "COALESCE(max(t.uidvalidity), 0)", "mailbox") },
		[Q_CHECK_NO_INBOX] = { "check_no_inbox",
		    "SELECT 0, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE account_id = ?1 AND name = 'INBOX')" },
		[Q_CHECK_MAILBOX_IDENT] = { "check_mailbox_ident",
		    "SELECT id, 0, 0, ident, " SUM_IDENT_ROW
		    " FROM mailbox WHERE account_id = ?1 AND "
		    "(ident <> " SUM_IDENT_ROW
		    " OR uidvalidity < 1 OR uidvalidity > 4294967295 OR uidnext < 1 OR uidnext > 4294967295)" },
		[Q_CHECK_MAILBOX_SUM] = { "check_mailbox_sum",
		    "SELECT id, 0, 0, sum, " SUM_MAILBOX_ROW
		    " FROM mailbox WHERE account_id = ?1 AND (sum <> " SUM_MAILBOX_ROW
		    " OR horizon > modseq OR recent > uidnext OR subscribed < 0 OR subscribed > 1)" },
		[Q_CHECK_MAILBOX_MESSAGES] = { "check_mailbox_messages",
		    MAILBOX_COUNT("messages", "<>", "count(*)", "message", "") },
		[Q_CHECK_MAILBOX_BYTES] = { "check_mailbox_bytes",
		    MAILBOX_COUNT("bytes", "<>", "COALESCE(sum(t.size), 0)", "message", "") },
		[Q_CHECK_MAILBOX_UIDNEXT] = { "check_mailbox_uidnext",
		    MAILBOX_COUNT("uidnext", "<=", "COALESCE(max(t.uid), 0)", "message", "") },
		[Q_CHECK_MAILBOX_MODSEQ] = { "check_mailbox_modseq",
		    MAILBOX_COUNT("modseq", "<", "COALESCE(max(t.modseq), 0)", "message", "") },
		[Q_CHECK_MAILBOX_SPANS] = { "check_mailbox_spans",
		    MAILBOX_COUNT("spans", "<>", "count(*)", "flag_span", "") },
		[Q_CHECK_MAILBOX_NOTED] = { "check_mailbox_noted",
		    MAILBOX_COUNT(
			"noted", "<>", "count(*)", "change", " AND t.modseq > b.horizon") },
		[Q_CHECK_MESSAGE_SUM] = { "check_message_sum",
		    "SELECT mailbox, uid, body, sum, " SUM_MESSAGE_ROW
		    " FROM message WHERE account_id = ?1 AND sum <> " SUM_MESSAGE_ROW },
		[Q_CHECK_MESSAGE_MAILBOX] = { "check_message_mailbox",
		    "SELECT m.mailbox, m.uid, m.body, 0, 0 FROM message m WHERE m.account_id = ?1 AND " NO_MAILBOX(
			"m") },
		[Q_CHECK_MESSAGE_UID] = { "check_message_uid",
		    "SELECT mailbox, uid, body, 0, 0 FROM message WHERE account_id = ?1 AND (uid < 1 OR uid > 4294967294)" },
		[Q_CHECK_MESSAGE_FLAGS] = { "check_message_flags",
		    "SELECT mailbox, uid, body, flags, flags & ?2 FROM message WHERE account_id = ?1 AND (flags & ?2) <> flags" },
		[Q_CHECK_MESSAGE_BODY] = { "check_message_body",
		    "SELECT m.mailbox, m.uid, m.body, 0, 0 FROM message m WHERE m.account_id = ?1 AND " NO_ROW(
			"body", "m.body") },
		[Q_CHECK_MESSAGE_SIZE] = { "check_message_size",
		    "SELECT m.mailbox, m.uid, m.body, m.size, b.size FROM message m JOIN body b ON b.account_id = ?1 AND b.id = m.body WHERE m.account_id = ?1 AND m.size <> b.size" },
		[Q_CHECK_BODY_SUM] = { "check_body_sum",
		    "SELECT 0, 0, id, sum, " SUM_BODY_ROW
		    " FROM body WHERE account_id = ?1 AND sum <> " SUM_BODY_ROW },
		[Q_CHECK_BODY_DATA] = { "check_body_data",
		    "SELECT 0, 0, b.id, 0, 0 FROM body b WHERE b.account_id = ?1 AND " NO_ROW(
			"body_data", "b.id") },
		[Q_CHECK_BODY_HEAD] = { "check_body_head",
		    "SELECT 0, 0, b.id, 0, 0 FROM body b WHERE b.account_id = ?1 AND " NO_ROW(
			"head", "b.id") },
		[Q_CHECK_BODY_REFS] = { "check_body_refs",
		    "SELECT 0, 0, b.id, b.refs, COALESCE(s.refs, 0) FROM body b LEFT JOIN (SELECT body, count(*) AS refs FROM message WHERE account_id = ?1 GROUP BY body) s ON s.body = b.id WHERE b.account_id = ?1 AND b.refs <> COALESCE(s.refs, 0)" },
		[Q_CHECK_BODY_SIZE] = { "check_body_size",
		    "SELECT 0, 0, b.id, b.size, length(d.data) FROM body b JOIN body_data d ON d.account_id = ?1 AND d.id = b.id WHERE b.account_id = ?1 AND b.size <> length(d.data)" },
		[Q_CHECK_DATA_BODY] = { "check_data_body",
		    "SELECT 0, 0, d.id, 0, 0 FROM body_data d WHERE d.account_id = ?1 AND " NO_ROW(
			"body", "d.id") },
		[Q_CHECK_HEAD_BODY] = { "check_head_body",
		    "SELECT 0, 0, h.id, 0, 0 FROM head h WHERE h.account_id = ?1 AND " NO_ROW(
			"body", "h.id") },
		[Q_CHECK_NOT_GARBAGE] = { "check_not_garbage",
		    "SELECT 0, 0, b.id, 0, 0 FROM body b LEFT JOIN garbage g ON g.account_id = ?1 AND g.body = b.id WHERE b.account_id = ?1 AND b.refs = 0 AND g.body IS NULL" },
		[Q_CHECK_GARBAGE] = { "check_garbage",
		    "SELECT 0, 0, g.body, 0, 0 FROM garbage g LEFT JOIN body b ON b.account_id = ?1 AND b.id = g.body WHERE g.account_id = ?1 AND (b.id IS NULL OR b.refs <> 0)" },
		[Q_CHECK_CHANGE_SUM] = { "check_change_sum",
		    "SELECT mailbox, uid_lo, modseq, sum, " SUM_CHANGE_ROW
		    " FROM change WHERE account_id = ?1 AND (sum <> " SUM_CHANGE_ROW
		    " OR uid_lo < 1 OR uid_hi < uid_lo OR uid_hi > 4294967295 OR kind < 1 OR kind > 2)" },
		[Q_CHECK_CHANGE_MAILBOX] = { "check_change_mailbox",
		    "SELECT m.mailbox, m.uid_lo, m.modseq, 0, 0 FROM change m WHERE m.account_id = ?1 AND " NO_MAILBOX(
			"m") },
		[Q_CHECK_CHANGE_MODSEQ] = { "check_change_modseq",
		    MAILBOX_COUNT("modseq", "<", "COALESCE(max(t.modseq), 0)", "change", "") },
		[Q_CHECK_SPAN_SUM] = { "check_span_sum",
		    "SELECT mailbox, uid_lo, modseq, sum, " SUM_SPAN_ROW
		    " FROM flag_span WHERE account_id = ?1 AND (sum <> " SUM_SPAN_ROW
		    " OR uid_lo < 1 OR uid_hi < uid_lo OR uid_hi > 4294967295)" },
		[Q_CHECK_SPAN_MAILBOX] = { "check_span_mailbox",
		    "SELECT m.mailbox, m.uid_lo, m.modseq, 0, 0 FROM flag_span m WHERE m.account_id = ?1 AND " NO_MAILBOX(
			"m") },
		[Q_CHECK_SPAN_MODSEQ] = { "check_span_modseq",
		    MAILBOX_COUNT("modseq", "<", "COALESCE(max(t.modseq), 0)", "flag_span", "") },
		[Q_CHECK_DELIVERED_SUM] = { "check_delivered_sum",
		    "SELECT 0, 0, segment, sum, " SUM_DELIVERED_ROW
		    " FROM delivered WHERE account_id = ?1 AND sum <> " SUM_DELIVERED_ROW },
		[Q_CHECK_KEYWORD_BIT] = { "check_keyword_bit",
		    "SELECT 0, 0, bit, 0, 0 FROM keyword WHERE account_id = ?1 AND (bit < 8 OR bit > 62)" },
		[Q_CHECK_KEYWORDS] = { "check_keywords",
		    "SELECT bit, name, folded, crc FROM keyword WHERE account_id = ?1 ORDER BY bit" },
		[Q_CHECK_SUBSCRIPTIONS] = { "check_subscriptions",
		    "SELECT name, crc FROM subscription WHERE account_id = ?1 ORDER BY name" },
		[Q_CHECK_MAILBOXES] = { "check_mailboxes",
		    "SELECT id, name, special, crc, uidnext, unseen, deleted, horizon FROM mailbox WHERE account_id = ?1 ORDER BY id" },
		[Q_CHECK_CONTENTS] = { "check_contents",
		    "SELECT d.id, d.data, b.crc FROM body_data d JOIN body b ON b.account_id = ?1 AND b.id = d.id WHERE d.account_id = ?1 ORDER BY d.id" },
		[Q_CHECK_HEADS] = { "check_heads",
		    "SELECT id, envelope, structure, bodystructure, crc FROM head WHERE account_id = ?1 ORDER BY id" },
		[Q_CHECK_GONE] = { "check_gone",
		    "SELECT uid_lo, uid_hi FROM change WHERE account_id = ?1 AND mailbox = ?2 AND kind = 2" },
		[Q_MESSAGE_CONTENTS] = { "message_contents",
		    "SELECT m.body, b.size, b.crc FROM message m JOIN body b ON b.account_id = ?1 AND "
		    "b.id = m.body WHERE m.account_id = ?1 AND m.mailbox = ?2 ORDER BY m.uid" },
		/* ---- what repair does ---- */
		[Q_REPAIR_KNOWN] = { "repair_known",
		    "SELECT modseq, uidvalidity, mailbox_last, body_last, ceiling FROM account WHERE account_id = ?1" },
		[Q_REPAIR_MODSEQ] = { "repair_modseq",
		    "SELECT COALESCE(max(x.n), 0) FROM (SELECT modseq AS n FROM account WHERE account_id = ?1 UNION ALL SELECT ceiling FROM account WHERE account_id = ?1 UNION ALL SELECT modseq FROM mailbox WHERE account_id = ?1 UNION ALL SELECT modseq FROM message WHERE account_id = ?1 UNION ALL SELECT modseq FROM change WHERE account_id = ?1 UNION ALL SELECT modseq FROM flag_span WHERE account_id = ?1) x WHERE x.n < 4611686018427387904" },
		[Q_REPAIR_LAST] = { "repair_last",
		    "SELECT (SELECT COALESCE(max(id), 0) FROM mailbox WHERE account_id = ?1), (SELECT COALESCE(max(id), 0) FROM body_data WHERE account_id = ?1), (SELECT COALESCE(max(uidvalidity), 0) FROM mailbox WHERE account_id = ?1 AND uidvalidity <= 4294967295)" },
		[Q_REPAIR_ACCOUNT] = { "repair_account",
		    "UPDATE account SET modseq = ?2, ceiling = ?2, uidvalidity = ?3, mailbox_last = ?4, body_last = ?5, messages = (SELECT count(*) FROM message m WHERE m.account_id = ?1), bytes = (SELECT COALESCE(sum(m.size), 0) FROM message m WHERE m.account_id = ?1) WHERE account_id = ?1" },
		[Q_REPAIR_ACCOUNT_FILL] = { "repair_account_fill", FILL_ACCOUNT },
		[Q_REPAIR_IDENT] = { "repair_ident",
		    "UPDATE mailbox SET uidvalidity = ?3, uidnext = 1 + (SELECT COALESCE(max(m.uid), 0) FROM message m WHERE m.account_id = ?1 AND m.mailbox = ?2 AND m.uid < 4294967295)" BY_ID },
		[Q_REPAIR_UIDNEXT] = { "repair_uidnext", "UPDATE mailbox SET uidnext = ?3" BY_ID },
		[Q_REPAIR_MAILBOX] = { "repair_mailbox",
		    "UPDATE mailbox SET recent = CASE WHEN recent < 1 OR recent > uidnext THEN uidnext ELSE recent END, subscribed = CASE WHEN subscribed <> 0 THEN 1 ELSE 0 END" BY_ID },
		[Q_REPAIR_FORGET] = { "repair_forget", "UPDATE mailbox SET horizon = ?3" BY_ID },
		[Q_REPAIR_NAME] = { "repair_name",
		    "UPDATE mailbox SET name = ?3, special = ?4, crc = ?5" BY_ID },
		[Q_REPAIR_MAILBOX_COUNTS] = { "repair_mailbox_counts",
		    "UPDATE mailbox SET modseq = ?3, recent = CASE WHEN recent > uidnext THEN uidnext ELSE recent END, unseen = ?4, deleted = ?5, messages = (SELECT count(*) FROM message m WHERE m.account_id = ?1 AND m.mailbox = ?2), bytes = (SELECT COALESCE(sum(m.size), 0) FROM message m WHERE m.account_id = ?1 AND m.mailbox = ?2), noted = (SELECT count(*) FROM change c WHERE c.account_id = ?1 AND c.mailbox = ?2 AND c.modseq > mailbox.horizon)" BY_ID },
		[Q_REPAIR_MAILBOX_FILL] = { "repair_mailbox_fill", FILL_MAILBOX },
		[Q_REPAIR_BODY_MAKE] = { "repair_body_make",
		    "INSERT INTO body(account_id, id, refs, size, crc, sum) SELECT account_id, id, 1, length(data), 0, 0 FROM body_data" BY_ID },
		[Q_REPAIR_BODY_STUB] = { "repair_body_stub",
		    "INSERT INTO body(account_id, id, refs, size, crc, sum) VALUES (?1, ?2, 1, 0, 0, 0) ON CONFLICT DO NOTHING" },
		[Q_REPAIR_BODY_SET] = { "repair_body_set",
		    "UPDATE body SET size = ?3, crc = ?4" BY_ID },
		[Q_REPAIR_BODY_REFS] = { "repair_body_refs", "UPDATE body SET refs = ?3" BY_ID },
		[Q_REPAIR_BODY_FILL] = { "repair_body_fill",
		    FILL_BODY " WHERE sum <> " SUM_BODY_ROW },
		[Q_REPAIR_HEAD_OLD] = { "repair_head_old", "SELECT envelope FROM head" BY_ID },
		[Q_REPAIR_HEAD_CRC] = { "repair_head_crc", "UPDATE head SET crc = ?3" BY_ID },
		[Q_REPAIR_HEADS_UNKNOWN] = { "repair_heads_unknown",
		    "SELECT 0, 0, id, 0, 0 FROM head WHERE account_id = ?1 AND crc = 0" },
		[Q_REPAIR_BODIES_UNKNOWN] = { "repair_bodies_unknown",
		    "SELECT 0, 0, b.id, 0, 0 FROM body b JOIN body_data d ON d.account_id = ?1 AND d.id = b.id WHERE b.account_id = ?1 AND b.crc = 0" },
		[Q_REPAIR_MESSAGE_AT] = { "repair_message_at",
		    "SELECT mailbox, uid, flags, modseq, size, received, body, saved FROM message" IN_MAILBOX
		    " AND uid = ?3" },
		[Q_REPAIR_MESSAGE_OF] = { "repair_message_of",
		    "SELECT mailbox, uid, 0, 0, 0 FROM message WHERE account_id = ?1 AND body = ?2" },
		[Q_REPAIR_MESSAGE_MEND] = { "repair_message_mend",
		    "UPDATE message SET flags = flags & ?4, modseq = ?5, received = CASE WHEN received < 0 OR received > ?6 THEN ?6 ELSE received END, saved = CASE WHEN saved < 0 OR saved > ?6 THEN 0 ELSE saved END" IN_MAILBOX
		    " AND uid = ?3" },
		[Q_REPAIR_MESSAGE_BODY] = { "repair_message_body",
		    "UPDATE message SET body = ?4" IN_MAILBOX " AND uid = ?3" },
		[Q_REPAIR_MESSAGE_SIZE] = { "repair_message_size",
		    "UPDATE message SET size = (SELECT b.size FROM body b WHERE b.account_id = ?1 AND b.id = message.body)" IN_MAILBOX
		    " AND uid = ?3" },
		[Q_REPAIR_MESSAGE_FILL] = { "repair_message_fill",
		    FILL_MESSAGE " WHERE sum <> " SUM_MESSAGE_ROW },
		[Q_REPAIR_CHANGE_REMOVE] = { "repair_change_remove",
		    "DELETE FROM change" IN_MAILBOX },
		[Q_REPAIR_SPAN_REMOVE] = { "repair_span_remove",
		    "DELETE FROM flag_span" IN_MAILBOX " AND uid_lo = ?3 AND modseq = ?4" },
		[Q_REPAIR_DELIVERED_REMOVE] = { "repair_delivered_remove",
		    "DELETE FROM delivered WHERE account_id = ?1 AND segment = ?2 AND sum = ?3" },
		[Q_REPAIR_KEYWORD_REMOVE] = { "repair_keyword_remove",
		    "DELETE FROM keyword WHERE account_id = ?1 AND bit = ?2" },
		[Q_REPAIR_KEYWORD_USED] = { "repair_keyword_used",
		    "SELECT count(*) FROM message WHERE account_id = ?1 AND (flags & ?2) <> 0" },
		[Q_REPAIR_SUBSCRIPTION_SET] = { "repair_subscription_set",
		    "UPDATE subscription SET crc = ?3 WHERE account_id = ?1 AND name = ?2" },
		[Q_REPAIR_SUBSCRIPTION_REMOVE] = { "repair_subscription_remove",
		    "DELETE FROM subscription WHERE account_id = ?1 AND crc = ?2" },
		[Q_REPAIR_GARBAGE_ADD] = { "repair_garbage_add",
		    "INSERT INTO garbage(account_id, body) SELECT account_id, id FROM body WHERE account_id = ?1 AND refs = 0 ON CONFLICT DO NOTHING" },
		[Q_REPAIR_GARBAGE_REMOVE] = { "repair_garbage_remove",
		    "DELETE FROM garbage WHERE account_id = ?1 AND NOT EXISTS (SELECT 1 FROM body b WHERE b.account_id = ?1 AND b.id = garbage.body AND b.refs = 0)" },
		[Q_REPAIR_BODY_TRUST] = { "repair_body_trust",
		    "SELECT count(*) FROM body" BY_ID " AND sum = " SUM_BODY_ROW },
	};

/* As they were made then. */
static const struct db_table subscription_2 = SUBSCRIPTION();
static const struct db_table flag_span_4 = FLAG_SPAN();

/* 2: mailbox.recent, subscription. What was there before is recent to nobody.
 * 3: mailbox.horizon, mailbox.noted, message.saved (0: nobody knows).
 * 4: account.ceiling, account.boot, flag_span.
 * 5: sums and checksums of all that counts no column of its own; a crc of 0: nobody knows. */
static const struct db_migration migrations[] = {
	{ 2, .table = "mailbox", .column = { "recent", DB_ID } },
	{ 2, .sql = "UPDATE mailbox SET recent = uidnext" },
	{ 2, .create = &subscription_2 },
	{ 3, .table = "mailbox", .column = { "horizon", DB_NUMBER } },
	{ 3, .table = "mailbox", .column = { "noted", DB_NUMBER } },
	{ 3, .table = "message", .column = { "saved", DB_TIME } },
	{ 3,
	    .sql =
		"UPDATE mailbox SET noted = (SELECT count(*) FROM change "
		"WHERE change.account_id = mailbox.account_id AND change.mailbox = mailbox.id)" },
	{ 4, .table = "account", .column = { "ceiling", DB_NUMBER } },
	{ 4, .table = "account", .column = { "boot", DB_TEXT } },
	{ 4, .create = &flag_span_4 },
	{ 5, .table = "account", .column = { "mailboxes", DB_NUMBER } },
	{ 5, .table = "account", .column = { "keywords", DB_NUMBER } },
	{ 5, .table = "account", .column = { "subscriptions", DB_NUMBER } },
	{ 5, .table = "account", .column = { "delivered", DB_NUMBER } },
	{ 5, .table = "account", .column = { "sum", DB_NUMBER } },
	{ 5, .table = "mailbox", .column = { "ident", DB_NUMBER } },
	{ 5, .table = "mailbox", .column = { "sum", DB_NUMBER } },
	{ 5, .table = "mailbox", .column = { "crc", DB_NUMBER } },
	{ 5, .table = "mailbox", .column = { "spans", DB_NUMBER } },
	{ 5, .table = "message", .column = { "sum", DB_NUMBER } },
	{ 5, .table = "keyword", .column = { "crc", DB_NUMBER } },
	{ 5, .table = "body", .column = { "crc", DB_NUMBER } },
	{ 5, .table = "body", .column = { "sum", DB_NUMBER } },
	{ 5, .table = "head", .column = { "crc", DB_NUMBER } },
	{ 5, .table = "change", .column = { "sum", DB_NUMBER } },
	{ 5, .table = "delivered", .column = { "sum", DB_NUMBER } },
	{ 5, .table = "subscription", .column = { "crc", DB_NUMBER } },
	{ 5, .table = "flag_span", .column = { "sum", DB_NUMBER } },
	{ 5, .sql = FILL_ACCOUNT },
	{ 5, .sql = FILL_MAILBOX },
	{ 5, .sql = FILL_MESSAGE },
	{ 5, .sql = FILL_BODY },
	{ 5, .sql = FILL_CHANGE },
	{ 5, .sql = FILL_DELIVERED },
	{ 5, .sql = FILL_SPAN },
};

const struct db_program store_program = {
	.name = "mail",
	.version = 5,
	.migrations = migrations,
	.migration_count = sizeof(migrations) / sizeof(migrations[0]),
	.tables = tables,
	.table_count = sizeof(tables) / sizeof(tables[0]),
	.queries = queries,
	.query_count = Q_COUNT,
};

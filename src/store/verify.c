/* Everything that the tables of an account say, checked against everything else. */
#include "store/verify.h"

#include <stdio.h>

#include "store/examine.h"
#include "store/internal.h"

#define MOST         1000 /* faults of one kind that are told */
#define NAMES_MEMORY (256u << 20)

#define REMOVE_ROW "remove the row"
#define COUNT_IT   "count it again"

/* ORDER is that of the report. */
static const struct check {
	enum store_query query;
	const char *table, *what, *cure;
} checks[] = {
	{ Q_CHECK_NO_ACCOUNT, "account", "the account's row is missing",
	    "make it from the others" },
	{ Q_CHECK_ACCOUNT_SUM, "account",
	    "modseq, UIDVALIDITY or the last ids given out are not what was written",
	    "set them beyond all that are used" },
	{ Q_CHECK_ACCOUNT_MESSAGES, "account", "wrong number of messages", COUNT_IT },
	{ Q_CHECK_ACCOUNT_BYTES, "account", "wrong sum of octets (quota used)", COUNT_IT },
	{ Q_CHECK_ACCOUNT_MAILBOXES, "mailbox", "rows lost or too many", COUNT_IT },
	{ Q_CHECK_ACCOUNT_KEYWORDS, "keyword", "rows lost or too many",
	    "count again, name flags that are used" },
	{ Q_CHECK_ACCOUNT_SUBSCRIPTIONS, "subscription", "rows lost or too many", COUNT_IT },
	{ Q_CHECK_ACCOUNT_DELIVERED, "delivered", "rows lost or too many", COUNT_IT },
	{ Q_CHECK_ACCOUNT_MODSEQ, "account", "modseq below that of a mailbox", "raise it" },
	{ Q_CHECK_ACCOUNT_MAILBOX_LAST, "account", "last mailbox id below one that is used",
	    "raise it" },
	{ Q_CHECK_ACCOUNT_BODY_LAST, "account", "last body id below one that is used", "raise it" },
	{ Q_CHECK_ACCOUNT_UIDVALIDITY, "account", "UIDVALIDITY below that of a mailbox",
	    "raise it" },
	{ Q_CHECK_NO_INBOX, "mailbox", "there is no INBOX", "make it" },
	{ Q_CHECK_MAILBOX_IDENT, "mailbox", "UIDVALIDITY or UIDNEXT are not what was written",
	    "give it another UIDVALIDITY" },
	{ Q_CHECK_MAILBOX_SUM, "mailbox",
	    "modseq, recent, horizon or subscribed are not what was written",
	    "a new modseq; clients read its flags again" },
	{ Q_CHECK_MAILBOX_MESSAGES, "mailbox", "wrong number of messages", COUNT_IT },
	{ Q_CHECK_MAILBOX_BYTES, "mailbox", "wrong sum of octets", COUNT_IT },
	{ Q_CHECK_MAILBOX_UIDNEXT, "mailbox", "UIDNEXT is not above all UIDs", "raise it" },
	{ Q_CHECK_MAILBOX_MODSEQ, "mailbox", "modseq below that of a message", "raise it" },
	{ Q_CHECK_MAILBOX_NOTED, "change", "rows lost or too many",
	    "forget the notes; clients compare all UIDs" },
	{ Q_CHECK_MAILBOX_SPANS, "flag_span", "rows lost or too many",
	    "count them again; flag changes of many messages may be lost" },
	{ Q_CHECK_MESSAGE_SUM, "message", "the row is not what was written",
	    "keep it; flags and dates may be wrong" },
	{ Q_CHECK_MESSAGE_MAILBOX, "message", "its mailbox does not exist",
	    "move it to " STORE_RECOVERED },
	{ Q_CHECK_MESSAGE_UID, "message", "a UID that cannot be", "move it to " STORE_RECOVERED },
	{ Q_CHECK_MESSAGE_FLAGS, "message", "flags that cannot be", "clear them" },
	{ Q_CHECK_MESSAGE_BODY, "message", "it has no body",
	    "put a note in its place into " STORE_DAMAGED },
	{ Q_CHECK_MESSAGE_SIZE, "message", "another size than its body", "take the body's" },
	{ Q_CHECK_BODY_SUM, "body", "the row is not what was written", COUNT_IT },
	{ Q_CHECK_BODY_DATA, "body_data", "missing: the message itself is lost",
	    "put a note in its place into " STORE_DAMAGED },
	{ Q_CHECK_BODY_HEAD, "head", "missing: envelope and structure",
	    "make it from the message" },
	{ Q_CHECK_BODY_REFS, "body", "wrong number of messages that name it",
	    "bring a lost message to " STORE_RECOVERED ", or count again" },
	{ Q_CHECK_BODY_SIZE, "body", "another size than its data", "take the data's" },
	{ Q_CHECK_DATA_BODY, "body", "missing: there is data without it",
	    "make it, bring the message to " STORE_RECOVERED },
	{ Q_CHECK_HEAD_BODY, "head", "it belongs to no body", REMOVE_ROW },
	{ Q_CHECK_NOT_GARBAGE, "garbage", "missing: a body that nothing names", "note it" },
	{ Q_CHECK_GARBAGE, "garbage", "a body that is used, or not there", REMOVE_ROW },
	{ Q_CHECK_CHANGE_SUM, "change", "the row is not what was written",
	    "forget the mailbox's notes; clients compare all UIDs" },
	{ Q_CHECK_CHANGE_MAILBOX, "change", "its mailbox does not exist", REMOVE_ROW },
	{ Q_CHECK_CHANGE_MODSEQ, "change", "a modseq above the mailbox's", "raise the mailbox's" },
	{ Q_CHECK_SPAN_SUM, "flag_span", "the row is not what was written",
	    "remove it; flag changes of many messages may be lost" },
	{ Q_CHECK_SPAN_MAILBOX, "flag_span", "its mailbox does not exist", REMOVE_ROW },
	{ Q_CHECK_SPAN_MODSEQ, "flag_span", "a modseq above the mailbox's", "raise the mailbox's" },
	{ Q_CHECK_DELIVERED_SUM, "delivered", "the row is not what was written", REMOVE_ROW },
	{ Q_CHECK_KEYWORD_BIT, "keyword", "a bit that no keyword has", REMOVE_ROW },
};

static const char *const tables[] = { "account", "mailbox", "message", "keyword", "body",
	"body_data", "head", "change", "delivered", "garbage", "subscription", "flag_span" };

void examine_tell(struct examine *e, struct store_fault fault)
{
	for (size_t i = 0; fault.mailbox && i < e->n; i++)
		if (e->mailboxes[i].id == fault.mailbox)
			fault.name = e->mailboxes[i].name;
	e->faults++;
	e->found(e->context, &fault);
}

/* Rows of one check. */
static bool run_check(struct examine *e, const struct check *c, struct error *error)
{
	struct db_stmt *st = db_use(e->db, c->query);
	int told = 0;

	db_bind_id(st, 1, e->account);
	if (c->query == Q_CHECK_MESSAGE_FLAGS)
		db_bind_number(st, 2, STORE_FLAGS_ALL);
	while (told++ < MOST && db_step(st)) {
		int64_t has = db_column_number(st, 3), wants = db_column_number(st, 4);
		char what[300];

		snprintf(what, sizeof what, has == wants ? "%s" : "%s: it says %lld, there is %lld",
		    c->what, (long long)has, (long long)wants);
		examine_tell(e,
		    (struct store_fault){ .table = c->table,
			.mailbox = db_column_number(st, 0),
			.uid = db_column_number(st, 1),
			.id = db_column_number(st, 2),
			.what = what,
			.cure = c->cure });
	}
	return db_done(st, error);
}

static bool run_checks(struct examine *e, struct error *error)
{
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		const struct check strange = { Q_STRANGE_ACCOUNT + (enum store_query)i, tables[i],
			"rows of another account", "make them this account's" };

		if (!run_check(e, &strange, error))
			return false;
	}
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
		if (!run_check(e, &checks[i], error))
			return false;
	return true;
}

/* The engine's own finds. */
static void take_engine(void *context, const char *what)
{
	struct examine *e = context;

	e->broken = true;
	examine_tell(e,
	    (struct store_fault){ .table = "mail.db",
		.what = what,
		.cure = "make the file anew from all rows that can be read" });
}

bool examine_all(struct examine *e, struct error *error)
{
	e->arena = arena_new(NAMES_MEMORY);
	bool ok = db_examine(e->db, take_engine, e, error) && examine_names(e, error) &&
	    run_checks(e, error) && examine_contents(e, error) && examine_flags(e, error);
	/* What cannot be read further is said by the engine, too. */
	if (!ok && (error->damaged || e->broken)) {
		if (!e->broken)
			take_engine(e, error->why);
		ok = true;
	}
	arena_free(e->arena);
	e->arena = NULL;
	return ok;
}

bool store_examine(
    struct store *store, int64_t account, store_found *found, void *context, struct error *error)
{
	struct examine e = { store, .account = account, .found = found, .context = context };

	if (!store_open_alone(store, account, &e.db, error)) {
		if (!error->damaged)
			return false;
		take_engine(&e, error->why);
		return true;
	}
	/* Nothing was written, and a damaged file may refuse a commit. */
	bool ok = db_begin_read(e.db, error) && examine_all(&e, error);
	db_rollback(e.db);
	db_close(e.db);
	return ok;
}

struct first_fault {
	char *text;
	size_t size;
};

static void keep_first(void *context, const struct store_fault *fault)
{
	struct first_fault *first = context;

	if (first->text[0] == '\0')
		snprintf(first->text, first->size, "%s: mailbox %lld, UID %lld, id %lld: %s",
		    fault->table, (long long)fault->mailbox, (long long)fault->uid,
		    (long long)fault->id, fault->what);
}

bool store_verify(struct store *store, int64_t account, struct error *error)
{
	char text[400] = "";
	struct first_fault first = { text, sizeof text };

	if (!store_examine(store, account, keep_first, &first, error))
		return false;
	return text[0] == '\0' ||
	    error_set(error, FAULT_LOCAL, false, "the account is damaged", "account %lld: %.360s",
		(long long)account, text);
}

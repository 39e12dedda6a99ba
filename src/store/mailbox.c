#include "base/encode.h"
#include "base/octet.h"
#include "store/internal.h"

#define SECOND_US 1000000

bool account_next(struct db *db, int64_t account, int64_t bodies, int64_t *modseq_out,
    int64_t *body_last_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_NEXT);

	db_bind_id(st, 1, account);
	db_bind_number(st, 2, bodies);
	db_step(st);
	*modseq_out = db_column_number(st, 0);
	if (body_last_out)
		*body_last_out = db_column_id(st, 1);
	return db_done(st, error);
}

/* Removes the subscription to a name that has no mailbox. */
static enum store_answer subscription_remove(
    struct db *db, int64_t account, slice name, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_SUBSCRIPTION_REMOVE);
	bool found;

	db_bind_id(st, 1, account);
	db_bind_text(st, 2, name);
	found = db_step(st);
	if (!db_done(st, error))
		return STORE_FAILED;
	return found ? STORE_FOUND : STORE_ABSENT;
}

static bool set_subscribed(
    struct db *db, int64_t account, int64_t id, bool subscribed, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MAILBOX_SUBSCRIBE);
	bool found;

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, id);
	db_bind_number(st, 3, subscribed);
	found = db_step(st);
	if (!db_done(st, error))
		return false;
	return found || error_plain(error, FAULT_ABSENT, "no such mailbox");
}

/* A name that was subscribed to before there was (again) a mailbox of it. */
static bool take_over_subscription(
    struct db *db, int64_t account, int64_t id, slice name, struct error *error)
{
	switch (subscription_remove(db, account, name, error)) {
	case STORE_FOUND:
		return set_subscribed(db, account, id, true, error);
	case STORE_ABSENT:
		return true;
	case STORE_FAILED:
		break;
	}
	return false;
}

bool mailbox_add(
    struct db *db, int64_t account, slice name, slice special, int64_t *id_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_MAILBOX);
	int64_t uidvalidity, modseq;

	/* Seconds, and more than any before: other than that of an earlier mailbox of this name,
	 * and of an earlier account with this id. */
	db_bind_id(st, 1, account);
	db_bind_number(st, 2, clock_wall_us() / SECOND_US);
	db_step(st);
	modseq = db_column_number(st, 0);
	*id_out = db_column_id(st, 1);
	uidvalidity = db_column_number(st, 2);
	if (!db_done(st, error))
		return false;
	st = db_use(db, Q_MAILBOX_ADD);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, *id_out);
	db_bind_text(st, 3, name);
	db_bind_text(st, 4, special);
	db_bind_number(st, 5, uidvalidity);
	db_bind_number(st, 6, modseq);
	return db_run(st, error) && take_over_subscription(db, account, *id_out, name, error);
}

static void read_mailbox(struct db_stmt *st, struct arena *arena, struct store_mailbox *m)
{
	m->id = db_column_id(st, 0);
	m->name = arena ? arena_copy(arena, db_column_text(st, 1)) : SLICE("");
	m->special = arena ? arena_copy(arena, db_column_text(st, 2)) : SLICE("");
	m->subscribed = db_column_number(st, 3) != 0;
	m->uidvalidity = (uint32_t)db_column_number(st, 4);
	m->uidnext = (uint32_t)db_column_number(st, 5);
	m->modseq = db_column_number(st, 6);
	m->messages = db_column_number(st, 7);
	m->unseen = db_column_number(st, 8);
	m->deleted = db_column_number(st, 9);
	m->bytes = db_column_number(st, 10);
	m->recent = (uint32_t)db_column_id(st, 11);
	m->horizon = db_column_number(st, 12);
}

/* Ends a statement that gives one mailbox or none. */
static enum store_answer one_mailbox(
    struct db_stmt *st, struct arena *arena, struct store_mailbox *mailbox_out, struct error *error)
{
	bool found = db_step(st);

	*mailbox_out = (struct store_mailbox){ 0 };
	if (found)
		read_mailbox(st, arena, mailbox_out);
	if (!db_done(st, error))
		return STORE_FAILED;
	return found ? STORE_FOUND : STORE_ABSENT;
}

enum store_answer mailbox_by_id(struct db *db, int64_t account, int64_t id, struct arena *arena,
    struct store_mailbox *mailbox_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MAILBOX_BY_ID);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, id);
	return one_mailbox(st, arena, mailbox_out, error);
}

enum store_answer mailbox_by_name(struct db *db, int64_t account, slice name, struct arena *arena,
    struct store_mailbox *mailbox_out, struct error *error)
{
	struct db_stmt *st;

	*mailbox_out = (struct store_mailbox){ 0 };
	if (name.n > STORE_MAILBOX_MAX || !utf8_valid(name) || slice_find(name, '\0') != name.n)
		return STORE_ABSENT;
	st = db_use(db, Q_MAILBOX_BY_NAME);
	db_bind_id(st, 1, account);
	/* RFC 9051 §5.1: INBOX in any case. */
	db_bind_text(st, 2, slice_eq_nocase(name, SLICE("INBOX")) ? SLICE("INBOX") : name);
	return one_mailbox(st, arena, mailbox_out, error);
}

bool mailbox_need(struct db *db, int64_t account, int64_t id, struct arena *arena,
    struct store_mailbox *mailbox_out, struct error *error)
{
	enum store_answer answer = mailbox_by_id(db, account, id, arena, mailbox_out, error);

	if (answer == STORE_ABSENT)
		return error_plain(error, FAULT_ABSENT, "no such mailbox");
	return answer == STORE_FOUND;
}

bool store_mailbox_list(struct store *store, int64_t account, struct arena *arena,
    struct store_mailbox **mailboxes_out, size_t *count_out, struct error *error)
{
	struct store_mailbox *list = NULL;
	size_t n = 0;
	struct db_stmt *st;
	struct db *db;

	if (!store_use(store, account, &db, error))
		return false;
	st = db_use(db, Q_MAILBOX_LIST);
	db_bind_id(st, 1, account);
	while (db_step(st)) {
		if ((n & (n - 1)) == 0) { /* full at 0, 1, 2, 4 ... */
			struct store_mailbox *more =
			    ARENA_ARRAY(arena, struct store_mailbox, n ? 2 * n : 1);

			if (n)
				memcpy(more, list, n * sizeof(*list));
			list = more;
		}
		read_mailbox(st, arena, &list[n++]);
	}
	*mailboxes_out = list;
	*count_out = n;
	return db_done(st, error);
}

enum store_answer store_mailbox_find(struct store *store, int64_t account, slice name,
    struct arena *arena, struct store_mailbox *mailbox_out, struct error *error)
{
	struct db *db;

	if (!store_use(store, account, &db, error))
		return STORE_FAILED;
	return mailbox_by_name(db, account, name, arena, mailbox_out, error);
}

enum store_answer store_mailbox_status(struct store *store, int64_t account, int64_t mailbox,
    struct arena *arena, struct store_mailbox *mailbox_out, struct error *error)
{
	struct db *db;

	if (!store_use(store, account, &db, error))
		return STORE_FAILED;
	return mailbox_by_id(db, account, mailbox, arena, mailbox_out, error);
}

static bool check_name(slice name, struct error *error)
{
	if (name.n == 0 || name.n > STORE_MAILBOX_MAX)
		return error_input(error, "mailbox name: it has %zu octets; 1 to %d are allowed",
		    name.n, STORE_MAILBOX_MAX);
	if (!utf8_valid(name))
		return error_input(error, "mailbox name: it is not valid UTF-8");
	for (size_t i = 0; i < name.n; i++) {
		bool bare = name.p[i] == '/' && (i == 0 || i + 1 == name.n || name.p[i - 1] == '/');

		if (octet_is(name.p[i], OCTET_CONTROL) || bare)
			return error_input(error, "mailbox name: octet %zu is %s", i + 1,
			    bare ? "a separator without a name beside it" : "a control character");
	}
	return true;
}

/* FAULT_DENIED when a mailbox of this name is there. */
static bool need_free_name(struct db *db, int64_t account, slice name, struct error *error)
{
	struct store_mailbox found;
	enum store_answer answer = mailbox_by_name(db, account, name, NULL, &found, error);

	if (answer == STORE_FOUND)
		return error_plain(error, FAULT_DENIED, "mailbox exists already");
	return answer == STORE_ABSENT;
}

bool store_mailbox_create(struct store *store, int64_t account, slice name, slice special,
    int64_t *mailbox_out, struct error *error)
{
	struct db *db;

	if (!check_name(name, error) || !store_begin(store, account, DB_SYNC_FULL, &db, error))
		return false;
	return store_finish(db,
	    need_free_name(db, account, name, error) &&
		mailbox_add(db, account, name, special, mailbox_out, error),
	    error);
}

/* The mailbox, which may not be INBOX. */
static bool need_ordinary(
    struct db *db, int64_t account, int64_t id, const char *what, struct error *error)
{
	struct store_mailbox mailbox, inbox;

	if (!mailbox_need(db, account, id, NULL, &mailbox, error))
		return false;
	if (mailbox_by_name(db, account, SLICE("INBOX"), NULL, &inbox, error) == STORE_FAILED)
		return false;
	return inbox.id != id || error_plain(error, FAULT_DENIED, "INBOX cannot be %s", what);
}

static bool rename_mailbox(
    struct db *db, int64_t account, int64_t id, slice name, struct error *error)
{
	struct db_stmt *st;

	if (!need_ordinary(db, account, id, "renamed", error) ||
	    !need_free_name(db, account, name, error))
		return false;
	st = db_use(db, Q_MAILBOX_RENAME);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, id);
	db_bind_text(st, 3, name);
	return db_run(st, error);
}

bool store_mailbox_rename(
    struct store *store, int64_t account, int64_t mailbox, slice name, struct error *error)
{
	struct db *db;

	if (!check_name(name, error) || !store_begin(store, account, DB_SYNC_FULL, &db, error))
		return false;
	return store_finish(db, rename_mailbox(db, account, mailbox, name, error), error);
}

bool store_mailbox_subscribe(
    struct store *store, int64_t account, int64_t mailbox, bool subscribed, struct error *error)
{
	struct db *db;

	return store_use(store, account, &db, error) && db_set_sync(db, DB_SYNC_FULL, error) &&
	    set_subscribed(db, account, mailbox, subscribed, error);
}

enum store_answer store_unsubscribe(
    struct store *store, int64_t account, slice name, struct error *error)
{
	struct db *db;

	if (!utf8_valid(name) || slice_find(name, '\0') != name.n)
		return STORE_ABSENT;
	if (!store_use(store, account, &db, error) || !db_set_sync(db, DB_SYNC_FULL, error))
		return STORE_FAILED;
	return subscription_remove(db, account, name, error);
}

bool store_subscriptions(struct store *store, int64_t account, struct arena *arena,
    slice **names_out, size_t *count_out, struct error *error)
{
	slice *names = NULL;
	struct db_stmt *st;
	struct db *db;
	size_t n = 0;

	if (!store_use(store, account, &db, error))
		return false;
	st = db_use(db, Q_SUBSCRIPTION_LIST);
	db_bind_id(st, 1, account);
	while (db_step(st)) {
		if ((n & (n - 1)) == 0) { /* full at 0, 1, 2, 4 ... */
			slice *more = ARENA_ARRAY(arena, slice, n ? 2 * n : 1);

			if (n)
				memcpy(more, names, n * sizeof(*names));
			names = more;
		}
		names[n++] = arena_copy(arena, db_column_text(st, 0));
	}
	*names_out = names;
	*count_out = n;
	return db_done(st, error);
}

static bool claim_recent(struct db *db, int64_t account, int64_t id, uint32_t *from_out,
    uint32_t *to_out, struct error *error)
{
	struct store_mailbox mailbox;
	struct db_stmt *st;

	if (!mailbox_need(db, account, id, NULL, &mailbox, error))
		return false;
	*from_out = mailbox.recent;
	*to_out = mailbox.uidnext;
	st = db_use(db, Q_MAILBOX_SEEN);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, id);
	return db_run(st, error);
}

bool store_claim_recent(struct store *store, int64_t account, int64_t mailbox, uint32_t *from_out,
    uint32_t *to_out, struct error *error)
{
	struct db *db;

	if (!store_begin(store, account, DB_SYNC_NORMAL, &db, error))
		return false;
	return store_finish(db, claim_recent(db, account, mailbox, from_out, to_out, error), error);
}

bool store_count_recent(struct store *store, int64_t account, const struct store_mailbox *mailbox,
    int64_t *count_out, struct error *error)
{
	struct db_stmt *st;
	struct db *db;

	*count_out = 0;
	if (!store_use(store, account, &db, error))
		return false;
	st = db_use(db, Q_MESSAGE_RECENT);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox->id);
	db_bind_id(st, 3, mailbox->recent);
	if (db_step(st))
		*count_out = db_column_number(st, 0);
	return db_done(st, error);
}

struct removal {
	struct db *db;
	int64_t account, mailbox;
	struct tally tally;
};

static bool remove_one(void *context, const struct store_row *row, struct error *error)
{
	struct removal *r = context;

	tally_message(&r->tally, row->flags, row->size, -1);
	return message_remove(r->db, r->account, r->mailbox, row->uid, error) &&
	    body_refer(r->db, r->account, row->body, -1, error);
}

static bool run_on_mailbox(
    struct db *db, enum store_query query, int64_t account, int64_t mailbox, struct error *error)
{
	struct db_stmt *st = db_use(db, query);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	return db_run(st, error);
}

static bool delete_mailbox(
    struct store *store, struct db *db, int64_t account, int64_t mailbox, struct error *error)
{
	struct removal r = { db, account, mailbox, { 0 } };
	struct row_visit visit = { .store = store,
		.db = db,
		.account = account,
		.mailbox = mailbox,
		.fn = remove_one,
		.context = &r };
	int64_t modseq;

	return account_next(db, account, 0, &modseq, NULL, error) &&
	    need_ordinary(db, account, mailbox, "deleted", error) && rows_visit(&visit, error) &&
	    tally_write(db, account, mailbox, modseq, &r.tally, error) &&
	    run_on_mailbox(db, Q_SUBSCRIPTION_KEEP, account, mailbox, error) &&
	    run_on_mailbox(db, Q_MAILBOX_FORGET_CHANGES, account, mailbox, error) &&
	    spans_forget(db, account, mailbox, error) &&
	    run_on_mailbox(db, Q_MAILBOX_REMOVE, account, mailbox, error);
}

bool store_mailbox_delete(
    struct store *store, int64_t account, int64_t mailbox, struct error *error)
{
	struct db *db;

	if (!store_begin(store, account, DB_SYNC_FULL, &db, error))
		return false;
	return store_finish(db, delete_mailbox(store, db, account, mailbox, error), error);
}

/* Background turns: freeing bodies, and checking that everything agrees. */
#include "store/internal.h"

static bool run_on_body(
    struct db *db, enum store_query query, int64_t account, int64_t body, struct error *error)
{
	struct db_stmt *st = db_use(db, query);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, body);
	return db_run(st, error);
}

/* One body that is garbage, 0 when there is none. */
static bool next_garbage(struct db *db, int64_t account, int64_t *body_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_GARBAGE_LIST);

	*body_out = 0;
	db_bind_id(st, 1, account);
	db_bind_number(st, 2, 1);
	if (db_step(st))
		*body_out = db_column_id(st, 0);
	return db_done(st, error);
}

static bool free_bodies(struct db *db, int64_t account, size_t *freed_out, struct error *error)
{
	static const enum store_query steps[] = { Q_DATA_REMOVE, Q_HEAD_REMOVE, Q_BODY_REMOVE,
		Q_GARBAGE_REMOVE };

	for (*freed_out = 0; *freed_out < STORE_GARBAGE_AT_ONCE; ++*freed_out) {
		int64_t body;

		if (!next_garbage(db, account, &body, error))
			return false;
		if (body == 0)
			return true;
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			if (!run_on_body(db, steps[i], account, body, error))
				return false;
	}
	return true;
}

bool store_collect(struct store *store, int64_t account, bool *more_out, struct error *error)
{
	struct db *db;
	int64_t body;
	size_t freed = 0;
	bool ok;

	*more_out = false;
	/* Nothing to do is the usual case and should not take the write lock. */
	if (!store_use(store, account, &db, error) || !next_garbage(db, account, &body, error))
		return false;
	if (body == 0)
		return true;
	if (!store_begin(store, account, DB_SYNC_NORMAL, &db, error))
		return false;
	ok = free_bodies(db, account, &freed, error);
	*more_out = freed == STORE_GARBAGE_AT_ONCE;
	return store_finish(db, ok, error);
}

static const struct {
	enum store_query query;
	const char *what;
} checks[] = {
	{ Q_WRONG_COUNTERS,
	    "mailboxes whose counters, UIDNEXT or modseq disagree with their messages" },
	{ Q_WRONG_NOTED, "mailboxes whose notes of changes are not what they count" },
	{ Q_WRONG_ACCOUNT, "totals of the account that disagree with its messages" },
	{ Q_WRONG_MAILBOX, "messages in mailboxes that do not exist" },
	{ Q_WRONG_REFS, "bodies with a wrong number of references" },
	{ Q_WRONG_BODIES, "messages without head or body, or of another size than their body" },
	{ Q_WRONG_GARBAGE, "unused bodies not listed as garbage, or used ones listed" },
	{ Q_WRONG_IDS, "ids or modseqs beyond the last one given out" },
};

static bool check(struct db *db, int64_t account, size_t i, struct error *error)
{
	struct db_stmt *st = db_use(db, checks[i].query);
	int64_t wrong;

	db_bind_id(st, 1, account);
	db_step(st);
	wrong = db_column_number(st, 0);
	if (!db_done(st, error))
		return false;
	return wrong == 0 ||
	    error_set(error, FAULT_LOCAL, false, "the account is damaged", "account %lld: %lld %s",
		(long long)account, (long long)wrong, checks[i].what);
}

/* Flags may be in spans and not yet in the rows, where no statement sees them. */
static bool count_flags(void *context, const struct store_row *row, struct error *error)
{
	(void)error;
	tally_message(context, row->flags, row->size, 1);
	return true;
}

static bool check_flags(struct store *store, struct db *db, int64_t account, struct error *error)
{
	struct arena *arena = arena_new(64u << 20);
	struct store_mailbox *list;
	size_t n;
	bool ok = store_mailbox_list(store, account, arena, &list, &n, error);

	for (size_t i = 0; ok && i < n; i++) {
		struct tally tally = { 0 };
		struct row_visit visit = { .store = store,
			.db = db,
			.account = account,
			.mailbox = list[i].id,
			.fn = count_flags,
			.context = &tally };

		ok = rows_visit(&visit, error);
		if (ok && (tally.unseen != list[i].unseen || tally.deleted != list[i].deleted))
			ok = error_set(error, FAULT_LOCAL, false, "the account is damaged",
			    "account %lld: mailbox %lld counts %lld unseen and %lld deleted, it has "
			    "%lld and %lld",
			    (long long)account, (long long)list[i].id, (long long)list[i].unseen,
			    (long long)list[i].deleted, (long long)tally.unseen,
			    (long long)tally.deleted);
	}
	arena_free(arena);
	return ok;
}

bool store_verify(struct store *store, int64_t account, struct error *error)
{
	struct db *db;
	bool ok = true;

	if (!store_use(store, account, &db, error) || !db_begin_read(db, error))
		return false;
	for (size_t i = 0; ok && i < sizeof(checks) / sizeof(checks[0]); i++)
		ok = check(db, account, i, error);
	ok = ok && check_flags(store, db, account, error);
	return store_finish(db, ok, error);
}

/* Single rows written: what deliver, flags, expunge and copy are made of. */
#include "store/internal.h"

void tally_message(struct tally *tally, int64_t flags, int64_t size, int sign)
{
	tally->messages += sign;
	tally->bytes += sign * size;
	tally->unseen += flags & STORE_SEEN ? 0 : sign;
	tally->deleted += flags & STORE_DELETED ? sign : 0;
}

bool tally_write(struct db *db, int64_t account, int64_t mailbox, int64_t modseq,
    const struct tally *tally, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MAILBOX_TALLY);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_number(st, 3, modseq);
	db_bind_number(st, 4, tally->uids);
	db_bind_number(st, 5, tally->messages);
	db_bind_number(st, 6, tally->unseen);
	db_bind_number(st, 7, tally->deleted);
	db_bind_number(st, 8, tally->bytes);
	db_bind_number(st, 9, tally->noted);
	bool many = db_step(st) && db_column_number(st, 0) > STORE_CHANGES;
	if (!db_done(st, error) ||
	    (many && !changes_prune(db, account, mailbox, STORE_CHANGES / 2, error)))
		return false;
	if (tally->messages == 0 && tally->bytes == 0)
		return true;
	st = db_use(db, Q_ACCOUNT_TALLY);
	db_bind_id(st, 1, account);
	db_bind_number(st, 2, tally->messages);
	db_bind_number(st, 3, tally->bytes);
	return db_run(st, error);
}

bool message_add(struct db *db, int64_t account, int64_t mailbox, const struct store_row *row,
    struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MESSAGE_ADD);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_id(st, 3, row->uid);
	db_bind_number(st, 4, row->flags);
	db_bind_number(st, 5, row->modseq);
	db_bind_number(st, 6, row->size);
	db_bind_time(st, 7, row->received_us);
	db_bind_id(st, 8, row->body);
	db_bind_time(st, 9, row->saved_us);
	return db_run(st, error);
}

bool message_set_flags(struct db *db, int64_t account, int64_t mailbox, uint32_t uid, int64_t flags,
    int64_t modseq, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MESSAGE_FLAGS);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_id(st, 3, uid);
	db_bind_number(st, 4, flags);
	db_bind_number(st, 5, modseq);
	return db_run(st, error);
}

bool message_remove(
    struct db *db, int64_t account, int64_t mailbox, uint32_t uid, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MESSAGE_REMOVE);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_id(st, 3, uid);
	return db_run(st, error);
}

bool body_refer(struct db *db, int64_t account, int64_t body, int by, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_BODY_REFS);
	bool garbage;

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, body);
	db_bind_number(st, 3, by);
	garbage = db_step(st) && db_column_number(st, 0) == 0;
	if (!db_done(st, error))
		return false;
	if (!garbage)
		return true;
	st = db_use(db, Q_GARBAGE_ADD);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, body);
	return db_run(st, error);
}

bool changes_add(struct db *db, int64_t account, int64_t mailbox, int64_t modseq,
    enum store_change_kind kind, const struct uid_set *uids, struct tally *tally,
    struct error *error)
{
	tally->noted += (int64_t)uids->n;
	for (size_t i = 0; i < uids->n; i++) {
		struct db_stmt *st = db_use(db, Q_CHANGE_ADD);

		db_bind_id(st, 1, account);
		db_bind_id(st, 2, mailbox);
		db_bind_number(st, 3, modseq);
		db_bind_id(st, 4, uids->ranges[i].lo);
		db_bind_id(st, 5, uids->ranges[i].hi);
		db_bind_number(st, 6, kind);
		if (!db_run(st, error))
			return false;
	}
	return true;
}

bool changes_prune(
    struct db *db, int64_t account, int64_t mailbox, int64_t keep, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_CHANGE_CUT);
	int64_t cut = 0;

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_number(st, 3, keep);
	if (db_step(st))
		cut = db_column_number(st, 0);
	if (!db_done(st, error))
		return false;
	if (cut == 0)
		return true;
	st = db_use(db, Q_CHANGE_PRUNE);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_number(st, 3, cut);
	if (!db_run(st, error))
		return false;
	int64_t gone = db_changed(db);
	st = db_use(db, Q_MAILBOX_HORIZON);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_number(st, 3, cut);
	db_bind_number(st, 4, gone);
	return db_run(st, error);
}

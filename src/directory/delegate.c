/* Delegates: who may log in as somebody else. */
#include "directory/internal.h"

static struct db_stmt *pair(struct directory *dir, size_t query, int64_t account, int64_t other)
{
	struct db_stmt *st = db_use(dir->db, query);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, other);
	return st;
}

bool directory_delegate_grant(
    struct directory *dir, int64_t account, int64_t other, struct error *error)
{
	if (account == other)
		return error_plain(error, FAULT_INPUT, "an account acts for itself anyway");
	directory_turn(dir);
	return db_begin(dir->db, error) &&
	    directory_finish(dir, db_run(pair(dir, Q_DELEGATE_ADD, account, other), error), error);
}

static bool revoke(struct directory *dir, int64_t account, int64_t other, struct error *error)
{
	struct db_stmt *st = pair(dir, Q_DELEGATE_REMOVE, account, other);
	bool found = db_step(st);

	return db_done(st, error) &&
	    (found || error_plain(error, FAULT_ABSENT, "that was not granted"));
}

bool directory_delegate_revoke(
    struct directory *dir, int64_t account, int64_t other, struct error *error)
{
	directory_turn(dir);
	return db_begin(dir->db, error) &&
	    directory_finish(dir, revoke(dir, account, other, error), error);
}

bool directory_delegate_list(struct directory *dir, int64_t account, struct arena *arena,
    struct directory_delegate **rows_out, size_t *count_out, struct error *error)
{
	struct db_stmt *st;

	directory_turn(dir);
	st = db_use(dir->db, Q_DELEGATE_LIST);
	db_bind_id(st, 1, account);
	*rows_out = NULL;
	*count_out = 0;
	while (db_step(st)) {
		*rows_out = directory_grown(arena, *rows_out, *count_out, sizeof **rows_out);
		(*rows_out)[(*count_out)++] =
		    (struct directory_delegate){ { arena_copy(arena, db_column_text(st, 0)),
						     arena_copy(arena, db_column_text(st, 1)) },
			    { arena_copy(arena, db_column_text(st, 2)),
				arena_copy(arena, db_column_text(st, 3)) } };
	}
	return db_done(st, error);
}

bool directory_may_act(
    struct directory *dir, int64_t account, int64_t other, bool *may_out, struct error *error)
{
	directory_turn(dir);
	struct db_stmt *st = pair(dir, Q_DELEGATE_FIND, other, account);
	*may_out = db_step(st);
	return db_done(st, error);
}

/* Background turns: freeing bodies. */
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

#include "base/octet.h"
#include "store/internal.h"

#define KEYWORD_MAX 100 /* octets in a name */
#define BITS        64

/* The bit of a folded name, -1 when it is not there. */
static bool find_bit(
    struct db *db, int64_t account, slice folded, int *bit_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_KEYWORD_FIND);

	db_bind_id(st, 1, account);
	db_bind_text(st, 2, folded);
	*bit_out = -1;
	if (db_step(st))
		*bit_out = (int)db_column_number(st, 0);
	return db_done(st, error);
}

int64_t sum_keyword(int64_t bit, slice name, slice folded)
{
	const char number[] = { (char)bit, 0 };

	return sum_crc(crc32c(crc32c(crc32c(0, (slice){ number, 2 }), name), folded));
}

/* The lowest bit without a name. */
static bool free_bit(struct db *db, int64_t account, int *bit_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_KEYWORD_LIST);

	*bit_out = STORE_KEYWORD_FIRST;
	db_bind_id(st, 1, account);
	while (db_step(st))
		if (db_column_number(st, 0) == *bit_out)
			++*bit_out;
	if (!db_done(st, error))
		return false;
	return *bit_out <= STORE_KEYWORD_LAST ||
	    error_plain(error, FAULT_LIMIT, "the account has no room for another keyword");
}

static bool add_bit(
    struct db *db, int64_t account, slice name, slice folded, int *bit_out, struct error *error)
{
	struct db_stmt *st;
	int64_t modseq;

	if (!account_next(db, account, 0, &modseq, NULL, error) ||
	    !find_bit(db, account, folded, bit_out, error))
		return false;
	if (*bit_out >= 0)
		return true;
	if (!free_bit(db, account, bit_out, error))
		return false;
	st = db_use(db, Q_KEYWORD_ADD);
	db_bind_id(st, 1, account);
	db_bind_number(st, 2, *bit_out);
	db_bind_text(st, 3, name);
	db_bind_text(st, 4, folded);
	db_bind_number(st, 5, sum_keyword(*bit_out, name, folded));
	return db_run(st, error) &&
	    account_count(db, account, &(struct rows_more){ .keywords = 1 }, error);
}

enum store_answer store_find_keyword(struct store *store, int64_t account, slice name, bool create,
    int *bit_out, struct error *error)
{
	char lower[KEYWORD_MAX];
	slice folded = { lower, name.n };
	struct db *db;
	bool ok;

	*bit_out = -1;
	if (name.n == 0 || name.n > KEYWORD_MAX) {
		error_input(
		    error, "keyword: it has %zu octets; 1 to %d are allowed", name.n, KEYWORD_MAX);
		return create ? STORE_FAILED : STORE_ABSENT;
	}
	for (size_t i = 0; i < name.n; i++)
		lower[i] = octet_lower(name.p[i]);
	if (!store_use(store, account, &db, error) ||
	    !find_bit(db, account, folded, bit_out, error))
		return STORE_FAILED;
	if (*bit_out >= 0)
		return STORE_FOUND;
	if (!create)
		return STORE_ABSENT;
	ok = store_begin(store, account, DB_SYNC_FULL, &db, error) &&
	    store_finish(db, add_bit(db, account, name, folded, bit_out, error), error);
	return ok ? STORE_FOUND : STORE_FAILED;
}

bool store_keywords(struct store *store, int64_t account, struct arena *arena, slice **names_out,
    struct error *error)
{
	slice *names = ARENA_ARRAY(arena, slice, BITS);
	struct db_stmt *st;
	struct db *db;

	*names_out = names;
	if (!store_use(store, account, &db, error))
		return false;
	st = db_use(db, Q_KEYWORD_LIST);
	db_bind_id(st, 1, account);
	while (db_step(st)) {
		int64_t bit = db_column_number(st, 0);

		if (bit >= 0 && bit < BITS)
			names[bit] = arena_copy(arena, db_column_text(st, 1));
	}
	return db_done(st, error);
}

/* The writer's side: what control does with domains and accounts. */
#include "directory/internal.h"
#include "directory/names.h"

/* The next id of a table; inside a transaction. */
static bool next_id(struct directory *dir, slice table, int64_t *id_out, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, Q_SERIAL_ADD);

	db_bind_text(st, 1, table);
	if (!db_run(st, error))
		return false;
	st = db_use(dir->db, Q_SERIAL_NEXT);
	db_bind_text(st, 1, table);
	db_step(st);
	*id_out = db_column_id(st, 0);
	return db_done(st, error);
}

/* Ends a transaction as its body went. */
static bool finish(struct directory *dir, bool ok, struct error *error)
{
	if (ok)
		return db_commit(dir->db, error);
	db_rollback(dir->db);
	return false;
}

static bool add_domain(struct directory *dir, slice name, int64_t *id_out, struct error *error)
{
	struct db_stmt *st;
	bool added;

	if (!next_id(dir, SLICE("domain"), id_out, error))
		return false;
	st = db_use(dir->db, Q_DOMAIN_ADD);
	db_bind_id(st, 1, *id_out);
	db_bind_text(st, 2, name);
	added = db_step(st);
	if (!db_done(st, error))
		return false;
	return added ||
	    error_plain(error, FAULT_DENIED, "domain %.*s exists already", SLICE_ARG(name));
}

bool directory_domain_add(struct directory *dir, slice name, int64_t *id_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);

	*id_out = 0;
	if (!names_check_domain(name, error) || !db_begin(dir->db, error))
		return false;
	return finish(dir, add_domain(dir, directory_fold(scratch, name), id_out, error), error);
}

/* The domain's id, or FAULT_ABSENT. */
static bool domain_id(struct directory *dir, slice name, int64_t *id_out, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, Q_DOMAIN_FIND);
	bool found;

	db_bind_text(st, 1, name);
	found = db_step(st);
	*id_out = db_column_id(st, 0);
	if (!db_done(st, error))
		return false;
	return found ||
	    error_plain(
		error, FAULT_ABSENT, "domain %.*s is not ours; add it first", SLICE_ARG(name));
}

static bool remove_domain(struct directory *dir, slice name, struct error *error)
{
	struct db_stmt *st;
	int64_t id, accounts;

	if (!domain_id(dir, name, &id, error))
		return false;
	st = db_use(dir->db, Q_DOMAIN_ACCOUNTS);
	db_bind_id(st, 1, id);
	db_step(st);
	accounts = db_column_number(st, 0);
	if (!db_done(st, error))
		return false;
	if (accounts > 0)
		return error_plain(error, FAULT_DENIED,
		    "domain %.*s still has %lld accounts; remove them first", SLICE_ARG(name),
		    (long long)accounts);
	st = db_use(dir->db, Q_DOMAIN_REMOVE);
	db_bind_id(st, 1, id);
	return db_run(st, error);
}

bool directory_domain_remove(struct directory *dir, slice name, struct error *error)
{
	struct arena *scratch = directory_turn(dir);

	if (!names_check_domain(name, error) || !db_begin(dir->db, error))
		return false;
	return finish(dir, remove_domain(dir, directory_fold(scratch, name), error), error);
}

static bool add_account(struct directory *dir, slice local, slice folded, slice domain,
    int64_t *id_out, struct error *error)
{
	struct db_stmt *st;
	int64_t domain_number;
	bool added;

	if (!domain_id(dir, domain, &domain_number, error) ||
	    !next_id(dir, SLICE("account"), id_out, error))
		return false;
	st = db_use(dir->db, Q_ACCOUNT_ADD);
	db_bind_id(st, 1, *id_out);
	db_bind_id(st, 2, domain_number);
	db_bind_text(st, 3, local);
	db_bind_text(st, 4, folded);
	db_bind_time(st, 5, clock_wall_us());
	added = db_step(st);
	if (!db_done(st, error))
		return false;
	return added ||
	    error_plain(error, FAULT_DENIED, "account %.*s@%.*s exists already", SLICE_ARG(local),
		SLICE_ARG(domain));
}

bool directory_account_add(
    struct directory *dir, slice local, slice domain, int64_t *id_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	slice folded, name;

	*id_out = 0;
	if (!names_check_local(local, error) || !names_check_domain(domain, error))
		return false;
	folded = directory_fold(scratch, local);
	name = directory_fold(scratch, domain);
	if (!db_begin(dir->db, error))
		return false;
	return finish(dir, add_account(dir, local, folded, name, id_out, error), error);
}

/* Runs a statement whose parameters 1 and 2 name an account and which returns a row if it exists. */
static bool change_account(struct directory *dir, struct db_stmt *st, struct arena *scratch,
    slice local, slice domain, struct error *error)
{
	bool found;

	db_bind_text(st, 1, directory_fold(scratch, domain));
	db_bind_text(st, 2, directory_fold(scratch, local));
	found = db_step(st);
	if (!db_done(st, error))
		return false;
	return found ||
	    error_plain(error, FAULT_ABSENT, "there is no account %.*s@%.*s", SLICE_ARG(local),
		SLICE_ARG(domain));
}

bool directory_account_enable(
    struct directory *dir, slice local, slice domain, bool enabled, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st;

	if (!names_check_local(local, error) || !names_check_domain(domain, error))
		return false;
	st = db_use(dir->db, Q_ACCOUNT_ENABLE);
	db_bind_number(st, 3, enabled);
	return change_account(dir, st, scratch, local, domain, error);
}

bool directory_account_remove(struct directory *dir, slice local, slice domain, struct error *error)
{
	struct arena *scratch = directory_turn(dir);

	if (!names_check_local(local, error) || !names_check_domain(domain, error))
		return false;
	return change_account(
	    dir, db_use(dir->db, Q_ACCOUNT_REMOVE), scratch, local, domain, error);
}

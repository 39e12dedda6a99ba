/* The writer's side: what control does with domains and accounts. */
#include "directory/internal.h"
#include "directory/names.h"

#define NAMES_MAX 8192 /* an address in its forms */

bool directory_next_id(struct directory *dir, slice table, int64_t *id_out, struct error *error)
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

bool directory_finish(struct directory *dir, bool ok, struct error *error)
{
	if (ok)
		ok = db_commit(dir->db, error);
	else
		db_rollback(dir->db);
	dir->unhealed = !ok && error->fault == FAULT_LOCAL;
	return ok;
}

bool directory_heal(struct directory *dir, struct error *error)
{
	if (!dir->unhealed)
		return true;
	directory_turn(dir);
	/* SQLite rolls a journal back when a writer begins. */
	if (!db_begin(dir->db, error))
		return false;
	db_rollback(dir->db);
	dir->unhealed = false;
	return true;
}

static bool add_domain(struct directory *dir, slice name, int64_t *id_out, struct error *error)
{
	struct db_stmt *st;
	bool added;

	if (!directory_next_id(dir, SLICE("domain"), id_out, error))
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
	return directory_finish(
	    dir, add_domain(dir, directory_fold_domain(scratch, name), id_out, error), error);
}

bool directory_domain_id(struct directory *dir, slice name, int64_t *id_out, struct error *error)
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

/* How many rows of a domain a statement counts; none: true. */
static bool domain_is_without(struct directory *dir, size_t query, const char *what, slice name,
    int64_t id, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, query);

	db_bind_id(st, 1, id);
	db_step(st);
	int64_t count = db_column_number(st, 0);
	if (!db_done(st, error))
		return false;
	return count == 0 ||
	    error_plain(error, FAULT_DENIED, "domain %.*s still has %lld %s; remove them first",
		SLICE_ARG(name), (long long)count, what);
}

static bool remove_domain(struct directory *dir, slice name, struct error *error)
{
	struct db_stmt *st;
	int64_t id;

	if (!directory_domain_id(dir, name, &id, error) ||
	    !domain_is_without(dir, Q_DOMAIN_ACCOUNTS, "accounts", name, id, error) ||
	    !domain_is_without(dir, Q_DOMAIN_ALIASES, "aliases", name, id, error))
		return false;
	st = db_use(dir->db, Q_DOMAIN_REMOVE);
	db_bind_id(st, 1, id);
	return db_run(st, error);
}

bool directory_domain_remove(struct directory *dir, slice name, struct error *error)
{
	struct arena *scratch = directory_turn(dir);

	if (!names_check_domain(name, error) || !db_begin(dir->db, error))
		return false;
	return directory_finish(
	    dir, remove_domain(dir, directory_fold_domain(scratch, name), error), error);
}

/* An account and an alias of one name would hide one another. */
static bool no_alias(struct directory *dir, slice local, slice domain, struct error *error)
{
	struct arena *arena = arena_new(NAMES_MAX);
	struct account account;
	struct entry_alias alias;
	bool ok = directory_find_entry(dir, arena, local, domain, &account, &alias, error) !=
	    DIRECTORY_FAILED;

	arena_free(arena);
	return ok &&
	    (!alias.id ||
		error_plain(error, FAULT_DENIED,
		    "%.*s@%.*s is an alias; an account cannot have its name: remove it first",
		    SLICE_ARG(local), SLICE_ARG(domain)));
}

static bool add_account(struct directory *dir, slice local, slice folded, slice domain,
    int64_t *id_out, struct error *error)
{
	struct db_stmt *st;
	int64_t domain_number;
	bool added;

	if (!directory_domain_id(dir, domain, &domain_number, error) ||
	    !no_alias(dir, local, domain, error) ||
	    !directory_next_id(dir, SLICE("account"), id_out, error))
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
	folded = directory_fold_local(scratch, local);
	name = directory_fold_domain(scratch, domain);
	if (!db_begin(dir->db, error))
		return false;
	return directory_finish(dir, add_account(dir, local, folded, name, id_out, error), error);
}

/* Runs a statement whose parameters 1 and 2 name an account and which returns a row if it exists. */
static bool change_account(struct directory *dir, struct db_stmt *st, struct arena *scratch,
    slice local, slice domain, struct error *error)
{
	bool found;

	db_bind_text(st, 1, directory_fold_domain(scratch, domain));
	db_bind_text(st, 2, directory_fold_local(scratch, local));
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

	if (!names_check_local(local, error) || !names_check_domain(domain, error) ||
	    !db_begin(dir->db, error))
		return false;
	st = db_use(dir->db, Q_ACCOUNT_ENABLE);
	db_bind_number(st, 3, enabled);
	return directory_finish(dir, change_account(dir, st, scratch, local, domain, error), error);
}

bool directory_account_quota(
    struct directory *dir, slice local, slice domain, int64_t quota, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st;

	if (!names_check_local(local, error) || !names_check_domain(domain, error) ||
	    !db_begin(dir->db, error))
		return false;
	st = db_use(dir->db, Q_ACCOUNT_QUOTA);
	db_bind_number(st, 3, quota);
	return directory_finish(dir, change_account(dir, st, scratch, local, domain, error), error);
}

bool directory_domain_quota(struct directory *dir, slice name, int64_t quota, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st;

	if (!names_check_domain(name, error) || !db_begin(dir->db, error))
		return false;
	st = db_use(dir->db, Q_DOMAIN_QUOTA);
	db_bind_text(st, 1, directory_fold_domain(scratch, name));
	db_bind_number(st, 2, quota);
	bool found = db_step(st);
	bool ok = db_done(st, error) &&
	    (found ||
		error_plain(error, FAULT_ABSENT,
		    "the domain %.*s is not ours; see hauberk domain list", SLICE_ARG(name)));
	return directory_finish(dir, ok, error);
}

static bool remove_account(struct directory *dir, struct arena *arena, slice local, slice domain,
    bool force, struct error *error)
{
	struct account account;
	struct entry_alias alias;

	if (directory_find_entry(dir, arena, local, domain, &account, &alias, error) ==
	    DIRECTORY_FAILED)
		return false;
	if (account.id && !directory_release_account(dir, &account, force, error))
		return false;
	struct db_stmt *st = db_use(dir->db, Q_DELEGATE_DROP);
	db_bind_id(st, 1, account.id);
	if (!db_run(st, error))
		return false;
	return change_account(dir, db_use(dir->db, Q_ACCOUNT_REMOVE), arena, local, domain, error);
}

bool directory_account_remove(
    struct directory *dir, slice local, slice domain, bool force, struct error *error)
{
	struct arena *scratch = directory_turn(dir);

	if (!names_check_local(local, error) || !names_check_domain(domain, error) ||
	    !db_begin(dir->db, error))
		return false;
	return directory_finish(
	    dir, remove_account(dir, scratch, local, domain, force, error), error);
}

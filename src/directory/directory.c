#include "directory/directory.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/memory.h"
#include "mail/idna.h"
#include "directory/internal.h"

#define WAIT_MS     3000
#define SCRATCH_MAX (64 * 1024) /* one address and its folded forms */
#define FOLLOW_MAX  (4u << 20)  /* the accounts an alias leads to */
#define FILE_MODE   0640        /* readers are in the group */

bool directory_open(
    const char *path, bool writable, struct directory **dir_out, struct error *error)
{
	struct db_options options = { .read_only = !writable,
		.journal = DB_ROLLBACK,
		.sync = DB_SYNC_FULL,
		.mode = FILE_MODE };
	struct directory *dir;
	struct db *db;

	*dir_out = NULL;
	if (!db_open(path, &directory_program, &options, deadline_in_ms(WAIT_MS), &db, error))
		return false;
	dir = NEW(struct directory);
	dir->db = db;
	dir->wait_ms = WAIT_MS;
	dir->scratch[0] = arena_new(SCRATCH_MAX);
	dir->scratch[1] = arena_new(SCRATCH_MAX);
	*dir_out = dir;
	return true;
}

void directory_close(struct directory *dir)
{
	if (!dir)
		return;
	db_close(dir->db);
	arena_free(dir->scratch[0]);
	arena_free(dir->scratch[1]);
	free(dir);
}

void directory_set_wait(struct directory *dir, int64_t ms)
{
	dir->wait_ms = ms;
}

struct arena *directory_turn(struct directory *dir)
{
	struct arena *scratch = dir->scratch[dir->turn++ & 1];

	db_set_deadline(dir->db, deadline_in_ms(dir->wait_ms));
	arena_reset(scratch);
	return scratch;
}

slice directory_fold_domain(struct arena *arena, slice domain)
{
	slice ascii;

	idna_ascii(domain, arena, &ascii);
	return ascii;
}

slice directory_fold_local(struct arena *arena, slice local)
{
	return idna_fold_local(local, arena);
}

/* Could it be in the directory? */
static bool searchable(slice name, size_t max)
{
	return name.n <= max && utf8_valid(name) && slice_find(name, '\0') == name.n;
}

/* The form in which it would be in the directory; else empty, which never is. */
static slice search_domain(struct arena *arena, slice domain)
{
	return searchable(domain, 4 * DIRECTORY_DOMAIN_MAX) ? directory_fold_domain(arena, domain)
							    : SLICE("");
}

static slice search_local(struct arena *arena, slice local)
{
	return searchable(local, DIRECTORY_LOCAL_MAX) ? directory_fold_local(arena, local)
						      : SLICE("");
}

void directory_read_account(struct db_stmt *st, struct arena *arena, struct account *account_out)
{
	account_out->id = db_column_id(st, 0);
	account_out->domain_id = db_column_id(st, 1);
	account_out->local = arena_copy(arena, db_column_text(st, 2));
	account_out->domain = arena_copy(arena, db_column_text(st, 3));
	account_out->enabled = db_column_number(st, 4) != 0;
	account_out->created_us = db_column_time(st, 5);
	int64_t quota = db_column_number(st, 6);
	account_out->quota = quota > 0 ? quota : 0;
}

enum directory_answer directory_find_entry(struct directory *dir, struct arena *arena, slice local,
    slice domain, struct account *account_out, struct entry_alias *alias_out, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, Q_ACCOUNT_FIND);
	bool ours;

	*account_out = (struct account){ 0 };
	*alias_out = (struct entry_alias){ 0 };
	db_bind_text(st, 1, search_domain(arena, domain));
	db_bind_text(st, 2, search_local(arena, local));
	ours = db_step(st);
	if (ours) {
		directory_read_account(st, arena, account_out);
		*alias_out = (struct entry_alias){ db_column_id(st, 7),
			(enum directory_senders)db_column_number(st, 8) };
	}
	if (!db_done(st, error))
		return DIRECTORY_FAILED;
	if (!ours)
		return DIRECTORY_NO_DOMAIN;
	return account_out->id ? DIRECTORY_FOUND : DIRECTORY_NO_ACCOUNT;
}

enum directory_answer directory_find_address(struct directory *dir, slice local, slice domain,
    struct account *account_out, struct error *error)
{
	struct entry_alias alias;

	return directory_find_entry(
	    dir, directory_turn(dir), local, domain, account_out, &alias, error);
}

/* The domain if there is exactly one; else empty. */
static bool only_domain(
    struct directory *dir, struct arena *scratch, slice *domain_out, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, Q_DOMAIN_ONLY);

	*domain_out = SLICE("");
	if (db_step(st))
		*domain_out = arena_copy(scratch, db_column_text(st, 0));
	if (db_step(st))
		*domain_out = SLICE("");
	return db_done(st, error);
}

/* An alias stands for an account where it leads to one only. */
static enum directory_answer only_account(struct directory *dir, struct arena *scratch,
    int64_t alias, struct account *account_out, struct error *error)
{
	struct arena *arena = arena_new(FOLLOW_MAX);
	struct account *accounts;
	size_t n;
	enum directory_answer answer = DIRECTORY_NO_ACCOUNT;

	if (!directory_follow(dir, alias, arena, &accounts, &n, error)) {
		/* To too many: nobody's login. */
		answer = error->fault == FAULT_LIMIT ? DIRECTORY_NO_ACCOUNT : DIRECTORY_FAILED;
	} else if (n == 1) {
		*account_out = accounts[0];
		account_out->local = arena_copy(scratch, accounts[0].local);
		account_out->domain = arena_copy(scratch, accounts[0].domain);
		answer = DIRECTORY_FOUND;
	}
	arena_free(arena);
	return answer;
}

enum directory_answer directory_find_oldest(
    struct directory *dir, slice domain, struct account *account_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st = db_use(dir->db, Q_ACCOUNT_OLDEST);

	*account_out = (struct account){ 0 };
	db_bind_text(st, 1, search_domain(scratch, domain));
	if (db_step(st))
		directory_read_account(st, scratch, account_out);
	if (!db_done(st, error))
		return DIRECTORY_FAILED;
	return account_out->id ? DIRECTORY_FOUND : DIRECTORY_NO_ACCOUNT;
}

enum directory_answer directory_find_login(
    struct directory *dir, slice name, struct account *account_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	slice local = name, domain = { 0 };
	size_t at = name.n;
	struct entry_alias alias;

	while (at > 0 && name.p[at - 1] != '@')
		at--;
	if (at) {
		local = slice_head(name, at - 1);
		domain = slice_from(name, at);
	} else if (!only_domain(dir, scratch, &domain, error)) {
		return DIRECTORY_FAILED;
	}
	enum directory_answer answer =
	    directory_find_entry(dir, scratch, local, domain, account_out, &alias, error);
	if (answer == DIRECTORY_NO_ACCOUNT && alias.id)
		return only_account(dir, scratch, alias.id, account_out, error);
	return answer;
}

enum directory_answer directory_find_domain(
    struct directory *dir, slice name, struct domain *domain_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st = db_use(dir->db, Q_DOMAIN_FIND);
	bool found;

	*domain_out = (struct domain){ 0 };
	db_bind_text(st, 1, search_domain(scratch, name));
	found = db_step(st);
	domain_out->id = db_column_id(st, 0);
	domain_out->name = arena_copy(scratch, db_column_text(st, 1));
	if (!db_done(st, error))
		return DIRECTORY_FAILED;
	return found ? DIRECTORY_FOUND : DIRECTORY_NO_DOMAIN;
}

enum directory_answer directory_find_id(
    struct directory *dir, int64_t id, struct account *account_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st = db_use(dir->db, Q_ACCOUNT_BY_ID);
	bool found;

	*account_out = (struct account){ 0 };
	db_bind_id(st, 1, id);
	found = db_step(st);
	if (found)
		directory_read_account(st, scratch, account_out);
	if (!db_done(st, error))
		return DIRECTORY_FAILED;
	return found ? DIRECTORY_FOUND : DIRECTORY_NO_ACCOUNT;
}

void *directory_grown(struct arena *arena, void *old, size_t n, size_t size)
{
	void *p = old;

	if ((n & (n - 1)) == 0) { /* n is 0 or a power of two: full */
		p = arena_alloc(arena, (n ? 2 * n : 1) * size);
		if (n)
			memcpy(p, old, n * size);
	}
	return p;
}

bool directory_domain_list(struct directory *dir, struct arena *arena, struct domain **domains_out,
    size_t *count_out, struct error *error)
{
	struct db_stmt *st;

	directory_turn(dir);
	st = db_use(dir->db, Q_DOMAIN_LIST);
	*domains_out = NULL;
	*count_out = 0;
	while (db_step(st)) {
		struct domain *d;

		*domains_out = directory_grown(arena, *domains_out, *count_out, sizeof(*d));
		d = &(*domains_out)[(*count_out)++];
		d->id = db_column_id(st, 0);
		d->name = arena_copy(arena, db_column_text(st, 1));
		d->quota = db_column_number(st, 2);
	}
	return db_done(st, error);
}

bool directory_account_list(struct directory *dir, slice domain, struct arena *arena,
    struct account **accounts_out, size_t *count_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st = db_use(dir->db, Q_ACCOUNT_LIST);

	*accounts_out = NULL;
	*count_out = 0;
	db_bind_text(st, 1, directory_fold_domain(scratch, domain));
	while (db_step(st)) {
		*accounts_out =
		    directory_grown(arena, *accounts_out, *count_out, sizeof(**accounts_out));
		directory_read_account(st, arena, &(*accounts_out)[(*count_out)++]);
	}
	return db_done(st, error);
}

/* internal: the handle, for the files of this room only. */
#ifndef DIRECTORY_INTERNAL_H
#define DIRECTORY_INTERNAL_H

#include "directory/directory.h"
#include "directory/program.h"

struct directory {
	struct db *db;
	int64_t wait_ms;
	bool unhealed; /* a change failed; directory_heal has not been there since */
	/* Results of this call and the last one: so what the last call returned may be given to this. */
	struct arena *scratch[2];
	unsigned turn;
};

/* Begins a call: deadline, and room for its results, which is returned. */
struct arena *directory_turn(struct directory *dir);
/* Room for one more element in an array that doubles in the arena. */
void *directory_grown(struct arena *arena, void *old, size_t n, size_t size);
/* Columns 0 to 6 as an account, its text in the arena. */
void directory_read_account(struct db_stmt *st, struct arena *arena, struct account *account_out);
struct entry_alias {
	int64_t id; /* 0: no alias has the name */
	enum directory_senders senders;
};

/* As directory_find_address, with the arena given; *alias_out: the alias of that name. */
enum directory_answer directory_find_entry(struct directory *dir, struct arena *arena, slice local,
    slice domain, struct account *account_out, struct entry_alias *alias_out, struct error *error);
/* The accounts that an alias leads to, through others, in the arena; FAULT_LIMIT beyond the limits. */
bool directory_follow(struct directory *dir, int64_t alias, struct arena *arena,
    struct account **accounts_out, size_t *count_out, struct error *error);

/* Inside a transaction: the next id of a table; the id of a domain (folded), or FAULT_ABSENT. */
bool directory_next_id(struct directory *dir, slice table, int64_t *id_out, struct error *error);
bool directory_domain_id(struct directory *dir, slice name, int64_t *id_out, struct error *error);
/* Before an account goes: what directory_account_remove says of aliases. */
bool directory_release_account(
    struct directory *dir, const struct account *account, bool force, struct error *error);
/* Ends a transaction as its body went. */
bool directory_finish(struct directory *dir, bool ok, struct error *error);
/* What is compared, in the arena: a domain as A-labels in lower case, a local part without case. */
slice directory_fold_domain(struct arena *arena, slice domain);
slice directory_fold_local(struct arena *arena, slice local);

#endif

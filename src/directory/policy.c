/* Versions of the policy. What is in them is the business of those who compile them. */
#include "base/clock.h"
#include "directory/internal.h"

static struct directory_policy read_row(struct db_stmt *st, struct arena *arena)
{
	return (struct directory_policy){ .number = db_column_id(st, 0),
		.made_us = db_column_time(st, 1),
		.who = arena_copy(arena, db_column_text(st, 2)),
		.why = arena_copy(arena, db_column_text(st, 3)),
		.name = arena_copy(arena, db_column_text(st, 4)) };
}

static bool add(struct directory *dir, const struct directory_policy *p, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, Q_POLICY_ADD);

	db_bind_id(st, 1, p->number);
	db_bind_time(st, 2, p->made_us);
	db_bind_text(st, 3, p->who);
	db_bind_text(st, 4, p->why);
	db_bind_text(st, 5, p->name);
	db_bind_bytes(st, 6, p->bundle);
	db_step(st);
	return db_done(st, error);
}

bool directory_policy_add(
    struct directory *dir, struct directory_policy *policy, struct error *error)
{
	directory_turn(dir);
	if (!db_begin(dir->db, error))
		return false;
	policy->made_us = clock_wall_us();
	return directory_finish(dir,
	    directory_next_id(dir, SLICE("policy"), &policy->number, error) &&
		add(dir, policy, error),
	    error);
}

bool directory_policy_list(struct directory *dir, struct arena *arena,
    struct directory_policy **rows_out, size_t *count_out, struct error *error)
{
	struct db_stmt *st;

	directory_turn(dir);
	st = db_use(dir->db, Q_POLICY_LIST);
	*rows_out = NULL;
	*count_out = 0;
	while (db_step(st)) {
		*rows_out = directory_grown(arena, *rows_out, *count_out, sizeof **rows_out);
		(*rows_out)[(*count_out)++] = read_row(st, arena);
	}
	return db_done(st, error);
}

bool directory_policy_read(struct directory *dir, int64_t number, struct arena *arena,
    struct directory_policy *policy_out, struct error *error)
{
	directory_turn(dir);
	struct db_stmt *st = db_use(dir->db, number ? Q_POLICY_READ : Q_POLICY_ACTIVE);
	if (number)
		db_bind_id(st, 1, number);
	bool found = db_step(st);
	if (found) {
		*policy_out = read_row(st, arena);
		policy_out->bundle = arena_copy(arena, db_column_bytes(st, 5));
	}
	if (!db_done(st, error))
		return false;
	if (found)
		return true;
	return number ? error_plain(error, FAULT_ABSENT,
			    "there is no version %lld of the policy; see hauberk policy history",
			    (long long)number)
		      : error_plain(error, FAULT_ABSENT, "no policy was activated yet");
}

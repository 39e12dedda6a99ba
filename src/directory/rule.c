/* Access rules: who may connect. Their order and meaning is the business of those who read them. */
#include "directory/internal.h"

static struct directory_rule read_rule(struct db_stmt *st, struct arena *arena)
{
	struct directory_rule rule = { .id = db_column_id(st, 0),
		.allow = db_column_number(st, 1) != 0,
		.priority = db_column_number(st, 2),
		.scope = arena_str(arena, db_column_text(st, 3)),
		.from = arena_str(arena, db_column_text(st, 4)),
		.note = arena_str(arena, db_column_text(st, 5)) };

	for (int i = 0; i < LIMITS; i++)
		rule.limits.n[i] = db_column_number(st, 6 + (size_t)i);
	return rule;
}

bool directory_rule_list(struct directory *dir, struct arena *arena,
    struct directory_rule **rules_out, size_t *count_out, struct error *error)
{
	struct db_stmt *st;

	directory_turn(dir);
	st = db_use(dir->db, Q_RULE_LIST);
	*rules_out = NULL;
	*count_out = 0;
	while (db_step(st)) {
		*rules_out = directory_grown(arena, *rules_out, *count_out, sizeof **rules_out);
		(*rules_out)[(*count_out)++] = read_rule(st, arena);
	}
	return db_done(st, error);
}

static bool write_rule(
    struct directory *dir, size_t query, const struct directory_rule *rule, struct error *error)
{
	struct db_stmt *st = db_use(dir->db, query);

	db_bind_id(st, 1, rule->id);
	db_bind_number(st, 2, rule->allow);
	db_bind_number(st, 3, rule->priority);
	db_bind_text(st, 4, slice_of(rule->scope));
	db_bind_text(st, 5, slice_of(rule->from));
	db_bind_text(st, 6, slice_of(rule->note));
	for (int i = 0; i < LIMITS; i++)
		db_bind_number(st, 7 + (size_t)i, rule->limits.n[i]);
	bool found = db_step(st);
	return db_done(st, error) &&
	    (found ||
		error_plain(error, FAULT_ABSENT,
		    "there is no access rule %lld; see hauberk access list", (long long)rule->id));
}

bool directory_rule_add(struct directory *dir, struct directory_rule *rule, struct error *error)
{
	directory_turn(dir);
	if (!db_begin(dir->db, error))
		return false;
	return directory_finish(dir,
	    directory_next_id(dir, SLICE("rule"), &rule->id, error) &&
		write_rule(dir, Q_RULE_ADD, rule, error),
	    error);
}

bool directory_rule_change(
    struct directory *dir, const struct directory_rule *rule, struct error *error)
{
	directory_turn(dir);
	if (!db_begin(dir->db, error))
		return false;
	return directory_finish(dir, write_rule(dir, Q_RULE_CHANGE, rule, error), error);
}

bool directory_rule_remove(struct directory *dir, int64_t id, struct error *error)
{
	directory_turn(dir);
	if (!db_begin(dir->db, error))
		return false;
	struct db_stmt *st = db_use(dir->db, Q_RULE_REMOVE);
	db_bind_id(st, 1, id);
	bool found = db_step(st);
	bool ok = db_done(st, error) &&
	    (found ||
		error_plain(error, FAULT_ABSENT,
		    "there is no access rule %lld; see hauberk access list", (long long)id));
	return directory_finish(dir, ok, error);
}

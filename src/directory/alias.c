/* Aliases: where they lead, and the writer's side of them. */
#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "directory/internal.h"
#include "directory/names.h"

#define WORK_MAX  (64u << 20) /* names of all that one change looks at */
#define NAMES_MAX 300         /* octets of names in an error */

/* ---- where an alias leads ---- */

struct step {
	int64_t alias;
	int depth;
};

/* Breadth first, each alias and each account once: a loop that is there anyway ends by itself. */
struct walk {
	struct arena *arena;
	struct map aliases, accounts;
	struct step *steps;
	size_t step_count;
	struct account *found;
	size_t found_count;
	const char *limit; /* which one was reached */
};

static void walk_alias(struct walk *w, int64_t alias, int depth)
{
	if (!alias || map_get(&w->aliases, (uint64_t)alias))
		return;
	if (depth > DIRECTORY_ALIAS_DEPTH || w->step_count == DIRECTORY_ALIAS_RECIPIENTS) {
		w->limit = depth > DIRECTORY_ALIAS_DEPTH
		    ? "more than 10 aliases, one behind another"
		    : "more than 1000 other aliases";
		return;
	}
	map_set(&w->aliases, (uint64_t)alias, w);
	w->steps = directory_grown(w->arena, w->steps, w->step_count, sizeof *w->steps);
	w->steps[w->step_count++] = (struct step){ alias, depth };
}

static void walk_account(struct walk *w, struct db_stmt *st)
{
	int64_t account = db_column_id(st, 0);

	if (!account || map_get(&w->accounts, (uint64_t)account))
		return;
	if (w->found_count == DIRECTORY_ALIAS_RECIPIENTS) {
		w->limit = "more than 1000 accounts";
		return;
	}
	map_set(&w->accounts, (uint64_t)account, w);
	w->found = directory_grown(w->arena, w->found, w->found_count, sizeof *w->found);
	directory_read_account(st, w->arena, &w->found[w->found_count++]);
}

static bool walk_run(struct directory *dir, struct walk *w, struct error *error)
{
	for (size_t i = 0; i < w->step_count && !w->limit; i++) {
		struct step step = w->steps[i];
		struct db_stmt *st = db_use(dir->db, Q_TARGET_LIST);

		db_bind_id(st, 1, step.alias);
		while (!w->limit && db_step(st)) {
			walk_account(w, st);
			walk_alias(w, db_column_id(st, 7), step.depth + 1);
		}
		if (!db_done(st, error))
			return false;
	}
	return true;
}

bool directory_follow(struct directory *dir, int64_t alias, struct arena *arena,
    struct account **accounts_out, size_t *count_out, struct error *error)
{
	struct walk w = { .arena = arena };

	walk_alias(&w, alias, 1);
	bool ok = walk_run(dir, &w, error);
	map_free(&w.aliases);
	map_free(&w.accounts);
	*accounts_out = w.found;
	*count_out = w.found_count;
	if (ok && w.limit)
		return error_plain(error, FAULT_LIMIT, "the alias leads to %s", w.limit);
	return ok;
}

/* An account or an alias of that name, or else of the part before its plus sign, or else the catch-all. */
static enum directory_answer find_detailed(struct directory *dir, struct arena *arena, slice local,
    slice domain, struct account *account_out, struct entry_alias *alias_out, bool *catch_all_out,
    struct error *error)
{
	size_t plus = slice_find(local, '+');
	slice names[3] = { local };
	size_t n = 1;
	enum directory_answer answer = DIRECTORY_NO_ACCOUNT;

	if (plus > 0 && plus < local.n)
		names[n++] = slice_head(local, plus);
	names[n++] = DIRECTORY_CATCH_ALL;
	for (size_t i = 0; i < n && answer == DIRECTORY_NO_ACCOUNT; i++) {
		answer = directory_find_entry(
		    dir, arena, names[i], domain, account_out, alias_out, error);
		*catch_all_out = i + 1 == n;
		if (alias_out->id)
			break;
	}
	return answer;
}

enum directory_answer directory_resolve(struct directory *dir, slice local, slice domain,
    struct arena *arena, struct directory_recipients *out, struct error *error)
{
	struct account *account = ARENA_NEW(arena, struct account);
	struct entry_alias alias;

	directory_turn(dir);
	*out = (struct directory_recipients){ 0 };
	enum directory_answer answer =
	    find_detailed(dir, arena, local, domain, account, &alias, &out->catch_all, error);
	if (answer == DIRECTORY_FOUND) {
		out->accounts = account;
		out->count = 1;
	}
	if (answer != DIRECTORY_NO_ACCOUNT || !alias.id)
		return answer;
	out->alias = true;
	out->senders = alias.senders;
	if (!directory_follow(dir, alias.id, arena, &out->accounts, &out->count, error))
		return DIRECTORY_FAILED;
	return out->count ? DIRECTORY_FOUND : DIRECTORY_NO_ACCOUNT;
}

bool directory_alias_list(struct directory *dir, slice local, slice domain, struct arena *arena,
    struct directory_alias **aliases_out, size_t *count_out, struct error *error)
{
	struct arena *scratch = directory_turn(dir);
	struct db_stmt *st = db_use(dir->db, Q_ALIAS_LIST);

	*aliases_out = NULL;
	*count_out = 0;
	db_bind_text(st, 1, directory_fold_domain(scratch, domain));
	db_bind_text(st, 2, directory_fold_local(scratch, local));
	while (db_step(st)) {
		struct directory_alias *a;

		*aliases_out = directory_grown(arena, *aliases_out, *count_out, sizeof *a);
		a = &(*aliases_out)[(*count_out)++];
		a->alias.local = arena_copy(arena, db_column_text(st, 0));
		a->alias.domain = arena_copy(arena, db_column_text(st, 1));
		a->target.local = arena_copy(arena, db_column_text(st, 2));
		a->target.domain = arena_copy(arena, db_column_text(st, 3));
		a->senders = (enum directory_senders)db_column_number(st, 4);
	}
	return db_done(st, error);
}

/* ---- changing ---- */

/* What a change works with, inside its transaction. */
struct work {
	struct directory *dir;
	struct arena *arena;
	struct error *error;
};

/* Where a target leads: to an account or to another alias. */
struct target {
	int64_t account, other;
};

static bool is_catch_all(struct directory_address a)
{
	return slice_eq(a.local, DIRECTORY_CATCH_ALL);
}

static bool check_target(struct directory_address a, struct error *error)
{
	return names_check_local(a.local, error) && names_check_domain(a.domain, error);
}

static bool check_alias(struct directory_address a, struct error *error)
{
	return (is_catch_all(a) || names_check_local(a.local, error)) &&
	    names_check_domain(a.domain, error);
}

/* The catch-all is shown as "@example.org". */
#define ADDRESS_ARG(a) is_catch_all(a) ? 0 : (int)(a).local.n, (a).local.p, SLICE_ARG((a).domain)

static bool absent_domain(struct work *w, struct directory_address a)
{
	return error_plain(
	    w->error, FAULT_ABSENT, "domain %.*s is not ours; add it first", SLICE_ARG(a.domain));
}

static bool find_target(struct work *w, struct directory_address a, struct target *out)
{
	struct account account;
	struct entry_alias alias;

	*out = (struct target){ 0 };
	switch (
	    directory_find_entry(w->dir, w->arena, a.local, a.domain, &account, &alias, w->error)) {
	case DIRECTORY_FOUND:
		out->account = account.id;
		return true;
	case DIRECTORY_NO_ACCOUNT:
		out->other = alias.id;
		return out->other ||
		    error_plain(w->error, FAULT_ABSENT,
			"there is no account or alias %.*s@%.*s to lead to; add it first",
			ADDRESS_ARG(a));
	case DIRECTORY_NO_DOMAIN:
		return absent_domain(w, a);
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

/* Adds "local@domain" of an alias to the text. */
static bool add_name(struct work *w, int64_t alias, const char *before, struct buf *text)
{
	struct db_stmt *st = db_use(w->dir->db, Q_ALIAS_NAME);

	db_bind_id(st, 1, alias);
	if (db_step(st))
		buf_addf(text, "%s%.*s@%.*s", before, SLICE_ARG(db_column_text(st, 0)),
		    SLICE_ARG(db_column_text(st, 1)));
	return db_done(st, w->error);
}

/* The aliases that lead here at once, in the arena. */
static bool find_parents(struct work *w, struct target here, int64_t **out, size_t *count_out)
{
	struct db_stmt *st = db_use(w->dir->db, Q_TARGET_PARENTS);

	*out = NULL;
	*count_out = 0;
	db_bind_id(st, 1, here.account);
	db_bind_id(st, 2, here.other);
	while (db_step(st)) {
		*out = directory_grown(w->arena, *out, *count_out, sizeof **out);
		(*out)[(*count_out)++] = db_column_id(st, 0);
	}
	return db_done(st, w->error);
}

/* An alias that leads to the changed one, by way of the ancestor `next`; the first is that one. */
struct ancestor {
	int64_t alias;
	size_t next;
};

struct ancestors {
	struct ancestor *list;
	size_t count;
	struct map index; /* alias to its place + 1 */
};

static void ancestor_add(struct work *w, struct ancestors *a, int64_t alias, size_t next)
{
	if (map_get(&a->index, (uint64_t)alias))
		return;
	a->list = directory_grown(w->arena, a->list, a->count, sizeof *a->list);
	a->list[a->count++] = (struct ancestor){ alias, next };
	map_set(&a->index, (uint64_t)alias, (void *)(uintptr_t)a->count);
}

static bool find_ancestors(struct work *w, int64_t alias, struct ancestors *a)
{
	ancestor_add(w, a, alias, 0);
	for (size_t i = 0; i < a->count; i++) {
		int64_t *parents;
		size_t n;

		if (!find_parents(w, (struct target){ .other = a->list[i].alias }, &parents, &n))
			return false;
		for (size_t k = 0; k < n; k++)
			ancestor_add(w, a, parents[k], i);
	}
	return true;
}

/* A target that leads to the alias itself: an error that names the way round. */
static bool check_loop(struct work *w, const struct ancestors *a, int64_t other)
{
	size_t place = other ? (size_t)(uintptr_t)map_get(&a->index, (uint64_t)other) : 0;
	struct buf way;
	bool ok;

	if (!place)
		return true;
	buf_init(&way, NAMES_MAX);
	ok = add_name(w, a->list[0].alias, "", &way);
	for (size_t i = place - 1; ok && i > 0; i = a->list[i].next)
		ok = add_name(w, a->list[i].alias, " -> ", &way);
	ok = ok && add_name(w, a->list[0].alias, " -> ", &way);
	if (ok)
		error_plain(w->error, FAULT_DENIED, "that would be a loop: %.*s%s",
		    SLICE_ARG(buf_slice(&way)), way.full ? " ..." : "");
	buf_free(&way);
	return false;
}

static bool make_alias(struct work *w, struct directory_address a, int64_t *alias_out)
{
	struct db_stmt *st;
	int64_t domain;

	if (!directory_domain_id(
		w->dir, directory_fold_domain(w->arena, a.domain), &domain, w->error) ||
	    !directory_next_id(w->dir, SLICE("alias"), alias_out, w->error))
		return false;
	st = db_use(w->dir->db, Q_ALIAS_ADD);
	db_bind_id(st, 1, *alias_out);
	db_bind_id(st, 2, domain);
	db_bind_text(st, 3, is_catch_all(a) ? SLICE("") : a.local);
	db_bind_text(st, 4, directory_fold_local(w->arena, a.local));
	db_bind_time(st, 5, clock_wall_us());
	return db_run(st, w->error);
}

/* The alias of that name, made when there is none. */
static bool find_or_make(struct work *w, struct directory_address a, int64_t *alias_out)
{
	struct account account;
	struct entry_alias alias;

	*alias_out = 0;
	switch (
	    directory_find_entry(w->dir, w->arena, a.local, a.domain, &account, &alias, w->error)) {
	case DIRECTORY_FOUND:
		return error_plain(w->error, FAULT_DENIED,
		    "%.*s@%.*s is an account; an alias cannot have its name", ADDRESS_ARG(a));
	case DIRECTORY_NO_ACCOUNT:
		*alias_out = alias.id;
		return *alias_out || make_alias(w, a, alias_out);
	case DIRECTORY_NO_DOMAIN:
		return absent_domain(w, a);
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool add_target(struct work *w, const struct ancestors *above,
    struct directory_address alias, struct directory_address name)
{
	struct target target;

	if (!check_target(name, w->error) || !find_target(w, name, &target) ||
	    !check_loop(w, above, target.other))
		return false;
	struct db_stmt *st = db_use(w->dir->db, Q_TARGET_ADD);
	db_bind_id(st, 1, above->list[0].alias);
	db_bind_id(st, 2, target.account);
	db_bind_id(st, 3, target.other);
	bool added = db_step(st);
	if (!db_done(st, w->error))
		return false;
	return added ||
	    error_plain(w->error, FAULT_DENIED, "alias %.*s@%.*s leads to %.*s@%.*s already",
		ADDRESS_ARG(alias), ADDRESS_ARG(name));
}

/* What all of them lead to now must still be within the limits. */
static bool check_limits(struct work *w, const struct ancestors *above)
{
	bool ok = true;

	for (size_t i = 0; ok && i < above->count; i++) {
		struct arena *arena = arena_new(WORK_MAX);
		struct account *accounts;
		size_t n;

		ok = directory_follow(w->dir, above->list[i].alias, arena, &accounts, &n, w->error);
		arena_free(arena);
	}
	return ok;
}

static bool add_alias(struct work *w, struct directory_address alias,
    const struct directory_address *targets, size_t count)
{
	struct ancestors above = { 0 };
	int64_t id;

	bool ok = find_or_make(w, alias, &id) && find_ancestors(w, id, &above);
	for (size_t i = 0; ok && i < count; i++)
		ok = add_target(w, &above, alias, targets[i]);
	ok = ok && check_limits(w, &above);
	map_free(&above.index);
	return ok;
}

bool directory_alias_add(struct directory *dir, struct directory_address alias,
    const struct directory_address *targets, size_t count, struct error *error)
{
	struct work w = { .dir = dir, .error = error };

	directory_turn(dir);
	if (!check_alias(alias, error) || !db_begin(dir->db, error))
		return false;
	w.arena = arena_new(WORK_MAX);
	bool ok = directory_finish(dir, add_alias(&w, alias, targets, count), error);
	arena_free(w.arena);
	return ok;
}

/* ---- removing ---- */

static bool run_with(struct work *w, size_t query, int64_t first)
{
	struct db_stmt *st = db_use(w->dir->db, query);

	db_bind_id(st, 1, first);
	return db_run(st, w->error);
}

static bool has_targets(struct work *w, int64_t alias, bool *any_out)
{
	struct db_stmt *st = db_use(w->dir->db, Q_TARGET_COUNT);

	db_bind_id(st, 1, alias);
	db_step(st);
	*any_out = db_column_number(st, 0) > 0;
	return db_done(st, w->error);
}

/* Takes an account or alias out of the aliases that lead to it. Those left without a target go too, and
 * so on upwards. */
static bool unlink_target(struct work *w, struct target gone)
{
	struct target *queue = NULL;
	size_t count = 0;

	queue = directory_grown(w->arena, queue, count, sizeof *queue);
	queue[count++] = gone;
	for (size_t i = 0; i < count; i++) {
		int64_t *parents;
		size_t n;

		if (!find_parents(w, queue[i], &parents, &n))
			return false;
		struct db_stmt *st = db_use(w->dir->db, Q_TARGET_DROP);
		db_bind_id(st, 1, queue[i].account);
		db_bind_id(st, 2, queue[i].other);
		if (!db_run(st, w->error))
			return false;
		for (size_t k = 0; k < n; k++) {
			bool any;

			if (!has_targets(w, parents[k], &any))
				return false;
			if (any)
				continue;
			if (!run_with(w, Q_ALIAS_REMOVE, parents[k]))
				return false;
			queue = directory_grown(w->arena, queue, count, sizeof *queue);
			queue[count++] = (struct target){ .other = parents[k] };
		}
	}
	return true;
}

/* Refuses to leave aliases without what they lead to, unless that is wished. */
static bool release(struct work *w, struct target gone, struct directory_address name, bool force)
{
	int64_t *parents;
	struct buf names;
	size_t n;
	bool ok = true;

	if (force)
		return unlink_target(w, gone);
	if (!find_parents(w, gone, &parents, &n))
		return false;
	if (n == 0)
		return true;
	buf_init(&names, NAMES_MAX);
	for (size_t i = 0; ok && i < n; i++)
		ok = add_name(w, parents[i], i ? ", " : "", &names);
	if (ok)
		error_plain(w->error, FAULT_DENIED,
		    "aliases lead to %.*s@%.*s: %.*s%s; --force takes it out of them",
		    ADDRESS_ARG(name), SLICE_ARG(buf_slice(&names)), names.full ? " ..." : "");
	buf_free(&names);
	return false;
}

static bool find_alias(struct work *w, struct directory_address a, int64_t *alias_out)
{
	struct account account;
	struct entry_alias alias;

	*alias_out = 0;
	switch (
	    directory_find_entry(w->dir, w->arena, a.local, a.domain, &account, &alias, w->error)) {
	case DIRECTORY_FOUND:
		return error_plain(w->error, FAULT_DENIED,
		    "%.*s@%.*s is an account, not an alias; see hauberk account remove",
		    ADDRESS_ARG(a));
	case DIRECTORY_NO_ACCOUNT:
		*alias_out = alias.id;
		return *alias_out ||
		    error_plain(w->error, FAULT_ABSENT,
			"there is no alias %.*s@%.*s; see hauberk alias list", ADDRESS_ARG(a));
	case DIRECTORY_NO_DOMAIN:
		return absent_domain(w, a);
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool remove_target(struct work *w, int64_t alias, struct directory_address name,
    struct directory_address target_name)
{
	struct target target;

	if (!check_target(target_name, w->error) || !find_target(w, target_name, &target))
		return false;
	struct db_stmt *st = db_use(w->dir->db, Q_TARGET_REMOVE);
	db_bind_id(st, 1, alias);
	db_bind_id(st, 2, target.account);
	db_bind_id(st, 3, target.other);
	bool found = db_step(st);
	if (!db_done(st, w->error))
		return false;
	return found ||
	    error_plain(w->error, FAULT_ABSENT, "alias %.*s@%.*s does not lead to %.*s@%.*s",
		ADDRESS_ARG(name), ADDRESS_ARG(target_name));
}

static bool remove_alias(struct work *w, struct directory_address name,
    const struct directory_address *target, bool force, bool *gone_out)
{
	bool any = false;
	int64_t id;

	if (!find_alias(w, name, &id) || (target && !remove_target(w, id, name, *target)) ||
	    (target && !has_targets(w, id, &any)))
		return false;
	*gone_out = !any;
	if (any)
		return true;
	return release(w, (struct target){ .other = id }, name, force) &&
	    run_with(w, Q_TARGET_DROP_OF, id) && run_with(w, Q_ALIAS_REMOVE, id);
}

bool directory_alias_senders(struct directory *dir, struct directory_address alias,
    enum directory_senders senders, struct error *error)
{
	struct work w = { .dir = dir, .error = error };
	int64_t id;

	directory_turn(dir);
	if (!check_alias(alias, error) || !db_begin(dir->db, error))
		return false;
	w.arena = arena_new(WORK_MAX);
	bool ok = find_alias(&w, alias, &id);
	if (ok) {
		struct db_stmt *st = db_use(dir->db, Q_ALIAS_SENDERS);

		db_bind_id(st, 1, id);
		db_bind_number(st, 2, senders);
		ok = db_run(st, error);
	}
	ok = directory_finish(dir, ok, error);
	arena_free(w.arena);
	return ok;
}

bool directory_alias_remove(struct directory *dir, struct directory_address alias,
    const struct directory_address *target, bool force, bool *gone_out, struct error *error)
{
	struct work w = { .dir = dir, .error = error };

	directory_turn(dir);
	*gone_out = false;
	if (!check_alias(alias, error) || !db_begin(dir->db, error))
		return false;
	w.arena = arena_new(WORK_MAX);
	bool ok = directory_finish(dir, remove_alias(&w, alias, target, force, gone_out), error);
	arena_free(w.arena);
	return ok;
}

bool directory_release_account(
    struct directory *dir, const struct account *account, bool force, struct error *error)
{
	struct work w = { .dir = dir, .error = error, .arena = arena_new(WORK_MAX) };
	bool ok = release(&w, (struct target){ .account = account->id },
	    (struct directory_address){ account->local, account->domain }, force);

	arena_free(w.arena);
	return ok;
}

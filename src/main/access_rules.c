#include "main/access_rules.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>

#define RULES_ROOM (256u << 20)

static const char *directory_path;

struct access *access_rules_read(struct directory *dir, struct error *error)
{
	struct arena *arena = arena_new(RULES_ROOM);
	struct access *access = NULL;
	struct directory_rule *rows;
	struct error wrong;
	size_t n, used = 0;

	if (directory_rule_list(dir, arena, &rows, &n, error)) {
		struct access_rule *rules = memory_new(n ? n : 1, sizeof *rules);

		for (size_t i = 0; i < n; i++) {
			struct access_rule rule = { .id = rows[i].id,
				.allow = rows[i].allow,
				.priority = rows[i].priority,
				.scope = slice_of(rows[i].scope),
				.from = ip_set_new(slice_of(rows[i].from), &wrong),
				.limits = rows[i].limits };

			if (rule.from)
				rules[used++] = rule;
			else
				log_warn("access.damaged", kv_num("rule", rule.id), kv_why(&wrong));
		}
		access = access_new(rules, used);
		free(rules);
	}
	arena_free(arena);
	return access;
}

static void load(bool told)
{
	struct directory *dir = NULL;
	struct access *access = NULL;
	struct error error;

	if (directory_open(directory_path, false, &dir, &error))
		access = access_rules_read(dir, &error);
	directory_close(dir);
	if (access)
		access_publish(access);
	else if (told) /* the rules of before go on */
		log_warn("access.unread", kv_why(&error));
}

void access_rules_start(struct role_start *start)
{
	directory_path = role_path(start, "directory/directory.db");
	load(false);
}

void access_rules_take(struct call *call)
{
	if (directory_path)
		load(true);
	call_end(call);
}

#include "script/policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "script/policy/emit.h"

bool policy_read_file(void *context, const char *name, size_t max, struct arena *arena, slice *out,
    struct error *error)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool done = false;

	if (fd < 0)
		return error_local(error, "cannot open %s: %s", name, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		error_local(error, "%s is no regular file", name);
	else if ((size_t)st.st_size > max)
		error_local(error, "%s has %lld octets; at most %zu are read", name,
		    (long long)st.st_size, max);
	else
		done = true;
	size_t size = done ? (size_t)st.st_size : 0, n = 0;
	char *text = done ? arena_alloc(arena, size + 1) : NULL;
	while (done && n < size) {
		ssize_t got = read(fd, text + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			done = error_local(error, "cannot read %s: %s", name, strerror(errno));
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	*out = (slice){ text, n };
	return done;
}

/* ---- the host's own tables, empty until a run brings them ---- */

static void predefined_tables(struct compiler *c)
{
	static const struct {
		const char *key;
		enum set_kind kind;
		enum base base;
	} keys[] = { { "string", SET_TEXT, BASE_TEXT }, { "domain", SET_DOMAIN, BASE_DOMAIN },
		{ "address", SET_ADDRESS, BASE_ADDRESS }, { "network", SET_NETWORK, BASE_IP } };
	const char *const *names = c->host->host->tables;
	struct set_maker m;
	struct error error;

	for (; names && *names; names++) {
		struct table *t = &c->tables[c->table_count++];
		slice spec = slice_of(*names);

		t->name = slice_head(spec, slice_find(spec, ' '));
		for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
			if (slice_eq(slice_from(spec, t->name.n + 1), slice_of(keys[i].key)))
				t->kind = keys[i].kind, t->key = keys[i].base;
		set_begin(&m, t->kind, c->arena);
		t->set = set_end(&m, &error);
	}
}

static uint32_t count_names(const char *const *names)
{
	uint32_t n = 0;

	for (; names && *names; names++)
		n++;
	return n;
}

static struct compiler compiler_of(
    struct host_info *info, struct sources *sources, struct arena *arena)
{
	struct compiler c = { .src = sources, .arena = arena, .host = info };
	const struct policy_host *host = info->host;

	c.set_anywhere = ARENA_ARRAY(c.arena, bool, host->variable_count + 1);
	c.peer = ARENA_ARRAY(c.arena, bool, host->variable_count + 1);
	return c;
}

/* ---- bounds ---- */

/* The declaration whose function is the dearest of those that an event runs. */
static const struct decl *dearest(const struct policy *p, unsigned event)
{
	const struct program *program = p->program;
	const struct program_func *entry = &program->funcs[program->entries[event]], *found = NULL;
	const struct decl *at = p->decls;

	for (uint32_t pc = entry->start; pc < entry->end; pc++) {
		const struct instruction *in = &program->code[pc];

		if (in->op == OP_INVOKE && (!found || program->funcs[in->a].steps > found->steps))
			found = &program->funcs[in->a];
	}
	for (const struct decl *d = p->decls; d && found; d = d->next)
		if ((d->kind == DECL_RULE || d->kind == DECL_EVENT) &&
		    slice_eq(d->name, slice_of(found->name)))
			at = d;
	return at;
}

static void check_bounds(struct policy *p, const struct policy_limits *limits)
{
	const struct policy_host *h = p->host->host;

	for (unsigned e = 0; e < h->event_count; e++) {
		uint64_t most = limits && limits->steps ? limits->steps : VM_STEPS;

		if (limits && limits->least_events & 1u << e)
			most = limits->least_steps;
		if (p->program->bounds[e].steps > most)
			remark_add(p->sources, REMARK_ERROR, dearest(p, e)->range,
			    "shorten loops within loops, and patterns with many stars",
			    "%s may take %llu steps, the most of them here; at most %llu are allowed",
			    h->events[e].name, (unsigned long long)p->program->bounds[e].steps,
			    (unsigned long long)most);
	}
}

static void verify(struct policy *p)
{
	struct arena *scratch = arena_new(ARENA_POLICY);
	struct error error;
	struct range first = p->decls ? p->decls->range : (struct range){ 0 };

	if (p->program->code_count > VM_CODE_MAX || p->program->var_count > UINT16_MAX)
		remark_add(p->sources, REMARK_ERROR, first, "take some of it away",
		    "the policy is too large: %u instructions of %u, %u variables of %u",
		    p->program->code_count, VM_CODE_MAX, p->program->var_count, UINT16_MAX);
	else if (!program_verify(p->program, scratch, &error))
		remark_add(p->sources, REMARK_ERROR, first,
		    strstr(error.why, "too deep")
			? "loops, methods and parentheses within one another need room; use fewer"
			: "this is a mistake of the compiler; please report it",
		    "the program was not accepted: %s", error.why);
	arena_free(scratch);
}

static void list_rules(struct policy *p, const struct compiler *c)
{
	p->rule_count = c->rule_count;
	p->rules = ARENA_ARRAY(c->arena, struct policy_rule, c->rule_count + 1);
	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct decl *d = c->order[i]->decl;

		p->rules[i] = (struct policy_rule){ .name = arena_str(c->arena, d->name),
			.range = d->range,
			.priority = d->priority,
			.events = c->order[i]->events,
			.shadow = d->shadow,
			.disabled = d->disabled };
	}
	p->kept_first = c->host->host->variable_count;
	for (uint32_t i = 0; i < c->custom_count; i++)
		p->kept_count += c->customs[i].exported;
}

struct policy *policy_compile(const struct policy_host *host, struct sources *sources,
    uint32_t file, const struct policy_limits *limits)
{
	struct compiler c = compiler_of(host_read(host, sources->arena), sources, sources->arena);

	if (file >= sources->file_count || sources->errors)
		return NULL;
	policy_parse(sources, file, false, &c.tree);
	if (c.tree.dead)
		return NULL;
	c.funcs = ARENA_ARRAY(c.arena, struct func, c.tree.count + 1);
	c.tables = ARENA_ARRAY(c.arena, struct table, c.tree.count + count_names(host->tables) + 1);
	predefined_tables(&c);
	check_host_names(&c);
	check_policy(&c);
	if (sources->errors)
		return NULL;
	struct policy *p = ARENA_NEW(c.arena, struct policy);
	p->host = c.host;
	p->sources = sources;
	p->decls = c.tree.first;
	p->tables = c.tables;
	p->table_count = c.table_count;
	p->customs = c.customs;
	p->custom_count = c.custom_count;
	p->program = policy_emit(&c);
	list_rules(p, &c);
	verify(p);
	if (!sources->errors)
		check_bounds(p, limits);
	return sources->errors ? NULL : p;
}

/* ---- a condition by itself ---- */

/* event X { set(result, EXPR); export(result); } */
static struct decl *condition_decl(const char *event, struct node *expr, struct arena *arena)
{
	struct decl *d = ARENA_NEW(arena, struct decl);
	struct node *block = ARENA_NEW(arena, struct node), *set = ARENA_NEW(arena, struct node);
	slice result = SLICE("(result)"); /* no name of a policy */

	block->kind = NODE_BLOCK;
	*set = (struct node){ .kind = NODE_SET, .range = expr->range, .text = result, .a = expr };
	set->next = ARENA_NEW(arena, struct node);
	*set->next = (struct node){ .kind = NODE_EXPORT, .range = expr->range, .text = result };
	block->kids = set;
	*d = (struct decl){
		.kind = DECL_EVENT, .name = slice_of(event), .range = expr->range, .body = block
	};
	return d;
}

/* Tables and exported variables of the policy, by the same numbers. */
static void condition_names(struct compiler *c, const struct policy *p)
{
	struct range none = { 0 };

	c->customs = ARENA_ARRAY(c->arena, struct custom, p->custom_count + 1);
	c->custom_room = p->custom_count + 1;
	for (uint32_t i = 0; i < p->custom_count; i++) {
		c->customs[i] = p->customs[i];
		c->customs[i].kept = c->customs[i].slot = UINT32_MAX;
		if (c->customs[i].exported)
			name_add(c, c->customs[i].name, NAME_CUSTOM, i, none);
	}
	c->custom_count = p->custom_count;
}

struct program *policy_condition(
    const struct policy *p, struct node *expr, struct arena *arena, uint32_t *result_out)
{
	struct compiler c = compiler_of((struct host_info *)p->host, p->sources, arena);
	unsigned before = p->sources->errors;
	struct error error;

	c.funcs = ARENA_ARRAY(arena, struct func, 2);
	c.tables = ARENA_ARRAY(arena, struct table, p->table_count + 1);
	c.table_count = p->table_count;
	if (c.table_count)
		memcpy(c.tables, p->tables, c.table_count * sizeof *c.tables);
	c.tree.first = c.tree.last = condition_decl(p->host->host->events[0].name, expr, arena);
	c.tree.count = 1;
	check_host_names(&c);
	condition_names(&c, p);
	check_names(&c);
	c.funcs[0].events = 1;
	check_body(&c, &c.funcs[0]);
	c.func = &c.funcs[0];
	check_condition(&c, expr);
	if (p->sources->errors != before)
		return NULL;
	struct program *program = policy_emit(&c);
	bool good = program_verify(program, arena, &error);
	*result_out = c.customs[c.custom_count - 1].kept;
	return good ? program : NULL;
}

/* Names: one space for all of them; nothing hides what is predefined. */
#include <stdarg.h>
#include <stdio.h>

#include "script/policy/compile.h"

#define CUSTOMS_MAX 2000

void say(struct compiler *c, enum remark_kind kind, struct range range, const char *hint,
    const char *format, ...)
{
	char text[600];
	va_list args;

	if (c->quiet || c->silent)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	remark_add(c->src, kind, range, hint, "%s", text);
}

static uint64_t name_hash(slice name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 0x100000001b3u;
	return h ^ h >> 31;
}

struct name_slot *name_find(struct compiler *c, slice name)
{
	uint32_t at = (uint32_t)name_hash(name) & (c->name_size - 1);

	while (c->names[at].kind != NAME_NONE && !slice_eq(c->names[at].name, name))
		at = (at + 1) & (c->name_size - 1);
	return &c->names[at];
}

static void names_grow(struct compiler *c)
{
	struct name_slot *old = c->names;
	uint32_t size = c->name_size;

	c->name_size = size ? 2 * size : 1024;
	c->names = ARENA_ARRAY(c->arena, struct name_slot, c->name_size);
	for (uint32_t i = 0; i < size; i++)
		if (old[i].kind != NAME_NONE)
			*name_find(c, old[i].name) = old[i];
}

static const char *const kinds[] = { "", "a variable of the server", "a method of the server",
	"an event", "a table", "a method", "a variable of this policy" };

bool name_add(struct compiler *c, slice name, int kind, uint32_t index, struct range range)
{
	if (2 * c->name_count >= c->name_size)
		names_grow(c);
	struct name_slot *slot = name_find(c, name);
	if (slot->kind != NAME_NONE) {
		say(c, REMARK_ERROR, range, NULL, "'%.*s' is already %s", SLICE_ARG(name),
		    kinds[slot->kind]);
		return false;
	}
	*slot = (struct name_slot){ .name = name, .kind = kind, .index = index };
	c->name_count++;
	return true;
}

static bool is_alias(const struct compiler *c, const struct name_slot *slot)
{
	return slot->kind == NAME_VARIABLE &&
	    !slice_eq(slot->name, slice_of(c->host->host->variables[slot->index].name));
}

const char *name_like(struct compiler *c, slice name, unsigned wanted)
{
	unsigned best = name.n < 4 ? 2 : 3;
	slice found = { 0 };

	/* Of a thousand errors twenty are shown. */
	if (c->quiet || c->src->errors > FILES_MAX * REMARKS_MAX)
		return "";
	for (uint32_t i = 0; i < c->name_size; i++) {
		if (c->names[i].kind == NAME_NONE || !(wanted & 1u << c->names[i].kind) ||
		    is_alias(c, &c->names[i]))
			continue;
		unsigned d = word_distance(name, c->names[i].name, best);
		/* The first of the alphabet of several, whatever the table's order. */
		if (d < best ||
		    (d == best && found.n && slice_compare(c->names[i].name, found) < 0)) {
			best = d;
			found = c->names[i].name;
		}
	}
	return found.n ? arena_printf(c->arena, "; did you mean '%.*s'?", SLICE_ARG(found)) : "";
}

static void add_host_names(struct compiler *c)
{
	const struct policy_host *h = c->host->host;
	struct range none = { 0 };

	for (uint32_t i = 0; i < h->variable_count; i++)
		name_add(c, slice_of(h->variables[i].name), NAME_VARIABLE,
		    c->host->variables[i].same, none);
	for (uint32_t i = 0; i < h->method_count; i++)
		name_add(c, slice_of(h->methods[i].name), NAME_METHOD, i, none);
	for (uint32_t i = 0; i < h->event_count; i++)
		name_add(c, slice_of(h->events[i].name), NAME_EVENT, i, none);
	for (uint32_t i = 0; i < c->table_count; i++)
		name_add(c, c->tables[i].name, NAME_TABLE, i, none);
}

static bool is_local(const struct func *f, slice name)
{
	for (const struct param *p = f->decl->params; p; p = p->next)
		if (slice_eq(p->name, name))
			return true;
	return false;
}

static void add_custom(struct compiler *c, struct func *f, struct node *set)
{
	struct name_slot *there = name_find(c, set->text);

	if (there->kind == NAME_VARIABLE)
		c->set_anywhere[there->index] = true;
	if (there->kind != NAME_NONE || is_local(f, set->text) || !set->text.n)
		return;
	if (c->custom_count == c->custom_room) {
		struct custom *old = c->customs;

		c->custom_room = c->custom_room ? 2 * c->custom_room : 64;
		c->customs = ARENA_ARRAY(c->arena, struct custom, c->custom_room);
		if (c->custom_count)
			memcpy(c->customs, old, c->custom_count * sizeof *old);
	}
	if (c->custom_count == CUSTOMS_MAX) {
		say(c, REMARK_ERROR, set->range, NULL,
		    "a policy has at most %d variables of its own", CUSTOMS_MAX);
		return;
	}
	c->customs[c->custom_count] = (struct custom){
		.name = set->text, .first = set, .func = f, .kept = UINT32_MAX, .slot = UINT32_MAX
	};
	name_add(c, set->text, NAME_CUSTOM, c->custom_count++, set->range);
}

/* Every set() of a name that is nothing else makes a variable. */
static void find_customs(struct compiler *c, struct func *f, struct node *n)
{
	for (; n; n = n->next) {
		if (n->kind == NODE_SET)
			add_custom(c, f, n);
		if (n->kind == NODE_IF || n->kind == NODE_SWITCH || n->kind == NODE_BLOCK)
			find_customs(c, f, n->kids);
		if (n->kind == NODE_BRANCH || n->kind == NODE_FOREACH)
			find_customs(c, f, n->b);
	}
}

static void add_rule_name(struct compiler *c, struct decl *d)
{
	/* Names of rules are strings; a letter that no name has keeps them apart from names. */
	slice key = slice_of(arena_printf(c->arena, "\"%.*s", SLICE_ARG(d->name)));

	if (name_find(c, key)->kind != NAME_NONE)
		say(c, REMARK_ERROR, d->range, NULL, "a rule of this name is there already");
	else
		name_add(c, key, NAME_FUNC, UINT32_MAX, d->range);
}

static void add_decl(struct compiler *c, struct decl *d)
{
	struct func *f = &c->funcs[c->func_count];

	if (d->kind == DECL_TABLE || d->kind == DECL_TEST)
		return;
	*f = (struct func){ .decl = d, .index = UINT32_MAX };
	f->uses_last = &f->uses;
	if (d->kind == DECL_METHOD)
		name_add(c, d->name, NAME_FUNC, c->func_count, d->range);
	if (d->kind == DECL_RULE)
		add_rule_name(c, d);
	c->func_count++;
}

static void add_tables(struct compiler *c)
{
	uint32_t i = c->table_count;

	for (struct decl *d = c->tree.first; d; d = d->next) {
		if (d->kind != DECL_TABLE)
			continue;
		c->tables[i] = (struct table){ .name = d->name, .decl = d };
		name_add(c, d->name, NAME_TABLE, i++, d->range);
	}
	c->table_count = i;
}

void check_host_names(struct compiler *c)
{
	names_grow(c);
	add_host_names(c);
}

void check_names(struct compiler *c)
{
	add_tables(c);
	for (struct decl *d = c->tree.first; d; d = d->next)
		add_decl(c, d);
	for (uint32_t i = 0; i < c->func_count; i++)
		find_customs(c, &c->funcs[i], c->funcs[i].decl->body->kids);
	for (uint32_t i = 0; i < c->func_count; i++) {
		struct decl *d = c->funcs[i].decl;
		bool event = d->kind == DECL_EVENT;
		slice name = event ? d->name : d->at_event;

		if (name.n && host_event(c->host->host, name) < 0)
			say(c, REMARK_ERROR, event ? d->range : d->at_range, NULL,
			    "there is no event '%.*s'%s", SLICE_ARG(name),
			    name_like(c, name, 1u << NAME_EVENT));
	}
}

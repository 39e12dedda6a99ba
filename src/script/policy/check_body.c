/* Statements, and all checks in their order. */
#include "base/encode.h"
#include "base/octet.h"
#include "script/policy/compile.h"

#define ROUNDS_MAX 50 /* of looking how far peer marks spread */

struct place *place_of(struct compiler *c, uint32_t custom)
{
	struct place *p = c->func->places;

	while (p && p->custom != custom)
		p = p->next;
	if (!p) {
		p = ARENA_NEW(c->arena, struct place);
		*p =
		    (struct place){ .next = c->func->places, .custom = custom, .slot = UINT32_MAX };
		c->func->places = p;
	}
	return p;
}

int const_condition(const struct node *n)
{
	if (n->kind == NODE_CONST && n->type.base == BASE_YESNO)
		return n->value.kind == VALUE_YESNO && n->value.yes;
	if (n->kind == NODE_NOT) {
		int inner = const_condition(n->a);

		return inner < 0 ? -1 : !inner;
	}
	if (n->kind == NODE_COMPARE && n->a->kind == NODE_CONST && n->b->kind == NODE_CONST &&
	    n->mark[1] == '=' && (n->mark[0] == '=' || n->mark[0] == '!')) {
		bool equal = n->a->is_number && n->b->is_number
		    ? n->a->number == n->b->number
		    : slice_eq_nocase(n->a->text, n->b->text);

		return equal == (n->mark[0] == '=');
	}
	return -1;
}

/* A number of the server compared with one that it never reaches. NULL: it may be true. */
static const struct host_variable *never_true(struct compiler *c, const struct node *n)
{
	if (n->kind != NODE_COMPARE || n->a->kind != NODE_NAME || n->a->ref_kind != REF_VARIABLE ||
	    n->b->kind != NODE_CONST || n->b->value.kind != VALUE_NUMBER)
		return NULL;
	const struct host_variable *v = &c->host->variables[n->a->ref];
	int64_t with = n->b->value.number;
	bool or_equal = n->mark[1] == '=';
	bool never = n->mark[0] == '=' ? with < v->least || with > v->most
	    : n->mark[0] == '>'        ? (or_equal ? with > v->most : with >= v->most)
	    : n->mark[0] == '<'        ? (or_equal ? with < v->least : with <= v->least)
				       : false;
	return never ? v : NULL;
}

static void say_constant(struct compiler *c, const struct node *n)
{
	int is = const_condition(n);
	const struct host_variable *v = never_true(c, n);

	if (is >= 0)
		say(c, REMARK_WARNING, n->range, NULL, "this condition is always %s",
		    is ? "true" : "false");
	else if (v)
		say(c, REMARK_WARNING, n->range,
		    arena_printf(c->arena, "%s is a %s", v->spec->name, v->spec->type),
		    "this condition is always false");
	for (const struct node *kid = n->kids; kid && (n->kind == NODE_AND || n->kind == NODE_OR);
	     kid = kid->next)
		say_constant(c, kid);
}

/* ---- what guards a relay ---- */

static bool names_guard(struct compiler *c, const struct node *n)
{
	return n->kind == NODE_NAME && n->ref_kind == REF_VARIABLE &&
	    c->host->variables[n->ref].guard;
}

static bool narrow_networks(struct compiler *c, const struct node *n)
{
	if (n->a->kind != NODE_NAME || n->a->ref_kind != REF_VARIABLE ||
	    !c->host->variables[n->a->ref].network)
		return false;
	const struct set *set = n->b->kind == NODE_LIST ? n->b->set
	    : n->b->ref_kind == REF_TABLE               ? c->tables[n->b->ref].set
							: NULL;
	if (n->b->ref_kind == REF_TABLE && !c->tables[n->b->ref].decl)
		return true; /* the host's own networks */
	return set && set_count(set) && set_narrowest(set, true) > 8 &&
	    set_narrowest(set, false) > 32;
}

bool is_guard(struct compiler *c, const struct node *n)
{
	bool all = true, any = false;

	switch (n->kind) {
	case NODE_NAME:
		return names_guard(c, n) && n->type.base == BASE_YESNO;
	case NODE_AND:
	case NODE_OR:
		for (const struct node *kid = n->kids; kid; kid = kid->next) {
			bool guard = is_guard(c, kid);

			all &= guard;
			any |= guard;
		}
		return n->kind == NODE_AND ? any : all;
	case NODE_COMPARE: {
		bool empty = n->b->kind == NODE_CONST && n->b->quoted && n->b->text.n == 0;
		bool yes = n->b->kind == NODE_CONST && value_true(&n->b->value);

		return names_guard(c, n->a) &&
		    (n->a->type.base == BASE_YESNO
			    ? yes == (n->mark[0] == '=') && n->b->kind == NODE_CONST
			    : empty == (n->mark[0] == '!'));
	}
	case NODE_IN:
		return names_guard(c, n->a) || narrow_networks(c, n);
	case NODE_MATCHES:
		return names_guard(c, n->a);
	default:
		return false;
	}
}

/* ---- statements ---- */

static void check_statements(struct compiler *c, struct node *n);

static void check_set_variable(struct compiler *c, struct node *n, uint32_t index)
{
	const struct host_variable *v = &c->host->variables[index];
	const char *name = v->spec->name;

	n->ref_kind = REF_VARIABLE;
	n->ref = index;
	c->of = slice_of(name);
	bool fits = expr_fit(c, n->a, &v->type, "%.*s", c->of);
	c->of = SLICE("");
	if (n->a->peer && !c->peer[index])
		c->peer[index] = c->changed = true;
	if (!v->settable)
		say(c, REMARK_ERROR, n->range, NULL, "%s can only be read", name);
	if (v->no_peer)
		check_peer(c, n->a, name);
	if (fits && n->a->kind == NODE_CONST && n->a->value.kind == VALUE_NUMBER &&
	    (n->a->value.number < v->least || n->a->value.number > v->most))
		say(c, REMARK_ERROR, n->a->range, v->spec->type, "%s is out of the range of %s",
		    shown(c, n->a), name);
	/* What is no constant may be that word too. */
	if (v->spec->danger && !c->guards &&
	    (n->a->kind != NODE_CONST || slice_eq_nocase(n->a->text, slice_of(v->spec->danger))))
		say(c, REMARK_ERROR, n->a->range,
		    "put it under a condition on the login, a verified client certificate, or remoteSmtpIp in "
		    "networks narrower than /8 (IPv6 /32)",
		    "this makes the server an open relay");
	use_add(c, USE_SET, index, SLICE(""), n->range);
}

static void check_set_custom(struct compiler *c, struct node *n, uint32_t index)
{
	struct type type = custom_type(c, index);
	struct custom *v = &c->customs[index];

	n->ref_kind = REF_CUSTOM;
	n->ref = index;
	if (type.base == BASE_BODY)
		say(c, REMARK_ERROR, n->a->range, NULL, "a body cannot be kept in a variable");
	expr_fit(c, n->a, &type, "'%.*s', by its first set(),", n->text);
	place_of(c, index)->set = true;
	if (n->a->peer && !v->peer)
		v->peer = c->changed = true;
}

static void check_set(struct compiler *c, struct node *n)
{
	struct name_slot *slot = name_find(c, n->text);

	check_expr(c, n->a);
	if (local_find(c, n->text))
		say(c, REMARK_ERROR, n->range, NULL,
		    "parameters and names of foreach can only be read");
	else if (slot->kind == NAME_VARIABLE)
		check_set_variable(c, n, slot->index);
	else if (slot->kind == NAME_CUSTOM)
		check_set_custom(c, n, slot->index);
	else if (slot->kind != NAME_NONE)
		say(c, REMARK_ERROR, n->range, NULL, "'%.*s' is no variable", SLICE_ARG(n->text));
}

static void check_export(struct compiler *c, struct node *n)
{
	struct name_slot *slot = name_find(c, n->text);

	n->ref_kind = REF_NONE;
	if (slot->kind == NAME_CUSTOM) {
		n->ref_kind = REF_CUSTOM;
		n->ref = slot->index;
		c->customs[slot->index].exported = true;
		place_of(c, slot->index);
		use_add(c, USE_CUSTOM, slot->index, SLICE("export"), n->range);
	} else if (slot->kind != NAME_VARIABLE) {
		say(c, REMARK_ERROR, n->range, NULL, "there is no variable '%.*s' to export%s",
		    SLICE_ARG(n->text),
		    name_like(c, n->text, 1u << NAME_VARIABLE | 1u << NAME_CUSTOM));
	}
}

static void check_if(struct compiler *c, struct node *n)
{
	for (struct node *b = n->kids; b; b = b->next) {
		bool guard = false;

		if (b->a) {
			check_condition(c, b->a);
			say_constant(c, b->a);
			guard = is_guard(c, b->a);
		}
		c->guards += guard;
		check_statements(c, b->b->kids);
		c->guards -= guard;
	}
}

static bool case_twice(const struct node *n, const struct node *constant)
{
	for (const struct node *b = n->kids; b; b = b->next)
		for (const struct node *k = b->a; k; k = k->next) {
			if (k == constant)
				return false;
			if (slice_eq_nocase(k->text, constant->text))
				return true;
		}
	return false;
}

static void check_switch(struct compiler *c, struct node *n)
{
	unsigned cases = 0;

	check_expr(c, n->a);
	if (n->a->type.list || n->a->type.base == BASE_BODY)
		say(c, REMARK_ERROR, n->a->range, NULL, "switch wants a single value");
	if (n->a->kind == NODE_NAME)
		c->of = n->a->text;
	for (struct node *b = n->kids; b; b = b->next) {
		for (struct node *k = b->a; k; k = k->next) {
			const_fit(c, k, &n->a->type);
			if (++cases > 1000)
				say(c, REMARK_ERROR, k->range, "use a table",
				    "a switch has at most 1,000 cases");
			else if (case_twice(n, k))
				say(c, REMARK_ERROR, k->range, NULL,
				    "this case stands there twice");
			if (cases > 1000)
				break;
		}
	}
	c->of = SLICE("");
	for (struct node *b = n->kids; b; b = b->next)
		check_statements(c, b->b->kids);
}

static void check_foreach(struct compiler *c, struct node *n)
{
	struct local *outer = c->func->locals;

	check_expr(c, n->a);
	if (n->a->type.base != BASE_ANY && !n->a->type.list)
		say(c, REMARK_ERROR, n->a->range, NULL, "foreach goes through a list; %s is %s",
		    shown(c, n->a), type_a(&n->a->type, c->arena));
	if (name_find(c, n->text)->kind != NAME_NONE || local_find(c, n->text))
		say(c, REMARK_ERROR, n->range, NULL, "'%.*s' is the name of something else",
		    SLICE_ARG(n->text));
	struct local *l = ARENA_NEW(c->arena, struct local);
	*l = (struct local){ .next = outer,
		.name = n->text,
		.type = n->a->type,
		.peer = n->a->peer,
		.slot = UINT32_MAX };
	l->type.list = false;
	c->func->locals = l;
	check_statements(c, n->b->kids);
	c->func->locals = outer;
}

static void check_verdict(struct compiler *c, struct node *n)
{
	if (n->a) {
		check_expr(c, n->a);
		expr_fit(
		    c, n->a, &(struct type){ .base = BASE_TEXT }, "the text of %.*s()", n->text);
	}
	c->func->has_verdict = true;
	c->func->accepts |= slice_eq(n->text, SLICE("accept"));
	use_add(c, USE_VERDICT, 0, n->text, n->range);
}

static void check_statement(struct compiler *c, struct node *n)
{
	switch (n->kind) {
	case NODE_SET:
		check_set(c, n);
		break;
	case NODE_EXPORT:
		check_export(c, n);
		break;
	case NODE_DO:
		check_call(c, n->a, true);
		break;
	case NODE_IF:
		check_if(c, n);
		break;
	case NODE_SWITCH:
		check_switch(c, n);
		break;
	case NODE_FOREACH:
		check_foreach(c, n);
		break;
	case NODE_VERDICT:
		check_verdict(c, n);
		break;
	default:
		break;
	}
}

static void check_statements(struct compiler *c, struct node *n)
{
	bool ended = false;

	for (; n; n = n->next) {
		if (ended)
			say(c, REMARK_WARNING, n->range, NULL, "this is never reached");
		check_statement(c, n);
		ended = !ended && (n->kind == NODE_RETURN || n->kind == NODE_VERDICT);
	}
}

void check_body(struct compiler *c, struct func *f)
{
	bool guard = false, all_guard = f->decl->when != NULL;

	c->func = f;
	c->guards = 0;
	f->locals = f->params;
	for (struct node *n = f->decl->when; n; n = n->next) {
		check_condition(c, n);
		say_constant(c, n);
		guard |= is_guard(c, n);
		all_guard &= is_guard(c, n);
	}
	c->guards = f->decl->any ? all_guard : guard;
	check_statements(c, f->decl->body->kids);
	c->func = NULL;
}

/* ---- tables ---- */

static const struct {
	const char *name;
	enum set_kind kind;
	enum base key;
} keys[] = { { "string", SET_TEXT, BASE_TEXT }, { "number", SET_NUMBER, BASE_NUMBER },
	{ "domain", SET_DOMAIN, BASE_DOMAIN }, { "address", SET_ADDRESS, BASE_ADDRESS },
	{ "network", SET_NETWORK, BASE_IP }, { "pattern", SET_PATTERN, BASE_TEXT } };

static void table_items(struct compiler *c, struct table *t, struct set_maker *m)
{
	struct error error = { 0 };

	for (struct node *item = t->decl->items->kids; item; item = item->next) {
		struct value value = { 0 };
		bool fits = true;

		if (item->a && !t->has_to)
			say(c, REMARK_ERROR, item->a->range, "write: table x of key to type = ...",
			    "this table leads to no values");
		else if (!item->a && t->has_to)
			say(c, REMARK_ERROR, item->range, NULL, "the value after 'to' is missing");
		else if (item->a && (fits = const_fit(c, item->a, &t->to)))
			value = item->a->value;
		if (fits && item->is_number && t->kind == SET_NUMBER)
			fits = set_add_range(m, item->number, item->last, value, &error);
		else if (fits && item->is_range)
			fits = error_input(&error, "a range '..' is for tables of number");
		else if (fits)
			fits = set_add(m, item->text, value, &error);
		if (!fits && error.said[0])
			say(c, REMARK_ERROR, item->range, NULL, "%s", error.said);
	}
}

/* An entry a line, '#' comments, the value after white space. false: said what is wrong. */
static bool table_line(
    struct compiler *c, struct table *t, struct set_maker *m, slice line, unsigned number)
{
	slice entry = slice_trim(slice_head(line, slice_find(line, '#')));
	struct node value = { .kind = NODE_CONST, .quoted = true, .range = t->decl->source_range };
	struct error error = { 0 };
	bool good = true;
	size_t n = 0;

	if (!entry.n)
		return true;
	for (size_t i = 0; i < line.n && good; i++)
		good =
		    line.p[i] == '\t' || line.p[i] == '\r' || !octet_is(line.p[i], OCTET_CONTROL);
	if (!good || !utf8_valid(line))
		error_input(&error, "it is no text: UTF-8 without control characters");
	while (t->has_to && n < entry.n && entry.p[n] != ' ' && entry.p[n] != '\t')
		n++;
	value.text = arena_copy(c->arena, slice_trim(slice_from(entry, n)));
	if (t->has_to && !error.fault && !value.text.n)
		error_input(&error, "the value behind the key is missing");
	if (t->has_to && !error.fault && !const_fits(c, &value, &t->to))
		error_input(&error, "'%.*s' is no %s", SLICE_ARG(slice_head(value.text, 80)),
		    type_text(&t->to, c->arena));
	if (!error.fault &&
	    set_add(m, slice_head(entry, t->has_to ? n : entry.n),
		t->has_to ? value.value : (struct value){ 0 }, &error))
		return true;
	say(c, REMARK_ERROR, t->decl->source_range, NULL, "%.*s:%u: %s",
	    SLICE_ARG(t->decl->source_text), number, error.said);
	return false;
}

static void table_file(struct compiler *c, struct table *t, struct set_maker *m, slice text)
{
	unsigned number = 0, wrong = 0;

	while (text.n && wrong < REMARKS_MAX) {
		slice line = slice_head(text, slice_find(text, '\n'));

		text = slice_from(text, line.n + 1);
		wrong += !table_line(c, t, m, line, ++number);
	}
}

static void table_read(struct compiler *c, struct table *t, struct set_maker *m)
{
	slice path = t->decl->source_text, text;
	const char *name = c->src->files[t->decl->range.file].name, *slash = strrchr(name, '/');
	struct error error;

	if (!path.n || path.p[0] == '/' || slice_search_nocase(path, SLICE("..")) != SIZE_MAX)
		say(c, REMARK_ERROR, t->decl->source_range, NULL,
		    "the file of a table lies beside the policy or below, without '..'");
	else if (!c->src->read ||
	    !c->src->read(c->src->context,
		arena_printf(c->arena, "%.*s%.*s", slash ? (int)(slash + 1 - name) : 0, name,
		    SLICE_ARG(path)),
		64 << 20, c->arena, &text, &error))
		say(c, REMARK_ERROR, t->decl->source_range, NULL, "%s",
		    c->src->read ? error.why : "there is nowhere to read it from");
	else
		table_file(c, t, m, text);
}

void check_tables(struct compiler *c)
{
	for (uint32_t i = 0; i < c->table_count; i++) {
		struct table *t = &c->tables[i];
		struct set_maker m;
		struct error error = { 0 };

		if (!t->decl)
			continue;
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
			if (slice_eq(t->decl->key_type, slice_of(keys[k].name)))
				t->kind = keys[k].kind, t->key = keys[k].key;
		t->to = t->decl->to;
		t->has_to = t->decl->has_to;
		set_begin(&m, t->kind, c->arena);
		if (t->decl->source == SOURCE_LIST)
			table_items(c, t, &m);
		else if (t->decl->source == SOURCE_FILE)
			table_read(c, t, &m);
		else
			say(c, REMARK_ERROR, t->decl->source_range, "use a list or a file",
			    "tables from %s are not built yet",
			    t->decl->source == SOURCE_SQL ? "SQL" : "a directory");
		t->set = set_end(&m, &error);
		if (!t->set)
			say(c, REMARK_ERROR, t->decl->range, NULL, "%s", error.said);
	}
}

/* ---- everything ---- */

static void make_params(struct compiler *c, struct func *f)
{
	struct local **last = &f->params;

	for (struct param *p = f->decl->params; p; p = p->next) {
		struct local *l = ARENA_NEW(c->arena, struct local);

		*l = (struct local){ .name = p->name, .type = p->type, .slot = UINT32_MAX };
		if (name_find(c, p->name)->kind != NAME_NONE)
			say(c, REMARK_ERROR, p->range, NULL, "'%.*s' is the name of something else",
			    SLICE_ARG(p->name));
		*last = l;
		last = &l->next;
	}
}

static void check_customs(struct compiler *c)
{
	for (uint32_t i = 0; i < c->custom_count; i++) {
		const struct custom *v = &c->customs[i];

		if (v->circular)
			say(c, REMARK_ERROR, v->first->range, "set it to a constant first",
			    "the type of '%.*s' depends on itself", SLICE_ARG(v->name));
		if (v->read)
			continue;
		const char *like = "";
		for (uint32_t k = 0; k < c->host->host->variable_count && !*like; k++) {
			const char *name = c->host->host->variables[k].name;

			/* Two letters of a short word make any other one. */
			if (v->name.n > 3 &&
			    word_distance(v->name, slice_of(name), 2) <= (v->name.n < 6 ? 1 : 2))
				like = name;
		}
		if (*like)
			say(c, REMARK_ERROR, v->first->range, NULL,
			    "'%.*s' is set and never read; did you mean '%s'?", SLICE_ARG(v->name),
			    like);
		else
			say(c, REMARK_WARNING, v->first->range, NULL,
			    "'%.*s' is set and never read", SLICE_ARG(v->name));
	}
}

void check_policy(struct compiler *c)
{
	check_names(c);
	check_tables(c);
	for (uint32_t i = 0; i < c->func_count; i++)
		make_params(c, &c->funcs[i]);
	/* Which variables hold what peers said is known only when every set() was seen. */
	c->quiet = true;
	c->changed = true;
	for (int round = 0; round < ROUNDS_MAX && c->changed; round++) {
		c->changed = false;
		for (uint32_t i = 0; i < c->func_count; i++)
			check_body(c, &c->funcs[i]);
	}
	/* A chain so long is cut: whatever a policy keeps may then be what a peer said. */
	for (uint32_t i = 0; c->changed && i < c->custom_count; i++)
		c->customs[i].peer = true;
	for (uint32_t i = 0; c->changed && i < c->host->host->variable_count; i++)
		c->peer[i] |= c->set_anywhere[i];
	for (uint32_t i = 0; c->changed && i < c->func_count; i++)
		for (struct local *l = c->funcs[i].params; l; l = l->next)
			l->peer = true;
	c->quiet = false;
	for (uint32_t i = 0; i < c->func_count; i++)
		check_body(c, &c->funcs[i]);
	check_customs(c);
	check_events(c);
}

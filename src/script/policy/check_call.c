/* Calls: of the server's methods and functions, and of methods of the policy. */
#include "script/policy/compile.h"

/* ---- old functions ---- */

static struct node *one_item(struct compiler *c, struct node *from, enum node_kind kind)
{
	struct node *item = ARENA_NEW(c->arena, struct node),
		    *list = ARENA_NEW(c->arena, struct node);

	*item = *from;
	item->kind = (uint8_t)kind;
	item->next = NULL;
	item->last = item->number;
	list->kind = NODE_LIST;
	list->range = from->range;
	list->kids = item;
	return list;
}

static struct node *as_number(struct compiler *c, struct node *n)
{
	if (n->kind == NODE_CONST)
		return n;
	struct node *call = ARENA_NEW(c->arena, struct node);
	*call = (struct node){
		.kind = NODE_CALL, .range = n->range, .text = SLICE("number"), .kids = n
	};
	n->next = NULL;
	return call;
}

static void become(
    struct node *n, enum node_kind kind, const char *mark, struct node *a, struct node *b)
{
	a->next = NULL;
	n->kind = (uint8_t)kind;
	memcpy(n->mark, mark, 2);
	n->a = a;
	n->b = b;
	n->kids = NULL;
}

void check_old(struct compiler *c, struct node *n)
{
	struct node *a = n->kids, *b = a ? a->next : NULL;
	bool two = b && !b->next, literal = two && b->kind == NODE_CONST;
	slice name = n->text;

	if (two && slice_eq(name, SLICE("is")))
		become(n, NODE_COMPARE, "==", a, b);
	else if (literal && slice_eq(name, SLICE("match")))
		become(n, NODE_MATCHES, "\0\0", a, one_item(c, b, NODE_CONST));
	else if (two && slice_eq(name, SLICE("lessThan")))
		become(n, NODE_COMPARE, "<\0", as_number(c, a), as_number(c, b));
	else if (two && slice_eq(name, SLICE("greaterThan")))
		become(n, NODE_COMPARE, ">\0", as_number(c, a), as_number(c, b));
	else if (literal && slice_eq_nocase(name, SLICE("ipRange")))
		become(n, NODE_IN, "\0\0", a, one_item(c, b, NODE_ITEM));
	else if (a && (slice_eq(name, SLICE("anyof")) || slice_eq(name, SLICE("allof"))))
		n->kind = slice_eq(name, SLICE("anyof")) ? NODE_OR : NODE_AND;
}

/* ---- arguments ---- */

static const char *param_type(struct compiler *c, const struct host_param *p)
{
	static const char *const words[] = { "any value", "list", "table", "/regular expression/",
		"\"glob\"", "\"text\"" };
	static const char letters[] = "altrgc";

	return p->word ? words[strchr(letters, p->word) - letters] : type_text(&p->type, c->arena);
}

static const char *params_text(struct compiler *c, const struct host_method *m)
{
	const char *text = "";

	for (unsigned i = 0; i < m->param_count; i++)
		text = arena_printf(c->arena, "%s%s%.*s: %s", text, i ? ", " : "",
		    SLICE_ARG(m->params[i].name), param_type(c, &m->params[i]));
	return arena_printf(c->arena, "%s(%s)", m->spec->name, text);
}

static void check_word_arg(struct compiler *c, struct node *arg, const struct host_param *p)
{
	struct name_slot *slot = arg->kind == NODE_NAME ? name_find(c, arg->text) : NULL;

	if (p->word == 't' && slot && slot->kind == NAME_TABLE) {
		arg->ref_kind = REF_TABLE;
		arg->ref = slot->index;
	} else if (p->word == 't') {
		say(c, REMARK_ERROR, arg->range, NULL, "there is no table '%s'%s", shown(c, arg),
		    slot ? name_like(c, arg->text, 1u << NAME_TABLE) : "");
	} else if (p->word == 'r') {
		if (arg->kind != NODE_REGEX)
			say(c, REMARK_ERROR, arg->range, "write it between slashes",
			    "a regular expression is wanted here");
		else if (!c->quiet)
			arg->set = pattern_set(c, one_item(c, arg, NODE_REGEX));
	} else if (arg->kind != NODE_CONST || !arg->quoted) {
		say(c, REMARK_ERROR, arg->range, NULL,
		    "a text that stands there in quotes is wanted here");
	} else if (p->word == 'g' && !c->quiet) {
		struct node *list = one_item(c, arg, NODE_CONST);

		list->kids->exact = true;
		arg->set = pattern_set(c, list);
	}
}

/* A table of the policy that leads from such a value to another one. */
static const char *table_for(struct compiler *c, const struct node *n)
{
	for (uint32_t i = 0; i < c->table_count; i++) {
		const struct table *t = &c->tables[i];
		struct type key = { .base = t->key };

		if (t->has_to && type_converts(&n->type, &key))
			return arena_str(c->arena, t->name);
	}
	return "table";
}

void check_peer(struct compiler *c, const struct node *n, const char *name)
{
	if (!n->peer || c->quiet)
		return;
	say(c, REMARK_ERROR, n->range,
	    arena_printf(
		c->arena, "use lookup(%s, %s) with a table of yours", table_for(c, n), shown(c, n)),
	    "%s takes no peer value; %s %s said", name, shown(c, n),
	    n->kind == NODE_NAME ? "is what the client" : "comes from what a client or message");
}

static void check_arg(
    struct compiler *c, struct node *arg, const struct host_param *p, const struct host_method *m)
{
	if (p->word && strchr("trgc", p->word)) {
		check_word_arg(c, arg, p);
		return;
	}
	check_expr(c, arg);
	if (p->word == 'l') {
		if (!arg->type.list && arg->type.base != BASE_ANY)
			say(c, REMARK_ERROR, arg->range, NULL, "%s wants a list; %s is %s",
			    m->spec->name, shown(c, arg), type_a(&arg->type, c->arena));
	} else if (p->word != 'a') {
		expr_fit(c, arg, &p->type, "argument %.*s", p->name);
	} else if (arg->type.base == BASE_BODY &&
	    !slice_eq(slice_of(m->spec->name), SLICE("length"))) {
		say(c, REMARK_ERROR, arg->range, NULL, "a body is only for 'matches' and length()");
	}
	if (p->no_peer && arg->peer)
		check_peer(c, arg,
		    arena_printf(c->arena, "%.*s of %s", SLICE_ARG(p->name), m->spec->name));
	if (p->recipient && arg->peer && !c->func->asked_table)
		say(c, REMARK_WARNING, arg->range, "ask 'in' a table of yours first",
		    "whoever writes %s chooses where this mail goes", shown(c, arg));
}

static void check_missing(
    struct compiler *c, struct node *n, const struct host_method *m, unsigned given)
{
	if (given < m->needed) {
		say(c, REMARK_ERROR, n->range, params_text(c, m), "%s has %u of %u arguments",
		    m->spec->name, given, m->needed);
		return;
	}
	for (unsigned i = given; i < m->param_count; i++) {
		const struct host_param *p = &m->params[i];

		if (!p->from_variable)
			continue;
		use_add(c, USE_READ, p->variable, SLICE(""), n->range);
		if (p->no_peer && c->peer[p->variable] && !c->quiet)
			say(c, REMARK_ERROR, n->range, params_text(c, m),
			    "%s takes no peer value; %.*s is set to what a peer said",
			    m->spec->name, SLICE_ARG(p->name));
		if (!c->set_anywhere[p->variable] && !p->optional)
			say(c, REMARK_ERROR, n->range, params_text(c, m),
			    "%s has no %.*s: it is neither an argument nor ever set", m->spec->name,
			    SLICE_ARG(p->name));
	}
}

static void check_method_args(struct compiler *c, struct node *n, const struct host_method *m)
{
	unsigned i = 0, given = 0;

	n->peer = m->peer;
	for (struct node *arg = n->kids; arg; arg = arg->next, given++) {
		if (i >= m->param_count) {
			say(c, REMARK_ERROR, arg->range, params_text(c, m),
			    "%s has an argument too many", m->spec->name);
			return;
		}
		check_arg(c, arg, &m->params[i], m);
		n->peer |= m->peer_as_argument && arg->peer;
		i += !m->params[i].many;
	}
	check_missing(c, n, m, given);
}

/* lookup(table, key): typed by its table. */
static void check_lookup(struct compiler *c, struct node *n)
{
	struct node *key = n->kids ? n->kids->next : NULL;

	n->peer = false;
	n->type = (struct type){ 0 };
	if (!key || n->kids->ref_kind != REF_TABLE)
		return;
	const struct table *t = &c->tables[n->kids->ref];
	n->type = t->has_to ? t->to : (struct type){ .base = BASE_TEXT };
	if (!t->has_to)
		say(c, REMARK_ERROR, n->kids->range, "write: table x of key to type = ...",
		    "table '%.*s' leads to no values", SLICE_ARG(t->name));
	check_key(c, key, t);
	if (key->kind == NODE_CONST)
		const_fit(c, key, &(struct type){ .base = t->key });
}

static void check_host_call(struct compiler *c, struct node *n, uint32_t index, bool statement)
{
	const struct host_method *m = &c->host->methods[index];
	enum policy_method_kind kind = m->spec->kind;

	n->ref_kind = REF_BUILTIN;
	n->ref = index;
	n->type = m->result;
	check_method_args(c, n, m);
	if (strcmp(m->spec->name, "lookup") == 0)
		check_lookup(c, n);
	if (statement && kind == METHOD_FUNCTION)
		say(c, REMARK_ERROR, n->range, NULL,
		    "%s only has a value; nothing is done by calling it", m->spec->name);
	if (!statement && kind == METHOD_ACTION)
		say(c, REMARK_ERROR, n->range,
		    arena_printf(c->arena, "write call(%s, ...);", m->spec->name),
		    "%s does something and has no value", m->spec->name);
	use_add(c, USE_METHOD, index, SLICE(""), n->range);
}

/* ---- methods of the policy ---- */

static void add_callee(struct compiler *c, struct func *f, struct range range)
{
	if (c->quiet || !c->func)
		return;
	for (struct callee *there = c->func->callees; there; there = there->next)
		if (there->func == f)
			return;
	struct callee *one = ARENA_NEW(c->arena, struct callee);
	*one = (struct callee){ .next = c->func->callees, .func = f, .range = range };
	c->func->callees = one;
}

static void check_func_call(struct compiler *c, struct node *n, struct func *f, bool statement)
{
	struct node *arg = n->kids;
	struct local *local = f->params;

	n->ref_kind = REF_FUNC;
	n->ref = (uint32_t)(f - c->funcs);
	if (!statement)
		say(c, REMARK_ERROR, n->range,
		    arena_printf(c->arena, "write call(%.*s);", SLICE_ARG(n->text)),
		    "method '%.*s' has no value", SLICE_ARG(n->text));
	for (struct param *p = f->decl->params; p;
	     p = p->next, local = local ? local->next : NULL) {
		if (!arg) {
			say(c, REMARK_ERROR, n->range, NULL, "argument '%.*s' is missing",
			    SLICE_ARG(p->name));
			break;
		}
		check_expr(c, arg);
		expr_fit(c, arg, &p->type, "argument %.*s", p->name);
		if (arg->peer && local && !local->peer)
			local->peer = c->changed = true;
		arg = arg->next;
	}
	if (arg)
		say(c, REMARK_ERROR, arg->range, NULL, "method '%.*s' has an argument too many",
		    SLICE_ARG(n->text));
	add_callee(c, f, n->range);
}

void check_call(struct compiler *c, struct node *n, bool statement)
{
	struct name_slot *slot = name_find(c, n->text);

	n->type = (struct type){ 0 };
	if (slot->kind == NAME_METHOD) {
		check_host_call(c, n, slot->index, statement);
	} else if (slot->kind == NAME_FUNC && slot->index != UINT32_MAX) {
		check_func_call(c, n, &c->funcs[slot->index], statement);
	} else {
		for (struct node *arg = n->kids; arg; arg = arg->next)
			if (arg->kind != NODE_REGEX)
				check_expr(c, arg);
		say(c, REMARK_ERROR, n->range, NULL, "there is no %s '%.*s'%s",
		    statement ? "method" : "function", SLICE_ARG(n->text),
		    name_like(c, n->text, 1u << NAME_METHOD | 1u << NAME_FUNC));
	}
}

/* From the checked tree to instructions. */
#include "script/policy/emit.h"

/* A growing array in the arena. */
static void *grown(struct compiler *c, void *old, uint32_t count, uint32_t *room, size_t size)
{
	if (count < *room)
		return old;
	*room = *room ? 2 * *room : 64;
	void *more = arena_alloc(c->arena, *room * size);
	if (count)
		memcpy(more, old, count * size);
	return more;
}

uint32_t emit(struct emitter *e, enum op op, uint32_t a, uint16_t b)
{
	e->code = grown(e->c, e->code, e->code_count, &e->code_room, sizeof *e->code);
	e->code[e->code_count] = (struct instruction){ .op = (uint8_t)op, .a = a, .b = b };
	return e->code_count++;
}

void emit_patch(struct emitter *e, uint32_t at)
{
	e->code[at].a = e->code_count;
}

void emit_const(struct emitter *e, struct value value)
{
	e->consts = grown(e->c, e->consts, e->const_count, &e->const_room, sizeof *e->consts);
	e->consts[e->const_count] = value;
	emit(e, OP_CONST, e->const_count++, 0);
}

static uint32_t add_set(struct emitter *e, const struct set *set)
{
	e->sets = grown(e->c, e->sets, e->set_count, &e->set_room, sizeof *e->sets);
	e->sets[e->set_count] = set;
	return e->set_count++;
}

uint32_t emit_var(struct emitter *e, slice name, const struct type *t)
{
	bool text = t->base == BASE_TEXT || t->base == BASE_ANY;

	e->vars = grown(e->c, e->vars, e->var_count, &e->var_room, sizeof *e->vars);
	e->vars[e->var_count] = (struct program_var){ .name = arena_str(e->c->arena, name),
		.kind = t->base == BASE_ANY && !t->list ? VALUE_TEXT : type_kind(t),
		.max = text ? 8192 : type_max(t),
		.count = t->list ? 1000 : 0,
		.least = INT64_MIN,
		.most = INT64_MAX };
	return e->var_count++;
}

uint32_t emit_table(struct emitter *e, uint32_t table)
{
	struct table *t = &e->c->tables[table];

	if (t->set_index == UINT32_MAX)
		t->set_index = add_set(e, t->set);
	return t->set_index;
}

/* ---- values ---- */

static enum text_form form_of(const struct type *t)
{
	if (t->base == BASE_NUMBER || t->base == BASE_DURATION)
		return FORM_NUMBER;
	return t->base != BASE_SIZE ? FORM_PLAIN : t->kb ? FORM_KSIZE : FORM_SIZE;
}

static void emit_const_as(struct emitter *e, const struct node *n, const struct type *t)
{
	enum value_kind kind = type_kind(t);

	if (n->value.kind == VALUE_UNKNOWN || n->value.kind == kind || kind == VALUE_UNKNOWN)
		emit_const(e, n->value);
	else if (kind == VALUE_TEXT)
		emit_const(e, VALUE_TEXT_OF(n->text));
	else
		emit_const(e, (struct value){ 0 });
}

void emit_as(struct emitter *e, const struct node *n, const struct type *t)
{
	if (n->kind == NODE_CONST) {
		emit_const_as(e, n, t);
		return;
	}
	emit_expr(e, n);
	if (t->list || t->base == BASE_ANY)
		return;
	bool is_text = type_kind(&n->type) == VALUE_TEXT;
	if (type_kind(t) == VALUE_TEXT && !is_text)
		emit(e, OP_TEXT, form_of(&n->type), 0);
	else if (n->type.base == BASE_NUMBER && t->base == BASE_SIZE)
		emit(e, OP_SCALE, t->kb ? 1024 : 1, 0);
}

static const struct type text_type = { .base = BASE_TEXT };

static void emit_joined(struct emitter *e, const struct node *n)
{
	uint32_t count = 0;

	for (const struct node *kid = n->kids; kid; kid = kid->next) {
		emit_as(e, kid, &text_type);
		/* What is joined already makes room on the stack. */
		if (++count == 16) {
			emit(e, OP_JOIN, count, 0);
			count = 1;
		}
	}
	emit(e, OP_JOIN, count, 0);
}

static uint32_t place_slot(struct emitter *e, uint32_t custom)
{
	for (const struct place *p = e->func->places; p; p = p->next)
		if (p->custom == custom)
			return p->slot;
	return 0;
}

static uint32_t local_slot(struct emitter *e, slice name)
{
	for (const struct local *l = e->locals; l; l = l->next)
		if (slice_eq(l->name, name))
			return l->slot;
	return 0;
}

static void emit_name(struct emitter *e, const struct node *n)
{
	uint32_t slot = n->ref;

	if (n->ref_kind == REF_CUSTOM)
		slot = place_slot(e, n->ref);
	else if (n->ref_kind == REF_LOCAL)
		slot = local_slot(e, n->text);
	emit(e, OP_VAR, slot, 0);
}

static bool is_empty_const(const struct node *n)
{
	return n->kind == NODE_CONST && n->quoted && n->text.n == 0;
}

static void emit_compare(struct emitter *e, const struct node *n)
{
	struct type t = compare_type(n);
	bool equal = n->mark[1] == '=' && (n->mark[0] == '=' || n->mark[0] == '!');

	if (equal && (is_empty_const(n->a) || is_empty_const(n->b))) {
		emit_expr(e, is_empty_const(n->b) ? n->a : n->b);
		emit(e, OP_EMPTY, 0, 0);
	} else if (equal) {
		if (n->a->type.list && n->a->kind != NODE_CONST) {
			emit_expr(e, n->a);
			emit_as(e, n->b, &text_type);
		} else {
			emit_as(e, n->a, &t);
			emit_as(e, n->b, &t);
		}
		emit(e, OP_EQ, 0, 0);
	} else {
		emit_as(e, n->a, &t);
		emit_as(e, n->b, &t);
		emit(e,
		    n->mark[0] == '<' ? (n->mark[1] ? OP_LE : OP_LT)
			: n->mark[1]  ? OP_GE
				      : OP_GT,
		    0, 0);
	}
	if (equal && n->mark[0] == '!')
		emit(e, OP_NOT, 0, 0);
}

static void emit_key(struct emitter *e, const struct node *key, enum base base)
{
	if (key->type.list && key->kind != NODE_CONST)
		emit_expr(e, key);
	else
		emit_as(e, key, &(struct type){ .base = base });
}

/* The base that a set's kind looks for. */
static enum base key_base(const struct set *set)
{
	return set_kind(set) == SET_NUMBER ? BASE_NUMBER
	    : set_kind(set) == SET_NETWORK ? BASE_IP
					   : BASE_TEXT;
}

static void emit_find(struct emitter *e, const struct node *n)
{
	if (n->b->kind == NODE_LIST) {
		enum base base = key_base(n->b->set);

		/* Sizes and durations lie in a set of numbers in their own unit. */
		if (base == BASE_NUMBER && n->a->type.base != BASE_NUMBER)
			base = n->a->type.base;
		emit_key(e, n->a, base);
		emit(e, OP_FIND, add_set(e, n->b->set), 0);
	} else if (n->b->ref_kind == REF_TABLE) {
		emit_key(e, n->a, e->c->tables[n->b->ref].key);
		emit(e, OP_FIND, emit_table(e, n->b->ref), 0);
	} else {
		emit_expr(e, n->b);
		emit_as(e, n->a, &text_type);
		emit(e, OP_EQ, 0, 0);
	}
}

static void emit_chain(struct emitter *e, const struct node *first, enum op op)
{
	uint32_t list = UINT32_MAX;

	/* The jumps not yet patched hang together by their operands. */
	for (const struct node *kid = first; kid; kid = kid->next) {
		emit_expr(e, kid);
		if (kid->next)
			list = emit(e, op, list, 0);
		else if (kid->kind == NODE_NAME || kid->kind == NODE_CALL ||
		    kid->kind == NODE_CONST) {
			/* It may be unknown, and that is no here. */
			emit(e, OP_NOT, 0, 0);
			emit(e, OP_NOT, 0, 0);
		}
	}
	while (list != UINT32_MAX) {
		uint32_t before = e->code[list].a;

		emit_patch(e, list);
		list = before;
	}
}

static void emit_sum(struct emitter *e, const struct node *n)
{
	struct type a = n->a->type, b = n->b->type, none = { 0 };
	bool plus = n->mark[0] == '+' || n->mark[0] == '-';
	const struct type *side = !plus ? &none : a.base == BASE_NUMBER ? &b : &a;

	emit_as(e, n->a, side);
	emit_as(e, n->b, side);
	emit(e,
	    n->mark[0] == '+'       ? OP_ADD
		: n->mark[0] == '-' ? OP_SUB
		: n->mark[0] == '*' ? OP_MUL
				    : OP_DIV,
	    0, 0);
}

/* ---- calls ---- */

static bool emit_special(struct emitter *e, const struct node *n, const char *name)
{
	const struct node *a = n->kids;

	if (strcmp(name, "lookup") == 0) {
		emit_key(e, a->next, e->c->tables[a->ref].key);
		emit(e, OP_LOOKUP, emit_table(e, a->ref), 0);
	} else if (strcmp(name, "extract") == 0) {
		emit_as(e, a, &text_type);
		emit(e, OP_EXTRACT, add_set(e, a->next->set), 0);
	} else if (strcmp(name, "matchCase") == 0) {
		emit_key(e, a, BASE_TEXT);
		emit(e, OP_FIND, add_set(e, a->next->set), 0);
	} else {
		return false;
	}
	return true;
}

static void emit_builtin(struct emitter *e, const struct node *n)
{
	const struct host_method *m = &e->c->host->methods[n->ref];
	unsigned i = 0;
	uint16_t count = 0;

	if (emit_special(e, n, m->spec->name))
		return;
	for (const struct node *arg = n->kids; arg; arg = arg->next, count++) {
		const struct host_param *p = &m->params[i];

		if (p->word == 'l')
			emit_expr(e, arg);
		else
			emit_as(e, arg, p->word ? &text_type : &p->type);
		i += !p->many;
	}
	for (; i < m->param_count && m->params[i].from_variable; i++, count++)
		emit(e, OP_VAR, m->params[i].variable, 0);
	emit(e, OP_CALL, n->ref, count);
}

static void emit_func_call(struct emitter *e, const struct node *n)
{
	struct func *f = &e->c->funcs[n->ref];
	uint32_t slots[16], count = 0;
	const struct local *l = f->params;

	for (const struct node *arg = n->kids; arg; arg = arg->next, l = l->next) {
		emit_as(e, arg, &l->type);
		slots[count++] = l->slot;
	}
	while (count)
		emit(e, OP_SET, slots[--count], 0);
	emit(e, OP_INVOKE, f->index, 0);
}

void emit_call(struct emitter *e, const struct node *n, bool statement)
{
	if (n->ref_kind == REF_FUNC) {
		emit_func_call(e, n);
		return;
	}
	emit_builtin(e, n);
	if (statement)
		emit(e, OP_POP, 0, 0);
}

void emit_expr(struct emitter *e, const struct node *n)
{
	switch (n->kind) {
	case NODE_CONST:
		emit_const(e, n->value);
		break;
	case NODE_TEXT:
		emit_joined(e, n);
		break;
	case NODE_NAME:
		emit_name(e, n);
		break;
	case NODE_CALL:
		emit_call(e, n, false);
		break;
	case NODE_OR:
	case NODE_AND:
		emit_chain(e, n->kids, n->kind == NODE_OR ? OP_OR : OP_AND);
		break;
	case NODE_NOT:
		emit_expr(e, n->a);
		emit(e, OP_NOT, 0, 0);
		break;
	case NODE_COMPARE:
		emit_compare(e, n);
		break;
	case NODE_IN:
	case NODE_MATCHES:
		emit_find(e, n);
		break;
	case NODE_SUM:
		emit_sum(e, n);
		break;
	case NODE_NEG:
		emit_expr(e, n->a);
		emit(e, OP_NEG, 0, 0);
		break;
	default:
		break;
	}
}

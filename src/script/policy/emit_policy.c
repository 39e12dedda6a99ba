/* Statements, functions and the whole program. */
#include "script/policy/emit.h"

static void emit_statements(struct emitter *e, const struct node *n);

static void emit_set(struct emitter *e, const struct node *n)
{
	if (n->ref_kind == REF_VARIABLE) {
		emit_as(e, n->a, &e->c->host->variables[n->ref].type);
		emit(e, OP_SET, n->ref, 0);
		return;
	}
	emit_as(e, n->a, &e->c->customs[n->ref].type);
	for (const struct place *p = e->func->places; p; p = p->next)
		if (p->custom == n->ref)
			emit(e, OP_SET, p->slot, 0);
}

static void emit_export(struct emitter *e, const struct node *n)
{
	if (n->ref_kind != REF_CUSTOM)
		return;
	for (const struct place *p = e->func->places; p; p = p->next)
		if (p->custom == n->ref)
			emit(e, OP_VAR, p->slot, 0);
	emit(e, OP_SET, e->c->customs[n->ref].kept, 0);
}

/* Jumps to one place, hanging together by their operands until it is known. */
static void patch_all(struct emitter *e, uint32_t list)
{
	while (list != UINT32_MAX) {
		uint32_t before = e->code[list].a;

		emit_patch(e, list);
		list = before;
	}
}

static void emit_if(struct emitter *e, const struct node *n)
{
	uint32_t ends = UINT32_MAX;

	for (const struct node *b = n->kids; b; b = b->next) {
		uint32_t next = UINT32_MAX;

		if (b->a) {
			emit_expr(e, b->a);
			next = emit(e, OP_UNLESS, UINT32_MAX, 0);
		}
		emit_statements(e, b->b->kids);
		if (b->next)
			ends = emit(e, OP_JUMP, ends, 0);
		patch_all(e, next);
	}
	patch_all(e, ends);
}

static void emit_case(
    struct emitter *e, uint32_t slot, const struct node *first, const struct type *t)
{
	uint32_t found = UINT32_MAX;

	for (const struct node *k = first; k; k = k->next) {
		emit(e, OP_VAR, slot, 0);
		if (k->value.kind == VALUE_UNKNOWN) {
			emit(e, OP_EMPTY, 0, 0);
		} else {
			emit_as(e, k, t);
			emit(e, OP_EQ, 0, 0);
		}
		if (k->next)
			found = emit(e, OP_OR, found, 0);
	}
	patch_all(e, found);
}

static void emit_switch(struct emitter *e, const struct node *n)
{
	uint32_t ends = UINT32_MAX, slot = emit_var(e, SLICE("(switch)"), &n->a->type);

	emit_as(e, n->a, &n->a->type);
	emit(e, OP_SET, slot, 0);
	for (const struct node *b = n->kids; b; b = b->next) {
		uint32_t next = UINT32_MAX;

		if (b->a) {
			emit_case(e, slot, b->a, &n->a->type);
			next = emit(e, OP_UNLESS, UINT32_MAX, 0);
		}
		emit_statements(e, b->b->kids);
		if (b->next)
			ends = emit(e, OP_JUMP, ends, 0);
		patch_all(e, next);
	}
	patch_all(e, ends);
}

static void emit_foreach(struct emitter *e, const struct node *n)
{
	struct type element = n->a->type;
	struct local l = { .next = e->locals, .name = n->text };

	element.list = false;
	l.slot = emit_var(e, n->text, &element);
	e->vars[l.slot].max = type_max(&element); /* no longer than an element */
	emit_expr(e, n->a);
	emit(e, OP_EACH, 0, 0);
	uint32_t next = emit(e, OP_NEXT, 0, (uint16_t)l.slot);
	e->locals = &l;
	emit_statements(e, n->b->kids);
	e->locals = l.next;
	emit(e, OP_BACK, next, 0);
	emit_patch(e, next);
}

static void emit_outcome(struct emitter *e, uint32_t var, struct value value)
{
	if (var == UINT32_MAX)
		return;
	emit_const(e, value);
	emit(e, OP_SET, var, 0);
}

static void emit_verdict(struct emitter *e, const struct node *n)
{
	const struct host_info *h = e->c->host;
	struct value none = { 0 };

	if (n->a && h->outcome_text != UINT32_MAX) {
		emit_as(e, n->a, &(struct type){ .base = BASE_TEXT });
		emit(e, OP_SET, h->outcome_text, 0);
	}
	emit_outcome(e, h->outcome, VALUE_TEXT_OF(n->text));
	emit_outcome(e, h->outcome_code, n->number ? VALUE_NUMBER_OF(n->number * 1000) : none);
	emit_outcome(e, h->outcome_enhanced, n->text2.n ? VALUE_TEXT_OF(n->text2) : none);
	emit(e, OP_STOP, 0, 0);
}

static void emit_statements(struct emitter *e, const struct node *n)
{
	for (; n; n = n->next) {
		switch (n->kind) {
		case NODE_SET:
			emit_set(e, n);
			break;
		case NODE_EXPORT:
			emit_export(e, n);
			break;
		case NODE_DO:
			emit_call(e, n->a, true);
			break;
		case NODE_IF:
			emit_if(e, n);
			break;
		case NODE_SWITCH:
			emit_switch(e, n);
			break;
		case NODE_FOREACH:
			emit_foreach(e, n);
			break;
		case NODE_RETURN:
			emit(e, OP_RETURN, 0, 0);
			break;
		case NODE_VERDICT:
			emit_verdict(e, n);
			break;
		default:
			break;
		}
	}
}

/* ---- functions ---- */

static void func_begin(struct emitter *e, const char *name)
{
	if (e->func_count == e->func_room) {
		struct program_func *old = e->funcs;

		e->func_room = e->func_room ? 2 * e->func_room : 64;
		e->funcs = ARENA_ARRAY(e->c->arena, struct program_func, e->func_room);
		if (e->func_count)
			memcpy(e->funcs, old, e->func_count * sizeof *old);
	}
	e->funcs[e->func_count] = (struct program_func){ .name = name, .start = e->code_count };
}

static uint32_t func_end(struct emitter *e)
{
	emit(e, OP_RETURN, 0, 0);
	e->funcs[e->func_count].end = e->code_count;
	return e->func_count++;
}

/* Its own variables begin as they were exported, or unknown. */
static void emit_places(struct emitter *e, struct func *f)
{
	for (struct place *p = f->places; p; p = p->next) {
		struct custom *v = &e->c->customs[p->custom];

		if (f->decl->kind == DECL_METHOD)
			p->slot = emit_var(e, v->name, &v->type);
		else if (v->slot == UINT32_MAX)
			v->slot = emit_var(e, v->name, &v->type);
		if (f->decl->kind != DECL_METHOD)
			p->slot = v->slot;
		if (v->kept != UINT32_MAX) {
			emit(e, OP_VAR, v->kept, 0);
			emit(e, OP_SET, p->slot, 0);
		} else {
			emit(e, OP_CLEAR, p->slot, 0);
		}
	}
}

/* rule: its number, UINT32_MAX for what is none. */
static void emit_conditions(struct emitter *e, const struct func *f, uint32_t rule)
{
	uint32_t ends = UINT32_MAX, found = UINT32_MAX;
	const struct decl *d = f->decl;

	emit(e, OP_RULE, rule, 0);
	for (const struct node *n = d->when; n; n = n->next) {
		emit_expr(e, n);
		if (d->any && n->next)
			found = emit(e, OP_OR, found, 0);
		else if (!d->any)
			ends = emit(e, OP_UNLESS, ends, 0);
	}
	patch_all(e, found);
	if (d->any && d->when)
		ends = emit(e, OP_UNLESS, ends, 0);
	emit(e, OP_MATCHED, rule, 0);
	if (!d->shadow)
		emit_statements(e, d->body->kids);
	patch_all(e, ends);
}

static void emit_func(struct emitter *e, struct func *f, uint32_t rule)
{
	if (f->index != UINT32_MAX)
		return;
	for (const struct callee *one = f->callees; one; one = one->next)
		emit_func(e, one->func, UINT32_MAX);
	for (struct local *l = f->params; l; l = l->next)
		l->slot = emit_var(e, l->name, &l->type);
	func_begin(e, arena_str(e->c->arena, f->decl->name));
	e->func = f;
	e->locals = f->params;
	emit_places(e, f);
	if (f->decl->kind == DECL_RULE)
		emit_conditions(e, f, rule);
	else
		emit_statements(e, f->decl->body->kids);
	f->index = func_end(e);
}

static void emit_entry(struct emitter *e, struct program *p, unsigned event)
{
	struct compiler *c = e->c;
	uint32_t bit = 1u << event, start = e->code_count;

	p->entries[event] = -1;
	func_begin(e, c->host->host->events[event].name);
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (c->order[i]->events & bit && !c->order[i]->decl->disabled)
			emit(e, OP_INVOKE, c->order[i]->index, 0);
	for (uint32_t i = 0; i < c->func_count; i++)
		if (c->funcs[i].decl->kind == DECL_EVENT && c->funcs[i].events & bit)
			emit(e, OP_INVOKE, c->funcs[i].index, 0);
	if (e->code_count == start)
		return;
	p->entries[event] = (int32_t)func_end(e);
}

/* ---- the program ---- */

static char result_letter(const struct host_method *m)
{
	if (m->spec->kind == METHOD_ACTION)
		return '?';
	return value_letter(type_kind(&m->result));
}

static const char *arg_letters(struct compiler *c, const struct host_method *m)
{
	struct buf letters;

	buf_init(&letters, 64);
	for (unsigned i = 0; i < m->param_count; i++) {
		const struct host_param *p = &m->params[i];

		if (p->optional && !p->from_variable)
			buf_addc(&letters, '?');
		buf_addc(&letters,
		    p->word == 'l' ? 'l'
			: p->word  ? 't'
				   : value_letter(type_kind(&p->type)));
		if (p->many)
			buf_addc(&letters, '+');
	}
	const char *text = arena_str(c->arena, buf_slice(&letters));
	buf_free(&letters);
	return text;
}

static const struct vm_builtin *make_builtins(struct compiler *c)
{
	const struct policy_host *h = c->host->host;
	struct vm_builtin *all = ARENA_ARRAY(c->arena, struct vm_builtin, h->method_count + 1);

	for (uint32_t i = 0; i < h->method_count; i++) {
		const struct host_method *m = &c->host->methods[i];
		bool header = strcmp(m->spec->name, "header") == 0,
		     headers = strcmp(m->spec->name, "headers") == 0;

		all[i] = (struct vm_builtin){ .name = m->spec->name,
			.args = arg_letters(c, m),
			.result = result_letter(m),
			.max = header ? 8192 : type_max(&m->result),
			.count = headers ? 1000 : type_count(&m->result),
			.cost = m->spec->cost               ? m->spec->cost
			    : m->spec->kind == METHOD_CHECK ? 100
							    : 1,
			.check = m->spec->kind == METHOD_CHECK,
			.run = m->spec->run ? m->spec->run : h->call,
			.id = i };
	}
	return all;
}

static void host_vars(struct emitter *e)
{
	const struct policy_host *h = e->c->host->host;

	for (uint32_t i = 0; i < h->variable_count; i++) {
		const struct host_variable *v = &e->c->host->variables[i];
		uint32_t slot = emit_var(e, slice_of(v->spec->name), &v->type);
		struct program_var *var = &e->vars[slot];

		var->max = v->max;
		var->count = v->count;
		var->least = v->least;
		var->most = v->most;
		var->read_only = !v->settable;
	}
}

static void kept_vars(struct emitter *e)
{
	struct compiler *c = e->c;

	for (uint32_t i = 0; i < c->custom_count; i++)
		if (c->customs[i].exported)
			c->customs[i].kept = emit_var(e, c->customs[i].name, &c->customs[i].type);
}

static const struct program_rule *make_rules(struct compiler *c)
{
	struct program_rule *rules = ARENA_ARRAY(c->arena, struct program_rule, c->rule_count + 1);

	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct decl *d = c->order[i]->decl;
		unsigned line, column;

		source_place(c->src, d->range, &line, &column);
		rules[i] = (struct program_rule){ .name = arena_str(c->arena, d->name),
			.file = c->src->files[d->range.file].name,
			.line = line,
			.shadow = d->shadow };
	}
	return rules;
}

static void host_tables(struct emitter *e, struct program *p)
{
	for (uint32_t i = 0; i < e->c->table_count; i++)
		e->c->tables[i].set_index = UINT32_MAX;
	for (uint32_t i = 0; i < e->c->table_count && !e->c->tables[i].decl; i++, p->host_sets++)
		emit_table(e, i);
}

struct program *policy_emit(struct compiler *c)
{
	struct program *p = ARENA_NEW(c->arena, struct program);
	struct emitter e = { .c = c };

	host_vars(&e);
	kept_vars(&e);
	host_tables(&e, p);
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (!c->order[i]->decl->disabled)
			emit_func(&e, c->order[i], i);
	for (uint32_t i = 0; i < c->func_count; i++)
		if (c->funcs[i].decl->kind == DECL_EVENT)
			emit_func(&e, &c->funcs[i], UINT32_MAX);
	for (unsigned event = 0; event < VM_EVENTS; event++)
		p->entries[event] = -1;
	for (unsigned event = 0; event < c->host->host->event_count; event++)
		emit_entry(&e, p, event);
	p->code = e.code;
	p->code_count = e.code_count;
	p->consts = e.consts;
	p->const_count = e.const_count;
	p->sets = e.sets;
	p->set_count = e.set_count;
	p->vars = e.vars;
	p->var_count = e.var_count;
	p->funcs = e.funcs;
	p->func_count = e.func_count;
	p->rules = make_rules(c);
	p->rule_count = c->rule_count;
	p->builtins = make_builtins(c);
	p->builtin_count = c->host->host->method_count;
	return p;
}

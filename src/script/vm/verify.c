/* Reads a program once from top to bottom, with what could lie on the stack instead of values. */
#include "script/vm/vm.h"

struct limit {
	enum value_kind kind; /* VALUE_UNKNOWN: fits anywhere */
	uint32_t max, count;
};

/* What is known before an instruction. */
struct state {
	uint64_t
	    steps; /* the dearest way here, from the start of the function or of the loop's body */
	uint32_t checks;
	uint32_t loop; /* its NEXT; UINT32_MAX: in none */
	uint16_t depth;
	struct limit stack[];
};

struct loop {
	uint32_t next, back;
	struct state *before; /* at NEXT */
	uint64_t body;        /* the dearest way through the body */
	uint32_t body_checks;
};

struct verifier {
	struct program *p;
	struct arena *arena;
	struct error *error;
	struct state **states; /* of the function's instructions that are jumped to */
	struct state *now;     /* NULL: not reached */
	uint32_t func, pc;
	struct loop loops[VM_LOOPS];
	unsigned loop_count;
	uint64_t steps;
	uint32_t checks;
	uint16_t depth, calls;
};

static bool bad(struct verifier *v, const char *what)
{
	return error_local(v->error, "instruction %u (%s): %s", v->pc,
	    v->pc < v->p->code_count && v->p->code[v->pc].op < OP_COUNT
		? op_infos[v->p->code[v->pc].op].word
		: "?",
	    what);
}

enum value_kind value_kind_of(char letter)
{
	static const char letters[] = "?tnyil";
	const char *at = strchr(letters, letter);

	return at && *at ? (enum value_kind)(at - letters) : VALUE_UNKNOWN;
}

static bool fits(const struct limit *l, char letter)
{
	enum value_kind want = value_kind_of(letter);

	return want == VALUE_UNKNOWN || l->kind == want || l->kind == VALUE_UNKNOWN;
}

static uint64_t limit_cost(const struct limit *l)
{
	if (l->kind == VALUE_LIST)
		return (uint64_t)l->count * (1 + l->max / 64);
	return l->kind == VALUE_TEXT ? l->max / 64 : 0;
}

static struct limit value_limit(const struct value *v)
{
	struct limit l = { .kind = v->kind };

	if (v->kind == VALUE_TEXT)
		l.max = (uint32_t)v->text.n;
	for (size_t i = 0; v->kind == VALUE_LIST && i < v->list.count; i++)
		if (v->list.items[i].kind == VALUE_TEXT && v->list.items[i].text.n > l.max)
			l.max = (uint32_t)v->list.items[i].text.n;
	l.count = v->kind == VALUE_LIST ? (uint32_t)v->list.count : 0;
	return l;
}

static void charge(struct verifier *v, uint64_t steps)
{
	v->now->steps += steps;
	if (v->now->steps > VM_STEPS_MAX)
		v->now->steps = VM_STEPS_MAX;
}

static void charge_checks(struct verifier *v, uint64_t checks)
{
	checks += v->now->checks;
	v->now->checks = checks > UINT32_MAX ? UINT32_MAX : (uint32_t)checks;
}

/* ---- the stack ---- */

static struct limit *peek(struct verifier *v, unsigned from_top)
{
	return &v->now->stack[v->now->depth - 1 - from_top];
}

/* Values under a loop's pair belong to it. */
static bool has(struct verifier *v, unsigned n)
{
	unsigned floor = v->loop_count ? v->loops[v->loop_count - 1].before->depth : 0;

	return v->now->depth >= floor + n || bad(v, "takes more than there is on the stack");
}

static bool pop_kinds(struct verifier *v, const char *kinds)
{
	unsigned n = (unsigned)strlen(kinds);

	if (!has(v, n))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!fits(peek(v, n - 1 - i), kinds[i]))
			return bad(v, "finds a value of another kind on the stack");
	v->now->depth = (uint16_t)(v->now->depth - n);
	return true;
}

static bool push(struct verifier *v, struct limit l)
{
	if (v->now->depth + 1 >= VM_STACK)
		return bad(v, "the stack would be too deep");
	v->now->stack[v->now->depth++] = l;
	if (v->now->depth > v->depth)
		v->depth = v->now->depth;
	return true;
}

static bool push_kind(struct verifier *v, char letter)
{
	return push(v, (struct limit){ .kind = value_kind_of(letter) });
}

/* ---- ways that meet ---- */

static struct state *state_copy(struct verifier *v, const struct state *s)
{
	size_t size = sizeof *s + s->depth * sizeof s->stack[0];
	struct state *copy = arena_alloc(v->arena, size);

	memcpy(copy, s, size);
	return copy;
}

static bool meet(struct verifier *v, struct state *to, const struct state *from)
{
	if (to->depth != from->depth || to->loop != from->loop)
		return bad(v, "is reached with the stack in two states");
	for (unsigned i = 0; i < to->depth; i++) {
		struct limit *a = &to->stack[i];
		const struct limit *b = &from->stack[i];

		if (a->kind != b->kind && a->kind != VALUE_UNKNOWN && b->kind != VALUE_UNKNOWN)
			return bad(v, "is reached with values of two kinds");
		a->kind = a->kind ? a->kind : b->kind;
		a->max = a->max > b->max ? a->max : b->max;
		a->count = a->count > b->count ? a->count : b->count;
	}
	to->steps = to->steps > from->steps ? to->steps : from->steps;
	to->checks = to->checks > from->checks ? to->checks : from->checks;
	return true;
}

static bool jump_to(struct verifier *v, uint32_t to)
{
	const struct program_func *f = &v->p->funcs[v->func];

	if (to <= v->pc || to >= f->end)
		return bad(v, "jumps backwards or out of its function");
	if (v->loop_count && to > v->loops[v->loop_count - 1].back)
		return bad(v, "jumps out of a loop");
	struct state **slot = &v->states[to - f->start];
	if (*slot)
		return meet(v, *slot, v->now);
	*slot = state_copy(v, v->now);
	return true;
}

/* The way ends here. */
static void end_way(struct verifier *v)
{
	uint64_t *steps = v->loop_count ? &v->loops[v->loop_count - 1].body : &v->steps;
	uint32_t *checks = v->loop_count ? &v->loops[v->loop_count - 1].body_checks : &v->checks;

	*steps = *steps > v->now->steps ? *steps : v->now->steps;
	*checks = *checks > v->now->checks ? *checks : v->now->checks;
	v->now = NULL;
}

/* ---- instructions ---- */

static bool is_operand(struct verifier *v, const struct instruction *in)
{
	const struct program *p = v->p;
	uint32_t most = UINT32_MAX;

	switch (op_infos[in->op].operand) {
	case OPERAND_CONST:
		most = p->const_count;
		break;
	case OPERAND_VAR:
		most = p->var_count;
		break;
	case OPERAND_SET:
		most = p->set_count;
		break;
	case OPERAND_FUNC:
		most = v->func;
		break;
	case OPERAND_BUILTIN:
		most = p->builtin_count;
		break;
	case OPERAND_COUNT:
		most = VM_STACK;
		break;
	case OPERAND_FORM:
		most = FORM_COUNT;
		break;
	case OPERAND_RULE:
		most = p->rule_count;
		break;
	case OPERAND_NEXT:
		if (in->b >= p->var_count)
			return bad(v, "there is no such variable");
		break;
	case OPERAND_NONE:
	case OPERAND_JUMP:
	case OPERAND_BACK:
	case OPERAND_SCALE:
		break;
	}
	return in->a < most || bad(v, "its operand is out of range");
}

static bool do_set(struct verifier *v, const struct instruction *in)
{
	const struct program_var *var = &v->p->vars[in->a];

	if (var->read_only)
		return bad(v, "sets a variable that may only be read");
	return pop_kinds(v, (char[]){ value_letter(var->kind), '\0' });
}

static bool do_text(struct verifier *v, const struct instruction *in)
{
	if (!has(v, 1))
		return false;
	struct limit l = *peek(v, 0);
	charge(v, limit_cost(&l));
	uint32_t max = l.kind == VALUE_TEXT ? l.max : l.kind == VALUE_LIST ? VM_TEXT_MAX : 64;
	return pop_kinds(v, "*") && push(v, (struct limit){ .kind = VALUE_TEXT, .max = max });
}

static bool do_join(struct verifier *v, const struct instruction *in)
{
	uint64_t max = 0;

	if (!has(v, in->a))
		return false;
	for (uint32_t i = 0; i < in->a; i++) {
		if (!fits(peek(v, i), 't'))
			return bad(v, "joins what is no text");
		max += peek(v, i)->max;
	}
	max = max > VM_TEXT_MAX ? VM_TEXT_MAX : max;
	charge(v, max / 64);
	v->now->depth = (uint16_t)(v->now->depth - in->a);
	return push(v, (struct limit){ .kind = VALUE_TEXT, .max = (uint32_t)max });
}

static bool do_eq(struct verifier *v)
{
	if (!has(v, 2))
		return false;
	const struct limit *l = peek(v, 1), *r = peek(v, 0);
	bool list = l->kind == VALUE_LIST;
	if (r->kind == VALUE_LIST ||
	    (!list && l->kind != r->kind && l->kind != VALUE_UNKNOWN && r->kind != VALUE_UNKNOWN))
		return bad(v, "compares values of two kinds");
	charge(v, limit_cost(l) + limit_cost(r));
	return pop_kinds(v, "**") && push_kind(v, 'y');
}

static bool do_find(struct verifier *v, const struct instruction *in)
{
	const struct set *set = v->p->sets[in->a];

	if (!has(v, 1))
		return false;
	const struct limit *l = peek(v, 0);
	if (l->kind != VALUE_LIST && !fits(l, value_letter(set_key_kind(set))))
		return bad(v, "looks for a value of another kind than the set's");
	uint64_t one = set_cost_max(set, l->max);
	charge(v, l->kind == VALUE_LIST ? one * l->count : one);
	return pop_kinds(v, "*") && push_kind(v, 'y');
}

static bool do_lookup(struct verifier *v, const struct instruction *in)
{
	const struct set *set = v->p->sets[in->a];
	struct limit found = { 0 };

	found.kind = set_value_kind(set, &found.max);
	if (!has(v, 1))
		return false;
	charge(v, set_cost_max(set, peek(v, 0)->max));
	return pop_kinds(v, (char[]){ value_letter(set_key_kind(set)), '\0' }) && push(v, found);
}

static bool do_extract(struct verifier *v, const struct instruction *in)
{
	if (!has(v, 1))
		return false;
	uint32_t max = peek(v, 0)->max;
	charge(v, set_cost_max(v->p->sets[in->a], max));
	return pop_kinds(v, "t") && push(v, (struct limit){ .kind = VALUE_TEXT, .max = max });
}

/* The kind of argument i by the declaration; '\0': there may be none. */
static char arg_kind(const char *args, unsigned i, unsigned *needed)
{
	char kind = '\0', last = '\0';
	unsigned n = 0;
	bool optional = false;

	*needed = 0;
	for (const char *a = args; *a; a++) {
		if (*a == '?') {
			optional = true;
		} else if (*a == '+') {
			kind = kind ? kind : last;
		} else {
			kind = n == i ? *a : kind;
			last = *a;
			n++;
			*needed += !optional;
		}
	}
	return kind;
}

static bool do_call(struct verifier *v, const struct instruction *in)
{
	const struct vm_builtin *b = &v->p->builtins[in->a];
	unsigned needed;

	arg_kind(b->args, 0, &needed);
	if (in->b < needed || !b->run)
		return bad(v, "calls with too few arguments");
	if (!has(v, in->b))
		return false;
	for (unsigned i = 0; i < in->b; i++) {
		char kind = arg_kind(b->args, i, &needed);

		if (!kind || !fits(peek(v, in->b - 1 - i), kind))
			return bad(v, "calls with an argument of another kind, or one too many");
		charge(v, limit_cost(peek(v, in->b - 1 - i)));
	}
	charge(v, b->cost);
	charge_checks(v, b->check);
	v->now->depth = (uint16_t)(v->now->depth - in->b);
	return push(v, (struct limit){ value_kind_of(b->result), b->max, b->count });
}

static bool do_invoke(struct verifier *v, const struct instruction *in)
{
	const struct program_func *f = &v->p->funcs[in->a];
	unsigned depth = v->now->depth + f->depth;

	charge(v, f->steps);
	charge_checks(v, f->checks);
	if (depth >= VM_STACK)
		return bad(v, "the stack would be too deep");
	v->depth = depth > v->depth ? (uint16_t)depth : v->depth;
	v->calls = f->calls + 1 > v->calls ? (uint16_t)(f->calls + 1) : v->calls;
	return v->calls < VM_CALLS - 1 || bad(v, "functions call one another too deeply");
}

static bool do_next(struct verifier *v, const struct instruction *in)
{
	const struct program_func *f = &v->p->funcs[v->func];
	const struct program_var *var = &v->p->vars[in->b];

	if (v->pc == f->start || v->p->code[v->pc - 1].op != OP_EACH || v->states[v->pc - f->start])
		return bad(v, "stands elsewhere than behind its EACH");
	if (in->a <= v->pc + 1 || in->a >= f->end || v->p->code[in->a - 1].op != OP_BACK ||
	    v->p->code[in->a - 1].a != v->pc)
		return bad(v, "has no BACK at its end");
	if (v->loop_count == VM_LOOPS ||
	    (v->loop_count && in->a > v->loops[v->loop_count - 1].back))
		return bad(v, "is no loop within the loop around it");
	if (var->read_only || var->kind == VALUE_LIST)
		return bad(v, "sets a variable that may only be read");
	v->loops[v->loop_count++] =
	    (struct loop){ .next = v->pc, .back = in->a - 1, .before = state_copy(v, v->now) };
	v->now->loop = v->pc;
	v->now->steps = 0;
	v->now->checks = 0;
	return true;
}

/* LIST */
static bool do_one(struct verifier *v, const struct instruction *in)
{
	const struct op_info *info = &op_infos[in->op];

	charge(v, 1);
	switch ((enum op)in->op) {
	case OP_CONST:
		return push(v, value_limit(&v->p->consts[in->a]));
	case OP_VAR: {
		const struct program_var *var = &v->p->vars[in->a];

		return push(v, (struct limit){ var->kind, var->max, var->count });
	}
	case OP_SET:
		return do_set(v, in);
	case OP_CLEAR:
		return !v->p->vars[in->a].read_only ||
		    bad(v, "sets a variable that may only be read");
	case OP_TEXT:
		return do_text(v, in);
	case OP_JOIN:
		return do_join(v, in);
	case OP_EQ:
		return do_eq(v);
	case OP_FIND:
		return do_find(v, in);
	case OP_LOOKUP:
		return do_lookup(v, in);
	case OP_EXTRACT:
		return do_extract(v, in);
	case OP_AND:
	case OP_OR:
		return pop_kinds(v, "y") && push_kind(v, 'y') && jump_to(v, in->a) &&
		    pop_kinds(v, "y");
	case OP_UNLESS:
		return pop_kinds(v, "y") && jump_to(v, in->a);
	case OP_JUMP:
		if (!jump_to(v, in->a))
			return false;
		v->now = NULL;
		return true;
	case OP_CALL:
		return do_call(v, in);
	case OP_INVOKE:
		return do_invoke(v, in);
	case OP_RETURN:
	case OP_STOP:
		end_way(v);
		return true;
	case OP_EACH:
		return has(v, 1) &&
		    (peek(v, 0)->kind == VALUE_LIST || bad(v, "goes through what is no list")) &&
		    push_kind(v, 'n');
	case OP_NEXT:
		return do_next(v, in);
	case OP_BACK:
		if (!v->loop_count || v->loops[v->loop_count - 1].back != v->pc ||
		    v->now->depth != v->loops[v->loop_count - 1].before->depth)
			return bad(
			    v, "belongs to no loop, or the stack is another than at its start");
		end_way(v);
		return true;
	case OP_POP:
	case OP_SCALE:
	case OP_ADD:
	case OP_SUB:
	case OP_MUL:
	case OP_DIV:
	case OP_NEG:
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
	case OP_EMPTY:
	case OP_NOT:
	case OP_RULE:
	case OP_MATCHED:
		return pop_kinds(v, info->pops) && (!*info->pushes || push_kind(v, *info->pushes));
	case OP_COUNT:
		break;
	}
	return bad(v, "is unknown");
}

/* Behind BACK, reached or not: the way that leaves the loop goes on. */
static bool loop_end(struct verifier *v)
{
	struct loop *l = &v->loops[--v->loop_count];
	struct state *s = l->before;
	uint64_t count = s->stack[s->depth - 2].count;
	uint64_t body = l->body + 1;

	s->steps += body > VM_STEPS_MAX / (count + 1) ? VM_STEPS_MAX : body * count;
	s->steps = s->steps > VM_STEPS_MAX ? VM_STEPS_MAX : s->steps;
	uint64_t checks = s->checks + l->body_checks * count;
	s->checks = checks > UINT32_MAX ? UINT32_MAX : (uint32_t)checks;
	s->depth = (uint16_t)(s->depth - 2);
	struct state **slot = &v->states[l->back + 1 - v->p->funcs[v->func].start];
	if (*slot)
		return meet(v, *slot, s);
	*slot = s;
	return true;
}

static bool verify_at(struct verifier *v, struct state *work)
{
	const struct instruction *in = &v->p->code[v->pc];
	struct state *meets = v->states[v->pc - v->p->funcs[v->func].start];
	uint32_t loop = v->loop_count ? v->loops[v->loop_count - 1].next : UINT32_MAX;

	if (in->op >= OP_COUNT)
		return bad(v, "is unknown");
	if (meets && v->now && !meet(v, meets, v->now))
		return false;
	if (meets) {
		memcpy(work, meets, sizeof *meets + meets->depth * sizeof meets->stack[0]);
		v->now = work;
	}
	if (v->now && v->now->loop != loop)
		return bad(v, "is jumped to from outside of its loop");
	bool back = v->loop_count && v->loops[v->loop_count - 1].back == v->pc;
	if (v->now && (!is_operand(v, in) || !do_one(v, in)))
		return false;
	return !back || loop_end(v);
}

static bool verify_func(struct verifier *v, uint32_t index, struct state *work)
{
	struct program_func *f = &v->p->funcs[index];

	v->func = index;
	v->pc = f->start;
	if (f->start >= f->end || f->end > v->p->code_count ||
	    f->start != (index ? v->p->funcs[index - 1].end : 0))
		return bad(v, "the function is not where it should be");
	v->states = ARENA_ARRAY(v->arena, struct state *, f->end - f->start);
	*work = (struct state){ .loop = UINT32_MAX };
	v->now = work;
	v->steps = v->depth = v->calls = 0;
	v->checks = 0;
	v->loop_count = 0;
	for (; v->pc < f->end; v->pc++)
		if (!verify_at(v, work))
			return false;
	if (v->now || v->loop_count)
		return bad(v, "the function does not end");
	f->steps = v->steps;
	f->checks = v->checks;
	f->depth = v->depth;
	f->calls = v->calls;
	return true;
}

bool program_verify(struct program *p, struct arena *scratch, struct error *error)
{
	struct verifier v = { .p = p, .arena = scratch, .error = error };
	struct state *work = arena_alloc(scratch, sizeof *work + VM_STACK * sizeof work->stack[0]);

	p->verified = false;
	if (p->code_count > VM_CODE_MAX || p->var_count > UINT16_MAX)
		return error_local(error, "the program is too large: %u instructions, %u variables",
		    p->code_count, p->var_count);
	for (uint32_t i = 0; i < p->func_count; i++)
		if (!verify_func(&v, i, work))
			return false;
	for (unsigned e = 0; e < VM_EVENTS; e++) {
		int32_t entry = p->entries[e];

		if (entry >= (int32_t)p->func_count)
			return error_local(error, "entry %u is no function", e);
		p->bounds[e] = (struct program_bound){ 0 };
		if (entry >= 0) {
			p->bounds[e].steps = p->funcs[entry].steps;
			p->bounds[e].checks = p->funcs[entry].checks;
		}
	}
	p->verified = true;
	return true;
}

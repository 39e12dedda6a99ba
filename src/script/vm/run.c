/* The machine's loop. What the verifier has shown is asserted only in comments. */
#include "script/vm/vm.h"

#include <stdio.h>

void vm_begin(struct vm *vm, const struct program *program, struct value *vars, struct arena *arena,
    const struct vm_limits *limits)
{
	*vm = (struct vm){ .program = program,
		.vars = vars,
		.arena = arena,
		.limits = *limits,
		.memory = limits->memory,
		.rule = UINT32_MAX };
}

bool vm_fault(struct vm *vm, const char *why)
{
	if (!vm->fault)
		vm->fault = why;
	return false;
}

void *vm_take(struct vm *vm, size_t n)
{
	size_t rounded = (n + 15) & ~(size_t)15;

	if (rounded < n || rounded > vm->memory) {
		vm_fault(vm, "its memory is used up");
		return NULL;
	}
	vm->memory -= rounded;
	return arena_alloc(vm->arena, rounded);
}

static void *take_for_regex(size_t n, void *vm)
{
	/* A match without memory is no match, not a fault. */
	size_t rounded = (n + 15) & ~(size_t)15;
	struct vm *v = vm;

	return rounded > v->memory ? NULL : vm_take(v, n);
}

struct deadline vm_check_deadline(const struct vm *vm)
{
	struct deadline d = deadline_in_ms(vm->limits.check_ms);

	return d.at_us < vm->limits.deadline.at_us ? d : vm->limits.deadline;
}

bool vm_text(struct vm *vm, slice text, size_t max, struct value *out)
{
	text = text_cut(text, max);
	char *copy = vm_take(vm, text.n + 1);

	if (!copy)
		return false;
	if (text.n)
		memcpy(copy, text.p, text.n);
	*out = VALUE_TEXT_OF(((slice){ copy, text.n }));
	return true;
}

/* A list and its elements no longer than this; copied only where one is. */
static bool cut_list(struct vm *vm, struct value *v, size_t max, size_t count)
{
	size_t long_ones = 0;

	if (v->list.count > count)
		v->list.count = count;
	for (size_t i = 0; i < v->list.count; i++)
		long_ones += v->list.items[i].kind == VALUE_TEXT && v->list.items[i].text.n > max;
	if (!long_ones)
		return true;
	struct value *items = vm_take(vm, v->list.count * sizeof *items);
	if (!items)
		return false;
	for (size_t i = 0; i < v->list.count; i++) {
		items[i] = v->list.items[i];
		if (items[i].kind == VALUE_TEXT)
			items[i].text = text_cut(items[i].text, max);
	}
	v->list.items = items;
	return true;
}

bool vm_cut(struct vm *vm, struct value *v, size_t max, size_t count)
{
	if (v->kind == VALUE_LIST)
		return cut_list(vm, v, max, count);
	if (v->kind == VALUE_TEXT)
		v->text = text_cut(v->text, max);
	return true;
}

void vm_set(struct vm *vm, uint32_t var, struct value value)
{
	const struct program_var *info = &vm->program->vars[var];

	if (value.kind == VALUE_NUMBER) {
		value.number = value.number < info->least ? info->least : value.number;
		value.number = value.number > info->most ? info->most : value.number;
	} else if (!vm_cut(vm, &value, info->max, info->count)) {
		value = (struct value){ 0 };
	}
	vm->vars[var] = value;
}

uint64_t value_cost(const struct value *v)
{
	uint64_t cost = 0;

	if (v->kind == VALUE_TEXT)
		return v->text.n / 64;
	if (v->kind == VALUE_LIST)
		for (size_t i = 0; i < v->list.count; i++)
			cost += 1 +
			    (v->list.items[i].kind == VALUE_TEXT ? v->list.items[i].text.n / 64
								 : 0);
	return cost;
}

/* ---- texts ---- */

/* One value that is no list, into a small place or as it is. */
static slice show_one(const struct value *v, enum text_form form, char place[64])
{
	switch (v->kind) {
	case VALUE_TEXT:
		return v->text;
	case VALUE_NUMBER:
		if (form == FORM_SIZE)
			return (slice){ place,
				(size_t)snprintf(place, 64, "%lld", (long long)v->number) };
		return (slice){ place,
			number_write(form == FORM_KSIZE
				? (int64_t)((__int128)v->number * 1000 / 1024)
				: v->number,
			    place) };
	case VALUE_YESNO:
		return v->yes ? SLICE("yes") : SLICE("no");
	case VALUE_IP:
		ip_write(&v->ip, place);
		return slice_of(place);
	case VALUE_UNKNOWN:
	case VALUE_LIST:
		break;
	}
	return SLICE("");
}

static bool show_list(struct vm *vm, const struct value *v, enum text_form form, struct value *out)
{
	char *text = vm_take(vm, VM_TEXT_MAX + 1), place[64];
	size_t n = 0;

	if (!text)
		return false;
	for (size_t i = 0; i < v->list.count; i++) {
		slice one = show_one(&v->list.items[i], form, place);
		size_t comma = i ? 2 : 0;

		if (n + comma + one.n > VM_TEXT_MAX)
			break;
		memcpy(text + n, ", ", comma);
		if (one.n)
			memcpy(text + n + comma, one.p, one.n);
		n += comma + one.n;
	}
	*out = VALUE_TEXT_OF(((slice){ text, n }));
	return true;
}

bool vm_show(struct vm *vm, const struct value *v, enum text_form form, struct value *out)
{
	char place[64];

	if (v->kind == VALUE_LIST)
		return show_list(vm, v, form, out);
	slice text = show_one(v, form, place);
	if (text.p != place) {
		*out = VALUE_TEXT_OF(text);
		return true;
	}
	return vm_text(vm, text, VM_TEXT_MAX, out);
}

static bool join(struct vm *vm, struct value *parts, uint32_t count)
{
	size_t n = 0, at = 0;

	for (uint32_t i = 0; i < count; i++)
		n += parts[i].kind == VALUE_TEXT ? parts[i].text.n : 0;
	n = n > VM_TEXT_MAX ? VM_TEXT_MAX : n;
	char *text = vm_take(vm, n + 1);
	if (!text)
		return false;
	for (uint32_t i = 0; i < count && at < n; i++) {
		if (parts[i].kind != VALUE_TEXT || parts[i].text.n == 0)
			continue;
		slice part = text_cut(parts[i].text, n - at);

		memcpy(text + at, part.p, part.n);
		at += part.n;
		if (part.n < parts[i].text.n)
			break;
	}
	parts[0] = VALUE_TEXT_OF(((slice){ text, at }));
	vm->steps += at / 64;
	return true;
}

/* ---- numbers ---- */

static struct value number_or_unknown(__int128 n)
{
	struct value v = { 0 };

	if (n <= INT64_MAX && n >= INT64_MIN)
		v = VALUE_NUMBER_OF((int64_t)n);
	return v;
}

static struct value calculate(enum op op, const struct value *l, const struct value *r)
{
	__int128 n;

	if (l->kind != VALUE_NUMBER || r->kind != VALUE_NUMBER || (op == OP_DIV && r->number == 0))
		return (struct value){ 0 };
	if (op == OP_ADD)
		n = (__int128)l->number + r->number;
	else if (op == OP_SUB)
		n = (__int128)l->number - r->number;
	else if (op == OP_MUL)
		n = (__int128)l->number * r->number / 1000;
	else
		n = (__int128)l->number * 1000 / r->number;
	return number_or_unknown(n);
}

static bool ordered(enum op op, const struct value *l, const struct value *r)
{
	if (l->kind != VALUE_NUMBER || r->kind != VALUE_NUMBER)
		return false;
	return op == OP_LT ? l->number < r->number
	    : op == OP_LE  ? l->number <= r->number
	    : op == OP_GT  ? l->number > r->number
			   : l->number >= r->number;
}

/* ---- comparisons; a list on the left means any of its elements ---- */

static bool equal(struct vm *vm, const struct value *l, const struct value *r)
{
	bool found = false;

	vm->steps += value_cost(l) + value_cost(r);
	if (l->kind != VALUE_LIST)
		return value_equal(l, r);
	for (size_t i = 0; i < l->list.count && !found; i++)
		found = value_equal(&l->list.items[i], r);
	return found;
}

static const struct set *set_of(const struct vm *vm, uint32_t i)
{
	return vm->host_sets && i < vm->program->host_sets ? vm->host_sets[i]
							   : vm->program->sets[i];
}

static void trace(struct vm *vm, enum vm_trace_kind kind, uint32_t index)
{
	struct vm_trace *t = vm->trace;

	if (!t)
		return;
	if (t->count < t->room)
		t->entries[t->count] = (struct vm_trace_entry){ kind, index, vm->steps };
	t->count++;
}

/* What regular expressions took is charged afterwards. */
static void charge_regex(struct vm *vm)
{
	vm->steps += vm->regex.cost;
	vm->regex.cost = 0;
	if (vm->regex.given_up)
		trace(vm, VM_TRACE_GAVE_UP, vm->rule);
	vm->regex.given_up = false;
}

static bool look(struct vm *vm, const struct set *set, const struct value *v, struct value *found)
{
	vm->steps += set_cost(set, v->kind == VALUE_TEXT ? v->text.n : 0);
	bool hit = set_find(set, v, &vm->regex, found);
	charge_regex(vm);
	return hit;
}

static bool find(struct vm *vm, const struct set *set, const struct value *v)
{
	bool found = false;

	if (v->kind != VALUE_LIST)
		return look(vm, set, v, NULL);
	for (size_t i = 0; i < v->list.count && !found && vm->steps <= vm->limits.steps; i++)
		found = look(vm, set, &v->list.items[i], NULL);
	return found;
}

static struct value lookup(struct vm *vm, const struct set *set, const struct value *key)
{
	struct value found = { 0 };

	return look(vm, set, key, &found) ? found : (struct value){ 0 };
}

static struct value extract(struct vm *vm, const struct set *set, const struct value *from)
{
	struct value found = { 0 };
	slice group;

	if (from->kind != VALUE_TEXT)
		return found;
	vm->steps += set_cost(set, from->text.n);
	if (set_extract(set, from->text, &vm->regex, &group))
		found = VALUE_TEXT_OF(group);
	charge_regex(vm);
	return found;
}

/* ---- the rest ---- */

static bool call(struct vm *vm, const struct instruction *in, struct value *args)
{
	const struct vm_builtin *b = &vm->program->builtins[in->a];
	struct value out = { 0 };

	vm->steps += b->cost;
	for (uint16_t i = 0; i < in->b; i++)
		vm->steps += value_cost(&args[i]);
	vm->checks += b->check;
	if (vm->steps > vm->limits.steps)
		return vm_fault(vm, "its steps are used up");
	bool done = b->run(vm, b, args, in->b, &out);
	if (b->check || b->result == '?')
		trace(vm, VM_TRACE_CALLED, in->a);
	/* What is longer than was said would cost more than was proved. */
	args[0] = done && vm_cut(vm, &out, b->max, b->count) ? out : (struct value){ 0 };
	return done && !vm->fault;
}

struct frame {
	uint32_t back;
	struct value *base;
	uint32_t rule;
};

static struct value scale(const struct value *v, uint32_t by)
{
	__int128 n = (__int128)v->number * by / 1000;

	return v->kind == VALUE_NUMBER ? number_or_unknown(n) : *v;
}

/* LIST */
static enum vm_result loop(struct vm *vm, uint32_t entry)
{
	const struct program *p = vm->program;
	struct value stack[VM_STACK], *top = stack; /* the next free place */
	struct frame frames[VM_CALLS];
	unsigned calls = 0;
	uint64_t steps_max = vm->limits.steps;

	frames[calls++] = (struct frame){ UINT32_MAX, stack, UINT32_MAX };
	for (uint32_t pc = p->funcs[entry].start;;) {
		const struct instruction *in = &p->code[pc++];

		if (++vm->steps > steps_max) {
			vm_fault(vm, "its steps are used up");
			return VM_FAULT;
		}
		switch ((enum op)in->op) {
		case OP_CONST:
			*top++ = p->consts[in->a];
			break;
		case OP_VAR:
			*top++ = vm->vars[in->a];
			break;
		case OP_SET:
			vm_set(vm, in->a, *--top);
			if (vm->fault)
				return VM_FAULT;
			break;
		case OP_CLEAR:
			vm->vars[in->a] = (struct value){ 0 };
			break;
		case OP_POP:
			top--;
			break;
		case OP_TEXT:
			vm->steps += value_cost(&top[-1]);
			if (!vm_show(vm, &top[-1], (enum text_form)in->a, &top[-1]))
				return VM_FAULT;
			break;
		case OP_SCALE:
			top[-1] = scale(&top[-1], in->a);
			break;
		case OP_JOIN:
			top -= in->a;
			if (!join(vm, top, in->a))
				return VM_FAULT;
			top++;
			break;
		case OP_ADD:
		case OP_SUB:
		case OP_MUL:
		case OP_DIV:
			top--;
			top[-1] = calculate((enum op)in->op, &top[-1], top);
			break;
		case OP_NEG:
			if (top[-1].kind == VALUE_NUMBER && top[-1].number == INT64_MIN)
				top[-1] = (struct value){ 0 };
			else if (top[-1].kind == VALUE_NUMBER)
				top[-1].number = -top[-1].number;
			break;
		case OP_EQ:
			top--;
			top[-1] = VALUE_YESNO_OF(equal(vm, &top[-1], top));
			break;
		case OP_LT:
		case OP_LE:
		case OP_GT:
		case OP_GE:
			top--;
			top[-1] = VALUE_YESNO_OF(ordered((enum op)in->op, &top[-1], top));
			break;
		case OP_EMPTY:
			top[-1] = VALUE_YESNO_OF(value_empty(&top[-1]));
			break;
		case OP_NOT:
			top[-1] = VALUE_YESNO_OF(!value_true(&top[-1]));
			break;
		case OP_FIND:
			top[-1] = VALUE_YESNO_OF(find(vm, set_of(vm, in->a), &top[-1]));
			break;
		case OP_LOOKUP:
			top[-1] = lookup(vm, set_of(vm, in->a), &top[-1]);
			break;
		case OP_EXTRACT:
			top[-1] = extract(vm, p->sets[in->a], &top[-1]);
			break;
		case OP_AND:
			if (value_true(&top[-1])) {
				top--;
			} else {
				top[-1] = VALUE_YESNO_OF(false);
				pc = in->a;
			}
			break;
		case OP_OR:
			if (value_true(&top[-1]))
				pc = in->a;
			else
				top--;
			break;
		case OP_JUMP:
			pc = in->a;
			break;
		case OP_UNLESS:
			if (!value_true(--top))
				pc = in->a;
			break;
		case OP_CALL:
			top -= in->b;
			if (!call(vm, in, top))
				return VM_FAULT;
			top++;
			break;
		case OP_INVOKE:
			frames[calls++] = (struct frame){ pc, top, vm->rule };
			pc = p->funcs[in->a].start;
			break;
		case OP_RETURN:
			calls--;
			top = frames[calls].base;
			pc = frames[calls].back;
			if (calls == 0)
				return VM_DONE;
			vm->rule = frames[calls].rule;
			break;
		case OP_STOP:
			trace(vm, VM_TRACE_STOPPED, vm->rule);
			return VM_STOPPED;
		case OP_EACH:
			*top++ = VALUE_NUMBER_OF(0);
			break;
		case OP_NEXT:
			if (top[-2].kind != VALUE_LIST ||
			    (size_t)top[-1].number >= top[-2].list.count) {
				top -= 2;
				pc = in->a;
			} else {
				vm_set(vm, in->b, top[-2].list.items[top[-1].number++]);
			}
			break;
		case OP_BACK:
			pc = in->a;
			break;
		case OP_RULE:
			vm->rule = in->a;
			break;
		case OP_MATCHED:
			trace(vm, VM_TRACE_MATCHED, in->a);
			break;
		case OP_COUNT:
			return VM_FAULT; /* the verifier lets none through */
		}
	}
}

enum vm_result vm_run(struct vm *vm, unsigned event)
{
	vm->regex = (struct set_memory){ .take = take_for_regex, .from = vm };
	vm->rule = UINT32_MAX;
	vm->fault = NULL;
	vm->steps = 0;
	vm->checks = 0;
	if (event >= VM_EVENTS || vm->program->entries[event] < 0)
		return VM_DONE;
	if (!vm->program->verified) {
		vm_fault(vm, "the program was not verified");
		return VM_FAULT;
	}
	enum vm_result result = loop(vm, (uint32_t)vm->program->entries[event]);
	if (result == VM_FAULT)
		trace(vm, VM_TRACE_FAULT, vm->rule);
	return result;
}

/*
 * Any program in the machine: the octets before the first NUL are values of variables, what follows is a policy. Every
 * event is run; no more steps, checks and memory are taken than was proved or allowed.
 */
#include <assert.h>
#include <stdlib.h>

#include "lib/lab_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static slice values;
static struct value list[200];

static char next(void)
{
	char c = values.n ? values.p[0] : '\0';

	values = slice_from(values, 1);
	return c;
}

/* A value of the kind, read from the octets. */
static struct value value_of(enum value_kind kind)
{
	struct value v = { .kind = kind };
	unsigned char c = (unsigned char)next();

	if (c == 'u')
		return (struct value){ 0 };
	if (kind == VALUE_NUMBER) {
		v.number = c == 'm' ? INT64_MIN
		    : c == 'M'      ? INT64_MAX
				    : (int64_t)(c - 100) * (c % 3 ? 1000 : 1000000007);
	} else if (kind == VALUE_YESNO) {
		v.yes = c & 1;
	} else if (kind == VALUE_IP) {
		memcpy(v.ip.octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2", 15);
		v.ip.octets[15] = c;
	} else if (kind == VALUE_TEXT) {
		v.text = slice_head(values, c);
		values = slice_from(values, c);
	} else if (kind == VALUE_LIST) {
		for (unsigned i = 0; i < c % 200u; i++)
			list[i] = VALUE_TEXT_OF(slice_head(values, i % 5));
		v.list.items = list;
		v.list.count = c % 200u;
	}
	return v;
}

static bool call(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	for (unsigned i = 0; i < count; i++) {
		struct value text;

		if (!vm_show(vm, &args[i], FORM_PLAIN, &text))
			return false;
	}
	*out = value_of(value_kind_of(self->result));
	return true;
}

static void run(const struct policy *p, unsigned event, struct value *vars, struct arena *arena)
{
	struct vm_limits limits = { VM_STEPS, VM_MEMORY, deadline_in_ms(10000), 1000 };
	size_t before = arena_used(arena);
	struct vm vm;

	vm_begin(&vm, p->program, vars, arena, &limits);
	for (uint32_t i = 0; i < p->host->host->variable_count; i++)
		vm_set(&vm, i, value_of(p->program->vars[i].kind));
	enum vm_result result = vm_run(&vm, event);
	assert(vm.steps <= p->program->bounds[event].steps);
	assert(vm.checks <= p->program->bounds[event].checks);
	assert(arena_used(arena) - before <= VM_MEMORY + 4096);
	assert(result != VM_FAULT || vm.fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice all = { (const char *)data, size };
	size_t cut = slice_find(all, '\0');
	struct policy_host host = lab_tables_host();
	struct sources sources;

	if (cut == size)
		return 0;
	struct arena *arena = arena_new(1ull << 30);
	host.call = call;
	sources_begin(&sources, arena, NULL, NULL);
	uint32_t file = sources_add(&sources, "f", slice_from(all, cut + 1), (struct range){ 0 });
	struct policy *p = policy_compile(&host, &sources, file, NULL);
	if (p) {
		struct value *vars = ARENA_ARRAY(arena, struct value, p->program->var_count + 1);

		for (unsigned e = 0; e < host.event_count; e++) {
			values = slice_head(all, cut);
			run(p, e, vars, arena);
		}
	}
	arena_free(arena);
	return 0;
}

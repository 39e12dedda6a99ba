/* The verifier: each thing that it must refuse; and whatever it lets through, changed at random, runs within its
 * bounds. */
#include "lib/lab.h"

static struct arena *arena;
static struct error error;

static const struct program_var vars[] = {
	{ "t", VALUE_TEXT, 1024, 0, INT64_MIN, INT64_MAX, false },
	{ "n", VALUE_NUMBER, 0, 0, 0, 1000000, false },
	{ "y", VALUE_YESNO, 0, 0, INT64_MIN, INT64_MAX, false },
	{ "i", VALUE_IP, 0, 0, INT64_MIN, INT64_MAX, false },
	{ "l", VALUE_LIST, 100, 50, INT64_MIN, INT64_MAX, false },
	{ "fixed", VALUE_TEXT, 1024, 0, INT64_MIN, INT64_MAX, true },
};
enum { T, N, Y, I, L, FIXED };

static bool nothing(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	return true;
}

static const struct vm_builtin builtins[] = {
	{ "one", "tn", 't', 100, 0, 7, false, nothing, 0 },
	{ "many", "t?n+", 'n', 0, 0, 1, true, nothing, 1 },
	{ "none", "", 'y', 0, 0, 1, false, NULL, 2 },
};

/* Verifies functions of which the last is entry 0; a function ends with each instruction marked `end`. */
static bool verify(const struct instruction *code, uint32_t count, const uint32_t *ends,
    uint32_t funcs, struct program *p)
{
	static struct value consts[3];
	static const struct set *sets[2];
	static const struct program_rule rules[1] = { { "r", "f", 1, false } };
	struct set_maker m;

	consts[0] = VALUE_TEXT_OF(SLICE("const"));
	consts[1] = VALUE_NUMBER_OF(1000);
	consts[2] = VALUE_YESNO_OF(true);
	set_begin(&m, SET_TEXT, arena);
	sets[0] = set_end(&m, &error);
	set_begin(&m, SET_NETWORK, arena);
	sets[1] = set_end(&m, &error);
	*p = (struct program){ .code = code,
		.code_count = count,
		.consts = consts,
		.const_count = 3,
		.sets = sets,
		.set_count = 2,
		.vars = vars,
		.var_count = 6,
		.builtins = builtins,
		.builtin_count = 3,
		.rules = rules,
		.rule_count = 1,
		.func_count = funcs };
	p->funcs = ARENA_ARRAY(arena, struct program_func, funcs);
	for (uint32_t i = 0; i < funcs; i++)
		p->funcs[i] = (struct program_func){
			.name = "f", .start = i ? ends[i - 1] : 0, .end = ends[i]
		};
	for (int e = 0; e < VM_EVENTS; e++)
		p->entries[e] = e ? -1 : (int32_t)funcs - 1;
	return program_verify(p, arena, &error);
}

#define I1(op_, a_)                                                                                \
	{                                                                                          \
		.op = OP_##op_, .a = (a_)                                                          \
	}
#define I2(op_, a_, b_)                                                                            \
	{                                                                                          \
		.op = OP_##op_, .a = (a_), .b = (b_)                                               \
	}
#define I0(op_)                                                                                    \
	{                                                                                          \
		.op = OP_##op_                                                                     \
	}

struct bad {
	struct instruction code[16];
	const char *said;
};

static const struct bad bad[] = {
	{ { { .op = OP_COUNT }, I0(RETURN) }, "is unknown" },
	{ { { .op = 255 }, I0(RETURN) }, "is unknown" },
	{ { I1(CONST, 3), I0(POP), I0(RETURN) }, "out of range" },
	{ { I1(VAR, 6), I0(POP), I0(RETURN) }, "out of range" },
	{ { I1(CLEAR, 6), I0(RETURN) }, "out of range" },
	{ { I1(CLEAR, FIXED), I0(RETURN) }, "only be read" },
	{ { I1(CONST, 0), I1(SET, FIXED), I0(RETURN) }, "only be read" },
	{ { I1(CONST, 0), I1(SET, N), I0(RETURN) }, "another kind" },
	{ { I1(SET, T), I0(RETURN) }, "more than there is" },
	{ { I0(POP), I0(RETURN) }, "more than there is" },
	{ { I1(VAR, T), I1(FIND, 2), I0(POP), I0(RETURN) }, "out of range" },
	{ { I1(VAR, T), I1(FIND, 1), I0(POP), I0(RETURN) }, "another kind than the set's" },
	{ { I1(VAR, I), I1(LOOKUP, 0), I0(POP), I0(RETURN) }, "another kind" },
	{ { I1(VAR, N), I1(EXTRACT, 0), I0(POP), I0(RETURN) }, "another kind" },
	{ { I1(VAR, T), I1(VAR, N), I0(ADD), I0(POP), I0(RETURN) }, "another kind" },
	{ { I1(VAR, N), I0(NOT), I0(POP), I0(RETURN) }, "another kind" },
	{ { I1(VAR, T), I1(VAR, N), I0(EQ), I0(POP), I0(RETURN) }, "two kinds" },
	{ { I1(VAR, T), I1(VAR, L), I0(EQ), I0(POP), I0(RETURN) }, "two kinds" },
	{ { I1(VAR, N), I1(JOIN, 1), I0(POP), I0(RETURN) }, "no text" },
	{ { I1(JOIN, 1), I0(POP), I0(RETURN) }, "more than there is" },
	{ { I1(JOIN, 100000), I0(POP), I0(RETURN) }, "out of range" },
	{ { I1(VAR, N), I1(TEXT, FORM_COUNT), I0(POP), I0(RETURN) }, "out of range" },
	{ { I1(JUMP, 0), I0(RETURN) }, "backwards" },
	{ { I1(JUMP, 7), I0(RETURN) }, "backwards or out" },
	{ { I1(VAR, Y), I1(UNLESS, 3), I1(CONST, 0), I0(RETURN) }, "two states" },
	{ { I1(VAR, Y), I1(UNLESS, 3), I1(CLEAR, T), I0(RETURN) }, NULL },
	{ { I1(VAR, Y), I1(UNLESS, 3), I1(CONST, 0), I0(NOT), I0(POP), I0(RETURN) }, "two states" },
	{ { I1(VAR, Y), I1(AND, 3), I1(VAR, N), I0(POP), I0(RETURN) }, "two kinds" },
	{ { I1(VAR, N), I1(UNLESS, 2), I0(RETURN) }, "another kind" },
	{ { I1(VAR, T) }, "does not end" },
	{ { I1(VAR, T), I1(VAR, N), I2(CALL, 3, 2), I0(POP), I0(RETURN) }, "out of range" },
	{ { I1(VAR, T), I2(CALL, 0, 1), I0(POP), I0(RETURN) }, "too few" },
	{ { I1(VAR, N), I1(VAR, N), I2(CALL, 0, 2), I0(POP), I0(RETURN) }, "another kind" },
	{ { I1(VAR, T), I1(VAR, N), I1(VAR, N), I2(CALL, 0, 3), I0(POP), I0(RETURN) },
	    "one too many" },
	{ { I2(CALL, 2, 0), I0(POP), I0(RETURN) }, "too few" },
	{ { I1(INVOKE, 0), I0(RETURN) }, "out of range" },
	{ { I1(RULE, 1), I0(RETURN) }, "out of range" },
	{ { I1(VAR, T), I0(EACH), I2(NEXT, 4, T), I1(BACK, 2), I0(RETURN) }, "no list" },
	{ { I1(VAR, L), I2(NEXT, 3, T), I1(BACK, 1), I0(RETURN) }, "elsewhere" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 4, FIXED), I1(BACK, 2), I0(RETURN) }, "only be read" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 4, 6), I1(BACK, 2), I0(RETURN) }, "no such variable" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 4, T), I1(BACK, 1), I0(RETURN) }, "no BACK" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 9, T), I1(BACK, 2), I0(RETURN) }, "no BACK" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 5, T), I1(CONST, 0), I1(BACK, 2), I0(RETURN) },
	    "another than at its start" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 5, T), I0(POP), I1(BACK, 2), I0(RETURN) },
	    "more than there is" },
	{ { I1(VAR, L), I0(EACH), I2(NEXT, 5, T), I1(JUMP, 5), I1(BACK, 2), I0(RETURN) },
	    "out of a loop" },
	{ { I1(VAR, Y), I1(UNLESS, 5), I1(VAR, L), I0(EACH), I2(NEXT, 6, T), I1(BACK, 4),
	      I0(RETURN) },
	    "two states" },
	{ { I1(BACK, 0), I0(RETURN) }, "no loop" },
	{ { I1(VAR, L), I0(EACH), I1(JUMP, 3), I2(NEXT, 5, T), I1(BACK, 3), I0(RETURN) },
	    "elsewhere" },
};

static uint32_t length_of(const struct instruction *code)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < 16; i++)
		if (code[i].op || code[i].a || code[i].b)
			n = i + 1;
	return n;
}

static void what_must_not_run_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint32_t n = length_of(bad[i].code);
		struct program p;
		bool good = verify(bad[i].code, n, &n, 1, &p);

		if (good != !bad[i].said || good != p.verified)
			fail_msg("program %zu is %s: %s", i, good ? "taken" : "refused", error.why);
		if (!good && !strstr(error.why, bad[i].said))
			fail_msg("program %zu: %s, wanted %s", i, error.why, bad[i].said);
		struct value values[6] = { { 0 } };
		struct vm_limits limits = { 1000, 1000, deadline_in_ms(100), 10 };
		struct vm vm;
		vm_begin(&vm, &p, values, arena, &limits);
		assert_int_equal(vm_run(&vm, 0), good ? VM_DONE : VM_FAULT);
	}
}

static void functions_are_called_downwards_only(void **state)
{
	static const struct instruction good[] = { I0(RETURN), I1(INVOKE, 0), I0(RETURN) },
					upwards[] = { I1(INVOKE, 1), I0(RETURN), I0(RETURN) };
	uint32_t ends[] = { 1, 3 }, gap[] = { 2, 3 };
	struct program p;

	assert_true(verify(good, 3, ends, 2, &p));
	assert_int_equal(p.bounds[0].steps, 3);
	assert_false(verify(upwards, 3, gap, 2, &p));
	ends[1] = 4;
	assert_false(verify(good, 3, ends, 2, &p));
	/* 100 functions, each calls the one before. */
	struct instruction code[200];
	uint32_t all[100];
	for (uint32_t i = 0; i < 100; i++) {
		code[2 * i] =
		    (struct instruction){ .op = i ? OP_INVOKE : OP_CLEAR, .a = i ? i - 1 : 0 };
		code[2 * i + 1] = (struct instruction){ .op = OP_RETURN };
		all[i] = 2 * i + 2;
	}
	assert_false(verify(code, 200, all, 100, &p));
	assert_non_null(strstr(error.why, "too deep"));
	/* Doubling at each level: the bound stays a number. */
	struct instruction twice[300];
	for (uint32_t i = 0; i < 60; i++) {
		twice[3 * i] = twice[3 * i + 1] =
		    (struct instruction){ .op = i ? OP_INVOKE : OP_CLEAR, .a = i ? i - 1 : 0 };
		twice[3 * i + 2] = (struct instruction){ .op = OP_RETURN };
		all[i] = 3 * i + 3;
	}
	assert_true(verify(twice, 180, all, 60, &p));
	assert_int_equal(p.bounds[0].steps, VM_STEPS_MAX);
}

static void the_stack_has_an_end(void **state)
{
	struct instruction code[VM_STACK + 2];
	uint32_t n = 0;
	struct program p;

	while (n < VM_STACK)
		code[n++] = (struct instruction){ .op = OP_CONST };
	code[n++] = (struct instruction){ .op = OP_RETURN };
	assert_false(verify(code, n, &n, 1, &p));
	assert_non_null(strstr(error.why, "too deep"));
}

static void loops_are_counted_by_the_longest_list(void **state)
{
	static const struct instruction code[] = { I1(VAR, L), I0(EACH), I2(NEXT, 5, T),
		I1(CLEAR, N), I1(BACK, 2), I0(RETURN) };
	uint32_t n = 6;
	struct program p;

	assert_true(verify(code, n, &n, 1, &p));
	/* var, each, next, then 50 of clear, back and next, and return */
	assert_int_equal(p.bounds[0].steps, 3 + 50 * 3 + 1);
}

/* ---- what is changed at random ---- */

static const char source[] =
    "table t of domain to string = [ \"x.example\" to \"y\" ];"
    "method m(a: string, b: number) { if (b > 2) { call(note, \"%a%%b%\"); return; } set(text, lower(a)); }"
    "rule \"r\" { when any { names matches [\"a*\", /b+/]; host in t; num + 1 > num2 * 2; } then { call(m, text, num); set(mine, 3); export(mine); } }"
    "event onC { foreach n in names { foreach b in names { if (b == n) { set(num2, 1); } } call(m, n, -num); switch (kind) { case \"red\": set(text, lookup(t, host)); "
    "case \"blue\", \"green\": return; default: set(octets, num); } } set(text, \"%client%%flag%%names%%octets%\"); reject(\"%text%\"); }";

static struct value random_value(const struct program_var *v)
{
	static const struct value items[] = { { .kind = VALUE_TEXT, .text = { "ab", 2 } },
		{ .kind = VALUE_TEXT, .text = { "x", 1 } } };
	struct value out = { 0 };

	if (rand() % 4 == 0)
		return out;
	out.kind = v->kind;
	if (v->kind == VALUE_TEXT)
		out.text = SLICE("red");
	else if (v->kind == VALUE_NUMBER)
		out.number = (int64_t)(rand() % 100) * 500;
	else if (v->kind == VALUE_YESNO)
		out.yes = rand() % 2;
	else if (v->kind == VALUE_LIST)
		out = (struct value){ .kind = VALUE_LIST, .list = { items, 2 } };
	return out;
}

static void what_is_let_through_stays_within_its_bounds(void **state)
{
	unsigned taken = 0, rounds = getenv("HAUBERK_LONG") ? 200000 : 20000;

	srand(unit_seed());
	lab_good(source);
	struct program p = *lab.policy->program;
	struct instruction *code = calloc(p.code_count, sizeof *code);
	struct value values[500];
	struct arena *run = arena_new(4 << 20);
	for (unsigned round = 0; round < rounds; round++) {
		memcpy(code, lab.policy->program->code, p.code_count * sizeof *code);
		p.code = code;
		for (int k = rand() % 3; k >= 0; k--) {
			struct instruction *in = &code[rand() % p.code_count];

			if (rand() % 2)
				in->op = (uint8_t)(rand() % (OP_COUNT + 1));
			if (rand() % 2)
				in->a = rand() % 8 ? (uint32_t)rand() % 40 : (uint32_t)rand();
			if (rand() % 4 == 0)
				in->b = (uint16_t)(rand() % 40);
		}
		arena_reset(run);
		if (!program_verify(&p, run, &error))
			continue;
		taken++;
		assert_true(p.var_count < 500);
		for (uint32_t i = 0; i < p.var_count; i++)
			values[i] = random_value(&p.vars[i]);
		struct vm_limits limits = { VM_STEPS_MAX, VM_MEMORY, deadline_in_ms(1000), 100 };
		struct vm vm;
		if (p.bounds[0].steps > 5000000)
			continue;
		vm_begin(&vm, &p, values, run, &limits);
		vm_run(&vm, 0);
		assert_true(vm.steps <= p.bounds[0].steps);
		assert_true(vm.checks <= p.bounds[0].checks);
		lab.notes.n = 0;
	}
	print_message("# %u of %u changed programs were taken\n", taken, rounds);
	assert_true(taken > rounds / 50);
	arena_free(run);
	free(code);
}

static void a_program_can_be_read(void **state)
{
	struct buf out;

	lab_good(
	    "table t of string = [ \"a\" ]; rule \"r\" { when all { text in t; } then { set(num, 1.5); call(note, text); } } event onC { foreach n in names { if (flag) { set(client, \"192.0.2.1\"); } } }");
	buf_init(&out, 1 << 16);
	program_dump(lab.policy->program, &out);
	static const char *const want[] = { "r: at most ", "rule     \"r\"", "find     #",
		"(1 items)", "const    1500", "set      num", "call     note/1", "each",
		"next     n, else ", "const    192.0.2.1", "invoke   r", "unless   ",
		"onC: at most", "matched  \"r\"", "return" };
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		if (!strstr(out.p, want[i]))
			fail_msg("not there: %s\n%s", want[i], out.p);
	buf_free(&out);
}

static int set_up(void **state)
{
	arena = arena_new(64 << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_must_not_run_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    functions_are_called_downwards_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_stack_has_an_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    loops_are_counted_by_the_longest_list, set_up, tear_down),
		cmocka_unit_test(what_is_let_through_stays_within_its_bounds),
		cmocka_unit_test(a_program_can_be_read),
	};
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}

/*
 * lab: a small host of policies for unit tests, and short ways to compile, run and look.
 *
 *     lab_host = lab_small();                    (or a host of the test's own)
 *     assert_yes("text matches \"a*\"");        (an expression, run in event onC)
 *     assert_refused("set(num, \"x\");", "is no number");
 *
 * The host is that of lab_host.h.
 */
#ifndef TESTS_LAB_H
#define TESTS_LAB_H

#include "lib/unit.h"

#include "base/buf.h"
#include "lib/lab_host.h"

#define LAB_MEMORY (1ull << 30)

/* What is in hand. */
static struct lab {
	struct arena *arena;
	struct sources sources;
	struct policy_host host;
	struct policy *policy;
	struct value vars[70000];
	struct vm vm;
	uint64_t steps;   /* that an event may take; 0: VM_STEPS */
	struct buf notes; /* what note() and others were told: "note(a) tell(b, c) " */
	struct buf out;
	struct buf script; /* a text that a test puts together; it stays until the process ends */
	const char *file_name, *file_text; /* what imports and tables read */
} lab;

static inline bool lab_call(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	buf_addf(&lab.notes, "%s(", self->name);
	for (unsigned i = 0; i < count; i++) {
		struct value text;

		if (!vm_show(vm, &args[i], FORM_NUMBER, &text))
			return false;
		buf_addf(&lab.notes, "%s%.*s", i ? ", " : "", SLICE_ARG(text.text));
	}
	buf_adds(&lab.notes, ") ");
	if (self->check)
		*out = VALUE_TEXT_OF(SLICE("answer"));
	if (strcmp(self->name, "field") == 0)
		*out = VALUE_TEXT_OF(SLICE("from the message"));
	return true;
}

static inline struct policy_host lab_small(void)
{
	struct policy_host host = lab_tables_host();

	host.call = lab_call;
	return host;
}

static inline bool lab_read(void *context, const char *name, size_t max, struct arena *arena,
    slice *out, struct error *error)
{
	if (!lab.file_name || strcmp(name, lab.file_name) != 0)
		return error_local(error, "cannot open %s", name);
	*out = slice_of(lab.file_text);
	return true;
}

static inline void lab_end(void)
{
	if (lab.arena)
		arena_free(lab.arena);
	buf_free(&lab.notes);
	buf_free(&lab.out);
	lab.arena = NULL;
}

/* NULL: lab.out says why. Warnings are there too. */
static inline struct policy *lab_compile_slice(slice text)
{
	lab_end();
	if (!lab.host.events)
		lab.host = lab_small();
	lab.arena = arena_new(LAB_MEMORY);
	buf_init(&lab.notes, 1 << 20);
	buf_init(&lab.out, 1 << 20);
	memset(lab.vars, 0, sizeof lab.vars);
	sources_begin(&lab.sources, lab.arena, lab_read, NULL);
	uint32_t file = sources_add(&lab.sources, "test.policy", text, (struct range){ 0 });
	struct policy_limits limits = { .steps = lab.steps };
	lab.policy = policy_compile(&lab.host, &lab.sources, file, &limits);
	sources_print(&lab.sources, false, &lab.out);
	return lab.policy;
}

static inline struct policy *lab_compile(const char *text)
{
	return lab_compile_slice(slice_of(text));
}

/* An empty buffer for a text; lab.script.p is the text. */
static inline struct buf *lab_text(void)
{
	if (!lab.script.max)
		buf_init(&lab.script, 8 << 20);
	lab.script.n = 0;
	return &lab.script;
}

static inline unsigned lab_event(const char *name)
{
	int event = host_event(&lab.host, slice_of(name));

	assert_true(event >= 0);
	return (unsigned)event;
}

static inline struct value *lab_var(const char *name)
{
	for (uint32_t i = 0; i < lab.host.variable_count; i++)
		if (strcmp(lab.host.variables[i].name, name) == 0)
			return &lab.vars[i];
	fail_msg("no variable %s", name);
	return NULL;
}

static inline enum vm_result lab_run(const char *event)
{
	struct vm_limits limits = { lab.steps ? lab.steps : VM_STEPS, VM_MEMORY,
		deadline_in_ms(60000), 10000 };

	assert_true(lab.policy->program->var_count < sizeof lab.vars / sizeof lab.vars[0]);
	vm_begin(&lab.vm, lab.policy->program, lab.vars, lab.arena, &limits);
	enum vm_result result = vm_run(&lab.vm, lab_event(event));
	assert_true(lab.vm.steps <= lab.policy->program->bounds[lab_event(event)].steps);
	return result;
}

static inline const char *lab_said(void)
{
	return lab.out.p ? lab.out.p : "";
}

static inline const char *lab_notes(void)
{
	return lab.notes.p ? lab.notes.p : "";
}

/* The policy must compile. */
static inline void lab_good_at(const char *text, const char *file, int line)
{
	if (!lab_compile(text)) {
		fprintf(stderr, "%s\nis refused:\n%s", text, lab_said());
		_fail(file, line);
	}
}
#define lab_good(text) lab_good_at((text), __FILE__, __LINE__)

/* The policy must be refused, or be warned of, with this in what is said. */
static inline void lab_says_at(
    const char *text, bool refused, const char *said, const char *file, int line)
{
	bool good = lab_compile(text) != NULL;

	if (good == refused || !strstr(lab_said(), said)) {
		fprintf(stderr, "%s\n%s, saying:\n%s\nwanted: %s\n", text,
		    good ? "compiles" : "is refused", lab_said(), said);
		_fail(file, line);
	}
}
#define lab_refused(text, said) lab_says_at((text), true, (said), __FILE__, __LINE__)
#define lab_warned(text, said)  lab_says_at((text), false, (said), __FILE__, __LINE__)

/* Statements in a block of onC. */
#define IN_BLOCK(statements) "event onC { " statements " }"

/* Some values that conditions of the tests below speak of. */
static inline void lab_values(void)
{
	static const struct value names[] = { { .kind = VALUE_TEXT, .text = { "Alpha", 5 } },
		{ .kind = VALUE_TEXT, .text = { "beta", 4 } } };

	*lab_var("text") = VALUE_TEXT_OF(SLICE("Hello World"));
	*lab_var("num") = VALUE_NUMBER_OF(5500);
	*lab_var("octets") = VALUE_NUMBER_OF(2048);
	*lab_var("kilo") = VALUE_NUMBER_OF(10240);
	*lab_var("span") = VALUE_NUMBER_OF(5000);
	lab_var("client")->kind = VALUE_IP;
	ip_parse(SLICE("192.0.2.7"), &lab_var("client")->ip);
	*lab_var("host") = VALUE_TEXT_OF(SLICE("mx.example.org"));
	*lab_var("box") = VALUE_TEXT_OF(SLICE("ann@example.org"));
	*lab_var("said") = VALUE_TEXT_OF(SLICE("whatever"));
	*lab_var("flag") = VALUE_YESNO_OF(true);
	*lab_var("kind") = VALUE_TEXT_OF(SLICE("green"));
	*lab_var("names") = (struct value){ .kind = VALUE_LIST, .list = { names, 2 } };
	*lab_var("piece") = VALUE_TEXT_OF(SLICE("line one\r\nline two"));
}

/* 1 yes, 0 no; -1 it does not compile. */
static inline int lab_condition(const char *before, const char *condition)
{
	char text[12000];

	snprintf(text, sizeof text,
	    "%s event onC { if (%s) { call(note, \"yes\"); } else { call(note, \"no\"); } }",
	    before, condition);
	if (!lab_compile(text))
		return -1;
	lab_values();
	assert_int_equal(lab_run("onC"), VM_DONE);
	return strstr(lab_notes(), "note(yes)") != NULL;
}

static inline void lab_condition_at(
    const char *before, const char *condition, int want, const char *file, int line)
{
	int got = lab_condition(before, condition);

	if (got != want) {
		fprintf(stderr, "%s: %s\n%s", condition,
		    got < 0   ? "refused"
			: got ? "yes"
			      : "no",
		    lab_said());
		_fail(file, line);
	}
}
#define assert_yes(condition) lab_condition_at("", (condition), 1, __FILE__, __LINE__)
#define assert_no(condition)  lab_condition_at("", (condition), 0, __FILE__, __LINE__)
#define assert_yes_with(before, condition)                                                         \
	lab_condition_at((before), (condition), 1, __FILE__, __LINE__)
#define assert_no_with(before, condition)                                                          \
	lab_condition_at((before), (condition), 0, __FILE__, __LINE__)

#endif

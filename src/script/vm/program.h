/*
 * program: what a compiler makes and the machine runs. Immutable once verified; many may run it at once.
 *
 * A program has functions (methods, rules, blocks) that follow one another in its code, callee before caller,
 * and an entry function for each event. Its variables are places by number: first the host's in the host's
 * order, then what the compiler needs.
 *
 *     struct error error;
 *     if (!program_verify(program, arena, &error)) ...   (never runs before that)
 *     printf("%llu steps\n", program->bounds[event].steps);
 */
#ifndef SCRIPT_VM_PROGRAM_H
#define SCRIPT_VM_PROGRAM_H

#include "base/arena.h"
#include "base/error.h"
#include "script/vm/op.h"
#include "script/vm/set.h"
#include "script/vm/value.h"

#define VM_STACK     256        /* values */
#define VM_CALLS     64         /* functions within one another */
#define VM_LOOPS     64         /* loops within one another */
#define VM_EVENTS    16         /* entries of a program */
#define VM_TEXT_MAX  1024       /* octets of a text that is put together */
#define VM_CODE_MAX  (1u << 22) /* instructions */
#define VM_STEPS_MAX (1ull << 50)

struct vm;
struct vm_builtin;

/* Does its work. false: it cannot; vm_fault() said why, and the program ends. An answer that is merely not
 * known is VALUE_UNKNOWN and true. Texts of *out live as long as the run's arena, from vm_take(). */
typedef bool vm_builtin_fn(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out);

struct vm_builtin {
	const char *name;
	const char *
	    args; /* kinds; '*' any; those after '?' may be left out; '+': the one before again and again */
	char result;    /* a kind */
	uint32_t max;   /* octets of the result, or of each of its elements */
	uint32_t count; /* elements of the result */
	uint32_t cost;  /* steps beside those of its arguments */
	bool check;     /* asks the network: counted, has a deadline */
	vm_builtin_fn *run;
	uint32_t id; /* the host's */
};

struct program_var {
	const char *name;
	enum value_kind kind;
	uint32_t max, count;
	int64_t least, most; /* of a number */
	bool read_only;      /* no program sets it */
};

struct program_func {
	const char *name;
	uint32_t start, end; /* instructions [start, end) */
	/* By the verifier: */
	uint64_t steps;
	uint32_t checks;
	uint16_t depth, calls;
};

struct program_rule {
	const char *name, *file;
	uint32_t line;
	bool shadow;
};

struct program_bound {
	uint64_t steps; /* the dearest path */
	uint32_t checks;
};

struct program {
	const struct instruction *code;
	uint32_t code_count;
	const struct value *consts;
	uint32_t const_count;
	const struct set *const *sets;
	uint32_t set_count;
	uint32_t
	    host_sets; /* the first so many may be replaced for a run by others of the same kind */
	const struct program_var *vars;
	uint32_t var_count;
	struct program_func *funcs;
	uint32_t func_count;
	const struct program_rule *rules;
	uint32_t rule_count;
	const struct vm_builtin *builtins;
	uint32_t builtin_count;
	int32_t entries[VM_EVENTS]; /* a function, or -1 */
	struct program_bound bounds[VM_EVENTS];
	bool verified;
};

/* Checks every promise that the machine relies on, and computes bounds: known instructions, operands in
 * range, jumps forward but a loop's, the same stack on all ways, kinds at instructions and built-ins, calls
 * downwards. Fills in funcs and bounds. false and error: why it must not run. scratch is used and not reset. */
bool program_verify(struct program *p, struct arena *scratch, struct error *error);

/* Adds the whole program as text, a line an instruction. */
void program_dump(const struct program *p, struct buf *out);

/* The kind of a letter; VALUE_UNKNOWN for '?' and '*'. */
enum value_kind value_kind_of(char letter);

#endif

/*
 * vm: runs a verified program, within bounds.
 *
 *     struct vm vm;
 *     vm_begin(&vm, program, vars, turn, &limits);
 *     enum vm_result r = vm_run(&vm, EVENT);
 *     if (r == VM_FAULT) log(vm.fault);
 *
 * vars are program->var_count values that the host owns and fills in by vm_set(), so that none is longer than was
 * proved; the program changes them. Everything
 * that the run makes is in the arena, which must have room for limits.memory octets more; nothing is
 * allocated anywhere else. One vm is one run at a time, of one thread.
 */
#ifndef SCRIPT_VM_VM_H
#define SCRIPT_VM_VM_H

#include "base/clock.h"
#include "script/vm/program.h"

#define VM_STEPS  5000000
#define VM_MEMORY (1u << 20)

struct vm_limits {
	uint64_t steps;
	size_t memory;            /* octets */
	struct deadline deadline; /* of the whole run */
	int64_t check_ms;         /* of each check */
};

/* What is kept of a run: small, always on. */
enum vm_trace_kind {
	VM_TRACE_MATCHED,
	VM_TRACE_CALLED,
	VM_TRACE_STOPPED,
	VM_TRACE_FAULT,
	VM_TRACE_GAVE_UP, /* a regular expression took all its units: no match */
};

struct vm_trace_entry {
	enum vm_trace_kind kind;
	uint32_t index; /* rule or built-in */
	uint64_t steps; /* taken so far */
};

struct vm_trace {
	struct vm_trace_entry *entries; /* the owner's */
	uint32_t room, count;           /* count beyond room: that many were not kept */
};

enum vm_result {
	VM_DONE,    /* came to its end */
	VM_STOPPED, /* by STOP; vm.rule says in which rule */
	VM_FAULT,   /* a budget is used up or a built-in failed; vm.fault says which */
};

struct vm {
	const struct program *program;
	struct value *vars;
	struct arena *arena;
	struct vm_limits limits;
	void *host; /* for the host's built-ins */
	const struct set *const
	    *host_sets;         /* instead of the program's first ones; NULL: as they are */
	struct vm_trace *trace; /* NULL: none is kept */
	uint64_t steps;
	uint32_t checks;
	size_t memory; /* octets left */
	uint32_t rule; /* in hand; UINT32_MAX: none */
	const char *fault;
	struct set_memory regex;
};

/* host and trace are set by the caller afterwards. */
void vm_begin(struct vm *vm, const struct program *program, struct value *vars, struct arena *arena,
    const struct vm_limits *limits);
/* Runs an event's entry; DONE at once where it has none. May be called again, for the next event. */
enum vm_result vm_run(struct vm *vm, unsigned event);

/* ---- for built-ins ---- */

/* Memory that lives as long as the arena; NULL when the run's memory is used up. */
void *vm_take(struct vm *vm, size_t n);
/* A copy of the text, cut to max octets between characters; false: no memory is left. */
bool vm_text(struct vm *vm, slice text, size_t max, struct value *out);
/* Cuts a text, or a list and its elements, to so many octets and elements; false: no memory is left. */
bool vm_cut(struct vm *vm, struct value *v, size_t max, size_t count);
/* Sets a variable as a program would: cut to its length and range. */
void vm_set(struct vm *vm, uint32_t var, struct value value);
/* Ends the program; the text is a literal or the arena's. Always false. */
bool vm_fault(struct vm *vm, const char *why);
/* When the check in hand must have its answer. */
struct deadline vm_check_deadline(const struct vm *vm);
/* The value as text; false: no memory is left. */
bool vm_show(struct vm *vm, const struct value *v, enum text_form form, struct value *out);

/* Steps of handling a value; both for values and for the largest that a program may see. */
uint64_t value_cost(const struct value *v);

#endif

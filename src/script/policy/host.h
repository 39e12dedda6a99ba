/*
 * host: what a program that runs policies offers to them: events, variables, methods, as tables of words.
 *
 * The compiler knows none of these names by itself; it reads them from the host's tables, so a table is
 * at once the specification, the checker's knowledge and what `explain` prints.
 *
 *     static const struct policy_variable variables[] = {
 *             { "mailFrom", "address", "M", "", "p", "", "envelope sender" },
 *
 * Events are named by their letters, in the order in which they happen.
 */
#ifndef SCRIPT_POLICY_HOST_H
#define SCRIPT_POLICY_HOST_H

#include "script/policy/ast.h"
#include "script/vm/vm.h"

struct policy_event {
	char letter;
	const char *name, *context;
	const char *verdicts; /* words allowed in it, with blanks between */
	bool may_miss;        /* may not happen: no rule is placed here */
	const char *fires;    /* when, for people */
};

struct policy_variable {
	const char *name;
	/* "string", "number 0-23", "size 0-9 KB", "{pass fail}", "list of address", "list of string 1000" ... */
	const char *type;
	/* "M": known from M on; "[F T]": only there; "A>M": readable from A, settled at M; "": nobody tells it */
	const char *from;
	const char *set; /* letters of events in which it may be set; "C-D" a run of them; "all" */
	/* p peer value; ! takes none; g a condition on it guards what is dangerous; n so do narrow networks;
	 * a outcome word; x its text; c its code; e its enhanced code */
	const char *flags;
	const char *standard; /* default; "conf": the basic setting */
	const char *meaning;
	const char *danger; /* the word that may be set under a guard only; NULL: none */
	const char *alias;  /* another name of the same */
};

enum policy_method_kind { METHOD_FUNCTION, METHOD_CHECK, METHOD_ACTION };

struct policy_method {
	const char *name;
	enum policy_method_kind kind;
	/* "name type flags, ...": flags ! no peer value, @ taken from the variable of that name when left out,
	 * ? may be left out, + becomes a recipient. Types of functions also: any, list, table, regex, glob,
	 * const (a string that stands there), same (as the first) */
	const char *params;
	const char *outputs; /* variables of a check, the first is its value */
	const char *events;
	const char *
	    result; /* a type; "p" at its end: peer value; "same": the first argument's peer mark */
	const char *meaning, *example;
	const char *engine; /* what it needs that is not built yet; NULL: it is there */
	vm_builtin_fn *run; /* NULL: the host's call */
	uint32_t cost;
};

struct policy_host {
	const struct policy_event *events;
	const struct policy_variable *variables;
	const struct policy_method *methods;
	unsigned event_count, variable_count, method_count;
	vm_builtin_fn *call;       /* checks and actions; self->id is the method's index */
	const char *const *tables; /* predefined: "localDomains domain", ..., NULL at the end */
};

/* ---- what the tables say, read once ---- */

struct host_variable {
	const struct policy_variable *spec;
	struct type type;
	int64_t least, most;
	uint32_t max, count;
	uint32_t known, settled, settable; /* bits of events */
	bool peer, no_peer, guard, network;
	uint32_t same; /* the variable itself, or the one it is an alias of */
};

struct host_param {
	slice name;
	struct type type;
	char
	    word; /* of a function: 'a' any, 'l' list, 't' table, 'r' regex, 'g' glob, 'c' const; else '\0' */
	bool no_peer, from_variable, optional, recipient, many;
	uint32_t variable;
};

#define METHOD_PARAMS_MAX 4

struct host_method {
	const struct policy_method *spec;
	struct host_param params[METHOD_PARAMS_MAX];
	unsigned param_count, needed;
	uint32_t outputs[8];
	unsigned output_count;
	uint32_t events;
	struct type result;
	bool peer, peer_as_argument;
};

struct host_info {
	const struct policy_host *host;
	struct host_variable *variables;
	struct host_method *methods;
	uint32_t outcome, outcome_text, outcome_code,
	    outcome_enhanced; /* variables; UINT32_MAX: none */
};

/* Reads the tables; a mistake in them is our bug. The result is the arena's. */
struct host_info *host_read(const struct policy_host *host, struct arena *arena);
/* -1: no such event. */
int host_event(const struct policy_host *host, slice name);
/* The first event of the bits. */
unsigned event_first(uint32_t events);
/* "onMailFrom, onRcptTo". */
const char *events_text(const struct policy_host *host, uint32_t events, struct arena *arena);
/* As it is written in a policy. */
const char *type_text(const struct type *t, struct arena *arena);
/* The same with its article: "an ip". */
const char *type_a(const struct type *t, struct arena *arena);
/* Most octets of one value, and most elements of a list. */
uint32_t type_max(const struct type *t);
uint32_t type_count(const struct type *t);
enum value_kind type_kind(const struct type *t);
/* Is the word one of these, with blanks between? */
bool word_among(const char *words, slice word);

/* The functions that need no host: count, lower, domainOf ... To be listed in a host's methods. */
extern const struct policy_method policy_functions[];
extern const unsigned policy_function_count;

#endif

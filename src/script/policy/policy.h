/*
 * policy: a policy's text made into a program.
 *
 *     struct policy *p = policy_compile(&host, &sources, "main.policy", arena);
 *     if (!p) sources_print(&sources, false, &out);   (what is wrong, every error of the text)
 *     else vm_begin(&vm, p->program, vars, turn, &limits), vm_run(&vm, EVENT);
 *
 * The result lives in the arena of the sources and is immutable. A policy with errors gives no program.
 * What the text may make us hold and do is bounded (README.md); the arena should have room for ARENA_POLICY.
 */
#ifndef SCRIPT_POLICY_POLICY_H
#define SCRIPT_POLICY_POLICY_H

#include "script/policy/host.h"

#define ARENA_POLICY (1ull << 30)

struct policy_rule {
	const char *name;
	struct range range;
	unsigned priority;
	uint32_t events; /* bits; 0: disabled */
	bool shadow, disabled;
};

struct policy {
	struct program *program;
	const struct host_info *host;
	struct sources *sources;
	struct policy_rule *rules; /* by priority; the program's rules have the same numbers */
	uint32_t rule_count;
	uint32_t kept_first,
	    kept_count;     /* variables that were exported: they stay from event to event */
	struct decl *decls; /* with the tests */
	/* What a condition of a session may name beside the host's: */
	struct table *tables;
	uint32_t table_count;
	struct custom *customs;
	uint32_t custom_count;
};

/* The steps that an event may take, by its letter's place in the host's table. */
struct policy_limits {
	uint64_t steps; /* 0: VM_STEPS */
	uint64_t least_steps;
	uint32_t least_events; /* bits of events that get least_steps only */
};

/* Compiles the file of this index (of sources_add). NULL: sources has errors. */
struct policy *policy_compile(const struct policy_host *host, struct sources *sources,
    uint32_t file, const struct policy_limits *limits);
/* A condition of a session as a program of its own, in this arena: event 0 sets the variable *result_out to its
 * value. Its variables are the host's, then those that the policy exports, by the same numbers. NULL: messages
 * say why. */
struct program *policy_condition(
    const struct policy *p, struct node *expr, struct arena *arena, uint32_t *result_out);
/* Reads a file for `sources`: context is unused. Regular files only. */
source_read policy_read_file;

#endif

/* What the files of this room share. */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H

#include <stdatomic.h>

#include "policy/policy.h"
#include "script/policy/policy.h"

#define BODY_CHUNK_STEPS 100000 /* of onBodyChunk, which may run a thousand times */

/* A compiled version, shared by all who began under it. */
struct policy_version {
	atomic_int refs;
	int64_t number;
	struct arena *arena;
	struct sources sources;
	struct policy
	    *policy; /* NULL: this program cannot read it; every event ends with on_error */
	const struct set *sets[2];  /* of the predefined tables */
	uint32_t *kept, kept_count; /* variables that an event may set and that stay */
	bool *reads;                /* by variable */
	bool travels;               /* what it knows goes along with messages */
};

#define POLICY_ZONES 16

struct policy_state {
	struct policy_version *version;
	struct arena *arena;
	struct value *vars; /* NULL: the version is broken */
	size_t kept;        /* octets */
	struct policy_state
	    *connection; /* of a message: where it came by; NULL: nowhere, or it is one itself */
	/* Answers of this connection: one for each zone. */
	struct {
		slice zone;
		struct value result, explanation;
	} zones[POLICY_ZONES];
	unsigned zone_count;
};

extern struct policy_settings policy_settings;
extern uint32_t fact_ids[FACT_COUNT];

/* facts.c: looks the numbers up. */
void facts_start(void);
/* calls.c: what programs call. */
void calls_start(const struct policy_host *host);
bool policy_call(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out);
/* checks.c: the check of this name; NULL: it is not built yet. */
vm_builtin_fn *check_find(const char *name);
/* The outputs of a check that has no answer: temperror, or unknown. */
void check_failed(struct vm *vm, const struct host_method *method);
/* version.c: the active one, NULL where there is none; and it is not needed any more (NULL is allowed). */
struct policy_version *version_hold(void);
void version_release(struct policy_version *v);
/* facts.c: a variable's new value, cut to its length and range. */
void state_set(struct policy_state *state, uint32_t var, struct value value);
/* fire.c: a value as long as the state lives; false: too much is kept already. */
bool state_keep(struct policy_state *state, struct value *value);

#endif

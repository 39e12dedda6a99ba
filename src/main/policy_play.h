/* policy_play: what the files of policy_run share. */
#ifndef MAIN_POLICY_PLAY_H
#define MAIN_POLICY_PLAY_H

#include "main/policy_run.h"
#include "policy/tables.h"

#define CALLS_MAX  256 /* actions of a step that are kept */
#define FIELDS_MAX 1000
#define RCPTS_MAX  1000

#define FAILURES_SHOWN 20 /* of a session */

struct played_call {
	uint32_t method;
	struct value args[4];
	unsigned count;
};

struct field {
	slice name, value;
};

struct play {
	const struct policy *policy;
	struct arena *arena;
	struct buf *out;
	bool quiet, connected, in_mail, has_data, refused_all;
	unsigned failed;
	const struct step *step;
	struct value *vars;
	const struct set *sets[2];
	const struct step *given; /* steps up to the one in hand may give facts */
	/* of the step in hand */
	slice action, text, enhanced;
	int64_t code;
	uint32_t rule;
	struct vm_trace_entry trace[256];
	unsigned trace_count;
	struct played_call calls[CALLS_MAX];
	unsigned call_count;
	struct field fields[FIELDS_MAX];
	unsigned field_count;
	struct value rcpts[RCPTS_MAX];
	unsigned rcpt_count;
	/* connection and message */
	struct value *kept; /* exported variables as a message starts with them; NULL: unknown */
	int64_t now_ms, mail_ms;
	bool has_time, relayed;
	unsigned attempts;
	struct seen {
		struct seen *next;
		slice key;
		int64_t at_ms;
	} * rates, *greys;   /* newest first */
	const char *missing; /* a DNS question that nothing answers: what to give */
};

bool play_refused(const struct play *p);
void play_expect(struct play *p, const struct step *s);

/* ---- policy_facts.c: what the session gives ---- */

/* Variables known from these events on begin as their defaults and as they were given. */
void play_start(struct play *p, unsigned from);
/* A line `given` takes effect, also on what is known already. */
void play_take(struct play *p, const struct step *s);
/* The server's tables at the start. */
void play_sets(struct play *p);
/* Exported variables: kept for the messages to come; and as they were kept. */
void play_keep(struct play *p);
void play_forget(struct play *p);
/* The clock goes on. */
void play_clock(struct play *p, int64_t ms);
/* A value as this variable may hold it: cut, and clean where a peer says it. */
struct value play_fit(struct play *p, const struct host_variable *v, struct value value);
/* A file beside the session or below; false: said why. */
bool play_file(struct play *p, slice path, slice *out);

/* ---- policy_stores.c, policy_names.c: checks with an answer of their own; false: the name is none of them, or
 * vm->fault says what is missing ---- */

bool play_store_check(struct vm *vm, struct play *p, const char *name, const struct value *args);
bool play_dns_check(struct vm *vm, struct play *p, const char *name, const struct value *args);

/* Says why the step fails. */
void play_fail(struct play *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A constant of a session as a value of the type; unknown if it does not fit. */
struct value play_value(struct play *p, const struct type *t, const struct given *g);
void play_set(struct play *p, const char *variable, struct value value);
/* The last fact of this name given so far; NULL: none. */
const struct given *play_given(const struct play *p, const char *name);
/* The last answer given to a check with these arguments. */
const struct step *play_answer(
    const struct play *p, const char *name, const struct value *args, unsigned count);
/* A header change or reading. */
void play_header_change(struct play *p, const char *method, slice name, slice value);
struct value play_header(struct vm *vm, struct play *p, slice name, bool all);

#endif

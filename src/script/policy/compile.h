/* compile: what the checker and the emitter share; only for files of this folder. */
#ifndef SCRIPT_POLICY_COMPILE_H
#define SCRIPT_POLICY_COMPILE_H

#include "script/policy/host.h"
#include "script/policy/parse.h"

enum use_kind { USE_READ, USE_SET, USE_METHOD, USE_VERDICT, USE_CUSTOM };

/* Something that a block needs of the event in which it runs. */
struct use {
	struct use *next;
	enum use_kind kind;
	uint32_t index; /* variable, method, custom variable */
	slice verdict;
	struct range range;
};

struct local {
	struct local *next;
	slice name;
	struct type type;
	bool peer;
	uint32_t slot;
};

/* A custom variable within one function. */
struct place {
	struct place *next;
	uint32_t custom, slot;
	bool set;
};

/* A method, rule or block. */
struct func {
	struct decl *decl;
	uint32_t index; /* of the program's function, once it is emitted; UINT32_MAX before */
	uint32_t events;
	struct use *uses, **uses_last;
	struct callee {
		struct callee *next;
		struct func *func;
		struct range range;
	} * callees;
	struct local *locals;
	struct local *params; /* in order; locals of a method */
	struct place *places;
	unsigned state, stamp; /* of walks over the callees */
	unsigned depth;        /* methods below it */
	bool accepts, has_verdict, asked_table;
	struct func *next_in_event[VM_EVENTS];
};

struct custom {
	slice name;
	struct node *first; /* its first SET */
	struct func *func;  /* in which that is */
	struct type type;
	unsigned state; /* of finding its type: 0 not yet, 1 on it, 2 found */
	bool peer, read, exported, circular;
	uint32_t export_events, block_events, rule_events;
	uint32_t kept;      /* slot; UINT32_MAX: none */
	uint32_t set_event; /* of the last rule placed that exports it */
	uint32_t slot;      /* of rules and blocks, which never run within one another */
};

struct table {
	slice name;
	struct decl *decl; /* NULL: predefined */
	enum set_kind kind;
	enum base key;
	struct type to;
	bool has_to;
	const struct set *set; /* NULL: the host's, empty until it says */
	uint32_t set_index;
};

struct name_slot {
	slice name;
	enum {
		NAME_NONE,
		NAME_VARIABLE,
		NAME_METHOD,
		NAME_EVENT,
		NAME_TABLE,
		NAME_FUNC,
		NAME_CUSTOM
	} kind;
	uint32_t index;
};

struct compiler {
	struct sources *src;
	struct arena *arena;
	struct host_info *host;
	struct tree tree;
	struct name_slot *names;
	uint32_t name_size, name_count;
	struct func *funcs; /* of the declarations with a body, in their order */
	uint32_t func_count;
	struct custom *customs;
	uint32_t custom_count, custom_room;
	struct table *tables;
	uint32_t table_count;
	struct func **order; /* rules by priority */
	uint32_t rule_count;
	/* while checking */
	struct func *func;
	bool quiet;   /* nothing is said or noted */
	bool silent;  /* nothing is said */
	bool changed; /* a peer mark spread; look again */
	unsigned stamp;
	unsigned guards;
	unsigned nested;
	slice of;           /* the variable that a constant is for */
	bool *set_anywhere; /* of variables */
	bool *peer;         /* of variables: somewhere one is set to what a peer said */
	bool (*read_file)(void *context, const char *name, slice *out, struct error *error);
};

/* ---- names ---- */

struct name_slot *name_find(struct compiler *c, slice name);
/* Adds it; false and a message: it is taken. */
bool name_add(struct compiler *c, slice name, int kind, uint32_t index, struct range range);
/* ", did you mean 'x'?" or "". */
const char *name_like(struct compiler *c, slice name, unsigned kinds);
/* What the host and, so far, the tables are called; before check_names(). */
void check_host_names(struct compiler *c);
/* Declarations and custom variables get their names. */
void check_names(struct compiler *c);
void say(struct compiler *c, enum remark_kind kind, struct range range, const char *hint,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- types ---- */

bool type_same(const struct type *a, const struct type *b);
/* A constant becomes one of the type; false and a message: it does not fit. */
bool const_fit(struct compiler *c, struct node *n, const struct type *t);
/* The same, and nothing is said. */
bool const_fits(struct compiler *c, struct node *n, const struct type *t);
/* Can a value of one type stand where the other is wanted? */
bool type_converts(const struct type *from, const struct type *to);
/* A constant fits, anything else converts; false and a message. what: "an argument of %.*s". */
bool expr_fit(struct compiler *c, struct node *n, const struct type *t, const char *what, slice of);
struct type custom_type(struct compiler *c, uint32_t index);
const char *shown(struct compiler *c, const struct node *n);

/* ---- walks ---- */

/* Gives the expression and all below it types; wants may be NULL. */
void check_expr(struct compiler *c, struct node *n);
void check_condition(struct compiler *c, struct node *n);
void check_call(struct compiler *c, struct node *n, bool statement);
void check_body(struct compiler *c, struct func *f);
void use_add(
    struct compiler *c, enum use_kind kind, uint32_t index, slice verdict, struct range range);
bool is_guard(struct compiler *c, const struct node *n);
/* A slot of this function for a custom variable. */
struct place *place_of(struct compiler *c, uint32_t custom);
/* Old functions, is(a, b) and others, become the operators that they mean. */
void check_old(struct compiler *c, struct node *n);
struct local *local_find(struct compiler *c, slice name);
/* The set of a list, for values of this type. */
const struct set *list_set(
    struct compiler *c, struct node *list, const struct type *left, bool exact);
const struct set *pattern_set(struct compiler *c, struct node *patterns);
/* A constant's type when nothing asks for one. */
struct type const_type(const struct node *n);
/* Can values of this type be looked for among the keys of the table? */
void check_key(struct compiler *c, const struct node *key, const struct table *t);
/* The place of this name takes no peer value. */
void check_peer(struct compiler *c, const struct node *n, const char *name);
/* What both sides of a comparison become. */
struct type compare_type(const struct node *n);
/* A constant condition: 1 yes, 0 no, -1 neither. */
int const_condition(const struct node *n);

/* ---- events ---- */

/* Where methods run, where rules are placed, what is out of place. */
void check_events(struct compiler *c);

void check_tables(struct compiler *c);
/* All checks. */
void check_policy(struct compiler *c);
struct program *policy_emit(struct compiler *c);

#endif

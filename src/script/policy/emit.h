/* emit: what the files of the emitter share; only for files of this folder. */
#ifndef SCRIPT_POLICY_EMIT_H
#define SCRIPT_POLICY_EMIT_H

#include "script/policy/compile.h"
#include "script/policy/policy.h"

struct emitter {
	struct compiler *c;
	struct instruction *code;
	struct value *consts;
	const struct set **sets;
	struct program_var *vars;
	struct program_func *funcs;
	uint32_t code_count, code_room, const_count, const_room, set_count, set_room, var_count,
	    var_room, func_count, func_room;
	struct func *func;
	struct local *locals; /* in reach */
};

uint32_t emit(struct emitter *e, enum op op, uint32_t a, uint16_t b);
/* The jump at `at` leads to what is emitted next. */
void emit_patch(struct emitter *e, uint32_t at);
void emit_const(struct emitter *e, struct value value);
uint32_t emit_var(struct emitter *e, slice name, const struct type *t);
uint32_t emit_table(struct emitter *e, uint32_t table);
void emit_expr(struct emitter *e, const struct node *n);
/* Converted to the type. */
void emit_as(struct emitter *e, const struct node *n, const struct type *t);
void emit_call(struct emitter *e, const struct node *n, bool statement);

#endif

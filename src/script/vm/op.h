/*
 * op: every instruction of the machine, one line each. Enum, dumper and verifier are made from this table.
 *
 *     X(name, word, operand, pops, pushes, what it does and costs beside 1 step)
 *
 * pops and pushes are kinds (value.h), the deepest first: t text, n number, y yes or no, i address, l list,
 * * any; "2" two of one kind, the left may be a list; "-" stands for what the instruction itself says. Unknown
 * has a place in every kind. A text costs 1 step for each 64 octets, a list 1 for each element beside.
 */
#ifndef SCRIPT_VM_OP_H
#define SCRIPT_VM_OP_H

#include <stdint.h>

enum operand {
	OPERAND_NONE,
	OPERAND_CONST,   /* index of a constant */
	OPERAND_VAR,     /* of a variable */
	OPERAND_SET,     /* of a set */
	OPERAND_JUMP,    /* of an instruction further down */
	OPERAND_BACK,    /* of the loop's NEXT above */
	OPERAND_NEXT,    /* instruction behind the loop; b: the variable */
	OPERAND_FUNC,    /* of a function before this one */
	OPERAND_BUILTIN, /* of a built-in; b: number of arguments */
	OPERAND_COUNT,   /* how many */
	OPERAND_FORM,    /* enum text_form */
	OPERAND_SCALE,   /* thousandths of the unit */
	OPERAND_RULE,    /* of a rule */
};

#define OPS(X)                                                                                     \
	X(CONST, "const", CONST, "", "-", "push a constant")                                       \
	X(VAR, "var", VAR, "", "-", "push a variable's value")                                     \
	X(SET, "set", VAR, "-", "", "a variable's new value, cut to its length and range")         \
	X(CLEAR, "clear", VAR, "", "", "a variable becomes unknown")                               \
	X(POP, "pop", NONE, "*", "", "drop a value")                                               \
	X(TEXT, "text", FORM, "*", "t", "as text; costs as the value")                             \
	X(SCALE, "scale", SCALE, "n", "n", "thousandths to octets: n * a / 1000")                  \
	X(JOIN, "join", COUNT, "-", "t",                                                           \
	    "join a texts to one of at most 1 KiB; costs as the result")                           \
	X(ADD, "add", NONE, "nn", "n", "unknown on overflow")                                      \
	X(SUB, "sub", NONE, "nn", "n", "unknown on overflow")                                      \
	X(MUL, "mul", NONE, "nn", "n", "l * r / 1000; unknown on overflow")                        \
	X(DIV, "div", NONE, "nn", "n", "l * 1000 / r, cut off; unknown on overflow or r = 0")      \
	X(NEG, "neg", NONE, "n", "n", "unknown on overflow")                                       \
	X(EQ, "eq", NONE, "2", "y", "equal, without case; no if one is unknown; costs as both")    \
	X(LT, "lt", NONE, "nn", "y", "no if one is unknown")                                       \
	X(LE, "le", NONE, "nn", "y", "no if one is unknown")                                       \
	X(GT, "gt", NONE, "nn", "y", "no if one is unknown")                                       \
	X(GE, "ge", NONE, "nn", "y", "no if one is unknown")                                       \
	X(EMPTY, "empty", NONE, "*", "y", "unknown, an empty text or an empty list?")              \
	X(NOT, "not", NONE, "y", "y", "unknown counts as no")                                      \
	X(FIND, "find", SET, "-", "y",                                                             \
	    "is it, or one of its elements, in the set? costs as the set")                         \
	X(LOOKUP, "lookup", SET, "-", "-", "the value that the key leads to; costs as the set")    \
	X(EXTRACT, "extract", SET, "t", "t", "first group of the first match; costs as the set")   \
	X(AND, "and", JUMP, "y", "-", "not yes: no stays and jumps; yes: dropped")                 \
	X(OR, "or", JUMP, "y", "-", "yes: stays and jumps; not yes: dropped")                      \
	X(JUMP, "jump", JUMP, "", "", "go there")                                                  \
	X(UNLESS, "unless", JUMP, "y", "", "go there if it is not yes")                            \
	X(CALL, "call", BUILTIN, "-", "-", "a built-in; costs what it says, and as its arguments") \
	X(INVOKE, "invoke", FUNC, "", "", "run a function; costs as it does")                      \
	X(RETURN, "return", NONE, "", "", "end of the function, out of every loop")                \
	X(STOP, "stop", NONE, "", "", "end of the program")                                        \
	X(EACH, "each", NONE, "l", "ln", "begin a loop over a list")                               \
	X(NEXT, "next", NEXT, "ln", "-", "next element to variable b, or drop both and leave")     \
	X(BACK, "back", BACK, "ln", "ln", "to the loop's NEXT")                                    \
	X(RULE, "rule", RULE, "", "", "here begins a rule")                                        \
	X(MATCHED, "matched", RULE, "", "", "its conditions held; traced")

enum op {
#define X(name, ...) OP_##name,
	OPS(X)
#undef X
	    OP_COUNT
};

/* How a value is shown as text. */
enum text_form {
	FORM_PLAIN,  /* texts, addresses, yes and no, lists joined by ", " */
	FORM_NUMBER, /* thousandths, durations in seconds */
	FORM_SIZE,   /* octets */
	FORM_KSIZE,  /* octets, shown in KB */
	FORM_COUNT
};

struct instruction {
	uint8_t op;
	uint8_t form; /* of list elements after `text` */
	uint16_t b;
	uint32_t a;
};

struct op_info {
	const char *word;
	enum operand operand;
	const char *pops, *pushes, *what;
};

extern const struct op_info op_infos[OP_COUNT];

#endif

/*
 * value: what a program computes with.
 *
 * A text is a slice of the session's arena, of the program or of a literal; nobody here frees anything. A number
 * is 64 bits whose unit the compiler knows: thousandths, octets or milliseconds. The value unknown has a place in
 * every type; an empty text or list counts as unknown where it is compared.
 */
#ifndef SCRIPT_VM_VALUE_H
#define SCRIPT_VM_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/ip.h"

enum value_kind {
	VALUE_UNKNOWN,
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_YESNO,
	VALUE_IP,
	VALUE_LIST,
};

struct value {
	enum value_kind kind;
	union {
		slice text;
		int64_t number;
		bool yes;
		struct ip ip;
		struct {
			const struct value *items;
			size_t count;
		} list;
	};
};

#define VALUE_TEXT_OF(slice_) ((struct value){ .kind = VALUE_TEXT, .text = (slice_) })
#define VALUE_NUMBER_OF(n)    ((struct value){ .kind = VALUE_NUMBER, .number = (n) })
#define VALUE_YESNO_OF(y)     ((struct value){ .kind = VALUE_YESNO, .yes = (y) })

/* One letter a kind, as builtins declare them: t n y i l, and '?' for unknown. */
char value_letter(enum value_kind kind);
/* Unknown, an empty text or an empty list. */
bool value_empty(const struct value *v);
/* The answer of a condition: only yes is yes. */
static inline bool value_true(const struct value *v)
{
	return v->kind == VALUE_YESNO && v->yes;
}

/* ---- texts without case (Unicode simple folding); `exact` minds case ---- */

bool text_equal(slice a, slice b, bool exact);
/* A hash that is the same for texts that are equal without case. */
uint64_t text_hash(slice text);
/* Adds the text folded, so that octets can be compared. */
void text_fold(slice text, struct buf *out);
/* Does the whole text match: '*' any run, '?' one character, '\' quotes. Takes at most time of the length of the
 * text × that of the glob; of the text alone without a star. */
bool text_glob(slice text, slice glob, bool exact);
/* The text as a program may see what a peer said: each control character a '?', what is no UTF-8 U+FFFD, at most
 * max octets. A copy in the arena only where something is changed. */
slice text_clean(slice text, size_t max, struct arena *arena);
/* The first max octets, cut between characters. */
slice text_cut(slice text, size_t max);
/* Stars of a glob. */
unsigned glob_stars(slice glob);

/* ---- numbers as text ---- */

#define NUMBER_TEXT 32
/* Thousandths, without zeros at the end: "12", "0.5", "-3.25". The length. */
size_t number_write(int64_t thousandths, char out[NUMBER_TEXT]);
/* Digits, or digits '.' one to three digits, a '-' before; thousandths. false: anything else, or too large. */
bool number_read(slice text, int64_t *thousandths_out);

/* Equal of the same kind; texts without case; unknown equals nothing. */
bool value_equal(const struct value *a, const struct value *b);

#endif

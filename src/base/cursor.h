/*
 * cursor: reads a grammar off a slice, with a sticky error.
 *
 * Every parser takes whole input (net/ finds the frame) and reads it with one of these. After the
 * first mismatch nothing moves any more and `expected` says what was wanted and `at` where, so a
 * parser is a straight line with one test at its end.
 *
 *     struct cursor c = cursor_of(args);
 *     cursor_char(&c, '<', "'<'");
 *     slice local = cursor_span(&c, OCTET_ATEXT, "local part");
 *     cursor_char(&c, '>', "'>'");
 *     if (!cursor_done(&c))
 *             return error_input(error, "expected %s at column %zu", c.expected, c.at + 1);
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/octet.h"
#include "base/slice.h"

struct cursor {
	slice rest;
	const char *start;
	const char *expected; /* NULL: no error so far */
	size_t at;            /* offset of the error */
};

struct cursor cursor_of(slice input);
/* Octets read so far. */
size_t cursor_offset(const struct cursor *c);
/* Nothing left, or an error. */
bool cursor_end(const struct cursor *c);
/* The next octet, not taken; NUL at the end or after an error. */
char cursor_peek(const struct cursor *c);
/* Records the first error; always false. */
bool cursor_fail(struct cursor *c, const char *expected);
/* Takes c if it comes next, else fails. */
bool cursor_char(struct cursor *c, char want, const char *expected);
/* Takes c if it comes next; no error otherwise. */
bool cursor_try_char(struct cursor *c, char want);
/* Takes this word if it comes next (ASCII case ignored); no error otherwise. */
bool cursor_try(struct cursor *c, slice word);
/* Takes at least one octet of the classes; fails and gives an empty slice when there is none. */
slice cursor_span(struct cursor *c, unsigned classes, const char *expected);
/* Takes as many octets of the classes as there are, maybe none. */
slice cursor_skip(struct cursor *c, unsigned classes);
/* Takes everything up to, not including, `stop`; fails when it does not come. */
slice cursor_until(struct cursor *c, char stop, const char *expected);
/* Takes exactly n octets, or fails. */
slice cursor_take(struct cursor *c, size_t n, const char *expected);
/* A decimal number of at most max. */
uint64_t cursor_number(struct cursor *c, uint64_t max, const char *expected);
/* No error and nothing left: the input was what the grammar says. Records "end" as expected when
 * something is left. */
bool cursor_done(struct cursor *c);

#endif

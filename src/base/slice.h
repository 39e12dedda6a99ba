/*
 * slice: borrowed text or octets, a pointer and a length.
 *
 * The one type in which text is passed around. It owns nothing: whoever made the memory (a session's
 * input, an arena, a literal) keeps it alive. It need not end in NUL; use arena_str() where a C
 * string is wanted. A slice of length 0 may have a NULL pointer.
 *
 *     slice verb = slice_head(line, 4);
 *     if (slice_eq_nocase(verb, SLICE("QUIT"))) ...
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
	const char *p;
	size_t n;
} slice;

/* A slice over a string literal. */
#define SLICE(literal) ((slice){ (literal), sizeof(literal) - 1 })

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline slice slice_of(const char *text)
{
	return (slice){ text, text ? strlen(text) : 0 };
}

/* The first n octets; all of s when it is shorter. */
static inline slice slice_head(slice s, size_t n)
{
	return (slice){ s.p, n < s.n ? n : s.n };
}

/* What follows the first n octets; empty when s is shorter. */
static inline slice slice_from(slice s, size_t n)
{
	return n < s.n ? (slice){ s.p + n, s.n - n } : (slice){ s.p ? s.p + s.n : NULL, 0 };
}

bool slice_eq(slice a, slice b);
/* Equal without regard to ASCII case. */
bool slice_eq_nocase(slice a, slice b);
bool slice_starts(slice s, slice prefix);
bool slice_starts_nocase(slice s, slice prefix);
bool slice_ends(slice s, slice suffix);
/* Order by octets, shorter first: <0, 0, >0. */
int slice_compare(slice a, slice b);
/* Index of the first c; s.n when there is none. */
size_t slice_find(slice s, char c);
/* Index where needle begins (ASCII case ignored); SIZE_MAX when it does not occur. */
size_t slice_search_nocase(slice s, slice needle);
/* Without leading and trailing SP, TAB, CR and LF. */
slice slice_trim(slice s);
/* Decimal digits only, no sign, at most max: true and *out set. Empty or anything else: false. */
bool slice_number(slice s, uint64_t max, uint64_t *out);

#endif

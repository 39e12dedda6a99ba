/*
 * set: constant things that a value is looked for in: lists after `in`, tables, and patterns.
 *
 *     struct set_maker m;
 *     set_begin(&m, SET_DOMAIN, arena);
 *     if (!set_add(&m, SLICE(".bank.example"), SLICE(""), &error)) ...
 *     const struct set *set = set_end(&m, &error);
 *     if (set_find(set, &value, &found)) ...
 *
 * What is most exact is found first. All memory is the arena's; a regular expression is released with it.
 * A set is immutable, so many may look into it at once.
 */
#ifndef SCRIPT_VM_SET_H
#define SCRIPT_VM_SET_H

#include "base/error.h"
#include "script/vm/value.h"

enum set_kind {
	SET_TEXT,    /* equal without case */
	SET_NUMBER,  /* numbers and ranges of them */
	SET_DOMAIN,  /* "example.org" itself, ".example.org" all below */
	SET_ADDRESS, /* "user@dom", "@dom", "@.dom", "user@" */
	SET_NETWORK, /* address, net/bits, net/mask, a-b */
	SET_PATTERN, /* globs and regular expressions */
};

#define SET_PATTERNS_MAX 1000
#define SET_ITEMS_MAX    1000000

struct set;

struct set_maker {
	struct set *set;
	struct arena *arena;
	size_t room;
};

void set_begin(struct set_maker *m, enum set_kind kind, struct arena *arena);
/* An item with the value that it leads to (of kind VALUE_UNKNOWN where there are none). false and error: it
 * is none of this kind. Copies what it keeps. */
bool set_add(struct set_maker *m, slice item, struct value value, struct error *error);
/* Numbers from first to last, both included. */
bool set_add_range(
    struct set_maker *m, int64_t first, int64_t last, struct value value, struct error *error);
/* A regular expression; PCRE2 without what may not end soon. exact: case counts. */
bool set_add_regex(struct set_maker *m, slice regex, bool exact, struct error *error);
/* A glob in which case counts, or not. */
bool set_add_glob(struct set_maker *m, slice glob, bool exact, struct error *error);
/* The finished set; error: two items disagree. */
const struct set *set_end(struct set_maker *m, struct error *error);

enum set_kind set_kind(const struct set *set);
size_t set_count(const struct set *set);
/* The kind of value that is looked for in it. */
enum value_kind set_key_kind(const struct set *set);
/* The kind of the values that its items lead to, and the most octets of one. */
enum value_kind set_value_kind(const struct set *set, uint32_t *max_out);
/* Steps of one look with a key of n octets: 4, or what its patterns cost; what regular expressions cost more
 * is counted in set_memory. */
uint64_t set_cost(const struct set *set, size_t n);
/* The most that a look may cost with a key of at most n octets, regular expressions included. */
uint64_t set_cost_max(const struct set *set, size_t n);
/* Of a network set: the fewest bits that an IPv4 (true) or IPv6 network in it fixes; 128 when there is none. */
unsigned set_narrowest(const struct set *set, bool four);

/* Where regular expressions get their memory while they run; NULL: none is left. */
struct set_memory {
	void *(*take)(size_t n, void *from);
	void *from;
	void *match, *context; /* kept between matches; NULL at first */
	/* What regular expressions did: */
	uint64_t cost; /* steps, beside what set_cost() says of a text and an expression */
	size_t units, most, last;
	bool given_up; /* one came to its bound: that is no match */
};

/* Is the key in it? *found: the value of the most exact item; NULL is allowed. memory: for patterns with
 * regular expressions. */
bool set_find(
    const struct set *set, const struct value *key, struct set_memory *memory, struct value *found);
/* The first group of the first match of the set's first regular expression; false: no match. */
bool set_extract(const struct set *set, slice text, struct set_memory *memory, slice *out);

#endif

/* set_internal: what a set is made of; for set.c (making), set_find.c (looking) and set_regex.c. */
#ifndef SCRIPT_VM_SET_INTERNAL_H
#define SCRIPT_VM_SET_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "script/vm/set.h"

struct set_range {
	struct ip first,
	    last; /* a number is an address whose last eight octets are ordered as it is */
	struct value value;
	uint32_t parent; /* the narrowest range around it; UINT32_MAX: none */
};

struct set_item {
	uint64_t hash;
	slice key;
	struct value value;
	bool used;
};

struct set_pattern {
	slice glob;
	pcre2_code *regex; /* NULL: a glob */
	struct value value;
	bool exact;
};

struct set {
	enum set_kind kind;
	size_t count;
	void *things; /* items, ranges or patterns in the order given */
	struct set_item *table;
	size_t table_size; /* a power of two */
	bool has_values;
	enum value_kind value_kind;
	uint32_t value_max;
	uint64_t stars; /* of all globs: what one costs for each 64 octets of a text */
	uint64_t regexes;
	unsigned narrowest[2]; /* IPv6, IPv4 */
};

/* Compiles it; refuses back-references, look-around, recursion, callouts and verbs. */
pcre2_code *set_regex_compile(slice regex, bool exact, struct arena *arena, struct error *error);
bool set_regex_match(pcre2_code *code, slice text, struct set_memory *memory, slice *group);
/* Match units that an expression may take over a text of n octets, and then is no match. */
size_t set_regex_units(size_t n);
struct ip set_number_key(int64_t n);

#endif

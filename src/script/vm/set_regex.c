/* Regular expressions: PCRE2 without what may not end soon, and within the caller's memory. */
#include "base/octet.h"
#include "script/vm/set_internal.h"

#define HEAP_KIB   256
#define REGEX_MAX  1024 /* octets of an expression */
#define REPEAT_MAX 1000 /* of {n}: what is repeated is scanned without being counted */

static void regex_free(void *code)
{
	pcre2_code_free(code);
}

/* What a group after '(' begins with and may not. NULL: fine. */
static const char *bad_group(slice rest)
{
	if (slice_starts(rest, SLICE("*")))
		return "verbs like (*X) are not allowed";
	if (!slice_starts(rest, SLICE("?")))
		return NULL;
	rest = slice_from(rest, 1);
	if (slice_starts(rest, SLICE(":")) || (rest.n && strchr("imsxnUJ-^", rest.p[0])))
		return NULL;
	if (slice_starts(rest, SLICE("<=")) || slice_starts(rest, SLICE("<!")) ||
	    slice_starts(rest, SLICE("=")) || slice_starts(rest, SLICE("!")))
		return "look-around is not allowed";
	if (slice_starts(rest, SLICE("<")) || slice_starts(rest, SLICE("P<")) ||
	    slice_starts(rest, SLICE("|")) || slice_starts(rest, SLICE(">")))
		return NULL;
	return "recursion, conditions, callouts and references are not allowed";
}

/* "{n", "{n,m": a number in it above REPEAT_MAX. */
static bool repeats_much(slice rest)
{
	unsigned n = 0;

	for (size_t i = 1; i < rest.n && (octet_is(rest.p[i], OCTET_DIGIT) || rest.p[i] == ',');
	     i++) {
		n = rest.p[i] == ',' ? 0 : n * 10 + (unsigned)(rest.p[i] - '0');
		if (n > REPEAT_MAX)
			return true;
	}
	return false;
}

/* NULL: nothing in it that is not allowed. */
static const char *bad_part(slice regex)
{
	bool in_class = false;

	for (size_t i = 0; i < regex.n; i++) {
		char c = regex.p[i], next = i + 1 < regex.n ? regex.p[i + 1] : '\0';
		const char *bad = NULL;

		if (c == '\\') {
			if (!in_class &&
			    ((next >= '1' && next <= '9') || next == 'g' || next == 'k'))
				return "back-references are not allowed";
			/* Both would hide from here what the characters behind them begin. */
			if (next == 'Q' || next == 'C' || next == 'c')
				return "\\Q, \\C and \\c are not allowed";
			i++;
		} else if (in_class) {
			in_class = c != ']';
		} else if (c == '[') {
			in_class = true;
			/* A ']' that comes first is an ordinary character. */
			i += next == '^' && i + 2 < regex.n && regex.p[i + 2] == ']' ? 2
										     : next == ']';
		} else if (c == '(') {
			bad = bad_group(slice_from(regex, i + 1));
		} else if (c == '{' && repeats_much(slice_from(regex, i))) {
			bad = "a repeat count is at most 1,000";
		}
		if (bad)
			return bad;
	}
	return NULL;
}

pcre2_code *set_regex_compile(slice regex, bool exact, struct arena *arena, struct error *error)
{
	const char *bad = bad_part(regex);
	int number;
	size_t at;

	if (regex.n == 0 || regex.n > REGEX_MAX) {
		error_input(error, "a regular expression has 1 to %d octets", REGEX_MAX);
		return NULL;
	}
	if (bad) {
		error_input(error, "%s", bad);
		return NULL;
	}
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_set_parens_nest_limit(context, 32);
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)regex.p, regex.n,
	    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT |
		(exact ? 0 : PCRE2_CASELESS),
	    &number, &at, context);
	pcre2_compile_context_free(context);
	if (!code) {
		PCRE2_UCHAR text[128];

		pcre2_get_error_message(number, text, sizeof text);
		error_input(error, "%s at octet %zu of the expression", (const char *)text, at + 1);
		return NULL;
	}
	arena_defer(arena, regex_free, code);
	return code;
}

static void *take(size_t n, void *memory)
{
	struct set_memory *m = memory;

	return m->take(n, m->from);
}

static void give_back(void *p, void *memory)
{
	(void)p;
	(void)memory;
}

/*
 * PCRE2's own match limit begins anew at every place of the text where a match might start, so it bounds
 * nothing. Each item of the expression that is tried, and each octet that it went forward, is a unit here.
 */
static int count_unit(pcre2_callout_block *block, void *memory)
{
	struct set_memory *m = memory;
	size_t moved = block->current_position > m->last ? block->current_position - m->last : 0;

	m->last = block->current_position;
	m->units += 1 + moved / 8;
	return m->units > m->most ? PCRE2_ERROR_MATCHLIMIT : 0;
}

/* Made once for all matches of a run. */
static bool prepare(struct set_memory *m)
{
	if (m->match)
		return true;
	pcre2_general_context *general = pcre2_general_context_create(take, give_back, m);
	if (!general)
		return false;
	m->context = pcre2_match_context_create(general);
	if (!m->context)
		return false;
	pcre2_set_callout(m->context, count_unit, m);
	pcre2_set_heap_limit(m->context, HEAP_KIB);
	pcre2_set_depth_limit(m->context, 1000);
	m->match = pcre2_match_data_create(2, general);
	return m->match != NULL;
}

bool set_regex_match(pcre2_code *code, slice text, struct set_memory *memory, slice *group)
{
	if (!prepare(memory))
		return false;
	memory->most = set_regex_units(text.n);
	memory->units = memory->last = 0;
	int n = pcre2_match(code, (PCRE2_SPTR)text.p, text.n, 0, 0, memory->match, memory->context);
	memory->cost += 10 + (memory->units < memory->most ? memory->units : memory->most) / 10;
	memory->given_up |= n < 0 && n != PCRE2_ERROR_NOMATCH;
	if (n < 0)
		return false;
	if (!group)
		return true;
	const size_t *at = pcre2_get_ovector_pointer(memory->match);
	if (n == 1 || at[2] == PCRE2_UNSET || at[3] < at[2])
		return false;
	*group = (slice){ text.p + at[2], at[3] - at[2] };
	return true;
}

#include "imap/gather.h"

#include "base/octet.h"

void gather_init(struct gather *g, size_t text_max, size_t literal_max)
{
	*g = (struct gather){ .literal_max = literal_max };
	buf_init(&g->text, text_max);
}

void gather_reset(struct gather *g)
{
	buf_free(&g->text);
	g->literal = 0;
}

/* literal = "{" number ["+"] "}" at the end of the line; false when there is none */
static bool literal_find(slice line, uint64_t *n_out, bool *plus_out)
{
	size_t end = line.n, digits;

	if (end < 3 || line.p[end - 1] != '}')
		return false;
	end--;
	*plus_out = line.p[end - 1] == '+';
	end -= *plus_out;
	for (digits = end; digits > 0 && octet_is(line.p[digits - 1], OCTET_DIGIT);)
		digits--;
	if (digits == end || digits == 0 || line.p[digits - 1] != '{')
		return false;
	if (!slice_number((slice){ line.p + digits, end - digits }, UINT32_MAX, n_out))
		*n_out = UINT64_MAX;
	return true;
}

enum gather_result gather_line(struct gather *g, slice line)
{
	uint64_t n = 0;
	bool plus = false;
	bool literal = literal_find(line, &n, &plus);

	buf_add(&g->text, line);
	if (literal)
		buf_adds(&g->text, "\r\n");
	if (g->text.full || n > g->literal_max || n > g->text.max - g->text.n)
		return literal && plus ? GATHER_TOO_BIG_PLUS : GATHER_TOO_BIG;
	if (!literal)
		return GATHER_WHOLE;
	g->literal = n;
	return plus ? GATHER_LITERAL_PLUS : GATHER_LITERAL;
}

void gather_literal(struct gather *g, slice octets)
{
	buf_add(&g->text, octets);
	g->literal = 0;
}

/* What all productions use: the word in hand, errors, nodes. */
#include "script/policy/parse.h"

void parser_begin(struct parser *p, struct sources *src, uint32_t file, uint32_t *nodes)
{
	*p = (struct parser){ .src = src,
		.arena = src->arena,
		.nodes = nodes,
		.lexer = { .src = src, .file = file, .text = src->files[file].text } };
	parser_next(p);
}

void parser_next(struct parser *p)
{
	p->end = p->now.range.end;
	if (p->dead || p->src->files[p->lexer.file].errors > REMARKS_MAX) {
		p->lexer.at = p->lexer.text.n;
		p->dead = true;
	}
	p->now = lex_next(&p->lexer);
	if (p->now.kind == TOKEN_BAD)
		p->failed = true;
}

bool parser_fail(struct parser *p, struct range range, const char *hint, const char *what)
{
	if (!p->failed && !p->dead)
		remark_add(p->src, REMARK_ERROR, range, hint, "%s", what);
	p->failed = true;
	return false;
}

bool parser_expected(struct parser *p, const char *what)
{
	struct range range = p->now.range;

	if (p->failed || p->dead)
		return false;
	/* What is missing is missed behind the word before, when that is on another line. */
	slice between = source_text(p->src, (struct range){ range.file, p->end, range.at });
	if (p->end && slice_find(between, '\n') < between.n)
		range = (struct range){ range.file, p->end, p->end };
	if (p->now.kind == TOKEN_END)
		remark_add(
		    p->src, REMARK_ERROR, range, NULL, "expected %s, but the file ends", what);
	else
		remark_add(p->src, REMARK_ERROR, range, NULL, "expected %s before '%.*s'", what,
		    SLICE_ARG(slice_head(source_text(p->src, p->now.range), 40)));
	p->failed = true;
	return false;
}

bool parser_stray(struct parser *p, const char *what)
{
	if (p->failed || p->dead || p->now.kind == TOKEN_END)
		return parser_expected(p, what);
	return parser_fail(p, p->now.range, NULL,
	    arena_printf(p->arena, "expected %s before '%.*s'", what,
		SLICE_ARG(slice_head(source_text(p->src, p->now.range), 40))));
}

bool parser_at(const struct parser *p, const char *mark)
{
	return token_is(&p->now, mark);
}

bool parser_at_word(const struct parser *p, const char *word)
{
	return p->now.kind == TOKEN_NAME && slice_eq(p->now.text, slice_of(word));
}

bool parser_try(struct parser *p, const char *mark)
{
	if (p->failed || !parser_at(p, mark))
		return false;
	parser_next(p);
	return true;
}

bool parser_try_word(struct parser *p, const char *word)
{
	if (p->failed || !parser_at_word(p, word))
		return false;
	parser_next(p);
	return true;
}

bool parser_want(struct parser *p, const char *mark)
{
	char what[8] = { '\'', mark[0], '\'', '\0' };

	return parser_try(p, mark) || parser_expected(p, what);
}

bool parser_string(struct parser *p, slice *out)
{
	if (p->failed || p->now.kind != TOKEN_STRING)
		return parser_expected(p, "a string");
	*out = string_value(p->now.text, p->arena);
	parser_next(p);
	return true;
}

bool parser_name(struct parser *p, const char *what, slice *out)
{
	if (p->failed || p->now.kind != TOKEN_NAME)
		return parser_expected(p, what);
	if (is_reserved(p->now.text))
		return parser_fail(
		    p, p->now.range, NULL, "this word is part of the language and names nothing");
	*out = p->now.text;
	parser_next(p);
	return true;
}

/* One level deeper; the caller goes up again with p->depth--. */
bool parser_enter(struct parser *p)
{
	if (++p->depth <= NESTING_MAX)
		return true;
	parser_fail(p, p->now.range, NULL, "this is nested more than 64 levels deep");
	p->dead = true;
	return false;
}

struct node *node_new(struct parser *p, enum node_kind kind, struct range range)
{
	if (*p->nodes >= NODES_MAX) {
		parser_fail(p, range, NULL, "the policy is too large: more than 1,000,000 parts");
		p->dead = true;
	}
	++*p->nodes;
	struct node *n = ARENA_NEW(p->arena, struct node);
	n->kind = (uint8_t)kind;
	n->range = range;
	return n;
}

void node_grow(struct parser *p, struct node *n, const struct node *kid)
{
	if (!kid || kid->height < n->height)
		return;
	n->height = (uint16_t)(kid->height + 1);
	if (n->height > HEIGHT_MAX) {
		parser_fail(p, n->range, "take it apart, with variables for its parts",
		    "this expression is too long");
		p->dead = true;
	}
}

void parser_skip(struct parser *p)
{
	unsigned depth = 0;

	for (; p->now.kind != TOKEN_END; parser_next(p)) {
		if (depth == 0 && parser_at(p, "}"))
			break; /* of the block around */
		bool ends = depth == 0 && parser_at(p, ";");
		depth += parser_at(p, "{");
		if (parser_at(p, "}") && --depth == 0)
			ends = true;
		if (!ends)
			continue;
		p->failed = false;
		parser_next(p);
		if (!parser_at_word(p, "else"))
			return;
	}
	p->failed = false;
}

void parser_skipped(struct parser *p, uint32_t from)
{
	if (!p->tree)
		return;
	struct skipped *one = ARENA_NEW(p->arena, struct skipped);
	*one = (struct skipped){ .next = p->tree->skipped,
		.range = { p->lexer.file, from, p->end > from ? p->end : from } };
	p->tree->skipped = one;
}

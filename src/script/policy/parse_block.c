/* Statements. */
#include "script/policy/parse.h"

static const char *const verdicts[] = { "accept", "reject", "tmpreject", "discard", "quarantine",
	"disconnect" };

static const char *const reserved[] = { "import", "event", "method", "table", "rule", "test", "set",
	"export", "call", "if", "switch", "foreach", "return", "when", "all", "any", "then", "else",
	"case", "default", "in", "and", "or", "not", "matches", "yes", "no" };

bool is_verdict(slice word)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		if (slice_eq(word, slice_of(verdicts[i])))
			return true;
	return false;
}

bool is_reserved(slice word)
{
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
		if (slice_eq(word, slice_of(reserved[i])))
			return true;
	return is_verdict(word);
}

static void end_here(struct parser *p, struct node *n)
{
	n->range.end = p->end > n->range.end ? p->end : n->range.end;
}

/* verdict = ( "accept" | "discard" ) "(" ")" | ( "quarantine" | "disconnect" ) "(" TEXT ")"
 *     | ( "reject" | "tmpreject" ) "(" [ CODE "," ] [ ENHANCED "," ] TEXT ")" */
static struct node *parse_verdict(struct parser *p)
{
	struct node *n = node_new(p, NODE_VERDICT, p->now.range);
	slice word = p->now.text;
	bool codes = slice_eq(word, SLICE("reject")) || slice_eq(word, SLICE("tmpreject"));
	bool bare = slice_eq(word, SLICE("accept")) || slice_eq(word, SLICE("discard"));

	n->text = word;
	parser_next(p);
	parser_want(p, "(");
	if (codes && !p->failed && p->now.kind == TOKEN_NUMBER) {
		char class = slice_eq(word, SLICE("reject")) ? '5' : '4';

		if (p->now.text.n != 3 || !p->now.whole || p->now.text.p[0] != class)
			parser_fail(p, p->now.range, NULL,
			    class == '5' ? "the code of reject is 500 to 599"
					 : "the code of tmpreject is 400 to 499");
		n->number = p->now.number / 1000;
		parser_next(p);
		parser_want(p, ",");
	}
	if (codes && !p->failed && p->now.kind == TOKEN_ENHANCED) {
		char class = slice_eq(word, SLICE("reject")) ? '5' : '4';

		if (p->now.text.p[0] != class)
			parser_fail(p, p->now.range, NULL,
			    class == '5' ? "the enhanced code of reject begins with 5"
					 : "the enhanced code of tmpreject begins with 4");
		n->text2 = p->now.text;
		parser_next(p);
		parser_want(p, ",");
	}
	if (!bare && !p->failed)
		n->a = parse_text(p);
	else if (bare && !p->failed && !parser_at(p, ")"))
		parser_fail(
		    p, p->now.range, NULL, "accept and discard take nothing in their parentheses");
	parser_want(p, ")");
	end_here(p, n);
	parser_want(p, ";");
	return n;
}

/* "set" "(" NAME "," expr ")" ";" | "export" "(" NAME ")" ";" */
static struct node *parse_set(struct parser *p)
{
	bool set = parser_at_word(p, "set");
	struct node *n = node_new(p, set ? NODE_SET : NODE_EXPORT, p->now.range);

	parser_next(p);
	parser_want(p, "(");
	if (!p->failed)
		n->range = p->now.range;
	parser_name(p, "a variable's name", &n->text);
	if (set && parser_want(p, ","))
		n->a = parse_expr(p);
	parser_want(p, ")");
	parser_want(p, ";");
	return n;
}

/* "call" "(" NAME { "," arg } ")" ";" */
static struct node *parse_call(struct parser *p)
{
	struct node *n = node_new(p, NODE_DO, p->now.range), *last = NULL;

	parser_next(p);
	parser_want(p, "(");
	struct node *call = n->a = node_new(p, NODE_CALL, p->now.range);
	parser_name(p, "a method's name", &call->text);
	while (parser_try(p, ",")) {
		struct node *arg = parse_expr(p);

		if (last)
			last->next = arg;
		else
			call->kids = arg;
		last = arg;
	}
	parser_want(p, ")");
	end_here(p, n);
	parser_want(p, ";");
	return n;
}

static struct node *add_branch(struct parser *p, struct node *n, struct node *last)
{
	struct node *b = node_new(p, NODE_BRANCH, p->now.range);

	if (last)
		last->next = b;
	else
		n->kids = b;
	return b;
}

/* "if" "(" expr ")" block { "else" "if" "(" expr ")" block } [ "else" block ] */
static struct node *parse_if(struct parser *p)
{
	struct node *n = node_new(p, NODE_IF, p->now.range), *last = NULL;

	do {
		last = add_branch(p, n, last);
		if (parser_try_word(p, "if")) {
			parser_want(p, "(");
			if (!p->failed)
				last->a = parse_expr(p);
			parser_want(p, ")");
			last->b = parse_block(p);
		} else {
			last->b = parse_block(p);
			break;
		}
	} while (parser_try_word(p, "else"));
	return n;
}

static struct node *parse_statements(struct parser *p, bool in_case)
{
	struct node *block = node_new(p, NODE_BLOCK, p->now.range), *last = NULL;
	struct node *parse_statement(struct parser *);

	while (!p->dead && p->now.kind != TOKEN_END && !parser_at(p, "}") &&
	    !(in_case && (parser_at_word(p, "case") || parser_at_word(p, "default")))) {
		uint32_t from = p->now.range.at;
		struct node *s = parse_statement(p);

		/* What was not read whole is left out, so that the rest can be checked. */
		if (p->failed)
			s = NULL;
		if (p->failed && !p->dead) {
			parser_skip(p);
			parser_skipped(p, from);
		}
		if (!s)
			continue;
		s->from = from;
		s->to = p->end;
		if (last)
			last->next = s;
		else
			block->kids = s;
		last = s;
	}
	end_here(p, block);
	return block;
}

/* "switch" "(" expr ")" "{" { "case" const { "," const } ":" { statement } } [ "default" ":" ... ] "}" */
static struct node *parse_switch(struct parser *p)
{
	struct node *n = node_new(p, NODE_SWITCH, p->now.range), *last = NULL;
	bool had_default = false;

	parser_next(p);
	parser_want(p, "(");
	if (!p->failed)
		n->a = parse_expr(p);
	parser_want(p, ")");
	if (!parser_want(p, "{") || !parser_enter(p))
		return n;
	while (!p->failed && !parser_at(p, "}")) {
		last = add_branch(p, n, last);
		if (had_default)
			parser_fail(p, p->now.range, NULL, "nothing may follow 'default'");
		had_default = parser_try_word(p, "default");
		if (!had_default && !parser_try_word(p, "case"))
			parser_expected(p, "'case', 'default' or '}'");
		struct node *one = NULL;
		do {
			struct node *c = p->failed || had_default ? NULL : parse_const(p);

			if (one)
				one->next = c;
			else
				last->a = c;
			one = c;
		} while (!had_default && parser_try(p, ","));
		if (parser_want(p, ":"))
			last->b = parse_statements(p, true);
	}
	parser_want(p, "}");
	p->depth--;
	return n;
}

/* "foreach" NAME "in" name block */
static struct node *parse_foreach(struct parser *p)
{
	struct node *n = node_new(p, NODE_FOREACH, p->now.range);

	parser_next(p);
	n->range = p->now.range;
	parser_name(p, "a name", &n->text);
	if (!parser_try_word(p, "in"))
		parser_expected(p, "'in'");
	if (!p->failed)
		n->a = parse_name_or_call(p);
	n->b = parse_block(p);
	return n;
}

static struct node *unknown_statement(struct parser *p)
{
	static const char *const words[] = { "set", "export", "call", "if", "switch", "foreach",
		"return", "accept", "reject", "tmpreject", "discard", "quarantine", "disconnect",
		"else" };
	const char *close = NULL;

	for (size_t i = 0; i < sizeof words / sizeof words[0] && p->now.kind == TOKEN_NAME; i++)
		if (word_distance(p->now.text, slice_of(words[i]), 2) <= 2)
			close = words[i];
	if (parser_at_word(p, "else"))
		parser_fail(p, p->now.range, NULL, "'else' without an 'if' before it");
	else if (close && p->now.kind == TOKEN_NAME && !p->failed)
		parser_fail(p, p->now.range, NULL,
		    arena_printf(p->arena, "'%.*s' begins no statement; did you mean '%s'?",
			SLICE_ARG(p->now.text), close));
	else if (p->now.kind == TOKEN_NAME && !p->failed)
		parser_fail(p, p->now.range,
		    "set(name, value) sets a variable, call(name) calls a method",
		    arena_printf(p->arena, "'%.*s' begins no statement", SLICE_ARG(p->now.text)));
	else
		parser_stray(p, "a statement");
	return NULL;
}

struct node *parse_statement(struct parser *p);
struct node *parse_statement(struct parser *p)
{
	struct node *n = NULL;

	if (p->now.kind == TOKEN_NAME && is_verdict(p->now.text))
		return parse_verdict(p);
	if (parser_at_word(p, "set") || parser_at_word(p, "export"))
		return parse_set(p);
	if (parser_at_word(p, "call"))
		return parse_call(p);
	if (parser_at_word(p, "switch"))
		return parse_switch(p);
	if (parser_at_word(p, "if"))
		return parse_if(p);
	if (parser_at_word(p, "foreach"))
		return parse_foreach(p);
	if (!parser_at_word(p, "return"))
		return unknown_statement(p);
	n = node_new(p, NODE_RETURN, p->now.range);
	parser_next(p);
	parser_want(p, ";");
	return n;
}

/* block = "{" { statement } "}" */
struct node *parse_block(struct parser *p)
{
	struct node *n = NULL;

	if (parser_want(p, "{") && parser_enter(p)) {
		n = parse_statements(p, false);
		p->depth--;
		parser_want(p, "}");
	}
	return n ? n : node_new(p, NODE_BLOCK, p->now.range);
}

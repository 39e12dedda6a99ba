/* Expressions. */
#include "base/octet.h"
#include "script/policy/parse.h"

static struct range from_to(const struct parser *p, struct range start)
{
	start.end = p->end > start.end ? p->end : start.end;
	return start;
}

static struct node *list_add(struct node *parent, struct node *last, struct node *kid)
{
	if (last)
		last->next = kid;
	else
		parent->kids = kid;
	return kid;
}

/* const = STRING | [ "-" ] NUMBER | "yes" | "no" */
struct node *parse_const(struct parser *p)
{
	struct node *n = node_new(p, NODE_CONST, p->now.range);
	bool minus = parser_try(p, "-");

	if (!minus && p->now.kind == TOKEN_STRING) {
		n->quoted = true;
		n->text = string_value(p->now.text, p->arena);
		n->value = VALUE_TEXT_OF(n->text);
	} else if (!minus && (parser_at_word(p, "yes") || parser_at_word(p, "no"))) {
		n->text = p->now.text;
		n->value = VALUE_YESNO_OF(parser_at_word(p, "yes"));
	} else if (p->now.kind == TOKEN_NUMBER) {
		n->is_number = true;
		n->unit = p->now.unit;
		n->text = p->now.text;
		n->number = minus ? -p->now.number : p->now.number;
		n->value = VALUE_NUMBER_OF(n->number);
	} else {
		parser_expected(p, "a string, a number, yes or no");
		return n;
	}
	n->range.end = p->now.range.end;
	if (minus)
		n->text = slice_of(arena_printf(p->arena, "-%.*s", SLICE_ARG(n->text)));
	parser_next(p);
	return n;
}

/* item = [ "-" ] NUMBER [ ".." [ "-" ] NUMBER ] | STRING [ "to" const ] */
static struct node *parse_item(struct parser *p)
{
	struct node *n = node_new(p, NODE_ITEM, p->now.range);
	struct node *first = parse_const(p);

	if (!p->failed && !first->quoted && !first->is_number)
		parser_fail(p, first->range, NULL, "an item is a string or a number");
	n->text = first->text;
	n->number = n->last = first->number;
	n->is_number = first->is_number;
	n->unit = first->unit;
	if (n->is_number && parser_try(p, "..")) {
		struct node *last = parse_const(p);

		if (!p->failed && !last->is_number)
			parser_fail(p, last->range, NULL, "after '..' stands a number");
		n->last = last->number;
		n->is_range = true;
	}
	if (parser_try_word(p, "to"))
		n->a = parse_const(p);
	n->range = from_to(p, n->range);
	return n;
}

/* list = "[" [ item { "," item } [ "," ] ] "]" */
struct node *parse_list(struct parser *p)
{
	struct node *n = node_new(p, NODE_LIST, p->now.range), *last = NULL;

	parser_want(p, "[");
	while (!p->failed && !parser_at(p, "]")) {
		last = list_add(n, last, parse_item(p));
		if (!parser_try(p, ","))
			break;
	}
	parser_want(p, "]");
	n->range = from_to(p, n->range);
	return n;
}

/* pattern = STRING | REGEX */
static struct node *parse_pattern(struct parser *p)
{
	if (parser_at(p, "/"))
		p->now = lex_regex(&p->lexer, &p->now);
	struct node *n =
	    node_new(p, p->now.kind == TOKEN_REGEX ? NODE_REGEX : NODE_CONST, p->now.range);
	if (p->now.kind == TOKEN_BAD)
		p->failed = true;
	if (p->now.kind != TOKEN_STRING && p->now.kind != TOKEN_REGEX) {
		parser_expected(p, "a pattern in quotes or /.../");
		return n;
	}
	n->quoted = p->now.kind == TOKEN_STRING;
	n->exact = p->now.exact;
	n->text = n->quoted ? string_value(p->now.text, p->arena) : p->now.text;
	parser_next(p);
	return n;
}

/* pattern | "[" pattern { "," pattern } "]" | name */
static struct node *parse_patterns(struct parser *p)
{
	struct node *n = node_new(p, NODE_LIST, p->now.range), *last = NULL;

	if (p->now.kind == TOKEN_NAME)
		return parse_name_or_call(p);
	bool many = parser_try(p, "[");
	do
		last = list_add(n, last, parse_pattern(p));
	while (many && !p->failed && parser_try(p, ",") && !parser_at(p, "]"));
	if (many)
		parser_want(p, "]");
	n->range = from_to(p, n->range);
	return n;
}

/* arg = expr | REGEX */
static struct node *parse_arg(struct parser *p)
{
	return parser_at(p, "/") ? parse_pattern(p) : parse_expr(p);
}

/* name = NAME [ "(" [ arg { "," arg } ] ")" ] */
struct node *parse_name_or_call(struct parser *p)
{
	struct node *n = node_new(p, NODE_NAME, p->now.range), *last = NULL;

	if (!parser_name(p, "a name", &n->text) || !parser_at(p, "("))
		return n;
	parser_next(p);
	n->kind = NODE_CALL;
	while (!p->failed && !parser_at(p, ")")) {
		last = list_add(n, last, parse_arg(p));
		node_grow(p, n, last);
		if (!parser_try(p, ","))
			break;
	}
	parser_want(p, ")");
	n->range = from_to(p, n->range);
	return n;
}

static struct node *const_text(struct parser *p, struct range range, slice text)
{
	struct node *n = node_new(p, NODE_CONST, range);

	n->quoted = true;
	n->text = text;
	n->value = VALUE_TEXT_OF(text);
	return n;
}

/* %name% at raw[i]; the octets it takes, 0: none. */
static size_t name_length(slice raw, size_t i)
{
	size_t n = i + 1;

	while (n < raw.n && (octet_is(raw.p[n], OCTET_ALPHA | OCTET_DIGIT) || raw.p[n] == '_'))
		n++;
	return n < raw.n && raw.p[n] == '%' && n > i + 1 && !octet_is(raw.p[i + 1], OCTET_DIGIT)
	    ? n + 1 - i
	    : 0;
}

/* A piece of raw text in which each %% is a percent sign. */
static slice percent_value(struct parser *p, slice raw)
{
	char *out = arena_alloc(p->arena, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		out[n++] = raw.p[i];
		i += raw.p[i] == '%';
	}
	return string_value((slice){ out, n }, p->arena);
}

/* TEXT: a string in which %name% is replaced; alone it is the variable itself. */
struct node *parse_text(struct parser *p)
{
	struct node *n = node_new(p, NODE_TEXT, p->now.range), *last = NULL;
	slice raw = p->now.text;
	size_t from = 0, names = 0;

	if (p->now.kind != TOKEN_STRING) {
		parser_expected(p, "a text in quotes");
		return n;
	}
	for (size_t i = 0; i < raw.n && !p->failed; i++) {
		struct range here = { n->range.file, n->range.at + 1 + (uint32_t)i, 0 };
		size_t length = raw.p[i] == '%' ? name_length(raw, i) : 0;

		if (raw.p[i] != '%')
			continue;
		here.end = here.at + (length ? (uint32_t)length : 1);
		if (i + 1 < raw.n && raw.p[i + 1] == '%') {
			i++;
			continue;
		}
		if (!length) {
			parser_fail(p, here, "write %name%, or %% for a percent sign",
			    "'%' begins a name that is not there");
			break;
		}
		if (i > from)
			last = list_add(n, last,
			    const_text(
				p, here, percent_value(p, (slice){ raw.p + from, i - from })));
		last = list_add(n, last, node_new(p, NODE_NAME, here));
		last->text = (slice){ raw.p + i + 1, length - 2 };
		names++;
		i += length - 1;
		from = i + 1;
	}
	struct range range = n->range;
	parser_next(p);
	if (!names)
		return const_text(p, range, percent_value(p, raw));
	if (names == 1 && !n->kids->next && from == raw.n)
		return n->kids;
	if (from < raw.n)
		list_add(n, last, const_text(p, range, percent_value(p, slice_from(raw, from))));
	n->height = 1;
	return n;
}

/* value = TEXT | NUMBER | "yes" | "no" | name | "(" expr ")" */
static struct node *parse_value(struct parser *p)
{
	if (p->now.kind == TOKEN_STRING)
		return parse_text(p);
	if (p->now.kind == TOKEN_NUMBER || parser_at_word(p, "yes") || parser_at_word(p, "no"))
		return parse_const(p);
	if (p->now.kind == TOKEN_NAME && !is_reserved(p->now.text))
		return parse_name_or_call(p);
	struct node *n = NULL;
	if (parser_at(p, "(")) {
		parser_next(p);
		n = parse_expr(p);
		parser_want(p, ")");
		return n;
	}
	n = node_new(p, NODE_CONST, p->now.range);
	parser_expected(p, "a value");
	return n;
}

/* factor = "-" factor | value */
static struct node *parse_factor(struct parser *p)
{
	struct range start = p->now.range;

	if (!parser_at(p, "-"))
		return parse_value(p);
	struct node *n = node_new(p, NODE_NEG, start);
	if (!parser_enter(p))
		return n;
	parser_next(p);
	n->a = parse_factor(p);
	p->depth--;
	node_grow(p, n, n->a);
	if (n->a->kind == NODE_CONST && n->a->is_number && n->a->number > 0) {
		n->a->number = -n->a->number;
		n->a->value = VALUE_NUMBER_OF(n->a->number);
		n->a->range.at = start.at;
		n->a->text = slice_of(arena_printf(p->arena, "-%.*s", SLICE_ARG(n->a->text)));
		return n->a;
	}
	n->range = from_to(p, start);
	return n;
}

static struct node *binary(struct parser *p, enum node_kind kind, struct node *a)
{
	struct node *n = node_new(p, kind, a->range);

	memcpy(n->mark, p->now.text.p, p->now.text.n < 2 ? p->now.text.n : 2);
	n->a = a;
	node_grow(p, n, a);
	return n;
}

/* sum = term { ( "+" | "-" ) term } ; term = factor { ( "*" | "/" ) factor } */
static struct node *parse_sum(struct parser *p, bool term)
{
	struct node *n = term ? parse_factor(p) : parse_sum(p, true);

	while (!p->failed && !p->dead &&
	    (parser_at(p, term ? "*" : "+") || parser_at(p, term ? "/" : "-"))) {
		n = binary(p, NODE_SUM, n);
		parser_next(p);
		n->b = term ? parse_factor(p) : parse_sum(p, true);
		node_grow(p, n, n->b);
		n->range = from_to(p, n->range);
	}
	return n;
}

static bool at_compare(const struct parser *p)
{
	return parser_at(p, "==") || parser_at(p, "!=") || parser_at(p, "<") ||
	    parser_at(p, "<=") || parser_at(p, ">") || parser_at(p, ">=");
}

static struct node *negated(struct parser *p, struct node *n, bool yes)
{
	if (!yes)
		return n;
	struct node *not = node_new(p, NODE_NOT, n->range);
	not ->a = n;
	node_grow(p, not, n);
	return not ;
}

/* compare = sum [ op sum | [ "not" ] "in" ( list | name ) | [ "not" ] "matches" patterns ] */
static struct node *parse_compare(struct parser *p)
{
	struct node *n = parse_sum(p, false);
	bool not = false;

	if (p->failed)
		return n;
	if (at_compare(p)) {
		n = binary(p, NODE_COMPARE, n);
		parser_next(p);
		n->b = parse_sum(p, false);
	} else {
		not = parser_try_word(p, "not");
		bool in = parser_at_word(p, "in");

		if (!in && !parser_at_word(p, "matches")) {
			if (not )
				parser_expected(p, "'in' or 'matches' after 'not'");
			return n;
		}
		n = binary(p, in ? NODE_IN : NODE_MATCHES, n);
		parser_next(p);
		n->b = !in              ? parse_patterns(p)
		    : parser_at(p, "[") ? parse_list(p)
					: parse_name_or_call(p);
	}
	node_grow(p, n, n->b);
	n->range = from_to(p, n->range);
	if (!p->failed &&
	    (at_compare(p) || parser_at_word(p, "in") || parser_at_word(p, "matches")))
		parser_fail(p, p->now.range, "join two comparisons with 'and'",
		    "comparisons cannot be chained");
	return negated(p, n, not );
}

/* not = "not" not | compare */
static struct node *parse_not(struct parser *p)
{
	struct range start = p->now.range;

	if (!parser_at_word(p, "not"))
		return parse_compare(p);
	struct node *n = node_new(p, NODE_NOT, start);
	if (!parser_enter(p))
		return n;
	parser_next(p);
	n->a = parse_not(p);
	p->depth--;
	node_grow(p, n, n->a);
	n->range = from_to(p, start);
	return n;
}

/* expr = and { "or" and } ; and = not { "and" not } */
static struct node *parse_chain(struct parser *p, bool and)
{
	struct node *first = and? parse_not(p) : parse_chain(p, true);

	if (p->failed || !parser_at_word(p, and? "and" : "or"))
		return first;
	struct node *n = node_new(p, and? NODE_AND : NODE_OR, first->range), *last;
	last = list_add(n, NULL, first);
	node_grow(p, n, first);
	while (parser_try_word(p, and? "and" : "or")) {
		last = list_add(n, last, and? parse_not(p) : parse_chain(p, true));
		node_grow(p, n, last);
	}
	n->range = from_to(p, n->range);
	return n;
}

struct node *parse_expr(struct parser *p)
{
	struct node *n = NULL;

	if (parser_enter(p))
		n = parse_chain(p, false);
	p->depth--;
	return n ? n : node_new(p, NODE_CONST, p->now.range);
}

/* Sessions: what a test or a .session file plays. */
#include "script/policy/parse.h"

static struct step *step_new(struct parser *p, enum step_kind kind)
{
	struct step *s = ARENA_NEW(p->arena, struct step);

	s->kind = kind;
	s->range = p->now.range;
	return s;
}

static void want_number(struct parser *p, int64_t *out)
{
	if (p->failed || p->now.kind != TOKEN_NUMBER) {
		parser_expected(p, "a number");
		return;
	}
	*out = p->now.number;
	parser_next(p);
}

static void try_code(struct parser *p, struct step *s)
{
	if (!p->failed && p->now.kind == TOKEN_NUMBER) {
		if (p->now.text.n != 3 || !p->now.whole)
			parser_fail(p, p->now.range, NULL, "a reply code has three digits");
		s->code = (uint32_t)(p->now.number / 1000);
		parser_next(p);
	}
	if (!p->failed && p->now.kind == TOKEN_ENHANCED) {
		s->text2 = p->now.text;
		parser_next(p);
	}
}

/* NAME "=" ( const | list ) */
static struct given *parse_pair(struct parser *p, bool lists)
{
	struct given *g = ARENA_NEW(p->arena, struct given);

	g->range = p->now.range;
	parser_name(p, "a name", &g->name);
	parser_want(p, "=");
	g->list = lists && parser_at(p, "[");
	if (p->failed)
		return g;
	if (!g->list) {
		g->values = parse_const(p);
		return g;
	}
	struct node *list = parse_list(p);
	g->values = list->kids;
	return g;
}

static void parse_pairs(struct parser *p, struct given **last)
{
	do {
		*last = parse_pair(p, false);
		last = &(*last)->next;
	} while (parser_try(p, ","));
}

/* "dns" NAME STRING "=" ( STRING { "," STRING } | "nxdomain" | "servfail" | "timeout" ) */
static struct step *parse_given_dns(struct parser *p, struct step *s)
{
	struct node *last = NULL;

	s->kind = STEP_GIVEN_DNS;
	parser_name(p, "a record type", &s->text);
	parser_string(p, &s->text2);
	parser_want(p, "=");
	if (p->now.kind == TOKEN_NAME) {
		parser_name(p, "an answer", &s->text3);
		return s;
	}
	do {
		struct node *one = p->failed ? NULL : parse_const(p);

		if (last)
			last->next = one;
		else
			s->expr = one;
		last = one;
	} while (parser_try(p, ","));
	return s;
}

static struct node *word_const(struct parser *p)
{
	struct node *n = node_new(p, NODE_CONST, p->now.range);

	if (parser_at_word(p, "yes") || parser_at_word(p, "no"))
		return parse_const(p);
	n->quoted = true;
	n->text = p->now.text;
	n->value = VALUE_TEXT_OF(n->text);
	parser_next(p);
	return n;
}

static struct step *parse_given(struct parser *p)
{
	struct step *s = step_new(p, STEP_GIVEN);

	parser_next(p);
	if (parser_try_word(p, "dns"))
		return parse_given_dns(p, s);
	if (parser_try_word(p, "filter")) {
		s->kind = STEP_GIVEN_FILTER;
		parser_string(p, &s->text);
		parser_want(p, "=");
		s->flag = parser_try_word(p, "down");
		if (!s->flag)
			parse_pairs(p, &s->given);
		return s;
	}
	if (parser_try_word(p, "time")) {
		s->kind = STEP_GIVEN_TIME;
		parser_want(p, "=");
		parser_string(p, &s->text);
		return s;
	}
	struct token name = p->now;
	parser_name(p, "a variable, a check, 'dns', 'filter' or 'time'", &s->text);
	if (!parser_try(p, "(")) {
		s->given = ARENA_NEW(p->arena, struct given);
		*s->given = (struct given){ .name = name.text, .range = name.range };
		/* A word needs neither '=' nor quotes: given SPFResult fail. */
		if (!parser_try(p, "=") && p->now.kind == TOKEN_NAME && !p->failed) {
			s->given->values = word_const(p);
			return s;
		}
		s->given->list = parser_at(p, "[");
		s->given->values = p->failed ? NULL
		    : s->given->list         ? parse_list(p)->kids
					     : parse_const(p);
		return s;
	}
	struct node *last = NULL;
	s->is_call = true;
	while (!p->failed && !parser_at(p, ")")) {
		struct node *one = parse_const(p);

		if (last)
			last->next = one;
		else
			s->expr = one;
		last = one;
		if (!parser_try(p, ","))
			break;
	}
	parser_want(p, ")");
	parser_want(p, "=");
	s->given = ARENA_NEW(p->arena, struct given);
	s->given->range = p->now.range;
	s->given->values = p->failed ? NULL : parse_const(p);
	if (parser_try(p, ","))
		parse_pairs(p, &s->given->next);
	return s;
}

/* "data" [ "size" NUMBER ] "{" { STRING } "}" | "data" "file" STRING */
static struct step *parse_data(struct parser *p)
{
	struct step *s = step_new(p, STEP_DATA);
	struct buf lines;
	slice line;

	parser_next(p);
	if (parser_try_word(p, "file")) {
		s->flag = true;
		parser_string(p, &s->text);
		return s;
	}
	if (parser_try_word(p, "size"))
		want_number(p, &s->number);
	parser_want(p, "{");
	buf_init(&lines, 1 << 20);
	while (!p->failed && p->now.kind == TOKEN_STRING && parser_string(p, &line)) {
		buf_add(&lines, line);
		buf_adds(&lines, "\r\n");
	}
	if (lines.full)
		parser_fail(p, s->range, NULL, "the lines of data have at most 1 MiB");
	s->text = arena_copy(p->arena, buf_slice(&lines));
	buf_free(&lines);
	parser_want(p, "}");
	return s;
}

/* "expect" ( verdict-word [ CODE ] [ ENHANCED ] [ STRING ] [ "by" "rule" STRING ]
 *     | [ "not" ] ( "rule" STRING | "did" name ) | expr ) */
static struct step *parse_expect(struct parser *p)
{
	struct step *s = step_new(p, STEP_EXPECT);

	parser_next(p);
	if (p->now.kind == TOKEN_NAME && is_verdict(p->now.text)) {
		s->text = p->now.text;
		parser_next(p);
		try_code(p, s);
		if (p->now.kind == TOKEN_STRING)
			s->flag = parser_string(p, &s->text3);
		if (parser_try_word(p, "by")) {
			s->given = ARENA_NEW(p->arena, struct given);
			if (!parser_try_word(p, "rule"))
				parser_expected(p, "'rule'");
			parser_string(p, &s->given->name);
		}
		return s;
	}
	struct parser before = *p;
	s->negative = parser_try_word(p, "not");
	if (parser_try_word(p, "rule")) {
		s->kind = STEP_EXPECT_RULE;
		parser_string(p, &s->text);
	} else if (parser_try_word(p, "did")) {
		s->kind = STEP_EXPECT_DID;
		s->expr = parse_name_or_call(p);
	} else {
		*p = before;
		s->negative = false;
		s->kind = STEP_EXPECT_TRUE;
		s->expr = parse_expr(p);
	}
	return s;
}

/* Steps that are a word, and a string for some. */
static const struct {
	const char *word;
	enum step_kind kind;
	bool string;
} plain[] = { { "connect", STEP_CONNECT, true }, { "ehlo", STEP_EHLO, true },
	{ "helo", STEP_HELO, true }, { "auth", STEP_AUTH, true }, { "mail", STEP_MAIL, true },
	{ "rcpt", STEP_RCPT, true }, { "rset", STEP_RSET, false }, { "quit", STEP_QUIT, false },
	{ "process", STEP_PROCESS, false }, { "relay", STEP_RELAY, true },
	{ "fail", STEP_FAIL, true }, { "wait", STEP_WAIT, false },
	{ "starttls", STEP_STARTTLS, false } };

static struct step *parse_plain(struct parser *p, size_t i)
{
	struct step *s = step_new(p, plain[i].kind);

	parser_next(p);
	if (plain[i].string)
		parser_string(p, &s->text);
	if (s->kind == STEP_CONNECT && parser_try_word(p, "port"))
		want_number(p, &s->number);
	else if (s->kind == STEP_MAIL && parser_try_word(p, "size"))
		want_number(p, &s->number);
	else if (s->kind == STEP_AUTH)
		s->flag = parser_try_word(p, "failed");
	else if (s->kind == STEP_WAIT)
		want_number(p, &s->number);
	else if (s->kind == STEP_STARTTLS && p->now.kind == TOKEN_STRING)
		parser_string(p, &s->text);
	else if (s->kind == STEP_FAIL) {
		try_code(p, s);
		if (!s->code)
			parser_expected(p, "the code of the reply");
		parser_string(p, &s->text3);
	}
	return s;
}

static struct step *parse_step(struct parser *p)
{
	if (parser_at_word(p, "given"))
		return parse_given(p);
	if (parser_at_word(p, "expect"))
		return parse_expect(p);
	if (parser_at_word(p, "data"))
		return parse_data(p);
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (parser_at_word(p, plain[i].word))
			return parse_plain(p, i);
	parser_stray(p,
	    "a line of a session (given connect ehlo helo starttls auth mail rcpt data rset "
	    "quit wait process relay fail expect)");
	return NULL;
}

/* session = { given | step | expect } */
struct step *parse_session(struct parser *p)
{
	struct step *first = NULL, **last = &first;

	while (!p->dead && p->now.kind != TOKEN_END && !parser_at(p, "}")) {
		struct step *s = parse_step(p);

		if (!p->failed && s && s->kind == STEP_DATA && !s->flag)
			parser_try(p, ";"); /* the block may end it */
		else
			parser_want(p, ";");
		if (p->failed && !p->dead)
			parser_skip(p);
		if (!s)
			continue;
		*last = s;
		last = &s->next;
	}
	return first;
}

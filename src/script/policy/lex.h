/*
 * lex: a policy's text as words. One look ahead; comments and blanks are skipped.
 *
 * A slash begins a regular expression only where the parser asks for one, elsewhere it divides.
 */
#ifndef SCRIPT_POLICY_LEX_H
#define SCRIPT_POLICY_LEX_H

#include "script/policy/source.h"

#define NAME_MAX_OCTETS   64
#define STRING_MAX_OCTETS 8192

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_NUMBER,
	TOKEN_ENHANCED, /* 5.7.1 */
	TOKEN_STRING,
	TOKEN_REGEX,
	TOKEN_MARK, /* one of { } ( ) [ ] , ; : = + - * / < > and, doubled, == != <= >= .. */
	TOKEN_BAD,  /* said already */
};

struct token {
	enum token_kind kind;
	struct range range;
	slice text;     /* as written; a string's or regular expression's inside, raw */
	int64_t number; /* thousandths; octets or milliseconds with a unit */
	char unit;      /* '\0', 'b' octets, 's' duration */
	bool whole;     /* digits only */
	bool exact;     /* a regular expression's flag c */
};

struct lexer {
	struct sources *src;
	uint32_t file;
	slice text;
	size_t at;
};

/* The next word. Errors are said to the sources. */
struct token lex_next(struct lexer *l);
/* The mark '/' just taken begins a regular expression: the whole of it. */
struct token lex_regex(struct lexer *l, const struct token *slash);
/* Is it this mark? */
bool token_is(const struct token *t, const char *mark);
/* The string without escapes, copied into the arena. */
slice string_value(slice raw, struct arena *arena);

#endif

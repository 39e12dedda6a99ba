#include "script/policy/lex.h"

#include "base/octet.h"
#include "script/vm/value.h"

static char at(const struct lexer *l, size_t i)
{
	return l->at + i < l->text.n ? l->text.p[l->at + i] : '\0';
}

static bool is_name(char c)
{
	return octet_is(c, OCTET_ALPHA | OCTET_DIGIT) || c == '_';
}

static bool is_digit(char c)
{
	return octet_is(c, OCTET_DIGIT);
}

static void skip_blanks(struct lexer *l)
{
	for (; l->at < l->text.n; l->at++) {
		char c = l->text.p[l->at];

		if (c == '#')
			while (l->at + 1 < l->text.n && l->text.p[l->at + 1] != '\n')
				l->at++;
		else if (!strchr(" \t\r\n", c))
			return;
	}
}

static struct token token(struct lexer *l, enum token_kind kind, size_t n)
{
	struct token t = { .kind = kind,
		.range = { l->file, (uint32_t)l->at, (uint32_t)(l->at + n) },
		.text = slice_head(slice_from(l->text, l->at), n) };

	l->at += n;
	return t;
}

static struct token bad(struct lexer *l, size_t n, const char *hint, const char *what)
{
	struct token t = token(l, TOKEN_BAD, n);

	remark_add(l->src, REMARK_ERROR, t.range, hint, "%s", what);
	return t;
}

/* NAME: [A-Za-z_][A-Za-z0-9_]* */
static struct token lex_name(struct lexer *l)
{
	size_t n = 1;

	while (is_name(at(l, n)))
		n++;
	if (n > NAME_MAX_OCTETS)
		return bad(l, n, NULL, "a name has at most 64 letters");
	return token(l, TOKEN_NAME, n);
}

/* K M G after a number: a size; s m h d: a duration. false: too large. */
static bool apply_unit(struct token *t, char unit)
{
	static const char letters[] = "KMGsmhd";
	static const int64_t worth[] = { 1 << 10, 1 << 20, 1 << 30, 1000, 60000, 3600000,
		86400000 };
	size_t i = (size_t)(strchr(letters, unit) - letters);
	__int128 n = (__int128)t->number * worth[i] / 1000;

	t->unit = i < 3 ? 'b' : 's';
	t->number = (int64_t)n;
	return n <= INT64_MAX;
}

/* NUMBER: digits, or digits '.' 1-3 digits, a unit; ENHANCED: [245].n.n */
static struct token lex_number(struct lexer *l)
{
	size_t n = 0, dots = 0;

	while (is_digit(at(l, n)))
		n++;
	while (dots < 2 && at(l, n) == '.' && is_digit(at(l, n + 1))) {
		dots++;
		n++;
		while (is_digit(at(l, n)))
			n++;
	}
	if (dots == 2) {
		struct token t = token(l, TOKEN_ENHANCED, n);

		if (t.text.n > 9 || !strchr("245", t.text.p[0]) || t.text.p[1] != '.') {
			remark_add(l->src, REMARK_ERROR, t.range, "write it as 5.7.1",
			    "this is no enhanced status code");
			t.kind = TOKEN_BAD;
		}
		return t;
	}
	slice digits = slice_head(slice_from(l->text, l->at), n);
	bool unit = at(l, n) && strchr("KMGsmhd", at(l, n)) && !is_name(at(l, n + 1));
	struct token t = token(l, TOKEN_NUMBER, n + unit);
	t.whole = dots == 0 && !unit;
	if (is_name(at(l, 0))) {
		while (is_name(at(l, 0)))
			l->at++;
		t.range.end = (uint32_t)l->at;
		remark_add(l->src, REMARK_ERROR, t.range, "units are K M G and s m h d",
		    "a number ends in a letter that is no unit");
		t.kind = TOKEN_BAD;
	} else if (!number_read(digits, &t.number) ||
	    (unit && !apply_unit(&t, t.text.p[t.text.n - 1]))) {
		remark_add(l->src, REMARK_ERROR, t.range,
		    dots ? "at most three digits follow the dot" : NULL,
		    "this number is too large or too fine");
		t.kind = TOKEN_BAD;
	}
	return t;
}

/* What is wrong with an escape: \" \\ \n \t \xHH. n_out: its octets. */
static const char *bad_escape(slice rest, size_t *n_out)
{
	*n_out = 2;
	if (rest.n < 2)
		return "a string ends on its line, with '\"'";
	if (strchr("\"\\nt", rest.p[1]))
		return NULL;
	if (rest.p[1] != 'x')
		return "escapes are \\\" \\\\ \\n \\t \\xHH";
	if (rest.n < 4 || octet_hex(rest.p[2]) < 0 || octet_hex(rest.p[3]) < 0)
		return "after \\x stand two hexadecimal digits";
	*n_out = 4;
	int c = octet_hex(rest.p[2]) * 16 + octet_hex(rest.p[3]);
	return c == 0 || c >= 0x80
	    ? "\\x writes an octet from 01 to 7F; other characters stand as they are"
	    : NULL;
}

static struct token lex_string(struct lexer *l)
{
	size_t n = 1;
	const char *wrong = NULL;

	while (l->at + n < l->text.n && at(l, n) != '"' && at(l, n) != '\n') {
		size_t step = 1;

		if (at(l, n) == '\\') {
			const char *w = bad_escape(slice_from(l->text, l->at + n), &step);

			wrong = wrong ? wrong : w;
			if (w && step == 2 && at(l, n + 1) == '\n')
				step = 1;
		}
		n += step;
	}
	if (at(l, n) != '"' || l->at + n >= l->text.n)
		return bad(l, l->at + n < l->text.n ? n : l->text.n - l->at,
		    "a string ends on its line", "this string has no end");
	if (wrong)
		return bad(l, n + 1, wrong, "a wrong escape in this string");
	if (n - 1 > STRING_MAX_OCTETS)
		return bad(l, n + 1, NULL, "a string has at most 8192 octets");
	struct token t = token(l, TOKEN_STRING, n + 1);
	t.text = (slice){ t.text.p + 1, n - 1 };
	return t;
}

struct token lex_regex(struct lexer *l, const struct token *slash)
{
	size_t n = 1;

	l->at = slash->range.at;
	while (l->at + n < l->text.n && at(l, n) != '/' && at(l, n) != '\n')
		n += at(l, n) == '\\' && l->at + n + 1 < l->text.n && at(l, n + 1) != '\n' ? 2 : 1;
	if (l->at + n >= l->text.n || at(l, n) != '/')
		return bad(l, l->at + n < l->text.n ? n : l->text.n - l->at,
		    "write /.../, and \\/ for a slash in it", "this regular expression has no end");
	bool exact = at(l, n + 1) == 'c' && !is_name(at(l, n + 2));
	if (!exact && is_name(at(l, n + 1))) {
		size_t end = n + 1;

		while (is_name(at(l, end)))
			end++;
		return bad(l, end, "c minds case; there is no other",
		    "an unknown flag of a regular expression");
	}
	struct token t = token(l, TOKEN_REGEX, n + 1 + exact);
	t.text = (slice){ t.text.p + 1, n - 1 };
	t.exact = exact;
	return t;
}

struct token lex_next(struct lexer *l)
{
	skip_blanks(l);
	char c = at(l, 0);

	if (l->at >= l->text.n)
		return token(l, TOKEN_END, 0);
	if (octet_is(c, OCTET_ALPHA) || c == '_')
		return lex_name(l);
	if (is_digit(c))
		return lex_number(l);
	if (c == '"')
		return lex_string(l);
	if ((strchr("=!<>", c) && at(l, 1) == '=') || (c == '.' && at(l, 1) == '.'))
		return token(l, TOKEN_MARK, 2);
	if (strchr("{}()[],;:=+-*/<>", c))
		return token(l, TOKEN_MARK, 1);
	size_t n = (c == '&' || c == '|') && at(l, 1) == c ? 2 : 1;
	while (n < 4 && octet_is(c, OCTET_UTF8) && ((unsigned char)at(l, n) & 0xC0) == 0x80)
		n++;
	return bad(l, n,
	    c == '!'                   ? "write 'not', or !="
		: c == '&' || c == '|' ? "write 'and', 'or'"
				       : NULL,
	    "this character has no meaning here");
}

bool token_is(const struct token *t, const char *mark)
{
	return t->kind == TOKEN_MARK && slice_eq(t->text, slice_of(mark));
}

slice string_value(slice raw, struct arena *arena)
{
	char *out = arena_alloc(arena, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '\\' && i + 1 < raw.n) {
			c = raw.p[++i];
			if (c == 'x' && i + 2 < raw.n) {
				c = (char)(octet_hex(raw.p[i + 1]) * 16 + octet_hex(raw.p[i + 2]));
				i += 2;
			} else {
				c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
			}
		}
		out[n++] = c;
	}
	return (slice){ out, n };
}

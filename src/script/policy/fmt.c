#include "script/policy/fmt.h"

#include "base/octet.h"

struct layout {
	struct buf *out;
	unsigned depth, round; /* braces; parentheses and brackets */
	bool line_start;
	struct token last;
	bool last_value; /* the word before was a value, so that '-' and '/' join */
};

static void new_line(struct layout *f)
{
	while (f->out->n && f->out->p[f->out->n - 1] == ' ')
		f->out->p[--f->out->n] = '\0';
	if (!f->line_start)
		buf_addc(f->out, '\n');
	f->line_start = true;
}

static void indent(struct layout *f)
{
	for (unsigned i = 0; i < f->depth && f->line_start; i++)
		buf_adds(f->out, "    ");
	f->line_start = false;
}

static void add_comment(struct layout *f, slice comment, bool own_line)
{
	if (own_line)
		new_line(f);
	else if (f->line_start && f->out->n) {
		f->out->p[--f->out->n] = '\0'; /* behind what it speaks of */
		f->line_start = false;
	}
	if (!f->line_start)
		buf_addc(f->out, ' ');
	indent(f);
	while (comment.n && strchr(" \t\r", comment.p[comment.n - 1]))
		comment.n--;
	buf_add(f->out, comment);
	new_line(f);
}

/* Blanks and comments between two words. */
static void add_between(struct layout *f, slice between)
{
	bool line = f->out->n == 0;
	unsigned lines = 0;

	for (size_t i = 0; i < between.n; i++) {
		if (between.p[i] == '\n') {
			line = true;
			lines++;
		}
		if (between.p[i] != '#')
			continue;
		slice comment = slice_from(between, i);
		comment = slice_head(comment, slice_find(comment, '\n'));
		if (lines > 1 && f->out->n && f->line_start)
			buf_addc(f->out, '\n');
		add_comment(f, comment, line);
		i += comment.n - 1;
		lines = 0;
	}
	if (lines > 1 && f->line_start && f->out->n)
		buf_addc(f->out, '\n');
}

static bool is_any(const struct token *t, const char *marks)
{
	return t->kind == TOKEN_MARK && t->text.n == 1 && strchr(marks, t->text.p[0]);
}

static bool wants_space(const struct layout *f, const struct token *t)
{
	if (is_any(t, ",;)]:") || is_any(&f->last, "([") || token_is(t, "..") ||
	    token_is(&f->last, ".."))
		return false;
	if (is_any(t, "("))
		return f->last.kind != TOKEN_NAME || slice_eq(f->last.text, SLICE("and")) ||
		    slice_eq(f->last.text, SLICE("or")) || slice_eq(f->last.text, SLICE("not")) ||
		    slice_eq(f->last.text, SLICE("if")) || slice_eq(f->last.text, SLICE("switch"));
	if (token_is(&f->last, "-"))
		return f->last_value;
	return true;
}

/* Does what stands before '-' or '/' end a value? */
static bool ends_value(const struct token *t)
{
	static const char words[] = " and or not in matches case if to ";
	char padded[24];

	if (t->kind == TOKEN_NAME && t->text.n < 20) {
		padded[0] = ' ';
		memcpy(padded + 1, t->text.p, t->text.n);
		memcpy(padded + 1 + t->text.n, " ", 2);
		return strstr(words, padded) == NULL;
	}
	return t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING || t->kind == TOKEN_NAME ||
	    is_any(t, ")]");
}

static void add_word(struct layout *f, const struct token *t, slice text)
{
	bool close = token_is(t, "}");
	bool joins = token_is(t, "-") && ends_value(&f->last);

	if (close) {
		new_line(f);
		f->depth -= f->depth > 0;
	}
	if (!f->line_start && f->out->n && wants_space(f, t))
		buf_addc(f->out, ' ');
	indent(f);
	buf_add(f->out, text);
	f->round += is_any(t, "([");
	f->round -= is_any(t, ")]") && f->round;
	f->depth += token_is(t, "{");
	if (close || token_is(t, "{") || token_is(t, ";"))
		new_line(f);
	f->last = *t;
	f->last_value = token_is(t, "-") ? joins : ends_value(t);
}

bool policy_fmt(struct sources *src, uint32_t file, struct buf *out)
{
	struct tree tree;
	struct layout f = { .out = out, .line_start = true };
	slice text = src->files[file].text;
	struct lexer l = { .src = src, .file = file, .text = text };
	uint32_t at = 0;

	policy_parse(src, file, true, &tree);
	if (src->errors)
		return false;
	for (struct token t = lex_next(&l);; t = lex_next(&l)) {
		if (token_is(&t, "/") && !ends_value(&f.last))
			t = lex_regex(&l, &t);
		bool was_close = token_is(&f.last, "}");
		add_between(&f, slice_head(slice_from(text, at), t.range.at - at));
		if (t.kind == TOKEN_END || t.kind == TOKEN_BAD)
			break;
		if (was_close && t.kind == TOKEN_NAME && slice_eq(t.text, SLICE("else")) &&
		    f.line_start && out->n && out->p[out->n - 1] == '\n' && out->n > 1 &&
		    out->p[out->n - 2] == '}') {
			out->p[--out->n] = '\0';
			f.line_start = false;
		}
		add_word(&f, &t, source_text(src, t.range));
		at = t.range.end;
	}
	new_line(&f);
	while (out->n > 1 && out->p[out->n - 1] == '\n' && out->p[out->n - 2] == '\n')
		out->p[--out->n] = '\0';
	return !out->full;
}

#include "mail/header.h"

slice line_of(slice text)
{
	const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;

	return end ? slice_head(text, (size_t)(end - text.p) + 1) : text;
}

bool line_is_empty(slice line)
{
	return slice_eq(line, SLICE("\r\n")) || slice_eq(line, SLICE("\n"));
}

slice header_of(slice message)
{
	slice rest = message;

	while (rest.n) {
		slice line = line_of(rest);

		rest = slice_from(rest, line.n);
		if (line_is_empty(line))
			break;
	}
	return slice_head(message, message.n - rest.n);
}

/* A line and the lines that begin with a blank after it. */
static slice folded_line(slice text)
{
	size_t n = line_of(text).n;

	while (n < text.n && octet_is(text.p[n], OCTET_BLANK)) {
		slice line = line_of(slice_from(text, n));

		n += line.n;
	}
	return slice_head(text, n);
}

/* field = field-name *WSP ":" unstructured CRLF; the blanks before the colon are obsolete, not rare */
static void field_split(slice whole, struct header_field *out)
{
	size_t name = 0, colon;

	*out = (struct header_field){ .whole = whole, .value = slice_trim(whole) };
	while (name < whole.n && octet_is(whole.p[name], OCTET_FIELD))
		name++;
	for (colon = name; colon < whole.n && octet_is(whole.p[colon], OCTET_BLANK);)
		colon++;
	if (name == 0 || colon == whole.n || whole.p[colon] != ':')
		return;
	out->name = slice_head(whole, name);
	out->value = slice_from(whole, colon + 1);
	if (slice_ends(out->value, SLICE("\n")))
		out->value.n--;
	if (slice_ends(out->value, SLICE("\r")))
		out->value.n--;
}

bool header_next(slice *rest, struct header_field *out)
{
	slice whole = folded_line(*rest);

	if (whole.n == 0 || line_is_empty(line_of(*rest)))
		return false;
	field_split(whole, out);
	*rest = slice_from(*rest, whole.n);
	return true;
}

bool header_find(slice header, slice name, slice *value_out)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (slice_eq_nocase(field.name, name)) {
			*value_out = slice_trim(field.value);
			return true;
		}
	}
	return false;
}

void header_unfold(slice value, struct buf *out)
{
	for (size_t i = 0; i < value.n && out->n < out->max; i++) {
		char c = value.p[i];

		if (c == '\n' || (c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n'))
			continue;
		buf_addc(out, c == '\r' || c == '\0' ? ' ' : c);
	}
}

/* comment = "(" *([FWS] ccontent) [FWS] ")", counted instead of nested */
static slice comment_take(struct cursor *c)
{
	slice all = c->rest;
	size_t depth = 0, n = 0;

	for (; n < all.n; n++) {
		if (all.p[n] == '\\') {
			n++;
		} else if (all.p[n] == '(') {
			depth++;
		} else if (all.p[n] == ')' && --depth == 0) {
			break;
		}
	}
	if (n > all.n)
		n = all.n;
	c->rest = slice_from(all, n + 1);
	return slice_from(slice_head(all, n), 1);
}

void cfws_skip(struct cursor *c, slice *comment_out)
{
	for (;;) {
		char next = cursor_peek(c);

		if (cursor_end(c)) {
			return;
		} else if (octet_is(next, OCTET_BLANK) || next == '\r' || next == '\n') {
			cursor_take(c, 1, "blank");
		} else if (next == '(') {
			slice comment = comment_take(c);

			if (comment_out)
				*comment_out = comment;
		} else {
			return;
		}
	}
}

void quoted_string_take(struct cursor *c, struct buf *out)
{
	cursor_char(c, '"', "'\"'");
	while (!cursor_end(c) && !cursor_try_char(c, '"')) {
		char octet;

		if (cursor_peek(c) == '\\' && c->rest.n > 1)
			cursor_take(c, 1, "backslash");
		octet = cursor_peek(c);
		cursor_take(c, 1, "octet");
		if (octet != '\r' && octet != '\n')
			buf_addc(out, octet ? octet : ' ');
	}
}

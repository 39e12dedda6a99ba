#include "mail/summary.h"

#include "base/cursor.h"

/* A literal's octets after "{n}", or nothing when it is cut. */
static void literal_skip(struct cursor *c)
{
	cursor_char(c, '{', "'{'");
	uint64_t n = cursor_number(c, UINT32_MAX, "length");
	cursor_try(c, SLICE("}\r\n"));
	cursor_take(c, n, "literal");
}

static void quoted_skip(struct cursor *c)
{
	cursor_char(c, '"', "'\"'");
	while (!cursor_end(c) && !cursor_try_char(c, '"')) {
		cursor_try_char(c, '\\');
		cursor_take(c, 1, "octet");
	}
}

/* One string, number, NIL or whole list, as it stands. */
static slice item_take(struct cursor *c)
{
	slice all = c->rest;
	size_t depth = 0;

	do {
		if (cursor_try_char(c, '('))
			depth++;
		else if (cursor_try_char(c, ')'))
			depth -= depth > 0;
		else if (cursor_peek(c) == '"')
			quoted_skip(c);
		else if (cursor_peek(c) == '{')
			literal_skip(c);
		else if (cursor_skip(c, OCTET_ALPHA | OCTET_DIGIT).n == 0)
			cursor_take(c, 1, "item");
	} while (depth && !cursor_end(c));
	return slice_head(all, all.n - c->rest.n);
}

static void items_copy(struct cursor *c, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		buf_addc(out, ' ');
		cursor_try_char(c, ' ');
		buf_add(out, item_take(c));
	}
}

static void rest_skip(struct cursor *c)
{
	while (!cursor_end(c) && cursor_peek(c) != ')')
		item_take(c);
	cursor_char(c, ')', "')'");
}

static void body_strip(struct cursor *c, size_t depth, struct buf *out);

/* 1*body SP media-subtype */
static void multipart_strip(struct cursor *c, size_t depth, struct buf *out)
{
	while (cursor_peek(c) == '(')
		body_strip(c, depth + 1, out);
	items_copy(c, 1, out);
}

/* media-type SP media-subtype SP body-fields, and what the type adds: text its lines, a message its
 * envelope, body and lines. A basic body is followed by an MD5 that is no number and no list. */
static void single_strip(struct cursor *c, size_t depth, struct buf *out)
{
	buf_add(out, item_take(c));
	items_copy(c, 6, out);
	struct cursor look = *c;
	cursor_try_char(&look, ' ');
	if (cursor_peek(&look) == '(') {
		items_copy(c, 1, out);
		buf_addc(out, ' ');
		cursor_try_char(c, ' ');
		body_strip(c, depth + 1, out);
		items_copy(c, 1, out);
	} else if (octet_is(cursor_peek(&look), OCTET_DIGIT)) {
		items_copy(c, 1, out);
	}
}

static void body_strip(struct cursor *c, size_t depth, struct buf *out)
{
	if (depth > MIME_DEPTH)
		cursor_fail(c, "less depth");
	cursor_char(c, '(', "'('");
	buf_addc(out, '(');
	if (cursor_peek(c) == '(')
		multipart_strip(c, depth, out);
	else
		single_strip(c, depth, out);
	rest_skip(c);
	buf_addc(out, ')');
}

void structure_strip(slice structure, struct buf *out)
{
	struct cursor c = cursor_of(structure);

	body_strip(&c, 0, out);
}

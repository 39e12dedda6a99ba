#include "imap/parse.h"

#include "base/buf.h"
#include "base/encode.h"
#include "imap/utf7.h"
#include "store/store.h"

void parse_space(struct cursor *c)
{
	cursor_char(c, ' ', "one space");
}

/* tag = 1*<any ASTRING-CHAR except "+">;  ASTRING-CHAR = ATOM-CHAR / "]" */
slice parse_tag(struct cursor *c)
{
	slice all = c->rest;
	size_t n = 0;

	while (n < all.n && (octet_is(all.p[n], OCTET_IMAP_ATOM) || all.p[n] == ']') &&
	    all.p[n] != '+')
		n++;
	if (n == 0)
		cursor_fail(c, "tag");
	return cursor_take(c, n, "tag");
}

slice parse_atom(struct cursor *c, const char *expected)
{
	return cursor_span(c, OCTET_IMAP_ATOM, expected);
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE; borrowed when nothing is escaped in it */
static slice quoted_parse(struct cursor *c, struct arena *arena)
{
	slice all = slice_from(c->rest, 1);
	size_t n = 0, length = 0;

	while (n < all.n && all.p[n] != '"' && all.p[n] != '\r' && all.p[n] != '\n' && all.p[n]) {
		n += all.p[n] == '\\' ? 2 : 1;
		length++;
	}
	if (n >= all.n || all.p[n] != '"') {
		cursor_fail(c, "closing '\"'");
		return (slice){ 0 };
	}
	cursor_take(c, n + 2, "quoted string");
	if (length == n)
		return slice_head(all, n);
	char *text = arena_alloc(arena, length + 1);
	for (size_t from = 0, to = 0; from < n; to++) {
		from += all.p[from] == '\\';
		text[to] = all.p[from++];
	}
	return (slice){ text, length };
}

/* "{" number ["+"] "}" CRLF *OCTET; its length was accepted when it came */
static slice literal_octets(struct cursor *c)
{
	cursor_char(c, '{', "'{'");
	uint64_t n = cursor_number(c, UINT32_MAX, "length of a literal");
	cursor_try_char(c, '+');
	if (!cursor_try(c, SLICE("}\r\n")))
		cursor_fail(c, "literal");
	return cursor_take(c, n, "literal");
}

/* literal = "{" number ["+"] "}" CRLF *CHAR8 */
static slice literal_parse(struct cursor *c)
{
	slice text = literal_octets(c);

	if (slice_find(text, '\0') < text.n)
		cursor_fail(c, "literal without NUL");
	return text;
}

/* literal8 = "~{" number ["+"] "}" CRLF *OCTET   RFC 3516 §7 */
static slice literal8_parse(struct cursor *c)
{
	cursor_char(c, '~', "'~'");
	return literal_octets(c);
}

/* append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"   RFC 9051 §9, RFC 6855 §4 */
slice parse_message(struct cursor *c, enum parse_form *form_out)
{
	*form_out = PARSE_TEXT;
	if (cursor_try(c, SLICE("UTF8 ("))) {
		*form_out = PARSE_UTF8;
		slice message = literal8_parse(c);
		cursor_char(c, ')', "')'");
		return message;
	}
	if (cursor_peek(c) == '~') {
		*form_out = PARSE_BINARY;
		return literal8_parse(c);
	}
	if (cursor_peek(c) != '{')
		cursor_fail(c, "literal");
	return literal_parse(c);
}

/* string = quoted / literal */
slice parse_string(struct cursor *c, struct arena *arena)
{
	if (cursor_peek(c) == '"')
		return quoted_parse(c, arena);
	if (cursor_peek(c) == '{')
		return literal_parse(c);
	cursor_fail(c, "string");
	return (slice){ 0 };
}

static slice chars_parse(struct cursor *c, const char *more)
{
	slice all = c->rest;
	size_t n = 0;

	while (n < all.n && all.p[n] &&
	    (octet_is(all.p[n], OCTET_IMAP_ATOM) || strchr(more, all.p[n])))
		n++;
	if (n == 0)
		cursor_fail(c, "atom or string");
	return cursor_take(c, n, "atom or string");
}

/* astring = 1*ASTRING-CHAR / string */
slice parse_astring(struct cursor *c, struct arena *arena)
{
	if (cursor_peek(c) == '"' || cursor_peek(c) == '{')
		return parse_string(c, arena);
	return chars_parse(c, "]");
}

static bool name_plain(slice wire)
{
	for (size_t i = 0; i < wire.n; i++)
		if (octet_is(wire.p[i], OCTET_CONTROL))
			return false;
	return utf8_valid(wire);
}

/* Controls and separators of lines that are no ASCII: U+0080 to U+009F, U+2028, U+2029 (RFC 9051 §5.1). */
static bool name_allowed(slice name)
{
	for (size_t i = 0; i + 1 < name.n; i++) {
		const unsigned char *p = (const unsigned char *)name.p + i;

		if ((p[0] == 0xc2 && p[1] < 0xa0) ||
		    (p[0] == 0xe2 && p[1] == 0x80 && i + 2 < name.n && (p[2] & 0xfe) == 0xa8))
			return false;
	}
	return true;
}

/* The wire's name as ours: UTF-8 without controls. An "&" that begins no base64 stands for itself: the name
 * is an astring like any other, and there may be no such mailbox. */
static slice name_decode(struct cursor *c, slice wire, struct arena *arena, bool utf8)
{
	struct buf name;

	if (c->expected)
		return (slice){ 0 };
	if (utf8) {
		if (wire.n > STORE_MAILBOX_MAX || !name_plain(wire) || !name_allowed(wire))
			cursor_fail(c, "mailbox name in UTF-8");
		return wire;
	}
	buf_init(&name, STORE_MAILBOX_MAX);
	if (!utf7_decode(wire, &name)) {
		buf_clear(&name);
		buf_add(&name, wire);
		if (name.full || !name_plain(wire))
			cursor_fail(c, "mailbox name in modified UTF-7");
	}
	slice copy = arena_copy(arena, buf_slice(&name));
	buf_free(&name);
	return copy;
}

/* mailbox = "INBOX" / astring */
slice parse_mailbox(struct cursor *c, struct arena *arena, bool utf8)
{
	slice name = name_decode(c, parse_astring(c, arena), arena, utf8);

	if (name.n == 0)
		cursor_fail(c, "mailbox name");
	return name;
}

/* list-mailbox = 1*list-char / string;  list-char = ATOM-CHAR / "%" / "*" / "]" */
slice parse_list_mailbox(struct cursor *c, struct arena *arena, bool utf8)
{
	bool string = cursor_peek(c) == '"' || cursor_peek(c) == '{';

	return name_decode(c, string ? parse_string(c, arena) : chars_parse(c, "]%*"), arena, utf8);
}

/* nz-number = digit-nz *DIGIT */
uint32_t parse_number(struct cursor *c)
{
	uint32_t n = (uint32_t)cursor_number(c, UINT32_MAX, "number from 1 to 4294967295");

	if (n == 0)
		cursor_fail(c, "number from 1 to 4294967295");
	return n;
}

static int64_t system_flag(slice name)
{
	static const struct {
		const char *name;
		int64_t bit;
	} flags[] = { { "seen", STORE_SEEN }, { "answered", STORE_ANSWERED },
		{ "flagged", STORE_FLAGGED }, { "deleted", STORE_DELETED },
		{ "draft", STORE_DRAFT } };

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (slice_eq_nocase(name, slice_of(flags[i].name)))
			return flags[i].bit;
	return 0;
}

/* flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword */
static void flag_parse(struct cursor *c, struct flag_list *out)
{
	if (cursor_try_char(c, '\\')) {
		slice name = parse_atom(c, "flag");
		int64_t bit = system_flag(name);

		if (!bit)
			cursor_fail(c, "system flag that can be stored");
		out->system |= bit;
		return;
	}
	slice keyword = parse_atom(c, "flag");
	if (out->keyword_count == PARSE_FLAGS_MAX)
		cursor_fail(c, "at most 100 flags");
	else
		out->keywords[out->keyword_count++] = keyword;
}

/* flag-list = "(" [flag *(SP flag)] ")" */
void parse_flags(struct cursor *c, struct arena *arena, bool bare, struct flag_list *out)
{
	bool list = cursor_peek(c) == '(' || !bare;

	*out = (struct flag_list){ .keywords = ARENA_ARRAY(arena, slice, PARSE_FLAGS_MAX) };
	if (list)
		cursor_char(c, '(', "'('");
	if (list && cursor_try_char(c, ')'))
		return;
	do
		flag_parse(c, out);
	while (cursor_try_char(c, ' '));
	if (list)
		cursor_char(c, ')', "')'");
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static void fields_parse(struct cursor *c, struct arena *arena, struct section *out)
{
	slice *fields = ARENA_ARRAY(arena, slice, PARSE_FIELDS_MAX);

	cursor_char(c, ' ', "one space");
	cursor_char(c, '(', "'('");
	do {
		if (out->field_count == PARSE_FIELDS_MAX)
			cursor_fail(c, "at most 200 field names");
		else
			fields[out->field_count++] = parse_astring(c, arena);
	} while (cursor_try_char(c, ' '));
	cursor_char(c, ')', "')'");
	out->fields = fields;
}

/* section-text = section-msgtext / "MIME" */
static void section_text_parse(struct cursor *c, struct arena *arena, struct section *out)
{
	if (cursor_try(c, SLICE("HEADER.FIELDS.NOT")))
		out->kind = SECTION_FIELDS_NOT;
	else if (cursor_try(c, SLICE("HEADER.FIELDS")))
		out->kind = SECTION_FIELDS;
	else if (cursor_try(c, SLICE("HEADER")))
		out->kind = SECTION_HEADER;
	else if (cursor_try(c, SLICE("TEXT")))
		out->kind = SECTION_TEXT;
	else if (out->depth && cursor_try(c, SLICE("MIME")))
		out->kind = SECTION_MIME;
	else
		cursor_fail(c, "section");
	if (out->kind == SECTION_FIELDS || out->kind == SECTION_FIELDS_NOT)
		fields_parse(c, arena, out);
}

/* section = "[" [section-spec] "]";  section-part = nz-number *("." nz-number) */
void parse_section(struct cursor *c, struct arena *arena, struct section *out)
{
	bool text = true;

	*out = (struct section){ .kind = SECTION_ALL };
	cursor_char(c, '[', "'['");
	if (cursor_try_char(c, ']'))
		return;
	while (octet_is(cursor_peek(c), OCTET_DIGIT)) {
		if (out->depth == MIME_DEPTH)
			cursor_fail(c, "at most 100 part numbers");
		else
			out->path[out->depth++] = parse_number(c);
		text = cursor_peek(c) != ']';
		if (!text)
			break;
		cursor_char(c, '.', "'.' or ']'");
	}
	if (text)
		section_text_parse(c, arena, out);
	cursor_char(c, ']', "']'");
}

#include "imap/search_text.h"

#include "base/encode.h"
#include "base/octet.h"
#include "imap/fold.h"
#include "mail/decode.h"
#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/parameter.h"

/* A decoded value is at most so much longer than the octets it was. */
#define GROWTH       4
#define CHARSET_ROOM 100

#define SIMPLE_MOST 1000

/* Most values: visible ASCII, blanks, no encoded word. */
static bool is_simple(slice value)
{
	if (value.n > SIMPLE_MOST)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < ' ' || value.p[i] > '~' ||
		    (value.p[i] == '=' && i + 1 < value.n && value.p[i + 1] == '?'))
			return false;
	return true;
}

static bool simple_holds(slice value, slice needle)
{
	char text[SIMPLE_MOST];

	for (size_t i = 0; i < value.n; i++)
		text[i] = octet_lower(value.p[i]);
	return search_text_holds((slice){ text, value.n }, needle);
}

bool search_text_value(struct charsets *charsets, slice value, slice needle)
{
	struct buf text;

	if (is_simple(value))
		return simple_holds(value, needle);
	buf_init(&text, GROWTH * value.n + 1);
	encoded_words_decode(charsets, value, &text);
	text.n = fold(text.p, text.n);
	bool found = search_text_holds(buf_slice(&text), needle);
	buf_free(&text);
	return found;
}

bool search_text_header(struct charsets *charsets, slice message, slice name, slice needle)
{
	slice header = slice_head(header_of(message), MIME_HEADER);
	struct header_field field;

	while (header_next(&header, &field))
		if (slice_eq_nocase(field.name, name) &&
		    (needle.n == 0 || search_text_value(charsets, field.value, needle)))
			return true;
	return false;
}

bool search_text_addresses(struct charsets *charsets, slice list, struct arena *arena, slice needle)
{
	struct envelope_address a;
	struct buf text;
	bool found = false;

	buf_init(&text, list.n + 8);
	while (!found && envelope_address(&list, arena, &a)) {
		buf_clear(&text);
		buf_add(&text, a.name);
		buf_adds(&text, a.name.n ? " <" : "<");
		buf_add(&text, a.mailbox);
		if (a.host.p)
			buf_addc(&text, '@');
		buf_add(&text, a.host);
		buf_addc(&text, '>');
		found = search_text_value(charsets, buf_slice(&text), needle);
	}
	buf_free(&text);
	return found;
}

/* ---- whole messages ---- */

static void header_write(struct charsets *charsets, slice header, struct buf *out)
{
	struct header_field field;

	header = slice_head(header, MIME_HEADER);
	while (header_next(&header, &field)) {
		buf_add(out, field.name);
		buf_adds(out, ": ");
		encoded_words_decode(charsets, field.value, out);
		buf_addc(out, '\n');
	}
}

/* Octets of a text in its charset. What is valid UTF-8 is taken for it where the charset is ASCII or unknown. */
static void text_write(
    struct charsets *charsets, const struct part *part, slice octets, struct buf *out)
{
	struct buf charset;

	buf_init(&charset, CHARSET_ROOM);
	parameter_decode(NULL, part->parameters, SLICE("charset"), &charset);
	slice name = charset.n ? buf_slice(&charset) : SLICE("us-ascii");
	bool plain = slice_eq_nocase(name, SLICE("us-ascii")) || !charset_known(charsets, name);
	if (plain && (utf8_valid(octets) || !charset_known(charsets, name)))
		buf_add(out, octets);
	else
		charset_decode(charsets, name, octets, out);
	buf_free(&charset);
}

void search_text_leaf_write(struct charsets *charsets, const struct part *part, struct buf *out)
{
	enum encoding encoding = encoding_of(part->encoding, NULL);
	bool text = part_is(part, "text", NULL);
	struct decoder decoder;
	struct buf octets;

	if (encoding != ENCODING_BASE64 && encoding != ENCODING_QUOTED) {
		text_write(charsets, part, part->body, out);
	} else if (text || encoding == ENCODING_QUOTED) {
		buf_init(&octets, part->body.n + DECODE_ROOM);
		decode_all(&decoder, encoding, part->body, &octets);
		text_write(charsets, part, buf_slice(&octets), out);
		buf_free(&octets);
	}
	buf_addc(out, '\n');
}

const struct part *search_text_part_after(const struct part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

/* Folds the header and the body, each of which may become shorter. */
static void folded_keep(struct buf *out, size_t *body_at)
{
	if (out->n == 0)
		return;
	size_t header = fold(out->p, *body_at);
	size_t body = fold(out->p + *body_at, out->n - *body_at);

	memmove(out->p + header, out->p + *body_at, body);
	*body_at = header;
	out->n = header + body;
}

void search_text_write(
    struct charsets *charsets, slice message, struct buf *out, size_t *body_at_out)
{
	struct arena *arena = arena_new(2 * (size_t)MIME_ARENA);
	struct mime mime;

	mime_parse(message, arena, &mime);
	header_write(charsets, mime.root->header, out);
	*body_at_out = out->n;
	for (const struct part *part = mime.root; part; part = search_text_part_after(part)) {
		if (part != mime.root)
			header_write(charsets, part->header, out);
		if (!part->children)
			search_text_leaf_write(charsets, part, out);
	}
	folded_keep(out, body_at_out);
	arena_free(arena);
}

#include "imap/append_binary.h"

#include "base/encode.h"
#include "mail/decode.h"
#include "mail/header.h"
#include "mail/mime.h"

#define LINE_OCTETS 57 /* 76 characters of base64 (RFC 2045 §6.8) */

struct writer {
	struct buf *out;
	slice message;
	size_t done; /* octets of the message that are written */
};

/* Text as it is, with CRLF line ends. */
static void text_write(struct writer *w, slice text)
{
	while (text.n) {
		size_t n = 0;

		while (n < text.n && text.p[n] != '\r' && text.p[n] != '\n')
			n++;
		buf_add(w->out, slice_head(text, n));
		text = slice_from(text, n);
		if (text.n == 0)
			break;
		buf_adds(w->out, "\r\n");
		text = slice_from(text, slice_starts(text, SLICE("\r\n")) ? 2 : 1);
	}
}

/* All up to this place of the message. */
static void write_to(struct writer *w, const char *place)
{
	size_t to = (size_t)(place - w->message.p);

	text_write(w, slice_head(slice_from(w->message, w->done), to - w->done));
	w->done = to;
}

/* The header with another transfer encoding. */
static void header_write(struct writer *w, const struct part *part, const char *encoding)
{
	slice rest = part->header;
	struct header_field field;

	while (header_next(&rest, &field)) {
		if (!slice_eq_nocase(field.name, SLICE("Content-Transfer-Encoding")))
			continue;
		write_to(w, field.whole.p);
		buf_addf(w->out, "Content-Transfer-Encoding: %s\r\n", encoding);
		w->done += field.whole.n;
	}
	write_to(w, part->body.p);
}

static void body_write(struct writer *w, slice body)
{
	for (slice rest = body; rest.n; rest = slice_from(rest, LINE_OCTETS)) {
		if (rest.p != body.p)
			buf_adds(w->out, "\r\n");
		base64_encode(slice_head(rest, LINE_OCTETS), w->out);
	}
	w->done += body.n;
}

static void part_write(struct writer *w, const struct part *part)
{
	if (encoding_of(part->encoding, NULL) == ENCODING_BINARY && part->body.p) {
		bool leaf = part->kind == PART_LEAF;

		header_write(w, part, leaf ? "base64" : "8bit");
		if (leaf)
			body_write(w, part->body);
	}
	for (const struct part *child = part->children; child; child = child->next)
		part_write(w, child);
}

bool append_binary(slice message, struct buf *room)
{
	struct arena *arena = arena_new(2 * (size_t)MIME_ARENA);
	struct writer w = { .out = room, .message = message };
	struct mime mime;

	buf_init(room, 2 * message.n + 4096);
	mime_parse(message, arena, &mime);
	part_write(&w, mime.root);
	write_to(&w, message.p + message.n);
	arena_free(arena);
	return !room->full && slice_find(buf_slice(room), '\0') == room->n;
}

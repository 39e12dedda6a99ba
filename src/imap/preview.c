#include "imap/preview.h"

#include "base/octet.h"
#include "imap/search_text.h"

/* A decoded octet is at most one character of UTF-8. */
#define TEXT_ROOM (4 * PREVIEW_OCTETS)

static bool is_text(const struct part *part, const char *subtype)
{
	return part->kind == PART_LEAF && part_is(part, "text", subtype) &&
	    !slice_starts_nocase(slice_trim(part->disposition), SLICE("attachment"));
}

static const struct part *text_part(const struct part *root, const char *subtype)
{
	const struct part *part = root;

	while (part && !is_text(part, subtype))
		part = search_text_part_after(part);
	return part;
}

/* ---- HTML ---- */

/* What stands between these is nothing to read. */
static slice hidden_skip(slice text)
{
	static const char *const names[] = { "style", "script", "head", "title" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		slice name = slice_of(names[i]);

		slice after = slice_from(text, 1 + name.n);

		if (!slice_starts_nocase(slice_from(text, 1), name) ||
		    (after.n && octet_is(after.p[0], OCTET_ALPHA)))
			continue;
		for (size_t at = 1; at + 1 < text.n; at++)
			if (text.p[at] == '<' && text.p[at + 1] == '/' &&
			    slice_starts_nocase(slice_from(text, at + 2), name))
				return slice_from(text, at);
		return slice_from(text, text.n);
	}
	return text;
}

/* A tag is a blank. */
static slice tag_skip(slice text, struct buf *out)
{
	text = hidden_skip(text);
	buf_addc(out, ' ');
	return slice_from(text, slice_find(text, '>') + 1);
}

static slice entity_write(slice text, struct buf *out)
{
	static const struct {
		const char *entity, *character;
	} entities[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" },
		{ "&apos;", "'" }, { "&#39;", "'" }, { "&nbsp;", " " }, { "&zwnj;", "" },
		{ "&shy;", "" } };

	for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
		if (slice_starts_nocase(text, slice_of(entities[i].entity))) {
			buf_adds(out, entities[i].character);
			return slice_from(text, strlen(entities[i].entity));
		}
	buf_addc(out, '&');
	return slice_from(text, 1);
}

static void html_strip(slice text, struct buf *out)
{
	while (text.n) {
		if (text.p[0] == '<') {
			text = tag_skip(text, out);
		} else if (text.p[0] == '&') {
			text = entity_write(text, out);
		} else {
			buf_addc(out, text.p[0]);
			text = slice_from(text, 1);
		}
	}
}

/* ---- the words ---- */

static bool is_blank(char c)
{
	return c == ' ' || octet_is(c, OCTET_CONTROL);
}

/* Octets of the character that valid UTF-8 begins with. */
static size_t character(slice text)
{
	size_t n = 1;

	while (n < text.n && (text.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void words_write(slice text, struct buf *out)
{
	size_t count = 0;
	bool blank = false;

	for (size_t n; text.n && count + blank < PREVIEW_CHARACTERS; text = slice_from(text, n)) {
		n = character(text);
		if (is_blank(text.p[0])) {
			blank = count > 0;
			continue;
		}
		if (blank) {
			buf_addc(out, ' ');
			count++;
		}
		blank = false;
		count++;
		buf_add(out, slice_head(text, n));
	}
}

void preview_write(struct charsets *charsets, const struct part *root, struct buf *out)
{
	const struct part *plain = text_part(root, "plain");
	const struct part *found = plain ? plain : text_part(root, "html");
	struct buf text, stripped, clean;

	if (!found)
		return;
	struct part part = *found;
	part.body = slice_head(part.body, PREVIEW_OCTETS);
	buf_init(&text, TEXT_ROOM);
	buf_init(&stripped, TEXT_ROOM);
	buf_init(&clean, 3 * TEXT_ROOM);
	search_text_leaf_write(charsets, &part, &text);
	if (!plain)
		html_strip(buf_slice(&text), &stripped);
	slice words = buf_slice(plain ? &text : &stripped);
	/* What the cut has left of a character, or octets of no charset. */
	charset_decode(NULL, SLICE("utf-8"), words, &clean);
	words_write(buf_slice(&clean), out);
	buf_free(&clean);
	buf_free(&text);
	buf_free(&stripped);
}

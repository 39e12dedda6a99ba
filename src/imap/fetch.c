#include "imap/fetch.h"

#include "imap/parse.h"
#include "mail/decode.h"
#include "mail/summary.h"

/* Names without a section; ORDER longer before their beginnings. */
static const struct {
	const char *name;
	enum fetch_kind kind;
	enum section_kind section;
	bool peek;
} names[] = {
	{ "FLAGS", FETCH_FLAGS, SECTION_ALL, true },
	{ "UID", FETCH_UID, SECTION_ALL, true },
	{ "MODSEQ", FETCH_MODSEQ, SECTION_ALL, true },
	{ "INTERNALDATE", FETCH_INTERNALDATE, SECTION_ALL, true },
	{ "RFC822.SIZE", FETCH_SIZE, SECTION_ALL, true },
	{ "RFC822.HEADER", FETCH_SECTION, SECTION_HEADER, true },
	{ "RFC822.TEXT", FETCH_SECTION, SECTION_TEXT, false },
	{ "RFC822", FETCH_SECTION, SECTION_ALL, false },
	{ "ENVELOPE", FETCH_ENVELOPE, SECTION_ALL, true },
	{ "SAVEDATE", FETCH_SAVEDATE, SECTION_ALL, true },
	{ "EMAILID", FETCH_EMAILID, SECTION_ALL, true },
	{ "THREADID", FETCH_THREADID, SECTION_ALL, true },
	{ "PREVIEW", FETCH_PREVIEW, SECTION_ALL, true },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, SECTION_ALL, true },
	{ "BODY", FETCH_BODY, SECTION_ALL, true },
};

static const struct {
	const char *name, *items[5];
} macros[] = {
	{ "ALL", { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE" } },
	{ "FAST", { "FLAGS", "INTERNALDATE", "RFC822.SIZE" } },
	{ "FULL", { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY" } },
};

static struct fetch_item *item_new(struct cursor *c, struct fetch_items *items)
{
	static struct fetch_item spare;

	if (items->n < FETCH_ITEMS_MAX)
		return &items->items[items->n++];
	cursor_fail(c, "at most 100 items");
	return &spare;
}

/* What the items together need. */
static void item_note(struct fetch_items *items, const struct fetch_item *item)
{
	items->heads |= item->kind == FETCH_ENVELOPE || item->kind == FETCH_BODY ||
	    item->kind == FETCH_BODYSTRUCTURE;
	items->structures |= item->kind == FETCH_BODY || item->kind == FETCH_BODYSTRUCTURE;
	items->texts |= item->kind >= FETCH_SECTION;
	items->parts |= item->kind == FETCH_PREVIEW ||
	    (item->kind >= FETCH_SECTION &&
		(item->kind != FETCH_SECTION || item->section.kind != SECTION_ALL ||
		    item->section.depth > 0));
	items->previews |= item->kind == FETCH_PREVIEW;
	items->sets_seen |= !item->peek;
	items->has_flags |= item->kind == FETCH_FLAGS;
	items->has_modseq |= item->kind == FETCH_MODSEQ;
	items->has_uid |= item->kind == FETCH_UID;
}

static bool item_add(struct cursor *c, struct fetch_items *items, slice word)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!slice_eq_nocase(word, slice_of(names[i].name)))
			continue;
		struct fetch_item *item = item_new(c, items);
		item->kind = names[i].kind;
		item->name = names[i].name;
		item->section.kind = names[i].section;
		item->peek = names[i].peek;
		/* What is read is bounded: it is always there at once (RFC 8970 §4.1). */
		if (item->kind == FETCH_PREVIEW)
			cursor_try(c, SLICE(" (LAZY)"));
		item_note(items, item);
		return true;
	}
	return false;
}

/* Items with a section. */
static const struct bracketed {
	const char *name, *shown;
	enum fetch_kind kind;
	bool peek;
} bracketed[] = {
	{ "BODY", "BODY", FETCH_SECTION, false },
	{ "BODY.PEEK", "BODY", FETCH_SECTION, true },
	{ "BINARY", "BINARY", FETCH_BINARY, false },
	{ "BINARY.PEEK", "BINARY", FETCH_BINARY, true },
	{ "BINARY.SIZE", "BINARY.SIZE", FETCH_BINARY_SIZE, true },
};

/* section ["<" number "." nz-number ">"]; of BINARY only part numbers (RFC 3516 §7) */
static void section_item_parse(struct cursor *c, struct arena *arena,
    const struct bracketed *bracket, struct fetch_items *items)
{
	struct fetch_item *item = item_new(c, items);

	item->kind = bracket->kind;
	item->name = bracket->shown;
	item->bracket = true;
	item->peek = bracket->peek;
	parse_section(c, arena, &item->section);
	if (item->kind != FETCH_SECTION && item->section.kind != SECTION_ALL)
		cursor_fail(c, "part numbers only");
	item->partial = item->kind != FETCH_BINARY_SIZE && cursor_try_char(c, '<');
	if (item->partial) {
		item->from = (uint32_t)cursor_number(c, UINT32_MAX, "offset");
		cursor_char(c, '.', "'.'");
		item->count = parse_number(c);
		cursor_char(c, '>', "'>'");
	}
	item_note(items, item);
}

/* The atom up to a "[", which is an ATOM-CHAR by itself. */
static slice word_parse(struct cursor *c)
{
	slice all = c->rest;
	size_t n = 0;

	while (n < all.n && octet_is(all.p[n], OCTET_IMAP_ATOM) && all.p[n] != '[')
		n++;
	if (n == 0)
		cursor_fail(c, "FETCH item");
	return cursor_take(c, n, "FETCH item");
}

static const struct bracketed *bracketed_find(slice word)
{
	for (size_t i = 0; i < sizeof bracketed / sizeof bracketed[0]; i++)
		if (slice_eq_nocase(word, slice_of(bracketed[i].name)))
			return &bracketed[i];
	return NULL;
}

/* fetch-att = "ENVELOPE" / "FLAGS" / ... / "BODY" [".PEEK"] section ["<" partial ">"] / "BINARY" ... */
static void item_parse(struct cursor *c, struct arena *arena, struct fetch_items *items)
{
	struct cursor before = *c;
	slice word = word_parse(c);
	bool bracket = cursor_peek(c) == '[';
	const struct bracketed *found = bracket ? bracketed_find(word) : NULL;

	if (found) {
		section_item_parse(c, arena, found, items);
	} else if (!c->expected && (bracket || !item_add(c, items, word))) {
		*c = before;
		cursor_fail(c, "FETCH item");
	}
}

static bool macro_parse(struct cursor *c, struct fetch_items *items)
{
	struct cursor look = *c;
	slice word = word_parse(&look);

	for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
		if (!slice_eq_nocase(word, slice_of(macros[i].name)))
			continue;
		for (size_t k = 0; k < 5 && macros[i].items[k]; k++)
			item_add(c, items, slice_of(macros[i].items[k]));
		*c = look;
		return true;
	}
	return false;
}

void fetch_parse(struct cursor *c, struct arena *arena, struct fetch_items *out)
{
	*out =
	    (struct fetch_items){ .items = ARENA_ARRAY(arena, struct fetch_item, FETCH_ITEMS_MAX) };
	if (macro_parse(c, out))
		return;
	if (!cursor_try_char(c, '(')) {
		item_parse(c, arena, out);
		return;
	}
	do
		item_parse(c, arena, out);
	while (cursor_try_char(c, ' '));
	cursor_char(c, ')', "')'");
}

static void section_write(const struct section *section, struct buf *out)
{
	static const char *const words[] = { [SECTION_ALL] = "",
		[SECTION_HEADER] = "HEADER",
		[SECTION_TEXT] = "TEXT",
		[SECTION_MIME] = "MIME",
		[SECTION_FIELDS] = "HEADER.FIELDS",
		[SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT" };

	for (size_t i = 0; i < section->depth; i++)
		buf_addf(out, "%s%u", i ? "." : "", section->path[i]);
	if (section->depth && section->kind != SECTION_ALL)
		buf_addc(out, '.');
	buf_adds(out, words[section->kind]);
	for (size_t i = 0; i < section->field_count; i++) {
		slice name = section->fields[i];
		bool atom = name.n > 0;

		for (size_t k = 0; k < name.n && atom; k++)
			atom = octet_is(name.p[k], OCTET_IMAP_ATOM);
		buf_adds(out, i ? " " : " (");
		if (atom)
			buf_add(out, name);
		else
			imap_string_write(name, out);
	}
	buf_adds(out, section->field_count ? ")" : "");
}

void fetch_label_write(const struct fetch_item *item, struct buf *out)
{
	buf_adds(out, item->name);
	if (item->bracket) {
		buf_addc(out, '[');
		section_write(&item->section, out);
		buf_addc(out, ']');
	}
	if (item->partial)
		buf_addf(out, "<%u>", item->from);
}

/* section-binary: a part without its transfer encoding (RFC 3516 §4.2) */
static enum fetch_answer binary_find(
    const struct part *root, const struct section *section, struct buf *room, slice *out)
{
	const struct part *part = section_part(root, section);
	struct decoder decoder;

	if (!section_find(root, section, out))
		return FETCH_NO_PART;
	if (section->depth == 0 || part->children)
		return FETCH_FOUND;
	enum encoding encoding = encoding_of(part->encoding, NULL);
	if (encoding == ENCODING_UNKNOWN)
		return FETCH_UNKNOWN_ENCODING;
	if (encoding != ENCODING_BASE64 && encoding != ENCODING_QUOTED)
		return FETCH_FOUND;
	decode_all(&decoder, encoding, *out, room);
	*out = buf_slice(room);
	return FETCH_FOUND;
}

enum fetch_answer fetch_section(
    const struct part *root, const struct fetch_item *item, struct buf *room, slice *out)
{
	enum fetch_answer answer = FETCH_FOUND;

	buf_clear(room);
	if (item->kind != FETCH_SECTION)
		answer = binary_find(root, &item->section, room, out);
	else if (!section_find(root, &item->section, out))
		answer = FETCH_NO_PART;
	if (answer != FETCH_FOUND)
		return answer;
	if (item->section.kind == SECTION_FIELDS || item->section.kind == SECTION_FIELDS_NOT) {
		section_fields_write(*out, &item->section, room);
		*out = buf_slice(room);
	}
	if (item->partial)
		*out = slice_head(slice_from(*out, item->from), item->count);
	return FETCH_FOUND;
}

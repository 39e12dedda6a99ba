#include "mail/edit.h"

#include "base/encode.h"
#include "base/octet.h"
#include "mail/header.h"

#define LINE 78
#define WORD                                                                                       \
	45 /* octets of text in an encoded word: 60 of base64, and 12 around it (RFC 2047 §2: 75) */

struct field {
	struct field *next;
	slice name, whole;
};

bool field_name_valid(slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!octet_is(name.p[i], OCTET_FIELD))
			return false;
	return name.n > 0 && name.n <= LINE - 2;
}

/* ---- a new field ---- */

/* What stands there as it is; "=?" would be read as a word. */
static bool is_plain(slice value)
{
	for (size_t i = 0; i < value.n; i++)
		if (!octet_is(value.p[i], OCTET_VISIBLE) && value.p[i] != ' ')
			return false;
	return !memmem(value.p ? value.p : "", value.n, "=?", 2);
}

/* Between words the line may be folded; the blank goes to the next line (RFC 5322 §2.2.3). */
static void fold_write(slice value, size_t column, struct buf *out)
{
	while (value.n) {
		size_t blanks = 0;

		while (blanks < value.n && value.p[blanks] == ' ')
			blanks++;
		size_t end = blanks + slice_find(slice_from(value, blanks), ' ');
		if (blanks && end > blanks && column + end > LINE) {
			buf_adds(out, "\r\n");
			column = 0;
		}
		buf_add(out, slice_head(value, end));
		column += end;
		value = slice_from(value, end);
	}
}

/* Octets of the text's beginning that fit into one word, whole characters. */
static size_t word_octets(slice text)
{
	size_t n = text.n < WORD ? text.n : WORD;

	while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return n ? n : text.n;
}

static void words_write(slice value, struct buf *out)
{
	for (bool first = true; value.n; first = false) {
		size_t n = word_octets(value);

		buf_adds(out, first ? " =?utf-8?b?" : "\r\n =?utf-8?b?");
		base64_encode(slice_head(value, n), out);
		buf_adds(out, "?=");
		value = slice_from(value, n);
	}
}

void field_write(slice name, slice value, struct buf *out)
{
	value = slice_trim(value);
	buf_add(out, name);
	buf_addc(out, ':');
	if (is_plain(value)) {
		buf_addc(out, ' ');
		fold_write(value, name.n + 2, out);
	} else {
		words_write(value, out);
	}
	buf_adds(out, "\r\n");
}

/* ---- all of them ---- */

/* The link to the topmost field of the name; to NULL: there is none. */
static struct field **find(struct field **list, slice name)
{
	while (*list && !slice_eq_nocase((*list)->name, name))
		list = &(*list)->next;
	return list;
}

static slice made(const struct edit *e, struct arena *arena)
{
	struct buf text;

	buf_init(&text, 8 * (e->name.n + e->value.n) + 200);
	field_write(e->name, e->value, &text);
	slice whole = arena_copy(arena, buf_slice(&text));
	buf_free(&text);
	return whole;
}

static void add(struct field **list, const struct edit *e, struct arena *arena)
{
	struct field *f = ARENA_NEW(arena, struct field);

	*f = (struct field){ .next = *list, .name = e->name, .whole = made(e, arena) };
	*list = f;
}

static void apply(struct field **list, const struct edit *e, struct arena *arena)
{
	struct field **there = find(list, e->name);

	switch (e->kind) {
	case EDIT_ADD:
		add(list, e, arena);
		break;
	case EDIT_ADD_MISSING:
		if (!*there)
			add(list, e, arena);
		break;
	case EDIT_MODIFY:
	case EDIT_MODIFY_THERE:
		if (*there)
			(*there)->whole = made(e, arena);
		else if (e->kind == EDIT_MODIFY)
			add(list, e, arena);
		break;
	case EDIT_REMOVE_FIRST:
		if (*there)
			*there = (*there)->next;
		break;
	case EDIT_REMOVE:
		for (; *there; there = find(there, e->name))
			*there = (*there)->next;
		break;
	case EDIT_KINDS:
		break;
	}
}

void edit_apply(
    slice header, const struct edit *edits, size_t count, struct arena *arena, struct buf *out)
{
	struct field *list = NULL, **last = &list;
	struct header_field field;
	slice rest = header;

	while (header_next(&rest, &field)) {
		*last = ARENA_NEW(arena, struct field);
		**last = (struct field){ .name = field.name, .whole = field.whole };
		last = &(*last)->next;
	}
	for (size_t i = 0; i < count; i++)
		apply(&list, &edits[i], arena);
	for (struct field *f = list; f; f = f->next)
		buf_add(out, f->whole);
	buf_add(out, rest);
}

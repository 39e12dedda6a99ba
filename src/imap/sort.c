#include "imap/sort.h"

#include <stdlib.h>

#include "imap/envelope.h"
#include "imap/fold.h"
#include "imap/parse.h"
#include "imap/subject.h"
#include "mail/date.h"
#include "mail/encoded_word.h"

/* Octets of a value that are decoded. */
#define VALUE_MAX 2000

static const struct {
	const char *name;
	enum sort_kind kind;
} names[] = {
	{ "ARRIVAL", SORT_ARRIVAL },
	{ "CC", SORT_CC },
	{ "DATE", SORT_DATE },
	{ "FROM", SORT_FROM },
	{ "SIZE", SORT_SIZE },
	{ "SUBJECT", SORT_SUBJECT },
	{ "TO", SORT_TO },
	{ "DISPLAYFROM", SORT_DISPLAY_FROM },
	{ "DISPLAYTO", SORT_DISPLAY_TO },
};

/* sort-criterion = ["REVERSE" SP] sort-key */
static void criterion_parse(struct cursor *c, struct sort_order *out)
{
	bool reverse = cursor_try(c, SLICE("REVERSE "));
	struct cursor before = *c;
	slice word = parse_atom(c, "sort criterion");

	if (out->criteria_count == SORT_CRITERIA) {
		cursor_fail(c, "at most 20 sort criteria");
		return;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!slice_eq_nocase(word, slice_of(names[i].name)))
			continue;
		out->criteria[out->criteria_count].kind = names[i].kind;
		out->criteria[out->criteria_count++].reverse = reverse;
		return;
	}
	*c = before;
	cursor_fail(c, "sort criterion");
}

void sort_parse(struct cursor *c, struct sort_order *out)
{
	cursor_char(c, '(', "'('");
	do
		criterion_parse(c, out);
	while (cursor_try_char(c, ' '));
	cursor_char(c, ')', "')'");
}

int64_t sort_date(slice date, const struct store_row *row)
{
	struct date parsed;

	return date.p && date_parse(date, &parsed) ? parsed.seconds : row->received_us / 1000000;
}

/* Decoded, folded, blanks made single spaces. */
static slice text_key(struct charsets *charsets, slice value, struct arena *arena)
{
	struct buf text;
	size_t kept = 0;

	buf_init(&text, 4 * VALUE_MAX);
	encoded_words_decode(charsets, slice_head(value, VALUE_MAX), &text);
	text.n = fold(text.p, text.n);
	for (size_t i = 0; i < text.n; i++) {
		char c = octet_is(text.p[i], OCTET_CONTROL) ? ' ' : text.p[i];

		if (c != ' ' || (kept && text.p[kept - 1] != ' '))
			text.p[kept++] = c;
	}
	slice copy = arena_copy(arena, (slice){ text.p, kept });
	buf_free(&text);
	return copy;
}

slice sort_subject(struct charsets *charsets, slice subject, struct arena *arena, bool *reply_out)
{
	return slice_head(subject_base(text_key(charsets, subject, arena), reply_out), SORT_KEY);
}

/* addr-mailbox of the first address (RFC 5256 §3), or what is displayed of it (RFC 5957 §3). */
static slice address_text(
    struct charsets *charsets, slice list, bool display, struct arena *scratch)
{
	struct envelope_address a;

	if (!envelope_address(&list, scratch, &a))
		return SLICE("");
	if (display && a.name.n)
		return text_key(charsets, a.name, scratch);
	if (!display || !a.host.p)
		return text_key(charsets, a.mailbox, scratch);
	return text_key(charsets,
	    slice_of(arena_printf(scratch, "%.*s@%.*s", SLICE_ARG(a.mailbox), SLICE_ARG(a.host))),
	    scratch);
}

static struct sort_value value_of(enum sort_kind kind, const struct envelope *e,
    const struct store_row *row, struct charsets *charsets, struct arena *scratch)
{
	bool reply;

	switch (kind) {
	case SORT_ARRIVAL:
		return (struct sort_value){ .number = row->received_us };
	case SORT_DATE:
		return (struct sort_value){ .number = sort_date(e->date, row) };
	case SORT_SIZE:
		return (struct sort_value){ .number = row->size };
	case SORT_SUBJECT:
		return (struct sort_value){ .text = sort_subject(
						charsets, e->subject, scratch, &reply) };
	case SORT_FROM:
	case SORT_DISPLAY_FROM:
		return (struct sort_value){ .text = address_text(charsets, e->lists[ENVELOPE_FROM],
						kind == SORT_DISPLAY_FROM, scratch) };
	case SORT_TO:
	case SORT_DISPLAY_TO:
		return (struct sort_value){ .text = address_text(charsets, e->lists[ENVELOPE_TO],
						kind == SORT_DISPLAY_TO, scratch) };
	case SORT_CC:
		break;
	}
	return (struct sort_value){ .text = address_text(
					charsets, e->lists[ENVELOPE_CC], false, scratch) };
}

/* Kept in capitals, which stand before "[" and "_": the order of i;unicode-casemap (RFC 5051 §2). */
static slice key_keep(slice text, struct arena *arena)
{
	slice kept = slice_head(text, SORT_KEY);
	char *copy = arena_str(arena, kept);

	for (size_t i = 0; i < kept.n; i++)
		if (copy[i] >= 'a' && copy[i] <= 'z')
			copy[i] = (char)(copy[i] - 'a' + 'A');
	return (slice){ copy, kept.n };
}

bool sort_add(struct sort_order *order, struct charsets *charsets, const struct store_row *row,
    struct arena *arena, struct arena *scratch)
{
	struct envelope e;

	if (order->n == SORT_ROWS || order->kept > SORT_MEMORY)
		return false;
	if (order->n == order->room) {
		size_t room = order->room ? 2 * order->room : 64;
		struct sort_row *more = ARENA_ARRAY(arena, struct sort_row, room);

		if (order->n)
			memcpy(more, order->rows, order->n * sizeof *more);
		order->rows = more;
		order->room = room;
	}
	struct sort_row *new = &order->rows[order->n++];
	*new = (struct sort_row){ .uid = row->uid,
		.values = ARENA_ARRAY(arena, struct sort_value, order->criteria_count) };
	envelope_read(row->head.envelope, scratch, &e);
	for (size_t i = 0; i < order->criteria_count; i++) {
		new->values[i] = value_of(order->criteria[i].kind, &e, row, charsets, scratch);
		new->values[i].text = key_keep(new->values[i].text, arena);
		order->kept += sizeof(struct sort_value) + new->values[i].text.n + 16;
	}
	return true;
}

static int row_compare(const void *a, const void *b, void *context)
{
	const struct sort_row *one = a, *other = b;
	const struct sort_order *order = context;

	for (size_t i = 0; i < order->criteria_count; i++) {
		const struct sort_value *x = &one->values[i], *y = &other->values[i];
		int sign = (x->number > y->number) - (x->number < y->number);

		if (sign == 0)
			sign = slice_compare(x->text, y->text);
		if (sign)
			return order->criteria[i].reverse ? -sign : sign;
	}
	return (one->uid > other->uid) - (one->uid < other->uid);
}

void sort_finish(struct sort_order *order)
{
	if (order->n)
		qsort_r(order->rows, order->n, sizeof *order->rows, row_compare, order);
}

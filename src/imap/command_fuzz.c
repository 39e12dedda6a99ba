/* The grammars of commands on any input: always an end, nothing read beyond it. */
#include "imap/fetch.h"
#include "imap/gather.h"
#include "imap/parse.h"
#include "imap/pattern.h"
#include "imap/search.h"
#include "imap/utf7.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fetch(struct cursor c, struct arena *arena)
{
	struct fetch_items items;
	struct buf label;

	fetch_parse(&c, arena, &items);
	buf_init(&label, 100000);
	for (size_t i = 0; i < items.n && cursor_done(&c); i++)
		fetch_label_write(&items.items[i], &label);
	buf_free(&label);
}

static void read_sequence(struct cursor c, struct arena *arena)
{
	struct uid_set uids = { 0 }, found = { 0 };
	struct sequence sequence;

	uid_set_add(&uids, 3, 9);
	uid_set_add(&uids, 20, 20);
	sequence_parse(&c, arena, &sequence);
	for (int by_uid = 0; by_uid < 2 && cursor_done(&c); by_uid++)
		if (sequence_resolve(&sequence, &uids, by_uid, &found))
			assert(uid_set_count(&found) <= 8);
	uid_set_free(&uids);
	uid_set_free(&found);
}

static void read_name(slice input)
{
	struct buf name, wire, again;

	buf_init(&name, 1000);
	buf_init(&wire, 5000);
	buf_init(&again, 1000);
	if (utf7_decode(input, &name)) {
		utf7_encode(buf_slice(&name), &wire);
		assert(utf7_decode(buf_slice(&wire), &again));
		assert(slice_eq(buf_slice(&name), buf_slice(&again)));
	}
	buf_free(&name);
	buf_free(&wire);
	buf_free(&again);
}

/* Lines and literals as net/ would hand them over. */
static void gather_all(slice input)
{
	struct gather g;

	gather_init(&g, 5000, 1000);
	while (input.n) {
		slice line = slice_head(input, slice_find(input, '\n'));
		enum gather_result result = gather_line(&g, line);

		input = slice_from(input, line.n + 1);
		if (result == GATHER_LITERAL || result == GATHER_LITERAL_PLUS) {
			slice literal = slice_head(input, g.literal);

			assert(g.literal <= 1000);
			input = slice_from(input, literal.n);
			gather_literal(&g, literal);
			continue;
		}
		gather_reset(&g);
	}
	gather_reset(&g);
}

/* The first octet picks the grammar. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = slice_from((slice){ (const char *)data, size }, 1);
	struct arena *arena = arena_new(64 * size + (1 << 20));
	struct cursor c = cursor_of(input);
	struct flag_list flags;

	switch (size ? data[0] : 0) {
	case 'f':
		read_fetch(c, arena);
		break;
	case 's':
		search_parse(&c, arena);
		break;
	case 'n':
		read_sequence(c, arena);
		break;
	case 'u':
		read_name(slice_head(input, 900));
		break;
	case 'g':
		gather_all(input);
		break;
	case 'l':
		parse_tag(&c);
		parse_space(&c);
		parse_flags(&c, arena, true, &flags);
		parse_space(&c);
		parse_mailbox(&c, arena, size % 2);
		break;
	default:
		input = slice_head(input, 2000);
		pattern_matches(slice_head(input, input.n / 2), slice_from(input, input.n / 2));
	}
	arena_free(arena);
	return 0;
}

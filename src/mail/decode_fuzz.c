/* Any octets in any encoding: the same whole and in pieces, never more than came in, faults in their place. */
#include <assert.h>
#include <stdlib.h>

#include "base/encode.h"
#include "mail/decode.h"
#include "mail/encoded_word.h"
#include "mail/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Octet by octet, into as little room as there may be. */
static void pieces_decode(enum encoding encoding, slice text, struct buf *out)
{
	char room[DECODE_LEAST];
	struct decoder d;

	decoder_open(&d, encoding);
	for (; text.n; text = slice_from(text, 1)) {
		slice one = slice_head(text, 1);
		size_t n = decoder_run(&d, &one, room, sizeof room);

		buf_add(out, (slice){ room, n });
		assert(one.n == 0);
	}
	size_t left = decoder_end(&d, room, sizeof room);
	buf_add(out, (slice){ room, left });
}

static void encoding_check(enum encoding encoding, slice text)
{
	struct buf whole, pieces;
	struct decoder d;

	buf_init(&whole, text.n + 8);
	buf_init(&pieces, text.n + 8);
	assert(decode_all(&d, encoding, text, &whole));
	pieces_decode(encoding, text, &pieces);
	assert(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
	assert(whole.n <= text.n);
	for (int i = 0; i < DECODE_FAULTS; i++)
		assert(d.faults[i].count <= text.n + 1 && d.faults[i].at <= text.n);
	buf_free(&whole);
	buf_free(&pieces);
}

/* Decoded header text is UTF-8, in one line, and not longer than it may become. */
static void header_text_check(struct charsets *set, slice text)
{
	static const char *const names[] = { "name", "filename", "boundary", "a" };
	struct buf out;

	buf_init(&out, 4 * text.n + 16);
	encoded_words_decode(set, text, &out);
	assert(utf8_valid(buf_slice(&out)) && !out.full);
	assert(slice_find(buf_slice(&out), '\n') == out.n &&
	    slice_find(buf_slice(&out), '\0') == out.n);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		buf_clear(&out);
		parameter_decode(set, text, slice_of(names[i]), &out);
		assert(utf8_valid(buf_slice(&out)) && !out.full);
		buf_clear(&out);
		parameter_octets(text, slice_of(names[i]), &out);
		parameter_join(text, slice_of(names[i]), &out);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct charsets *set; /* for all runs: 44 converters are not opened in no time */
	slice text = { (const char *)data, size };

	if (!set)
		set = charsets_open();
	for (int encoding = ENCODING_7BIT; encoding <= ENCODING_UNKNOWN; encoding++)
		encoding_check((enum encoding)encoding, text);
	encoding_of(text, NULL);
	header_text_check(set, text);
	header_text_check(NULL, text);
	return 0;
}

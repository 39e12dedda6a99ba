/* Lines in any pieces: the same lines as all at once, and never more kept than a line may be. */
#include <assert.h>

#include "base/buf.h"
#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "[line]" for each, $ after a bare LF, "!" for one too long. */
static void read_frames(struct frame *f, struct buf *in, struct buf *seen)
{
	slice frame;
	size_t used;

	for (;;) {
		enum frame_result result = frame_next(f, buf_slice(in), &frame, &used);

		assert(used <= in->n);
		if (result == FRAME_WHOLE) {
			buf_addc(seen, '[');
			buf_add(seen, frame);
			buf_adds(seen, f->end == FRAME_LF ? "]$" : "]");
		}
		if (result == FRAME_OVERLONG)
			buf_addc(seen, '!');
		buf_drop(in, used);
		if (result == FRAME_PARTIAL)
			break;
	}
	assert(in->n <= f->max + 1);
}

static void read_all(slice input, size_t max, uint32_t random, struct buf *seen)
{
	struct frame f = { 0 };
	struct buf in;

	frame_want(&f, FRAME_LINE, max);
	buf_init(&in, input.n + 1);
	while (input.n) {
		slice piece = input;

		if (random) {
			random = random * 1103515245 + 12345;
			piece = slice_head(input, 1 + (random >> 16) % 7);
		}
		buf_add(&in, piece);
		input = slice_from(input, piece.n);
		read_frames(&f, &in, seen);
	}
	buf_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = slice_from((slice){ (const char *)data, size }, 2);
	struct buf whole, split;

	if (size < 2)
		return 0;
	buf_init(&whole, 4 * size + 100);
	buf_init(&split, 4 * size + 100);
	read_all(input, data[0] % 32, 0, &whole);
	read_all(input, data[0] % 32, 1u + data[1], &split);
	assert(slice_eq(buf_slice(&whole), buf_slice(&split)));
	buf_free(&whole);
	buf_free(&split);
	return 0;
}

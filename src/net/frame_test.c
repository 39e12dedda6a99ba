/* Frames found in every split of an input. */
#include "lib/split.h"
#include "lib/unit.h"

#include "base/buf.h"
#include "net/frame.h"

/* What a reader of lines of at most 5 octets saw: "[line]" for each (with $ for a bare LF), "!" for one
 * too long. */
static void read_lines(struct frame *f, struct buf *in, struct buf *seen)
{
	slice line;
	size_t used;

	for (;;) {
		enum frame_result result = frame_next(f, buf_slice(in), &line, &used);

		if (result == FRAME_WHOLE)
			buf_addf(seen, "[%.*s]%s", SLICE_ARG(line), f->end == FRAME_LF ? "$" : "");
		if (result == FRAME_OVERLONG)
			buf_adds(seen, "!");
		buf_drop(in, used);
		if (result == FRAME_PARTIAL)
			return;
	}
}

static void expect_lines(void *want, const slice *pieces, size_t n)
{
	struct frame f = { 0 };
	struct buf in, seen;

	frame_want(&f, FRAME_LINE, 5);
	buf_init(&in, 1000);
	buf_init(&seen, 1000);
	for (size_t i = 0; i < n; i++) {
		buf_add(&in, pieces[i]);
		read_lines(&f, &in, &seen);
		assert_true(in.n <= 6); /* never keeps more than a line could be */
	}
	assert_slice(buf_slice(&seen), want);
	buf_free(&in);
	buf_free(&seen);
}

static void lines_are_the_same_in_every_split(void **state)
{
	(void)state;
	split_every_way(SLICE("NOOP\r\nQUIT\r\n"), expect_lines, "[NOOP][QUIT]");
	split_every_way(SLICE("12345\r\n12345\n"), expect_lines, "[12345][12345]$");
	split_every_way(SLICE("123456\r\nab\r\n"), expect_lines, "![ab]");
	split_every_way(SLICE("1234567890123456789\r\nab\nc\r\n"), expect_lines, "![ab]$[c]");
	split_every_way(SLICE("123456789\n123456789\r\nx\r\n"), expect_lines, "!![x]");
	split_every_way(SLICE("a\rb\r\n\r\n"), expect_lines, "[a\rb][]");
	split_every_way(SLICE("no ending"), expect_lines, "!");
}

static void expect_octets(void *want, const slice *pieces, size_t n)
{
	struct frame f = { 0 };
	struct buf in;
	slice frame;
	size_t used;
	int whole = 0;

	frame_want(&f, FRAME_OCTETS, 7);
	buf_init(&in, 1000);
	for (size_t i = 0; i < n; i++) {
		buf_add(&in, pieces[i]);
		if (whole || frame_next(&f, buf_slice(&in), &frame, &used) != FRAME_WHOLE)
			continue;
		whole++;
		assert_slice(frame, want);
		assert_int_equal(used, 7);
	}
	assert_int_equal(whole, 1);
	buf_free(&in);
}

static void octets_come_whole_whatever_they_are(void **state)
{
	(void)state;
	split_every_way(SLICE("ab\r\n\n.\rrest"), expect_octets, "ab\r\n\n.\r");
}

static void an_empty_literal_is_a_frame(void **state)
{
	struct frame f = { 0 };
	slice frame = SLICE("x");
	size_t used = 9;

	(void)state;
	frame_want(&f, FRAME_OCTETS, 0);
	assert_int_equal(frame_next(&f, SLICE(""), &frame, &used), FRAME_WHOLE);
	assert_int_equal(frame.n, 0);
	assert_int_equal(used, 0);
}

static void a_chunk_is_what_is_there_up_to_its_size(void **state)
{
	struct frame f = { 0 };
	slice frame;
	size_t used;

	(void)state;
	frame_want(&f, FRAME_CHUNK, 4);
	assert_int_equal(frame_next(&f, SLICE(""), &frame, &used), FRAME_PARTIAL);
	assert_int_equal(frame_next(&f, SLICE("ab"), &frame, &used), FRAME_WHOLE);
	assert_slice(frame, "ab");
	assert_int_equal(frame_next(&f, SLICE("abcdef"), &frame, &used), FRAME_WHOLE);
	assert_slice(frame, "abcd");
	assert_int_equal(used, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_the_same_in_every_split),
		cmocka_unit_test(octets_come_whole_whatever_they_are),
		cmocka_unit_test(an_empty_literal_is_a_frame),
		cmocka_unit_test(a_chunk_is_what_is_there_up_to_its_size),
	};

	return UNIT_RUN(tests);
}

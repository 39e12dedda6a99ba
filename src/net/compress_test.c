/* A DEFLATE layer between two ends that hold one of these each. */
#include "lib/unit.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/memory.h"
#include "net/compress.h"

/* Takes all that c has to send, in pieces of at most `piece`, into what `other` has received. */
static void pass(struct compress *c, struct compress *other, struct buf *in, size_t piece)
{
	while (c->wire.n) {
		slice some = slice_head(buf_slice(&c->wire), piece);

		buf_add(&other->raw, some);
		assert_false(other->raw.full);
		buf_drop(&c->wire, some.n);
		while (compress_pending(other))
			assert_true(compress_in(other, in, 1 + (size_t)rand() % 3000));
	}
}

static void send_all(struct compress *from, struct compress *to, slice text, size_t piece)
{
	struct buf plain, in;

	buf_init(&plain, text.n + 1);
	buf_init(&in, text.n + 4000);
	buf_add(&plain, text);
	do {
		compress_out(from, &plain);
		assert_true(from->wire.n <= COMPRESS_MARK + 4096);
		pass(from, to, &in, piece);
	} while (plain.n || from->held);
	assert_true(slice_eq(buf_slice(&in), text));
	buf_free(&plain);
	buf_free(&in);
}

static void what_is_sent_arrives_at_once_and_whole(void **state)
{
	struct compress *a = compress_new(), *b = compress_new();
	static char text[400000];

	srand(unit_seed());
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 3 ? "mail"[i % 4] : (char)rand();
	for (int i = 0; i < 60; i++) {
		size_t n = (size_t)rand() % (i % 10 ? 3000 : sizeof text);
		slice part = { text + (size_t)rand() % (sizeof text - n + 1), n };

		send_all(a, b, part, 1 + (size_t)rand() % 5000);
		send_all(b, a, part, 1 + (size_t)rand() % 5000);
	}
	send_all(a, b, SLICE("a OK done\r\n"), 1);
	/* Idle, it holds no buffers. */
	assert_null(b->raw.p);
	compress_free(a);
	compress_free(b);
}

static void a_little_that_inflates_to_much_comes_in_portions(void **state)
{
	struct compress *c = compress_new();
	size_t most = 20 << 20, total = 0;
	z_stream z = { 0 };
	struct buf in;

	char *zeros = memory_new(1, most), *packed = memory_new(1, 1 << 20);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)zeros;
	z.avail_in = (uInt)most;
	z.next_out = (Bytef *)packed;
	z.avail_out = 1 << 20;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	slice rest = { packed, (1 << 20) - z.avail_out };
	buf_init(&in, 20000);
	while (rest.n || compress_pending(c)) {
		if (!compress_pending(c)) {
			buf_add(&c->raw, slice_head(rest, 1000));
			rest = slice_from(rest, 1000);
		}
		assert_true(compress_in(c, &in, 16384));
		assert_true(in.n <= 16384);
		total += in.n;
		buf_clear(&in);
	}
	assert_int_equal(total, most);
	assert_true(c->ended);
	deflateEnd(&z);
	buf_free(&in);
	free(zeros);
	free(packed);
	compress_free(c);
}

static void what_is_no_deflate_is_refused(void **state)
{
	static const char *const wrong[] = { "a noop\r\n", "\xff\xff\xff\xff", "\x78\x9c\x03" };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct compress *c = compress_new();
		struct buf in;
		bool good = true;

		buf_init(&in, 100000);
		for (int k = 0; good && k < 20; k++) {
			buf_adds(&c->raw, wrong[i]);
			good = compress_in(c, &in, 1000);
		}
		assert_false(good);
		buf_free(&in);
		compress_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_arrives_at_once_and_whole),
		cmocka_unit_test(a_little_that_inflates_to_much_comes_in_portions),
		cmocka_unit_test(what_is_no_deflate_is_refused),
	};

	return UNIT_RUN(tests);
}

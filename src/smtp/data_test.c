/* The stream between DATA and its dot, in every split. */
#include "lib/split.h"
#include "lib/unit.h"

#include "smtp/data.h"
#include "smtp/received.h"

struct want {
	enum data_result result;
	const char *content; /* of DATA_END and DATA_MORE */
	const char *rest;    /* after the end */
};

static void feed(void *context, const slice *pieces, size_t n)
{
	const struct want *want = context;
	struct data_reader reader = { 0 };
	enum data_result result = DATA_MORE;
	struct buf out, rest;
	size_t used;

	buf_init(&out, 1000);
	buf_init(&rest, 1000);
	for (size_t i = 0; i < n; i++) {
		if (result == DATA_END)
			buf_add(&rest, pieces[i]);
		if (result != DATA_MORE)
			continue;
		result = data_read(&reader, pieces[i], &out, &used);
		if (result == DATA_END)
			buf_add(&rest, slice_from(pieces[i], used));
	}
	assert_int_equal(result, want->result);
	if (result != DATA_BARE)
		assert_slice(buf_slice(&out), want->content);
	assert_slice(buf_slice(&rest), want->rest ? want->rest : "");
	buf_free(&out);
	buf_free(&rest);
}

static void expect(slice input, enum data_result result, const char *content, const char *rest)
{
	struct want want = { result, content, rest };

	split_every_way(input, feed, &want);
}

static void dots_are_removed_and_the_end_is_found(void **state)
{
	(void)state;
	expect(SLICE("a\r\nb\r\n.\r\n"), DATA_END, "a\r\nb\r\n", "");
	expect(SLICE(".\r\nQUIT\r\n"), DATA_END, "", "QUIT\r\n");
	expect(SLICE("..a\r\n...\r\n. b\r\n.\r\nRSET\r\n"), DATA_END, ".a\r\n..\r\n b\r\n",
	    "RSET\r\n");
	expect(SLICE("\r\n\r\n.\r\n"), DATA_END, "\r\n\r\n", "");
	expect(SLICE("x.\r\n.y\r\n"), DATA_MORE, "x.\r\ny\r\n", NULL);
}

static void no_other_line_end_ends_the_message(void **state)
{
	static const char *const ends[] = { "\n.\n", "\n.\r", "\r.\n", "\r.\r", "\n.\r\n",
		"\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\r\n.\r\n", "\r\n.\r\r\n", "\n\n.\n\n" };

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct buf input;

		buf_init(&input, 200);
		buf_addf(&input, "text%sMAIL FROM:<a@b>\r\n", ends[i]);
		expect(buf_slice(&input), DATA_BARE, NULL, NULL);
		buf_free(&input);
	}
}

static void a_nul_is_content_and_makes_no_end(void **state)
{
	slice input = { "text\r\n\0.\r\nx\r\n", 13 };
	struct data_reader reader = { 0 };
	struct buf out;
	size_t used;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(data_read(&reader, input, &out, &used), DATA_MORE);
	assert_true(slice_eq(buf_slice(&out), input));
	buf_free(&out);
}

struct line_case {
	slice text;
	bool ok, inside;
};

static void take_in_pieces(void *context, const slice *pieces, size_t n)
{
	const struct line_case *want = context;
	struct lines lines = { 0 };
	bool ok = true;

	for (size_t i = 0; i < n && ok; i++)
		ok = lines_take(&lines, pieces[i]);
	ok = ok && !lines.after_cr;
	assert_int_equal(ok, want->ok);
	if (ok)
		assert_int_equal(lines.inside, want->inside);
}

static void line_ends_of_chunks_are_checked(void **state)
{
	struct line_case cases[] = { { SLICE("a\r\n\r\nb"), true, true },
		{ SLICE("a\r\n"), true, false }, { SLICE("\r\n"), true, false },
		{ SLICE("a\nb"), false, false }, { SLICE("a\rb"), false, false },
		{ SLICE("\r\r\n"), false, false }, { SLICE("a\r"), false, false },
		{ SLICE("\n"), false, false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		split_every_way(cases[i].text, take_in_pieces, &cases[i]);
}

static void a_header_is_looked_at(void **state)
{
	struct header_facts facts;

	(void)state;
	header_look(SLICE("Received: a\r\n\treceived: folded\r\nX-Received: no\r\nRECEIVED:b\r\n"
			  "r\r\n\r\nReceived: in the body\r\n"),
	    &facts);
	assert_int_equal(facts.hops, 2);
	assert_false(facts.date || facts.message_id || facts.none);
	header_look(SLICE("date: x\r\nMESSAGE-ID: y\r\n\r\n"), &facts);
	assert_true(facts.date && facts.message_id && !facts.none && !facts.hops);
	header_look(SLICE("\r\nReceived: in the body\r\n"), &facts);
	assert_int_equal(facts.hops, 0);
	assert_false(facts.none);
	header_look(SLICE("Hello there\r\nDate: x\r\n"), &facts);
	assert_true(facts.none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_are_removed_and_the_end_is_found),
		cmocka_unit_test(a_nul_is_content_and_makes_no_end),
		cmocka_unit_test(no_other_line_end_ends_the_message),
		cmocka_unit_test(line_ends_of_chunks_are_checked),
		cmocka_unit_test(a_header_is_looked_at),
	};

	return UNIT_RUN(tests);
}

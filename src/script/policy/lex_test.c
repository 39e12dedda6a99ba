/* Words of a policy, and what is no word. */
#include "lib/unit.h"

#include "script/policy/lex.h"

static struct arena *arena;
static struct sources src;
static struct lexer lexer;

static int set_up(void **state)
{
	arena = arena_new(16 << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static struct token first(const char *text)
{
	sources_begin(&src, arena, NULL, NULL);
	uint32_t file = sources_add(&src, "t", slice_of(text), (struct range){ 0 });
	lexer = (struct lexer){ .src = &src, .file = file, .text = src.files[file].text };
	return lex_next(&lexer);
}

static void said(const char *what)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	sources_print(&src, false, &out);
	if (!out.p || !strstr(out.p, what))
		fail_msg("wanted '%s', said: %s", what, out.p ? out.p : "nothing");
	buf_free(&out);
}

static void blanks_and_comments_are_no_words(void **state)
{
	struct token t = first(" \t\r\n# all this\n  name# and this\n;");

	assert_int_equal(t.kind, TOKEN_NAME);
	assert_slice(t.text, "name");
	assert_true(
	    token_is(&(struct token){ .kind = TOKEN_MARK, .text = lex_next(&lexer).text }, ";"));
	assert_int_equal(lex_next(&lexer).kind, TOKEN_END);
	assert_int_equal(lex_next(&lexer).kind, TOKEN_END);
	assert_int_equal(first("# only").kind, TOKEN_END);
	assert_int_equal(first("").kind, TOKEN_END);
}

static void numbers_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t n;
		char unit;
		bool whole;
	} rows[] = { { "0", 0, 0, true }, { "550", 550000, 0, true }, { "1.5", 1500, 0, false },
		{ "3K", 3072, 'b', false }, { "1.5M", 1572864, 'b', false },
		{ "2G", 2147483648, 'b', false }, { "10s", 10000, 's', false },
		{ "2m", 120000, 's', false }, { "1h", 3600000, 's', false },
		{ "0.5d", 43200000, 's', false } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct token t = first(rows[i].text);

		assert_int_equal(t.kind, TOKEN_NUMBER);
		assert_int_equal(t.number, rows[i].n);
		assert_int_equal(t.unit, rows[i].unit);
		assert_int_equal(t.whole, rows[i].whole);
	}
	struct token t = first("1..5");
	assert_int_equal(t.number, 1000);
	assert_true(slice_eq(lex_next(&lexer).text, SLICE("..")));
	assert_int_equal(lex_next(&lexer).number, 5000);
}

static void numbers_that_are_none(void **state)
{
	static const char *const bad[] = { "1x", "12ab", "1.2345", "99999999999999999999",
		"9223372036854775G", "1kk", "5K5", "1_0", "3.1.9", "55.7.1", "5.1234567.1" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (first(bad[i]).kind != TOKEN_BAD)
			fail_msg("%s is taken", bad[i]);
	first("12ab");
	said("units are K M G and s m h d");
	assert_int_equal(first("5.7.1").kind, TOKEN_ENHANCED);
	assert_int_equal(first("4.12.100").kind, TOKEN_ENHANCED);
}

static void strings_have_escapes(void **state)
{
	struct token t = first("\"a\\\"b\\\\\\n\\t\\x41\"");

	assert_int_equal(t.kind, TOKEN_STRING);
	assert_slice(string_value(t.text, arena), "a\"b\\\n\tA");
	static const struct {
		const char *text, *said;
	} bad[] = { { "\"open", "no end" }, { "\"open\nx\"", "no end" },
		{ "\"\\q\"", "escapes are" }, { "\"\\x00\"", "01 to 7F" },
		{ "\"\\x80\"", "01 to 7F" }, { "\"\\x4\"", "hexadecimal" }, { "\"\\", "no end" },
		{ "\"\\x", "no end" } };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(first(bad[i].text).kind, TOKEN_BAD);
		said(bad[i].said);
	}
}

static void what_is_too_long_is_refused(void **state)
{
	char text[9000];

	memset(text, 'a', sizeof text);
	text[65] = '\0';
	assert_int_equal(first(text).kind, TOKEN_BAD);
	said("at most 64");
	text[65] = 'a';
	text[64] = '\0';
	assert_int_equal(first(text).kind, TOKEN_NAME);
	text[64] = 'a';
	text[0] = text[8194] = '"';
	text[8195] = '\0';
	assert_int_equal(first(text).kind, TOKEN_BAD);
	said("8192");
	text[8193] = '"';
	text[8194] = '\0';
	assert_int_equal(first(text).kind, TOKEN_STRING);
}

static void a_slash_is_asked_for(void **state)
{
	struct token t = first("/a\\/b/c x");

	assert_true(token_is(&t, "/"));
	t = lex_regex(&lexer, &t);
	assert_int_equal(t.kind, TOKEN_REGEX);
	assert_slice(t.text, "a\\/b");
	assert_true(t.exact);
	assert_slice(lex_next(&lexer).text, "x");
	static const char *const bad[] = { "/open", "/open\n/", "/a/i", "/a\\" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		t = first(bad[i]);
		assert_int_equal(lex_regex(&lexer, &t).kind, TOKEN_BAD);
	}
}

static void other_characters_are_shown_with_help(void **state)
{
	assert_int_equal(first("!x").kind, TOKEN_BAD);
	said("write 'not'");
	assert_int_equal(first("&&").kind, TOKEN_BAD);
	said("write 'and'");
	assert_int_equal(first("é").kind, TOKEN_BAD);
	said("no meaning");
	assert_int_equal(first("'x'").kind, TOKEN_BAD);
	assert_int_equal(first("=>").kind, TOKEN_MARK);
	assert_slice(first("==").text, "==");
	assert_slice(first("..").text, "..");
	assert_int_equal(first(".").kind, TOKEN_BAD);
}

static void what_is_no_text_is_refused(void **state)
{
	static const struct {
		slice text;
		uint32_t at;
	} rows[] = { { SLICE("ab\0c"), 2 }, { SLICE("\xff"), 0 }, { SLICE("é\xc3("), 2 },
		{ SLICE("\xed\xa0\x80"), 0 }, { SLICE("ok\n\xf8"), 3 } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		sources_begin(&src, arena, NULL, NULL);
		assert_int_equal(
		    sources_add(&src, "t", rows[i].text, (struct range){ 0 }), UINT32_MAX);
		assert_int_equal(src.messages->range.at, rows[i].at);
	}
}

static void words_are_near_one_another(void **state)
{
	assert_int_equal(word_distance(SLICE("kitten"), SLICE("kitten"), 2), 0);
	assert_int_equal(word_distance(SLICE("sofftail"), SLICE("softfail"), 2), 1);
	assert_int_equal(word_distance(SLICE("Reject"), SLICE("reject"), 2), 0);
	assert_int_equal(word_distance(SLICE("txet"), SLICE("text"), 2), 1);
	assert_int_equal(word_distance(SLICE(""), SLICE("ab"), 2), 2);
	assert_true(word_distance(SLICE("a"), SLICE("abcdef"), 2) > 2);
	assert_true(word_distance(SLICE("accept"), SLICE("reject"), 2) > 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(blanks_and_comments_are_no_words),
		T(numbers_have_units),
		T(numbers_that_are_none),
		T(strings_have_escapes),
		T(what_is_too_long_is_refused),
		T(a_slash_is_asked_for),
		T(other_characters_are_shown_with_help),
		T(what_is_no_text_is_refused),
		T(words_are_near_one_another),
	};

	return UNIT_RUN(tests);
}

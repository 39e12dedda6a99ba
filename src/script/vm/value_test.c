/* Texts without case, globs, numbers, values. */
#include "lib/unit.h"

#include "script/vm/value.h"

static bool equal(const char *a, const char *b)
{
	bool same = text_equal(slice_of(a), slice_of(b), false);

	assert_int_equal(same, text_equal(slice_of(b), slice_of(a), false));
	if (same)
		assert_int_equal(text_hash(slice_of(a)), text_hash(slice_of(b)));
	return same;
}

static void case_is_ignored_in_every_script(void **state)
{
	assert_true(equal("Hello", "hELLO"));
	assert_true(equal("", ""));
	assert_true(equal("ÄÖÜ éß", "äöü ÉSS") == false);
	assert_true(equal("ÄÖÜ é", "äöü É"));
	assert_true(equal("Σίσυφος", "ΣΊΣΥΦΟΣ"));
	assert_true(equal("ПРИВЕТ", "привет"));
	assert_false(equal("a", "b"));
	assert_false(equal("a", "ab"));
	assert_false(equal("é", "e"));
	assert_false(text_equal(SLICE("A"), SLICE("a"), true));
	assert_true(text_equal(SLICE("A"), SLICE("A"), true));
}

static void broken_utf8_equals_only_itself(void **state)
{
	assert_true(equal("\xff\xfe", "\xff\xfe"));
	assert_false(equal("\xff", "\xfe"));
	assert_false(equal("\xc3", "\xc3\xa9"));
	assert_true(text_glob(SLICE("a\xff z"), SLICE("a??z"), false));
}

static bool glob(const char *text, const char *pattern)
{
	return text_glob(slice_of(text), slice_of(pattern), false);
}

static void globs_match_the_whole_text(void **state)
{
	assert_true(glob("", ""));
	assert_true(glob("", "*"));
	assert_true(glob("abc", "ABC"));
	assert_true(glob("abc", "a*"));
	assert_true(glob("abc", "*c"));
	assert_true(glob("abc", "a*c"));
	assert_true(glob("abc", "a?c"));
	assert_true(glob("abcbc", "*bc"));
	assert_true(glob("aXbXc", "a*x*c"));
	assert_true(glob("é", "?"));
	assert_true(glob("**", "\\*\\*"));
	assert_true(glob("?", "\\?"));
	assert_true(glob("\\", "\\\\"));
	assert_false(glob("abc", "b*"));
	assert_false(glob("abc", "a?"));
	assert_false(glob("abc", ""));
	assert_false(glob("", "?"));
	assert_false(glob("ab", "\\*"));
	assert_false(glob("ac", "a*b"));
	assert_false(text_glob(SLICE("abc"), SLICE("A*"), true));
	assert_int_equal(glob_stars(SLICE("a*b\\**")), 2);
}

static void a_glob_with_many_stars_ends_soon(void **state)
{
	char text[4000], pattern[400];

	memset(text, 'a', sizeof text);
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = i % 2 ? '*' : 'a';
	pattern[sizeof pattern - 1] = 'b';
	assert_false(
	    text_glob((slice){ text, sizeof text }, (slice){ pattern, sizeof pattern }, false));
}

static void numbers_are_thousandths(void **state)
{
	static const struct {
		const char *text;
		int64_t n;
		const char *shown;
	} good[] = { { "0", 0, "0" }, { "12", 12000, "12" }, { "0.5", 500, "0.5" },
		{ "-3.25", -3250, "-3.25" }, { "1.001", 1001, "1.001" }, { "007", 7000, "7" },
		{ "9223372036854775", 9223372036854775000, "9223372036854775" }, { "-0", 0, "0" },
		{ "1.10", 1100, "1.1" } };
	static const char *const bad[] = { "", "-", ".5", "1.", "1.2345", "1e3", " 1", "1 ", "+1",
		"0x1", "9223372036854776", "99999999999999999999", "1.0.0", "١" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char out[NUMBER_TEXT];
		int64_t n;

		assert_true(number_read(slice_of(good[i].text), &n));
		assert_int_equal(n, good[i].n);
		assert_slice(((slice){ out, number_write(n, out) }), good[i].shown);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int64_t n;

		assert_false(number_read(slice_of(bad[i]), &n));
	}
	char out[NUMBER_TEXT];
	assert_slice(((slice){ out, number_write(INT64_MIN, out) }), "-9223372036854775.808");
}

static void unknown_equals_nothing(void **state)
{
	struct value unknown = { 0 }, empty = VALUE_TEXT_OF(SLICE("")),
		     a = VALUE_TEXT_OF(SLICE("a"));
	struct value one = VALUE_NUMBER_OF(1), yes = VALUE_YESNO_OF(true);

	assert_false(value_equal(&unknown, &unknown));
	assert_false(value_equal(&empty, &empty));
	assert_false(value_equal(&unknown, &a));
	assert_true(value_equal(&a, &a));
	assert_false(value_equal(&a, &one));
	assert_true(value_equal(&yes, &yes));
	assert_true(value_empty(&unknown) && value_empty(&empty) && !value_empty(&one));
	assert_false(value_true(&unknown));
	assert_false(value_true(&one));
}

static void what_a_peer_said_cannot_end_a_line(void **state)
{
	static const struct {
		slice text;
		const char *clean;
	} rows[] = { { SLICE("plain"), "plain" }, { SLICE("a\r\nb\0c\x7f"), "a??b?c?" },
		{ SLICE("\x1b[2J\t"), "?[2J?" }, { SLICE("é\xff"), "é\xEF\xBF\xBD" },
		{ SLICE("\xc3"), "\xEF\xBF\xBD" }, { SLICE("\xc2\x85"), "?" }, { SLICE(""), "" } };
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_slice(text_clean(rows[i].text, 100, arena), rows[i].clean);
	assert_slice(text_clean(SLICE("ééé"), 3, arena), "é");
	assert_slice(text_clean(SLICE("\xff\xff\xff"), 5, arena), "\xEF\xBF\xBD");
	arena_free(arena);
}

static void texts_are_cut_between_characters(void **state)
{
	assert_slice(text_cut(SLICE("aé"), 2), "a");
	assert_slice(text_cut(SLICE("aé"), 3), "aé");
	assert_slice(text_cut(SLICE("\xF0\x9F\x98\x80"), 3), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_is_ignored_in_every_script),
		cmocka_unit_test(broken_utf8_equals_only_itself),
		cmocka_unit_test(globs_match_the_whole_text),
		cmocka_unit_test(a_glob_with_many_stars_ends_soon),
		cmocka_unit_test(numbers_are_thousandths),
		cmocka_unit_test(unknown_equals_nothing),
		cmocka_unit_test(what_a_peer_said_cannot_end_a_line),
		cmocka_unit_test(texts_are_cut_between_characters),
	};

	return UNIT_RUN(tests);
}

/* The words of commands: strings, names, sequences, sections, patterns. */
#include "lib/unit.h"

#include "imap/fetch.h"
#include "imap/gather.h"
#include "imap/parse.h"
#include "imap/pattern.h"
#include "imap/search.h"
#include "imap/utf7.h"

static struct arena *arena;

static void strings_are_read_in_every_form(void **state)
{
	struct cursor c = cursor_of(SLICE("a]b \"q \\\"\\\\\" {3}\r\nx\"y {2+}\r\nzz \"\""));

	assert_slice(parse_astring(&c, arena), "a]b");
	parse_space(&c);
	assert_slice(parse_astring(&c, arena), "q \"\\");
	parse_space(&c);
	assert_slice(parse_astring(&c, arena), "x\"y");
	parse_space(&c);
	assert_slice(parse_string(&c, arena), "zz");
	parse_space(&c);
	assert_slice(parse_string(&c, arena), "");
	assert_true(cursor_done(&c));
}

static void bad_strings_are_refused(void **state)
{
	static const char *const cases[] = { "\"abc", "\"a\\", "\"a\r\nb\"", "{5}\r\nabc",
		"{x}\r\n", "{3}abc", "(", "", "{99999999999}\r\n" };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i]));

		parse_astring(&c, arena);
		assert_non_null(c.expected);
	}
}

static void sequences_become_uids(void **state)
{
	static const struct {
		const char *text;
		bool by_uid;
		const char *want; /* NULL: no such message */
	} cases[] = {
		{ "1", false, "10" },
		{ "2:3", false, "11:12" },
		{ "*", false, "21" },
		{ "4:*", false, "20:21" },
		{ "*:4,1", false, "10,20:21" },
		{ "9:*", false, "21" },
		{ "6", false, NULL },
		{ "1:6", false, NULL },
		{ "10:15", true, "10:12" },
		{ "15:*", true, "20:21" },
		{ "50:*", true, "21" },
		{ "1,13,4000000000", true, "" },
	};
	struct uid_set uids = { 0 }, got = { 0 };
	struct buf text;

	buf_init(&text, 100);
	uid_set_add(&uids, 10, 12);
	uid_set_add(&uids, 20, 21);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i].text));
		struct sequence sequence;

		sequence_parse(&c, arena, &sequence);
		assert_true(cursor_done(&c));
		bool ok = sequence_resolve(&sequence, &uids, cases[i].by_uid, &got);
		assert_int_equal(ok, cases[i].want != NULL);
		if (!ok)
			continue;
		buf_clear(&text);
		uid_set_print(&got, &text);
		assert_slice(buf_slice(&text), cases[i].want);
	}
	buf_free(&text);
	uid_set_free(&uids);
	uid_set_free(&got);
}

static void bad_sequences_are_refused(void **state)
{
	static const char *const cases[] = { "", "0", "1:", ":1", "1,", "a", "1:0", "4294967296" };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i]));
		struct sequence sequence;

		sequence_parse(&c, arena, &sequence);
		assert_false(cursor_done(&c));
	}
}

static void names_go_through_utf7_and_back(void **state)
{
	static const struct {
		const char *utf8, *wire;
	} cases[] = {
		{ "INBOX", "INBOX" },
		{ "a&b", "a&-b" },
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		    "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
		{ "\xf0\x9f\x93\xa7", "&2D3c5w-" },
	};
	static const char *const bad[] = { "&", "&AP", "&A-", "&APx-", "&AGE-", "&2D0-", "&3Oc-",
		"a\x01", "\xff", "&AAA-" };
	struct buf out;

	buf_init(&out, 200);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_clear(&out);
		utf7_encode(slice_of(cases[i].utf8), &out);
		assert_slice(buf_slice(&out), cases[i].wire);
		buf_clear(&out);
		assert_true(utf7_decode(slice_of(cases[i].wire), &out));
		assert_slice(buf_slice(&out), cases[i].utf8);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		buf_clear(&out);
		assert_false(utf7_decode(slice_of(bad[i]), &out));
	}
	buf_free(&out);
}

static void patterns_match_as_list_wants(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{ "*", "a/b/c", true },
		{ "%", "a", true },
		{ "%", "a/b", false },
		{ "%/%", "a/b", true },
		{ "a*c", "a/b/c", true },
		{ "a%c", "a/c", false },
		{ "*%", "a/b", true },
		{ "%*", "a/b", true },
		{ "*/%b", "x/y/ab", true },
		{ "*/%b", "x/y/ab/c", false },
		{ "inbox", "INBOX", true },
		{ "inbo%", "INBOX", true },
		{ "sent", "Sent", false },
		{ "", "", true },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "a%", "a", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (pattern_matches(slice_of(cases[i].pattern), slice_of(cases[i].name)) !=
		    cases[i].matches)
			fail_msg("%s with %s", cases[i].pattern, cases[i].name);
}

static void sections_are_printed_as_read(void **state)
{
	static const char *const cases[] = { "BODY[]", "BODY[HEADER]", "BODY[1.2.3]",
		"BODY[1.TEXT]", "BODY[4.MIME]", "BODY[]<0>", "BODY[HEADER.FIELDS (To \"a b\")]",
		"BODY[2.HEADER.FIELDS.NOT (Subject)]" };
	struct buf out;

	buf_init(&out, 200);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fetch_items items;
		char text[100];

		snprintf(text, sizeof text, "%.*s%s", (int)strcspn(cases[i], "<"), cases[i],
		    strchr(cases[i], '<') ? "<0.5>" : "");
		struct cursor c = cursor_of(slice_of(text));
		fetch_parse(&c, arena, &items);
		assert_true(cursor_done(&c));
		buf_clear(&out);
		fetch_label_write(&items.items[0], &out);
		assert_slice(buf_slice(&out), cases[i]);
	}
	buf_free(&out);
}

static void bad_fetch_items_are_refused(void **state)
{
	static const char *const cases[] = { "", "()", "(all)", "frog", "flags[]", "body[",
		"body[0]", "body[1.]", "body[mime]", "body[1.frog]", "body[]<0>", "body[]<0.0>",
		"(flags", "(flags  uid)", "body[header.fields ()]" };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i]));
		struct fetch_items items;

		fetch_parse(&c, arena, &items);
		if (cursor_done(&c))
			fail_msg("accepted: %s", cases[i]);
	}
}

static void deep_searches_are_refused(void **state)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_adds(&text, "not ");
	struct cursor c = cursor_of(buf_slice(&text));
	search_parse(&c, arena);
	assert_string_equal(c.expected, "a simpler search");
	buf_clear(&text);
	for (int i = 0; i < 5000; i++)
		buf_adds(&text, "all ");
	c = cursor_of(buf_slice(&text));
	search_parse(&c, arena);
	assert_string_equal(c.expected, "a simpler search");
	buf_clear(&text);
	for (int i = 0; i < 190; i++)
		buf_adds(&text, "1:5 ");
	while (text.n < (512u << 10))
		buf_addc(&text, ' ');
	size_t before = arena_used(arena);
	c = cursor_of(buf_slice(&text));
	search_parse(&c, arena);
	assert_true(arena_used(arena) - before < (1 << 20));
	buf_free(&text);
}

static void literals_are_gathered(void **state)
{
	struct gather g;

	gather_init(&g, 40, 20);
	assert_int_equal(gather_line(&g, SLICE("a login {5}")), GATHER_LITERAL);
	assert_int_equal(g.literal, 5);
	gather_literal(&g, SLICE("al}ce"));
	assert_int_equal(gather_line(&g, SLICE(" {0+}")), GATHER_LITERAL_PLUS);
	gather_literal(&g, SLICE(""));
	assert_int_equal(gather_line(&g, SLICE("")), GATHER_WHOLE);
	assert_slice(buf_slice(&g.text), "a login {5}\r\nal}ce {0+}\r\n");
	gather_reset(&g);
	assert_int_equal(gather_line(&g, SLICE("x {21}")), GATHER_TOO_BIG);
	gather_reset(&g);
	assert_int_equal(gather_line(&g, SLICE("x {99999999999999999999+}")), GATHER_TOO_BIG_PLUS);
	gather_reset(&g);
	assert_int_equal(gather_line(&g, SLICE("x {+} {a} 1}")), GATHER_WHOLE);
	gather_reset(&g);
	assert_int_equal(gather_line(&g, SLICE("{1}")), GATHER_LITERAL);
	gather_reset(&g);
	assert_int_equal(gather_line(&g, SLICE("1}")), GATHER_WHOLE);
	gather_reset(&g);
}

static int arena_make(void **state)
{
	arena = arena_new(64 << 20);
	return 0;
}

static int arena_end(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_read_in_every_form),
		cmocka_unit_test(bad_strings_are_refused),
		cmocka_unit_test(sequences_become_uids),
		cmocka_unit_test(bad_sequences_are_refused),
		cmocka_unit_test(names_go_through_utf7_and_back),
		cmocka_unit_test(patterns_match_as_list_wants),
		cmocka_unit_test(sections_are_printed_as_read),
		cmocka_unit_test(bad_fetch_items_are_refused),
		cmocka_unit_test(deep_searches_are_refused),
		cmocka_unit_test(literals_are_gathered),
	};

	return cmocka_run_group_tests(tests, arena_make, arena_end);
}

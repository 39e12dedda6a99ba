/* Addresses in commands: what RFC 5321 allows, what it forbids, and where reading stops. */
#include "lib/unit.h"

#include "mail/address.h"

#define TEN   "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static struct arena *arena;

static slice written(const struct address *address)
{
	return address_text(arena, address);
}

static void path_is_read(void **state)
{
	static const struct {
		const char *path, *local, *domain, *written;
	} cases[] = {
		{ "<a@b.test>", "a", "b.test", "a@b.test" },
		{ "<Al.Ice+x@EXAMPLE.Test>", "Al.Ice+x", "example.test", "Al.Ice+x@example.test" },
		{ "<\"a b\"@b>", "a b", "b", "\"a b\"@b" },
		{ "<\"a\\\"\\\\\"@b>", "a\"\\", "b", "\"a\\\"\\\\\"@b" },
		{ "<\"plain\"@b>", "plain", "b", "plain@b" },
		{ "<\"a..b\"@b>", "a..b", "b", "\"a..b\"@b" },
		{ "<@r.test,@s.test:a@b>", "a", "b", "a@b" },
		{ "<a@[192.0.2.1]>", "a", "[192.0.2.1]", "a@[192.0.2.1]" },
		{ "<a@[IPv6:2001:DB8::1]>", "a", "[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]" },
		{ "<a@1.2-3.x>", "a", "1.2-3.x", "a@1.2-3.x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i].path));
		struct address a;

		assert_true(path_reverse_parse(&c, arena, &a) && cursor_done(&c));
		assert_slice(a.local, cases[i].local);
		assert_slice(a.domain, cases[i].domain);
		assert_slice(written(&a), cases[i].written);
		c = cursor_of(slice_of(cases[i].path));
		assert_true(path_forward_parse(&c, arena, &a));
	}
}

static void utf8_is_read_and_told(void **state)
{
	static const struct {
		const char *path, *local, *domain, *written;
	} cases[] = {
		{ "<j\xc3\xbcrgen@b>", "j\xc3\xbcrgen", "b", "j\xc3\xbcrgen@b" },
		{ "<\"j \xc3\xbc\"@b>", "j \xc3\xbc", "b", "\"j \xc3\xbc\"@b" },
		{ "<a@B\xc3\xbc"
		  "cher.Test>",
		    "a", "xn--bcher-kva.test", "a@xn--bcher-kva.test" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i].path));
		struct address a;

		assert_true(path_forward_parse(&c, arena, &a) && cursor_done(&c));
		assert_true(a.utf8);
		assert_slice(a.local, cases[i].local);
		assert_slice(a.domain, cases[i].domain);
		assert_slice(written(&a), cases[i].written);
	}
	struct cursor c = cursor_of(SLICE("<a@b> \xc3\xbc"));
	struct address a;
	assert_true(path_forward_parse(&c, arena, &a));
	assert_false(a.utf8);
}

static void bad_path_says_what_was_expected(void **state)
{
	static const struct {
		const char *path, *expected;
		size_t at;
	} cases[] = {
		{ "a@b", "'<'", 0 },
		{ "<a@b", "'>'", 4 },
		{ "<a>", "'@'", 2 },
		{ "< a@b>", "local part", 1 },
		{ "<a..b@c>", "local part", 3 },
		{ "<.a@c>", "local part", 1 },
		{ "<a.@c>", "local part", 3 },
		{ "<\"\"@c>", "local part", 3 },
		{ "<\"a@c>", "closing '\"'", 6 },
		{ "<a@>", "domain name", 3 },
		{ "<a@-b>", "domain name", 3 },
		{ "<a@b->", "domain name", 3 },
		{ "<a@b..c>", "domain name", 5 },
		{ "<a@b.>", "domain name", 5 },
		{ "<a@b_c>", "'>'", 4 },
		{ "<a@[1.2.3]>", "IP address", 9 },
		{ "<a@[2001:db8::1]>", "IP address", 15 },
		{ "<a@[1.2.3.4>", "']'", 4 },
		{ "<@r.test a@b>", "':'", 8 },
		{ "<a\xff@b>", "a local part in UTF-8", 3 },
		{ "<\"\xc3\"@b>", "a local part in UTF-8", 4 },
		{ "<a@\xff>", "an international domain name (RFC 5890)", 4 },
		{ "<a@\xe2\x80\x8d.test>", "an international domain name (RFC 5890)", 11 },
		{ "<a@" SIXTY "abcd.test>", "domain name", 3 },
		{ "<" SIXTY "abcde@b>", "local part of at most 64 octets", 66 },
		{ "<\"" SIXTY "abcde\"@b>", "local part of at most 64 octets", 66 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cursor c = cursor_of(slice_of(cases[i].path));
		struct address a;

		if (path_reverse_parse(&c, arena, &a))
			print_error("accepted: %s\n", cases[i].path);
		assert_non_null(c.expected);
		assert_string_equal(c.expected, cases[i].expected);
		if (c.at != cases[i].at)
			print_error("%s\n", cases[i].path);
		assert_int_equal(c.at, cases[i].at);
	}
}

static void null_path_is_for_senders_and_postmaster_for_recipients(void **state)
{
	struct address a;
	struct cursor c = cursor_of(SLICE("<> SIZE=1"));

	(void)state;
	assert_true(path_reverse_parse(&c, arena, &a));
	assert_true(address_is_null(&a));
	assert_slice(c.rest, " SIZE=1");
	assert_slice(written(&a), "");
	c = cursor_of(SLICE("<>"));
	assert_false(path_forward_parse(&c, arena, &a));
	c = cursor_of(SLICE("<PostMaster>"));
	assert_true(path_forward_parse(&c, arena, &a));
	assert_slice(a.local, "PostMaster");
	assert_slice(a.domain, "");
	assert_false(address_is_null(&a));
	assert_slice(written(&a), "PostMaster");
	c = cursor_of(SLICE("<postmaster>"));
	assert_false(path_reverse_parse(&c, arena, &a));
}

static void limits_are_met_exactly(void **state)
{
	struct address a;
	char text[400];

	(void)state;
	assert_true(address_parse(SLICE(SIXTY "abcd@b"), arena, &a));
	assert_true(address_parse(SLICE("\"" SIXTY "\\a\\b\\c\\d\"@b"), arena, &a));
	for (size_t n = 250; n < 258; n++) {
		memset(text, 'a', sizeof text);
		memcpy(text, "x@", 2);
		for (size_t i = 62; i < n - 1; i += 60)
			text[i] = '.';
		assert_int_equal(address_parse((slice){ text, n }, arena, &a), n <= 254);
	}
}

static void equality_ignores_case(void **state)
{
	struct address a, b;

	(void)state;
	assert_true(address_parse(SLICE("Alice@example.test"), arena, &a));
	assert_true(address_parse(SLICE("\"alICE\"@EXAMPLE.test"), arena, &b));
	assert_true(address_equal(&a, &b));
	assert_true(address_parse(SLICE("alice@example2.test"), arena, &b));
	assert_false(address_equal(&a, &b));
	assert_false(address_parse(SLICE("alice@example.test "), arena, &b));
	assert_false(address_parse(SLICE(""), arena, &b));
}

static int arena_make(void **state)
{
	arena = arena_new(1 << 20);
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
		cmocka_unit_test(path_is_read),
		cmocka_unit_test(utf8_is_read_and_told),
		cmocka_unit_test(bad_path_says_what_was_expected),
		cmocka_unit_test(null_path_is_for_senders_and_postmaster_for_recipients),
		cmocka_unit_test(limits_are_met_exactly),
		cmocka_unit_test(equality_ignores_case),
	};

	return cmocka_run_group_tests(tests, arena_make, arena_end);
}
